"""From a survey to a model: the trained network is stored and calibrated."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from commands import run

from psseg.errors import PssegError
from psseg.evaluation.source_calibration import fit_source_probability
from psseg.network.store import load_model
from psseg.network.training import TrainingSettings
from psseg.network.unet import build_network
from psseg.training_run import train_model

SETTINGS = TrainingSettings(n_tiles=4, epochs=1, filters=2, depth=1, seed=7)


@pytest.fixture
def asked(monkeypatch, stub):
    """Train and calibrate in no time; gives what was asked for."""
    asked = {}

    def train(survey, folder, *, settings, **options):
        asked.update(options)
        record = {"settings": asdict(settings or SETTINGS), "seconds": 1.0, "files": {}}
        folder.mkdir(exist_ok=True)
        if "tiles" in asked:
            (folder / "tiles").mkdir()
            np.save(folder / "tiles" / "class_map.npy", asked["tiles"])
        (folder / "training.json").write_text(json.dumps(record))
        return build_network(n_bands=survey.n_bands, filters=2, depth=1)

    def calibrate(model, **options):
        asked.update(options, calibrated=model)
        return replace(stub.calibration, temperature=1.7)

    monkeypatch.setattr("psseg.network.training.train", train)
    monkeypatch.setattr("psseg.training_run.calibrate", calibrate)
    return asked


def test_the_folder_becomes_a_model(asked, lat, tmp_path):
    trained = train_model(lat, tmp_path / "mine", settings=SETTINGS)
    stored = load_model(tmp_path / "mine")
    assert stored.name == trained.name == "mine"
    assert stored.sha256 == trained.sha256
    assert stored.survey.text == lat.text
    assert stored.calibration == trained.calibration
    assert stored.calibration.temperature == 1.7
    record = json.loads((tmp_path / "mine" / "model.json").read_text())
    assert record["training"]["settings"]["seed"] == 7
    assert "files" not in record["training"]


def test_it_is_calibrated_uncalibrated_and_with_its_own_seed(asked, lat, tmp_path):
    train_model(lat, tmp_path / "mine", calibration_tiles=5, processes=3)
    assert asked["calibrated"].calibration.source_coefficients == (0.0, 1.0, 0.0)
    assert (asked["seed"], asked["n_tiles"]) == (7, 5)
    assert asked["processes"] == asked["workers"] == 3


def test_tiles_that_have_served_are_told_of(asked, lat, tmp_path, caplog):
    asked["tiles"] = np.zeros(60_000_000, np.uint8)
    train_model(lat, tmp_path / "mine")
    assert "mine/tiles (0.1 GB) is no longer needed and may be deleted" in caplog.text


def test_nothing_is_told_where_they_are_gone(asked, lat, tmp_path, caplog):
    train_model(lat, tmp_path / "mine")
    assert not caplog.text


def test_the_command_asks_for_more_tiles_to_calibrate_on(asked, tmp_path):
    words = ("train", "fermi-lat", "-o", tmp_path / "mine", "--calibration-tiles", 200)
    result = run(*words, "--resume", "-j", 3)
    assert result.exit_code == 0, result.output
    assert (asked["n_tiles"], asked["resume"], asked["processes"]) == (200, True, 3)


def test_too_few_detections_to_calibrate_on_say_how_to_get_more():
    with pytest.raises(PssegError, match=r"more tiles, as .* --calibration-tiles does"):
        fit_source_probability([0.9], [30.0], [True])


@pytest.mark.parametrize("resume", [False, True])
def test_a_training_can_be_resumed(asked, lat, tmp_path, resume):
    train_model(lat, tmp_path / "mine", resume=resume)
    assert asked["resume"] is resume


def test_the_folder_is_no_model_before_it_is_calibrated(asked, lat, tmp_path, monkeypatch):
    def interrupted(model, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("psseg.training_run.calibrate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_model(lat, tmp_path / "mine")
    with pytest.raises(PssegError, match="mine"):
        load_model(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["training.json"]
