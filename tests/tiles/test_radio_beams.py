"""The beam of an image, from wherever its file says it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from small_radio import radio_header

from psseg.errors import PssegWarning
from psseg.tiles.beam import north_angle
from psseg.tiles.radio_axes import read_planes
from psseg.tiles.radio_beams import read_beams
from psseg.tiles.radio_headers import sky_wcs

ARCSEC = 1 / 3600


def beams(header, *tables):
    notes = []
    wcs, _ = sky_wcs(header, name="small.fits", notes=[])
    found = read_beams(
        fits.HDUList([fits.PrimaryHDU(), *tables]),
        header,
        read_planes(header, name="small.fits", notes=[]),
        wcs=wcs,
        shape=(header["NAXIS2"], header["NAXIS1"]),
        name="small.fits",
        notes=notes,
    )
    return found, notes


def cards(major, minor, angle, **others):
    beam = {"BMAJ": major * ARCSEC, "BMIN": minor * ARCSEC, "BPA": angle}
    header = radio_header(beam=None, **others)
    header.update({key: value for key, value in beam.items() if value == value})
    return header


def as_seen(beam):
    return beam.major / ARCSEC, beam.minor / ARCSEC, beam.angle


def beam_table(rows, unit="arcsec", channels=None, polarisations=None):
    channels = np.arange(len(rows))[::-1] if channels is None else channels
    polarisations = np.zeros(len(rows), int) if polarisations is None else polarisations
    columns = [
        fits.Column("BMAJ", "E", unit=unit, array=[row[0] for row in rows]),
        fits.Column("BMIN", "E", unit=unit, array=[row[1] for row in rows]),
        fits.Column("BPA", "E", unit="deg", array=[row[2] for row in rows]),
        fits.Column("CHAN", "J", array=channels),
        fits.Column("POL", "J", array=polarisations),
    ]
    return fits.BinTableHDU.from_columns(columns, name="BEAMS")


def test_beam_cards():
    (beam,), notes = beams(cards(12, 8, 35))
    assert as_seen(beam) == pytest.approx((12, 8, 35), abs=0.01)
    assert notes == []


def test_no_beam_anywhere():
    assert beams(radio_header(beam=None)) == ([None], [])


@pytest.mark.parametrize("major", [0.0, -1.0])
def test_a_beam_of_nothing_is_none(major):
    assert beams(cards(major, major, 0))[0] == [None]


def test_a_missing_position_angle_is_zero_with_a_warning():
    message = r"small\.fits: no BPA: the beam's position angle is taken as 0"
    with pytest.warns(PssegWarning, match=message):
        (beam,), notes = beams(cards(12, 8, np.nan))
    assert as_seen(beam) == pytest.approx((12, 8, 0), abs=0.01)
    assert notes == ["small.fits: no BPA: the beam's position angle is taken as 0"]


def test_a_circle_needs_no_position_angle():
    (beam,), notes = beams(cards(12, 12, np.nan))
    assert as_seen(beam) == pytest.approx((12, 12, 0))
    assert notes == []


def test_a_missing_minor_axis_is_a_circle():
    (beam,), notes = beams(cards(12, np.nan, np.nan))
    assert as_seen(beam) == pytest.approx((12, 12, 0))
    assert notes == ["small.fits: no BMIN: the beam is taken as a circle"]


def test_exchanged_axes():
    (beam,), notes = beams(cards(8, 12, 10))
    assert as_seen(beam) == pytest.approx((12, 8, -80), abs=0.01)
    assert "BMIN exceeds BMAJ" in notes[0]


@pytest.mark.parametrize(
    ("axes", "fault"),
    [
        ((3600, 3600, 0), "3600 arcsec, is larger than the image"),
        ((0.04, 0.02, 0), "0.04 x 0.02 arcsec, is 100 times smaller than a pixel (2 arcsec)"),
        ((0.04, np.nan, 0), "0.04 arcsec, is 50 times smaller than a pixel (2 arcsec)"),
    ],
)
def test_a_beam_that_cannot_be_the_images_is_ignored(axes, fault):
    found, notes = beams(cards(*axes))
    assert found == [None]
    assert notes == [f"small.fits: its beam, {fault}, and is ignored"]


def test_the_last_clean_of_aips_counts():
    header = radio_header(beam=None)
    header["HISTORY"] = "AIPS   CLEAN BMAJ=  2.5000E-03 BMIN=  2.5000E-03 BPA=   0.00"
    header["HISTORY"] = "AIPS   CLEAN BMAJ=  1.7778E-03 BMIN=  1.5000D-03 BPA=  10.00"
    header["HISTORY"] = "AIPS   CLEAN NITER= 1000"
    (beam,), notes = beams(header)
    assert as_seen(beam) == pytest.approx((6.4, 5.4, 10), abs=0.01)
    assert notes == ["small.fits: beam from HISTORY: BMAJ= 1.7778E-03 BMIN= 1.5000D-03 BPA= 10.00"]


def test_cards_count_more_than_history():
    header = cards(12, 8, 35)
    header["HISTORY"] = "AIPS   CLEAN BMAJ=  2.5000E-03 BMIN=  2.5000E-03 BPA=   0.00"
    assert as_seen(beams(header)[0][0]) == pytest.approx((12, 8, 35), abs=0.01)


def cube(n):
    header = radio_header(CTYPE3="FREQ", CRVAL3=1e9, CDELT3=1e7)
    header["NAXIS"], header["NAXIS3"] = 3, n
    return header


def test_a_table_of_beams_counts_most_and_is_read_by_its_channels():
    found, _ = beams(cube(3), beam_table([(14, 12, 5), (13, 11, 5), (12, 10, 5)]))
    assert [round(beam.major / ARCSEC, 3) for beam in found] == [12, 13, 14]
    assert found[0].angle == pytest.approx(5, abs=0.01)


def major_axes(found):
    return [round(beam.major / ARCSEC, 3) for beam in found]


def cube_of_stokes(n_channels, n_stokes):
    header = cube(n_channels)
    header["NAXIS"], header["NAXIS4"] = 4, n_stokes
    header.update({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 3.0, "CRPIX4": 1.0})
    return header


def test_beams_of_one_polarisation_are_those_of_all():
    found, _ = beams(cube_of_stokes(2, 2), beam_table([(14, 12, 5), (13, 11, 5)]))
    assert major_axes(found) == [13, 14, 13, 14]


def test_a_beam_of_one_channel_is_that_of_all():
    table = beam_table([(14, 12, 5), (13, 11, 5)], channels=[7, 7], polarisations=[0, 1])
    assert major_axes(beams(cube_of_stokes(2, 2), table)[0]) == [14, 14, 13, 13]
    assert major_axes(beams(cube(1), beam_table([(12, 10, 5)], channels=[17]))[0]) == [12]


def test_a_channel_that_a_table_of_several_lacks_has_the_beam_of_the_header():
    table = beam_table([(14, 12, 5), (13, 11, 5)], channels=[0, 2])
    assert major_axes(beams(cube(3), table)[0]) == [14, 10, 13]


def test_tables_in_degrees():
    rows = [(14 * ARCSEC, 12 * ARCSEC, 5)]
    assert beams(cube(1), beam_table(rows, "deg"))[0][0].major == pytest.approx(14 * ARCSEC)


def test_channels_without_a_beam_in_the_table():
    found, _ = beams(cube(2), beam_table([(0, 0, 0), (12, 10, 5)]))
    assert found[1] is None
    assert found[0] is not None


def test_position_angles_of_galactic_images_become_those_from_the_equator():
    galactic = {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN", "CRVAL1": 10.5, "CRVAL2": 0.0}
    (beam,), _ = beams(cards(12, 8, 0, RADESYS=None, **galactic))
    assert beam.angle == pytest.approx(-61, abs=0.5)


def test_the_beam_keeps_its_angle_in_the_image_far_from_the_reference_pixel():
    header = cards(12, 8, 20, CRVAL2=70.0, CRPIX1=-8000.0)
    (beam,), _ = beams(header)
    wcs, _ = sky_wcs(header, name="small.fits", notes=[])
    rotation = north_angle(wcs, (60, 80))
    assert abs(rotation) > 5
    assert (beam.angle + rotation) % 180 == pytest.approx(20, abs=0.05)
