"""Commands for catalogues side by side as a user types them: what they print, leave, and refuse."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from commands import assert_fails, products

from psseg.cli_match import compare, crossmatch


def run(command, *words):
    return CliRunner().invoke(command, [str(word) for word in words])


@pytest.fixture
def files(tmp_path):
    """Give a catalogue of ten sources and a reference with eight of them, as files."""
    number = np.arange(10)
    table = Table({
        "Source_Name": [f"S{n}" for n in number],
        "RA": (number / 10 + 40) * u.deg, "DEC": number / 10 * u.deg,
        "E_RA": np.ones(10) * u.arcsec, "E_DEC": np.ones(10) * u.arcsec,
        "Total_flux": np.ones(10) * u.Jy,
    })  # fmt: skip
    table.write(tmp_path / "mine_catalogue.fits")
    table["DEC"] = (number / 10 + 0.5 / 3600) * u.deg
    table[:8].write(tmp_path / "ref.ecsv")
    return tmp_path / "mine_catalogue.fits", tmp_path / "ref.ecsv"


def test_crossmatch_writes_a_table_and_says_what_is_chance(files, tmp_path):
    out = tmp_path / "new" / "matches.fits"
    result = run(crossmatch, *files, "-o", out)
    assert result.exit_code == 0, result.output
    assert "ref: 8 of 10 matched, 0.0 expected by chance" in result.stdout
    assert products(out.parent) == ["matches.fits"]
    assert fits.getval(out, "NMATCH", 1) == 8
    assert len(Table.read(out)) == 8


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (("--join", "left"), 10),
        (("--join", "unmatched-left"), 2),
        (("--join", "unmatched-right"), 0),
        (("--radius", "0.4"), 0),
        (("--radius", "0.6"), 8),
        (("--method", "ellipse", "--confidence", "0.68"), 8),
        (("--ref", "error=0.01", "--cat", "error=0.01"), 0),
    ],
)
def test_options_say_what_a_match_is(files, tmp_path, words, rows):
    out = tmp_path / "m.ecsv"
    result = run(crossmatch, *files, "-o", out, *words)
    assert result.exit_code == 0, result.output
    assert len(Table.read(out)) == rows


def test_several_references_give_one_table(files, tmp_path):
    result = run(crossmatch, files[0], files[1], files[1], "-o", tmp_path / "m.vot")
    assert result.exit_code == 0, result.output
    table = Table.read(tmp_path / "m.vot")
    assert {"P_ANY_ref", "P_ANY_ref2"} <= set(table.colnames)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-o", "m.fits", "--join", "outer"),
        ("-o", "m.fits", "--ref", "nonsense"),
        ("-o", "m.fits", "--ref", "colour=red"),
        ("-o", "m.fits", "--confidence", "95"),
        ("-o", "m.fits", "--radius", "nan"),
        ("-o", "m.fits", "--shift", "inf"),
        ("-o", "m.fits", "--systematic", "nan"),
    ],
)
def test_wrong_use_ends_with_2(files, words):
    assert run(crossmatch, *files, *words).exit_code == 2


def test_one_join_of_several_references_is_refused(files):
    words = (*files, files[1], "--join", "all", "-o", "m.fits")
    assert run(crossmatch, *words).exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,flux\na,1\n", "no columns of positions"),
        ("ra,dec\n3600,7200\n", "no positions"),
        ("", "is empty"),
    ],
)
def test_references_without_positions_are_refused_in_one_line(files, tmp_path, content, message):
    (tmp_path / "bad.csv").write_text(content)
    words = ("-q", "-o", tmp_path / "out" / "m.fits", "--ref", "unit=deg", "--ref", "error=1")
    assert_fails(run(crossmatch, files[0], tmp_path / "bad.csv", *words), "bad.csv", message)
    assert products(tmp_path / "out") == []


def test_a_missing_file_is_named(files, tmp_path):
    assert_fails(run(crossmatch, files[0], "nope.fits", "-o", tmp_path / "m.fits"), "nope.fits")


def test_products_are_not_overwritten(files, tmp_path):
    (tmp_path / "m.fits").write_text("mine")
    assert_fails(run(crossmatch, *files, "-o", tmp_path / "m.fits"), "--overwrite")
    assert (tmp_path / "m.fits").read_text() == "mine"
    result = run(crossmatch, *files, "-o", tmp_path / "m.fits", "--overwrite", "-q")
    assert (result.exit_code, result.output) == (0, "")


def test_options_that_contradict_are_refused_before_any_work(tmp_path):
    words = ("-o", tmp_path / "m.fits", "--method", "radius")
    assert_fails(run(crossmatch, "nope.fits", "nope.fits", *words), "needs a radius")


def test_an_unknown_ending_is_refused_before_any_work(tmp_path):
    assert_fails(run(crossmatch, "a", "b", "-o", tmp_path / "m.doc"), "m.doc", ".fits")


def test_compare_writes_numbers_pairs_and_a_figure(files, tmp_path):
    result = run(compare, *files, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert products(tmp_path / "out") == [
        "mine_ref_comparison.ecsv", "mine_ref_comparison.png", "mine_ref_pairs.fits",
    ]  # fmt: skip
    assert "completeness" in result.stdout
    assert "flux ratio" in result.stdout
    pairs = Table.read(tmp_path / "out" / "mine_ref_pairs.fits")
    assert list(pairs["Source_Name"]) == list(pairs["Source_Name_ref"])
    np.testing.assert_allclose(pairs["OFFSET_NORTH"], -0.5, atol=1e-6)
    assert_fails(run(compare, *files, "-o", tmp_path / "out"), "--overwrite")


def test_empty_catalogues_give_readable_products(files, tmp_path):
    Table.read(files[0])[:0].write(tmp_path / "none.fits")
    for command, out in ((crossmatch, tmp_path / "m.fits"), (compare, tmp_path / "out")):
        result = run(command, files[0], tmp_path / "none.fits", "-o", out)
        assert result.exit_code == 0, result.output
    assert len(Table.read(tmp_path / "m.fits")) == 0
    assert len(Table.read(tmp_path / "out" / "mine_none_pairs.fits")) == 0
