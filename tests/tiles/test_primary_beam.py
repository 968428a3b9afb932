"""The primary beam on the pixels of an image."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from small_radio import noise, write_radio

from psseg.errors import PssegError
from psseg.tiles.primary_beam import attenuation_at, read_primary_beam
from psseg.tiles.radio_files import read_radio_image


@pytest.fixture
def image(tmp_path):
    return read_radio_image([write_radio(tmp_path / "image.fits", noise())])


def attenuation(shape=(60, 80), scale=30.0):
    y, x = np.indices(shape)
    squares = (x - (shape[1] - 1) / 2) ** 2 + (y - (shape[0] - 1) / 2) ** 2
    return np.exp(-squares / (2 * scale**2)).astype(np.float32)


def test_same_pixels(image, tmp_path):
    path = write_radio(tmp_path / "pb.fits", attenuation(), beam=None, BUNIT=None)
    assert read_primary_beam(path, image) == pytest.approx(attenuation())


def test_the_first_plane_of_further_axes(image, tmp_path):
    stack = np.stack([attenuation(), 0 * attenuation()])[np.newaxis]
    path = write_radio(
        tmp_path / "pb.fits", stack, BUNIT=None, CTYPE3="FREQ", CRVAL3=1.4e9, CDELT3=1e8
    )
    assert read_primary_beam(path, image) == pytest.approx(attenuation())


def test_coarser_pixels_are_interpolated(image, tmp_path):
    coarse = attenuation((40, 40), scale=12.0)
    path = write_radio(tmp_path / "pb.fits", coarse, pixel=5.0, BUNIT="")
    assert read_primary_beam(path, image) == pytest.approx(attenuation(), abs=1e-3)


def test_low_attenuation_is_blank(image, tmp_path):
    path = write_radio(tmp_path / "pb.fits", attenuation(scale=10.0), BUNIT=None)
    found = read_primary_beam(path, image)
    low = attenuation(scale=10.0) < 0.05
    assert np.array_equal(np.isnan(found), low)
    assert low.any()


def test_rounding_above_one_is_cut(image, tmp_path):
    path = write_radio(tmp_path / "pb.fits", 1.01 * attenuation(), BUNIT=None)
    assert np.nanmax(read_primary_beam(path, image)) == 1


@pytest.mark.parametrize("factor", [100.0, 1e-4, -1.0])
def test_what_is_no_attenuation_is_refused(image, tmp_path, factor):
    path = write_radio(tmp_path / "pb.fits", factor * attenuation(), BUNIT=None)
    with pytest.raises(PssegError, match=r"pb\.fits: its highest value .* between 0 and 1"):
        read_primary_beam(path, image)


def test_the_image_itself_is_refused(image, tmp_path):
    noise = np.random.default_rng(1).normal(0, 1e-2, (60, 80))
    noise[30, 40] = 0.9
    path = write_radio(tmp_path / "map.fits", noise, BUNIT="JY/BEAM")
    with pytest.raises(PssegError, match=r"map\.fits: an image in JY/BEAM with values below 0"):
        read_primary_beam(path, image)
    beam = write_radio(tmp_path / "pb.fits", attenuation(), BUNIT="Jy/beam")
    assert 0.95 < np.nanmax(read_primary_beam(beam, image)) <= 1


def test_a_beam_elsewhere_is_refused(image, tmp_path):
    path = write_radio(tmp_path / "pb.fits", attenuation(), BUNIT=None, CRVAL1=200.0)
    with pytest.raises(PssegError, match=r"pb\.fits: the primary beam does not cover the image"):
        read_primary_beam(path, image)


def test_a_table_is_refused(image, tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("X", "E", array=[1.0])])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "pb.fits")
    with pytest.raises(PssegError, match=r"pb\.fits: no image in it"):
        read_primary_beam(tmp_path / "pb.fits", image)


def test_a_beam_of_another_frequency_is_brought_to_that_of_the_image(image, tmp_path):
    path = write_radio(tmp_path / "pb.fits", attenuation(), BUNIT=None, RESTFRQ=0.7e9)
    expected = attenuation().astype(float) ** 4
    expected[expected < 0.05] = np.nan
    assert image.frequencies == (1.4e9,)
    assert read_primary_beam(path, image) == pytest.approx(expected, rel=1e-4, nan_ok=True)
    place = image.pixel_to_sky(np.array([30.0]), np.array([30.0]))
    scaled = attenuation_at(path, place, frequency=1.4e9)
    assert scaled == pytest.approx(attenuation_at(path, place) ** 4, rel=1e-5)


@pytest.mark.parametrize("frequency", [None, 1.4001e9])
def test_a_beam_of_no_other_frequency_is_taken_as_it_is(image, tmp_path, frequency):
    path = write_radio(tmp_path / "pb.fits", attenuation(), BUNIT=None, RESTFRQ=frequency)
    assert np.array_equal(read_primary_beam(path, image), attenuation())


def test_at_places_on_the_sky(image, tmp_path):
    path = write_radio(tmp_path / "pb.fits", attenuation(), BUNIT=None)
    places = image.pixel_to_sky(np.array([10.0, 20.5, -30.0]), np.array([12.0, 30.0, 5.0]))
    inside, between, outside = attenuation_at(path, places)
    assert inside == pytest.approx(attenuation()[12, 10])
    assert between == pytest.approx(attenuation()[30, 20:22].mean(), rel=1e-3)
    assert np.isnan(outside)
