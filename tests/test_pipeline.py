"""The main job with a stub network that tells the truth: the truth catalogue must come back."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from made_catalogues import assert_same, radio_catalogue, radio_components
from made_images import make_image
from truth_teller import clear_sources, positions, truthful_labels

from psseg import __version__
from psseg.catalogue.flags import Flag
from psseg.catalogue.formats import FORMATS, read_catalogue
from psseg.errors import PssegError, PssegWarning
from psseg.pipeline import catalogue, catalogue_tile, label
from psseg.priors import class_priors
from psseg.product_folder import find_products
from psseg.products import sha256_of
from psseg.survey.classes import CLASS_NAMES, IGNORED, SOURCE_CLASSES
from psseg.survey.survey import load_survey
from psseg.tiles.readers import read_map

ROOT = Path(__file__).parents[1]


def columns(table, prefix):
    return np.column_stack([table[f"{prefix}_{name.upper()}"] for name in SOURCE_CLASSES])


@pytest.fixture
def result(truth_teller, sky):
    return catalogue_tile(sky.tile, truth_teller)


@pytest.fixture
def products(truth_teller, sky_files, tmp_path):
    return catalogue(
        sky_files.counts, tmp_path / "out", exposure=sky_files.exposure, command="psseg test"
    )


def test_the_truth_comes_back(result, sky):
    truth = clear_sources(sky)
    assert len(truth) >= 5
    nearest, separation, _ = positions(truth).match_to_catalog_sky(positions(result.table))
    found = result.table[nearest]
    assert len(set(nearest)) == len(truth)
    assert np.all(separation.deg < 3 * found["Conf_68_SemiMajor"].to_value("deg") + 0.02)
    assert list(found["CLASS"]) == list(truth["CLASS"])
    ratio = found["FLUX1000"].value / truth["FLUX1000"].value
    assert abs(np.median(ratio) - 1) < 0.3


def test_nothing_is_found_where_nothing_is(result, sky):
    truth, found = sky.truth[sky.truth["TS"] > 9], result.table
    x, y = sky.tile.sky_to_pixel(positions(found))
    n_y, n_x = sky.tile.shape
    inside = (abs(x - n_x / 2) < n_x / 2 - 10) & (abs(y - n_y / 2) < n_y / 2 - 10)
    separation = positions(found)[inside, None].separation(positions(truth)[None, :])
    assert inside.sum() >= 5
    assert np.all((separation - truth["Extension"]).min(axis=1) < 0.4 * u.deg)


def test_each_source_has_its_segment(result):
    assert sorted(result.table["SEGMENT"]) == list(result.segments.labels)
    x, y = result.tile.sky_to_pixel(positions(result.table))
    inside = result.segments.data[np.rint(y).astype(int), np.rint(x).astype(int)]
    assert np.mean(inside == result.table["SEGMENT"]) > 0.9


def test_priors_multiply_the_likelihoods(truth_teller, result, sky):
    likelihoods, probabilities = columns(result.table, "L"), columns(result.table, "P")
    expected = likelihoods * class_priors(
        "physical",
        truth_teller.survey,
        positions=positions(result.table),
        flux=result.table["FLUX1000"].value,
    )
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(probabilities, expected, atol=1e-4)
    balanced = catalogue_tile(sky.tile, truth_teller, priors="balanced").table
    assert np.allclose(columns(balanced, "P"), columns(balanced, "L"))


def test_a_threshold_leaves_out_sources_and_their_segments(truth_teller, sky):
    model = replace(
        truth_teller, calibration=replace(truth_teller.calibration, source_coefficients=(-9, 1, 1))
    )
    everything = catalogue_tile(sky.tile, model, keep_candidates=True)
    values = np.unique(everything.table["SOURCE_PROB"]).astype(float)
    limit = values[len(values) // 2 : len(values) // 2 + 2].mean()
    some = catalogue_tile(sky.tile, model, threshold=limit)
    kept = everything.table["SOURCE_PROB"] >= limit
    assert 0 < len(some.table) < len(everything.table)
    assert list(some.table["SEGMENT"]) == list(everything.table["SEGMENT"][kept])
    assert list(some.segments.labels) == sorted(some.table["SEGMENT"])
    assert "SOURCE_SCORE" in everything.table.colnames
    assert "SOURCE_SCORE" not in some.table.colnames


def test_a_tile_without_sources_gives_an_empty_catalogue(
    truth_teller, sky, sky_files, tmp_path, monkeypatch
):
    labels = truthful_labels(sky)
    labels.class_probabilities[0], labels.class_probabilities[1:] = 0.97, 0.01
    monkeypatch.setattr("psseg.counts_catalogue.label_tile", lambda *_, **__: labels)
    made = catalogue(sky_files.counts, tmp_path)
    assert len(read_catalogue(made.paths.catalogue)) == 0
    assert all(path.exists() for path in made.paths.all)


def test_masked_pixels_stay_blank(truth_teller, sky, monkeypatch, tmp_path, sky_files):
    mask = np.zeros(sky.tile.shape, bool)
    mask[:, :20] = True
    tile = replace(sky.tile, data=np.where(mask, 0, sky.tile.data), mask=mask)
    labels = replace(truthful_labels(sky), mask=mask)
    labels.class_probabilities[:, mask] = np.nan
    labels.background[:, mask] = np.nan
    monkeypatch.setattr("psseg.counts_catalogue.label_tile", lambda *_, **__: labels)
    monkeypatch.setattr("psseg.pipeline.read_map", lambda *_, **__: tile)
    made = catalogue(sky_files.counts, tmp_path)
    assert np.all(made.result.segments.data[mask] == 0)
    assert np.all(fits.getdata(made.paths.labels, "CLASS_MAP")[mask] == IGNORED)


def test_the_catalogue_says_where_it_comes_from(products, sky_files):
    with fits.open(products.paths.catalogue, checksum=True) as hdus:
        assert {"CATALOGUE", "SURVEY", "THRESHOLDS"} <= {hdu.name for hdu in hdus}
        assert all("CHECKSUM" in hdu.header for hdu in hdus)
        header = hdus["CATALOGUE"].header
        assert header["CREATOR"] == f"psseg {__version__}"
        assert (header["MODEL"], header["MODELSHA"]) == ("stub", "0" * 64)
        assert (header["INFILE"], header["INSHA"]) == ("sky.fits", sha256_of(sky_files.counts))
        assert "psseg test" in str(header["HISTORY"])
        assert header["DATE"][4] == "-"


@pytest.mark.parametrize("name", ["mine", 100 * "m", "für-mich"])
def test_checksums_of_network_and_map_fit_into_their_cards(
    truth_teller, stub, sky_files, tmp_path, name
):
    network = replace(stub, name=name, sha256="0123456789abcdef" * 4)
    header = fits.getheader(label(sky_files.counts, tmp_path / "labels.fits", model=network))
    assert header["MODEL"] == name.replace("ü", "?")
    assert (header["MODELSHA"], header["INSHA"]) == (network.sha256, sha256_of(sky_files.counts))
    assert all(len(header.cards[key].image) == 80 for key in ("MODELSHA", "INSHA"))


def test_the_catalogue_is_that_of_the_memory(products):
    read = read_catalogue(products.paths.catalogue)
    assert list(read["Source_Name"]) == list(products.result.table["Source_Name"])
    assert np.allclose(read["RAJ2000"], products.result.table["RAJ2000"])
    assert np.isfinite(read["FLUX1000"].value).all()


def test_every_label_image_is_on_the_sky(products, sky):
    with fits.open(products.paths.labels, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == [
            "CLASS_MAP", "CLASS_PROBABILITIES", "SEGMENTS", "BACKGROUND",
        ]  # fmt: skip
        for hdu in hdus[1:]:
            assert "CHECKSUM" in hdu.header
            there = WCS(hdu.header).celestial.pixel_to_world(10, 20)
            assert there.separation(sky.tile.pixel_to_sky(10, 20)).arcsec < 0.01
        right = sky.class_map != IGNORED
        assert np.array_equal(hdus["CLASS_MAP"].data[right], sky.class_map[right])
        assert hdus["CLASS_PROBABILITIES"].header["PLANE2"] == CLASS_NAMES[1]
        assert np.allclose(hdus["CLASS_PROBABILITIES"].data.sum(axis=0), 1, atol=1e-5)
        assert np.array_equal(hdus["SEGMENTS"].data, products.result.segments.data)


def test_regions_hold_every_source(products):
    lines = products.paths.regions.read_text().splitlines()
    names = [line.partition("text={")[2].partition("}")[0] for line in lines if "text={" in line]
    assert names == list(products.result.table["Source_Name"])


def test_label_writes_no_segments(truth_teller, sky_files, tmp_path):
    path = label(sky_files.counts, tmp_path / "labels.fits")
    with fits.open(path) as hdus:
        assert "SEGMENTS" not in hdus
    with pytest.raises(PssegError, match="use --overwrite"):
        label(sky_files.counts, path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"strict": True}, "--strict is for catalogues, not for label maps; with stub want"),
        ({"style": "casda"}, "--style is for radio images; with stub want --exposure"),
        ({"priors": "balanced"}, "--priors is not known here"),
    ],
)
def test_options_of_catalogues_are_refused(truth_teller, sky_files, tmp_path, option, message):
    with pytest.raises(PssegError, match=message):
        label(sky_files.counts, tmp_path / "labels.fits", model=truth_teller, **option)
    assert list(tmp_path.iterdir()) == []


def test_bad_priors_are_refused_before_the_work(truth_teller, sky_files, tmp_path, monkeypatch):
    monkeypatch.delattr("psseg.pipeline.read_map")
    with pytest.raises(PssegError, match="no such priors"):
        catalogue(sky_files.counts, tmp_path, priors=tmp_path / "none.toml")


def test_a_map_unlike_the_training_skies_is_flagged_or_refused(truth_teller, sky):
    calibration = replace(truth_teller.calibration, residual_limit=(0.01,) * sky.tile.n_bands)
    model = replace(truth_teller, calibration=calibration)
    with pytest.warns(PssegWarning, match="unlike the skies that stub was trained on"):
        table = catalogue_tile(sky.tile, model).table
    assert np.all(table["Flags"] & Flag.UNLIKE_TRAINING)
    with pytest.raises(PssegError, match="leave --strict out"):
        catalogue_tile(sky.tile, model, strict=True)


@pytest.mark.parametrize("step", ["plot_catalogue", "write_labels", "write_catalogue"])
def test_a_product_that_fails_leaves_none(truth_teller, sky_files, tmp_path, monkeypatch, step):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(f"psseg.pipeline.{step}", fail)
    with pytest.raises(OSError, match="disk full"):
        catalogue(sky_files.counts, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_every_format_that_was_asked_for_holds_the_catalogue(truth_teller, sky_files, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("mocpy")
    made = catalogue(sky_files.counts, tmp_path / "out", formats=FORMATS, command="psseg test")
    assert sorted(made.paths.all) == sorted((tmp_path / "out").iterdir())
    assert len(made.paths.all) == 4 + len(FORMATS) + 1
    expected = read_catalogue(made.paths.catalogue)
    for name in ("votable", "csv", "ecsv", "parquet"):
        assert_same(read_catalogue(made.paths.formats[name]), expected)
        assert read_catalogue(made.paths.formats[name]).meta == expected.meta
    fermi = fits.getdata(made.paths.formats["4fgl"], "LAT_Point_Source_Catalog")
    assert fermi["Source_Name"].tolist() == expected["Source_Name"].tolist()


def test_the_coverage_is_that_of_the_map(truth_teller, sky, sky_files, tmp_path):
    mocpy = pytest.importorskip("mocpy")
    made = catalogue(sky_files.counts, tmp_path, formats=["moc"])
    moc = mocpy.MOC.load(str(made.paths.formats["moc"]), "fits")
    y, x = np.indices(sky.tile.shape)
    there = sky.tile.pixel_to_sky(x, y).icrs
    assert np.array_equal(moc.contains_lonlat(there.ra, there.dec), ~sky.tile.mask)


def test_a_radio_image_has_formats_too(stub, tmp_path, monkeypatch):
    mocpy = pytest.importorskip("mocpy")
    network = replace(stub, survey=load_survey("radio"))
    mask = np.zeros((30, 40), bool)
    mask[:, :10] = True
    image = make_image([np.zeros((30, 40))], mask=mask)
    found = SimpleNamespace(
        table=radio_catalogue(5), components=radio_components(5), segments=None,
        class_probabilities=None,
        noise=SimpleNamespace(rms=np.ones((1, 1, 1)), typical_rms=lambda: np.ones(1)),
    )  # fmt: skip
    (tmp_path / "field.fits").write_text("an image")
    monkeypatch.setattr("psseg.pipeline.read_radio_image", lambda *_, **__: image)
    monkeypatch.setattr("psseg.pipeline.catalogue_image", lambda *_, **__: found)
    monkeypatch.setattr("psseg.pipeline.describe_image", lambda *_: QTable({"STOKES": ["I"]}))
    monkeypatch.setattr("psseg.pipeline.plot_image", lambda *given: given[-1].touch())
    monkeypatch.setattr("psseg.pipeline.write_image_labels", lambda path, **_: path.touch())
    out = tmp_path / "out"
    made = catalogue(tmp_path / "field.fits", out, model=network, formats=["csv", "votable", "moc"])
    for name in ("csv", "votable"):
        assert_same(read_catalogue(made.paths.formats[name]), read_catalogue(made.paths.catalogue))
    moc = mocpy.MOC.load(str(made.paths.formats["moc"]), "fits")
    there = image.pixel_to_sky([5, 20], [15, 15])
    assert moc.contains_lonlat(there.ra, there.dec).tolist() == [False, True]
    styled = catalogue(
        tmp_path / "field.fits", tmp_path / "b", model=network, formats=["ecsv"], style="casda"
    )
    assert "flux_peak" in QTable.read(styled.paths.formats["ecsv"]).colnames
    with pytest.raises(PssegError, match="4fgl is for counts maps"):
        catalogue(tmp_path / "field.fits", tmp_path / "c", model=network, formats=["4fgl"])


def test_formats_are_refused_before_the_work(truth_teller, sky_files, tmp_path, monkeypatch):
    monkeypatch.delattr("psseg.pipeline.read_map")
    (tmp_path / "sky_catalogue.csv-metadata.json").write_text("mine")
    with pytest.raises(PssegError, match=r"metadata\.json: exists already; use --overwrite"):
        catalogue(sky_files.counts, tmp_path, formats=["csv"])
    with pytest.raises(PssegError, match="format: want one of votable"):
        catalogue(sky_files.counts, tmp_path, formats=["xls"])
    monkeypatch.setattr("psseg.catalogue.coverage.find_spec", lambda name: None)
    with pytest.raises(PssegError, match="MOC needs mocpy"):
        catalogue(sky_files.counts, tmp_path, formats=["moc"])
    assert [path.name for path in tmp_path.iterdir()] == ["sky_catalogue.csv-metadata.json"]


def test_a_format_that_fails_leaves_no_product(truth_teller, sky_files, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("psseg.catalogue.formats.write_ecsv", fail)
    with pytest.raises(OSError, match="disk full"):
        catalogue(sky_files.counts, tmp_path / "out", formats=["csv", "ecsv"])
    assert list(tmp_path.iterdir()) == []


def test_the_path_of_the_map_is_in_the_catalogue(truth_teller, stub, sky_files, tmp_path):
    folder = tmp_path / ("a_long_name_of_a_folder_" * 5)
    folder.mkdir()
    counts = folder / "γ-sky.fits"
    counts.write_bytes(sky_files.counts.read_bytes())
    survey = replace(stub.survey, name="fermi-lät")
    made = catalogue(counts, tmp_path / "out", model=replace(stub, survey=survey))
    header = fits.getheader(made.paths.catalogue, "CATALOGUE")
    assert header["INPATH"] == f"../{folder.name}/%CE%B3-sky.fits"
    assert (header["INFILE"], header["SURVEY"]) == ("%CE%B3-sky.fits", "fermi-l?t")
    assert find_products(tmp_path / "out")[0].map.samefile(counts)
    assert read_catalogue(made.paths.catalogue).meta["INPATH"] == header["INPATH"]
    here = os.path.relpath(sky_files.counts)
    made = catalogue(here, tmp_path / "again")
    way = tmp_path / "again" / fits.getheader(made.paths.catalogue)["INPATH"]
    assert way.samefile(sky_files.counts)


def test_the_log_tells_what_was_decided(truth_teller, sky_files, tmp_path, monkeypatch, caplog):
    tile = replace(read_map(sky_files.counts, truth_teller.survey), notes=("CUNIT was mended",))
    monkeypatch.setattr("psseg.pipeline.read_map", lambda *_, **__: tile)
    with caplog.at_level(logging.INFO, "psseg"):
        catalogue(sky_files.counts, tmp_path, threshold=0.75)
    text = caplog.text
    assert "network fermi-lat, the survey that the header names" in text
    assert "CUNIT was mended" in text
    assert "priors physical; candidate_threshold 0.5, threshold 0.75" in text


KILLED = """
import sys, time
from pathlib import Path

