"""Label a map of any size: class probabilities and expected background for every pixel.

The map is read window by window: each owns a core and sees a halo around it as wide as the
network's reach, so that the result is the same, to rounding, whatever the size of the windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.wcs import WCS
from scipy.special import softmax
from tqdm import tqdm

from psseg.errors import PssegError
from psseg.network.store import Model
from psseg.network.unet import network_reach
from psseg.tiles.tile import Bounds, Tile, cores_and_halos, cut_window

__all__ = ["LabelMap", "label"]

GRID = 16
"""Windows start on multiples of this, pixels, so that the network's pooling always falls on the
same squares of the map; also the width of the empty frame put around the map."""


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """What the network says of every pixel.

    Parameters
    ----------
    class_probabilities : numpy.ndarray of float32, shape (4, n_y, n_x)
        Background, pulsar, blazar, other; they sum to 1. NaN where masked.
    background : numpy.ndarray of float32, shape (n_bands, n_y, n_x)
        Expected counts of everything that is no source. NaN where masked or absent.
    wcs : astropy.wcs.WCS
    mask : numpy.ndarray of bool, shape (n_y, n_x)
        True where there were no data.
    """

    class_probabilities: np.ndarray
    background: np.ndarray
    wcs: WCS
    mask: np.ndarray

    @property
    def source_probability(self) -> np.ndarray:
        """One minus the probability of background, (n_y, n_x)."""
        return 1 - self.class_probabilities[0]


def label(tile: Tile, model: Model, *, core: int = 1024, progress: bool = False) -> LabelMap:
    """Label a map.

    Parameters
    ----------
    tile : Tile
    model : Model
    core : int
        Side of the part a window owns, pixels, a multiple of 16. Time grows with the share of
        halo, memory with the square of the window: at 1024 it takes about 1 GB.
    progress : bool
        Show a bar.

    Returns
    -------
    LabelMap

    Raises
    ------
    PssegError
        If `core` does not fit the grid of the network's pooling.
    """
    if core < GRID or core % GRID:
        raise PssegError(f"core is {core} pixels, want a multiple of {GRID}")
    n_y, n_x = tile.shape
    probabilities = np.empty((4, n_y, n_x), np.float32)
    background = np.empty(tile.data.shape, np.float32)
    runners: dict[tuple[int, int], Any] = {}
    windows = list(cores_and_halos(tile.shape, core=core, halo=network_reach()))
    for (rows, columns), bounds in tqdm(windows, unit="window", disable=not progress):
        bounds = _clip(bounds, tile.shape)
        shape = bounds[1] - bounds[0], bounds[3] - bounds[2]
        if shape not in runners:
            runners[shape] = _for_shape(model, shape)
        logits, expected = runners[shape].predict_on_batch(list(_network_input(tile, bounds)))
        inner = _within(rows, columns, bounds)
        probabilities[:, rows, columns] = softmax(logits[0][inner], axis=-1).transpose(2, 0, 1)
        background[:, rows, columns] = expected[0][inner].transpose(2, 0, 1)
    probabilities[:, tile.mask] = np.nan
    background[:, tile.mask] = np.nan
    background[~tile.bands_present] = np.nan
    return LabelMap(
        class_probabilities=probabilities, background=background, wcs=tile.wcs, mask=tile.mask
    )


def _clip(bounds: Bounds, shape: tuple[int, int]) -> Bounds:
    """Keep a window within the map and its empty frame; both ends stay on the grid."""
    y0, y1, x0, x1 = bounds
    end_y, end_x = (-(-n // GRID) * GRID + GRID for n in shape)
    return max(y0, -GRID), min(y1, end_y), max(x0, -GRID), min(x1, end_x)


def _for_shape(model: Model, shape: tuple[int, int]) -> Any:
    """Wrap the network for windows of one shape: TensorFlow's graphs want it fixed."""
    import keras

    n_bands = model.survey.n_bands
    inputs = [keras.Input((*shape, n_bands), batch_size=1) for _ in model.network.inputs]
    return keras.Model(inputs, model.network(inputs))


def _network_input(tile: Tile, bounds: Bounds) -> Iterator[np.ndarray]:
    """Give counts and what is present, each (1, n_y, n_x, n_bands)."""
    observed = ~cut_window(tile.mask, bounds, fill=True)
    present = tile.bands_present[:, None, None] & observed
    counts = cut_window(tile.data, bounds, fill=0) * present
    for cube in (counts, present):
        yield np.moveaxis(cube, 0, -1)[None].astype(np.float32)


def _within(rows: slice, columns: slice, bounds: Bounds) -> tuple[slice, slice]:
    y0, _, x0, _ = bounds
    return (
        slice(rows.start - y0, rows.stop - y0),
        slice(columns.start - x0, columns.stop - x0),
    )
