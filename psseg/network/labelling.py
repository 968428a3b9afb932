"""Label a map of any size: class probabilities and expected background for every pixel.

The map is read window by window: each owns a core and sees a halo around it as wide as the
network's reach, so that the result is the same, to rounding, whatever the size of the windows.
All windows of a map are equally large: TensorFlow wants a graph for every shape, and to make one
takes as long as to label 0.3 million pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

import keras
import numpy as np
from astropy.wcs import WCS
from keras import ops

from psseg.errors import PssegError
from psseg.network.forms import class_maps, quick_form
from psseg.network.store import Model
from psseg.network.unet import network_reach
from psseg.progress import Progress
from psseg.tiles.tile import Bounds, Tile, cut_window

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


def label(tile: Tile, model: Model, *, core: int = 1280, progress: bool = False) -> LabelMap:
    """Label a map.

    Parameters
    ----------
    tile : Tile
    model : Model
    core : int
        Windows are at most this wide, pixels, and the network's reach on both sides; a multiple of
        16. Time grows with the share of halo, memory with the square of the window: at 1280 it
        takes about 1.1 GB.
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
    windows = list(product(*(_spans(n, core=core, halo=network_reach()) for n in tile.shape)))
    shown = Progress(windows, unit="window", disable=not progress)
    for (rows, (y0, y1)), (columns, (x0, x1)) in shown:
        runner = _for_shape(model.network, (y1 - y0, x1 - x0))
        found = runner.predict_on_batch(_observed(tile, (y0, y1, x0, x1))[None])
        inner = (
            slice(rows.start - y0, rows.stop - y0),
            slice(columns.start - x0, columns.stop - x0),
        )
        for whole, part in zip((probabilities, background), found, strict=True):
            whole[:, rows, columns] = part[0][:, *inner]
    for whole in (probabilities, background):
        np.copyto(whole, np.nan, where=tile.mask)
    background[~tile.bands_present] = np.nan
    return LabelMap(
        class_probabilities=probabilities, background=background, wcs=tile.wcs, mask=tile.mask
    )


def _spans(n: int, *, core: int, halo: int) -> list[tuple[slice, tuple[int, int]]]:
    """Cut an axis of `n` pixels: what each window owns of it, and where the window starts and ends.

    Windows are equally long, reach to the end of the empty frame and no farther, and start on the
    grid.
    """
    first, end = -GRID, -(-n // GRID) * GRID + GRID
    inner = end - first - 2 * halo
    count = -(-inner // core)
    if count <= 1:
        return [(slice(0, n), (first, end))]
    step = -(-inner // (count * GRID)) * GRID
    length = step + 2 * halo
    starts = [min(first + number * step, end - length) for number in range(count)]
    cuts = [0, *(start + step + halo for start in starts[:-1]), n]
    return [
        (slice(*owned), (start, start + length))
        for owned, start in zip(pairwise(cuts), starts, strict=True)
    ]


def _observed(tile: Tile, bounds: Bounds) -> np.ndarray:
    """Cut the counts of a window, (n_bands, n_y, n_x); -1 where nothing was observed."""
    counts = cut_window(tile.data, bounds, fill=-1)
    np.copyto(counts, -1, where=cut_window(tile.mask, bounds, fill=True))
    counts[~tile.bands_present] = -1
    return counts


@lru_cache(maxsize=4)
def _for_shape(network: keras.Model, shape: tuple[int, int]) -> keras.Model:
    """Wrap the network for windows of one shape: observed counts in, probabilities for logits."""
    observed = keras.Input((network.inputs[0].shape[-1], *shape), batch_size=1)
    bands = ops.transpose(observed, (0, 2, 3, 1))
    logits, background = quick_form(network)([ops.maximum(bands, 0), ops.clip(bands + 1, 0, 1)])
    return keras.Model(observed, [class_maps(logits), ops.transpose(background, (0, 3, 1, 2))])
