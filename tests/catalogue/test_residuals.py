"""Second sources of a segment are found where there are any, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_skies import BACKGROUND, SURVEY, make_sky, photons, power_law_shares
from measured_skies import in_order, measure
from scipy.sparse import csc_array

from psseg.catalogue.blocks import FitSettings
from psseg.catalogue.residuals import excess_peaks, excess_significance
from psseg.catalogue.residuals import power_law_shares as shares
from psseg.catalogue.scene import Scene
from psseg.catalogue.templates import point_template

N = 64
PLANE = 8 * BACKGROUND
JACOBIAN = 0.1 * np.diag([-1.0, 1.0])
BANDS = np.stack([SURVEY.energy_edges[:-1], SURVEY.energy_edges[1:]], axis=-1)
NOWHERE = {"x": np.zeros(0), "y": np.zeros(0)}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def significance(counts, expected):
    """Map the excess of counts over what is expected."""
    scene = Scene(
        counts=counts.astype(float),
        background=expected,
        valid=np.ones((N, N), bool),
        templates=(point_template(tuple(SURVEY.instrument.psf), 0.1),),
        nodes=csc_array((N * N, 0)),
        node_prior=np.zeros((0, 0)),
        background_error=0.1,
    )
    spectra = shares(SURVEY.instrument.band_exposure(10.0), BANDS)
    return excess_significance(scene, expected, spectra, jacobian=JACOBIAN)


def test_excess_is_where_a_source_is_missing(rng):
    level = np.broadcast_to(BACKGROUND, (8, N, N)).astype(float)
    counts = rng.poisson(level) + photons(rng, N, 40.2, 21.7, 500 * power_law_shares()[0])
    excess = significance(counts, level)
    row, column = np.unravel_index(np.argmax(excess), excess.shape)
    assert np.hypot(row - 21.7, column - 40.2) < 1.5
    assert excess[22, 40] > 40
    assert significance(rng.poisson(level), level).max() < 25


@pytest.mark.parametrize("wrong", [0.95, 1.05])
def test_a_level_that_is_wrong_is_no_point_source(rng, wrong):
    level = np.broadcast_to(PLANE, (8, N, N)).astype(float)
    counts = rng.poisson(level)
    assert significance(counts, wrong * level).max() < 25


def test_peaks_are_picked_from_the_highest_within_the_territory():
    excess = np.zeros((20, 30))
    excess[[5, 5, 9, 15, 2], [5, 9, 22, 6, 28]] = [40.0, 30.0, 50.0, 60.0, 10.0]
    territory = np.zeros((20, 30), int)
    territory[15] = -1
    options = {"threshold": 20.0, "separation": 2.0, "apart": 5.0}
    assert excess_peaks(excess, territory, **NOWHERE, **options).tolist() == [[9, 22], [5, 5]]
    known = {"x": np.array([23.0]), "y": np.array([9.5])}
    assert excess_peaks(excess, territory, **known, **options).tolist() == [[5, 5]]
    assert excess_peaks(0 * excess, territory, **NOWHERE, **options).shape == (0, 2)


def test_two_sources_in_one_segment_are_found_as_two(rng):
    x, y = np.array([30.2, 33.2]), np.array([32.1, 32.1])
    sky = make_sky(rng, x=x, y=y, counts=[2500, 1500], n=N)
    segments, table = measure(sky)
    assert len(measure(sky, settings=FitSettings(second_source_ts=np.inf))[1]) == 1
    table = in_order(table, x, y)
    assert np.hypot(table["X"] - x, table["Y"] - y).max() < 0.6
    assert table["Npred"] == pytest.approx([2500, 1500], rel=0.2)
    for row in table:
        assert segments.data[round(row["Y"]), round(row["X"])] == row["SEGMENT"]
    assert sorted(table["SEGMENT"]) == segments.labels.tolist()
    assert np.all(table["SOURCE_SCORE"] > 0.9)


def test_a_point_on_an_extended_source_is_found(rng):
    sky = make_sky(rng, x=32.0, y=32.0, counts=12_000, n=N, radius=0.8)
    point = photons(rng, N, 37.0, 30.0, 2000 * power_law_shares()[0])
    sky = replace(sky, tile=replace(sky.tile, data=sky.tile.data + point))
    table = in_order(measure(sky)[1], np.array([32.0, 37.0]), np.array([32.0, 30.0]))
    assert table["Extension"].value[0] == pytest.approx(0.8, rel=0.3)
    assert table["Extension"].value[1] == 0
    assert np.hypot(table["X"] - [32.0, 37.0], table["Y"] - [32.0, 30.0]).max() < 1


@pytest.mark.parametrize(("counts", "radius"), [(1000, 0.0), (30_000, 0.0), (6000, 0.4)])
def test_one_source_stays_one(rng, counts, radius):
    sky = make_sky(rng, x=32.3, y=31.6, counts=counts, n=N, radius=radius)
    assert len(measure(sky)[1]) == 1


@pytest.mark.parametrize("wrong", [0.95, 1.05])
def test_a_background_that_is_wrong_adds_no_source(rng, wrong):
    x, y = np.array([20.3, 44.2]), np.array([24.8, 40.1])
    sky = make_sky(rng, x=x, y=y, counts=[4000, 2500], n=N, background=PLANE)
    assert len(measure(replace(sky, background=wrong * sky.background))[1]) == 2
