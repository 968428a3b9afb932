"""The pixels of all segments as one list, for sums over many small segments of a large image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage

__all__ = ["SegmentPixels", "list_pixels"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


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

    def of(self, image: NDArray) -> NDArray:
        """Give the values of an image (n_y, n_x) in these pixels."""
        return image[self.rows, self.columns]


def list_pixels(segments: SegmentationImage) -> SegmentPixels:
    """List the pixels of all segments.

    Parameters
    ----------
    segments : SegmentationImage (n_y, n_x)
        The segments.

    Returns
    -------
    SegmentPixels
    """
    rows, columns = np.divmod(np.flatnonzero(segments.data), segments.shape[1])
    place = np.zeros(segments.max_label + 1, dtype=np.intp)
    place[segments.labels] = np.arange(segments.n_labels)
    owner = place[segments.data[rows, columns]]
    return SegmentPixels(rows=rows, columns=columns, owner=owner, n_segments=segments.n_labels)
