"""Where the components of radio sources are: the peaks of every segment, and which blend.

In: a plane and the segments. Out: peaks, at least one per segment, and groups of peaks so close
that they must be fitted together. Distances are in units of the beam: its one-sigma ellipse is the
unit circle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from psseg.catalogue.segment_pixels import SegmentPixels
from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = ["Peaks", "find_peaks", "group_peaks"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

MAX_COMPONENTS = 12
"""Peaks per segment: the brightest. More would not describe a source better than its moments."""

SNR_OF_FURTHER = 4.0
"""Peaks besides the highest need this many rms."""

SEPARATION = 0.6 * FWHM_PER_SIGMA
"""Peaks closer than 0.6 beams are one: no image separates two points there."""

SADDLE_REACH = 3.0 * FWHM_PER_SIGMA
"""Peaks farther apart than 3 beams are two, whatever lies between them."""

SADDLE_DEPTH = 1.5
"""Rms by which the ground between two peaks must lie below the lower one. Two equal points of
S/N 5 at 1.3 beams have a saddle 2 rms deep; flat emission shows noise peaks of 1 rms."""

BLEND_REACH = 1.6 * FWHM_PER_SIGMA
"""Peaks closer than 1.6 beams are fitted together: farther apart, the weighted fit of one feels the
other by less than 1 %."""

GROUP_SIZE = 4
"""Peaks fitted together at most; chains of more are cut, and their pieces fitted in turn."""

_NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


@dataclass(frozen=True, kw_only=True, eq=False)
class Peaks:
    """Peaks in the order of their segments, the brightest of each first.

    Parameters
    ----------
    rows, columns : ndarray of int (n_peaks,)
        Pixels.
    segment : ndarray of int (n_peaks,)
        Index of the segment in the order of the labels.
    """

    rows: Integers
    columns: Integers
    segment: Integers


def find_peaks(
    plane: NDArray[np.float32],
    mean: NDArray[np.float32],
    rms: NDArray[np.float32],
    pixels: SegmentPixels,
    whitening: Floats,
) -> Peaks:
    """Give the peaks of every segment.

    Parameters
    ----------
    plane, mean, rms : ndarray (n_y, n_x)
        Image, background and noise, Jy/beam; NaN where blank.
    pixels : SegmentPixels
        The segments.
    whitening : ndarray (2, 2)
        Turns pixel offsets (x, y) into units of the beam.

    Returns
    -------
    Peaks
        Of each segment the highest local maximum (or else the highest pixel), and local maxima of
        at least 4 rms that lie 0.6 beams from brighter ones, with lower ground between, 12 at most.
    """
    rows, columns, owner = pixels.rows, pixels.columns, pixels.owner
    height = np.nan_to_num(plane[rows, columns] - mean[rows, columns], nan=-np.inf)
    snr = np.nan_to_num(height / rms[rows, columns], nan=-np.inf)
    top = _local_maxima(plane, mean, rows, columns, height)
    kept = top & (snr >= SNR_OF_FURTHER)
    kept[_highest(owner, height, top, pixels.n_segments)] = True
    order = np.flatnonzero(kept)
    order = order[np.lexsort((-height[order], owner[order]))]
    peaks = Peaks(rows=rows[order], columns=columns[order], segment=owner[order])
    lone = _without_shoulders(peaks, plane, mean, rms, whitening)
    rank = _rank_in_segment(peaks.segment[lone])
    final = lone[rank < MAX_COMPONENTS]
    return Peaks(rows=peaks.rows[final], columns=peaks.columns[final], segment=peaks.segment[final])


def group_peaks(positions: Floats, whitening: Floats) -> Integers:
    """Give the group of each peak; peaks of one group are fitted together.

    Parameters
    ----------
    positions : ndarray (n_peaks, 2)
        Order (x, y), pixels.
    whitening : ndarray (2, 2)
        As for `find_peaks`.

    Returns
    -------
    ndarray of int (n_peaks,)
        Numbers from 0 on; no group holds more than 4, the closest pairs join first.
    """
    group = np.arange(len(positions))
    members = {i: [i] for i in range(len(positions))}
    for i, j in _close_pairs(positions @ whitening.T, BLEND_REACH)[0].tolist():
        one, other = group[i], group[j]
        if one == other or len(members[one]) + len(members[other]) > GROUP_SIZE:
            continue
        group[members[other]] = one
        members[one] += members.pop(other)
    return np.unique(group, return_inverse=True)[1]


def _local_maxima(
    plane: NDArray[np.float32],
    mean: NDArray[np.float32],
    rows: Integers,
    columns: Integers,
    height: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Tell which pixels are higher than their eight neighbours, in a segment or not."""
    left = np.flatnonzero(np.isfinite(height))
    for down, right in _NEIGHBOURS:
        y, x, here = rows[left] + down, columns[left] + right, height[left]
        inside = (y >= 0) & (y < plane.shape[0]) & (x >= 0) & (x < plane.shape[1])
        y, x = np.where(inside, y, 0), np.where(inside, x, 0)
        there = plane[y, x] - mean[y, x]
        lower = there >= here if (down, right) < (0, 0) else there > here
        left = left[~(inside & lower)]
    top = np.zeros(len(height), dtype=bool)
    top[left] = True
    return top


