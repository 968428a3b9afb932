"""What is no map is told by its own name, with what to do about it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from small_skies import sky_wcs

from psseg.tiles.unknown_files import say_what_it_is

LAT = frozenset({"GLAST"})
COUNTS = np.ones((38, 4, 4), np.int16)


def say(hdus, tmp_path):
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    return say_what_it_is(tmp_path / "a.fits", LAT)


def table(columns, name=None):
    made = [fits.Column(column, "E", array=[1.0]) for column in columns]
    return fits.BinTableHDU.from_columns(made, name=name)


def sky_image(**cards):
    header = sky_wcs((4, 5)).to_header()
    header.update(cards)
    return fits.PrimaryHDU(np.ones((4, 5), np.float32), header)


def test_counts_of_another_telescope(write_cube):
    hess = write_cube(COUNTS, cards={"TELESCOP": "HESS"}, name="a.fits")
    assert say_what_it_is(hess, LAT).startswith("is of TELESCOP = 'HESS', for which psseg")
    unnamed = write_cube(COUNTS, cards={"TELESCOP": ""}, name="b.fits")
    assert say_what_it_is(unnamed, LAT).startswith("names no telescope (TELESCOP)")


def test_counts_without_energies(write_cube):
    path = write_cube(COUNTS, None)
    assert say_what_it_is(path, LAT).startswith("has no EBOUNDS table")


def test_an_exposure(write_exposure):
    path = write_exposure(np.ones((2, 4, 4)), [1, 10], cards={"TELESCOP": "GLAST"})
    assert say_what_it_is(path, LAT).startswith("is an exposure or a model")


@pytest.mark.parametrize(
    "column", ["RA", "ra", "RAJ2000", "_RAJ2000", "RA_ICRS", "GLON", "RAJ", "ra_deg_cont"]
)
def test_a_catalogue(tmp_path, column):
    said = say([fits.PrimaryHDU(), table([column, "FLUX"])], tmp_path)
    assert said.startswith("is a catalogue, not a map: psseg crossmatch")


def test_tables_of_other_things(tmp_path):
    said = say([fits.PrimaryHDU(), table(["RATE", "RA_SCZ"], "LIGHTCURVE"), table(["X"])], tmp_path)
    assert said.endswith("but LIGHTCURVE, without a name")


def test_a_file_of_nothing(tmp_path):
    assert say([fits.PrimaryHDU()], tmp_path).endswith("but nothing")


def test_a_label_map_of_psseg(tmp_path):
    labels = fits.ImageHDU(np.ones((4, 5), np.uint8), name="CLASS_MAP")
    assert say([fits.PrimaryHDU(), labels], tmp_path).startswith("is a label map of psseg")


def test_any_other_image(tmp_path):
    said = say([sky_image(BUNIT="K")], tmp_path)
    assert "neither counts" in said
    assert "Jy/beam" in said
    assert "--model" in said
