"""Segments shared out: territories around them, and several sources in one.

In: a segmentation map and the sources that were measured in it. Out: which pixels are whose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from psseg.catalogue.segment_map import SegmentMap, list_segments
from psseg.tiles.places import nearest_pixels

__all__ = ["segment_territory", "shared_segments"]


def segment_territory(segments: SegmentMap, *, reach: float) -> NDArray[np.intp]:
    """Give every pixel in or near a segment to the nearest one.

    Parameters
    ----------
    segments : SegmentMap
        The segments.
    reach : float
        How far the territory of a segment goes beyond its pixels, pixels.

    Returns
    -------
    ndarray of int (n_y, n_x)
        Place of the segment in the order of the labels, -1 where none is near.
    """
    if not segments.n_labels:
        return np.full(segments.shape, -1)
    label = segments.data
    distance, nearest = distance_transform_edt(label == 0, return_indices=True)
    places = np.searchsorted(segments.labels, label[tuple(nearest)])
    return np.where(distance <= reach, places, -1)


def shared_segments(
    segments: SegmentMap,
    *,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    segment: NDArray[np.intp],
    radius: float,
    mask: NDArray[np.bool_],
) -> tuple[SegmentMap, NDArray[np.intp]]:
    """Share segments that hold several sources among these.

    Pixels of such a segment, and free ones around those of its sources that are added or lie beside
    it, go to the nearest source. The first one, which is the surest, has in any case the one that
    is nearest to it.

    Parameters
    ----------
    segments : SegmentMap
        The segments.
    x, y : ndarray (n_sources,)
        The sources: first one per segment in the order of the labels, then the added ones.
    segment : ndarray of int (n_sources,)
        Place of the segment that each belongs to.
    radius : float
        How far an added source reaches into free pixels.
    mask : ndarray of bool (n_y, n_x)
        True = blank: not free.

    Returns
    -------
    segments : SegmentMap
        Labels stay where they are; the added sources have further ones, in their order.
    labels : ndarray of int (n_sources,)
        Each source's label. Two sources in one pixel leave one of them without any.
    """
    n = segments.n_labels
    labels = np.concatenate([segments.labels, segments.max_label + 1 + np.arange(len(x) - n)])
    shared = segments.data
    for place in np.unique(segment[n:]):
        members = np.flatnonzero(segment == place)
        rows, columns = np.divmod(segments.index[segments.label == labels[place]], shared.shape[1])
        box = tuple(
            slice(
                max(int(min(own.min(), at.min()) - radius), 0),
                int(max(own.max(), at.max()) + radius) + 2,
            )
            for own, at in ((rows, y[members]), (columns, x[members]))
        )
        _share(
            shared[box],
            labels[members],
            free=(shared[box] == 0) & ~mask[box],
            x=x[members] - box[1].start,
            y=y[members] - box[0].start,
            radius=radius,
        )
    return list_segments(shared), labels


def _share(
    shared: NDArray[np.int32],
    labels: NDArray[np.integer],
    *,
    free: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radius: float,
) -> None:
    """Share one segment, that of the first label, among its sources: in place."""
    rows, columns = np.indices(shared.shape)
    distance = np.hypot(columns - x[:, None, None], rows - y[:, None, None])
    own = shared == labels[0]
    at = nearest_pixels(x, y, shared.shape)
    beside = ~own[at]
    beside[1:] = True
    own |= free & (distance[beside] <= radius).any(axis=0)
    shared[own] = labels[np.argmin(distance[:, own], axis=0)]
    first = np.unravel_index(np.argmin(np.where(own, distance[0], np.inf)), own.shape)
    if np.count_nonzero(shared == shared[first]) > 1:
        shared[first] = labels[0]
