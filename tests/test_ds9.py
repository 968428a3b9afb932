"""What DS9 shows is what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from click.testing import CliRunner
from commands import assert_fails
from real_ds9 import running, screen, skip_without_ds9, worked_off

from psseg.catalogue.map_regions import map_regions
from psseg.catalogue.radio_regions import radio_regions, radio_shapes_drawn
from psseg.catalogue.radio_table import (
    empty_radio_catalogue,
    radio_source_names,
    write_radio_catalogue,
)
from psseg.catalogue.regions import catalogue_regions, catalogue_shapes
from psseg.catalogue.table import empty_catalogue, source_names, write_catalogue
from psseg.cli_view import view
from psseg.ds9 import open_in_ds9, write_ds9_script
from psseg.errors import PssegError, PssegWarning
from psseg.product_folder import find_products
from psseg.products import image_hdu
from psseg.survey.classes import SOURCE_CLASSES

SIDE = 300
SCALE = 0.02
"""Pixels of the maps, deg."""

MAJOR, MINOR = 4 * SCALE, 1.5 * SCALE
PLACES = np.array([[20.0, 30.0], [150.3, 149.8], [280.0, 250.0], [60.0, 270.0], [290.0, 10.0]])


def map_wcs(projection="TAN", frame="galactic"):
    wcs = WCS(naxis=2)
    axes = ("GLON", "GLAT") if frame == "galactic" else ("RA--", "DEC-")
    wcs.wcs.ctype = [f"{axis}-{projection}" for axis in axes]
    wcs.wcs.crval = (60.0, 0.0 if projection == "CAR" else 40.0)
    wcs.wcs.crpix = ((SIDE + 1) / 2, (SIDE + 1) / 2 - (40 / SCALE if projection == "CAR" else 0))
    wcs.wcs.cdelt = [-SCALE, SCALE]
    if frame == "icrs":
        wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs


def filled(empty, rows, **values):
    """Give a catalogue of rows; columns that are not given are zero."""
    made = QTable()
    for name in empty.colnames:
        column = empty[name]
        zeros = np.zeros((rows, *column.shape[1:]), column.dtype)
        made[name] = (
            u.Quantity(values.get(name, zeros), column.unit)
            if column.unit
            else (values.get(name, zeros))
        )
    return made


def counts_table(wcs, places=PLACES, **changed):
    position = SkyCoord.from_pixel(*np.transpose(places), wcs).icrs
    n = len(places)
    values = {
        "Source_Name": source_names(position.ra.deg, position.dec.deg),
        "RAJ2000": position.ra.deg,
        "DEJ2000": position.dec.deg,
        "Conf_95_SemiMajor": np.full(n, MAJOR),
        "Conf_95_SemiMinor": np.full(n, MINOR),
        "Conf_95_PosAng": np.linspace(5, 170, n),
        "CLASS": np.resize(SOURCE_CLASSES, n),
        "Sqrt_TS": np.arange(n, 0, -1.0),
    }
    return filled(empty_catalogue(n_bands=8), n, **{**values, **changed})


def radio_table(wcs, places=PLACES, **changed):
    position = SkyCoord.from_pixel(*np.transpose(places), wcs).icrs
    n = len(places)
    values = {
        "Source_Name": radio_source_names(position.ra.deg, position.dec.deg),
        "ra": position.ra.deg,
        "dec": position.dec.deg,
        "maj": np.full(n, 2 * MAJOR),
        "min": np.full(n, 2 * MINOR),
        "pa": np.linspace(5, 170, n),
        "CLASS": np.resize(SOURCE_CLASSES, n),
        "SNR": np.arange(n, 0, -1.0),
    }
    return filled(empty_radio_catalogue()[0], n, **{**values, **changed})


KINDS = {
    "counts": (counts_table, catalogue_shapes, catalogue_regions),
    "continuum": (radio_table, radio_shapes_drawn, radio_regions),
}


def write_map(path, wcs, data=None):
    if data is None:
        data = np.random.default_rng(1).poisson(1.0, (3, SIDE, SIDE)).astype(np.float32)
    fits.PrimaryHDU(data, image_hdu(data, wcs, name="MAP").header).writeto(path)
    return path


def write_products(folder, kind, *, wcs=None, table=None, data=None, rms=1.0):
    """Write a map and what psseg would write of it; give the products."""
    wcs = map_wcs() if wcs is None else wcs
    make, _, regions = KINDS[kind]
    table = make(wcs) if table is None else table
    if data is None and kind == "continuum":
        data = np.random.default_rng(1).normal(size=(SIDE, SIDE)).astype(np.float32)
    path = write_map(folder / "sky.fits", wcs, data)
    out = folder / "out"
    out.mkdir()
    common = {"provenance": {"INFILE": "sky.fits"}, "survey_table": QTable({"BAND": ["I"]})}
    target = out / "sky_catalogue.fits"
    if kind == "counts":
        write_catalogue(target, table, thresholds={}, **common)
    else:
        components = empty_radio_catalogue()[1]
        write_radio_catalogue(target, table, components=components, thresholds={}, **common)
    (out / "sky.reg").write_text(regions(table))
    classes = np.zeros((SIDE, SIDE), np.uint8)
    classes[100:120, 100:120] = 2
    hdus = [fits.PrimaryHDU(), image_hdu(classes, wcs, name="CLASS_MAP")]
    if kind == "continuum":
        hdus.append(image_hdu(np.full((1, SIDE, SIDE), rms, np.float32), wcs, name="RMS"))
    fits.HDUList(hdus).writeto(out / "sky_labels.fits")
    (product,) = find_products(out, map_=path)
    return product


@pytest.fixture(scope="module")
def environment():
    skip_without_ds9()
    with screen() as variables:
        yield variables


@pytest.fixture(scope="module")
def ds9(environment, tmp_path_factory):
    with running(["ds9"], environment, folder=tmp_path_factory.mktemp("ds9")) as started:
        yield started


def show(ds9, folder, wcs, text):
    """Load a map and regions."""
    path = folder / "m.fits"
    if not path.exists():
        write_map(path, wcs, np.ones((SIDE, SIDE), np.float32))
    regions = folder / "m.reg"
    regions.write_text(text, encoding="utf-8")
    ds9.set("frame", "delete", "all")
    ds9.set("frame", "new")
    ds9.set("fits", str(path))
    ds9.set("regions", "load", str(regions))


def outline(shapes, k, wcs):
    """Trace an ellipse on the sky; give its pixels."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    a, b = shapes.major[k], shapes.minor[k]
    radius = a * b / np.hypot(b * np.cos(turn), a * np.sin(turn))
    edge = shapes.positions[k].directional_offset_by(
        (np.deg2rad(shapes.angle[k]) + turn) * u.rad, radius * u.deg
    )
    return np.transpose(edge.to_pixel(wcs))