def _highest(
    owner: Integers, height: NDArray[np.float32], top: NDArray[np.bool_], n: int
) -> Integers:
    """Give the highest local maximum of each segment, or its highest pixel."""
    lacking = np.ones(n, dtype=bool)
    lacking[owner[top]] = False
    index = np.flatnonzero(top | lacking[owner])
    index = index[np.lexsort((-height[index], owner[index]))]
    return index[np.searchsorted(owner[index], np.arange(n))]


def _without_shoulders(
    peaks: Peaks,
    plane: NDArray[np.float32],
    mean: NDArray[np.float32],
    rms: NDArray[np.float32],
    whitening: Floats,
) -> Integers:
    """Give the peaks that no brighter one of the same segment covers, brightest first."""
    positions = np.stack([peaks.columns, peaks.rows], axis=-1).astype(float)
    pairs, distance = _close_pairs(positions @ whitening.T, SADDLE_REACH)
    same = peaks.segment[pairs[:, 0]] == peaks.segment[pairs[:, 1]]
    # The order of the peaks is that of their heights, so the second of a pair is the fainter one.
    pairs, distance = pairs[same], distance[same]
    saddle = np.full(len(pairs), np.inf)
    for share in (0.25, 0.5, 0.75):
        place = (1 - share) * positions[pairs[:, 0]] + share * positions[pairs[:, 1]]
        x, y = np.rint(place).astype(int).T
        saddle = np.fmin(saddle, plane[y, x] - mean[y, x])
    y, x = peaks.rows[pairs[:, 1]], peaks.columns[pairs[:, 1]]
    level = plane[y, x] - mean[y, x] - SADDLE_DEPTH * rms[y, x]
    covered = pairs[(distance < SEPARATION) | ~(saddle < level)]
    kept = np.ones(len(positions), dtype=bool)
    for brighter, fainter in covered[np.argsort(covered[:, 1], kind="stable")].tolist():
        kept[fainter] &= not kept[brighter]
    return np.flatnonzero(kept)


def _close_pairs(positions: Floats, reach: float) -> tuple[Integers, Floats]:
    """Give pairs (lower index first) closer than this, the closest first, and their distances."""
    pairs = KDTree(positions).query_pairs(reach, output_type="ndarray").reshape(-1, 2)
    distance = np.hypot(*(positions[pairs[:, 0]] - positions[pairs[:, 1]]).T)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], distance))
    return pairs[order], distance[order]


def _rank_in_segment(segment: Integers) -> Integers:
    """Count the peaks of each segment from 0 on; they lie side by side."""
    first = np.searchsorted(segment, segment)
    return np.arange(len(segment)) - first
