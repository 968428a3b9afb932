"""How positions are improved: one scoring step of the likelihood, all sources together.

In: a scene, its sources, and what is expected of it. Out: where the sources go next, and how well
their positions are known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, hstack

from psseg.catalogue.footprints import Footprints, displacement_matrix
from psseg.catalogue.likelihood import information, solve_symmetric
from psseg.catalogue.scene import Scene, Sources

__all__ = ["displacement", "moved", "position_step", "shortened"]

Floats = NDArray[np.float64]

LONGEST_MOVE = 0.7
"""Pixels a source may move in one step: beyond, the PSF is not linear in the position."""


def position_step(
    scene: Scene,
    sources: Sources,
    start: Sources,
    footprints: Footprints,
    designs: list[csc_array],
    expected: list[Floats],
    position_prior: float,
    *,
    moving: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """Give the step to better positions.

    The amplitudes are free; the background is held: it is smooth, and leans to no side.

    Parameters
    ----------
    scene, sources
        The sky and its sources.
    start : Sources
        Where they are expected.
    footprints : Footprints
        Of the sources.
    designs : list of csc_array (n_pixels, n_sources)
        What one count of each source adds to each pixel, per band.
    expected : list of ndarray (n_pixels,)
        Expected counts, per band.
    position_prior : float
        Standard deviation, along each axis, of a Gaussian prior about `start`, deg.
    moving : ndarray of int (n_moving,)
        Sources that may move.

    Returns
    -------
    step : ndarray (2, n_sources)
        Pixels along x and y.
    covariance : ndarray (n_sources, 2, 2)
        Of x and y, pixel2. Both are zero for sources that do not move.
    """
    n, n_sources = len(moving), len(sources)
    prior = _prior_matrix(sources.jacobian[moving], position_prior)
    away = np.stack([sources.x - start.x, sources.y - start.y])[:, moving]
    score, matrix = -prior @ away.ravel(), prior
    moves = displacement_matrix(scene, sources, footprints.radii, moving)
    for counts, design, total, move in zip(scene.counts, designs, expected, moves, strict=True):
        score = score + move.T @ (counts.ravel() / total - 1)
        among = information(design, csr_array(design), total)
        joint = information(move, csr_array(hstack([design, move])), total)
        mixed, own = joint[:, :n_sources], joint[:, n_sources:]
        matrix = matrix + own - mixed @ solve_symmetric(among, mixed.T)
    spread = solve_symmetric(matrix, np.eye(2 * n))
    step, covariances = np.zeros((2, n_sources)), np.zeros((n_sources, 2, 2))
    step[:, moving] = (spread @ score).reshape(2, n)
    covariances[moving] = spread.reshape(2, n, 2, n)[:, np.arange(n), :, np.arange(n)]
    return step, covariances


def _prior_matrix(jacobian: Floats, position_prior: float) -> Floats:
    """Give the inverse covariance of the prior, pixel-2 (2 n_sources, 2 n_sources)."""
    n = len(jacobian)
    matrix = np.zeros((2, n, 2, n))
    metric = jacobian.transpose(0, 2, 1) @ jacobian / position_prior**2
    matrix[:, np.arange(n), :, np.arange(n)] = metric
    return matrix.reshape(2 * n, 2 * n)


def shortened(step: Floats) -> Floats:
    """Shorten steps (2, n_sources) that are longer than `LONGEST_MOVE`."""
    return step * np.minimum(1, LONGEST_MOVE / np.maximum(np.hypot(*step), 1e-9))


def moved(sources: Sources, start: Sources, step: Floats, leash: float | Floats) -> Sources:
    """Move sources by a step (2, n_sources), no farther than a leash (deg) from the start."""
    free = replace(sources, x=sources.x + step[0], y=sources.y + step[1])
    back = np.minimum(1, leash / np.maximum(displacement(free, start), 1e-9))
    return replace(
        free,
        x=start.x + back * (free.x - start.x),
        y=start.y + back * (free.y - start.y),
    )


def displacement(sources: Sources, start: Sources) -> Floats:
    """Give how far sources are from where they started, deg (n_sources,)."""
    step = np.stack([sources.x - start.x, sources.y - start.y], axis=-1)
    return np.linalg.norm((sources.jacobian @ step[..., None])[..., 0], axis=-1)
