"""Tell whether a map is like the skies a network was trained on.

In: a map, and what the network says of it. Out: how badly the expected background describes the
pixels without sources, band by band. A network that has never seen such a sky cannot see through
its diffuse emission, and leaves residuals larger than any it left in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from psseg.tiles.tile import Tile

if TYPE_CHECKING:
    from psseg.network.labelling import LabelMap

__all__ = ["background_residuals", "is_unlike"]

SOURCE_FREE = 0.05
"""Pixels with a source probability below this hold no source themselves."""

CLEARANCE = 1.0
"""Distance to the nearest pixel with a source, deg: beyond it, little light of sources is left
above a few GeV. Below, more is, in training skies as in others."""

FEWEST_COUNTS = 100.0
"""Expected counts without which nothing can be said of a band."""


def background_residuals(tile: Tile, label_map: LabelMap) -> np.ndarray:
    """Give the squared residuals of source-free pixels over those of Poisson noise.

    Parameters
    ----------
    tile : Tile
        The map.
    label_map : LabelMap
        Its class probabilities and expected background.

    Returns
    -------
    numpy.ndarray, shape (n_bands,)
        ``Σ (counts - background)² / Σ background``: 1 where the background is right and no light
        of sources is left, NaN in bands that are absent or hold too few counts.

    Notes
    -----
    A ratio of sums, not a mean of ratios: pixels that expect a hundredth of a count would make
    that jump with every photon.
    """
    probability = 1 - label_map.class_probabilities[0]
    empty = ~(probability >= SOURCE_FREE)
    free = ~tile.mask & (_distance(empty) * tile.pixel_scale > CLEARANCE)
    residuals = np.full(tile.n_bands, np.nan)
    for band in np.flatnonzero(tile.bands_present):
        expected = label_map.background[band][free].astype(float)
        total = expected.sum()
        if total >= FEWEST_COUNTS:
            residuals[band] = np.sum((tile.data[band][free] - expected) ** 2) / total
    return residuals


def _distance(empty: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel that is not empty, in pixels; infinite if there is none."""
    return np.full(empty.shape, np.inf) if empty.all() else distance_transform_edt(empty)


def is_unlike(residuals: np.ndarray, limits: Sequence[float]) -> bool:
    """Tell whether any band's residuals are larger than training skies ever showed.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (n_bands,)
        Of :func:`background_residuals`.
    limits : sequence of float, length n_bands or 0
        The calibration's ``residual_limit``; empty where it was not measured: then no map is
        unlike.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_unlike(np.array([1.0, np.nan, 1.4]), (1.2, 1.2, 1.2))
    True
    """
    if len(limits) == 0:
        return False
    return bool(np.any(np.nan_to_num(residuals) > np.asarray(limits)))
