"""Commands as a user types them: what they print, what they leave, and how they fail."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from commands import assert_fails, products, run

from psseg import __version__, pipeline
from psseg.catalogue.formats import FORMATS
from psseg.cli import _class_counts, main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def counts(sky_files):
    return sky_files.counts


@pytest.fixture
def edited(counts, tmp_path):
    """Give a function that writes a changed copy of the counts cube."""

    def edit(change):
        path = tmp_path / "edited.fits"
        with fits.open(counts) as hdus:
            change(hdus)
            hdus.writeto(path)
        return path

    return edit


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "psseg", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["psseg,", "version", __version__]


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from psseg.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'astropy', 'numpy', 'scipy', 'matplotlib', 'photutils'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "psseg demo" in done.stdout


def test_commands_are_listed_in_the_order_of_a_users_work():
    listed = [
        line.split()[0] for line in run("--help").stdout.partition("Commands:\n")[2].splitlines()
    ]
    assert listed[:2] == ["catalogue", "label"]
    assert listed[-3:] == ["simulate", "train", "evaluate"]


def test_version():
    assert run("--version").output.strip() == f"psseg, version {__version__}"


@pytest.mark.parametrize(
    "words",
    [
        ("catalogue",),
        ("catalogue", "a.fits"),
        ("catalogue", "a.fits", "-o", "out", "--center", "here"),
        ("catalogue", "a.fits", "-o", "out", "--center", "83.6,22.0,nowhere"),
        ("catalogue", "a.fits", "-o", "out", "--center", "nan,22.0"),
        ("catalogue", "a.fits", "-o", "out", "--threshold", "2"),
        ("catalogue", "a.fits", "-o", "out", "--threshold", "nan"),
        ("catalogue", "a.fits", "-o", "out", "--width", "inf"),
        ("label", "a.fits", "-o", "out", "--frequency", "inf"),
        ("simulate", "fermi-lat", "-o", "out", "--years", "inf"),
        ("nonsense",),
    ],
)
def test_wrong_use_ends_with_2_and_says_how(words):
    result = run(*words)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_catalogue_tells_what_it_found_and_where_it_is(truth_teller, counts, tmp_path):
    result = run("catalogue", counts, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("sky.fits: ")
    assert "blazar" in result.stdout
    for name in products(tmp_path / "out"):
        assert str(tmp_path / "out" / name) in result.stdout
    assert products(tmp_path / "out") == [
        "sky.png", "sky.reg", "sky_catalogue.fits", "sky_labels.fits",
    ]  # fmt: skip


def test_formats_are_made_and_named(truth_teller, counts, tmp_path):
    result = run("catalogue", counts, "-o", tmp_path, "--format", "csv", "--format", "votable")
    assert result.exit_code == 0, result.output
    more = ["sky_catalogue.csv", "sky_catalogue.csv-metadata.json", "sky_catalogue.vot"]
    assert set(more) < set(products(tmp_path))
    assert all(str(tmp_path / name) in result.stdout for name in more)
    again = run("catalogue", counts, "-o", tmp_path / "b", "--format", "xls")
    assert again.exit_code == 2
    assert "'xls' is not one of 'votable'" in again.stderr


def test_the_choice_of_formats_is_that_of_the_writers():
    (option,) = [p for p in main.commands["catalogue"].params if p.name == "formats"]
    assert list(option.type.choices) == list(FORMATS)


def test_a_missing_package_is_told_in_one_line(truth_teller, counts, tmp_path, monkeypatch):
    monkeypatch.setattr("psseg.catalogue.parquet_format.find_spec", lambda name: None)
    result = run("catalogue", counts, "-o", tmp_path / "out", "--format", "parquet")
    assert_fails(result, "Parquet needs pyarrow", "pip install")
    assert products(tmp_path / "out") == []


def test_verbose_tells_what_was_decided(truth_teller, counts, tmp_path):
    result = run("catalogue", counts, "-o", tmp_path, "-v")
    assert result.exit_code == 0, result.output
    assert "network fermi-lat" in result.stderr
    assert "low_latitude 0.5" in result.stderr
    quiet = run("catalogue", counts, "-o", tmp_path / "b")
    assert quiet.stderr == ""


def test_quiet_prints_nothing(truth_teller, counts, tmp_path):
    result = run("catalogue", counts, "-o", tmp_path, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_an_existing_product_is_refused_before_the_work(
    truth_teller, counts, tmp_path, monkeypatch
):
    (tmp_path / "sky.reg").write_text("mine")
    monkeypatch.delattr("psseg.pipeline.read_map")
    assert_fails(run("catalogue", counts, "-o", tmp_path), "sky.reg", "--overwrite")
    assert (tmp_path / "sky.reg").read_text() == "mine"
    assert products(tmp_path) == ["sky.reg"]


def test_overwrite_replaces_all_products(truth_teller, counts, tmp_path):
    (tmp_path / "sky.reg").write_text("old")
    assert run("catalogue", counts, "-o", tmp_path, "--overwrite").exit_code == 0
    assert (tmp_path / "sky.reg").read_text() != "old"
    assert len(products(tmp_path)) == 4


def test_an_interrupted_job_goes_on_with_what_is_missing(truth_teller, counts, tmp_path):
    second = tmp_path / "second.fits"
    second.write_bytes(counts.read_bytes())
    assert run("catalogue", counts, "-o", tmp_path / "out").exit_code == 0
    before = (tmp_path / "out" / "sky_catalogue.fits").stat().st_mtime_ns
    result = run("catalogue", counts, second, "-o", tmp_path / "out", "--skip-existing")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("sky.fits: has all its products already")
    assert "second_catalogue.fits" in products(tmp_path / "out")
    assert (tmp_path / "out" / "sky_catalogue.fits").stat().st_mtime_ns == before


def test_a_report_may_be_of_one_of_several(truth_teller, counts, tmp_path):
    second = tmp_path / "second.fits"
    second.write_bytes(counts.read_bytes())
    out = tmp_path / "out"
    assert run("catalogue", counts, second, "-o", out).exit_code == 0
    assert_fails(run("report", out, "--map", second), "holds 2 catalogues")
    assert run("report", out, "--stem", "second", "--map", second).exit_code == 0
    assert [name for name in products(out) if name.endswith(".html")] == ["second.html"]


def test_a_map_with_some_of_its_products_is_not_skipped(truth_teller, counts, tmp_path):
    (tmp_path / "sky.reg").write_text("mine")
    result = run("catalogue", counts, "-o", tmp_path, "--skip-existing")
    assert_fails(result, "sky.reg", "--overwrite")


def test_two_maps_of_one_name_are_refused(truth_teller, counts, tmp_path):
    result = run("catalogue", counts, counts, "-o", tmp_path)
    assert_fails(result, "sky_catalogue.fits", "two folders")


def test_one_bad_map_does_not_stop_the_others(truth_teller, counts, tmp_path):
    bad = tmp_path / "bad.fits"
    bad.write_text("no FITS")
    result = run("catalogue", bad, counts, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "bad.fits" in result.stderr
    assert len(products(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("Unable to allocate 107. GiB"), "not enough memory (Unable to allocate 107."),
        (IndexError("no such\nrow"), "psseg failed (IndexError: no such row; line "),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_map_that_fails_unforeseen_does_not_stop_the_others(
    truth_teller, counts, tmp_path, monkeypatch, error, said
):
    fine, bad = pipeline.read_map, tmp_path / "bad.fits"
    bad.write_bytes(counts.read_bytes())

    def fail(path, *given, **options):
        if path == bad:
            raise error
        return fine(path, *given, **options)

    monkeypatch.setattr(pipeline, "read_map", fail)
    result = run("catalogue", bad, counts, "-o", tmp_path / "out")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert said in line
    assert line.startswith("psseg: error: ")
    assert isinstance(error, OSError) or str(bad) in line
    assert len(products(tmp_path / "out")) == 4
    told = run("catalogue", bad, "-o", tmp_path / "out", "-v").stderr
    assert ("Traceback" in told) is not isinstance(error, OSError)


def test_options_are_checked_before_products_that_exist(truth_teller, counts, tmp_path):
    (tmp_path / "sky.reg").write_text("mine")
    for option, value, said in (
        ("--model", "nope", "no model 'nope'"),
        ("--priors", "nope", "no such priors"),
    ):
        assert_fails(run("catalogue", counts, "-o", tmp_path, option, value), said)
    (tmp_path / "labels.fits").write_text("mine")
    label = ("label", counts, "-o", tmp_path / "labels.fits", "--model", "nope")
    assert_fails(run(*label), "no model 'nope'")


def test_one_source_is_no_sources():
    assert _class_counts(["pulsar"]) == "1 source (1 pulsar, 0 blazar, 0 other)"
    assert _class_counts([]) == "0 sources (0 pulsar, 0 blazar, 0 other)"


@pytest.mark.parametrize("name", ["labels", "labels.png", "labels.fits.gz"])
def test_a_label_map_has_a_name_of_fits(truth_teller, counts, tmp_path, name):
    assert_fails(run("label", counts, "-o", tmp_path / name), name, "let its name end in .fits")
    assert products(tmp_path) == []


def test_one_format_may_be_a_word(truth_teller, counts, tmp_path):
    made = pipeline.catalogue(counts, tmp_path, formats="csv")
    assert made.paths.formats["csv"].exists()


def test_label_writes_the_label_map_alone(truth_teller, counts, tmp_path):
    result = run("label", counts, "-o", tmp_path / "labels.fits")
    assert result.exit_code == 0, result.output
    with fits.open(tmp_path / "labels.fits") as hdus:
        names = [hdu.name for hdu in hdus[1:]]
    assert names == ["CLASS_MAP", "CLASS_PROBABILITIES", "BACKGROUND"]


# What cannot be used: one line, exit status 1, no file.


def not_fits(path):
    path.write_text("RA DEC FLUX\n")


def empty(path):
    path.write_bytes(b"")


def missing(path):
    pass


@pytest.mark.parametrize("make", [not_fits, empty, missing])
def test_what_is_no_fits_file_is_refused(truth_teller, tmp_path, make):
    path = tmp_path / "map.fits"
    make(path)
    assert_fails(run("catalogue", path, "-o", tmp_path / "out"), "map.fits")
    assert products(tmp_path / "out") == []


def test_a_truncated_file_is_refused(truth_teller, counts, tmp_path):
    path = tmp_path / "map.fits"
    content = counts.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    assert_fails(run("catalogue", path, "-o", tmp_path / "out"), "map.fits")
    assert products(tmp_path / "out") == []


def without_wcs(hdus):
    for key in list(hdus[0].header["CTYPE*"]) + list(hdus[0].header["CR*"]):
        del hdus[0].header[key]


def without_energies(hdus):
    hdus.pop("EBOUNDS")


def of_nothing(hdus):
    hdus[0].data = np.zeros_like(hdus[0].data)


def of_fluxes(hdus):
    hdus[0].data = hdus[0].data * np.float32(1e-3)


def negative(hdus):
    hdus[0].data = hdus[0].data - 3


def of_one_bin(hdus):
    hdus[0].data = hdus[0].data.sum(axis=0, keepdims=True)
    table = hdus["EBOUNDS"].data[:1].copy()
    table["E_MAX"] = hdus["EBOUNDS"].data["E_MAX"][-1]
    hdus["EBOUNDS"] = fits.BinTableHDU(table, name="EBOUNDS")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (without_wcs, ("celestial",)),
        (of_nothing, ("counts",)),
        (of_fluxes, ("flux",)),
        (negative, ("negative",)),
        (of_one_bin, ("GeV",)),
    ],
)
def test_unusable_maps_are_refused(truth_teller, edited, tmp_path, change, parts):
    result = run("catalogue", edited(change), "-o", tmp_path / "out", "--model", "fermi-lat")
    assert_fails(result, "edited.fits", *parts)
    assert products(tmp_path / "out") == []


def test_a_map_without_energies_is_refused(truth_teller, edited, tmp_path):
    path = edited(without_energies)
    assert_fails(run("catalogue", path, "-o", tmp_path / "out", "--model", "fermi-lat"), "EBOUNDS")
    assert_fails(run("catalogue", path, "-o", tmp_path / "out"), "no EBOUNDS table", "gtbin")


def test_an_exposure_elsewhere_is_refused(truth_teller, counts, sky_files, tmp_path):
    path = tmp_path / "exposure.fits"
    with fits.open(sky_files.exposure) as hdus:
        hdus[0].header["CRVAL2"] += 40
        hdus.writeto(path)
    result = run("catalogue", counts, "--exposure", path, "-o", tmp_path / "out")
    assert_fails(result, "exposure.fits", "cover")
    assert products(tmp_path / "out") == []


def test_a_map_of_an_unknown_telescope_needs_a_model(truth_teller, edited, tmp_path):
    path = edited(lambda hdus: hdus[0].header.set("TELESCOP", "HUBBLE"))
    result = run("catalogue", path, "-o", tmp_path / "out")
    assert_fails(result, "edited.fits", "--model")


def test_a_damaged_model_is_refused(lat, stub, counts, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    network = bytearray(b"the weights")
    checksums = {
        "network.keras": hashlib.sha256(network).hexdigest(),
        "survey.toml": hashlib.sha256(lat.text.encode()).hexdigest(),
    }
    network[3] ^= 1
    (folder / "network.keras").write_bytes(network)
    (folder / "survey.toml").write_text(lat.text, "utf-8")
    record = {"name": "damaged", "sha256": checksums, "calibration": stub.calibration.to_dict()}
    (folder / "model.json").write_text(json.dumps(record | {"training": {}, "psseg": "0"}))
    result = run("catalogue", counts, "--model", folder, "-o", tmp_path / "out")
    assert_fails(result, "network.keras", "checksum")
    assert products(tmp_path / "out") == []


def test_an_unknown_model_is_refused(tmp_path, counts):
    assert_fails(run("catalogue", counts, "--model", "nope", "-o", tmp_path / "out"), "nope")
    assert_fails(run("models", "show", "nope"), "nope")


def test_a_full_disk_is_told_in_one_line(truth_teller, counts, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("psseg.pipeline.plot_catalogue", fail)
    result = run("catalogue", counts, "-o", tmp_path / "out")
    assert_fails(result, str(tmp_path / "out" / "sky.png"), "no space left on the disk; free some")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_nothing(truth_teller, counts, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("psseg.pipeline.plot_catalogue", interrupt)
    result = run("catalogue", counts, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.strip() == "Aborted!"
    assert products(tmp_path / "out") == []
