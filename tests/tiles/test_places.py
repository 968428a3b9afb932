"""Directions and pixels: right, there and back, and at the borders of a map."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from psseg.tiles.places import lon_lat, nearest_pixels, pixel_directions, pixels_at, unit_vectors


@pytest.fixture
def sky() -> SkyCoord:
    rng = np.random.default_rng(1)
    return SkyCoord(
        rng.uniform(0, 360, 50), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 50))), unit="deg"
    )


def test_vectors_are_those_of_astropy(sky):
    vectors = unit_vectors(sky.ra.deg, sky.dec.deg)
    assert vectors.shape == (50, 3)
    np.testing.assert_allclose(vectors, sky.cartesian.xyz.value.T, rtol=0, atol=1e-15)


def test_positions_come_back(sky):
    lon, lat = lon_lat(3 * unit_vectors(sky.ra.deg, sky.dec.deg))
    np.testing.assert_allclose(lon, sky.ra.deg, rtol=0, atol=1e-12)
    np.testing.assert_allclose(lat, sky.dec.deg, rtol=0, atol=1e-12)
    assert (lon >= 0).all()


def test_shapes_are_kept():
    vectors = unit_vectors(np.zeros((2, 4)), 10.0)
    assert vectors.shape == (2, 4, 3)
    assert lon_lat(vectors)[0].shape == (2, 4)
    assert unit_vectors(10.0, 20.0).shape == (3,)


def test_no_position_has_no_direction():
    assert np.isnan(unit_vectors([np.nan], [0.0])).any()


@pytest.mark.parametrize("swapped", [False, True])
def test_pixels_in_the_frame_of_the_map(swapped):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLAT-TAN", "GLON-TAN"] if swapped else ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval = (20, 120) if swapped else (120, 20)
    wcs.wcs.crpix = [4, 3]
    wcs.wcs.cdelt = [0.1, 0.1]
    found = pixel_directions(wcs, np.array([3.0, 5.0]), np.array([2.0, 7.0]))
    wanted = wcs.pixel_to_world([3.0, 5.0], [2.0, 7.0])
    lon, lat = lon_lat(found)
    separation = SkyCoord(lon, lat, unit="deg", frame="galactic").separation(wanted)
    assert separation.max() < 1e-10 * u.deg


def test_nearest_pixels_stay_on_the_map():
    rows, columns = nearest_pixels([0.4, -3.0, 4.6, 1e300], [2.5, 1.6, -0.6, 1.0], (3, 5))
    assert rows.tolist() == [2, 2, 0, 1]
    assert columns.tolist() == [0, 0, 4, 4]
    assert rows.dtype == np.intp


def test_places_outside_are_told():
    x = [-0.51, -0.5, 4.4, 4.6, np.nan, 0.0, np.inf]
    y = [0.0, 0.0, 2.4, 0.0, 0.0, np.nan, 0.0]
    rows, columns, inside = pixels_at(x, y, (3, 5))
    assert inside.tolist() == [False, True, True, False, False, False, False]
    assert rows.tolist() == [0, 0, 2, 0, 0, 0, 0]
    assert columns.tolist() == [0, 0, 4, 0, 0, 0, 0]
