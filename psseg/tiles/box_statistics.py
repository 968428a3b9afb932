"""Noise and background of the boxes into which a plane is cut, indifferent to what sticks out.

In: samples of a plane. Out: one rms and one mode per box.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbers", "box_of", "box_statistics"]

_CLIP = 2.5
_CLIPPED_RMS = 0.95459  # rms of a unit Gaussian cut at 2.5
_CLIP_ROUNDS = 4
_STRIP_SAMPLES = 300_000  # worked on at once: fewer leave threads waiting, more leave the caches
_THREADS = 2  # more than these wait for each other

Numbers = tuple[int, int]


def box_of(n: int, k: int) -> NDArray[np.intp]:
    """Give the box, of k equal ones, in which each of n samples lies.

    Parameters
    ----------
    n, k : int
        Samples and boxes along an axis.

    Returns
    -------
    numpy.ndarray of int, shape (n,)

    Examples
    --------
    >>> box_of(5, 2).tolist()
    [0, 0, 1, 1, 1]
    """
    return ((np.arange(n) + 0.5) * k / n).astype(np.intp)


def box_statistics(
    samples: NDArray[np.float32], numbers: Numbers, *, fine: bool
) -> NDArray[np.float32]:
    """Measure the noise and the background of each box.

    Parameters
    ----------
    samples : numpy.ndarray, shape (n_y, n_x), float32
        NaN where blank or left out.
    numbers : tuple of int
        Boxes along y and x, equally large.
    fine : bool
        Count the noise below the median where it is larger: near bright sources, sidelobes have
        both signs and sources have one.

    Returns
    -------
    numpy.ndarray, shape (3, k_y, k_x), float32
        Part of the samples that is there, rms, and mode.

    Notes
    -----
    The rms is that of the samples within 2.5 rms of their mean, corrected for the cut; the mode is
    2.5 median - 1.5 mean (Bertin & Arnouts 1996, A&AS 117, 393).
    """
    rows, columns = (_members(n, k) for n, k in zip(samples.shape, numbers, strict=True))
    bordered = np.pad(samples, (0, 1), constant_values=np.nan)

    def strip(members: NDArray[np.intp]) -> NDArray[np.float32]:
        boxes = bordered[members][:, :, columns].swapaxes(1, 2)
        found = _statistics(boxes.reshape(len(members) * len(columns), -1), fine=fine)
        return found.reshape(3, len(members), len(columns))

    n_strips = min(len(rows), -(-rows.size * columns.size // _STRIP_SAMPLES))
    with ThreadPoolExecutor(_THREADS) as threads:
        return np.concatenate(list(threads.map(strip, np.array_split(rows, n_strips))), axis=1)


def _statistics(boxes: NDArray[np.float32], *, fine: bool) -> NDArray[np.float32]:
    """Give the filled part, the rms and the mode of rows of samples, shape (3, n_boxes)."""
    boxes = np.sort(boxes, axis=1)  # NaN at the end
    count = np.isfinite(boxes).sum(axis=1)
    middle = _at(boxes, count // 2)
    rms = middle - _at(boxes, (0.1587 * count).astype(int))  # one sigma below the median
    for _ in range(_CLIP_ROUNDS):
        offsets = boxes - middle[:, None]
        kept = np.abs(offsets) <= _CLIP * rms[:, None]
        offsets[~kept] = 0
        n = np.maximum(kept.sum(axis=1), 1)
        shift = offsets.sum(axis=1) / n
        square = np.einsum("ij,ij->i", offsets, offsets) / n
        middle = middle + shift
        rms = np.sqrt(np.maximum(square - shift**2, 0)) / _CLIPPED_RMS
    median = _at(boxes, kept.argmax(axis=1) + n // 2)
    if fine:
        rms = np.maximum(rms, _rms_below(boxes, median))
    return np.stack([count / boxes.shape[1], rms, 2.5 * median - 1.5 * middle], dtype=np.float32)


def _rms_below(boxes: NDArray, median: NDArray) -> NDArray:
    """Root mean square offset of the samples below the median."""
    offsets = boxes - median[:, None]
    below = offsets < 0
    offsets[~below] = 0
    return np.sqrt(np.einsum("ij,ij->i", offsets, offsets) / np.maximum(below.sum(axis=1), 1))


def _at(boxes: NDArray, index: NDArray) -> NDArray:
    index = np.minimum(index, boxes.shape[1] - 1)
    return np.take_along_axis(boxes, index[:, None], axis=1)[:, 0]


def _members(n: int, k: int) -> NDArray[np.intp]:
    """Give the samples in each of k boxes, shape (k, most samples); -1 where there are fewer."""
    edges = np.searchsorted(box_of(n, k), np.arange(k + 1))
    members = edges[:-1, None] + np.arange(np.diff(edges).max())
    return np.where(members < edges[1:, None], members, -1)
