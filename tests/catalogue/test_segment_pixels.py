"""What the list of the segments' pixels says of them, against the map itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from psseg.catalogue.segment_map import list_segments
from psseg.catalogue.segment_pixels import (
    at_edge,
    beside_others,
    list_pixels,
    touching_pixels,
)

MAPS = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 3)
)


def neighbours(data, row, column):
    around = data[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    return set(around.ravel().tolist()) - {0, int(data[row, column])}


@given(MAPS)
def test_pixels_that_touch_are_found_wherever_they_lie(data):
    segments = list_segments(data)
    pixels = list_pixels(segments)
    here, there = touching_pixels(segments)
    assert (segments.label[here] != segments.label[there]).all()
    assert (abs(pixels.rows[here] - pixels.rows[there]) <= 1).all()
    assert (abs(pixels.columns[here] - pixels.columns[there]) <= 1).all()
    places = zip(pixels.rows.tolist(), pixels.columns.tolist(), strict=True)
    others = [neighbours(data, *place) for place in places]
    found = [set() for _ in others]
    for one, other in zip(here.tolist(), there.tolist(), strict=True):
        found[one].add(int(segments.label[other]))
        found[other].add(int(segments.label[one]))
    assert found == others


@given(MAPS)
def test_segments_at_the_edge_or_beside_others_are_told(data):
    segments = list_segments(data)
    border = set(np.concatenate([data[0], data[-1], data[:, 0], data[:, -1]]).tolist())
    assert segments.labels[at_edge(segments)].tolist() == sorted(border - {0})
    touching = {int(data[place]) for place in np.ndindex(*data.shape)
                if data[place] and neighbours(data, *place)}  # fmt: skip
    assert segments.labels[beside_others(segments)].tolist() == sorted(touching)


def test_centroids_are_weighted_and_unknown_without_weight():
    data = np.zeros((6, 9), dtype=int)
    data[2, 1:4], data[4, 6] = 4, 9
    pixels = list_pixels(list_segments(data))
    x, y = pixels.centroids(np.array([1.0, 0.0, 3.0, 0.0]))
    assert x[0] == pytest.approx(2.5)
    assert y[0] == pytest.approx(2.0)
    assert np.isnan([x[1], y[1]]).all()
