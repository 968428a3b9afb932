"""Errors of radio sources are scaled, with a floor that bright sources feel."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from psseg.catalogue.radio_errors import calibrate_errors
from psseg.tiles.beam import Beam

BEAM = Beam(major=0.004, minor=0.001, angle=0.0)


@pytest.fixture
def table():
    """A faint and a bright source."""
    return QTable(
        {
            "e_ra": [1e-4, 1e-7] * u.deg,
            "e_dec": [2e-4, 1e-7] * u.deg,
            "peak_flux": [1.0, 100.0] * u.Jy / u.beam,
            "e_peak_flux": [0.1, 0.1] * u.Jy / u.beam,
            "int_flux": [2.0, 200.0] * u.Jy,
            "e_int_flux": [0.2, 0.2] * u.Jy,
            "dc_maj": [0.0, 1e-3] * u.deg,
        }
    )


def test_errors_are_scaled_and_floored(table):
    scales = {"position_scale": 1.5, "flux_scale": 2.0}
    calibrate_errors(table, BEAM, position_floor=0.01, flux_floor=0.02, **scales)
    floor = 0.01 * 0.002
    np.testing.assert_allclose(table["e_ra"].to_value("deg"), np.hypot([1.5e-4, 1.5e-7], floor))
    np.testing.assert_allclose(table["e_dec"].to_value("deg"), np.hypot([3e-4, 1.5e-7], floor))
    np.testing.assert_allclose(table["e_peak_flux"].value, np.hypot(0.2, [0.02, 2.0]))
    np.testing.assert_allclose(table["e_int_flux"].value, np.hypot(0.4, [0.04, 4.0]))


def test_fluxes_of_what_is_larger_than_the_beam_have_another_floor(table):
    calibrate_errors(
        table,
        BEAM,
        position_scale=1.0,
        position_floor=0.0,
        flux_scale=1.0,
        flux_floor=0.03,
        resolved_flux_floor=0.04,
    )
    np.testing.assert_allclose(table["e_int_flux"].value, np.hypot(0.2, [0.06, 10.0]))


def test_an_uncalibrated_model_leaves_the_errors(table):
    before = table.copy()
    calibrate_errors(
        table, BEAM, position_scale=1.0, position_floor=0.0, flux_scale=1.0, flux_floor=0.0
    )
    for name in table.colnames:
        np.testing.assert_allclose(table[name].value, before[name].value)
