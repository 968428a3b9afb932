"""Training tiles on disk: simulated once, by several processes, and opened where they are there.

In: how one tile is drawn and which arrays it gives. Out: these arrays of all tiles, memory-mapped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from psseg.progress import Progress
from psseg.survey.survey import AnySurvey, parse_survey

__all__ = ["DrawTile", "Layout", "store_tiles"]

CHUNK = 50
"""Tiles simulated from one random stream; the result does not depend on the number of workers."""

Layout = Mapping[str, tuple[tuple[int, ...], type]]
DrawTile = Callable[[AnySurvey, np.random.Generator, tuple[int, int], str], Mapping[str, Any]]


def store_tiles(
    survey: AnySurvey,
    folder: Path,
    draw: DrawTile,
    layout: Layout,
    *,
    n_tiles: int,
    seed: int,
    shape: tuple[int, int],
    mix: str,
    workers: int,
    progress: bool,
) -> dict[str, np.ndarray]:
    """Simulate tiles to disk, or open them where this was done before.

    Parameters
    ----------
    survey : Survey or ContinuumSurvey
    folder : pathlib.Path
        Where they go: a file per array, and ``tiles.json``, which says what they are and is written
        last.
    draw : callable
        Takes survey, random numbers, shape and mix, and gives the arrays of one tile by name. A
        function of a module: other processes call it.
    layout : mapping
        Of every array, the shape of one tile's entry and the type.
    n_tiles, seed : int
    shape : tuple of int
        (n_y, n_x).
    mix : str
        Of the source classes.
    workers : int
        Processes.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of numpy.ndarray
        The arrays of `layout`, shape (n_tiles, ...), memory-mapped.
    """
    about = {
        "survey": hashlib.sha256(survey.text.encode()).hexdigest(),
        "n_tiles": n_tiles,
        "seed": seed,
        "shape": list(shape),
        "mix": mix,
    }
    record = folder / "tiles.json"
    if not (record.is_file() and json.loads(record.read_text()) == about):
        folder.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)
        chunk = partial(_simulate_chunk, survey.text, draw, dict(layout), seed, shape, mix)
        _simulate_to(folder, layout, n_tiles, chunk, workers, progress)
        record.write_text(json.dumps(about))
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in layout}


def _simulate_to(
    folder: Path,
    layout: Layout,
    n_tiles: int,
    simulate_chunk: Callable[[int, int], dict[str, np.ndarray]],
    workers: int,
    progress: bool,
) -> None:
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (n_tiles, *shape))
        for name, (shape, dtype) in layout.items()
    }
    starts = range(0, n_tiles, CHUNK)
    sizes = [min(CHUNK, n_tiles - start) for start in starts]
    bar = Progress(total=n_tiles, unit="tile", desc="simulating", disable=not progress)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool, bar:
        chunks = pool.map(simulate_chunk, starts, sizes)
        for start, size, chunk in zip(starts, sizes, chunks, strict=True):
            for name, values in chunk.items():
                arrays[name][start : start + size] = values
            bar.update(size)
    for array in arrays.values():
        array.flush()


def _simulate_chunk(
    text: str,
    draw: DrawTile,
    layout: Layout,
    seed: int,
    shape: tuple[int, int],
    mix: str,
    start: int,
    n: int,
) -> dict[str, np.ndarray]:
    survey, rng = parse_survey(text), np.random.default_rng([seed, start])
    tiles = [draw(survey, rng, shape, mix) for _ in range(n)]
    return {
        name: np.array([tile[name] for tile in tiles], dtype) for name, (_, dtype) in layout.items()
    }
