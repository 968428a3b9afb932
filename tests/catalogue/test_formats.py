"""A catalogue comes back from every format as it was, and other programs read it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import QTable, Table
from astropy.wcs import WCS
from made_catalogues import (
    FORMATS,
    assert_same,
    counts_catalogue,
    radio_catalogue,
    radio_components,
)

from psseg.catalogue.formats import (
    FORMATS as ALL_FORMATS,
)
from psseg.catalogue.formats import (
    check_formats,
    format_paths,
    format_writers,
    read_catalogue,
)
from psseg.catalogue.radio_styles import styled
from psseg.catalogue.radio_table import write_radio_catalogue
from psseg.catalogue.table import write_catalogue
from psseg.errors import PssegError
from psseg.products import write_together

MAKERS = {"counts": counts_catalogue, "continuum": radio_catalogue}
PROVENANCE = {"CREATOR": "psseg 0.1.0", "INPATH": f"/{'long/' * 30}map.fits", "INFILE": "map.fits"}
HISTORY = {"HISTORY": ["psseg catalogue map.fits", "the unit was guessed"]}

pytestmark = pytest.mark.filterwarnings("ignore:.*pyarrow:DeprecationWarning")


@pytest.fixture(params=FORMATS)
def name(request):
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return request.param


@pytest.fixture
def write(tmp_path):
    def to_file(table, name, provenance=PROVENANCE):
        paths = format_paths([name], tmp_path / "made")
        area = {"searched": np.ones((2, 2), bool), "wcs": WCS(naxis=2)}
        write_together(format_writers(paths, table, provenance, **area))
        return paths[name]

    return to_file


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("n", [0, 1, 300])
def test_a_catalogue_comes_back(write, name, make, n):
    table = make(n)
    back = read_catalogue(write(table, name, PROVENANCE | HISTORY))
    assert_same(back, table)
    assert back.meta == PROVENANCE | HISTORY


@pytest.mark.parametrize("n", [0, 300])
def test_a_catalogue_comes_back_from_fits(tmp_path, n):
    survey, thresholds = Table({"BAND": ["a"]}), {"threshold": 0.5}
    write_catalogue(
        tmp_path / "counts.fits", counts_catalogue(n), provenance=PROVENANCE | HISTORY,
        survey_table=survey, thresholds=thresholds,
    )  # fmt: skip
    write_radio_catalogue(
        tmp_path / "radio.fits", radio_catalogue(n), radio_components(2 * n),
        provenance=PROVENANCE | HISTORY, survey_table=survey, thresholds=thresholds,
    )  # fmt: skip
    for file, make in (("counts.fits", counts_catalogue), ("radio.fits", radio_catalogue)):
        back = read_catalogue(tmp_path / file)
        assert_same(back, make(n))
        assert back.meta == PROVENANCE | HISTORY


def test_other_letters_and_other_columns_come_back(write, name):
    table = counts_catalogue(3, Source_Name=["γ Cas, “quoted”", "a;b\t'c'", "<script>&amp;"])
    table["ASSOC1"] = ["3C 279", "", "naïve, 100 %"]
    table["SEP"] = np.array([0.1, np.nan, 3.0]) * u.arcsec
    table["SEP"].info.description = "Angle to the “other”"
    table["SEP"].info.meta = {"ucd": "pos.angDistance"}
    table["BEST"] = [True, False, True]
    table["MAGS"] = np.array([[1.5, 2.5], [3.5, np.nan], [0.0, 1.0]]) * u.mag
    table["N"] = np.array([2**40, 0, -3])
    table["CODE"] = ["007", "010", "9"]
    assert_same(read_catalogue(write(table, name)), table)


def test_numbers_come_back_to_the_last_bit(write, name):
    awkward = np.array(
        [0.1, 1 / 3, 1e-38, 1.4e-45, 3.4028235e38, -0.0, 16777217, np.inf], dtype="f4"
    )
    table = counts_catalogue(len(awkward), SOURCE_PROB=awkward)
    table["RAJ2000"] = np.nextafter(np.linspace(0, 360, len(awkward)), 400) * u.deg
    back = read_catalogue(write(table, name))
    assert back["SOURCE_PROB"].tobytes() == awkward.tobytes()
    assert back["RAJ2000"].value.tobytes() == table["RAJ2000"].value.tobytes()


def test_a_header_as_provenance_is_that_of_the_fits_file(write, name, tmp_path):
    header = fits.Header([("MODEL", "fermi-lat"), ("INPATH", PROVENANCE["INPATH"])])
    header["HISTORY"] = "psseg catalogue " + 10 * "one_of_many_maps.fits "
    table = counts_catalogue(2)
    extra = {"survey_table": Table({"A": [1]}), "thresholds": {}}
    write_catalogue(tmp_path / "it.fits", table, provenance=header, **extra)
    assert read_catalogue(write(table, name, header)).meta == read_catalogue(
        tmp_path / "it.fits"
    ).meta  # fmt: skip


def test_flags_are_explained_in_the_file(write, name):
    content = write(counts_catalogue(1), name).read_bytes()
    if name == "csv":
        content = write(counts_catalogue(1), name).with_name(
            "made_catalogue.csv-metadata.json"
        ).read_bytes()  # fmt: skip
    assert b"BLENDED: a neighbour is too close" in content


def test_csv_is_plain_and_its_sidecar_says_the_rest(write):
    path = write(counts_catalogue(4), "csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert [n for n in rows[0] if n.startswith("Flux_Band")] == [
        f"Flux_Band_{k}" for k in range(1, 9)
    ]
    content = json.loads(path.with_name(f"{path.name}-metadata.json").read_text("utf-8"))
    columns = {column["name"]: column for column in content["tableSchema"]["columns"]}
    assert content["url"] == path.name
    assert list(columns) == list(rows[0])
    flux = columns["Flux_Band_3"]
    assert (flux["datatype"], flux["dc:isPartOf"]) == ("float", "Flux_Band")
    assert u.Unit(flux["schema:unitText"]) == u.Unit("cm-2 s-1")
    assert "phot.flux;em.gamma" in flux.values()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("n", [0, 5])
def test_csv_without_its_sidecar_is_read_all_the_same(write, make, n):
    path = write(make(n), "csv")
    path.with_name(f"{path.name}-metadata.json").unlink()
    assert_same(read_catalogue(path), make(n))


def test_csv_without_its_sidecar_has_empty_words_where_all_are(write):
    table = counts_catalogue(4)
    table["CLASS1"] = ""
    path = write(table, "csv")
    path.with_name(f"{path.name}-metadata.json").unlink()
    assert read_catalogue(path)["CLASS1"].tolist() == [""] * 4


def test_csv_saved_by_a_spreadsheet_is_read(write):
    path = write(counts_catalogue(3), "csv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert_same(read_catalogue(path), counts_catalogue(3))


def test_votable_has_units_ucds_and_a_frame(write):
    table = parse_single_table(str(write(radio_catalogue(2), "votable")))
    field = table.get_field_by_id_or_name("peak_flux")
    assert field.ucd == "phot.flux.density;stat.max;em.radio;stat.fit"
    assert field.unit == u.Unit("Jy/beam")
    assert table.get_field_by_id_or_name("ra").ref == "icrs"
    assert {"CREATOR", "FLAG1"} < {info.name for info in table.infos}


def test_parquet_tells_units_to_everyone(write):
    parquet = pytest.importorskip("pyarrow.parquet")
    schema = parquet.read_schema(write(counts_catalogue(2), "parquet"))
    field = schema.field("RAJ2000").metadata
    assert (field[b"unit"], field[b"ucd"]) == (b"deg", b"pos.eq.ra;meta.main")
    assert field[b"description"] == b"Right ascension (ICRS)"
    header = schema.metadata[b"IVOA.VOTable-Parquet.content"].decode()
    assert 'ucd="pos.eq.ra;meta.main"' in header
    assert schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("psseg.catalogue.parquet_format.find_spec", lambda name: None)
    with pytest.raises(PssegError, match="Parquet needs pyarrow"):
        check_formats(["csv", "parquet"], counts=True)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(PssegError, match="Parquet needs pyarrow"):
        read_catalogue(tmp_path / "b.parquet")


def test_unknown_and_unfit_formats_are_refused():
    with pytest.raises(PssegError, match=r"want one of votable, .*, 4fgl, moc, got 'xls'"):
        check_formats(["csv", "xls"], counts=True)
    with pytest.raises(PssegError, match="4fgl is for counts maps"):
        check_formats(["4fgl"], counts=False)
    check_formats([name for name in ALL_FORMATS if name not in ("parquet", "moc")], counts=True)


def damaged(write, name):
    path = write(counts_catalogue(20), name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def test_a_damaged_file_is_refused_in_one_line(write, name):
    with pytest.raises(PssegError, match="made_catalogue") as caught:
        read_catalogue(damaged(write, name))
    assert len(str(caught.value)) < 400


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_a_fits_file_that_ends_within_its_table_is_refused(tmp_path):
    path, extra = tmp_path / "it.fits", {"survey_table": Table({"A": [1]}), "thresholds": {}}
    write_catalogue(path, counts_catalogue(200), provenance={}, **extra)
    with fits.open(path) as hdus:
        start = hdus["CATALOGUE"].fileinfo()["datLoc"]
    path.write_bytes(path.read_bytes()[: start + 5000])
    with pytest.raises(PssegError, match=r"it\.fits: cannot be read"):
        read_catalogue(path)


@pytest.mark.parametrize("content", [b"", b"no table", b"a,b\n1\n", b"<html></html>", b"\xff\xfe"])
def test_what_is_no_catalogue_is_refused(tmp_path, content):
    (tmp_path / "it.csv").write_bytes(content)
    with pytest.raises(PssegError, match=r"it\.csv: "):
        read_catalogue(tmp_path / "it.csv")


def test_files_that_are_not_there_or_no_catalogue_are_refused(write, name, tmp_path):
    with pytest.raises(PssegError, match="none: cannot be read: No such file"):
        read_catalogue(tmp_path / "none")
    other = radio_catalogue(2)
    other.rename_column("ra", "right_ascension")
    with pytest.raises(PssegError, match=r"it lacks ra$"):
        read_catalogue(write(other, name))


@pytest.mark.parametrize("style", ["pybdsf", "casda", "aegean"])
def test_names_and_units_of_other_source_finders_are_read_back(write, name, style):
    table = radio_catalogue(5)
    back = read_catalogue(write(styled(table, style), name))
    assert back.colnames == table.colnames
    for column in table.colnames:
        assert back[column].info.description == table[column].info.description
        if table[column].dtype.kind == "f":
            assert back[column].unit == table[column].unit
            one, other = (u.Quantity(t[column]).value for t in (back, table))
            np.testing.assert_allclose(one, other, rtol=2e-6)
        else:
            assert back[column].tolist() == table[column].tolist()


def test_words_where_numbers_should_be_are_told(write):
    path = write(counts_catalogue(1), "csv")
    header, row = path.read_text("utf-8").splitlines()
    words = row.split(",")
    words[1] = "east"
    path.write_text(f"{header}\n{','.join(words)}\n", "utf-8")
    with pytest.raises(PssegError, match="column RAJ2000 holds something else than numbers"):
        read_catalogue(path)


@pytest.mark.external
@pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed")
class TestStilts:
    """STILTS, TOPCAT without windows, as the judge."""

    @pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
    @pytest.mark.parametrize("n", [0, 7])
    def test_votlint_finds_nothing(self, write, make, n):
        path = write(make(n), "votable", PROVENANCE | HISTORY)
        done = stilts("votlint", "ucd=true", "unit=true", f"votable={path}")
        assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "", "")

    @pytest.mark.parametrize("name", ["votable", "csv"])
    def test_stilts_reads_the_same_numbers(self, write, name, tmp_path):
        table, out = counts_catalogue(5), tmp_path / "out.fits"
        done = stilts("tcopy", write(table, name), out, f"ifmt={name}", "ofmt=fits")
        assert done.returncode == 0, done.stderr
        found = QTable.read(out, hdu=1, mask_invalid=False, character_as_bytes=False)
        assert list(found["Source_Name"]) == list(table["Source_Name"])
        for column in ("RAJ2000", "FLUX1000"):
            assert np.allclose(
                np.asarray(getattr(found[column], "value", found[column])),
                table[column].value, rtol=1e-6, equal_nan=True,
            )  # fmt: skip


def stilts(*words):
    return subprocess.run(
        ["stilts", *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )
