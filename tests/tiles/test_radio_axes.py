"""Stokes parameters and frequencies of the planes of a file."""

from __future__ import annotations

import numpy as np
import pytest
from small_radio import radio_header

from psseg.errors import PssegError
from psseg.tiles.radio_axes import has_radio_axis, read_planes


def cube_header(*axes, **cards):
    """Give a header whose further axes are (type, length, first value, step)."""
    header = radio_header(**cards)
    header["NAXIS"] = 2 + len(axes)
    for number, (kind, length, value, step) in enumerate(axes, start=3):
        header[f"NAXIS{number}"] = length
        header[f"CTYPE{number}"] = kind
        header[f"CRVAL{number}"] = value
        header[f"CDELT{number}"] = step
        header[f"CRPIX{number}"] = 1.0
    return header


def planes(header):
    notes = []
    found = read_planes(header, name="small.fits", notes=notes)
    return [(plane.stokes, plane.frequency, plane.index) for plane in found], notes


FREQUENCY = ("FREQ", 2, 1e9, 1e8)
STOKES = ("STOKES", 4, 1.0, 1.0)


def test_a_plain_image_is_stokes_i_at_its_rest_frequency():
    assert planes(radio_header()) == ([("I", 1.4e9, ())], [])


@pytest.mark.parametrize("axes", [(FREQUENCY, STOKES), (STOKES, FREQUENCY)])
def test_axes_in_any_order(axes):
    found, _ = planes(cube_header(*axes))
    assert len(found) == 8
    stokes_first = axes[0] is STOKES  # FITS's first axis is the last index
    for stokes, frequency, index in found:
        polarisation, channel = index[::-1] if stokes_first else index
        assert stokes == "IQUV"[polarisation]
        assert frequency == 1e9 + 1e8 * channel


def test_the_reference_pixel_counts():
    header = cube_header(FREQUENCY)
    header["CRPIX3"] = 2.0
    assert [frequency for _, frequency, _ in planes(header)[0]] == [0.9e9, 1e9]


def test_a_frequency_axis_counts_more_than_keywords():
    assert planes(cube_header(("FREQ", 1, 3e9, 1e9)))[0] == [("I", 3e9, (0,))]


@pytest.mark.parametrize(
    "cards",
    [{"CD3_3": 2e8}, {"CD3_3": 2e8, "CDELT3": 1.0}, {"PC3_3": 2.0}, {"PC003003": 2.0}],
)
def test_the_step_may_be_of_any_form(cards):
    header = cube_header(FREQUENCY)
    header.update(cards)
    assert [frequency for _, frequency, _ in planes(header)[0]] == [1e9, 1.2e9]


def test_the_step_of_another_matrix_is_cdelt():
    header = cube_header(FREQUENCY, CD1_1=-1e-3, CD2_2=1e-3)
    assert [frequency for _, frequency, _ in planes(header)[0]] == [1e9, 1.1e9]


@pytest.mark.parametrize("axis", [("FREQ", 1, 0.0, 1.0), ("WAVE", 1, 0.0, 1.0)])
def test_a_frequency_axis_of_nothing_leaves_the_keyword(axis):
    found, notes = planes(cube_header(axis))
    assert found == [("I", 1.4e9, (0,))]
    assert len(notes) == 1
    assert "1.4e+09 Hz is taken from a keyword" in notes[0]


def test_a_keyword_is_no_frequency_of_many_channels():
    found, _ = planes(cube_header(("FREQ", 2, 0.0, 1.0)))
    assert np.isnan([frequency for _, frequency, _ in found]).all()


def test_the_first_keyword_that_is_a_radio_frequency_counts():
    assert planes(radio_header(FREQ=0.0)) == ([("I", 1.4e9, ())], [])


def test_axes_that_only_the_header_knows():
    header = radio_header(CTYPE3="FREQ", CRVAL3=1.44e8, CTYPE4="STOKES", CRVAL4=4.0)
    assert planes(header)[0] == [("V", 1.44e8, ())]


@pytest.mark.parametrize(("unit", "value"), [("MHz", 1400.0), ("GHz", 1.4), ("HZ", 1.4e9)])
def test_frequency_units(unit, value):
    header = radio_header(CTYPE3="FREQ", CRVAL3=value, CUNIT3=unit, RESTFRQ=None)
    assert planes(header)[0][0][1] == pytest.approx(1.4e9)


def test_a_velocity_axis_leaves_the_rest_frequency():
    header = cube_header(("STOKES", 1, 1.0, 1.0), ("VOPT", 1, 0.0, -2.5e7), RESTFRQ=1.65e10)
    assert planes(header)[0] == [("I", 1.65e10, (0, 0))]


def test_a_wavelength_axis():
    header = radio_header(CTYPE3="LAMBDA", CRVAL3=0.2130681818, RESTFRQ=None)
    assert planes(header)[0][0][1] == pytest.approx(1.407e9, rel=1e-3)


@pytest.mark.parametrize("card", ["FREQ", "OBSFREQ", "RESTFRQ", "RESTFREQ"])
def test_frequency_keywords(card):
    header = radio_header(**{"RESTFRQ": None, card: 8.4e8})
    assert planes(header)[0][0][1] == 8.4e8


def test_no_frequency_is_unknown_without_a_note():
    found, notes = planes(radio_header(RESTFRQ=None))
    assert np.isnan(found[0][1])
    assert notes == []


def test_a_frequency_that_is_none_of_a_radio_image_is_unknown():
    found, notes = planes(radio_header(RESTFRQ=23.5))
    assert np.isnan(found[0][1])
    assert notes == [
        "small.fits: its frequency, 23.5 Hz, is none of a radio image, and taken as unknown"
    ]


def test_the_stokes_keyword():
    assert planes(radio_header(STOKES="V"))[0][0][0] == "V"


def test_correlation_products_are_named():
    found, _ = planes(cube_header(("STOKES", 2, -1.0, -1.0)))
    assert [stokes for stokes, _, _ in found] == ["RR", "LL"]


def test_other_long_axes_are_refused():
    with pytest.raises(PssegError, match=r"axis 3 \(CTYPE3 = 'VRAD'\) has 5 planes"):
        planes(cube_header(("VRAD", 5, 0.0, 1e3)))


def test_radio_axes_are_recognised():
    assert has_radio_axis(radio_header(CTYPE3="STOKES"))
    assert not has_radio_axis(radio_header())
