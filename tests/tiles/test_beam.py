"""Beams: their size in pixels, their angle in the image, what several have in common."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st
from small_radio import measured_beam, point_sources, radio_header, small_wcs

from psseg.errors import PssegError
from psseg.tiles.beam import (
    Beam,
    common_beam,
    middle_scale,
    north_angle,
)

lengths = st.floats(1.0, 20.0)
angles = st.floats(-90.0, 90.0)


@st.composite
def beams(draw):
    minor, major = sorted((draw(lengths), draw(lengths)))
    return Beam(major=major, minor=minor, angle=draw(angles))


def test_area_is_the_sum_of_a_point_source_over_its_peak():
    beam = Beam(major=14 / 3600, minor=9 / 3600, angle=30)
    image = point_sources((61, 61), [(30, 30)], [2.5], beam)
    assert image.sum() / 2.5 == pytest.approx(beam.area(2 / 3600), rel=1e-4)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 150.0])
def test_position_angle_goes_from_north_to_east_which_is_left(angle):
    beam = Beam(major=20 / 3600, minor=10 / 3600, angle=angle)
    major, minor, measured = measured_beam(point_sources((81, 81), [(40, 40)], [1.0], beam))
    assert (major, minor) == pytest.approx((20, 10), rel=1e-3)
    assert np.cos(2 * np.deg2rad(measured - angle)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("major", "minor"), [(1, 2), (1, 0), (-1, -2), (np.nan, 1), (np.inf, 1)])
def test_a_beam_must_have_sound_axes(major, minor):
    with pytest.raises(PssegError, match="0 < minor <= major"):
        Beam(major=major, minor=minor, angle=0)


def test_beams_resemble_each_other_within_a_per_cent():
    beam = Beam(major=10, minor=8, angle=90)
    assert beam.resembles(Beam(major=10.05, minor=8, angle=-90))
    assert not beam.resembles(Beam(major=10.5, minor=8, angle=90))
    assert not beam.resembles(Beam(major=10, minor=8, angle=60))


@given(st.lists(beams(), min_size=1, max_size=4))
def test_the_common_beam_is_each_beam_convolved_with_something(some):
    common = common_beam(some)
    for beam in some:
        difference = common.covariance(1.0) - beam.covariance(1.0)
        assert np.linalg.eigvalsh(difference)[0] > -1e-5 * np.trace(common.covariance(1.0))
    largest = max(beam.major for beam in some)
    assert common.major * common.minor <= largest**2 * (1 + 1e-9)


def test_a_beam_that_contains_the_others_is_the_common_one():
    large = Beam(major=9, minor=7, angle=40)
    assert common_beam([Beam(major=5, minor=4, angle=-20), large]) is large


def test_crossed_beams_have_a_circle_in_common():
    crossed = [Beam(major=9, minor=3, angle=40), Beam(major=9, minor=3, angle=-50)]
    assert common_beam(crossed) == Beam(major=9, minor=9, angle=0)


def test_nearly_aligned_beams_keep_their_shape():
    common = common_beam([Beam(major=9, minor=5, angle=0), Beam(major=8.9, minor=4.9, angle=4)])
    assert common.minor < 5.2


def side_by_area(wcs, shape, half=3):
    """Give a pixel's side from the solid angle of the square between four pixels."""
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    corners = SkyCoord.from_pixel(
        [x - half, x + half, x + half, x - half], [y - half, y - half, y + half, y + half], wcs
    )
    a, b, c, d = (corner.cartesian.xyz.value for corner in corners)
    return np.rad2deg(np.sqrt(np.linalg.norm(np.cross(c - a, d - b)) / 2)) / (2 * half)


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CRPIX1": 30000.0, "CRPIX2": -20000.0},
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX2": -30000.0},
        {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0, "CRPIX2": 90000.0},
        {"CDELT1": -3 / 3600, "CDELT2": 2 / 3600, "CROTA2": 25.0},
        {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN", "CRPIX1": 30000.0},
    ],
)
def test_the_scale_is_that_of_the_middle_whatever_the_projection(cards):
    header = radio_header((60, 80), **cards)
    wcs = WCS(header).celestial
    assert middle_scale(wcs, (60, 80)) == pytest.approx(side_by_area(wcs, (60, 80)), rel=1e-6)


def test_a_slant_orthographic_pixel_is_larger_by_the_cosine_of_its_distance():
    far = small_wcs(CRPIX1=40.5 + np.sin(np.deg2rad(24)) * np.rad2deg(1) * 1800)
    expected = 2 / 3600 / np.sqrt(np.cos(np.deg2rad(24)))
    assert middle_scale(far, (60, 80)) == pytest.approx(expected, rel=1e-9)


def test_the_scale_off_the_projection_is_that_of_the_reference_pixel():
    off = small_wcs(CRPIX1=200000.0)
    assert middle_scale(off, (60, 80)) == pytest.approx(2 / 3600)


def test_north_is_up_where_it_is():
    assert north_angle(small_wcs(), (60, 80)) == pytest.approx(0, abs=0.01)


def test_north_turns_with_the_image():
    turned = small_wcs(CROTA2=25.0)
    assert abs(north_angle(turned, (60, 80))) == pytest.approx(25, abs=0.01)


def test_the_angle_of_north_is_from_up_to_the_left():
    wcs = small_wcs(CROTA2=25.0)
    middle = SkyCoord.from_pixel(39.5, 29.5, wcs)
    north = SkyCoord(middle.ra, middle.dec + 20 * middle.dec.unit / 3600)
    x, y = north.to_pixel(wcs)
    angle = np.rad2deg(np.arctan2(39.5 - x, y - 29.5))
    assert north_angle(wcs, (60, 80)) == pytest.approx(angle, abs=0.01)


def test_north_in_galactic_images_is_that_of_the_equator():
    wcs = small_wcs(CTYPE1="GLON-SIN", CTYPE2="GLAT-SIN", CRVAL1=10.5, CRVAL2=0.0, RADESYS=None)
    assert north_angle(wcs, (60, 80)) == pytest.approx(61.0, abs=0.5)
