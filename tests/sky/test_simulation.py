"""Simulated tiles: what was asked for, reproducible, and consistent with their own truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy.stats import kstest

from psseg.errors import PssegError
from psseg.sky.diffuse import DiffuseTemplates
from psseg.sky.simulation import add_noise, simulate_tile
from psseg.survey.classes import IGNORED, SourceClass
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
N = SURVEY.n_bands
PLACE = SkyCoord(40.0, 25.0, unit="deg", frame="galactic")


def simulate(seed=1, **options):
    options = {"shape": (48, 64), "center": PLACE, "years": 10.0} | options
    return simulate_tile(SURVEY, rng=np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def simulated():
    return simulate(mix="balanced", shape=(96, 112))


# --- what was asked for ----------------------------------------------------------------------


def test_shapes_and_types(simulated):
    tile = simulated.tile
    assert tile.data.shape == simulated.expected.shape == simulated.background.shape == (N, 96, 112)
    assert simulated.class_map.shape == (96, 112)
    assert simulated.class_map.dtype == np.uint8
    assert tile.exposure.shape == (N, 96, 112)
    assert not tile.mask.any()
    assert tile.bands_present.all()
    assert tile.pixel_scale == pytest.approx(0.1)


def test_the_tile_is_where_it_was_asked_for(simulated):
    middle = simulated.tile.pixel_to_sky(55.5, 47.5)
    assert middle.separation(PLACE).deg < 1e-6


@pytest.mark.parametrize("frame", ["icrs", "fk5"])
def test_the_centre_may_be_in_any_frame(frame):
    middle = simulate(center=PLACE.transform_to(frame)).tile.pixel_to_sky(31.5, 23.5)
    assert middle.separation(PLACE).deg < 1e-6


def test_tiles_are_put_anywhere():
    rng = np.random.default_rng(2)
    tiles = [simulate_tile(SURVEY, rng=rng, shape=(16, 16)) for _ in range(40)]
    glat = np.array([tile.tile.pixel_to_sky(7.5, 7.5).galactic.b.deg for tile in tiles])
    assert kstest(np.sin(np.radians(glat)), "uniform", (-1, 2)).pvalue > 1e-3


def test_half_of_the_training_tiles_are_near_the_plane():
    rng = np.random.default_rng(3)
    tiles = [simulate_tile(SURVEY, rng=rng, shape=(16, 16), mix="balanced") for _ in range(40)]
    near = [abs(tile.tile.pixel_to_sky(7.5, 7.5).galactic.b.deg) < 20 for tile in tiles]
    # half of them on purpose, and a third of the others: two thirds
    assert 18 <= sum(near) <= 35


def test_exposure_is_that_of_the_years(simulated):
    expected = SURVEY.instrument.band_exposure(10.0)
    relative = simulated.tile.exposure / expected[:, None, None]
    low, high = SURVEY.instrument.variation
    assert np.all((relative > low * 0.97) & (relative < high * 1.03))
    assert np.ptp(relative.mean(axis=(1, 2))) < 1e-3
    assert 0 < np.ptp(relative[0]) < 0.15


def test_exposure_is_that_of_the_years_on_average():
    rng = np.random.default_rng(4)
    tiles = [
        simulate_tile(SURVEY, rng=rng, shape=(8, 8), center=PLACE, years=10.0) for _ in range(150)
    ]
    level = np.array([t.tile.exposure[0].mean() for t in tiles])
    level /= SURVEY.instrument.band_exposure(10.0)[0]
    assert level.mean() == pytest.approx(1, abs=0.04)
    assert level.std() == pytest.approx(0.13, abs=0.03)  # 3FHL's exposure cube: 0.132


def test_the_exposure_changes_over_a_tile_as_on_the_sky():
    rng = np.random.default_rng(8)
    steepest = []
    for _ in range(300):
        tile = simulate_tile(SURVEY, rng=rng, shape=(8, 8), center=PLACE, years=10.0).tile
        slopes = np.gradient(np.log(tile.exposure[0].astype(float)), SURVEY.pixel_scale)
        steepest.append(np.hypot(*slopes).mean())
    # 3FHL's exposure cube at 10 GeV, relative change per degree
    assert np.median(steepest) == pytest.approx(0.0043, abs=0.001)
    assert np.quantile(steepest, 0.95) == pytest.approx(0.0102, abs=0.002)


def test_years_are_drawn_from_the_surveys_range():
    rng = np.random.default_rng(4)
    tiles = [simulate_tile(SURVEY, rng=rng, shape=(16, 16), center=PLACE) for _ in range(20)]
    level = np.array([t.tile.exposure[0].mean() for t in tiles])
    level /= SURVEY.instrument.band_exposure(1.0)[0]
    assert level.min() > 0.8
    assert level.max() < 20 * 1.4
    assert level.max() / level.min() > 4


def test_an_unknown_mix_is_refused():
    with pytest.raises(PssegError, match="mix is 'wild', want one of physical, balanced"):
        simulate(mix="wild")


@pytest.mark.parametrize("bands", [np.ones(3, bool), [True] * 9])
def test_bands_must_be_those_of_the_survey(bands):
    with pytest.raises(PssegError, match="bands_present must be 8 values, one per band"):
        simulate(bands_present=bands)


def test_no_exposure_is_refused():
    with pytest.raises(PssegError, match="years must be a number above 0"):
        simulate(years=0.0)


# --- reproducible ----------------------------------------------------------------------------


@pytest.mark.parametrize("mix", ["physical", "balanced"])
def test_the_seed_decides(mix):
    one, again, other = (simulate(seed, mix=mix) for seed in (5, 5, 6))
    assert np.array_equal(one.tile.data, again.tile.data)
    assert np.array_equal(one.class_map, again.class_map)
    assert np.array_equal(one.truth["FLUX1000"], again.truth["FLUX1000"])
    assert not np.array_equal(one.tile.data, other.tile.data)


# --- consistent ------------------------------------------------------------------------------


def test_sources_only_add_light(simulated):
    assert np.all(simulated.background > 0)
    assert np.all(simulated.expected >= simulated.background)


def test_counts_scatter_about_their_expectation_as_poisson_does(simulated):
    counts, expected = simulated.tile.data, simulated.expected
    chi2 = ((counts - expected) ** 2 / expected)[expected > 1]
    assert chi2.mean() == pytest.approx(1, abs=5 * np.sqrt(2 / chi2.size))
    total = float(expected.sum(dtype=float))
    assert counts.sum(dtype=float) == pytest.approx(total, abs=5 * total**0.5)


def test_noise_is_integer_counts():
    counts = add_noise(np.full((10, 10), 3.5), np.random.default_rng(7))
    assert counts.dtype == np.float32
    assert np.array_equal(counts, np.rint(counts))
    assert add_noise(np.zeros((4, 4)), np.random.default_rng(7)).sum() == 0


def test_bands_that_are_not_there_hold_nothing_and_help_nobody():
    present = np.arange(N) >= 5
    hard, whole = simulate(bands_present=present), simulate()
    assert not hard.tile.data[~present].any()
    assert hard.tile.data[present].any()
    assert np.array_equal(hard.tile.bands_present, present)
    assert np.array_equal(hard.expected, whole.expected)  # expected counts know nothing of it
    assert len(hard.truth) < len(whole.truth)
    assert (hard.class_map != 0).sum() < (whole.class_map != 0).sum()


def test_truth_lies_on_the_tile_brightest_first(simulated):
    truth = simulated.truth
    assert len(truth) > 10
    assert np.all((truth["X"] > -0.5) & (truth["X"] < 111.5))
    assert np.all((truth["Y"] > -0.5) & (truth["Y"] < 95.5))
    assert np.all(np.diff(truth["FLUX1000"].value) <= 0)
    bright = truth["FLUX1000"].value > 2e-10
    assert truth["TS"][~bright].min() >= 2
    assert list(truth["Source_Name"][:2]) == ["SIM 0001", "SIM 0002"]


def test_truth_has_one_place_in_three_coordinates(simulated):
    truth = simulated.truth
    at_pixel = simulated.tile.pixel_to_sky(truth["X"], truth["Y"])
    galactic = SkyCoord(truth["GLON"], truth["GLAT"], frame="galactic")
    icrs = SkyCoord(truth["RAJ2000"], truth["DEJ2000"], frame="icrs")
    assert at_pixel.separation(galactic).arcsec.max() < 1e-3
    assert galactic.separation(icrs).arcsec.max() < 1e-3
    assert np.all((truth["RAJ2000"].value >= 0) & (truth["RAJ2000"].value < 360))


def test_truth_counts_are_flux_times_exposure(simulated):
    exposure = simulated.tile.exposure.mean(axis=(1, 2))
    expected = (simulated.truth["Flux_Band"].value * exposure).sum(axis=1)
    assert simulated.truth["Npred"] == pytest.approx(expected, rel=0.05)


def test_the_class_map_shows_the_truth(simulated):
    labels, shown = SURVEY.labels, 0
    for row in simulated.truth:
        x, y = round(row["X"]), round(row["Y"])
        value = simulated.class_map[y, x]
        if row["TS"] >= labels.detectable_ts:
            assert value != SourceClass.BACKGROUND
            shown += value == SourceClass[row["CLASS"].upper()]
        elif row["TS"] >= labels.invisible_ts:
            assert value != SourceClass.BACKGROUND
    detectable = (simulated.truth["TS"] >= labels.detectable_ts).sum()
    assert shown > 0.8 * detectable  # the others lie on brighter ones
    assert set(np.unique(simulated.class_map)) <= {0, 1, 2, 3, IGNORED}


def test_labelled_pixels_are_near_sources(simulated):
    y, x = np.nonzero(simulated.class_map)
    truth = simulated.truth[simulated.truth["TS"] >= SURVEY.labels.invisible_ts]
    reach = np.maximum(truth["Extension"].value, SURVEY.labels.radius) / SURVEY.pixel_scale
    distance = np.hypot(x[:, None] - truth["X"], y[:, None] - truth["Y"])
    inside = (distance <= reach).any(axis=1)
    border = (x < 26) | (y < 26) | (x > 85) | (y > 69)  # of sources beyond it
    assert np.all(inside | border)


def test_diffuse_emission_may_be_given():
    intensity = np.full((N, 90, 180), 1e-6)
    model = DiffuseTemplates(intensity=intensity, step=(2.0, 2.0))
    without = simulate(diffuse=replace(model, intensity=intensity * 0))
    given = simulate(diffuse=model)
    exposure = given.tile.exposure
    galactic = (given.background - without.background) / exposure
    # 1e-6 per sr in pixels of (0.1 deg)^2, a little less away from the tangent point
    assert galactic == pytest.approx(1e-6 * np.radians(0.1) ** 2, rel=0.01)


def test_bright_sources_that_nobody_sees_are_in_the_truth():
    ridge = SkyCoord(5.0, 0.0, unit="deg", frame="galactic")
    truth = simulate(7, center=ridge, years=1.0, shape=(128, 128)).truth
    unseen = truth[truth["TS"] < 2]
    assert len(unseen) > 5
    assert unseen["FLUX1000"].value.min() > 2e-10
