"""A training set: many simulated tiles as expected counts on disk, in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from psseg.sky.simulation import simulate_tile
from psseg.sky.stored_tiles import Layout, store_tiles
from psseg.survey.survey import AnySurvey, Survey, counts_survey

__all__ = ["TrainingTiles", "draw_bands", "simulate_training_tiles"]


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


def draw_bands(n_bands: int, rng: np.random.Generator, *, complete: float = 0.6) -> np.ndarray:
    """Draw which bands of a tile are observed: all, or a contiguous part of at least three.

    Of the parts, about four in five are the upper bands, and half of these the upper three: maps
    are cut off at low energies mostly, and those of the hard-source catalogues begin at 10 GeV.

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
    upper = rng.uniform() < 0.7
    n = 3 if upper and rng.uniform() < 0.4 else rng.integers(3, n_bands)
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
        Where they go; 0.54 MB a tile of 128² with 8 bands.
    n_tiles, seed : int
    shape : tuple of int
        (n_y, n_x).
    mix : str
        As in :func:`~psseg.sky.simulation.simulate_tile`.
    workers : int
        Processes. A script that calls this needs the usual ``if __name__ == "__main__":``, as they
        are started afresh.
    progress : bool
        Show a bar.

    Returns
    -------
    TrainingTiles

    Raises
    ------
    PssegError
        If the disk has no room for them.
    """
    arrays = store_tiles(
        survey,
        folder,
        _draw_tile,
        _layout(shape, survey.n_bands),
        n_tiles=n_tiles,
        seed=seed,
        shape=shape,
        mix=mix,
        workers=workers,
        progress=progress,
    )
    return TrainingTiles(**arrays)


def _layout(shape: tuple[int, int], n_bands: int) -> Layout:
    return {
        "expected": ((*shape, n_bands), np.float16),
        "background": ((*shape, n_bands), np.float16),
        "class_map": (shape, np.uint8),
        "present": ((n_bands,), bool),
    }


def _draw_tile(
    survey: AnySurvey, rng: np.random.Generator, shape: tuple[int, int], mix: str
) -> dict[str, np.ndarray]:
    survey = counts_survey(survey)
    present = draw_bands(survey.n_bands, rng)
    tile = simulate_tile(survey, rng=rng, shape=shape, mix=mix, bands_present=present)
    return {
        "expected": _compress(tile.expected),
        "background": _compress(tile.background),
        "class_map": tile.class_map,
        "present": tile.tile.bands_present,
    }


def _compress(cube: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.sqrt(cube), 0, -1).astype(np.float16)
