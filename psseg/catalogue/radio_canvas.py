"""Images of Gaussian components, and what is left of a plane where the others are taken away.

In: a plane and components. Out: cutouts to be fitted, in units of the noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.fit_windows import make_window
from psseg.catalogue.gaussians import gaussians
from psseg.catalogue.radio_components import Batch, Components, Plane, window_pixels

__all__ = ["Canvas", "add_components", "noise_units", "relative"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

DRAWN_RADIUS = 4.0
"""A Gaussian is drawn out to this, sigma: 3e-4 of its peak."""

BLOCK = 2_000_000
"""Pixels drawn at a time."""


class Canvas:
    """An image of components, of which some are shown.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    whitening : ndarray (2, 2)
        Turns pixel offsets (x, y) into units of the beam.
    """

    def __init__(self, shape: tuple[int, ...], whitening: Floats) -> None:
        self._image = np.zeros(shape, dtype=np.float32)
        self._whitening = whitening
        self._shown: Components | None = None
        self._mask = np.zeros(0, dtype=bool)

    def show(self, components: Components, chosen: Bools) -> None:
        """Show the chosen components, and no others."""
        chosen = chosen & ~components.failed
        if self._shown is None:
            self._shown, self._mask = components, np.zeros(len(components), dtype=bool)
        changed = _values(components) != _values(self._shown)
        old = self._mask & (changed.any(axis=1) | ~chosen)
        new = chosen & (changed.any(axis=1) | ~self._mask)
        add_components(self._image, self._whitening, self._shown, old, factor=-1.0)
        add_components(self._image, self._whitening, components, new)
        self._shown, self._mask = components, chosen

    def others(self, batch: Batch, own_members: Integers | None = None) -> Singles | float:
        """Give what is shown in the cutouts of a batch, less its own components.

        Parameters
        ----------
        batch : Batch
            The cutouts.
        own_members : ndarray of int (n, k), optional
            What is shown of each cutout's own; the default is the batch's members.
        """
        if self._shown is None or not self._mask.any():
            return 0.0
        members = batch.members if own_members is None else own_members
        own = self._shown.local(members, batch.column, batch.row, self._whitening)
        own[..., 0] *= self._mask[members]
        return batch.cutouts(self._image) - gaussians(own, batch.window.grid).sum(axis=1)


def add_components(
    image: NDArray[np.float32],
    whitening: Floats,
    components: Components,
    chosen: Bools,
    *,
    factor: float = 1.0,
) -> None:
    """Add Gaussians to an image, in place.

    Parameters
    ----------
    image : ndarray of float32 (n_y, n_x)
        Jy/beam; C-contiguous.
    whitening : ndarray (2, 2)
        Turns pixel offsets (x, y) into units of the beam.
    components : Components
        The Gaussians.
    chosen : ndarray of bool (n,)
        Which of them.
    factor : float
        For the amplitudes.
    """
    octave = np.ceil(np.log2(np.maximum(components.sigma() / 1.05, 1))).astype(int)
    flat = image.reshape(-1)
    for size in np.unique(octave[chosen]).tolist():
        index = np.flatnonzero(chosen & (octave == size))
        window = make_window(whitening, radius=DRAWN_RADIUS * 1.05 * 2.0**size)
        step = max(BLOCK // window.n_pixels, 1)
        for first in range(0, len(index), step):
            members = index[first : first + step, None]
            row, column = (
                np.rint(place[members[:, 0]]).astype(int) for place in (components.y, components.x)
            )
            pixels, inside = window_pixels(image.shape, window, row, column)
            local = components.local(members, column, row, whitening)
            values = gaussians(local, window.grid)[:, 0] * inside * np.float32(factor)
            np.add.at(flat, pixels.ravel(), values.ravel())


def noise_units(
    plane: Plane,
    canvas: Canvas,
    state: Components,
    batch: Batch,
    own_members: Integers | None = None,
) -> tuple[Singles, Singles]:
    """Give what is to be fitted to a batch.

    Parameters
    ----------
    plane : Plane
        The plane.
    canvas : Canvas
        Shows what is taken away, but for the cutouts' own components.
    state : Components
        Those that the batch is of.
    batch : Batch
        The cutouts.
    own_members : ndarray of int (n, k), optional
        As for `Canvas.others`.

    Returns
    -------
    values, weights : ndarray of float32 (n, n_pixels)
        In units of the rms of a cutout's first component; both 0 where blank.
    """
    values = batch.cutouts(plane.data) - batch.cutouts(plane.mean)
    values -= canvas.others(batch, own_members)
    values /= state.rms[batch.members[:, :1]].astype(np.float32)
    blank = ~np.isfinite(values)
    if not blank.any():
        return values, batch.weights
    return np.where(blank, 0, values), np.where(blank, 0, batch.weights)


def relative(
    state: Components, batch: Batch, whitening: Floats, members: Integers | None = None
) -> Floats:
    """Give the parameters of a batch.

    Parameters
    ----------
    state : Components
        Those that the batch is of.
    batch : Batch
        The cutouts.
    whitening : ndarray (2, 2)
        Turns pixel offsets (x, y) into units of the beam.
    members : ndarray of int (n, k), optional
        Which of `state` each cutout has; the default is the batch's members.

    Returns
    -------
    ndarray (n, k, 6)
        As `Components.local`, the amplitudes over the rms.
    """
    members = batch.members if members is None else members
    result = state.local(members, batch.column, batch.row, whitening)
    result[..., 0] /= state.rms[members[:, :1]]
    return result


def _values(components: Components) -> Floats:
    """Give what a picture of components depends on, (n, 6)."""
    first = (components.x, components.y, components.amplitude)
    return np.column_stack([*first, components.shape])
