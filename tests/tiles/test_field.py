"""A field is the part of the map that was asked for, across the seam of the sky too."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st
from small_skies import sky_wcs

from psseg.errors import PssegError
from psseg.tiles.field import choose_field

SKY = (180, 360)  # of the whole sky, in pixels of 1 deg
MIDDLE = SkyCoord(0.0, 0.0, unit="deg", frame="galactic")


def field(wcs, shape, center=None, width=None, scale=0.1):
    return choose_field(wcs, shape, center=center, width=width, pixel_scale=scale, name="a.fits")


def test_all_there_is():
    whole = field(sky_wcs((40, 60)), (40, 60))
    assert (whole.rows, whole.columns) == (slice(0, 40), slice(0, 60))
    assert whole.notes == ()


@pytest.mark.parametrize("center", [None, MIDDLE, MIDDLE.icrs])
def test_a_square_around_a_center(center):
    wcs, plane = sky_wcs((40, 60)), np.arange(2400).reshape(40, 60)
    square = field(wcs, (40, 60), center, 1.0)
    assert np.array_equal(square.cut(plane), plane[15:25, 25:35])
    assert square.shape == (10, 10)
    assert square.notes == ()
    assert np.allclose(square.wcs.wcs_pix2world(0, 0, 0), wcs.wcs_pix2world(25, 15, 0))


def test_what_is_no_field_is_refused():
    wcs, far = sky_wcs((40, 60)), SkyCoord(90.0, 0.0, unit="deg", frame="galactic")
    with pytest.raises(PssegError, match=r"a.fits: the field asked for, 1 deg wide, lies outside"):
        field(wcs, (40, 60), far, 1.0)
    with pytest.raises(PssegError, match=r"lies outside the map"):
        field(sky_wcs((40, 60), projection="TAN"), (40, 60), far, 1.0)
    with pytest.raises(PssegError, match="give its width in deg besides its center"):
        field(wcs, (40, 60), MIDDLE)


def where(wcs, shape):
    """Longitude and latitude of every pixel, deg."""
    y, x = np.indices(shape)
    return np.stack(wcs.wcs_pix2world(x, y, 0))


@given(
    projection=st.sampled_from(["CAR", "MER", "CEA"]),
    about=st.floats(0, 359),
    lon=st.floats(0, 359.99),
    lat=st.floats(-30, 30),
)
def test_a_field_is_whole_wherever_the_seam_is(projection, about, lon, lat):
    wcs = sky_wcs(SKY, projection=projection, scale=1.0, center=(about, 0.0))
    center = SkyCoord(lon, lat, unit="deg", frame="galactic")
    square = field(wcs, SKY, center, 20.0, scale=1.0)
    assert square.shape == (20, 20)
    assert square.notes == ()
    there = [square.cut(plane) for plane in where(wcs, SKY)]
    apart = np.array(there) - where(square.wcs, square.shape)
    assert np.abs((apart + 180) % 360 - 180).max() < 1e-6
    x, y = center.to_pixel(square.wcs)
    assert max(abs(x - 9.5), abs(y - 9.5)) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("n_columns", "options"),
    [
        (350, {}),  # ten columns of the sky are missing
        (360, {"center": (0.0, 20.0)}),  # its columns are no meridians
        (330, {"projection": "AIT"}),
    ],
)
def test_a_field_ends_where_the_map_does_and_says_so(n_columns, options):
    wcs = sky_wcs((180, n_columns), scale=1.0, **options)
    center = SkyCoord.from_pixel(n_columns - 11.0, 89.5, wcs)
    part = field(wcs, (180, n_columns), center, 30.0, scale=1.0)
    assert part.columns == slice(n_columns - 26, n_columns)
    assert part.notes == ("the field asked for, 30 deg wide, is 26 x 30 deg on the map",)


def test_a_field_at_the_pole_ends_there():
    center = SkyCoord(30.0, 85.0, unit="deg", frame="galactic")
    part = field(sky_wcs(SKY, scale=1.0), SKY, center, 20.0, scale=1.0)
    assert part.shape == (15, 20)
    assert part.notes == ("the field asked for, 20 deg wide, is 20 x 15 deg on the map",)
