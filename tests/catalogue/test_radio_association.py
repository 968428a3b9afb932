"""Lobes and core of a radio galaxy become one source; neighbours by chance stay two."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from made_images import (
    FWHM,
    RMS,
    SCALE,
    beam_covariance,
    beam_noise,
    draw,
    flat_noise,
    make_image,
    measure,
)
from scipy.ndimage import label

from psseg.catalogue.radio_association import _unit, associated_segments
from psseg.catalogue.segment_map import list_segments
from psseg.tiles.beam import Beam
from psseg.tiles.network_planes import network_planes

SHAPE = (120, 160)
BEAM = beam_covariance()
MIDDLE = 60.0  # row of all sources


def lobe(length):
    """A lobe along the rows, this many beams long."""
    return BEAM * np.diag([length**2, 1.3])


def scene(sources, *, rms=RMS, cuts=(), frequency=1.4e9, crowd=()):
    """An image of (column, S/N, covariance), and its segments above 3 rms, cut at these columns.

    The crowd are points of S/N 20, (column, row).
    """
    plane = beam_noise(np.random.default_rng(1), SHAPE, BEAM) * rms
    clean = np.zeros(SHAPE)
    for column, snr, covariance in sources:
        draw(clean, [column], [MIDDLE], snr * rms, covariance)
    if crowd:
        draw(clean, *np.transpose(crowd), 20 * rms, BEAM)
    image = make_image([plane + clean], frequencies=(frequency,))
    bright = clean > 3 * rms
    cut = bright.copy()
    cut[:, list(cuts)] = False
    markers = label(cut)[0]
    nearest = np.where(bright & (markers == 0), np.roll(markers, 1, axis=1), markers)
    return image, list_segments(nearest.astype(np.int32)), bright


def associated(image, segments, bright, *, rms=RMS):
    planes = network_planes(image, flat_noise(image, rms))
    assert planes.zoom == 1
    return associated_segments(segments, image, planes, np.where(bright, 0.9, 0.02))


DOUBLE = ((60.0, 60.0, lobe(2.5)), (100.0, 60.0, lobe(2.5)))
TRIPLE = (*DOUBLE, (80.0, 25.0, BEAM))


def test_a_double_is_one_source():
    image, segments, bright = scene(DOUBLE)
    assert segments.n_labels == 2
    joined = associated(image, segments, bright)
    assert joined.n_labels == 1
    np.testing.assert_array_equal(joined.data > 0, segments.data > 0)


def test_core_and_lobes_are_one_source_with_three_components_and_all_the_flux():
    image, segments, bright = scene(TRIPLE, cuts=(72, 88))
    assert segments.n_labels == 3
    joined = associated(image, segments, bright)
    table, components = measure(image, joined)
    assert len(table) == 1
    assert table["N_COMPONENTS"][0] == 3
    assert components["SEGMENT"].tolist() == [1, 1, 1]
    truth = RMS * (25 + 2 * 60 * 2.5 * np.sqrt(1.3))
    assert table["int_flux"][0].to_value("Jy") == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("beams", [1.5, 2.0, 3.0])
def test_two_points_that_touch_stay_two(beams):
    left, right = 80 - beams * FWHM / 2, 80 + beams * FWHM / 2
    image, segments, bright = scene(((left, 80.0, BEAM), (right, 50.0, BEAM)), cuts=(80,))
    assert segments.n_labels == 2
    assert associated(image, segments, bright).n_labels == 2


def test_a_point_beside_lobes_that_lie_across_stays_alone():
    across = BEAM * np.diag([1.0, 6.0])
    image, segments, bright = scene(((60.0, 60.0, across), (100.0, 60.0, BEAM)))
    assert associated(image, segments, bright).n_labels == 2


def test_faint_lobes_are_too_common_to_belong_together():
    rms = RMS / 1e4
    image, segments, bright = scene(DOUBLE, rms=rms)
    assert associated(image, segments, bright, rms=rms).n_labels == 2


@pytest.mark.parametrize(("n", "joined"), [(2, True), (5, True), (24, False)])
def test_where_bright_sources_crowd_nearness_says_nothing(n, joined):
    rows, columns = (10.0, 110.0), np.linspace(8.0, 152.0, 12)
    crowd = [(column, row) for row in rows for column in columns][:n]
    image, segments, bright = scene(DOUBLE, crowd=crowd)
    assert segments.n_labels == n + 2
    assert associated(image, segments, bright).n_labels == n + (1 if joined else 2)


def test_without_a_frequency_a_bridge_joins_and_nearness_does_not():
    image, segments, bright = scene(DOUBLE, frequency=np.nan)
    assert associated(image, segments, bright).n_labels == 2
    one = (80.0, 40.0, lobe(6.0))
    image, segments, bright = scene((*DOUBLE, one), cuts=(80,), frequency=np.nan)
    assert segments.n_labels == 2
    assert associated(image, segments, bright).n_labels == 1


def test_a_gap_that_the_network_sees_parts_what_touches():
    one = (80.0, 40.0, lobe(6.0))
    image, segments, bright = scene((*DOUBLE, one), cuts=(80,), frequency=np.nan)
    bright[:, 78:83] = False
    assert associated(image, segments, bright).n_labels == 2


def test_labels_begin_at_one_and_the_order_stays():
    far = (140.0, 30.0, BEAM)
    image, segments, bright = scene(((20.0, 30.0, BEAM), *DOUBLE, far))
    joined = associated(image, segments, bright)
    assert joined.labels.tolist() == [1, 2, 3]
    first = [np.flatnonzero(joined.data == number)[0] for number in joined.labels]
    assert first == sorted(first)


def test_a_resampled_image_is_associated_alike():
    beam = BEAM * 4
    wide = [(2 * x - 80, snr, covariance * 4) for x, snr, covariance in DOUBLE]
    image, segments, _ = scene(wide)
    twice = Beam(major=2 * FWHM * SCALE, minor=2 * FWHM * SCALE, angle=0.0)
    fine = make_image(image.planes, beams=(twice,), frequencies=(1.4e9,))
    assert np.allclose(fine.beams[0].covariance(fine.pixel_scale), beam)
    planes = network_planes(fine, flat_noise(fine))
    assert planes.zoom < 1
    rows, columns = (
        np.clip(((np.arange(n) + 0.5) / planes.zoom).astype(int), 0, side - 1)
        for n, side in zip(planes.mask.shape, SHAPE, strict=True)
    )
    coarse = list_segments(segments.data[np.ix_(rows, columns)])
    assert coarse.n_labels == 2
    probability = np.where(coarse.data > 0, 0.9, 0.02)
    assert associated_segments(coarse, fine, planes, probability).n_labels == 1


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_associate(n):
    image, segments, bright = scene(DOUBLE[:n])
    assert associated(image, segments, bright).n_labels == n


def test_one_rms_is_told_where_the_source_is_though_the_grids_differ():
    plane = np.zeros((24, 44))
    plane[11, 21] = 0.06
    planes = SimpleNamespace(zoom=0.5)
    places = np.array([[10.25, 5.25], [9.25, 5.25]])  # (x, y) on the coarser grid
    unit = _unit(make_image([plane]), planes, places, np.array([12.0, 12.0]))
    assert unit[0] == pytest.approx(0.005)
    assert np.isnan(unit[1])
