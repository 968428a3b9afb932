"""A list of the segments' pixels says the same as the map it was made of."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.catalogue.segment_map import SegmentMap, list_segments


@pytest.fixture
def data():
    map_ = np.zeros((9, 14), np.int32)
    map_[1:4, 2:5], map_[3:6, 8:12], map_[8, 13] = 2, 7, 3
    return map_


def test_the_map_comes_back_whole_and_in_rows(data):
    segments = list_segments(data)
    np.testing.assert_array_equal(segments.data, data)
    np.testing.assert_array_equal(segments.rows(slice(2, 5)), data[2:5])
    np.testing.assert_array_equal(segments.image().data, data)
    assert segments.labels.tolist() == [2, 3, 7]
    assert segments.areas.tolist() == segments.image().areas.tolist() == [9, 1, 12]
    np.testing.assert_array_equal(segments.inside(), data > 0)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_thinning_takes_every_so_many_th_pixel(data, step):
    np.testing.assert_array_equal(list_segments(data).thinned(step), data[::step, ::step])


def test_only_the_segments_asked_for_are_kept(data):
    kept = list_segments(data).kept(np.array([7, 3]))
    np.testing.assert_array_equal(kept.data, np.where(data == 2, 0, data))
    assert not list_segments(data).kept(np.zeros(0, int)).data.any()


def test_regions_join_to_the_whole(data):
    left, right = list_segments(data[:, :7]), list_segments(data[:, 7:])
    joined = SegmentMap.joined(data.shape, [(left, (0, 0), 0), (right, (0, 7), 10)])
    expected = np.where(data > 2, data + 10, data)
    np.testing.assert_array_equal(joined.data, expected)
    assert (np.diff(joined.index) > 0).all()


def test_a_pixel_that_two_regions_claim_has_one_label(data):
    one = list_segments(data)
    joined = SegmentMap.joined(data.shape, [(one, (0, 0), 0), (one, (0, 0), 10)])
    np.testing.assert_array_equal(joined.data, np.where(data > 0, data + 10, 0))


def test_an_image_without_segments_is_empty():
    nothing = list_segments(np.zeros((3, 4), int))
    assert nothing.n_labels == nothing.max_label == 0
    assert nothing.areas.size == 0
    assert not SegmentMap.joined((3, 4), [(nothing, (0, 0), 0)]).data.any()


def test_pixels_are_counted_beyond_two_thousand_million():
    part = list_segments(np.ones((1, 2), int))
    joined = SegmentMap.joined((60_000, 60_000), [(part, (50_000, 7), 0)])
    assert joined.index.tolist() == [50_000 * 60_000 + 7, 50_000 * 60_000 + 8]