@pytest.mark.external
@pytest.mark.parametrize("frame", ["galactic", "icrs"])
@pytest.mark.parametrize("projection", ["TAN", "SIN", "CAR"])
@pytest.mark.parametrize("kind", KINDS)
def test_ds9_reads_the_region_file_as_the_catalogue(ds9, tmp_path, kind, projection, frame):
    make, shapes_of, regions_of = KINDS[kind]
    wcs = map_wcs(projection, frame)
    table = make(wcs)
    shapes = shapes_of(table)
    show(ds9, tmp_path, wcs, regions_of(table))
    on_sky, properties = ds9.ellipses("wcs")
    in_pixels, _ = ds9.ellipses("image")
    assert np.abs(in_pixels[:, :2] - 1 - PLACES).max() < 0.01
    assert np.abs(on_sky[:, 2] / 3600 - shapes.major).max() < 0.01 * SCALE
    assert np.abs(on_sky[:, 3] / 3600 - shapes.minor).max() < 0.01 * SCALE
    turned = (on_sky[:, 4] - 90 - shapes.angle + 90) % 180 - 90
    assert np.abs(np.deg2rad(turned) * MAJOR).max() < 0.01 * SCALE
    for name, kind_, property_ in zip(shapes.names, shapes.classes, properties, strict=True):
        assert f"text={{{name}}}" in property_
        assert f"tag={{{kind_}}}" in property_


