"""Catalogues as people have them: formats, columns, units, names, and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from psseg.crossmatch.columns import ColumnChoice
from psseg.crossmatch.reference import make_sky_table, read_reference, stem_of
from psseg.errors import PssegError, PssegWarning

POSITIONS = {"RA": [10.0, 200.5] * u.deg, "DEC": [-5.0, 60.25] * u.deg}
ERRORS = {"e_RA": [1.0, 2.0] * u.arcsec, "e_DEC": [2.0, 1.0] * u.arcsec}


def sky_table(columns, **choice):
    return make_sky_table(
        Table(columns), label="mine", origin="mine.fits", choice=ColumnChoice(**choice)
    )


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv"])
def test_every_format_gives_the_same_catalogue(tmp_path, ending):
    path = tmp_path / f"mine.{ending}"
    table = Table({**POSITIONS, **ERRORS, "Name": ["a", "Ωb"], "Flux": [1.0, 2.0] * u.Jy})
    if ending == "fits":
        table["Name"] = ["a", "b"]
    table.write(path, format="votable" if ending == "vot" else None)
    packed = tmp_path / f"packed.{ending}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for read in (read_reference(path), read_reference(packed)):
        np.testing.assert_allclose(read.coords.ra.deg, [10, 200.5])
        np.testing.assert_allclose(read.ellipses.major * 3600, [2, 2])
        np.testing.assert_allclose(read.ellipses.angle, [0, 90], atol=1e-9)
        assert read.flux_column == "Flux"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("name,RA (J2000.0),Dec (J2000.0)", "<b>x</b>,00 42 44.3,+41 16 09"),
        ("name;RAJ2000;DEJ2000", "M 31;00:42:44.3;+41:16:09"),
        ("# a comment\nname|ra|dec", "M 31|0h42m44.3s|+41d16m09s"),
        ("name\tra_deg\tdec_deg", "Andrómeda\t10.684583\t41.269167"),
    ],
)
def test_text_tables_in_usual_forms(tmp_path, header, row):
    path = tmp_path / "mine.txt"
    path.write_text(f"{header}\n{row}\n", "utf-8")
    with pytest.warns(PssegWarning, match="1 arcsec is taken"):
        read = read_reference(path, ColumnChoice(unit="deg"))
    assert read.coords.ra.deg[0] == pytest.approx(10.684583, abs=1e-6)
    assert read.coords.dec.deg[0] == pytest.approx(41.269167, abs=1e-6)
    assert str(read.table["name"][0]) == row[: len(read.table["name"][0])]


def test_text_in_an_old_encoding_is_read(tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("name,ra,dec\nNebulöse,1,2\n".encode("latin-1"))
    read = read_reference(path, ColumnChoice(unit="deg", error="2"))
    assert read.table["name"][0] == "Nebulöse"


def test_ucds_win_over_names():
    table = Table(
        {"ra": [1.0] * u.deg, "dec": [1.0] * u.deg, "x": [5.0] * u.deg, "y": [6.0] * u.deg}
    )
    table["x"].info.meta = {"ucd": "pos.eq.ra;meta.main"}
    table["y"].info.meta = {"ucd": "POS_EQ_DEC_MAIN"}
    read = make_sky_table(table, label="m", origin="m", choice=ColumnChoice(error="1"))
    assert (read.coords.ra.deg[0], read.coords.dec.deg[0]) == (5, 6)


def test_ucds_of_fits_columns_are_read(tmp_path):
    hdu = fits.table_to_hdu(Table({"a": [5.0] * u.deg, "b": [6.0] * u.deg}))
    hdu.header["TUCD1"], hdu.header["TUCD2"] = "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"
    hdu.writeto(tmp_path / "m.fits")
    read = read_reference(tmp_path / "m.fits", ColumnChoice(error="1"))
    assert read.coords.dec.deg[0] == 6


def test_the_table_with_positions_is_found_among_others(tmp_path):
    others = fits.table_to_hdu(Table({"energy": [1.0]}))
    sources = fits.table_to_hdu(Table({**POSITIONS, **ERRORS}))
    fits.HDUList([fits.PrimaryHDU(), others, sources]).writeto(tmp_path / "m.fits")
    assert len(read_reference(tmp_path / "m.fits")) == 2


def test_galactic_positions_become_equatorial():
    read = sky_table({"GLON": [0.0] * u.deg, "GLAT": [0.0] * u.deg}, error="1")
    assert read.coords.ra.deg[0] == pytest.approx(266.405, abs=1e-3)


def test_units_other_than_degrees_are_converted():
    read = sky_table({"ra": [1.0] * u.hourangle, "dec": [0.5] * u.rad}, error="1")
    assert read.coords.ra.deg[0] == pytest.approx(15)
    assert read.coords.dec.deg[0] == pytest.approx(28.6479, abs=1e-4)


@pytest.mark.parametrize(
    ("unit", "ra", "dec"),
    [
        ("deg", np.linspace(0, 359, 30), np.linspace(-80, 80, 30)),
        ("rad", np.linspace(0, 6.28, 30), np.linspace(-1.5, 1.5, 30)),
        ("hourangle", np.linspace(0, 23.9, 30), np.linspace(-80, 80, 30)),
    ],
)
def test_a_missing_unit_is_guessed_and_said(unit, ra, dec):
    with pytest.warns(PssegWarning, match=f"no unit; taken for {unit}"):
        read = sky_table({"ra": ra, "dec": dec}, error="1")
    factor = {"deg": 1, "rad": 180 / np.pi, "hourangle": 15}[unit]
    assert read.coords.ra.deg[-1] == pytest.approx(factor * ra[-1])
    assert read.coords.dec.deg[-1] == pytest.approx(dec[-1] * (factor if unit == "rad" else 1))


@pytest.mark.parametrize(("values", "unit"), [([2e-4, 3e-4], "deg"), ([0.3, 2.0], "arcsec")])
def test_a_missing_unit_of_errors_is_guessed_and_said(values, unit):
    with pytest.warns(PssegWarning, match=f"pos_err has no unit; taken for {unit}"):
        read = sky_table({**POSITIONS, "pos_err": values})
    assert read.ellipses.major[0] == pytest.approx((values[0] * u.Unit(unit)).to_value("deg"))


def test_the_user_is_believed():
    columns = {"ra": [1.0] * u.deg, "dec": [2.0] * u.deg, "x": [3.0] * u.deg, "r": [4.0]}
    choice = {"ra": "x", "error": "r", "error_unit": "mas", "confidence": 0.95}
    read = sky_table(columns, **choice)
    assert read.coords.ra.deg[0] == 3
    assert read.ellipses.major[0] * 3.6e6 == pytest.approx(4 / 2.4477, rel=1e-4)


def test_a_confidence_is_that_of_the_error_named_with_it():
    read = sky_table(POSITIONS, error="112", confidence=0.9)
    assert read.ellipses.major[0] * 3600 == pytest.approx(112 / 2.146, rel=1e-4)


def test_galactic_columns_that_are_named_are_galactic():
    columns = {**POSITIONS, "GLON": [120.0, 30.0] * u.deg, "GLAT": [-60.0, 5.0] * u.deg}
    read = sky_table(columns, ra="GLON", dec="GLAT", error="1")
    np.testing.assert_allclose(read.coords.galactic.l.deg, [120, 30])
    np.testing.assert_allclose(read.coords.galactic.b.deg, [-60, 5])


def test_only_the_table_that_is_taken_is_spoken_of(tmp_path):
    other = fits.table_to_hdu(Table({"ra": [1.0], "dec": [2.0]}))
    mine = fits.table_to_hdu(Table({**POSITIONS, "x": [1.0, 2.0] * u.deg}))
    fits.HDUList([fits.PrimaryHDU(), other, mine]).writeto(tmp_path / "m.fits")
    read = read_reference(tmp_path / "m.fits", ColumnChoice(ra="x", error="1"))
    assert list(read.coords.ra.deg) == [1, 2]
    with pytest.raises(PssegError, match=r"no column 'nope'; it has ra, dec$"):
        read_reference(tmp_path / "m.fits", ColumnChoice(flux="nope", unit="deg", error="1"))


def test_an_error_in_seconds_of_time_is_an_angle_at_the_equator():
    columns = {"RA": [10.0] * u.deg, "DEC": [60.0] * u.deg, "e_RA": [0.1] * u.s}
    read = sky_table({**columns, "e_DEC": [0.75] * u.arcsec})
    assert read.ellipses.minor[0] * 3600 == pytest.approx(0.75)
    assert read.ellipses.major[0] * 3600 == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("columns", "choice", "message"),
    [
        ({"a": [1.0], "b": [2.0]}, {}, "no columns of positions found among a, b"),
        ({"ra": [1.0]}, {}, "no columns of positions"),
        (POSITIONS, {"ra": "nope"}, "no column 'nope'"),
        ({"ra": [1.0] * u.deg, "dec": [3600.0] * u.deg}, {"error": "1"}, "no positions; give the"),
        ({"ra": [1.0] * u.Jy, "dec": [3.0] * u.Jy}, {"error": "1"}, "no angle"),
        ({**POSITIONS, "r": [1.0, 1.0] * u.Jy}, {"error": "r"}, "no angle"),
        ({**POSITIONS, "r": [1.0, 1.0]}, {"error": "r", "error_unit": "ells"}, "no unit of angles"),
        (POSITIONS, {"confidence": 0.9}, "confidence is that of error=COLUMN"),
        (
            {**POSITIONS, **ERRORS},
            {"error": "e_RA,e_DEC", "confidence": 0.9},
            "leave confidence out",
        ),
        ({"ra": ["x", "y"], "dec": ["1", "2"]}, {"unit": "deg"}, "no source has a position"),
        ({"ra": [[1.0, 2.0]] * u.deg, "dec": [1.0] * u.deg}, {"error": "1"}, "several values"),
    ],
)
def test_what_cannot_be_positions_is_refused(columns, choice, message):
    with pytest.raises(PssegError, match=message):
        sky_table(columns, **choice)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08\x00broken", "broken"),
        (b"PAR1....", "Parquet"),
        (b"<?xml version='1.0'?><VOTABLE><RESOURCE/></VOTABLE>", "holds no table"),
        (b"SIMPLE  = nonsense", "no readable FITS"),
        (b"\x00\x01\x02\x03", "no table that can be read"),
        (b"\x1b[2J a \x00\n1 2 3\n", "no table that can be read"),
    ],
)
def test_files_that_are_no_catalogues_are_refused(tmp_path, content, message):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(PssegError, match=message):
        read_reference(tmp_path / "bad")


def test_an_image_is_no_catalogue(tmp_path):
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "m.fits")
    with pytest.raises(PssegError, match="holds no table"):
        read_reference(tmp_path / "m.fits")


def test_missing_positions_and_errors_are_counted():
    table = {"ra": [1.0, np.nan, 2.0] * u.deg, "dec": [1.0, 1.0, 2.0] * u.deg}
    with pytest.warns(PssegWarning) as said:
        read = sky_table({**table, "pos_err": [1.0, 1.0, np.nan] * u.arcsec})
    messages = " ".join(str(warning.message) for warning in said)
    assert "1 of 3 sources have no position and" in messages
    assert "1 of 3 sources have no position error" in messages
    np.testing.assert_array_equal(read.ellipses.known, [True, True, False])


def test_a_negative_error_is_one_that_failed():
    with pytest.warns(PssegWarning, match="1 of 2 sources have no position error"):
        read = sky_table({**POSITIONS, "e_RA": [-1.0, 1.0] * u.deg, "e_DEC": [-1.0, 1.0] * u.deg})
    assert not read.ellipses.known[0]


def test_an_error_may_be_given_for_sources_without_one():
    columns = {**POSITIONS, "pos_err": [np.nan, 1.0] * u.arcsec}
    read = sky_table(columns, missing="5")
    np.testing.assert_allclose(read.ellipses.major * 3600, [5, 1])
    with pytest.raises(PssegError, match="no position error"):
        sky_table(columns, missing="many")


def test_errors_of_zero_are_said():
    with pytest.warns(PssegWarning, match="1 of 2 sources have a position error of zero"):
        sky_table({**POSITIONS, "pos_err": [0.0, 1.0] * u.arcsec})


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv", "csv"])
def test_an_empty_catalogue_is_one(tmp_path, ending):
    path = tmp_path / f"m.{ending}"
    empty = Table({**POSITIONS, **ERRORS})[:0]
    empty.write(path, format={"vot": "votable", "csv": "ascii.csv"}.get(ending))
    assert len(read_reference(path)) == 0


def test_classes_are_those_of_psseg():
    read = sky_table({**POSITIONS, **ERRORS, "CLASS": ["FSRQ", "unk"]})
    assert list(read.classes()) == ["blazar", ""]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("out/crab_catalogue.fits", "crab"),
        ("crab_catalogue.csv.gz", "crab"),
        ("NVSS.v2.VOT", "NVSS.v2"),
        ("nvss.fits.bz2", "nvss"),
        (".key", "table"),
    ],
)
def test_the_stem_of_a_catalogue_has_no_ending(name, stem):
    assert stem_of(name) == stem


def test_columns_tell_known_catalogues():
    vizier = {
        "NVSS": ["a"], "RAJ2000": ["00 00 00.38"], "DEJ2000": ["+27 17 37.1"],
        "e_RAJ2000": [0.04] * u.s, "e_DEJ2000": [0.6] * u.arcsec, "S1.4": [10.0] * u.mJy,
    }  # fmt: skip
    read = sky_table(vizier)
    assert (read.label, read.flux_column) == ("NVSS", "S1.4")
    assert read.ellipses.major[0] * 3600 == pytest.approx(0.6, abs=1e-6)
    assert read.coords.ra.deg[0] == pytest.approx(0.38 / 240)


def test_the_positions_of_known_catalogues_need_no_unit():
    pulsars = {"PSRJ": ["J1"], "RAJD": [10.0], "DECJD": [-5.0], "S1400": [2.0]}
    assert sky_table(pulsars).label == "ATNF"
    third = sky_table({**pulsars, "PSR_Code": ["G"], "CHAR_Code": ["g"], "G100": [1e-11]})
    assert (third.label, third.source_class, third.flux_column) == ("3PC", "pulsar", "G100")


def test_the_digits_of_a_pulsar_tell_its_error():
    columns = {
        "PSRJ": ["a", "b"],
        "RAJ": ["00:11:34", "00:02:58.17"],
        "DECJ": ["+08:10", "+62:16:09.4"],
    }
    read = sky_table(columns)
    assert read.source_class == "pulsar"
    assert read.ellipses.major[0] * 3600 == pytest.approx(30)
    assert read.ellipses.major[1] * 3600 == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    "text",
    [
        "ra dec flux name\n10.5  -5.25 1.5 a\n 11.5 -6.25 2.5 b\n",
        "# ra dec flux name\n10.5 -5.25 1.5 a\n11.5 -6.25 2.5 b\n",
        "#ra,dec,flux,name\n10.5,-5.25,1.5,a\n11.5,-6.25,2.5,b\n",
        "# made by a program, once\n# ra, dec, flux, name\n10.5 -5.25 1.5 a\n11.5 -6.25 2.5 b\n",
        "ra,dec,flux,name\n10.5,-5.25,1.5,a\n11.5,-6.25,2.5,b\n",
    ],
)
def test_columns_of_text_by_blanks_or_below_a_comment(tmp_path, text):
    (tmp_path / "mine.txt").write_text(text)
    read = read_reference(tmp_path / "mine.txt", ColumnChoice(unit="deg", error="1"))
    assert read.table.colnames == ["ra", "dec", "flux", "name"]
    np.testing.assert_allclose(read.coords.ra.deg, [10.5, 11.5])
    np.testing.assert_allclose(read.coords.dec.deg, [-5.25, -6.25])


@pytest.mark.parametrize("mark", [" ", ", "])
def test_the_text_of_pybdsf_is_read(tmp_path, mark):
    names = ("Source_id", "Isl_id", "RA", "E_RA", "DEC", "E_DEC", "Total_flux", "S_Code")
    rows = [
        (0, 0, 210.25, 1.2e-4, -18.5, 1.4e-4, 0.03, "S"),
        (1, 1, 211, 2e-4, -19, 2e-4, 0.1, "M"),
    ]
    lines = ["# Source list for field.fits", "# Generated by PyBDSF version 1.10", "",
             "# " + mark.join(names), *(mark.join(map(str, row)) for row in rows)]  # fmt: skip
    (tmp_path / "field.srl").write_text("\n".join(lines) + "\n")
    choice = ColumnChoice(unit="deg", error_unit="deg")
    read = read_reference(tmp_path / "field.srl", choice)
    assert read.table.colnames == list(names)
    np.testing.assert_allclose(read.coords.ra.deg, [210.25, 211])
    np.testing.assert_allclose(read.ellipses.major, [1.4e-4, 2e-4])


@pytest.mark.parametrize("mark", ["\t", ";"])
def test_units_and_dashes_of_vizier_are_no_sources(tmp_path, mark):
    rows = [
        "#\n#   VizieR Astronomical Server\n#Column\tNVSS\t(a14)\tSource name",
        mark.join(["NVSS", "RAJ2000", "DEJ2000", "e_RAJ2000", "e_DEJ2000", "S1.4"]),
        mark.join([" ", '"h:m:s"', '"d:m:s"', "s", "arcsec", "mJy"]),
        mark.join(["--------------", "-----------", "-----------", "-----", "----", "------"]),
        mark.join(["000000+271737", "00 00 00.38", "+60 00 00.0", " 0.10", " 0.6", "  10.0"]),
        mark.join(["000001+300000", "00 00 01.00", "+60 00 00.0", " 0.20", " 0.9", "   5.5"]),
    ]
    (tmp_path / "nvss.tsv").write_text("\n".join(rows) + "\n\n")
    read = read_reference(tmp_path / "nvss.tsv")
    assert (len(read), read.label) == (2, "NVSS")
    assert read.coords.ra.deg[0] == pytest.approx(0.38 / 240)
    np.testing.assert_allclose(read.ellipses.major * 3600, [0.75, 1.5], rtol=1e-4)
    assert read.table["S1.4"].unit == u.mJy


def test_dashes_without_units_are_no_source(tmp_path):
    (tmp_path / "m.txt").write_text("ra   dec\n---- ----\n10.5 -5.25\n")
    read = read_reference(tmp_path / "m.txt", ColumnChoice(unit="deg", error="1"))
    np.testing.assert_allclose(read.coords.ra.deg, [10.5])


@pytest.mark.parametrize("more", [{}, {"EnergyFlux100": [1.0, 2.0]}, {"HEP_Energy": [9.0, 9.0]}])
def test_ellipses_of_the_lat_are_in_degrees_without_a_unit(more):
    axes = {"Conf_95_SemiMajor": [0.05, 0.06], "Conf_95_SemiMinor": [0.04, 0.04]}
    names = {"Source_Name": ["a", "b"], "Conf_95_PosAng": [0.0, 10.0]}
    read = sky_table({**POSITIONS, **names, **axes, **more})
    np.testing.assert_allclose(read.ellipses.major, [0.05 / 2.4477, 0.06 / 2.4477], rtol=1e-4)
    read = sky_table({**POSITIONS, "Conf_95": [0.05, 0.06]})
    np.testing.assert_allclose(read.ellipses.major, [0.05 / 2.4477, 0.06 / 2.4477], rtol=1e-4)


@pytest.mark.parametrize(("unit", "degrees"), [("ARCSEC", 1 / 3600), ("Deg", 1), ("DEG", 1)])
def test_units_in_capitals_are_units(unit, degrees):
    table = Table({**POSITIONS, "pos_err": [2.0, 2.0]})
    table["pos_err"].unit = u.Unit(unit, parse_strict="silent")
    read = make_sky_table(table, label="m", origin="m")
    np.testing.assert_allclose(read.ellipses.major, 2 * degrees)


def assert_is_3c_273(read):
    true = SkyCoord("12h29m06.7s +02d03m08.6s")
    assert read.coords[0].separation(true).arcsec < 1


B1950 = SkyCoord("12h26m33.25s +02d19m43.3s", frame="fk4")


@pytest.mark.parametrize("where", ["name", "unusual", "RADESYS", "EQUINOX"])
def test_positions_of_1950_become_icrs(tmp_path, where):
    names = {"name": ("RAB1950", "DEB1950"), "unusual": ("RA_1950", "DEC_1950")}
    ra, dec = names.get(where, ("RA", "DEC"))
    hdu = fits.table_to_hdu(Table({ra: [B1950.ra.deg] * u.deg, dec: [B1950.dec.deg] * u.deg}))
    if where not in names:
        hdu.header[where] = "FK4" if where == "RADESYS" else 1950.0
    hdu.writeto(tmp_path / "m.fits")
    with pytest.warns(PssegWarning, match=r"B1950 \(FK4\); converted to ICRS"):
        assert_is_3c_273(read_reference(tmp_path / "m.fits", ColumnChoice(error="1")))


@pytest.mark.parametrize("ref", ["", ' ref="old"'])
def test_the_system_of_a_votable_counts(tmp_path, ref):
    field = '<FIELD name="{}" datatype="double" unit="deg"{}/>'
    (tmp_path / "m.vot").write_text(
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        '<RESOURCE><COOSYS ID="old" system="eq_FK4" equinox="B1950"/><TABLE>'
        + field.format("RA", ref) + field.format("DEC", ref)
        + f"<DATA><TABLEDATA><TR><TD>{B1950.ra.deg}</TD><TD>{B1950.dec.deg}</TD></TR></TABLEDATA>"
        "</DATA></TABLE></RESOURCE></VOTABLE>"
    )  # fmt: skip
    with pytest.warns(PssegWarning, match="B1950"):
        assert_is_3c_273(read_reference(tmp_path / "m.vot", ColumnChoice(error="1")))


def test_a_column_of_2000_beside_a_system_of_1950_is_believed():
    table = Table({"RAJ2000": [1.0] * u.deg, "DEJ2000": [2.0] * u.deg}, meta={"EQUINOX": "1950"})
    read = make_sky_table(table, label="m", origin="m", choice=ColumnChoice(error="1"))
    assert read.coords.ra.deg[0] == 1