import numpy as np
from psseg import counts_catalogue, pipeline
from psseg.network.labelling import LabelMap
from psseg.network.store import Calibration, Model
from psseg.survey.survey import load_survey

counts, out = map(Path, sys.argv[1:])
calibration = Calibration(
    source_coefficients=(0.0, 1.0, 0.0), candidate_threshold=0.5, temperature=1.0,
    thresholds={"low_latitude": 0.5, "high_latitude": 0.5}, latitude_split=20.0,
    class_bias=(0.0, 0.0, 0.0), position_scale=1.0, position_floor=0.0,
)
survey = load_survey("fermi-lat")
model = Model(network=None, survey=survey, name="stub", sha256="0" * 64, folder=Path(),
              calibration=calibration)

def labels(tile, model, *, progress):
    probabilities = np.full((4, *tile.shape), 0.01, np.float32)
    probabilities[0] = 0.97
    background = np.full(tile.data.shape, 1.0, np.float32)
    return LabelMap(class_probabilities=probabilities, background=background,
                    wcs=tile.wcs, mask=tile.mask)

def hang(*args, **kwargs):
    (out / "reached").touch()
    time.sleep(60)

counts_catalogue.label_tile = labels
pipeline.write_catalogue = hang
pipeline.catalogue(counts, out, model=model)
"""


def test_a_killed_run_leaves_no_product(sky_files, tmp_path):
    words = [sys.executable, "-c", KILLED, str(sky_files.counts), str(tmp_path)]
    process = subprocess.Popen(words, cwd=ROOT)
    deadline = time.monotonic() + 120
    while not (tmp_path / "reached").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["reached"]