@pytest.mark.external
@pytest.mark.parametrize("frame", ["galactic", "icrs"])
@pytest.mark.parametrize("projection", ["TAN", "SIN", "CAR"])
@pytest.mark.parametrize("kind", KINDS)
def test_ds9_draws_the_ellipses_of_the_sky(ds9, tmp_path, kind, projection, frame):
    make, shapes_of, _ = KINDS[kind]
    wcs = map_wcs(projection, frame)
    shapes = shapes_of(make(wcs))
    made = map_regions(shapes, wcs, shape=(SIDE, SIDE), zoom=2.0, significance=np.ones(len(PLACES)))
    show(ds9, tmp_path, wcs, made.sources)
    drawn, _ = ds9.ellipses("image")
    assert len(drawn) == len(PLACES)
    for k, (x, y, major, minor, angle) in enumerate(drawn):
        dx, dy = outline(shapes, k, wcs).T - np.array([[x - 1], [y - 1]])
        turn = np.deg2rad(angle)
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        stretch = np.hypot(along / major, across / minor)
        assert np.abs((1 - 1 / stretch) * np.hypot(dx, dy)).max() < 0.01


def shown(script, environment):
    """Run a script that opens DS9."""
    command = ["sh", str(script)]
    return running(command, environment, folder=script.parent, ready=worked_off)


def frames_of(ds9):
    return ds9.get("frame", "all").split()


@pytest.mark.external
@pytest.mark.parametrize("kind", KINDS)
def test_the_script_shows_map_and_class_map_with_the_sources(environment, tmp_path, kind):
    product = write_products(tmp_path, kind)
    script = write_ds9_script(product)
    with shown(script, environment) as ds9:
        assert frames_of(ds9) == ["1", "2"]
        for number, name in (("1", "map.fits" if kind == "counts" else "sky"), ("2", "CLASS_MAP")):
            ds9.set("frame", number)
            assert name in ds9.get("file")
            in_pixels, _ = ds9.ellipses("image")
            assert np.abs(in_pixels[:, :2] - 1 - PLACES).max() < 0.01
        assert ds9.get("scale", "limits").split() == ["-0.5", "4.5"]
        assert ds9.get("smooth") == "no"
        ds9.set("frame", "1")
        assert ds9.get("smooth") == ("yes" if kind == "counts" else "no")
        assert ds9.get("lock", "frame") == "wcs"
        ds9.set("regions", "group", "pulsar", "select")
        selected = [line for line in ds9.get("regions", "selected").splitlines() if "#" in line]
        assert sum("tag={pulsar}" in line for line in selected) == 2
        assert not any("tag={blazar}" in line for line in selected)


@pytest.mark.external
def test_ds9_shows_the_sum_of_a_cube(environment, tmp_path):
    product = write_products(tmp_path, "counts")
    script = write_ds9_script(product)
    with shown(script, environment) as ds9:
        ds9.set("smooth", "no")
        value = float(ds9.get("data", "image", "10", "20", "1", "1", "yes"))
    assert value == fits.getdata(product.map)[:, 19, 9].sum()


