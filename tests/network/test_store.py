"""Models on disk: what is saved comes back, and what was changed is refused by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from psseg.errors import PssegError, PssegWarning
from psseg.network import store
from psseg.network.losses import background_loss, source_weighted
from psseg.network.store import (
    Calibration,
    find_model,
    list_models,
    load_model,
    save_model,
    update_calibration,
)


@pytest.fixture(scope="module")
def network(random_network):
    return random_network(n_bands=8, filters=12, depth=3, normalise=True)


@pytest.fixture(scope="module")
def saved(network, lat, stub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "mine"
    save_model(
        network, lat, folder, name="mine", calibration=stub.calibration, training={"seed": 1}
    )
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """Give a model folder that may be spoilt."""
    return shutil.copytree(saved, tmp_path / "mine")


def rename(folder):
    """Give a model the name of its folder."""
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(record | {"name": folder.name}))


def outputs(network):
    counts = np.random.default_rng(1).poisson(1.0, (1, 32, 32, 8)).astype(np.float32)
    return [output.numpy() for output in network([counts, np.ones_like(counts)], training=False)]


def test_round_trip(folder, lat, stub):
    model = load_model(folder)
    assert model.name == "mine"
    assert model.folder == folder
    assert model.survey.text == lat.text
    assert model.calibration == stub.calibration
    assert (
        model.sha256 == json.loads((folder / "model.json").read_text())["sha256"]["network.keras"]
    )


def test_half_precision_changes_little(folder, network):
    (plain, background), (rounded, rounded_background) = (
        outputs(one) for one in (network, load_model(folder).network)
    )
    for exact, stored in ((plain, rounded), (np.log(background), np.log(rounded_background))):
        assert 0 < np.std(stored - exact) < 0.01 * np.std(exact)


def test_saving_leaves_the_network_as_it_is(network, lat, stub, tmp_path):
    before = network.get_weights()
    save_model(network, lat, tmp_path, name="mine", calibration=stub.calibration, training={})
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_take_little_more_than_two_bytes(folder, network):
    assert (folder / "network.keras").stat().st_size < 2.6 * network.count_params()


def test_a_model_is_replaced_by_another_even_straight_from_training(folder, network, lat, stub):
    size = (folder / "network.keras").stat().st_size
    compiled = keras.Model.from_config(network.get_config())
    compiled.set_weights(network.get_weights())
    compiled.compile("adam", loss=[source_weighted(2.0), background_loss])
    compiled.optimizer.build(compiled.trainable_variables)
    warmer = replace(stub.calibration, temperature=2.0)
    save_model(compiled, lat, folder, name="other", calibration=warmer, training={})
    model = load_model(folder)
    assert (model.name, model.calibration) == ("other", warmer)
    assert (folder / "network.keras").stat().st_size == pytest.approx(size, rel=0.01)


def test_nothing_unfinished_is_left(folder):
    assert {path.name for path in folder.iterdir()} == {
        "card.md",
        "model.json",
        "network.keras",
        "survey.toml",
    }


def test_a_card_says_what_the_network_is_for(folder, lat):
    assert lat.title in (folder / "card.md").read_text()


@pytest.mark.parametrize("file", ["network.keras", "survey.toml"])
def test_a_changed_byte_is_noticed(folder, file):
    content = bytearray((folder / file).read_bytes())
    place = content.index(b"#") + 1 if file == "survey.toml" else len(content) // 2
    content[place] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(PssegError, match=rf"{file}: checksum does not match model\.json"):
        load_model(folder)


@pytest.mark.parametrize("file", ["network.keras", "survey.toml"])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(PssegError, match=f"{file}: missing; install the model anew"):
        load_model(folder)


def test_a_broken_record_is_named(folder):
    (folder / "model.json").write_text("{")
    with pytest.raises(PssegError, match=r"model\.json: not JSON"):
        load_model(folder)


@pytest.mark.parametrize("key", ["name", "sha256", "calibration"])
def test_a_record_that_lacks_something_is_named(folder, key):
    record = json.loads((folder / "model.json").read_text())
    del record[key]
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(PssegError, match=rf"model\.json: '{key}' is missing"):
        load_model(folder)


def test_an_unknown_name_is_answered_with_the_known_ones(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "shipped_models", lambda: tmp_path)
    for name in ("beta", "alpha"):
        rename(shutil.copytree(saved, tmp_path / name))
    assert [info.name for info in list_models()] == ["alpha", "beta"]
    assert load_model("alpha").folder == tmp_path / "alpha"
    with pytest.raises(PssegError, match="no model 'gamma': want one of alpha, beta, or a model f"):
        load_model("gamma")


@pytest.fixture
def namesake(saved, tmp_path, monkeypatch):
    """Give a folder "alpha" here that is not the shipped model "alpha"."""
    for place in ("shipped", "here", "models"):
        rename(shutil.copytree(saved, tmp_path / place / "alpha"))
    monkeypatch.setattr(store, "shipped_models", lambda: tmp_path / "shipped")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["./alpha", "alpha/", "../models/alpha", Path("alpha"), Path("../models/alpha")]
)
def test_what_names_a_folder_is_never_a_shipped_model(namesake, name):
    found = find_model(name).folder.resolve()
    assert found == (Path.cwd() / name).resolve()
    assert found.parent.name in ("here", "models")


def test_a_folder_with_the_name_of_a_shipped_model_is_told_of(namesake):
    with pytest.warns(PssegWarning, match=r"not the folder alpha here; write \./alpha for that"):
        assert find_model("alpha").folder == namesake / "shipped" / "alpha"


def test_a_shipped_model_seen_from_its_own_folder_is_no_other(namesake, monkeypatch):
    monkeypatch.chdir(namesake / "shipped")
    assert find_model("alpha").folder == namesake / "shipped" / "alpha"


def test_a_name_that_leads_out_of_the_shipped_models_is_a_folder(namesake, monkeypatch):
    monkeypatch.chdir(namesake)
    with pytest.raises(PssegError, match=r"no model '\.\./models/alpha'"):
        find_model("../models/alpha")


def test_a_model_is_found_without_loading_it(folder, lat):
    (folder / "network.keras").write_bytes(b"")
    info = find_model(folder)
    assert (info.name, info.title, info.folder) == ("mine", lat.title, folder)


def test_a_calibration_comes_back_as_it_was(stub):
    measured = replace(stub.calibration, residual_limit=(1.1, 1.2), class_bias=(0.1, -0.2, 0.0))
    text = json.dumps(measured.to_dict())
    assert Calibration.from_dict(json.loads(text)) == measured


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treshold": 0.5}, "unknown key 'treshold' in calibration"),
        ({"temperature": None}, "missing key 'temperature' in calibration"),
    ],
)
def test_a_calibration_with_wrong_keys_is_refused(stub, change, message):
    table = {
        key: value
        for key, value in (stub.calibration.to_dict() | change).items()
        if value is not None
    }
    with pytest.raises(PssegError, match=message):
        Calibration.from_dict(table)


def test_a_new_calibration_is_kept(folder):
    model = load_model(folder)
    warmer = replace(model.calibration, temperature=1.5)
    assert update_calibration(model, warmer).calibration == warmer
    assert load_model(folder).calibration == warmer
    assert json.loads((folder / "model.json").read_text())["training"] == {"seed": 1}
