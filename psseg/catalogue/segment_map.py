"""A segmentation map, in memory for the pixels of its segments alone.

In: the segments of an image, or of its regions. Out: the same as one map, whole or some rows of it,
or as photutils has it. Few pixels of a large image belong to sources, and to go through all of them
again and again takes longer than what is done with those few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from photutils.segmentation import SegmentationImage

__all__ = ["SegmentMap", "list_segments"]

Labels = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentMap:
    """Which pixels belong to which segment.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    index : ndarray of int (n_pixels,)
        The pixels of the segments as flat indices, rising.
    label : ndarray of int32 (n_pixels,)
        The segment of each, above 0.
    """

    shape: tuple[int, int]
    index: NDArray[np.integer]
    label: Labels

    @cached_property
    def labels(self) -> Labels:
        """The labels, each once, rising."""
        return np.flatnonzero(np.bincount(self.label)).astype(np.int32)

    @property
    def n_labels(self) -> int:
        """How many segments there are."""
        return len(self.labels)

    @property
    def areas(self) -> NDArray[np.intp]:
        """Pixels of each segment, in the order of the labels."""
        return np.bincount(self.label)[self.labels]

    @property
    def max_label(self) -> int:
        """The highest label, 0 where no segment is."""
        return int(self.label.max(initial=0))

    @property
    def data(self) -> Labels:
        """The whole map, shape (n_y, n_x): 0 where no segment is."""
        return self.rows(slice(0, self.shape[0]))

    def rows(self, rows: slice) -> Labels:
        """Give some rows of the map, 0 where no segment is."""
        n_x = self.shape[1]
        first, end = np.searchsorted(self.index, [rows.start * n_x, rows.stop * n_x])
        strip = np.zeros((rows.stop - rows.start, n_x), dtype=np.int32)
        strip.reshape(-1)[self.index[first:end] - self.index.dtype.type(rows.start * n_x)] = (
            self.label[first:end]
        )
        return strip

    def inside(self) -> NDArray[np.bool_]:
        """Tell which pixels of the map, (n_y, n_x), belong to a segment."""
        result = np.zeros(self.shape, dtype=bool)
        result.reshape(-1)[self.index] = True
        return result

    def thinned(self, step: int) -> Labels:
        """Give every so many-th pixel of every so many-th row."""
        rows, columns = np.divmod(self.index, self.shape[1])
        seen = (rows % step == 0) & (columns % step == 0)
        n_y, n_x = (-(-n // step) for n in self.shape)
        result = np.zeros((n_y, n_x), dtype=np.int32)
        result[rows[seen] // step, columns[seen] // step] = self.label[seen]
        return result

    def image(self) -> SegmentationImage:
        """Give the same as photutils has it, whose tools go on from there."""
        from photutils.segmentation import SegmentationImage

        return SegmentationImage(self.data)

    def kept(self, labels: NDArray[np.integer]) -> SegmentMap:
        """Drop all segments but these."""
        keep = np.zeros(self.max_label + 1, dtype=bool)
        keep[labels] = True
        inside = keep[self.label]
        return replace(self, index=self.index[inside], label=self.label[inside])

    @classmethod
    def joined(
        cls, shape: tuple[int, int], parts: Iterable[tuple[SegmentMap, tuple[int, int], int]]
    ) -> SegmentMap:
        """Join the maps of regions of an image.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of the image.
        parts : iterable of (SegmentMap, corner, offset)
            The map of a region, the row and column where the region begins, and what to add to its
            labels. Of pixels that several claim, the last one has it.
        """
        kind = _index_type(shape)
        index, label = [np.zeros(0, dtype=kind)], [np.zeros(0, dtype=np.int32)]
        for part, corner, offset in parts:
            rows, columns = np.divmod(part.index.astype(kind), part.shape[1])
            index.append((rows + corner[0]) * shape[1] + columns + corner[1])
            label.append(part.label + np.int32(offset))
        merged, last = np.unique(np.concatenate(index)[::-1], return_index=True)
        return cls(shape=shape, index=merged, label=np.concatenate(label)[::-1][last])


def list_segments(data: NDArray[np.integer]) -> SegmentMap:
    """List the pixels of a segmentation map.

    Parameters
    ----------
    data : ndarray of int (n_y, n_x)
        Labels, 0 where no segment is.

    Returns
    -------
    SegmentMap

    Examples
    --------
    >>> list_segments(np.array([[0, 2], [1, 0]])).label.tolist()
    [2, 1]
    """
    kind = _index_type(data.shape)
    index: NDArray[np.integer] = np.flatnonzero(data).astype(kind)
    label = data.reshape(-1)[index].astype(np.int32)
    return SegmentMap(shape=(data.shape[0], data.shape[1]), index=index, label=label)


def _index_type(shape: tuple[int, ...]) -> type[np.int32] | type[np.int64]:
    """Give the smaller type that numbers all pixels."""
    return np.int32 if np.prod(shape, dtype=float) <= np.iinfo(np.int32).max else np.int64