@pytest.mark.external
def test_the_image_on_the_sky_is_shown_though_others_come_first(environment, tmp_path):
    product = write_products(tmp_path, "continuum")
    sky = fits.getdata(product.map)
    header = fits.getheader(product.map)
    chart = fits.ImageHDU(np.zeros((20, 30), np.float32), name="CHART")
    fits.HDUList([fits.PrimaryHDU(), chart, fits.ImageHDU(sky, header)]).writeto(
        product.map, overwrite=True
    )
    script = write_ds9_script(product)
    with shown(script, environment) as ds9:
        value = float(ds9.get("data", "image", "10", "20", "1", "1", "yes"))
    assert value == pytest.approx(sky[19, 9], rel=1e-5)


@pytest.mark.external
def test_names_reach_ds9_as_they_are(ds9, tmp_path):
    names = ["<script>a</script>", "Č y 源", "a {b}", 'it\'s "q"', "a } b"]
    wcs = map_wcs()
    show(ds9, tmp_path, wcs, radio_regions(radio_table(wcs, Source_Name=np.array(names))))
    shapes, properties = ds9.ellipses("image")
    assert len(shapes) == len(names)
    for name, property_ in zip(names, properties, strict=True):
        assert name in property_


@pytest.mark.external
def test_sources_without_size_or_place_do_not_spoil_the_file(ds9, tmp_path):
    wcs = map_wcs()
    sizes = np.array([0.0, np.nan, 2 * MAJOR, 2 * MAJOR, 2 * MAJOR])
    table = radio_table(wcs, maj=sizes)
    table["min"][2], table["ra"][4] = 0 * u.deg, np.nan * u.deg
    for text in (
        radio_regions(table),
        map_regions(
            radio_shapes_drawn(table), wcs, shape=(SIDE, SIDE), zoom=9, significance=np.ones(5)
        ).sources,
    ):
        show(ds9, tmp_path, wcs, text)
        assert len(ds9.ellipses("image")[0]) == 1
        assert ds9.get("regions").count("point=cross") == 3


@pytest.mark.external
def test_a_map_of_one_pixel_and_no_source_opens(environment, tmp_path):
    data = np.full((SIDE, SIDE), np.nan, np.float32)
    data[5, 7] = 3.0
    product = write_products(
        tmp_path, "continuum", data=data, table=empty_radio_catalogue()[0], rms=np.nan
    )
    script = write_ds9_script(product)
    with shown(script, environment) as ds9:
        assert frames_of(ds9) == ["1", "2"]
        assert len(ds9.ellipses("image")[0]) == 0
        assert float(ds9.get("data", "image", "8", "6", "1", "1", "yes")) == 3.0


def test_an_empty_counts_map_has_grey_levels(tmp_path):
    data = np.full((2, SIDE, SIDE), np.nan, np.float32)
    product = write_products(tmp_path, "counts", data=data, table=empty_catalogue(n_bands=8))
    assert "-scale limits 0 0.001" in write_ds9_script(product).read_text()


def box(line, zoom):
    """Give the corners of a name on the screen."""
    x, y = (float(part) * zoom for part in line[line.index("(") + 1 : line.index(")")].split(","))
    half = 3.6 * len(line.split("text={")[1].split("}")[0])
    return x - half, x + half, y - 6.5, y + 6.5


def test_names_in_a_crowd_do_not_overlap():
    rng = np.random.default_rng(3)
    wcs = map_wcs()
    table = radio_table(wcs, rng.uniform(0, SIDE - 1, (60, 2)))
    made = map_regions(
        radio_shapes_drawn(table), wcs, shape=(SIDE, SIDE), zoom=2.0, significance=table["SNR"]
    )
    assert not made.all_named
    boxes = [box(line, 2.0) for line in made.names.splitlines()]
    assert 10 < len(boxes) < 60
    for k, one in enumerate(boxes):
        for two in boxes[:k]:
            apart = (one[1] <= two[0], two[1] <= one[0], one[3] <= two[2], two[3] <= one[2])
            assert any(apart)


