"""A radio catalogue has every column, and comes back from a file as it was."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable.ucd import check_ucd
from astropy.table import QTable, Table
from hypothesis import given
from hypothesis import strategies as st
from made_images import RMS, beam_covariance, discs, draw, make_image, measure

from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS
from psseg.catalogue.radio_flags import RADIO_FLAG_MEANINGS, RadioFlag
from psseg.catalogue.radio_styles import STYLES, styled
from psseg.catalogue.radio_table import (
    build_radio_catalogue,
    empty_radio_catalogue,
    radio_source_names,
    read_radio_catalogue,
    write_radio_catalogue,
)
from psseg.catalogue.segment_map import list_segments
from psseg.errors import PssegError

LIKELIHOODS = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])


@pytest.fixture(scope="module")
def measured():
    plane = np.random.default_rng(1).normal(0, 0.01 * RMS, (60, 80))
    draw(plane, [20, 50, 60], [20, 40, 40], np.array([50, 40, 80]) * RMS, beam_covariance())
    segments = discs(plane.shape, [20, 55], [20, 40], [4, 10])
    return measure(make_image([plane]), segments)


@pytest.fixture
def catalogue(measured):
    return build_radio_catalogue(
        *measured,
        likelihoods=LIKELIHOODS,
        probabilities=[[0.2, 0.7, 0.1], [0.3, 0.1, 0.6]],
        source_probability=[0.9, 0.99],
    )


@pytest.fixture
def write(tmp_path):
    def to_file(tables, name="made_catalogue.fits", **changes):
        options = {
            "provenance": {"PSSEGVER": "0.2.0", "MODEL": "radio"},
            "survey_table": Table({"BAND": ["Stokes I"]}, meta={"SURVEY": "radio"}),
            "thresholds": {"threshold": 0.6},
        }
        write_radio_catalogue(tmp_path / name, *tables, **(options | changes))
        return tmp_path / name

    return to_file


def test_names_are_truncated_and_told_apart():
    ra = [(23 + 59 / 60 + 59.99 / 3600) * 15, 83.6331, 359.99999999, 15.0]
    assert radio_source_names(ra, [-0.99 / 3600, 22.0145, 89.99999, -45.0]).tolist() == [
        "PSSEG J235959.9-000000",
        "PSSEG J053431.9+220052",
        "PSSEG J235959.9+895959",
        "PSSEG J010000.0-450000",
    ]
    assert [name[-1] for name in radio_source_names([10.0] * 3, [5.0] * 3)] == ["a", "b", "c"]


@given(ra=st.floats(0, 360, exclude_max=True), dec=st.floats(-90, 90))
def test_a_name_holds_its_position(ra, dec):
    name = str(radio_source_names([ra], [dec])[0]).removeprefix("PSSEG J")
    hours = int(name[:2]) + int(name[2:4]) / 60 + float(name[4:8]) / 3600
    degrees = int(name[9:11]) + int(name[11:13]) / 60 + int(name[13:15]) / 3600
    assert -1e-7 <= (ra - hours * 15 + 180) % 360 - 180 <= 1.5 / 3600 + 1e-7
    assert abs(dec) - degrees == pytest.approx(0.5 / 3600, abs=0.5 / 3600 + 1e-7)


def test_a_catalogue_has_the_declared_columns(catalogue):
    for table, columns, n in zip(
        catalogue, (RADIO_COLUMNS, COMPONENT_COLUMNS), (2, 3), strict=True
    ):
        assert table.colnames == [column.name for column in columns]
        for column in columns:
            made = table[column.name]
            assert len(made) == n
            assert made.dtype == np.dtype(column.dtype)
            assert u.Unit(getattr(made, "unit", None) or "") == u.Unit(column.unit)
            assert made.info.description == column.description


def test_classes_follow_the_probabilities(catalogue, measured):
    table, components = catalogue
    assert table["CLASS"].tolist() == ["blazar", "other"]
    assert table["CLASS1"].tolist() == ["bcu", ""]
    assert table["P_BLAZAR"] == pytest.approx([0.7, 0.1])
    assert table["L_PULSAR"] == pytest.approx([0.7, 0.1])
    assert table["SOURCE_PROB"] == pytest.approx([0.9, 0.99])
    assert components["Source_Name"].tolist() == [table["Source_Name"][k] for k in (0, 1, 1)]
    plain, _ = build_radio_catalogue(*measured, likelihoods=LIKELIHOODS)
    assert plain["CLASS"].tolist() == ["pulsar", "other"]
    assert plain["SOURCE_PROB"] == pytest.approx(measured[0]["SOURCE_SCORE"])


def test_components_follow_a_selection_of_sources(measured):
    sources, components = measured
    table, chosen = build_radio_catalogue(sources[1:], components, likelihoods=LIKELIHOODS[1:])
    assert len(table) == 1
    assert chosen["Source_Name"].tolist() == [table["Source_Name"][0]] * 2
    assert chosen["peak_flux"].value == pytest.approx([80 * RMS, 40 * RMS], rel=0.01)


def test_nothing_measured_makes_an_empty_catalogue():
    image = make_image([np.zeros((20, 20))])
    measured = measure(image, list_segments(np.zeros((20, 20), dtype=int)))
    built = build_radio_catalogue(*measured, likelihoods=np.zeros((0, 3)))
    for made, empty in zip(built, empty_radio_catalogue(), strict=True):
        assert len(made) == len(empty) == 0
        assert made.colnames == empty.colnames
        assert [made[name].dtype for name in made.colnames] == [
            empty[name].dtype for name in empty.colnames
        ]


@pytest.mark.parametrize("n", [0, 2])
def test_a_catalogue_comes_back_from_its_file(write, catalogue, n):
    table, components = catalogue[0][:n], catalogue[1][: n + 1 if n else 0]
    provenance = {"MODEL": "radio", "HISTORY": ["one", "two"]}
    back = read_radio_catalogue(write((table, components), provenance=provenance))
    for found, put in zip(back, (table, components), strict=True):
        assert found.colnames == put.colnames
        for name in put.colnames:
            is_number = put[name].dtype.kind == "f"
            assert np.array_equal(found[name], put[name], equal_nan=is_number)
            assert found[name].dtype == put[name].dtype
            assert getattr(found[name], "unit", None) == getattr(put[name], "unit", None)
            assert found[name].info.description == put[name].info.description
            assert found[name].info.meta == put[name].info.meta
    assert back[0].meta == {"MODEL": "radio", "HISTORY": ["one", "two"]}


def test_the_file_tells_all(write, catalogue):
    with fits.open(write(catalogue)) as hdus:
        names = [hdu.name for hdu in hdus]
        assert names == ["PRIMARY", "CATALOGUE", "COMPONENTS", "SURVEY", "THRESHOLDS"]
        assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)
        header = hdus["CATALOGUE"].header
        assert header["MODEL"] == hdus[0].header["MODEL"] == "radio"
        assert [header[f"FLAG{f.value}"].split(":")[0] for f in RadioFlag] == [
            f.name for f in RadioFlag
        ]
        place = list(header["TTYPE*"].values()).index("peak_flux") + 1
        assert header[f"TUNIT{place}"] == "Jy/beam"
        assert header[f"TUCD{place}"] == "phot.flux.density;stat.max;em.radio;stat.fit"
        assert hdus["SURVEY"].header["SURVEY"] == "radio"
        assert hdus["THRESHOLDS"].data["VALUE"].tolist() == [0.6]
    assert set(RADIO_FLAG_MEANINGS) == set(RadioFlag)


@pytest.mark.parametrize(
    "column", [*RADIO_COLUMNS, *COMPONENT_COLUMNS], ids=lambda column: column.name
)
def test_ucds_and_units_are_standard(column):
    assert check_ucd(column.ucd, check_controlled_vocabulary=True)
    assert column.unit in ("", "deg", "Jy", "Jy/beam", "Hz")
    assert 0 < len(column.description) <= 80


def test_wrong_tables_and_files_are_refused(write, catalogue, measured, tmp_path):
    table, components = catalogue
    path = write(catalogue)
    with pytest.raises(PssegError, match="exists already"):
        write(catalogue)
    with pytest.raises(PssegError, match="the table is no catalogue, it lacks COMPONENT"):
        write(
            (table, QTable(components[[n for n in components.colnames if n != "COMPONENT"]])), "b"
        )
    with pytest.raises(PssegError, match=r"likelihoods: want shape \(2, 3\), a row per source"):
        build_radio_catalogue(*measured, likelihoods=LIKELIHOODS[:1])
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(PssegError, match=r"text\.fits: cannot be read"):
        read_radio_catalogue(tmp_path / "text.fits")
    fits.PrimaryHDU().writeto(tmp_path / "bare.fits")
    with pytest.raises(PssegError, match="there is no HDU named CATALOGUE"):
        read_radio_catalogue(tmp_path / "bare.fits")
    assert len(read_radio_catalogue(path)[0]) == 2


def test_styles_rename_and_convert(catalogue):
    table, _ = catalogue
    casda = styled(table, "casda")
    assert casda["flux_peak"].unit == u.mJy / u.beam
    assert casda["flux_peak"].value == pytest.approx(1e3 * table["peak_flux"].value)
    assert casda["maj_axis"].value == pytest.approx(3600 * table["maj"].value)
    assert casda["ra_deg_cont"].value.tolist() == table["ra"].value.tolist()
    aegean, pybdsf = styled(table, "aegean"), styled(table, "pybdsf")
    assert {"err_ra", "a", "b", "local_rms", "flags"} < set(aegean.colnames)
    assert aegean["a"].unit == u.arcsec
    assert {"RA", "Total_flux", "DC_Maj", "Isl_rms", "P_PULSAR"} < set(pybdsf.colnames)
    assert pybdsf["Total_flux"].info.description == table["int_flux"].info.description
    for style, names in STYLES.items():
        assert set(names) <= {column.name for column in RADIO_COLUMNS}
        assert len(styled(table, style).colnames) == len(table.colnames)
    with pytest.raises(PssegError, match="style: want one of pybdsf, casda, aegean, got 'miriad'"):
        styled(table, "miriad")


def test_a_file_in_another_style_has_its_names_and_units(write, catalogue):
    with fits.open(write(catalogue, style="casda")) as hdus:
        table, components = (QTable.read(hdus[name]) for name in ("CATALOGUE", "COMPONENTS"))
    np.testing.assert_allclose(table["freq"].to_value("Hz"), catalogue[0]["freq"].value)
    assert table["freq"].unit == u.MHz
    assert table["flux_peak"].unit == components["flux_peak"].unit == u.mJy / u.beam
    assert {"island_id", "ra_deg_cont"} < set(table.colnames) & set(components.colnames)
    with pytest.raises(PssegError, match="style: want one of"):
        write(catalogue, "other.fits", style="miriad")
