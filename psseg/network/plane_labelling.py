"""Label radio planes of any size: class probabilities for every pixel, window by window."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from psseg.network.context import N_CONTEXT, map_context
from psseg.network.forms import class_maps, has_quick_form, quick_form
from psseg.network.store import Model
from psseg.network.unet import DEEPEST, network_reach
from psseg.progress import Progress
from psseg.tiles.network_planes import NetworkPlanes
from psseg.tiles.regions import overlapping_spans
from psseg.tiles.tile import cut_window

__all__ = ["label_planes"]

GRID = 2**DEEPEST
"""Windows start on multiples of this, pixels, so that the network's pooling always falls on the
same squares of the map."""


def label_planes(
    planes: NetworkPlanes,
    model: Model,
    *,
    beam_pixels: tuple[float, float, float],
    core: int = 1344,
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
        Largest side of the part that a window owns between others, pixels. Time grows with the
        share of the halo of 96 pixels around it, memory with its square: at 1344 the network
        takes about 0.5 GB.
    progress : bool
        Show a bar.

    Returns
    -------
    numpy.ndarray of float32, shape (4, n_y, n_x)
        Probabilities of background, pulsar, blazar and other; NaN where masked.
    """
    shape = planes.mask.shape
    probabilities = np.empty((4, *shape), np.float32)
    context = map_context(beam_pixels, planes.lever_arm)
    halo = network_reach(pooled=False)
    spans = (overlapping_spans(n, core=core, margin=halo, grid=GRID) for n in shape)
    windows = list(itertools.product(*spans))
    chosen = _planes_to_take(planes, model.network)
    copies = []
    with ThreadPoolExecutor(1) as beside:  # to copy takes a sixth of the network's time
        for (rows, y), (columns, x) in Progress(windows, unit="window", disable=not progress):
            batch = _batch(planes, y, x, chosen, context)
            runner = _for_shape(model.network, batch[1].shape[1:], chosen)
            found = runner.predict_on_batch(batch)[0]
            own = found[:, _counted_from(rows, y), _counted_from(columns, x)]
            copies.append(beside.submit(np.copyto, probabilities[:, rows, columns], own))
    for copy in copies:
        copy.result()
    if planes.mask.any():
        np.copyto(probabilities, np.nan, where=planes.mask)
    return probabilities


def _batch(
    planes: NetworkPlanes,
    rows: slice,
    columns: slice,
    chosen: tuple[int, ...],
    context: NDArray[np.float32],
) -> list[NDArray[np.float32]]:
    """Give what the network wants of a window: planes, what is seen, which there are, context."""
    bounds = rows.start, _on_grid(rows.stop), columns.start, _on_grid(columns.stop)
    data = np.stack([cut_window(planes.data[number], bounds, fill=0) for number in chosen])
    seen = ~cut_window(planes.mask, bounds, fill=True)
    inputs = data, seen, planes.present[list(chosen)], context
    return [part[None].astype(np.float32, copy=False) for part in inputs]


def _counted_from(own: slice, window: slice) -> slice:
    return slice(own.start - window.start, own.stop - window.start)


def _on_grid(end: int) -> int:
    return -(-end // GRID) * GRID


def _planes_to_take(planes: NetworkPlanes, network: keras.Model) -> tuple[int, ...]:
    """Name the planes that are worked on: those that there are, if the network can do without."""
    if has_quick_form(network):
        return tuple(np.flatnonzero(planes.present).tolist())
    return tuple(range(len(planes.present)))


@lru_cache(maxsize=4)
def _for_shape(
    network: keras.Model, shape: tuple[int, int], chosen: tuple[int, ...]
) -> keras.Model:
    """Wrap the network for windows of one shape: maps in, where they are seen, maps out."""
    shapes = (len(chosen), *shape), shape, (len(chosen),), (N_CONTEXT,)
    inputs = [keras.Input(shape, batch_size=1) for shape in shapes]
    planes, seen, present, context = inputs
    there = seen[..., None] * present[:, None, None]
    logits = quick_form(network, chosen)([ops.transpose(planes, (0, 2, 3, 1)), there, context])
    return keras.Model(inputs, class_maps(logits))
