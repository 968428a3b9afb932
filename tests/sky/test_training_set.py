"""Training tiles on disk: complete, reproducible, and made once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.errors import PssegError
from psseg.sky.simulation import simulate_tile
from psseg.sky.stored_tiles import TILES
from psseg.sky.training_set import draw_bands, simulate_training_tiles

SHAPE = (24, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tiles")


@pytest.fixture(scope="module")
def tiles(lat, folder):
    return simulate_training_tiles(lat, folder, n_tiles=3, seed=7, shape=SHAPE, workers=1)


# --- which bands are observed ----------------------------------------------------------------


@given(n_bands=st.integers(1, 20), seed=st.integers(0, 1000))
def test_missing_bands_are_at_the_ends(n_bands, seed):
    present = draw_bands(n_bands, np.random.default_rng(seed), complete=0.2)
    assert present.shape == (n_bands,)
    assert present.sum() >= min(3, n_bands)
    assert np.abs(np.diff(present.astype(int), prepend=0, append=0)).sum() == 2


def test_most_tiles_have_all_bands():
    rng = np.random.default_rng(1)
    complete = np.mean([draw_bands(8, rng).all() for _ in range(1000)])
    assert complete == pytest.approx(0.6, abs=0.05)


def test_every_band_is_missing_now_and_then():
    rng = np.random.default_rng(2)
    present = np.array([draw_bands(8, rng, complete=0.0) for _ in range(400)])
    assert np.all((present.mean(axis=0) > 0.05) & (present.mean(axis=0) < 0.95))


def test_parts_are_mostly_the_upper_bands():
    rng = np.random.default_rng(3)
    present = np.array([draw_bands(8, rng, complete=0.0) for _ in range(400)])
    assert present[:, -1].mean() > 0.6 > present[:, 0].mean()


def test_a_third_of_the_parts_begins_at_10_gev(lat):
    rng = np.random.default_rng(4)
    present = np.array([draw_bands(lat.n_bands, rng, complete=0.0) for _ in range(1000)])
    upper_three = (present == (lat.energy_edges[:-1] > 9.9)).all(axis=1)
    assert upper_three.mean() == pytest.approx(0.37, abs=0.05)


# --- tiles on disk ---------------------------------------------------------------------------


def test_shapes_and_types(lat, tiles):
    assert len(tiles) == 3
    assert tiles.expected.shape == tiles.background.shape == (3, *SHAPE, lat.n_bands)
    assert tiles.expected.dtype == tiles.background.dtype == np.float16
    assert tiles.class_map.shape == (3, *SHAPE)
    assert tiles.present.shape == (3, lat.n_bands)


def test_tiles_are_those_of_the_simulator_but_for_rounding(lat, tiles):
    rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(TILES, 0)))
    for number in range(3):
        present = draw_bands(lat.n_bands, rng)
        tile = simulate_tile(lat, rng=rng, shape=SHAPE, mix="balanced", bands_present=present)
        assert np.array_equal(tiles.present[number], present)
        assert np.array_equal(tiles.class_map[number], tile.class_map)
        counts = np.moveaxis(tiles.expected[number].astype(float) ** 2, -1, 0)
        bright = tile.expected > 0.01
        assert np.allclose(counts[bright], tile.expected[bright], rtol=1.1e-3)


def test_tiles_are_made_once(lat, folder, tiles, monkeypatch):
    monkeypatch.setattr("psseg.sky.stored_tiles._simulate_to", None)
    again = simulate_training_tiles(lat, folder, n_tiles=3, seed=7, shape=SHAPE)
    assert np.array_equal(again.expected, tiles.expected)


@pytest.mark.parametrize("change", [{"seed": 8}, {"n_tiles": 2}, {"mix": "physical"}])
def test_tiles_are_made_anew_when_something_else_is_wanted(lat, folder, tiles, monkeypatch, change):
    asked = []
    monkeypatch.setattr("psseg.sky.stored_tiles._simulate_to", lambda *args: asked.append(args[2]))
    record = (folder / "tiles.json").read_text()
    simulate_training_tiles(lat, folder, **{"n_tiles": 3, "seed": 7, "shape": SHAPE} | change)
    (folder / "tiles.json").write_text(record)
    assert asked == [change.get("n_tiles", 3)]


def test_a_run_that_is_killed_leaves_no_record(lat, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    (tmp_path / "tiles.json").write_text(json.dumps({"seed": 1}))
    monkeypatch.setattr("psseg.sky.stored_tiles._simulate_to", killed)
    with pytest.raises(KeyboardInterrupt):
        simulate_training_tiles(lat, tmp_path, n_tiles=1, seed=2, shape=SHAPE)
    assert not (tmp_path / "tiles.json").exists()


def test_a_wrong_mix_is_refused_by_the_simulator(lat, tmp_path):
    with pytest.raises(PssegError, match="mix is 'wild'"):
        simulate_training_tiles(lat, tmp_path, n_tiles=1, seed=1, mix="wild", workers=1)
