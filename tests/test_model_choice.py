"""Every kind of map has its options, and label maps fewer than catalogues."""

from __future__ import annotations

from dataclasses import replace

import pytest
from astropy.io import fits

from psseg.errors import PssegError
from psseg.model_choice import check_reading, choose_model
from psseg.network.store import find_model
from psseg.survey.survey import load_survey


@pytest.fixture
def radio(stub):
    return replace(stub, survey=load_survey("radio"))


@pytest.mark.parametrize("option", ["primary_beam", "style", "strict"])
def test_label_maps_of_images_have_no_options_of_catalogues(radio, option):
    check_reading("a.fits", radio, {option: "any"})
    message = f"a.fits: --{option.replace('_', '-')} is for catalogues, not for label maps"
    with pytest.raises(PssegError, match=message):
        check_reading("a.fits", radio, {option: "any"}, labels=True)


@pytest.mark.parametrize("labels", [False, True])
def test_options_of_the_other_kind_are_refused(stub, radio, labels):
    check_reading("a.fits", radio, {"planes": ["b.fits"]}, labels=labels)
    with pytest.raises(PssegError, match="--plane is for radio images; with stub want --exposure"):
        check_reading("a.fits", stub, {"planes": ["b.fits"]}, labels=labels)
    with pytest.raises(PssegError, match="--width is for counts; with stub want --plane, --beam"):
        check_reading("a.fits", radio, {"width": 3.0}, labels=labels)


def test_options_are_checked_before_a_network_is_loaded():
    with pytest.raises(PssegError, match="--plane is for radio images; with fermi-lat want"):
        check_reading("a.fits", find_model("fermi-lat"), {"planes": ["b.fits"]})
    check_reading("a.fits", find_model("radio"), {"planes": ["b.fits"]})


def test_numbers_that_are_zero_are_not_dropped(stub):
    reading = {"width": 0.0, "center": None}
    check_reading("a.fits", stub, reading)
    assert reading == {"width": 0.0}


def test_a_single_plane_is_taken(radio):
    reading = {"planes": "b.fits"}
    check_reading("a.fits", radio, reading)
    assert reading == {"planes": ("b.fits",)}


def test_a_file_that_names_no_survey_is_described(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("RAJ2000", "E", array=[1.0])])
    table.writeto(tmp_path / "sources.fits")
    message = r"sources\.fits: is a catalogue, not a map: psseg crossmatch"
    with pytest.raises(PssegError, match=message):
        choose_model(tmp_path / "sources.fits", None)


def test_options_that_say_nothing_are_dropped(stub):
    reading = {"strict": False, "planes": (), "beam": None, "width": 3.0}
    check_reading("a.fits", stub, reading, labels=True)
    assert reading == {"width": 3.0}
