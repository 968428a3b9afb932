"""The pixels of all segments as one list, for sums over many small segments of a large image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.segment_map import SegmentMap

__all__ = ["SegmentPixels", "at_edge", "beside_others", "list_pixels", "touching_pixels"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""To half of a pixel's eight neighbours, rows down and columns to the right: each pair once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentPixels:
    """The pixels of all segments.

    Parameters
    ----------
    rows, columns : ndarray of int (n_pixels,)
        Where, row by row.
    owner : ndarray of int (n_pixels,)
        Index of the segment of each, in the order of the labels.
    n_segments : int
        Segments.
    """

    rows: Integers
    columns: Integers
    owner: Integers
    n_segments: int

    def sums(self, values: NDArray) -> Floats:
        """Add up over each segment; blank pixels count nothing."""
        return np.bincount(self.owner, np.nan_to_num(values), self.n_segments).astype(float)

    def counts(self) -> Integers:
        """Give the number of pixels of each segment."""
        return np.bincount(self.owner, minlength=self.n_segments)

    def highest(self, values: NDArray) -> Floats:
        """Give the highest value in each segment, NaN where all are blank."""
        result = np.full(self.n_segments, -np.inf)
        np.maximum.at(result, self.owner, np.nan_to_num(values, nan=-np.inf).astype(float))
        return np.where(np.isfinite(result), result, np.nan)

    def centroids(self, weight: NDArray) -> tuple[Floats, Floats]:
        """Give the weighted centroid (x, y) of each segment, NaN where nothing has any weight."""
        with np.errstate(invalid="ignore", divide="ignore"):
            total = self.sums(weight)
            x, y = (self.sums(weight * place) / total for place in (self.columns, self.rows))
        return x, y

    def of(self, image: NDArray) -> NDArray:
        """Give the values of an image (n_y, n_x) in these pixels."""
        return image[self.rows, self.columns]


def list_pixels(segments: SegmentMap) -> SegmentPixels:
    """List the pixels of all segments.

    Parameters
    ----------
    segments : SegmentMap
        The segments.

    Returns
    -------
    SegmentPixels
        In the order of `segments.index`.
    """
    rows, columns = np.divmod(segments.index.astype(np.intp), segments.shape[1])
    place = np.zeros(segments.max_label + 1, dtype=np.intp)
    place[segments.labels] = np.arange(segments.n_labels)
    return SegmentPixels(
        rows=rows, columns=columns, owner=place[segments.label], n_segments=segments.n_labels
    )


def at_edge(segments: SegmentMap) -> NDArray[np.bool_]:
    """Tell which segments touch the edge of the image.

    Parameters
    ----------
    segments : SegmentMap
        The segments.

    Returns
    -------
    ndarray of bool (n_segments,)
    """
    n_y, n_x = segments.shape
    rows, columns = np.divmod(segments.index, n_x)
    outermost = np.isin(rows, (0, n_y - 1)) | np.isin(columns, (0, n_x - 1))
    return np.isin(segments.labels, segments.label[outermost])


def beside_others(segments: SegmentMap) -> NDArray[np.bool_]:
    """Tell which segments touch another one, at a side or a corner of a pixel.

    Parameters
    ----------
    segments : SegmentMap
        The segments.

    Returns
    -------
    ndarray of bool (n_segments,)
    """
    return np.isin(segments.labels, segments.label[touching_pixels(segments)])


def touching_pixels(segments: SegmentMap) -> Integers:
    """Give the pairs of pixels of different segments that touch at a side or a corner.

    Parameters
    ----------
    segments : SegmentMap
        The segments.

    Returns
    -------
    ndarray of int (2, n_pairs)
        Places in the list of pixels.
    """
    if not len(segments.index):
        return np.zeros((2, 0), dtype=np.intp)
    column = segments.index % segments.shape[1]
    pairs = []
    for down, right in STEPS:
        target = segments.index + segments.index.dtype.type(down * segments.shape[1] + right)
        there = np.searchsorted(segments.index, target)
        there[there == len(target)] = 0
        touching = (segments.index[there] == target) & (segments.label[there] != segments.label)
        if right:
            touching &= (column + right >= 0) & (column + right < segments.shape[1])
        here = np.flatnonzero(touching)
        pairs.append(np.stack([here, there[here]]))
    return np.concatenate(pairs, axis=1)
