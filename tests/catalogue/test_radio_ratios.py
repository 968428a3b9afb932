"""Spectral index and circular polarisation follow from the fluxes of all planes."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from made_images import make_image

from psseg.catalogue.radio_ratios import INDEX_SPREAD, add_ratios
from psseg.tiles.network_planes import TYPICAL_INDEX

STOKES = {1: ("I",), 2: ("I", "V"), 3: ("I", "I", "V")}


def ratios(flux, error, frequencies, **options):
    """Ratios of sources whose fluxes in the planes there are (n, planes), and errors, are these."""
    flux, error = np.atleast_2d(flux), np.broadcast_to(error, np.atleast_2d(flux).shape)
    stokes = STOKES[flux.shape[1]]
    places = [2 if name == "V" else number for number, name in enumerate(stokes)]
    values, errors = np.full((2, len(flux), 3), np.nan)
    values[:, places], errors[:, places] = flux, error
    table = QTable({"plane_flux": values * u.Jy, "e_plane_flux": errors * u.Jy})
    image = make_image(np.zeros((len(stokes), 9, 9)), stokes=stokes, frequencies=frequencies)
    add_ratios(table, image, **options)
    return table


def test_v_is_divided_by_stokes_i_at_its_own_frequency():
    alpha, v_over_i, frequencies = -1.6, 0.2, np.array([0.9e9, 1.8e9, 1.4e9])
    flux = (frequencies / 0.9e9) ** alpha * [1, 1, v_over_i]
    found = ratios(flux, 1e-3, tuple(frequencies))
    assert found["alpha"][0] == pytest.approx(alpha)
    assert found["v_over_i"][0] == pytest.approx(v_over_i)


@pytest.mark.parametrize("frequency", [0.5e9, 1.3e9, 2.5e9])
def test_its_error_is_that_of_all_three_fluxes(frequency):
    frequencies = np.array([0.9e9, 1.8e9, frequency])
    flux = (frequencies / 0.9e9) ** -0.8 * [1, 1, 0.3]
    error = np.array([0.02, 0.03, 0.01]) * flux[:2].max()
    rng = np.random.default_rng(1)
    seen = ratios(flux + error * rng.standard_normal((40_000, 3)), error, tuple(frequencies))
    told = ratios(flux, error, tuple(frequencies))
    assert np.std(seen["v_over_i"]) == pytest.approx(told["e_v_over_i"][0], rel=0.03)


def test_at_the_frequency_of_the_first_plane_nothing_is_carried():
    found = ratios([0.7, 0.3, 0.1], [0.01, 0.02, 0.03], (0.9e9, 1.8e9, 0.9e9))
    assert found["v_over_i"][0] == 0.1 / 0.7
    assert found["e_v_over_i"][0] == np.hypot(0.03 / 0.7, 0.1 / 0.7 * (0.01 / 0.7))


def test_without_a_measured_index_a_typical_one_is_taken():
    found = ratios([1.0, 0.01, 0.1], [1e-3, 0.1, 1e-6], (1e9, 2e9, 2e9))
    assert np.isnan(found["alpha"][0])
    assert found["v_over_i"][0] == pytest.approx(0.1 * 2**-TYPICAL_INDEX)
    relative = found["e_v_over_i"][0] / found["v_over_i"][0]
    assert relative == pytest.approx(INDEX_SPREAD * np.log(2), rel=1e-3)


def test_with_one_stokes_i_v_is_divided_by_that():
    assert ratios([1.0, 0.1], 1e-3, (1e9, 2e9))["v_over_i"][0] == pytest.approx(0.1)


@pytest.mark.parametrize("second", [1.0005e9, np.nan])
def test_frequencies_that_are_one_or_unknown_give_no_index(second):
    found = ratios([1.0, 1.0, 0.1], 1e-3, (1e9, second, 1e9))
    assert np.isnan(found["alpha"][0])
    assert np.isnan(found["e_alpha"][0])
    assert found["v_over_i"][0] == 0.1


def test_leakage_widens_the_error_of_circular_polarisation():
    without, leaking = (
        ratios([1.0, 0.02], 1e-3, (1e9, 1e9), leakage=leakage) for leakage in (0.0, 0.01)
    )
    expected = np.hypot(without["e_v_over_i"][0], 0.01)
    assert leaking["e_v_over_i"][0] == pytest.approx(expected)
    assert leaking["v_over_i"][0] == without["v_over_i"][0]
    assert np.isnan(ratios([1.0], 1e-3, (1e9,), leakage=0.01)["e_v_over_i"][0])