def test_lonely_sources_are_named_by_ds9_itself():
    wcs = map_wcs()
    made = map_regions(
        radio_shapes_drawn(radio_table(wcs, [[80.0, 80.0], [200.0, 200.0]])),
        wcs, shape=(SIDE, SIDE), zoom=3.0, significance=np.ones(2),
    )  # fmt: skip
    assert made.all_named


def test_names_at_the_upper_edge_stand_below_their_sources():
    wcs = map_wcs()
    made = map_regions(
        radio_shapes_drawn(radio_table(wcs, [[80.0, SIDE - 2.0], [200.0, 150.0]])),
        wcs, shape=(SIDE, SIDE), zoom=3.0, significance=np.ones(2),
    )  # fmt: skip
    assert not made.all_named
    high, low = (box(line, 3.0) for line in made.names.splitlines())
    assert high[3] < 3 * (SIDE - 2)
    assert low[2] > 3 * 150


def test_small_ellipses_get_a_marker_of_their_class():
    wcs = map_wcs()
    shapes = radio_shapes_drawn(radio_table(wcs, [[80.0, 80.0], [150.0, 150.0], [220.0, 60.0]]))
    options = {"shape": (SIDE, SIDE), "significance": np.ones(3)}
    assert "point=" not in map_regions(shapes, wcs, zoom=3.0, **options).sources
    text = map_regions(shapes, wcs, zoom=0.5, **options).sources
    markers = [line for line in text.splitlines() if line.startswith("point")]
    assert [line.split("point=")[1].split()[0] for line in markers] == ["diamond", "circle", "box"]
    assert all("select=0" in line for line in markers)


def test_photons_are_binned_on_the_class_map(tmp_path):
    product = write_products(tmp_path, "counts")
    at = SkyCoord.from_pixel([10.0, 10.2, 50.0, 900.0], [20.0, 19.9, 60.0, 20.0], map_wcs()).icrs
    columns = [
        fits.Column(name=name, format="D", array=values, unit="deg")
        for name, values in (("RA", at.ra.deg), ("DEC", at.dec.deg))
    ]
    events = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    path = tmp_path / "photons.fits"
    fits.HDUList([fits.PrimaryHDU(), events]).writeto(path)
    write_ds9_script(replace(product, map=path))
    counts = fits.getdata(tmp_path / "out" / "sky_ds9_map.fits")
    assert counts.sum() == 3
    assert (counts[20, 10], counts[60, 50]) == (2, 1)


def test_a_script_is_not_replaced_unless_it_is_the_same_or_asked_for(tmp_path):
    product = write_products(tmp_path, "continuum")
    script = write_ds9_script(product)
    before = script.read_bytes()
    assert write_ds9_script(product).read_bytes() == before
    script.write_text("mine")
    with pytest.raises(PssegError, match=r"sky_ds9.sh: exists already; use --overwrite"):
        write_ds9_script(product)
    assert write_ds9_script(product, overwrite=True).read_bytes() == before


def test_names_that_ds9_cannot_open_are_refused_in_a_script(tmp_path):
    product = write_products(tmp_path, "continuum")
    path = product.map.rename(tmp_path / "sky [2].fits")
    with pytest.raises(PssegError, match=r"sky \[2\].fits: DS9 cannot open"):
        write_ds9_script(replace(product, map=path))


def test_missing_products_are_left_out_with_a_word(tmp_path):
    product = replace(write_products(tmp_path, "counts"), map=None)
    with pytest.warns(PssegWarning, match="its map is not found"):
        text = write_ds9_script(product).read_text()
    assert "CLASS_MAP" in text
    assert "_map.fits" not in text
    product.labels.unlink()
    with (
        pytest.warns(PssegWarning),
        pytest.raises(PssegError, match="neither its map nor its label map"),
    ):
        write_ds9_script(product)


