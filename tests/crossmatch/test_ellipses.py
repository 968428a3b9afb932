"""Error ellipses: conversions between what catalogues give and covariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.crossmatch.ellipses import (
    ellipses_of_axes,
    ellipses_of_errors,
    ellipses_of_radius,
    sigmas_of,
)
from psseg.errors import PssegError


@pytest.mark.parametrize("confidence", [0.68, 0.95])
def test_a_radius_holds_its_share_of_gaussian_positions(confidence):
    rng = np.random.default_rng(1)
    sigma = ellipses_of_radius([2.0], confidence=confidence).major[0]
    offsets = np.hypot(*rng.normal(scale=sigma, size=(2, 100_000)))
    assert np.mean(offsets < 2.0) == pytest.approx(confidence, abs=0.005)


def test_r95_is_larger_than_r68_by_the_factor_of_4fgl():
    assert sigmas_of(0.95) / sigmas_of(0.68) == pytest.approx(1.62, abs=0.005)


def test_the_share_of_positions_must_be_one():
    with pytest.raises(PssegError, match="between 0 and 1"):
        sigmas_of(95.0)


def test_errors_in_two_axes_become_an_ellipse():
    ellipses = ellipses_of_errors([3.0, 1.0], [1.0, 3.0])
    np.testing.assert_allclose(ellipses.major, [3, 3])
    np.testing.assert_allclose(ellipses.minor, [1, 1])
    np.testing.assert_allclose(ellipses.angle, [90, 0], atol=1e-9)


@given(st.floats(0.1, 5), st.floats(0.1, 5), st.floats(-0.99, 0.99))
def test_covariances_survive_the_way_through_an_ellipse(e_ra, e_dec, correlation):
    north, mixed, east = ellipses_of_errors([e_ra], [e_dec], correlation).along(np.zeros(1))
    np.testing.assert_allclose(north, e_dec**2, rtol=1e-9)
    np.testing.assert_allclose(east, e_ra**2, rtol=1e-9)
    np.testing.assert_allclose(mixed, correlation * e_ra * e_dec, atol=1e-9)


@given(st.floats(0, 360))
def test_a_circle_is_the_same_in_every_direction(direction):
    along, mixed, across = ellipses_of_radius([0.5]).along(np.array([direction]))
    np.testing.assert_allclose([along[0], mixed[0], across[0]], [0.25, 0, 0.25], atol=1e-12)


def test_an_ellipse_without_an_angle_becomes_the_larger_circle():
    ellipses = ellipses_of_axes([2.0, np.nan], [1.0, np.nan], [np.nan, np.nan])
    assert (ellipses.major[0], ellipses.minor[0]) == (2, 2)
    np.testing.assert_array_equal(ellipses.known, [True, False])


def test_systematic_errors_are_added_in_quadrature():
    assert ellipses_of_radius([3.0]).widened(4.0).minor[0] == pytest.approx(5)
