"""Sources that are faint beside the emission in the core of the PSF of their best band."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from made_skies import SURVEY, make_sky

from psseg.catalogue.flags import CORE_AREA, FAINT_RATIO, Flag, source_flags
from psseg.catalogue.segment_map import list_segments

LEVEL = np.array([90.0, 60.0, 30.0, 15.0, 9.0, 4.0, 2.0, 1.0])
CORES = np.array([psf.containment_radius(0.68) for psf in SURVEY.instrument.psf])
AREA = np.minimum(np.pi * CORES**2, CORE_AREA) / 0.1**2  # pixels
LEAST = FAINT_RATIO * LEVEL * AREA / 0.68
"""Counts of a source whose 68 % in the core are a tenth of the background there."""


def is_faint(band, counts, present):
    """Tell whether a source, best seen in this band, is flagged for the background under it."""
    tile = make_sky(
        np.random.default_rng(1), x=[], y=[], counts=[], n=41, bands_present=present
    ).tile
    number = np.flatnonzero(present).tolist().index(band)
    seen = np.zeros((1, present.sum()))
    seen[0, number] = counts
    measured = SimpleNamespace(
        x=np.array([20.0]),
        y=np.array([20.0]),
        extension=np.zeros(1),
        failed=np.zeros(1, bool),
        band_ts=seen,
        counts=seen,
    )
    segment = np.zeros(tile.shape, dtype=int)
    segment[20, 20] = 1
    background = np.broadcast_to(LEVEL[:, None, None], tile.data.shape)
    (flags,) = source_flags(
        tile, background, list_segments(segment), SURVEY, measured, unlike_training=False
    )
    return bool(flags & Flag.ON_DIFFUSE)


@pytest.mark.parametrize("first", [0, 3, 5])
@pytest.mark.parametrize("band", [5, 6, 7])
def test_the_background_is_that_in_the_core_of_the_best_band(band, first):
    present = np.arange(8) >= first
    assert is_faint(band, 0.95 * LEAST[band], present)
    assert not is_faint(band, 1.05 * LEAST[band], present)


def test_the_background_is_counted_over_a_degree_at_most():
    assert np.pi * CORES[0] ** 2 > CORE_AREA
    everything = np.ones(8, bool)
    assert is_faint(0, 0.95 * LEAST[0], everything)
    assert not is_faint(0, 1.05 * LEAST[0], everything)
