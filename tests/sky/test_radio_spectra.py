"""Spectra of radio sources against the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.sky.radio_spectra import draw_spectra, largest_boost, typical_spectra
from psseg.survey.survey import load_survey

SURVEY = load_survey("radio")
POPULATIONS = {population.code: population for population in SURVEY.populations}
REFERENCE = SURVEY.reference_frequency


@pytest.mark.parametrize(
    ("code", "mean", "scatter"),
    [("psr", -1.65, 0.65), ("ssagn", -0.72, 0.22), ("sfg", -0.77, 0.2)],
)
def test_spectral_indices_are_the_published_ones(code, mean, scatter):
    population = POPULATIONS[code]
    index, _ = draw_spectra(population, 20000, np.random.default_rng(2))
    assert np.median(index) == pytest.approx(mean, abs=0.1 * scatter)
    assert np.std(index) == pytest.approx(scatter, rel=0.1)


def test_a_steep_cut_keeps_pulsars_and_rejects_galaxies():
    rng = np.random.default_rng(3)
    steep = {
        code: np.mean(draw_spectra(POPULATIONS[code], 20000, rng)[0] < -1.2)
        for code in ("psr", "ssagn", "sfg", "fsrq")
    }
    assert steep["psr"] == pytest.approx(0.75, abs=0.03)
    assert max(steep["ssagn"], steep["sfg"]) < 0.025
    assert steep["fsrq"] == 0


def test_blazars_are_flat_and_the_median_is_that_of_trecs():
    population = POPULATIONS["bll"]
    index, _ = draw_spectra(population, 20000, np.random.default_rng(4))
    assert np.median(index) == pytest.approx(-0.1, abs=0.05)
    assert index.min() >= -0.5


def test_peaked_sources_peak_near_a_gigahertz():
    population = POPULATIONS["gps"]
    index, curvature = draw_spectra(population, 5000, np.random.default_rng(5))
    peak = 1.4 * np.exp(-index / (2 * curvature))
    assert np.all(curvature < -0.15)
    assert np.mean((peak > 0.4) & (peak < 5)) > 0.9


@pytest.mark.parametrize("frequency", [1.2e8, 5e9])
@pytest.mark.parametrize("population", SURVEY.populations, ids=lambda p: p.code)
def test_no_boost_is_larger_than_the_largest(population, frequency):
    x = np.log(frequency / REFERENCE)
    index, curvature = draw_spectra(population, 5000, np.random.default_rng(6))
    assert np.exp((index + curvature * x) * x).max() <= largest_boost(population, x)


def test_typical_spectra_are_always_the_same_and_of_their_population():
    index, curvature = typical_spectra(POPULATIONS["psr"])
    typical_spectra.cache_clear()
    again = typical_spectra(POPULATIONS["psr"])
    assert np.array_equal(index, again[0])
    assert np.array_equal(curvature, again[1])
    assert np.mean(index) == pytest.approx(-1.65, abs=0.1)
