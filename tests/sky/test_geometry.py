"""Where tiles lie: on the sky, and with their margin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.sky.geometry import TileGeometry, random_centre, tangent_wcs

longitudes = st.floats(0, 359.99)
latitudes = st.floats(-88, 88)


def geometry(glon=30.0, glat=20.0, *, shape=(48, 64), margin=32):
    return TileGeometry(glon=glon, glat=glat, shape=shape, pixel_scale=0.1, margin=margin)


def separation(lon1, lat1, lon2, lat2):
    lon1, lat1, lon2, lat2 = np.radians([lon1, lat1, lon2, lat2])
    haversine = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    return np.degrees(2 * np.arcsin(np.sqrt(haversine)))


@given(glon=longitudes, glat=latitudes)
def test_the_middle_of_the_tile_is_its_centre(glon, glat):
    wcs = tangent_wcs(glon, glat, shape=(48, 64), pixel_scale=0.1)
    lon, lat = wcs.wcs_pix2world(31.5, 23.5, 0)
    assert separation(lon, lat, glon, glat) < 1e-9


def test_east_is_left_north_is_up_and_pixels_have_their_size():
    wcs = tangent_wcs(30.0, 0.0, shape=(49, 65), pixel_scale=0.1)
    lon, lat = wcs.wcs_pix2world([32, 33, 32], [24, 24, 25], 0)
    assert (lon[1] - lon[0], lat[1] - lat[0]) == pytest.approx((-0.1, 0), abs=1e-6)
    assert (lon[2] - lon[0], lat[2] - lat[0]) == pytest.approx((0, 0.1), abs=1e-6)


@given(glon=longitudes, glat=latitudes, x=st.floats(-0.5, 127.5), y=st.floats(-0.5, 111.5))
def test_padded_positions_to_the_sky_and_back(glon, glat, x, y):
    place = geometry(glon, glat)
    lon, lat = place.to_galactic(np.array([x]), np.array([y]))
    back_x, back_y = place.wcs.wcs_world2pix(lon, lat, 0)
    assert (back_x[0] + 32, back_y[0] + 32) == pytest.approx((x, y), abs=1e-6)


def test_the_tile_lies_inside_its_margin():
    place = geometry()
    assert place.padded_shape == (112, 128)
    padded = np.arange(112 * 128).reshape(112, 128)
    assert np.array_equal(padded[place.inner], padded[32:80, 32:96])


def test_areas_are_solid_angles():
    place = geometry(margin=0, shape=(10, 10))
    assert place.pixel_area == pytest.approx(3.046e-6, rel=1e-3)  # sr, 0.1 deg squared
    assert place.padded_area == pytest.approx((np.pi / 180) ** 2)


def test_positions_are_drawn_all_over_the_padded_tile():
    x, y = geometry().draw_padded_positions(20_000, np.random.default_rng(1))
    assert -0.5 <= x.min() < 0 < 127 < x.max() <= 127.5
    assert -0.5 <= y.min() < 0 < 111 < y.max() <= 111.5
    assert np.histogram(x, 8)[0] == pytest.approx(2500, abs=5 * np.sqrt(2500))


def test_centres_are_uniform_on_the_sphere():
    rng = np.random.default_rng(2)
    glon, glat = np.transpose([random_centre(rng) for _ in range(4000)])
    assert np.histogram(np.sin(np.radians(glat)), 8, (-1, 1))[0] == pytest.approx(500, abs=110)
    assert np.histogram(glon, 8, (0, 360))[0] == pytest.approx(500, abs=110)


@given(seed=st.integers(0, 1000), low=st.floats(-90, 80), width=st.floats(0.1, 10))
def test_centres_stay_between_their_latitudes(seed, low, width):
    _, glat = random_centre(np.random.default_rng(seed), latitude=(low, low + width))
    assert low - 1e-6 <= glat <= low + width + 1e-6


@given(glon=longitudes, glat=latitudes)
def test_nothing_on_the_tile_is_nearer_to_the_centre_of_the_galaxy(glon, glat):
    place = geometry(glon, glat, shape=(32, 32))
    x, y = np.meshgrid(np.linspace(0, 95, 40), np.linspace(0, 95, 40))
    lon, lat = place.to_galactic(x.ravel(), y.ravel())
    nearest_l, nearest_b = place.nearest_to_centre
    assert nearest_l <= np.abs((lon + 180) % 360 - 180).min() + 0.05
    assert nearest_b <= np.abs(lat).min() + 0.05


def test_a_tile_on_the_plane_is_at_latitude_zero():
    assert geometry(0.0, 1.0).nearest_to_centre == (0.0, 0.0)
    assert geometry(90.0, 40.0, shape=(32, 32)).nearest_to_centre[1] == pytest.approx(35.2, abs=0.1)
