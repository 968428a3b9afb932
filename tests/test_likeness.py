"""Residuals of the expected background tell a map that is unlike the training skies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from truth_teller import truthful_labels

from psseg.likeness import background_residuals, is_unlike
from psseg.sky.simulation import simulate_tile

HARD = slice(3, None)  # above 2 GeV little light of sources is left a degree from them


@pytest.fixture(scope="module")
def sky(lat):
    """Give 12°×12° of sky as it is far from the plane."""
    center = SkyCoord(120.0, 60.0, unit="deg", frame="galactic")
    rng = np.random.default_rng(5)
    return simulate_tile(lat, rng=rng, shape=(120, 120), center=center, years=14.0)


def test_poisson_noise_on_the_right_background_gives_one(sky):
    residuals = background_residuals(sky.tile, truthful_labels(sky))[HARD]
    known = residuals[np.isfinite(residuals)]
    assert len(known) >= 3
    assert np.all((known > 0.8) & (known < 1.2))  # a band of 100 counts scatters by 0.1


def test_a_wrong_background_gives_more(sky):
    labels = truthful_labels(sky)
    right = background_residuals(sky.tile, labels)
    labels.background = labels.background * 0.5
    wrong = background_residuals(sky.tile, labels)
    assert np.all(wrong[: HARD.start] > 1.3 * right[: HARD.start])


def test_absent_bands_and_masked_pixels_say_nothing(sky):
    labels = truthful_labels(sky)
    present = np.arange(sky.tile.n_bands) > 2
    mask = np.zeros(sky.tile.shape, bool)
    mask[:40] = True
    data = np.where(mask, 1e6, sky.tile.data)
    labels.class_probabilities[:, mask] = np.nan
    tile = replace(sky.tile, data=data, bands_present=present, mask=mask)
    residuals = background_residuals(tile, labels)
    assert np.isnan(residuals[:3]).all()
    assert np.nanmax(residuals[HARD]) < 1.3


@pytest.mark.parametrize(
    ("limits", "unlike"), [((), False), ((2.0, 2.0, 2.0), False), ((2.0, 2.0, 1.2), True)]
)
def test_one_band_beyond_its_limit_is_enough(limits, unlike):
    assert is_unlike(np.array([1.0, np.nan, 1.4]), limits) is unlike
