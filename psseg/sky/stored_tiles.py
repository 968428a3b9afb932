"""Training tiles on disk: simulated once, by several processes, and opened where they are there.

In: how one tile is drawn and which arrays it gives. Out: these arrays of all tiles, memory-mapped.
Tiles that another survey file, other settings or another simulator made are simulated again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from math import prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from psseg.errors import PssegError
from psseg.products import write_together
from psseg.progress import Progress
from psseg.survey.survey import AnySurvey, parse_survey

__all__ = ["DrawTile", "Layout", "store_tiles"]

CHUNK = 50
"""Tiles simulated from one random stream; the result does not depend on the number of workers."""

TILES = 0x74696C
"""Key that keeps the random numbers of training tiles apart from all others of the same seed."""

PLANES_OF = ("beam.py", "network_planes.py", "noise.py", "places.py")
"""Of `psseg.tiles`, what stored arrays come from."""

logger = logging.getLogger(__name__)

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
        Processes; they are started afresh.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of numpy.ndarray
        The arrays of `layout`, shape (n_tiles, ...), memory-mapped.

    Raises
    ------
    PssegError
        If the disk has no room for them; nothing is simulated then.
    """
    about = {
        "survey": hashlib.sha256(survey.text.encode()).hexdigest(),
        "n_tiles": n_tiles,
        "seed": seed,
        "shape": list(shape),
        "mix": mix,
        "simulator": _simulator(),
    }
    record = folder / "tiles.json"
    if (stored := _read(record)) != about:
        if stored | {"simulator": _simulator()} == about:
            logger.warning("%s: by another version of the simulator: simulated again", folder)
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, layout, n_tiles)
        record.unlink(missing_ok=True)
        chunk = partial(_simulate_chunk, survey.text, draw, dict(layout), seed, shape, mix)
        _simulate_to(folder, layout, n_tiles, chunk, workers, progress)
        write_together({record: partial(Path.write_text, data=json.dumps(about), encoding="utf-8")})
    return {name: _mapped(folder / f"{name}.npy") for name in layout}


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise PssegError(
            f"{path}: damaged, {error}; delete the folder to simulate the tiles again"
        ) from None


@lru_cache(maxsize=1)
def _simulator() -> str:
    """Checksum of the simulator's source, by which stored tiles are known to be its own."""
    here = Path(__file__).parent
    files = sorted(path for part in (here, here.parent / "survey") for path in part.glob("*.py"))
    files += [here.parent / "tiles" / name for name in PLANES_OF]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _read(record: Path) -> dict[str, Any]:
    """Give what tiles are stored; nothing where there are none, or it cannot be read."""
    try:
        return dict(json.loads(record.read_text("utf-8")))
    except (FileNotFoundError, TypeError, ValueError):
        return {}


def _check_room(folder: Path, layout: Layout, n_tiles: int) -> None:
    """Refuse tiles for which the disk has no room: writing them would kill the process."""
    sizes = [np.dtype(dtype).itemsize * prod(shape) for shape, dtype in layout.values()]
    needed = n_tiles * sum(sizes)
    free = shutil.disk_usage(folder).free + sum(map(_occupied, folder.glob("*.npy")))
    if needed > free:
        raise PssegError(
            f"{folder}: {n_tiles} simulated tiles take {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; simulate fewer, or name a folder on another disk"
        )


def _occupied(path: Path) -> int:
    """Bytes of the disk that a file, which will be replaced, takes; 0 where nobody knows."""
    return 512 * getattr(path.stat(), "st_blocks", 0)


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
    stream = np.random.SeedSequence(seed, spawn_key=(TILES, start))
    survey, rng = parse_survey(text), np.random.default_rng(stream)
    tiles = [draw(survey, rng, shape, mix) for _ in range(n)]
    return {
        name: np.array([tile[name] for tile in tiles], dtype) for name, (_, dtype) in layout.items()
    }
