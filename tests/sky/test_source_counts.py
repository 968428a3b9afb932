"""Source counts against the published ones, and the priors that follow from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.sky.source_counts import (
    class_densities,
    confusion_noise,
    cumulative_counts,
    differential_counts,
    euclidean_counts,
    latitude_factor,
    log_uniform,
)
from psseg.survey.survey import load_survey

SURVEY = load_survey("radio")
POPULATIONS = {population.code: population for population in SURVEY.populations}
EXTRAGALACTIC = [population for population in SURVEY.populations if population.share]

PUBLISHED = {  # mJy: per deg2 above it, Hopkins et al. 2003 to 0.1 Jy, de Zotti et al. 2010 above
    0.1: 981, 0.25: 327, 0.5: 160, 1: 88.6, 2.5: 45.2, 5: 27.8, 10: 16.7, 25: 7.9, 50: 4.1,
    100: 2.0, 250: 0.625, 500: 0.225, 1000: 0.067, 3000: 0.0079,
}  # fmt: skip


def number_above(populations, flux):
    """Sources per deg2 above a flux, at the Galactic poles."""
    total = 0.0
    for population in populations:
        fluxes, numbers = cumulative_counts(SURVEY.counts, population)
        total += np.interp(-np.log(flux), -np.log(fluxes), numbers)
    return total


@pytest.mark.parametrize("mjy", PUBLISHED)
def test_counts_are_the_published_ones(mjy):
    assert number_above(EXTRAGALACTIC, mjy / 1e3) == pytest.approx(PUBLISHED[mjy], rel=0.1)


def test_deep_counts():
    # 1.6e4 per deg2 above 10 uJy in MeerKAT DEEP2; 2090 to 2699 above 50 uJy in the compilations
    assert number_above(EXTRAGALACTIC, 1e-5) == pytest.approx(1.6e4, rel=0.1)
    assert 2000 < number_above(EXTRAGALACTIC, 5e-5) < 2700


def test_counts_below_ten_microjansky_flatten():
    flux = np.array([1e-6, 4e-6])
    slope = np.log(np.divide(*euclidean_counts(SURVEY.counts, flux))) / np.log(0.25)
    assert slope == pytest.approx(1.0)  # n ~ S^-1.5


@pytest.mark.parametrize("flux", [1e-5, 1e-4])
def test_no_step_where_power_laws_meet(flux):
    low, high = euclidean_counts(SURVEY.counts, flux * np.array([0.999, 1.001]))
    assert low == pytest.approx(high, rel=0.01)


@pytest.mark.data
def test_counts_are_the_observed_ones(data_folder):
    path = data_folder / "radio" / "counts_de_zotti_1p4GHz.txt"
    log_flux, observed, error = np.loadtxt(path, usecols=(0, 1, 2)).T
    precise = (log_flux > -4) & (log_flux < 0.5) & (error < 0.08 * observed)
    ratio = euclidean_counts(SURVEY.counts, 10 ** log_flux[precise]) / observed[precise]
    assert precise.sum() > 40
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    assert np.mean(np.abs(ratio - 1) < 0.25) > 0.9


def share(codes, flux):
    some = sum(differential_counts(SURVEY, POPULATIONS[code], flux) for code in codes)
    return some / sum(differential_counts(SURVEY, p, flux) for p in EXTRAGALACTIC)


def test_star_forming_galaxies_rule_the_faint_sky_alone():
    # The truth of the SKA's data challenge: 0.94 at 30-100 uJy, 0.73 at 0.3-1 mJy (560 MHz)
    assert share(["sfg"], np.array([3e-5, 2.6e-4])) == pytest.approx([0.937, 0.73], abs=0.05)
    assert share(["sfg"], 1e-3) < 0.5 < share(["sfg"], 2e-4)


def test_flat_spectra_rise_with_flux():
    flat = share(["fsrq", "bll", "fcore", "gps"], np.geomspace(1e-4, 10, 30))
    assert np.all(np.diff(flat) > 0)
    assert share(["fsrq", "bll", "fcore", "gps"], 1.0) == pytest.approx(0.35, abs=0.05)


def test_pulsars_by_latitude():
    # Counted in the ATNF catalogue: per deg2 above 1 and 10 mJy at 1.4 GHz
    counted = {0: (0.093, 0.011), 10: (0.016, 0.0017), 40: (0.0032, 0.0004)}
    pulsar = POPULATIONS["psr"]
    for latitude, numbers in counted.items():
        factor = latitude_factor(pulsar, latitude)
        found = [number_above([pulsar], flux) * factor for flux in (1e-3, 1e-2)]
        assert found == pytest.approx(numbers, rel=0.15)


def test_all_pulsars_of_the_sky():
    # 543 above 1 mJy, 62 above 10 mJy in the ATNF catalogue
    sin_b = np.linspace(0, 1, 2001)
    factor = latitude_factor(POPULATIONS["psr"], np.degrees(np.arcsin(sin_b))).mean()
    found = [41253 * factor * number_above([POPULATIONS["psr"]], flux) for flux in (1e-3, 1e-2)]
    assert found == pytest.approx([543, 62], rel=0.15)


def test_galaxies_do_not_care_for_our_latitude():
    assert np.all(latitude_factor(POPULATIONS["sfg"], np.array([0.0, -30.0, 90.0])) == 1)


@pytest.mark.parametrize("population", SURVEY.populations, ids=lambda p: p.code)
def test_integral_counts_are_the_integral_of_the_differential_ones(population):
    fluxes, numbers = cumulative_counts(SURVEY.counts, population)
    at = np.array([200, 500, 800])
    step = -np.log(fluxes[at + 1] / fluxes[at - 1])
    slope = (numbers[at + 1] - numbers[at - 1]) / step
    assert slope == pytest.approx(differential_counts(SURVEY, population, fluxes[at]), rel=0.02)
    assert numbers[0] == 0


def test_confusion_noise_of_known_images():
    # MeerKAT DEEP2's 7.6" beam at 1.28 GHz: sub-uJy images are limited by it; NVSS 45": ~0.08 mJy
    assert confusion_noise(1.28e9, 7.6) == pytest.approx(1.9e-6, rel=0.1)
    assert confusion_noise(1.4e9, 45.0) == pytest.approx(8.9e-5, rel=0.1)


# --- the priors ------------------------------------------------------------------------------


def test_priors_at_the_reference_frequency_are_the_counts():
    flux = np.array([1e-4, 1e-2, 1.0])
    density = class_densities(SURVEY, flux, 1.4e9, 2.0)
    assert density.shape == (3, 3)
    pulsars = differential_counts(SURVEY, POPULATIONS["psr"], flux, galactic_latitude=2.0)
    assert density[:, 0] == pytest.approx(pulsars)
    blazars = sum(differential_counts(SURVEY, POPULATIONS[c], flux) for c in ("fsrq", "bll"))
    assert density[:, 1] == pytest.approx(blazars)


def test_pulsars_are_commoner_at_low_frequency_and_in_the_plane():
    low, reference = (
        class_densities(SURVEY, np.array([5e-3]), frequency, 2.0) for frequency in (1.5e8, 1.4e9)
    )
    assert low[0, 0] / low.sum() > 4 * reference[0, 0] / reference.sum()
    plane, pole = (class_densities(SURVEY, np.array([5e-3]), 1.4e9, b)[0] for b in (-3.0, 60.0))
    assert plane[0] == pytest.approx(pole[0] * 0.093 / 0.0032)
    assert plane[1] == pole[1]


def test_blazars_are_commoner_at_high_frequency():
    density = [class_densities(SURVEY, np.array([0.1]), f, 40.0)[0] for f in (1.4e8, 1.4e9, 5e9)]
    share = [row[1] / row.sum() for row in density]
    assert share[0] < share[1] < share[2]


def test_latitude_by_latitude():
    flux, latitude = np.array([1e-3, 1e-3]), np.array([1.0, 50.0])
    both = class_densities(SURVEY, flux, 8e8, latitude)
    one = class_densities(SURVEY, flux[:1], 8e8, 50.0)
    assert both[1] == pytest.approx(one[0])


def test_without_flux_or_frequency():
    flux = np.array([np.nan, -1.0, 1e-3])
    density = class_densities(SURVEY, flux, np.nan, 30.0)
    assert density[0] == pytest.approx(density[2])
    assert density[1] == pytest.approx(density[2])


def test_log_uniform_numbers_fill_their_range_evenly():
    drawn = log_uniform((1e-3, 10.0), np.random.default_rng(1), 4000)
    assert drawn.min() >= 1e-3
    assert drawn.max() <= 10
    assert np.allclose(np.histogram(np.log10(drawn), 4, (-3, 1))[0] / 4000, 0.25, atol=0.03)
    one = log_uniform((1e-3, 10.0), np.random.default_rng(1))
    assert isinstance(one, float)
    assert one == drawn[0]


@given(log_flux=st.floats(-9, 4), log_frequency=st.floats(7, 11), latitude=st.floats(-90, 90))
def test_no_class_is_ever_impossible(log_flux, log_frequency, latitude):
    density = class_densities(SURVEY, np.array([10**log_flux]), 10**log_frequency, latitude)
    assert np.all(np.isfinite(density) & (density > 0))
