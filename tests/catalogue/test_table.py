"""A catalogue has every column, whatever was found, and comes back from a file as it was."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable.ucd import check_ucd
from astropy.table import QTable
from hypothesis import given
from hypothesis import strategies as st
from made_skies import SURVEY, make_sky
from measured_skies import measure

from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.flags import Flag
from psseg.catalogue.formats import read_catalogue
from psseg.catalogue.table import (
    build_catalogue,
    describe_survey,
    empty_catalogue,
    source_names,
    write_catalogue,
)
from psseg.errors import PssegError

LIKELIHOODS = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])


@pytest.fixture(scope="module")
def measured():
    sky = make_sky(np.random.default_rng(1), x=[30.2, 66.7], y=[48, 50], counts=[2000, 900])
    return measure(sky)[1]


@pytest.fixture
def catalogue(measured):
    return build_catalogue(
        measured,
        likelihoods=LIKELIHOODS,
        probabilities=[[0.2, 0.7, 0.1], [0.3, 0.1, 0.6]],
        source_probability=[0.9, 0.99],
    )


@pytest.fixture
def write(tmp_path):
    def to_file(table, name="made_catalogue.fits", **changes):
        options = {
            "provenance": {"PSSEGVER": "0.1.0", "MODEL": "fermi-lat"},
            "survey_table": describe_survey(SURVEY),
            "thresholds": {"low_latitude": 0.6, "high_latitude": 0.4},
        }
        write_catalogue(tmp_path / name, table, **(options | changes))
        return tmp_path / name

    return to_file


def test_names_are_truncated():
    hours, minutes = 23, 59.99
    ra = [(hours + minutes / 60) * 15, 83.6331, 0.0, 359.9999999, 15.0]
    dec = [-0.001, 22.0145, -0.99 / 60, 89.9999, -45.0]
    assert source_names(ra, dec).tolist() == [
        "PSSEG J2359.9-0000",
        "PSSEG J0534.5+2200",
        "PSSEG J0000.0-0000",
        "PSSEG J2359.9+8959",
        "PSSEG J0100.0-4500",
    ]


def test_the_same_name_gets_letters_in_order():
    names = source_names([10.0] * 28, [5.0] * 28)
    assert names[:2].tolist() == ["PSSEG J0040.0+0500a", "PSSEG J0040.0+0500b"]
    assert names[25:].tolist() == [f"PSSEG J0040.0+0500{end}" for end in ("z", "aa", "ab")]


@given(ra=st.floats(0, 360, exclude_max=True), dec=st.floats(-90, 90))
def test_a_name_holds_its_position(ra, dec):
    name = str(source_names([ra], [dec])[0]).removeprefix("PSSEG J")
    hours, sign, degrees = int(name[:2]) + float(name[2:6]) / 60, name[6], name[7:]
    declination = (int(degrees[:2]) + int(degrees[2:]) / 60) * (-1 if sign == "-" else 1)
    assert -1e-6 <= (ra - hours * 15 + 180) % 360 - 180 <= 0.025 + 1e-6
    assert abs(dec) - abs(declination) == pytest.approx(1 / 120, abs=1 / 120 + 1e-6)


def test_a_catalogue_has_the_declared_columns(catalogue):
    assert catalogue.colnames == [column.name for column in COLUMNS]
    for column in COLUMNS:
        made = catalogue[column.name]
        assert made.dtype == np.dtype(column.dtype)
        assert str(getattr(made, "unit", None) or "") == str(u.Unit(column.unit))
        assert made.info.description == column.description
        assert made.shape == ((2, 8) if column.per_band else (2,))


def test_classes_follow_the_probabilities(catalogue):
    assert catalogue["CLASS"].tolist() == ["blazar", "other"]
    assert catalogue["CLASS1"].tolist() == ["bcu", ""]
    assert catalogue["P_BLAZAR"] == pytest.approx([0.7, 0.1])
    assert catalogue["L_PULSAR"] == pytest.approx([0.7, 0.1])
    assert catalogue["SOURCE_PROB"] == pytest.approx([0.9, 0.99])


def test_without_priors_and_calibration_likelihoods_and_scores_stand(measured):
    plain = build_catalogue(measured, likelihoods=LIKELIHOODS)
    assert plain["CLASS"].tolist() == ["pulsar", "other"]
    assert plain["CLASS1"].tolist() == ["psr", ""]
    assert plain["P_OTHER"].tolist() == plain["L_OTHER"].tolist()
    assert plain["SOURCE_PROB"] == pytest.approx(measured["SOURCE_SCORE"])


def test_nothing_measured_makes_an_empty_catalogue():
    sky = make_sky(np.random.default_rng(1), x=[], y=[], counts=[], n=32)
    built = build_catalogue(measure(sky)[1], likelihoods=np.zeros((0, 3)))
    empty = empty_catalogue(n_bands=8)
    assert len(built) == len(empty) == 0
    assert built.colnames == empty.colnames
    for name in built.colnames:
        assert built[name].dtype == empty[name].dtype
        assert built[name].shape == empty[name].shape
        assert getattr(built[name], "unit", None) == getattr(empty[name], "unit", None)


@pytest.mark.parametrize("n", [0, 2])
def test_a_catalogue_comes_back_from_its_file(write, catalogue, n):
    path = write(catalogue[:n], provenance={"MODEL": "fermi-lat", "HISTORY": ["one", "two"]})
    back = read_catalogue(path)
    assert back.colnames == catalogue.colnames
    for name in catalogue.colnames:
        assert np.array_equal(back[name], catalogue[name][:n], equal_nan=name.startswith("FLUX"))
        assert back[name].dtype == catalogue[name].dtype
        assert getattr(back[name], "unit", None) == getattr(catalogue[name], "unit", None)
        assert back[name].info.description == catalogue[name].info.description
        assert back[name].info.meta == catalogue[name].info.meta
    assert back.meta == {"MODEL": "fermi-lat", "HISTORY": ["one", "two"]}


def test_a_catalogue_that_was_read_can_be_written_again(write, catalogue):
    first = read_catalogue(write(catalogue))
    second = read_catalogue(write(first, "again.fits", provenance={"HISTORY": "sorted"}))
    assert second.meta == {"PSSEGVER": "0.1.0", "MODEL": "fermi-lat", "HISTORY": ["sorted"]}


def test_the_file_tells_all(write, catalogue):
    header = fits.Header([("MODELSHA", "ab" * 32, "its SHA-256"), ("INFILE", "map.fits")])
    header["HISTORY"] = "psseg catalogue map.fits"
    with fits.open(write(catalogue, provenance=header)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "CATALOGUE", "SURVEY", "THRESHOLDS"]
        assert all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)
        assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)
        made = hdus["CATALOGUE"].header
        assert made["MODELSHA"] == hdus[0].header["MODELSHA"] == "ab" * 32
        assert str(made["HISTORY"]) == "psseg catalogue map.fits"
        assert made["FLAG4"].startswith("BLENDED: ")
        assert [made[f"FLAG{flag.value}"].split(":")[0] for flag in Flag] == [f.name for f in Flag]
        place = list(made["TTYPE*"].values()).index("Flux_Band") + 1
        assert made[f"TUNIT{place}"] == "cm-2 s-1"
        assert made[f"TUCD{place}"] == "phot.flux;em.gamma"
        assert made[f"TCOMM{place}"] == "Photon flux in each band, each fitted freely"
        assert hdus["SURVEY"].header["SURVEY"] == "fermi-lat"
        assert hdus["SURVEY"].data["PSF_R68"] == pytest.approx(
            [psf.containment_radius(0.68) for psf in SURVEY.instrument.psf]
        )
        assert hdus["THRESHOLDS"].data["NAME"].tolist() == ["low_latitude", "high_latitude"]
        assert hdus["THRESHOLDS"].data["VALUE"].tolist() == [0.6, 0.4]


def test_what_is_not_ascii_does_not_spoil_the_header(write, catalogue):
    path = write(catalogue, provenance={"INFILE": "γ-sky.fits", "HISTORY": ["≥ 1 GeV"]})
    assert read_catalogue(path).meta == {"INFILE": "?-sky.fits", "HISTORY": ["? 1 GeV"]}


def test_other_columns_are_kept(write, catalogue):
    catalogue["ASSOC1"] = ["3C 279", ""]
    catalogue["SEP"] = [0.1, np.nan] * u.deg
    back = read_catalogue(write(catalogue))
    assert back["ASSOC1"].tolist() == ["3C 279", ""]
    assert back["SEP"].unit == u.deg


def test_every_tool_of_astropy_reads_the_file(write, catalogue):
    table = QTable.read(write(catalogue), hdu="CATALOGUE")
    position = SkyCoord(table["RAJ2000"], table["DEJ2000"])
    assert position.separation(SkyCoord(table["GLON"], table["GLAT"], frame="galactic")).max() < (
        0.01 * u.arcsec
    )


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_ucds_and_units_are_standard(column):
    assert check_ucd(column.ucd, check_controlled_vocabulary=True)
    assert column.unit in ("", "deg", "cm-2 s-1")
    assert 0 < len(column.description) <= 80


def test_wrong_tables_and_files_are_refused(write, catalogue, measured, tmp_path):
    path = write(catalogue)
    with pytest.raises(PssegError, match="exists already"):
        write(catalogue)
    catalogue.remove_column("GLON")
    with pytest.raises(PssegError, match="the table is no catalogue, it lacks GLON"):
        write(catalogue, "other.fits")
    with pytest.raises(PssegError, match=r"likelihoods: want shape \(2, 3\), a row per source"):
        build_catalogue(measured, likelihoods=LIKELIHOODS[:1])
    (tmp_path / "text.fits").write_text("SIMPLE, but no FITS")
    with pytest.raises(PssegError, match=r"text\.fits: cannot be read"):
        read_catalogue(tmp_path / "text.fits")
    fits.PrimaryHDU().writeto(tmp_path / "bare.fits")
    with pytest.raises(PssegError, match="there is no HDU named CATALOGUE"):
        read_catalogue(tmp_path / "bare.fits")
    with pytest.raises(PssegError, match=r"none\.fits: cannot be read"):
        read_catalogue(tmp_path / "none.fits")
    assert len(read_catalogue(path)) == 2
