"""Joined tables and their files."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, NdarrayMixin, Table
from astropy.time import Time

from psseg.crossmatch import (
    ColumnChoice,
    MatchOptions,
    crossmatch,
    joined,
    make_sky_table,
    read_reference,
)
from psseg.crossmatch.joins import JOINS, MATCH_COLUMNS, match_header
from psseg.crossmatch.table_files import check_ending, table_writer
from psseg.errors import PssegError, PssegWarning

ARCSEC = 1 / 3600
NO_UNITS = ColumnChoice(unit="deg", error_unit="arcsec")
"""What a CSV file cannot tell."""


def catalogue(offsets, *, label="ref", names=None, **columns):
    """Give sources at these arcseconds along the equator, with errors of one arcsecond."""
    table = Table({
        "Name": names or [f"{label}{n}" for n in range(len(offsets))],
        "ra": np.array(offsets, dtype=float) * ARCSEC * u.deg,
        "dec": np.zeros(len(offsets)) * u.deg,
        "pos_err": np.ones(len(offsets)) * u.arcsec,
        **columns,
    })  # fmt: skip
    return make_sky_table(table, label=label, origin=f"{label}.fits")


@pytest.fixture
def match():
    """Give three sources, of which the first has two candidates and the second none."""
    ours = catalogue([100, 500, 900], label="cat")
    theirs = catalogue(
        [101, 103, 900.5, 2000], number=MaskedColumn([1, 2, 3, 4], mask=[0, 0, 1, 0]),
        band=np.ones((4, 2)) * u.Jy, good=[True, False, True, True],
    )  # fmt: skip
    return crossmatch(ours, theirs)


@pytest.mark.parametrize(
    ("join", "ours", "theirs"),
    [
        ("best", [0, 2], [0, 2]),
        ("left", [0, 1, 2], [0, None, 2]),
        ("all", [0, 0, 2], [0, 1, 2]),
        ("mutual", [0, 2], [0, 2]),
        ("unmatched-left", [1], None),
        ("unmatched-right", None, [1, 3]),
    ],
)
def test_joins_hold_the_rows_they_promise(match, join, ours, theirs):
    table = joined([match], join)
    if ours is not None:
        assert list(table["Name"]) == [f"cat{n}" for n in ours]
    if theirs is not None:
        name = "Name" if ours is None else "Name_ref"
        assert list(table[name]) == ["" if n is None else f"ref{n}" for n in theirs]


def test_a_source_without_a_match_is_blank(match):
    row = joined([match], "left")[1]
    assert np.isnan(row["SEPARATION"])
    assert np.isnan(row["ra_ref"])
    assert row["number_ref"] is np.ma.masked
    assert (row["P_ANY"], row["N_CAND"]) == (0, 0)


def test_candidates_share_the_probability(match):
    table = joined([match], "all")[:2]
    assert table["P_REL"].sum() == pytest.approx(1)
    assert table["P_MATCH"].sum() == pytest.approx(table["P_ANY"][0])
    np.testing.assert_array_equal(table["BEST"], [1, 0])


def test_several_references_stand_side_by_side(match):
    second = crossmatch(match.left, catalogue([500.2], label="ref"))
    table = joined([match, second], "best")
    assert list(table["Name"]) == ["cat0", "cat1", "cat2"]
    assert list(table["Name_ref"]) == ["ref0", "", "ref2"]
    assert list(table["Name_ref2"]) == ["", "ref0", ""]
    assert {"P_ANY_ref", "P_ANY_ref2"} <= set(table.colnames)
    with pytest.raises(PssegError, match="for one reference"):
        joined([match, second], "all")


def test_an_unknown_join_is_refused(match):
    with pytest.raises(PssegError, match="'outer'"):
        joined([match], "outer")


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv", "csv"])
@pytest.mark.parametrize("join", JOINS)
def test_files_read_back_as_the_table(match, join, ending, tmp_path):
    table, path = joined([match], join), tmp_path / f"m.{ending}"
    table_writer(table, match_header([match], join, command="psseg crossmatch"), path)(path)
    read = read_reference(path, NO_UNITS).table
    assert len(read) == len(table)
    if "SEPARATION" in table.colnames:
        np.testing.assert_allclose(np.ma.filled(read["SEPARATION"], np.nan), table["SEPARATION"])
        assert ending == "csv" or read["SEPARATION"].unit == u.arcsec
    if ending != "csv":
        assert read.colnames == table.colnames


def test_the_header_tells_the_chance(match, tmp_path):
    path = tmp_path / "m.fits"
    table_writer(joined([match]), match_header([match], "best", command="a command"), path)(path)
    header = fits.getheader(path, 1)
    assert (header["NMATCH"], header["REFROWS"], header["JOIN"]) == (2, 4, "best")
    assert header["NCHANCE"] == pytest.approx(match.n_chance, abs=1e-3)
    assert "a command" in str(header["HISTORY"])
    names = [header[key] for key in header if key.startswith("TTYPE")]
    place = names.index("P_ANY") + 1
    declared = {column.name: column for column in MATCH_COLUMNS}["P_ANY"]
    assert header[f"TUCD{place}"] == declared.ucd


def test_names_of_any_letters_are_kept_where_the_format_can(tmp_path):
    names = ["<script>alert(1)</script>", "Ångström B", "日本, α"]
    match = crossmatch(catalogue([1, 500, 900], label="cat", names=names), catalogue([1, 500, 900]))
    table, header = joined([match]), match_header([match], "best")
    for ending in ("vot", "csv", "ecsv"):
        path = tmp_path / f"m.{ending}"
        table_writer(table, header, path)(path)
        assert list(read_reference(path, NO_UNITS).table["Name"]) == names
    path = tmp_path / "m.fits"
    with pytest.warns(PssegWarning, match="2 names are not ASCII"):
        table_writer(table, header, path)(path)
    assert list(Table.read(path)["Name"]) == [names[0], "Angstrom B", "??, ?"]


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv", "csv"])
@pytest.mark.parametrize("empty", ["left", "right", "both"])
def test_empty_catalogues_give_empty_readable_tables(empty, ending, tmp_path):
    ours = catalogue([] if empty != "right" else [1.0], label="cat")
    theirs = catalogue([] if empty != "left" else [1.0])
    match = crossmatch(ours, theirs)
    for join in JOINS:
        path = tmp_path / f"{join}.{ending}"
        table_writer(joined([match], join), match_header([match], join), path)(path)
        wanted = len(ours) if join in ("left", "unmatched-left") else 0
        wanted = len(theirs) if join == "unmatched-right" else wanted
        assert len(Table.read(path, format="votable" if ending == "vot" else None)) == wanted


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(PssegError, match=r"\.fits"):
        check_ending(tmp_path / "m.doc")


@pytest.mark.external
def test_votables_pass_votlint(match, tmp_path):
    if shutil.which("stilts") is None:
        pytest.skip("STILTS is not installed")
    path = tmp_path / "m.vot"
    table_writer(joined([match], "left"), match_header([match], "left"), path)(path)
    told = subprocess.run(["stilts", "votlint", str(path)], capture_output=True, text=True)
    assert "ERROR" not in told.stdout + told.stderr


def test_positional_methods_accept_every_pair(match):
    wide = crossmatch(match.left, match.right, MatchOptions(method="radius", radius=4.0))
    assert wide.n_matched == 2
    assert len(joined([wide], "all")) == 3
    narrow = crossmatch(match.left, match.right, MatchOptions(method="radius", radius=0.7))
    assert narrow.n_matched == 1


@pytest.mark.parametrize("options", [{"method": "guess"}, {"method": "radius"}, {"radius": 3.0}])
def test_options_that_contradict_are_refused(options):
    with pytest.raises(PssegError):
        MatchOptions(**options)


def test_classes_count_only_if_asked():
    probabilities = {"P_PULSAR": [0.98, 0.01], "P_BLAZAR": [0.01, 0.98], "P_OTHER": [0.01, 0.01]}
    ours = catalogue([100, 900], label="cat", **probabilities)
    theirs = catalogue([100.8, 99, 900], CLASS=["bll", "psr", "fsrq"])
    assert list(joined([crossmatch(ours, theirs)])["Name_ref"]) == ["ref0", "ref2"]
    asked = crossmatch(ours, theirs, MatchOptions(use_class=True))
    assert list(joined([asked])["Name_ref"]) == ["ref1", "ref2"]


def test_missing_classes_are_said():
    with pytest.warns(PssegWarning, match="has no classes"):
        crossmatch(catalogue([1]), catalogue([1]), MatchOptions(use_class=True))


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv", "csv"])
def test_empty_text_stays_empty(tmp_path, ending):
    text = Table({"Name": ["a", "b"], "CLASS1": ["", "psr"], "ra": [1.0, 2.0], "dec": [0.0, 0.0]})
    text.write(tmp_path / "ours.csv")
    ours = read_reference(tmp_path / "ours.csv", ColumnChoice(unit="deg", error="1"))
    match, path = crossmatch(ours, catalogue([3600])), tmp_path / f"m.{ending}"
    table_writer(joined([match], "left"), match_header([match], "left"), path)(path)
    read = read_reference(path, ColumnChoice(unit="deg", error="1")).table
    assert list(np.ma.filled(np.ma.asarray(read["CLASS1"]), "")) == ["", "psr"]


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv", "csv"])
def test_columns_that_are_no_numbers_become_text_or_are_left_out(tmp_path, ending):
    times = Time(["2020-01-01T00:00:00", "2021-06-01T12:00:00"])
    places = SkyCoord([1.0, 2.0], [3.0, -4.0], unit="deg")
    ours = catalogue([1, 500], label="cat", seen=times, other=places, two=[["a", "b"], ["c", "d"]])
    ours.table["odd"] = NdarrayMixin(np.zeros(2, dtype=[("x", "f8")]))
    match, path = crossmatch(ours, catalogue([1])), tmp_path / f"m.{ending}"
    with pytest.warns(PssegWarning, match="columns odd are neither numbers nor text"):
        table = joined([match], "left")
    table_writer(table, match_header([match], "left"), path)(path)
    read = read_reference(path, NO_UNITS).table
    assert list(read["seen"]) == ["2020-01-01T00:00:00.000", "2021-06-01T12:00:00.000"]
    assert list(read["other"]) == ["1 3", "2 -4"]
    assert list(read["two"]) == ["a, b", "c, d"]


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"])
def test_nulls_of_fits_are_the_numbers_of_no_source(tmp_path, kind):
    values = np.array([np.array(999999).astype(kind), 0, np.iinfo(kind).max // 2], dtype=kind)
    match = crossmatch(catalogue([1, 500, 700]), catalogue([1, 500, 900], number=values))
    path = tmp_path / "m.fits"
    table_writer(joined([match], "left"), match_header([match], "left"), path)(path)
    read = Table.read(path)["number_ref"]
    assert list(np.ma.getmaskarray(read)) == [False, False, True]
    np.testing.assert_array_equal(read[:2], values[:2])


def test_the_least_number_of_a_type_is_kept_beside_a_null(tmp_path):
    values = np.array([-32768, 5], dtype="i2")
    match = crossmatch(catalogue([1, 700, 500]), catalogue([1, 500], number=values))
    path = tmp_path / "m.fits"
    table_writer(joined([match], "left"), match_header([match], "left"), path)(path)
    assert list(Table.read(path)["number_ref"].filled(-1)) == [-32768, -1, 5]


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv", "csv"])
def test_a_radius_matches_sources_without_an_error(tmp_path, ending):
    table = Table({"ra": [100.0, 900] * u.arcsec, "dec": [0.0, 0] * u.arcsec})
    table["pos_err"] = [np.nan, 1.0] * u.arcsec
    with pytest.warns(PssegWarning, match="1 of 2 sources have no position error: nothing but a f"):
        theirs = make_sky_table(table, label="ref", origin="ref.fits")
    ours = catalogue([101, 500, 901], label="cat")
    match = crossmatch(ours, theirs, MatchOptions(method="radius", radius=5.0))
    assert match.n_matched == 2
    path = tmp_path / f"m.{ending}"
    table = joined([match], "left")
    table_writer(table, match_header([match], "left"), path)(path)
    np.testing.assert_array_equal(np.isfinite(table["P_ANY"]), [False, True, True])
    assert 0 < match_header([match], "left")["COMPLETE"] < 1