def stub_ds9(folder, monkeypatch, body):
    """Put a program called ds9 in the place of DS9."""
    program = folder / "bin" / "ds9"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_opening_leaves_nothing_behind(tmp_path, monkeypatch):
    product = write_products(tmp_path, "counts")
    path = product.map.rename(tmp_path / "sky [2].fits")
    before = sorted(product.catalogue.parent.iterdir())
    stub_ds9(
        tmp_path, monkeypatch, f'for f; do [ -e "$f" ] && echo "$f" >> {tmp_path}/seen; done; true'
    )
    open_in_ds9(replace(product, map=path), cube=True)
    seen = (tmp_path / "seen").read_text().split("\n")
    assert any(name.endswith("sky _2_.fits") for name in seen)
    assert any(name.endswith("sky_ds9_map.reg") for name in seen)
    assert sorted(product.catalogue.parent.iterdir()) == before


def test_a_failure_of_ds9_is_told_in_a_line(tmp_path, monkeypatch):
    product = write_products(tmp_path, "counts")
    stub_ds9(tmp_path, monkeypatch, "echo no display name >&2; exit 1")
    with pytest.raises(PssegError, match=r"^DS9 failed: no display name$"):
        open_in_ds9(product)


def test_a_screen_that_ds9_cannot_reach_is_told(tmp_path, monkeypatch):
    product = write_products(tmp_path, "counts")
    stub_ds9(tmp_path, monkeypatch, """echo "couldn't connect to display :77" >&2; exit 0""")
    with pytest.raises(PssegError, match=r"^DS9 failed: couldn't connect to display :77$"):
        open_in_ds9(product)


def test_energy_bins_are_not_those_of_an_image(tmp_path):
    product = write_products(tmp_path, "continuum")
    with pytest.raises(PssegError, match=r"--cube is for counts maps"):
        write_ds9_script(product, cube=True)


def test_a_detour_through_a_folder_is_left_out(tmp_path):
    product = write_products(tmp_path, "counts")
    odd = tmp_path / "a [b]"
    odd.mkdir()
    roundabout = replace(product, map=odd / ".." / product.map.relative_to(tmp_path))
    written = write_ds9_script(roundabout, tmp_path / "look.sh", cube=True)
    assert "[b]" not in written.read_text()


def run(*arguments):
    return CliRunner().invoke(view, [str(argument) for argument in arguments])


def test_without_ds9_a_script_is_written(tmp_path, monkeypatch):
    product = write_products(tmp_path, "continuum")
    monkeypatch.setenv("PATH", "")
    done = run(product.catalogue.parent)
    assert done.exit_code == 0, done.output
    assert "DS9 is not installed here" in done.output
    assert (product.catalogue.parent / "sky_ds9.sh").is_file()


def test_without_a_screen_ds9_is_not_tried(tmp_path, monkeypatch):
    product = write_products(tmp_path, "continuum")
    stub_ds9(tmp_path, monkeypatch, "exit 0")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert_fails(run(product.catalogue.parent), "DISPLAY is not set", "--commands")


def test_of_several_products_one_is_chosen(tmp_path):
    out = write_products(tmp_path, "continuum").catalogue.parent
    (out / "b_catalogue.fits").write_bytes((out / "sky_catalogue.fits").read_bytes())
    assert_fails(run(out), "holds several products", "--stem", "b, sky")
    done = run(out, "--stem", "sky", "--commands", tmp_path / "look.sh")
    assert done.exit_code == 0, done.output
    assert "sky_labels.fits" in (tmp_path / "look.sh").read_text()


def test_the_script_runs_where_its_folder_was_moved(tmp_path, monkeypatch):
    product = write_products(tmp_path, "counts")
    write_ds9_script(product)
    moved = product.catalogue.parent.rename(tmp_path / "moved -here")
    stub_ds9(
        tmp_path,
        monkeypatch,
        'for f; do case "$f" in *.reg) cat "$f" > /dev/null || exit 1;; esac; done',
    )
    subprocess.run(["sh", str(moved / "sky_ds9.sh")], check=True)
