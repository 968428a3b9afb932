"""Ellipses lie on the sky as the errors do, whatever the map's frame, projection and turn."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from made_skies import sky_wcs

from psseg.catalogue.positions import (
    RADIUS_68,
    RADIUS_95,
    error_ellipses,
    local_jacobian,
    principal_axes,
)

X, Y = np.array([20.0, 70.0]), np.array([30.0, 55.0])
LONG_IN_X = np.broadcast_to(np.diag([4.0, 1.0]), (2, 2, 2))


@pytest.mark.parametrize("frame", ["galactic", "icrs"])
@pytest.mark.parametrize(("projection", "center"), [("TAN", (120, 40)), ("CAR", (200, 0))])
@pytest.mark.parametrize("turned", [0, 30, 90])
def test_the_major_axis_points_where_the_sky_is_long(frame, projection, center, turned):
    wcs = sky_wcs(100, frame=frame, projection=projection, center=center, turned=turned)
    ellipses = error_ellipses(LONG_IN_X, local_jacobian(wcs, X, Y))
    middle = SkyCoord.from_pixel(X, Y, wcs).icrs
    end = SkyCoord.from_pixel(X + 2, Y, wcs).icrs
    turn = ellipses.angle - middle.position_angle(end).deg
    assert (turn + 90) % 180 - 90 == pytest.approx(0, abs=0.5)
    assert ellipses.major == pytest.approx(middle.separation(end).deg, rel=0.01)
    assert ellipses.major / ellipses.minor == pytest.approx(2, rel=0.01)


def test_turning_the_map_turns_the_ellipse():
    upright = local_jacobian(sky_wcs(100, frame="icrs"), X * 0 + 49.5, Y * 0 + 49.5)
    turned = local_jacobian(sky_wcs(100, frame="icrs", turned=90), X * 0 + 49.5, Y * 0 + 49.5)
    change = error_ellipses(LONG_IN_X, turned).angle - error_ellipses(LONG_IN_X, upright).angle
    assert np.abs(change) == pytest.approx(90, abs=0.01)


@pytest.mark.parametrize("center", [(0, 0), (70, 0)])
def test_at_the_seam_of_the_sky_half_a_pixel_stands_for_a_whole(center):
    wcs = sky_wcs(60, projection="CAR", center=center)
    seam = wcs.deepcopy()
    seam.wcs.crpix = [1800.5, 30.5]
    assert not np.isfinite(SkyCoord.from_pixel(-0.6, 30.0, seam).l.deg)
    x, y = np.array([-0.4, 0.0, 0.3, 0.5]), np.array([30.0, 50.0, 10.0, 29.0])
    turned = seam.deepcopy()  # the same longitudes, with the seam half a turn away
    turned.wcs.crval, turned.wcs.crpix = [center[0] + 180, 0], [0.5, 30.5]
    assert local_jacobian(seam, x, y) == pytest.approx(local_jacobian(turned, x, y), abs=1e-5)


def test_unknown_errors_have_no_ellipse():
    covariance = np.stack([np.full((2, 2), np.nan), np.zeros((2, 2)), np.eye(2)])
    jacobian = np.broadcast_to(0.1 * np.eye(2), (3, 2, 2))
    ellipses = error_ellipses(covariance, jacobian)
    assert np.isnan(ellipses.major).tolist() == [True, True, False]
    assert np.isnan(ellipses.angle).tolist() == [True, True, False]


def test_axes_lie_where_the_covariance_is_long():
    turn = np.deg2rad(30)
    along, across = np.array([np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), -np.sin(turn)])
    covariance = 4 * np.outer(along, along) + np.outer(across, across)
    axes = principal_axes(np.stack([covariance, np.full((2, 2), np.nan)]))
    assert axes.small == pytest.approx([1, np.nan], nan_ok=True)
    assert axes.large == pytest.approx([4, np.nan], nan_ok=True)
    assert axes.angle == pytest.approx([30, np.nan], nan_ok=True)
    assert np.abs(axes.along[0] @ along) == pytest.approx(1)
    assert np.abs(axes.across[0] @ across) == pytest.approx(1)


def test_radii_are_those_of_a_gaussian():
    draws = np.hypot(*np.random.default_rng(0).normal(size=(2, 200_000)))
    assert np.mean(draws < RADIUS_68) == pytest.approx(0.68, abs=0.005)
    assert np.mean(draws < RADIUS_95) == pytest.approx(0.95, abs=0.003)
