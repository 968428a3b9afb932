"""The light of measured sources is that which a simulation gives them."""

from __future__ import annotations

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from made_skies import SURVEY, make_sky, photons, power_law_shares

from psseg.catalogue.source_light import source_light

COUNTS = 200_000 * power_law_shares()[0]


def table(x, y, counts, extension=0.0):
    x = np.atleast_1d(x)
    return QTable(
        {
            "X": x,
            "Y": np.atleast_1d(y),
            "Counts_Band": np.atleast_2d(counts),
            "Extension": np.full(len(x), extension) * u.deg,
        }
    )


@pytest.fixture(scope="module")
def sky():
    return make_sky(np.random.default_rng(1), x=[], y=[], counts=[])


@pytest.mark.parametrize("radius", [0.0, 0.45])
def test_the_light_is_that_of_the_photons(sky, radius):
    drawn = photons(np.random.default_rng(2), 96, 41.3, 52.8, COUNTS, radius)
    light = source_light(sky.tile, sky.background, table(41.3, 52.8, COUNTS, radius), SURVEY)
    near = np.s_[:, 43:63, 31:52]
    np.testing.assert_allclose(
        light[near].sum(axis=(1, 2)), drawn[near].sum(axis=(1, 2)), rtol=0.03
    )
    residuals = ((drawn - light) ** 2)[near].sum(axis=(1, 2)) / light[near].sum(axis=(1, 2))
    assert residuals[2:].max() < 3


def test_bright_sources_are_followed_farther_than_faint_ones(sky):
    bright, faint = (
        source_light(sky.tile, sky.background, table(48.0, 48.0, counts), SURVEY)
        for counts in (COUNTS, COUNTS / 1000)
    )
    assert np.count_nonzero(bright) > 10 * np.count_nonzero(faint) > 0


def test_lights_add_up_in_the_bands_that_are_present(sky):
    present = np.arange(8) > 2
    tile = replace(sky.tile, bands_present=present)
    two = table([20.0, 70.0], [48.0, 48.0], [COUNTS, np.where(present, COUNTS, np.nan)])
    together = source_light(tile, sky.background, two, SURVEY)
    assert together.shape == (5, 96, 96)
    apart = [source_light(tile, sky.background, two[[row]], SURVEY) for row in (0, 1)]
    np.testing.assert_allclose(together, apart[0] + apart[1], rtol=1e-6)
    assert not source_light(tile, sky.background, two[:0], SURVEY).any()


def test_a_source_at_the_edge_keeps_its_place(sky):
    light = source_light(sky.tile, sky.background, table(0.0, 95.0, COUNTS), SURVEY)
    assert np.unravel_index(np.argmax(light[4]), light[4].shape) == (95, 0)
