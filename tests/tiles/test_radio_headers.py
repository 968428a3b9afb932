"""Headers of radio images: units, places on the sky, and repairs that leave a note."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from small_radio import radio_header

from psseg.errors import PssegError
from psseg.tiles.headers import open_fits
from psseg.tiles.radio_headers import beam_unit, clean_header, read_image_header, sky_wcs

CENTRE = 39.5, 29.5


def read(header):
    """Read the header of an image of zeros."""
    shape = header["NAXIS2"], header["NAXIS1"]
    hdu = fits.PrimaryHDU(np.zeros(shape, np.float32), header)
    return read_image_header(fits.HDUList([hdu]), hdu, name="small.fits")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Jy/beam", 1),
        ("JY/BEAM ", 1),
        ("Jy/bm", 1),
        ("jy / Beam", 1),
        ("Jy beam-1", 1),
        ("Jy beam^-1", 1),
        ("Jy beam**-1", 1),
        ("beam-1 Jy", 1),
        ("Jy.beam-1", 1),
        ("Jansky/beam", 1),
        ("Jy per beam", 1),
        ("mJy/beam", 1e-3),
        ("MJY/BEAM", 1e-3),
        ("beam-1 mJy", 1e-3),
        ("uJy/beam", 1e-6),
        ("µJy/beam", 1e-6),
        ("nJy/beam", 1e-9),
        ("K", None),
        ("Jy", None),
        ("Jy/pixel", None),
        ("Jy/sr", None),
        ("JY/BEAM.M/S", None),
        ("counts", None),
        ("", None),
    ],
)
def test_units(text, unit):
    assert beam_unit(text) == unit


@pytest.mark.parametrize("unit", ["K", "Jy/pixel", "MJy/sr"])
def test_other_units_are_refused(unit):
    with pytest.raises(PssegError, match=rf"small\.fits: its unit is '{unit}', want Jy/beam"):
        read(radio_header(BUNIT=unit))


def test_no_unit_is_taken_as_jansky_per_beam():
    header = read(radio_header(BUNIT=None))
    assert header.unit == 1
    assert header.notes == ("small.fits: no BUNIT: taken as Jy/beam",)


def test_a_sound_header_needs_no_repair():
    header = read(radio_header())
    assert (header.notes, header.mirrored, header.shape) == ((), False, (60, 80))


@pytest.mark.parametrize("projection", ["SIN", "TAN", "ARC", "STG", "ZEA", "NCP", "CAR", "SFL"])
@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_projections(projection, rotation):
    header = radio_header(CTYPE1=f"RA---{projection}", CTYPE2=f"DEC--{projection}", CROTA2=rotation)
    wcs, _ = sky_wcs(header, name="small.fits", notes=[])
    if projection in ("CAR", "SFL"):
        assert wcs.has_celestial
    else:
        centre = SkyCoord.from_pixel(*CENTRE, wcs)
        assert centre.separation(SkyCoord(150, -30, unit="deg")).arcsec < 1e-3


def test_longitudes_below_zero():
    wcs, _ = sky_wcs(radio_header(CRVAL1=-98.2), name="small.fits", notes=[])
    assert SkyCoord.from_pixel(*CENTRE, wcs).ra.deg == pytest.approx(261.8)


def test_equinox_of_zero_is_ignored():
    header = read(radio_header(EQUINOX=0.0, RADESYS=None))
    assert header.notes == ("small.fits: EQUINOX = 0 ignored",)
    centre = SkyCoord.from_pixel(*CENTRE, header.wcs).icrs
    assert (centre.ra.deg, centre.dec.deg) == pytest.approx((150, -30), abs=1e-9)


def test_old_equatorial_frames():
    header = read(radio_header(EPOCH=1950.0, RADESYS=None))
    centre = SkyCoord.from_pixel(*CENTRE, header.wcs).icrs
    there = SkyCoord(150, -30, unit="deg", frame="fk4", equinox="B1950").icrs
    assert centre.separation(there).arcsec < 1e-3


@pytest.mark.parametrize(("angle", "parity"), [(0.0, 1), (25.0, 1), (25.0, -1)])
def test_images_with_east_to_the_right_are_mirrored(angle, parity):
    cards = {"CROTA2": angle, "CDELT1": parity * 2 / 3600}
    header = radio_header(CRPIX1=20.0, **cards)
    notes = []
    wcs, mirrored = sky_wcs(header, name="small.fits", notes=notes)
    assert mirrored == (parity > 0)
    assert len(notes) == mirrored
    assert np.linalg.det(wcs.pixel_scale_matrix) < 0
    x = np.array([3.0, 50.0])
    y = np.array([10.0, 7.0])
    there = 79 - x if mirrored else x
    expected = WCS(header).pixel_to_world(there, y)
    assert wcs.pixel_to_world(x, y).separation(expected).arcsec.max() < 1e-3


def test_pixels_nearly_square_pass_with_a_note():
    notes = []
    sky_wcs(radio_header(CDELT2=2.01 / 3600), name="small.fits", notes=notes)
    assert notes == ["small.fits: pixels 0.50 % off square are taken as square"]


def test_oblong_pixels_are_refused():
    with pytest.raises(PssegError, match=r'small\.fits: its pixels are 2" x 2\.1"'):
        sky_wcs(radio_header(CDELT2=2.1 / 3600), name="small.fits", notes=[])


def test_no_celestial_wcs_is_refused():
    with pytest.raises(PssegError, match=r"small\.fits: no celestial WCS"):
        read(radio_header(CTYPE1="FREQ", CTYPE2="STOKES"))


def test_tiny_images_are_refused():
    with pytest.raises(PssegError, match=r"small\.fits: the image has 80 x 3 pixels"):
        read(radio_header((3, 80)))


def test_numbers_in_quotes_and_with_d_exponents():
    header = radio_header(BMAJ="2.5D-03", CRVAL1="  150.0")
    clean = clean_header(header, name="small.fits", notes=[])
    assert (clean["BMAJ"], clean["CRVAL1"]) == (0.0025, 150.0)


def test_doubled_cards_count_once():
    header = radio_header()
    header.append(("BMAJ", 99.0), end=True)
    assert clean_header(header, name="small.fits", notes=[])["BMAJ"] == 10 / 3600


def test_blank_of_float_images_is_ignored():
    header = radio_header()
    header["BLANK"] = -1
    notes = []
    clean_header(header, name="small.fits", notes=notes)
    assert notes == ["small.fits: BLANK ignored: only integer images have it"]


def test_tabs_and_broken_cards_do_no_harm(tmp_path):
    shape = (60, 80)
    hdu = fits.PrimaryHDU(np.ones(shape, np.float32))
    hdu.header.update(radio_header(shape))
    hdu.header["OBSERVER"] = "tabs here"
    hdu.header["HISTORY"] = "tabs here too"
    hdu.writeto(tmp_path / "small.fits")
    content = (tmp_path / "small.fits").read_bytes().replace(b"tabs here", b"tabs\there")
    (tmp_path / "small.fits").write_bytes(content)
    with open_fits(tmp_path / "small.fits") as hdus:
        header = read_image_header(hdus, hdus[0], name="small.fits")
    assert header.beams[0].major == pytest.approx(10 / 3600)
