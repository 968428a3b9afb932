"""Segments shared out: territories around them, and several sources in one.

In: a segmentation map and the sources that were measured in it. Out: which pixels are whose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from psseg.catalogue.segment_map import SegmentMap, list_segments

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
) -> tuple[SegmentMap, NDArray[np.intp]]:
    """Share segments that hold several sources among these.

    Pixels of such a segment, and free ones around its added sources, go to the nearest source.

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

    Returns
    -------
    segments : SegmentMap
        Labels stay where they are; the added sources have further ones, in their order.
    labels : ndarray of int (n_sources,)
        Each source's label. Two sources in one pixel leave one of them without any.
    """
    n = segments.n_labels
    labels = np.concatenate([segments.labels, segments.max_label + 1 + np.arange(len(x) - n)])
    rows, columns = np.indices(segments.shape)
    label = segments.data
    shared = label.copy()
    for place in np.unique(segment[n:]):
        members = np.flatnonzero(segment == place)
        distance = np.hypot(columns - x[members, None, None], rows - y[members, None, None])
        around = (shared == 0) & (distance[1:] <= radius).any(axis=0)
        own = around | (label == labels[place])
        shared[own] = labels[members][np.argmin(distance[:, own], axis=0)]
    return list_segments(shared), labels
