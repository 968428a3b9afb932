"""Calibrated errors of gamma-ray sources: factor and floor, by latitude."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from psseg.catalogue.counts_errors import calibrate_counts_errors
from psseg.catalogue.positions import RADIUS_68, RADIUS_95

ELLIPSES = {68: RADIUS_68, 95: RADIUS_95}


def measured(glat):
    table = QTable({"GLAT": glat * u.deg})
    for percent, radius in ELLIPSES.items():
        for axis, sigma in (("SemiMajor", 0.03), ("SemiMinor", 0.02)):
            table[f"Conf_{percent}_{axis}"] = np.full(len(glat), radius * sigma) * u.deg
    table["FLUX1000"] = np.full(len(glat), 1e-9) / (u.cm**2 * u.s)
    table["Unc_Flux1000"] = np.full(len(glat), 1e-10) / (u.cm**2 * u.s)
    return table


def test_positions_and_fluxes_are_scaled_and_have_a_floor():
    table = measured(np.array([30.0]))
    calibrate_counts_errors(table, (2.0, 0.05, 1.5, 0.1))
    for percent, radius in ELLIPSES.items():
        for axis, sigma in (("SemiMajor", 0.03), ("SemiMinor", 0.02)):
            error = table[f"Conf_{percent}_{axis}"].to_value("deg")
            assert error == pytest.approx(radius * np.hypot(2 * sigma, 0.05))
    assert table["Unc_Flux1000"].to_value("cm-2 s-1") == pytest.approx(np.hypot(1.5e-10, 1e-10))


def test_sources_near_the_plane_have_errors_of_their_own():
    table = measured(np.array([-3.0, -30.0]))
    before = table.copy()
    calibrate_counts_errors(
        table, (1.0, 0.0, 1.0, 0.0), low_latitude_errors=(1.2, 0.0, 1.7, 0.0), latitude_split=20
    )
    for name, factor in (("Conf_95_SemiMajor", 1.2), ("Unc_Flux1000", 1.7)):
        assert (table[name] / before[name]).value == pytest.approx([factor, 1])


def test_without_errors_of_their_own_all_are_alike():
    table = measured(np.array([-3.0, -30.0]))
    calibrate_counts_errors(table, (1.3, 0.0, 1.0, 0.0), latitude_split=20)
    assert len(set(table["Conf_68_SemiMajor"].value)) == 1


def test_a_flux_that_is_not_known_stays_so():
    table = measured(np.array([2.0]))
    table["FLUX1000"][:] = np.nan
    table["Unc_Flux1000"][:] = np.nan
    calibrate_counts_errors(table, (1.0, 0.0, 1.5, 0.1))
    assert np.isnan(table["Unc_Flux1000"].value).all()
