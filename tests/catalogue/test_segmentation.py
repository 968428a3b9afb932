"""One segment per source: separated, merged, grown and dropped as the probabilities say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psseg.catalogue.segment_map import list_segments
from psseg.catalogue.segment_sharing import segment_territory, shared_segments
from psseg.catalogue.segmentation import (
    find_segments,
    segment_centroids,
    segment_scores,
)
from psseg.errors import PssegError

OPTIONS = {"threshold": 0.5, "pixel_scale": 0.1, "psf_radius": 0.25}


def discs(places, *, shape=(40, 50), radius=2.5, peak=0.97):
    rows, columns = np.indices(shape)
    peaks = np.broadcast_to(peak, len(places))
    layers = [
        top / (1 + np.exp(np.clip((np.hypot(columns - x, rows - y) - radius) / 0.25, -50, 50)))
        for (x, y), top in zip(places, peaks, strict=True)
    ]
    return np.max([np.zeros(shape), *layers], axis=0)


def test_each_disc_becomes_a_segment_with_its_centroid_and_score():
    places = [(10.0, 8.0), (30.3, 12.6), (20.0, 33.2)]
    probability = discs(places, peak=[0.9, 0.8, 0.7])
    segments = find_segments(probability, **OPTIONS)
    x, y = segment_centroids(probability, segments)
    assert segments.labels.tolist() == [1, 2, 3]
    assert np.stack([x, y], axis=1) == pytest.approx(np.array(places), abs=0.15)
    assert segment_scores(probability, segments) == pytest.approx([0.9, 0.8, 0.7], abs=0.01)


@pytest.mark.parametrize(("separation", "n"), [(2, 1), (3, 1), (5, 2), (6, 2)])
def test_touching_discs_are_parted_where_there_is_a_waist(separation, n):
    probability = discs([(20, 20.3), (20 + separation, 20.3)])
    assert find_segments(probability, **OPTIONS).n_labels == n


def test_a_faint_source_beside_a_bright_one_is_not_lost():
    probability = discs([(20, 20), (26, 20)], peak=[1.0, 0.6])
    assert find_segments(probability, **OPTIONS).n_labels == 2


@pytest.mark.parametrize("radius", [2.5, 5.0, 12.0])
def test_a_rippled_plateau_is_one_source(radius):
    ripple = np.random.default_rng(2).uniform(0.9, 1.0, (40, 50))
    segments = find_segments(discs([(24, 20)], radius=radius, peak=1.0) * ripple, **OPTIONS)
    assert segments.n_labels == 1
    assert segments.areas[0] == pytest.approx(np.pi * radius**2, rel=0.25)


def test_a_segment_reaches_below_the_threshold_but_needs_a_pixel_above_it():
    probability = discs([(10, 10), (30, 30)], peak=[0.6, 0.45])
    segments = find_segments(probability, **OPTIONS)
    assert segments.n_labels == 1
    assert probability[segments.data == 1].min() < 0.5
    assert find_segments(probability, **OPTIONS, grow=1.0).areas[0] < segments.areas[0]


def test_close_peaks_count_once_whatever_the_saddle():
    probability = np.zeros((20, 20))
    probability[10, 8], probability[10, 10] = 0.9, 0.8
    probability[10, 9] = 0.3
    assert find_segments(probability, **OPTIONS).n_labels == 1


@pytest.mark.parametrize("blank", [np.nan, 0.0])
def test_nothing_found_gives_a_map_without_labels(blank):
    segments = find_segments(np.full((5, 6), blank), **OPTIONS)
    assert segments.n_labels == 0
    assert segments.data.shape == (5, 6)
    assert segment_scores(segments.data * 1.0, segments).shape == (0,)
    assert segment_centroids(segments.data * 1.0, segments)[0].shape == (0,)


def test_blank_pixels_belong_to_no_segment():
    probability = discs([(20, 20)])
    mask = np.zeros(probability.shape, dtype=bool)
    mask[:, 21:] = True
    probability[:10] = np.nan
    segments = find_segments(probability, **OPTIONS, mask=mask)
    assert segments.n_labels == 1
    assert not segments.data[mask].any()


def test_a_source_cut_by_the_edge_is_one_segment():
    assert find_segments(discs([(0, 20), (30, 39.4)]), **OPTIONS).n_labels == 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), axis=st.sampled_from([0, 1]))
def test_segments_do_not_depend_on_which_way_the_map_lies(seed, axis):
    rng = np.random.default_rng(seed)
    probability = discs(rng.uniform(4, 36, (8, 2)), shape=(40, 40), peak=rng.uniform(0.4, 1, 8))
    found = find_segments(probability, **OPTIONS)
    flipped = find_segments(np.flip(probability, axis), **OPTIONS)
    assert np.array_equal(np.flip(flipped.data, axis) > 0, found.data > 0)
    assert flipped.n_labels == found.n_labels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 1.0}, "threshold: want a probability between 0 and 1, got 1.0"),
        ({"grow": 0.0}, "grow: want a fraction above 0, at most 1, got 0.0"),
        ({"prominence": 1.0}, "prominence: want a fraction between 0 and 1, got 1.0"),
        ({"mask": np.zeros((2, 2), bool)}, r"mask: want shape \(4, 5\), got \(2, 2\)"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises(PssegError, match=message):
        find_segments(np.zeros((4, 5)), **(OPTIONS | changes))


def test_a_cube_is_refused():
    with pytest.raises(PssegError, match=r"want \(n_y, n_x\), got shape \(2, 4, 5\)"):
        find_segments(np.zeros((2, 4, 5)), **OPTIONS)


def shared(segments, *, mask=None, **sources):
    mask = np.zeros(segments.shape, dtype=bool) if mask is None else mask
    return shared_segments(segments, radius=1.5, mask=mask, **sources)


def two_segments():
    data = np.zeros((12, 20), dtype=int)
    data[3:7, 2:10], data[4:6, 14:18] = 3, 5
    return list_segments(data)


def test_the_territory_is_that_of_the_nearest_segment():
    territory = segment_territory(two_segments(), reach=2)
    assert territory[4, 5] == territory[4, 11] == 0
    assert territory[4, 15] == territory[5, 19] == 1
    assert territory[4, 12] == 1
    assert territory[11, 5] == territory[0, 19] == -1
    nothing = list_segments(np.zeros((4, 5), dtype=int))
    assert np.all(segment_territory(nothing, reach=2) == -1)


def test_a_segment_with_two_sources_is_shared_between_them():
    before = two_segments()
    places = {"x": np.array([3.0, 16.0, 8.0]), "y": np.array([4.0, 5.0, 7.2])}
    after, labels = shared(before, **places, segment=np.array([0, 1, 0]))
    assert labels.tolist() == after.labels.tolist() == [3, 5, 6]
    assert np.array_equal(after.data == 5, before.data == 5)
    assert after.data[4, 3] == 3
    assert after.data[6, 9] == after.data[8, 8] == 6
    assert np.all((after.data > 0)[before.data > 0])


def test_a_source_without_a_pixel_of_its_own_has_no_label():
    place = {"x": np.array([3.0, 16.0, 16.0]), "y": np.array([4.0, 5.0, 5.0])}
    after, labels = shared(two_segments(), **place, segment=np.array([0, 1, 1]))
    assert labels.tolist() == [3, 5, 6]
    assert after.labels.tolist() == [3, 5]


def test_the_surest_source_beside_its_segment_keeps_a_pixel():
    data = np.zeros((40, 40), dtype=int)
    data[19:22, 19:22] = 1
    for surest in ((22.9, 20.0), (20.4, 20.0), (23.0, 23.0)):
        x, y = np.array([surest, (19.5, 20.0)]).T
        after, labels = shared(list_segments(data), x=x, y=y, segment=np.array([0, 0]))
        assert labels.tolist() == after.labels.tolist() == [1, 2]
        assert after.data[round(surest[1]), round(surest[0])] == 1


def test_blank_pixels_go_to_no_source():
    mask = np.zeros((12, 20), dtype=bool)
    mask[7:] = True
    places = {"x": np.array([3.0, 16.0, 8.0]), "y": np.array([4.0, 5.0, 7.2])}
    after, _ = shared(two_segments(), **places, segment=np.array([0, 1, 0]), mask=mask)
    assert not after.data[mask].any()
    assert after.labels.tolist() == [3, 5, 6]


@pytest.mark.parametrize(
    "pixels",
    [
        {(10, 10): 0.7, (10, 12): 0.7, (10, 11): 0.2},  # the smoothed summit lies between them
        {(10, 10): 0.65} | {(y, x): 0.28 for y in (9, 10, 11) for x in (11, 12)},
        {(10, 10): 0.65, (10, 11): 0.1, (11, 10): 0.1}
        | dict.fromkeys([(11, 11), (11, 12), (12, 11)], 0.5),  # touches at a corner alone
    ],
)
def test_a_ragged_candidate_is_not_lost(pixels):
    probability = np.zeros((20, 24))
    for pixel, value in pixels.items():
        probability[pixel] = value
    found = find_segments(probability, threshold=0.6, pixel_scale=0.1, psf_radius=0.15, grow=0.5)
    assert found.n_labels >= 1
    assert found.data[10, 10] > 0


def test_of_two_sources_in_one_pixel_the_surest_stays():
    place = {"x": np.array([3.0, 16.3, 16.0]), "y": np.array([4.0, 5.0, 5.0])}
    after, _ = shared(two_segments(), **place, segment=np.array([0, 1, 1]))
    assert after.data[5, 16] == 5


def test_a_stray_source_leaves_a_neighbour_its_only_pixel():
    data = np.zeros((40, 40), dtype=int)
    data[19:22, 19:22], data[20, 24] = 1, 2
    places = {"x": np.array([24.2, 24.0, 19.5]), "y": np.array([20.0, 20.0, 20.0])}
    after, labels = shared(list_segments(data), **places, segment=np.array([0, 1, 0]))
    assert after.labels.tolist() == labels.tolist() == [1, 2, 3]
    assert after.data[20, 24] == 2


@pytest.mark.parametrize("seed", range(4))
def test_sources_far_apart_are_found_as_if_the_whole_map_were_worked_out(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    shape = (400, 500)
    places = rng.uniform((0, 0), shape[::-1], (7, 2))
    places = np.concatenate([places, np.add(places[:3], (5, 1))])
    probability = discs(places, shape=shape, peak=rng.uniform(0.6, 0.9, 10))
    probability *= rng.uniform(0.95, 1, shape)
    mask = rng.uniform(size=shape) < 0.01
    found = find_segments(probability, mask=mask, **OPTIONS)
    assert found.n_labels > 5
    monkeypatch.setattr("psseg.catalogue.segmentation.BLOCK", 1000)
    whole = find_segments(probability, mask=mask, **OPTIONS)
    np.testing.assert_array_equal(found.data, whole.data)
