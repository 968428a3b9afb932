"""The demo's comparison with the truth, and its files."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable
from click.testing import CliRunner
from truth_teller import clear_sources

from psseg.cli import main
from psseg.demo import comparison_table, run_demo
from psseg.errors import PssegError

FILES = {
    "sky.fits", "sky_exposure.fits", "sky_truth.fits",
    "sky.png", "sky.reg", "sky_catalogue.fits", "sky_labels.fits",
}  # fmt: skip


@pytest.fixture
def small(truth_teller, sky, monkeypatch):
    """Let the demo show a small sky that is known already."""
    monkeypatch.setattr("psseg.demo.load_model", lambda name: truth_teller)
    monkeypatch.setattr("psseg.demo.simulate_tile", lambda *_, **__: sky)


def test_the_demo_leaves_sky_and_products(small, tmp_path):
    result = CliRunner().invoke(main, ["demo", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == FILES
    for path in (tmp_path / "sky.png", tmp_path / "sky_catalogue.fits", tmp_path / "sky.reg"):
        assert str(path) in result.stdout
    assert "true sources" in result.stdout
    with pytest.raises(PssegError, match="use --overwrite"):
        run_demo(tmp_path, model="fermi-lat")


def test_a_truth_teller_finds_every_source_that_stands_alone(small, sky, tmp_path):
    truths = run_demo(tmp_path, model="fermi-lat").evaluation.tables.truths
    alone = np.isin(truths["Source_Name"], clear_sources(sky)["Source_Name"])
    assert alone.sum() >= 6
    assert np.all(truths["FOUND"][alone])


def test_the_comparison_counts_right():
    truths = QTable(
        {
            "TS": [20.0, 30.0, 50.0, 200.0, 300.0],
            "COUNTED": [True, True, True, True, False],
            "FOUND": [True, False, True, True, True],
        }
    )
    detections = QTable(
        {
            "COUNTED": [True, True, True],
            "MATCHED": [True, True, False],
            "CLASS": ["blazar", "pulsar", "other"],
            "TRUE_CLASS": ["blazar", "blazar", ""],
        }
    )
    lines = comparison_table(SimpleNamespace(truths=truths, detections=detections))
    found = {line[:24].strip(): line[24:].split() for line in lines if line[24:].split()}
    assert found["TS 25-36"] == ["0", "1"]
    assert found["TS 36-64"] == ["1", "1"]
    assert found["TS above 144"] == ["1", "1"]
    assert found["blazar"] == ["1", "2"]
    assert found["pulsar"] == ["0", "0"]
    assert lines[-1] == "1 of 3 detections are no true source"
