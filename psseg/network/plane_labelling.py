"""Label radio planes of any size: class probabilities for every pixel, window by window."""

from __future__ import annotations

from functools import lru_cache

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from psseg.network.context import map_context
from psseg.network.store import Model
from psseg.network.unet import DEEPEST, network_reach
from psseg.tiles.network_planes import NetworkPlanes
from psseg.tiles.tile import Bounds, cores_and_halos, cut_window

__all__ = ["label_planes"]

GRID = 2**DEEPEST
"""Windows start on multiples of this, pixels, so that the network's pooling always falls on the
same squares of the map."""


def label_planes(
    planes: NetworkPlanes,
    model: Model,
    *,
    beam_pixels: tuple[float, float, float],
    core: int = 1024,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Label radio planes.

    Parameters
    ----------
    planes : NetworkPlanes
        In units of the noise.
    model : Model
        A network for radio planes.
    beam_pixels : tuple of float
        FWHM of the beam, in pixels of `planes`, and the angle of its major axis, deg.
    core : int
        Side of the part a window owns, pixels.
    progress : bool
        Show a bar.

    Returns
    -------
    numpy.ndarray of float32, shape (4, n_y, n_x)
        Probabilities of background, pulsar, blazar and other; NaN where masked.
    """
    shape = planes.mask.shape
    probabilities = np.empty((4, *shape), np.float32)
    context = map_context(beam_pixels, planes.lever_arm)[None]
    present = planes.present[:, None, None] & ~planes.mask
    core = _balanced(shape, core)
    windows = list(cores_and_halos(shape, core=core, halo=network_reach(pooled=False)))
    for (rows, columns), bounds in tqdm(windows, unit="window", disable=not progress):
        bounds = _clip(bounds, shape)
        size = bounds[1] - bounds[0], bounds[3] - bounds[2]
        inputs = [_channels_last(cube, bounds) for cube in (planes.data, present)]
        found = _for_shape(model.network, size).predict_on_batch([*inputs, context])[0]
        y0, _, x0, _ = bounds
        inner = found[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
        probabilities[:, rows, columns] = inner.transpose(2, 0, 1)
    probabilities[:, planes.mask] = np.nan
    return probabilities


def _balanced(shape: tuple[int, int], core: int) -> int:
    """Side of the cores for windows of equal size, on the grid of the network's pooling."""
    longest = max(shape)
    n_windows = -(-longest // core)
    return -(-longest // (n_windows * GRID)) * GRID


def _clip(bounds: Bounds, shape: tuple[int, int]) -> Bounds:
    """Keep a window within the map; both ends stay on the grid."""
    y0, y1, x0, x1 = bounds
    end_y, end_x = (-(-n // GRID) * GRID for n in shape)
    return max(y0, 0), min(y1, end_y), max(x0, 0), min(x1, end_x)


def _channels_last(cube: NDArray, bounds: Bounds) -> NDArray[np.float32]:
    window = cut_window(cube, bounds, fill=0)
    return np.ascontiguousarray(np.moveaxis(window, 0, -1)[None], dtype=np.float32)


@lru_cache(maxsize=4)
def _for_shape(network: keras.Model, shape: tuple[int, int]) -> keras.Model:
    """Wrap the network for windows of one shape, with probabilities for logits."""
    shapes = [
        (*shape, tensor.shape[-1]) if len(tensor.shape) == 4 else tensor.shape[1:]
        for tensor in network.inputs
    ]
    inputs = [keras.Input(shape, batch_size=1) for shape in shapes]
    return keras.Model(inputs, keras.ops.softmax(network(inputs), axis=-1))
