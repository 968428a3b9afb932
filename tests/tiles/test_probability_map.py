"""Class probabilities come back as they were written, from memory and from disk."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.tiles import probability_map
from psseg.tiles.probability_map import ProbabilityMap

SHAPE = (4, 30, 20)


@pytest.mark.parametrize("limit", [0, 1e9], ids=["on disk", "in memory"])
def test_parts_that_are_written_come_back_as_rows(monkeypatch, limit):
    monkeypatch.setattr(probability_map, "IN_MEMORY", limit)
    values = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    values[:, 3, 4] = np.nan
    made = ProbabilityMap(SHAPE)
    for rows in (slice(0, 16), slice(16, 30)):
        for columns in (slice(0, 7), slice(7, 20)):
            made.write((rows, columns), values[:, rows, columns])
    np.testing.assert_array_equal(made.rows(slice(0, 30)), values)
    np.testing.assert_array_equal(made.rows(slice(12, 18)), values[:, 12:18])


def test_a_map_written_at_once_comes_back():
    values = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    made = ProbabilityMap(SHAPE)
    made.write((slice(0, 30), slice(0, 20)), values)
    np.testing.assert_array_equal(made.rows(slice(29, 30)), values[:, 29:])
