"""Columns of position errors: correlations, confidences and angles are taken at their word."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from psseg.crossmatch.columns import ColumnChoice
from psseg.crossmatch.reference import make_sky_table
from psseg.errors import PssegWarning

PLACES = {"RA": [10.0, 200.5] * u.deg, "DEC": [-5.0, 60.25] * u.deg}
SIGMAS_95, SIGMAS_90, SIGMAS_68 = 2.4477, 2.1460, 1.5096  # of a round Gaussian
ARCSEC = 1 / 3600


def ellipses(columns, **choice):
    table = Table({**PLACES, **columns})
    choice = ColumnChoice(**choice)
    return make_sky_table(table, label="mine", origin="mine.fits", choice=choice).ellipses


def test_correlated_errors_are_a_slanting_ellipse():
    ones = [1.0, 1.0] * u.arcsec
    found = ellipses({"e_RA": ones, "e_DEC": ones, "RADECcorr": [0.6, -0.6]})
    np.testing.assert_allclose(found.major / ARCSEC, np.sqrt(1.6))
    np.testing.assert_allclose(found.minor / ARCSEC, np.sqrt(0.4))
    np.testing.assert_allclose(found.angle, [45, 135])


@pytest.mark.parametrize(("unit", "angle"), [(u.rad, np.pi / 6), (u.deg, 30.0), (u.arcmin, 1800.0)])
def test_three_columns_are_an_ellipse_of_the_confidence_that_was_said(unit, angle):
    columns = {"a": [2.0, 4.0] * u.arcsec, "b": [1.0, 3.0] * u.arcsec, "pa": [angle] * 2 * unit}
    found = ellipses(columns, error="a,b,pa", confidence=0.95)
    np.testing.assert_allclose(found.major / ARCSEC, [2 / SIGMAS_95, 4 / SIGMAS_95], rtol=1e-4)
    np.testing.assert_allclose(found.minor / ARCSEC, [1 / SIGMAS_95, 3 / SIGMAS_95], rtol=1e-4)
    np.testing.assert_allclose(found.angle, 30)


def test_three_columns_without_a_confidence_are_standard_deviations():
    columns = {"a": [2.0, 4.0] * u.arcsec, "b": [1.0, 3.0] * u.arcsec, "pa": [0.0, 90] * u.deg}
    found = ellipses(columns, error="a,b,pa")
    np.testing.assert_allclose(found.major / ARCSEC, [2, 4])
    np.testing.assert_allclose(found.angle, [0, 90])


@pytest.mark.parametrize(
    ("name", "sigmas"),
    [("r95", SIGMAS_95), ("r90", SIGMAS_90), ("r68", SIGMAS_68), ("pos_err", 1.0)],
)
def test_the_name_of_a_radius_tells_its_confidence(name, sigmas):
    found = ellipses({name: [3.0, 6.0] * u.arcsec})
    np.testing.assert_allclose(found.major / ARCSEC, [3 / sigmas, 6 / sigmas], rtol=1e-4)
    np.testing.assert_array_equal(found.minor, found.major)


@pytest.mark.parametrize(
    ("names", "sigmas"),
    [
        (("Conf_95_SemiMajor", "Conf_95_SemiMinor", "Conf_95_PosAng"), SIGMAS_95),
        (("Conf_68_SemiMajor", "Conf_68_SemiMinor", "Conf_68_PosAng"), SIGMAS_68),
        (("errMaj", "errMin", "errPA"), 1.0),
    ],
)
def test_the_names_of_axes_tell_their_confidence(names, sigmas):
    major, minor, angle = names
    found = ellipses(
        {major: [4.0, 2.0] * u.arcsec, minor: [1.0, 1.0] * u.arcsec, angle: [0.5, 1.0] * u.rad}
    )
    np.testing.assert_allclose(found.major / ARCSEC, [4 / sigmas, 2 / sigmas], rtol=1e-4)
    np.testing.assert_allclose(found.minor / ARCSEC, 1 / sigmas, rtol=1e-4)
    np.testing.assert_allclose(found.angle, np.rad2deg([0.5, 1.0]))


def test_an_error_for_those_without_leaves_the_other_ellipses_alone():
    columns = {"e_RA": [3.0, np.nan] * u.arcsec, "e_DEC": [1.0, np.nan] * u.arcsec}
    found = ellipses(columns, missing="5")
    np.testing.assert_allclose(found.major / ARCSEC, [3, 5])
    np.testing.assert_allclose(found.minor / ARCSEC, [1, 5])
    assert found.angle[0] == pytest.approx(90)


def test_without_any_error_an_arcsecond_is_taken_and_said():
    with pytest.warns(PssegWarning, match="1 arcsec is taken"):
        found = ellipses({})
    np.testing.assert_allclose(found.major / ARCSEC, 1)
