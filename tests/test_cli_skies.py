"""Commands for simulated skies as a user types them: what they print, leave, and refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from commands import assert_fails, products, run

from psseg.survey.survey import load_survey


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "fermi-lat", "-o", "out", "--mix", "wild"),
        ("simulate", "fermi-lat", "-o", "out", "--gas", "gas.fits"),
        ("simulate", "fermi-lat", "-o", "out", "--setup", "emu"),
        ("simulate", "radio", "-o", "out", "--years", "5"),
        ("simulate", "radio", "-o", "out", "--setup", "emu", "--setup", "vlass"),
        ("evaluate",),
        ("evaluate", "--model", "m", "--catalogue", "c.fits", "--truth", "t.fits"),
        ("evaluate", "--catalogue", "c.fits"),
        ("evaluate", "--model", "m", "--tables"),
    ],
)
def test_wrong_use_ends_with_2_and_says_how(words):
    result = run(*words)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def assert_exposed(path, *, years, center):
    """Check that a tile is where it should be, and exposed as long but for the survey's pattern."""
    instrument = load_survey("fermi-lat").instrument
    with fits.open(path) as hdus:
        header, planes = hdus[0].header, hdus[0].data
    assert (header["CTYPE1"], header["CTYPE2"]) == ("GLON-TAN", "GLAT-TAN")
    assert (header["CRVAL1"], header["CRVAL2"]) == pytest.approx(center)
    low, high = instrument.variation
    ratio = planes[::2].mean(axis=(1, 2)) / instrument.band_exposure(years)  # two to a band
    assert ratio == pytest.approx(np.full(instrument.n_bands, ratio[0]), rel=1e-4)
    assert low < ratio[0] < high


def test_simulate_writes_tiles_with_their_truth(tmp_path):
    result = run(
        "simulate", "fermi-lat", "-o", tmp_path, "-n", 2, "--size", 32, "--years", 5, "--seed", 4,
        "--center", "30,60,galactic",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(products(tmp_path)) == 6
    for number in (1, 2):
        assert_exposed(tmp_path / f"sky_000{number}_exposure.fits", years=5, center=(30, 60))
    again = run("simulate", "fermi-lat", "-o", tmp_path, "-n", 2, "--size", 32)
    assert_fails(again, "--overwrite")


def test_evaluate_compares_a_catalogue_with_its_truth(truth_teller, sky_files, tmp_path):
    run("catalogue", sky_files.counts, "--exposure", sky_files.exposure, "-o", tmp_path)
    result = run(
        "evaluate", "--catalogue", tmp_path / "sky_catalogue.fits", "--truth", sky_files.truth,
        "-o", tmp_path / "scores",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "purity" in result.stdout
    assert json.loads((tmp_path / "scores" / "scores.json").read_text())["counts"]["purity"] > 0.9


def test_simulate_writes_radio_images_with_their_truth(tmp_path):
    result = run("simulate", "radio", "-o", tmp_path, "--size", 64, "--setup", "emu", "--seed", 4)
    assert result.exit_code == 0, result.output
    written = products(tmp_path)
    assert len(written) == 4
    assert sum(name.endswith("_truth.fits") for name in written) == 1
    assert all(name in result.stdout for name in written)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("simulate", "radio", "-o", "out", "--years", 14), "--years"),
        (("evaluate", "--model", "radio", "--years", 14), "--years"),
        (("evaluate", "--model", "radio", "--diffuse", "gll_iem_v07.fits"), "--diffuse"),
        (("evaluate", "--model", "radio", "-j", 1), "--processes"),
        (("evaluate", "--catalogue", "c.fits", "--truth", "t.fits", "-n", 9), "--tiles"),
        (("evaluate", "--catalogue", "c.fits", "--truth", "t.fits", "--setup", "emu"), "--setup"),
    ],
)
def test_options_that_would_not_be_used_are_refused(words, option):
    result = run(*words)
    assert result.exit_code == 2
    assert f"takes no {option}" in result.stderr


def test_evaluate_writes_its_tables_where_asked(truth_teller, sky_files, tmp_path):
    run("catalogue", sky_files.counts, "--exposure", sky_files.exposure, "-o", tmp_path)
    result = run(
        "evaluate", "--catalogue", tmp_path / "sky_catalogue.fits", "--truth", sky_files.truth,
        "-o", tmp_path / "scores", "--tables",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert {"detections.fits", "truths.fits"} <= set(products(tmp_path / "scores"))


def test_an_unknown_survey_is_refused(tmp_path):
    assert_fails(run("simulate", "nope", "-o", tmp_path / "out"), "nope")
    assert_fails(run("train", "nope", "-o", tmp_path / "out"), "nope")
