"""Chunks of stored tiles: the same whoever simulates them, and made anew for every other wish."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.sky import stored_tiles
from psseg.sky.stored_tiles import store_tiles

LAYOUT = {"numbers": ((2,), np.float64), "picture": ((2, 3), np.float32)}
WANTED = {"n_tiles": 7, "seed": 5, "shape": (2, 3), "mix": "balanced"}


def draw_numbers(survey, rng, shape, mix):
    return {"numbers": rng.uniform(size=2), "picture": rng.uniform(size=(2, 3))}


@pytest.fixture
def in_threads(monkeypatch):
    """Simulate in threads of this process, three tiles to a chunk."""
    monkeypatch.setattr(stored_tiles, "CHUNK", 3)
    monkeypatch.setattr(
        stored_tiles, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(workers)
    )


@pytest.fixture
def store(lat, tmp_path):
    """Give a function that stores tiles, and the list of those it drew."""
    drawn = []

    def draw(survey, rng, shape, mix):
        drawn.append((shape, mix))
        return draw_numbers(survey, rng, shape, mix)

    def store(survey=lat, folder=tmp_path, **changes):
        wanted = WANTED | {"workers": 1, "progress": False} | changes
        return store_tiles(survey, folder, draw, LAYOUT, **wanted)

    store.drawn, store.folder = drawn, tmp_path
    return store


def assert_equal(some, others, n=None):
    assert set(some) == set(others) == set(LAYOUT)
    for name, (shape, dtype) in LAYOUT.items():
        assert some[name].dtype == others[name].dtype == dtype
        assert some[name].shape[1:] == shape
        np.testing.assert_array_equal(some[name][:n], others[name][:n])


def test_chunks_follow_each_other_and_the_rest_is_the_last(lat, store, in_threads):
    tiles = store()
    assert len(tiles["numbers"]) == len(store.drawn) == 7
    for start, size in ((0, 3), (3, 3), (6, 1)):
        chunk = stored_tiles._simulate_chunk(
            lat.text, draw_numbers, LAYOUT, 5, (2, 3), "balanced", start, size
        )
        for name, values in chunk.items():
            np.testing.assert_array_equal(tiles[name][start : start + size], values)
    assert len(np.unique(tiles["numbers"])) == 14


def test_a_tile_does_not_depend_on_how_many_there_are(store, in_threads, tmp_path):
    assert_equal(store(folder=tmp_path / "few", n_tiles=4), store(folder=tmp_path / "many"), n=4)


@pytest.mark.parametrize(
    "change", [{"n_tiles": 6}, {"seed": 6}, {"shape": (4, 3)}, {"mix": "physical"}], ids=str
)
def test_another_wish_is_drawn_anew(store, in_threads, change):
    store()
    store()
    assert len(store.drawn) == 7
    wanted = WANTED | change
    assert len(store(**change)["numbers"]) == wanted["n_tiles"]
    assert store.drawn[7:] == [(wanted["shape"], wanted["mix"])] * wanted["n_tiles"]
    store(**change)
    assert len(store.drawn) == 7 + wanted["n_tiles"]


def test_tiles_of_another_survey_file_are_drawn_anew(lat, store, in_threads):
    store()
    store(replace(lat, text=lat.text + "\n# another line\n"))
    assert len(store.drawn) == 14


def test_tiles_of_another_simulator_are_drawn_anew(store, in_threads, monkeypatch):
    store()
    monkeypatch.setattr(stored_tiles, "_simulator", lambda: "another")
    store()
    assert len(store.drawn) == 14


@pytest.mark.parametrize("damage", ["missing", "truncated"])
@pytest.mark.parametrize("name", LAYOUT)
def test_damaged_files_are_never_taken_for_tiles(store, in_threads, damage, name):
    store()
    path = store.folder / f"{name}.npy"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(PssegError, match=rf"{name}.npy: damaged, .*; delete the folder"):
        store()


def test_two_workers_store_the_tiles_of_one(lat, in_threads, tmp_path):
    def draw(survey, rng, shape, mix):
        drawn = draw_numbers(survey, rng, shape, mix)
        time.sleep(0.05 * drawn["numbers"][0])  # chunks are done in another order
        return drawn

    one, two = (
        store_tiles(lat, tmp_path / str(n), draw, LAYOUT, **WANTED, workers=n, progress=False)
        for n in (1, 2)
    )
    assert_equal(one, two)
