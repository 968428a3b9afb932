"""Stored tiles: from streams of their own, made anew when they are stale, and never half there."""

from __future__ import annotations

import json
import logging
from collections import namedtuple

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.sky import stored_tiles
from psseg.sky.stored_tiles import store_tiles

LAYOUT = {"draws": ((3,), np.float64), "class_map": ((2, 4), np.uint8)}
SIZE = 3 * 8 + 8
"""Bytes of a tile."""

Usage = namedtuple("Usage", "total used free")


def draw(survey, rng, shape, mix):
    return {"draws": rng.uniform(size=3), "class_map": np.zeros(shape, np.uint8)}


def simulate_here(folder, layout, n_tiles, simulate_chunk, workers, progress):
    """Stand in for the other processes."""
    for name, values in simulate_chunk(0, n_tiles).items():
        np.save(folder / f"{name}.npy", values)


@pytest.fixture
def store(lat, tmp_path, monkeypatch):
    """Store tiles of no sky, in this process; gives how often they were simulated, too."""
    made = []

    def simulate(*args):
        made.append(args[2])
        simulate_here(*args)

    monkeypatch.setattr(stored_tiles, "_simulate_to", simulate)

    def store(n_tiles=2, seed=5):
        return store_tiles(
            lat, tmp_path, draw, LAYOUT, n_tiles=n_tiles, seed=seed, shape=(2, 4), mix="balanced",
            workers=1, progress=False,
        )  # fmt: skip

    store.made, store.folder = made, tmp_path
    return store


# --- random streams --------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 50])
def test_no_simulated_sky_of_the_same_seed_has_the_numbers_of_a_training_tile(lat, start):
    made = stored_tiles._simulate_chunk(
        lat.text, draw, LAYOUT, 5, (2, 4), "balanced", start, 1
    )["draws"][0]  # fmt: skip
    skies = [np.random.default_rng(seed).uniform(size=3) for seed in ([5], [5, start])]
    assert not any(np.array_equal(made, sky) for sky in skies)


def test_every_chunk_has_its_own_numbers(lat):
    first, second = (
        stored_tiles._simulate_chunk(lat.text, draw, LAYOUT, 5, (2, 4), "balanced", start, 1)
        for start in (0, 50)
    )
    assert not np.array_equal(first["draws"], second["draws"])


# --- what is there already -------------------------------------------------------------------


def test_tiles_are_opened_where_they_are(store):
    first = store()
    assert np.array_equal(store()["draws"], first["draws"])
    assert store.made == [2]


def test_tiles_of_another_simulator_are_made_anew_and_told_of(store, monkeypatch, caplog):
    store()
    monkeypatch.setattr(stored_tiles, "_simulator", lambda: "another")
    with caplog.at_level(logging.WARNING):
        store()
    assert store.made == [2, 2]
    assert "by another version of the simulator: simulated again" in caplog.text


def test_tiles_without_a_word_on_their_simulator_are_made_anew(store, caplog):
    store()
    record = store.folder / "tiles.json"
    about = json.loads(record.read_text())
    del about["simulator"]
    record.write_text(json.dumps(about))
    store()
    assert store.made == [2, 2]
    assert "another version" in caplog.text


def test_other_tiles_are_made_without_a_word(store, caplog):
    store()
    store(seed=6)
    assert store.made == [2, 2]
    assert not caplog.text


@pytest.mark.parametrize("content", [b"", b'{"seed": 5, "n_ti', b"[1]", b"\xff\xfe"])
def test_a_record_that_cannot_be_read_is_none(store, content):
    store()
    (store.folder / "tiles.json").write_bytes(content)
    store()
    assert store.made == [2, 2]


def test_the_record_is_never_half_written(store, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("psseg.products.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store()
    assert not (store.folder / "tiles.json").exists()


# --- room on the disk ------------------------------------------------------------------------


@pytest.fixture
def free(monkeypatch):
    def set_free(n):
        monkeypatch.setattr(stored_tiles.shutil, "disk_usage", lambda _: Usage(0, 0, n))

    return set_free


def test_tiles_that_do_not_fit_are_refused_before_they_are_made(store, free):
    n = 10**8
    free(n * SIZE - 1)
    with pytest.raises(PssegError, match=r"100000000 simulated tiles take 3.2 GB, and 3.2 GB are"):
        store(n)
    assert not store.made
    assert not list(store.folder.iterdir())


def test_a_refusal_leaves_the_tiles_that_are_there(store, free):
    store()
    free(0)
    with pytest.raises(PssegError, match="simulate fewer, or name a folder on another disk"):
        store(10**6)
    assert len(store()["draws"]) == 2
    assert store.made == [2]


def test_tiles_that_just_fit_are_made(store, free):
    free(2 * SIZE)
    assert len(store()["draws"]) == 2


def test_the_room_of_tiles_that_are_replaced_counts(store, free):
    store()
    free(0)
    assert len(store(seed=6)["draws"]) == 2
