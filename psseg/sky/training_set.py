"""A training set: many simulated tiles as expected counts on disk, in one go."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from psseg.sky.simulation import simulate_tile
from psseg.survey.survey import Survey, parse_survey

__all__ = ["TrainingTiles", "draw_bands", "simulate_training_tiles"]

CHUNK = 50
"""Tiles simulated from one random stream; the result does not depend on the number of workers."""


@dataclass(frozen=True, kw_only=True)
class TrainingTiles:
    """Tiles on disk, memory-mapped.

    Parameters
    ----------
    expected, background : numpy.ndarray of float16, shape (n, n_y, n_x, n_bands)
        Square roots of expected counts, of everything and of the diffuse emission: rounding to
        half precision then changes the counts by less than 0.1 %.
    class_map : numpy.ndarray of uint8, shape (n, n_y, n_x)
    present : numpy.ndarray of bool, shape (n, n_bands)
        Bands observed.
    """

    expected: np.ndarray
    background: np.ndarray
    class_map: np.ndarray
    present: np.ndarray

    def __len__(self) -> int:
        """Count the tiles."""
        return len(self.class_map)


def draw_bands(n_bands: int, rng: np.random.Generator, *, complete: float = 0.65) -> np.ndarray:
    """Draw which bands of a tile are observed: all, or a contiguous part of at least three.

    Of the parts, about three in five are the upper bands: maps are cut off at low energies mostly.

    Parameters
    ----------
    n_bands : int
    rng : numpy.random.Generator
    complete : float
        Probability of all bands.

    Returns
    -------
    numpy.ndarray of bool, shape (n_bands,)
    """
    if n_bands <= 3 or rng.uniform() < complete:
        return np.ones(n_bands, bool)
    n = rng.integers(3, n_bands)
    upper = rng.uniform() < 0.6
    start = n_bands - n if upper else rng.integers(0, n_bands - n + 1)
    index = np.arange(n_bands)
    return (index >= start) & (index < start + n)


def simulate_training_tiles(
    survey: Survey,
    folder: Path,
    *,
    n_tiles: int,
    seed: int,
    shape: tuple[int, int] = (128, 128),
    mix: str = "balanced",
    workers: int = 2,
    progress: bool = False,
) -> TrainingTiles:
    """Simulate tiles to disk, or open them where this was done before.

    Parameters
    ----------
    survey : Survey
    folder : pathlib.Path
        Where they go; about 0.5 MB a tile of 128² with 8 bands.
    n_tiles, seed : int
    shape : tuple of int
        (n_y, n_x).
    mix : str
        As in :func:`~psseg.sky.simulation.simulate_tile`.
    workers : int
        Processes.
    progress : bool
        Show a bar.

    Returns
    -------
    TrainingTiles
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
        _simulate_to(survey, folder, about, workers, progress)
        record.write_text(json.dumps(about))
    names = TrainingTiles.__dataclass_fields__
    return TrainingTiles(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names})


def _simulate_to(
    survey: Survey, folder: Path, about: dict[str, Any], workers: int, progress: bool
) -> None:
    n, (n_y, n_x), n_bands = about["n_tiles"], about["shape"], survey.n_bands
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "expected": ((n, n_y, n_x, n_bands), np.float16),
        "background": ((n, n_y, n_x, n_bands), np.float16),
        "class_map": ((n, n_y, n_x), np.uint8),
        "present": ((n, n_bands), bool),
    }
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
        for name, (shape, dtype) in shapes.items()
    }
    starts = range(0, n, CHUNK)
    jobs = [
        (survey.text, start, min(CHUNK, n - start), about["seed"], (n_y, n_x), about["mix"])
        for start in starts
    ]
    bar = tqdm(total=n, unit="tile", desc="simulating", disable=not progress)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool, bar:
        for job, chunk in zip(jobs, pool.map(_simulate_chunk, jobs), strict=True):
            for name, values in chunk.items():
                arrays[name][job[1] : job[1] + job[2]] = values
            bar.update(job[2])
    for array in arrays.values():
        array.flush()


def _simulate_chunk(job: tuple) -> dict[str, np.ndarray]:
    text, start, n, seed, shape, mix = job
    survey = parse_survey(text)
    rng = np.random.default_rng([seed, start])
    tiles = []
    for _ in range(n):
        bands = draw_bands(survey.n_bands, rng)
        tiles.append(simulate_tile(survey, rng=rng, shape=shape, mix=mix, bands_present=bands))
    return {
        "expected": np.array([_compress(tile.expected) for tile in tiles]),
        "background": np.array([_compress(tile.background) for tile in tiles]),
        "class_map": np.array([tile.class_map for tile in tiles]),
        "present": np.array([tile.tile.bands_present for tile in tiles]),
    }


def _compress(cube: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.sqrt(cube), 0, -1).astype(np.float16)
