"""Label radio planes of any size: class probabilities for every pixel, window by window."""

from __future__ import annotations

import itertools
from functools import lru_cache

import keras
import numpy as np
from numpy.typing import NDArray

from psseg.network.context import map_context
from psseg.network.store import Model
from psseg.network.unet import DEEPEST, network_reach
from psseg.progress import Progress
from psseg.tiles.network_planes import NetworkPlanes
from psseg.tiles.regions import overlapping_spans
from psseg.tiles.tile import Bounds, cut_window

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
        Largest side of the part that a window owns between others, pixels.
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
    halo = network_reach(pooled=False)
    spans = (overlapping_spans(n, core=core, margin=halo, grid=GRID) for n in shape)
    windows = list(itertools.product(*spans))
    for (rows, y), (columns, x) in Progress(windows, unit="window", disable=not progress):
        bounds = y.start, _on_grid(y.stop), x.start, _on_grid(x.stop)
        valid = ~cut_window(planes.mask, bounds, fill=True)
        present = valid[None, ..., None] & planes.present
        inputs = [_channels_last(planes.data, bounds), present.astype(np.float32), context]
        found = _for_shape(model.network, valid.shape).predict_on_batch(inputs)[0]
        inner = found[rows.start - y.start : rows.stop - y.start]
        inner = inner[:, columns.start - x.start : columns.stop - x.start]
        probabilities[:, rows, columns] = inner.transpose(2, 0, 1)
    probabilities[:, planes.mask] = np.nan
    return probabilities


def _on_grid(end: int) -> int:
    return -(-end // GRID) * GRID


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
