"""A training of seconds: what it leaves on disk, and that it can be stopped and resumed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.network import checkpoints
from psseg.network.checkpoints import read_record
from psseg.network.training import TrainingSettings, train
from psseg.survey.survey import parse_survey

SETTINGS = TrainingSettings(
    n_tiles=9, epochs=2, batch_size=2, filters=2, depth=2, learning_rate=1e-2, seed=3
)


@pytest.fixture(scope="module")
def finished(lat, tmp_path_factory):
    """Train without interruption; gives folder and network."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, train(lat, folder, settings=SETTINGS, workers=1)


@pytest.fixture
def folder(finished, tmp_path):
    """Give a folder with the tiles of the finished training and nothing else."""
    shutil.copytree(finished[0] / "tiles", tmp_path / "tiles")
    return tmp_path


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "copy")


def keeper_of(lat, folder, network):
    keeper = checkpoints.Keeper(folder, lat, SETTINGS)
    keeper.set_model(network)
    return keeper


def read_log(folder):
    with (folder / "training.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_the_log_has_a_row_per_epoch(finished):
    rows = read_log(finished[0])
    assert [row["epoch"] for row in rows] == [0, 1]
    assert {"loss", "val_loss", "val_class_logits_loss", "val_background_loss"} <= rows[0].keys()
    assert np.isfinite([list(row.values()) for row in rows]).all()


def test_the_record_tells_what_was_done(finished, lat):
    record = read_record(finished[0])
    assert record["settings"] == asdict(SETTINGS)
    assert record["survey"] == "fermi-lat"
    assert record["survey_sha256"] == hashlib.sha256(lat.text.encode()).hexdigest()
    assert record["epochs_done"] == 2
    folded = read_log(finished[0])[SETTINGS.turn :]  # with normalisation, losses do not compare
    assert record["best_loss"] == pytest.approx(min(row["val_loss"] for row in folded))
    assert record["seconds"] > 0
    assert {"numpy", "keras", "backend", "psseg"} == record["versions"].keys()


def test_nothing_unfinished_is_left(finished):
    names = {path.name for path in finished[0].iterdir()}
    kept = {"best-02.weights.h5", "checkpoint-02.keras", "optimizer-02.npz"}
    assert names == kept | {"tiles", "training.csv", "training.json"}


def test_the_network_has_the_best_weights(finished):
    folder, network = finished
    best = keras.Model.from_config(network.get_config())
    best.load_weights(folder / "best-02.weights.h5")
    for one, other in zip(network.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# The interrupted log is closed by the garbage collector alone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_training_stopped_and_resumed_is_the_same(lat, finished, folder, monkeypatch, capsys):
    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Keeper, "on_epoch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            train(lat, folder, settings=SETTINGS)
    assert len(read_log(folder)) == 1
    network = train(lat, folder, resume=True)
    assert read_record(folder)["epochs_done"] == 2
    for row, uninterrupted in zip(read_log(folder), read_log(finished[0]), strict=True):
        assert row == pytest.approx(uninterrupted, rel=1e-4)
    for one, other in zip(network.get_weights(), finished[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert capsys.readouterr().out == ""


def test_resuming_what_is_finished_gives_the_network_back(lat, finished, copy):
    network = train(lat, copy, settings=SETTINGS, resume=True)
    assert read_log(copy) == read_log(finished[0])
    for one, other in zip(network.get_weights(), finished[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_finished_needs_no_tiles_any_more(lat, finished, copy):
    shutil.rmtree(copy / "tiles")
    network = train(lat, copy, resume=True)
    assert not (copy / "tiles").exists()
    for one, other in zip(network.get_weights(), finished[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_that_could_not_be_written_leaves_the_last_one(lat, copy, monkeypatch):
    def no_space(*_):
        raise OSError("no space left on device")

    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    keeper = keeper_of(lat, copy, checkpoints.load_checkpoint(copy))
    monkeypatch.setattr(checkpoints, "_save_optimizer", no_space)
    with pytest.raises(OSError, match="no space"):
        keeper.on_epoch_end(2, {"val_loss": 0.0})
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before


@pytest.fixture(params=range(4))
def killed(request, monkeypatch):
    """Give a pass that is killed when its files are renamed, before one of the four is."""

    def killed(keeper, epoch, loss):
        replace_file, left = os.replace, list(range(request.param))

        def replace_or_die(source, target):
            if not left:
                raise KeyboardInterrupt
            left.pop()
            replace_file(source, target)

        with monkeypatch.context() as patch:
            patch.setattr("psseg.products.os.replace", replace_or_die)
            with pytest.raises(KeyboardInterrupt):
                keeper.on_epoch_end(epoch, {"val_loss": loss})

    return killed


def test_a_first_pass_that_is_killed_leaves_nothing_to_resume(lat, finished, tmp_path, killed):
    killed(keeper_of(lat, tmp_path, finished[1]), 0, 1.0)
    assert read_record(tmp_path) == {}
    with pytest.raises(PssegError, match="no checkpoint to resume from"):
        train(lat, tmp_path, resume=True)
    with pytest.raises(PssegError, match="one tile is to train on"):  # no training is in its way
        train(lat, tmp_path, settings=replace(SETTINGS, n_tiles=1))
    keeper_of(lat, tmp_path, finished[1]).on_epoch_end(0, {"val_loss": 1.0})
    assert read_record(tmp_path)["epochs_done"] == 1


def test_a_pass_that_is_killed_leaves_the_one_before(lat, finished, copy, killed):
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    killed(keeper_of(lat, copy, finished[1]), 2, 0.0)
    assert {name: (copy / name).read_bytes() for name in before} == before
    keeper_of(lat, copy, finished[1]).on_epoch_end(2, {"val_loss": 0.0})
    assert read_record(copy)["files"] == {
        "best": "best-03.weights.h5",
        "optimizer": "optimizer-03.npz",
        "checkpoint": "checkpoint-03.keras",
    }
    assert len(list(copy.glob("*-*"))) == 3


def test_only_what_a_training_wrote_is_removed(copy, keeper):
    for name in ("best-mine.weights.h5", "checkpoint-02.keras.old", "optimizers.npz"):
        (copy / name).touch()
    keeper.on_epoch_end(2, {"val_loss": 0.05})
    assert {path.name for path in copy.iterdir()} == {
        "best-mine.weights.h5", "checkpoint-02.keras.old", "optimizers.npz", "tiles",
        "best-03.weights.h5", "checkpoint-03.keras", "optimizer-03.npz",
        "training.csv", "training.json",
    }  # fmt: skip


@pytest.fixture
def former(copy):
    """Give a training as a psseg left it that did not name its files by epoch."""
    record = json.loads((copy / "training.json").read_text())
    for name in record.pop("files").values():
        (copy / name).rename(copy / name.replace("-02", ""))
    (copy / "training.json").write_text(json.dumps(record))
    return copy


def test_a_training_of_a_former_psseg_can_be_resumed(lat, finished, former):
    network = train(lat, former, resume=True)
    for one, other in zip(network.get_weights(), finished[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(PssegError, match="holds a training already"):
        train(lat, former, settings=SETTINGS)


def test_the_next_pass_of_a_former_training_is_named_by_epoch(lat, finished, former):
    keeper_of(lat, former, finished[1]).on_epoch_end(2, {"val_loss": np.inf})
    assert read_record(former)["files"]["best"] == "best.weights.h5"
    names = {path.name for path in former.iterdir() if path.is_file()}
    assert names == {
        "best.weights.h5", "checkpoint-03.keras", "optimizer-03.npz", "training.csv",
        "training.json",
    }  # fmt: skip


def test_a_training_whose_checkpoint_is_gone_is_none(lat, copy):
    (copy / "checkpoint-02.keras").unlink()
    with pytest.raises(PssegError, match="no checkpoint to resume from"):
        train(lat, copy, resume=True)


def test_nothing_to_resume(lat, tmp_path):
    with pytest.raises(PssegError, match="no checkpoint to resume from; train without --resume"):
        train(lat, tmp_path, settings=SETTINGS, resume=True)


def test_a_used_folder_is_not_overwritten(lat, finished):
    with pytest.raises(PssegError, match="holds a training already; use --resume or another"):
        train(lat, finished[0], settings=SETTINGS)


def test_settings_cannot_change_on_the_way(lat, finished):
    other = replace(SETTINGS, n_tiles=50, seed=4)
    with pytest.raises(PssegError, match="was begun with n_tiles=9, seed=3: resume it with the s"):
        train(lat, finished[0], settings=other, resume=True)


def test_the_survey_cannot_change_on_the_way(lat, copy):
    noted = parse_survey(lat.text + "# a note\n")
    with pytest.raises(
        PssegError, match="copy: begun for another survey file than this 'fermi-lat'"
    ):
        train(noted, copy, resume=True)


def test_a_training_begun_before_the_survey_was_recorded_can_be_resumed(lat, copy):
    record = read_record(copy)
    del record["survey_sha256"]
    (copy / "training.json").write_text(json.dumps(record))
    assert train(lat, copy, resume=True).count_params() > 0


@pytest.fixture
def keeper(lat, finished, copy):
    """Give what keeps the best weights, as it is when the first pass is over."""
    record = read_record(copy)
    (copy / "training.json").write_text(json.dumps(record | {"epochs_done": 1, "best_loss": 0.1}))
    return keeper_of(lat, copy, finished[1])


def test_a_training_that_diverges_says_so(lat, copy, keeper):
    keeper.on_epoch_end(SETTINGS.turn, {"val_loss": np.nan})
    assert read_record(copy)["best_loss"] is None
    with pytest.raises(PssegError, match=r"copy: the training diverged, .* a lower learning_rate$"):
        train(lat, copy, resume=True)


def test_the_first_pass_with_a_finite_loss_is_the_best_so_far(copy, keeper):
    keeper.on_epoch_end(SETTINGS.turn, {"val_loss": np.nan})
    assert read_record(copy)["files"]["best"] is None
    assert not list(copy.glob("best*"))
    keeper.on_epoch_end(SETTINGS.turn + 1, {"val_loss": 7.0})
    assert read_record(copy)["files"]["best"] == "best-03.weights.h5"
    assert read_record(copy)["best_loss"] == 7.0


def test_a_loss_that_is_no_number_is_never_the_best(copy, keeper):
    keeper.on_epoch_end(SETTINGS.turn, {"val_loss": 7.0})
    keeper.on_epoch_end(SETTINGS.turn + 1, {"val_loss": np.nan})
    assert read_record(copy)["files"]["best"] == "best-02.weights.h5"
    assert (copy / "best-02.weights.h5").is_file()
    assert read_record(copy)["best_loss"] == 7.0


def test_one_tile_is_not_enough(lat, tmp_path):
    with pytest.raises(PssegError, match="one tile is to train on, one to validate on"):
        train(lat, tmp_path, settings=replace(SETTINGS, n_tiles=1))
    assert not list(tmp_path.iterdir())
