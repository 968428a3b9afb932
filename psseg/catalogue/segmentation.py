"""From the source probability of every pixel to segments, one per source.

In: the network's probability that a pixel belongs to a source. Out: a segmentation map. The network
paints a source as a disc of the PSF's core (an extended source as its own shape), so the map is
smoothed with such a disc: the middle of a plateau becomes its one peak, and a waist between two
discs that touch becomes a saddle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    convolve,
    find_objects,
    label,
    maximum_filter,
)
from skimage.segmentation import watershed

from psseg.catalogue.segment_map import SegmentMap, list_segments
from psseg.catalogue.segment_pixels import list_pixels
from psseg.errors import PssegError

__all__ = [
    "find_segments",
    "segment_centroids",
    "segment_scores",
]


Window = tuple[tuple[slice, ...], NDArray[np.bool_]]

BLOCK = 16
"""Side of the blocks of pixels that are passed over where they hold no candidates, pixels."""

WINDOW_BLOCKS = 20
"""Blocks that could be worked out in the time that a window takes besides, a millisecond."""

ALL_AROUND = np.ones((3, 3), dtype=bool)


def find_segments(
    source_probability: NDArray[np.floating],
    *,
    threshold: float,
    pixel_scale: float,
    psf_radius: float,
    mask: NDArray[np.bool_] | None = None,
    grow: float = 0.5,
    prominence: float = 0.05,
) -> SegmentMap:
    """Group the pixels of a probability map into sources.

    Parameters
    ----------
    source_probability : ndarray (n_y, n_x)
        Probability, 0 to 1, that a pixel belongs to any source; NaN counts as blank.
    threshold : float
        Score a segment needs: its brightest pixel's probability, between 0 and 1.
    pixel_scale : float
        Side of a pixel, deg.
    psf_radius : float
        Radius of the disc that stands for a point source, deg. Of peaks closer than this only the
        highest counts.
    mask : ndarray of bool (n_y, n_x), optional
        True = blank. Blank pixels belong to no segment.
    grow : float
        A segment reaches out to pixels of `grow` times the threshold, above 0, at most 1. The
        default takes in the flanks of faint sources without joining them to noise.
    prominence : float
        Two peaks are two sources if the saddle between them, smoothed, lies this fraction below the
        lower one; above 0, below 1. Two full discs of radius R have a saddle 5 % deep at a
        separation of 1.7 R.

    Returns
    -------
    SegmentMap
        Labels from 1 on, in the order of rows; with no label at all when nothing was found.

    Raises
    ------
    PssegError
        If an argument is out of its range or the shapes differ.

    Notes
    -----
    A network that fills the gap between two sources with certainty makes them one: the map holds
    nothing that tells them apart.

    Examples
    --------
    >>> y, x = np.mgrid[:20, :30]
    >>> two = (np.hypot(x - 8, y - 9) < 3) | (np.hypot(x - 20, y - 9) < 3)
    >>> find_segments(0.9 * two, threshold=0.5, pixel_scale=0.1, psf_radius=0.25).n_labels
    2
    """
    _check(source_probability, mask, threshold=threshold, grow=grow, prominence=prominence)
    radius = psf_radius / pixel_scale
    disc = _disc(radius)
    found, n_basins = [], 0
    for window, own in _busy_windows(
        source_probability, grow * threshold, threshold, margin=int(np.ceil(radius)) + 1
    ):
        scores, valid = _scores(source_probability, mask, window)
        candidates = _holding((scores >= grow * threshold) & own, scores >= threshold)
        smooth = _smoothed(scores, valid, disc)
        basins = _basins(smooth, candidates)
        merged = _merged(basins, smooth, prominence=prominence, separation=radius)
        kept = _without_faint(merged, scores, threshold)
        part = list_segments(kept)
        found.append((part, (window[0].start, window[1].start), n_basins))
        n_basins += int(basins.max(initial=0))
    return _numbered_by_rows(SegmentMap.joined(source_probability.shape, found))


def segment_scores(
    source_probability: NDArray[np.floating], segments: SegmentMap
) -> NDArray[np.float64]:
    """Give the score of each segment: the probability of its brightest pixel.

    Parameters
    ----------
    source_probability : ndarray (n_y, n_x)
        As for `find_segments`.
    segments : SegmentMap
        The segments.

    Returns
    -------
    ndarray (n_segments,)
        In the order of the labels.
    """
    pixels = list_pixels(segments)
    return pixels.highest(pixels.of(source_probability))


def segment_centroids(
    source_probability: NDArray[np.floating], segments: SegmentMap
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the centroid of each segment, weighted by the probability.

    Parameters
    ----------
    source_probability, segments
        As for `segment_scores`.

    Returns
    -------
    x, y : ndarray (n_segments,)
        Pixels, in the order of the labels.
    """
    pixels = list_pixels(segments)
    return pixels.centroids(pixels.of(source_probability))


def _check(
    probability: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    *,
    threshold: float,
    grow: float,
    prominence: float,
) -> None:
    if probability.ndim != 2:
        raise PssegError(f"source_probability: want (n_y, n_x), got shape {probability.shape}")
    if mask is not None and mask.shape != probability.shape:
        raise PssegError(f"mask: want shape {probability.shape}, got {mask.shape}")
    if not 0 < threshold < 1:
        raise PssegError(f"threshold: want a probability between 0 and 1, got {threshold}")
    if not 0 < grow <= 1:
        raise PssegError(f"grow: want a fraction above 0, at most 1, got {grow}")
    if not 0 < prominence < 1:
        raise PssegError(f"prominence: want a fraction between 0 and 1, got {prominence}")


def _busy_windows(
    probability: NDArray[np.floating], low: float, high: float, *, margin: int
) -> Iterator[Window]:
    """Give windows with a margin that hold all candidates, and which of their pixels are their own.

    What touches shares a window: blocks that reach up to `low` and touch go together, where one
    of them reaches up to `high`.
    """
    shape = probability.shape
    highest = _block_maxima(probability)
    groups = label(highest >= low, ALL_AROUND)[0]
    around = find_objects(groups)
    holds = np.unique(groups[highest >= high])
    boxes = [around[number - 1] for number in holds]
    if BLOCK**2 * sum(groups[box].size + WINDOW_BLOCKS for box in boxes) >= probability.size:
        yield (slice(0, shape[0]), slice(0, shape[1])), np.ones(shape, dtype=bool)
        return
    for number, box in zip(holds, boxes, strict=True):
        window = tuple(
            slice(max(part.start * BLOCK - margin, 0), part.stop * BLOCK + margin) for part in box
        )
        rows, columns = (np.arange(n)[part] // BLOCK for n, part in zip(shape, window, strict=True))
        yield window, groups[rows[:, None], columns] == number


def _block_maxima(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give the highest value of each block of pixels; NaN where there is none."""
    n_y, n_x = values.shape
    rows = np.fmax.reduceat(values, np.arange(0, n_x, BLOCK), axis=1)
    return np.fmax.reduceat(rows, np.arange(0, n_y, BLOCK), axis=0)


def _scores(
    probability: NDArray[np.floating], mask: NDArray[np.bool_] | None, window: tuple[slice, ...]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Give the probabilities in a window, 0 where there are none, and where there are."""
    valid = np.isfinite(probability[window])
    if mask is not None:
        valid &= ~mask[window]
    return np.where(valid, probability[window], 0.0), valid


def _holding(pixels: NDArray[np.bool_], bright: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the connected pixels among which one is bright."""
    pieces, n_pieces = label(pixels, ALL_AROUND)
    holds = np.zeros(n_pieces + 1, dtype=bool)
    holds[pieces[bright & pixels]] = True
    return holds[pieces]


def _smoothed(
    scores: NDArray[np.floating], valid: NDArray[np.bool_], disc: NDArray[np.float64]
) -> NDArray[np.floating]:
    """Mean over the valid pixels of a disc, so that neither edges nor blanks look like a waist."""
    share = convolve(valid.astype(scores.dtype), disc, mode="constant")
    smooth = convolve(scores, disc, mode="constant")
    smooth /= np.maximum(share, disc.max(), dtype=scores.dtype)
    np.copyto(smooth, 0, where=~valid)
    return smooth


def _disc(radius: float) -> NDArray[np.float64]:
    """Share of each pixel that lies in a disc about the central one."""
    reach = int(np.ceil(radius))
    fine = (np.arange((2 * reach + 1) * 8) + 0.5) / 8 - 0.5 - reach
    inside = np.hypot(fine[:, None], fine) <= max(radius, 0.5)
    side = 2 * reach + 1
    return inside.reshape(side, 8, side, 8).mean(axis=(1, 3))


def _basins(smooth: NDArray[np.floating], candidates: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Divide the candidate pixels among all local maxima, however small."""
    inside = np.where(candidates, smooth, -1)  # the highest pixel of a gap may be no candidate
    tops = candidates & (maximum_filter(inside, 3) == inside)
    summits, n_summits = label(tops, ALL_AROUND)
    if n_summits == 1 and label(candidates, ALL_AROUND)[1] == 1:
        return candidates.astype(np.int32)
    return watershed(-smooth, summits, connectivity=ALL_AROUND, mask=candidates)


def _merged(
    basins: NDArray[np.int32],
    smooth: NDArray[np.floating],
    *,
    prominence: float,
    separation: float,
) -> NDArray[np.int32]:
    """Join basins whose peaks are too close or whose saddle is too shallow, highest saddle first.

    With the saddles taken from the top, a peak is compared with the highest ground it can be
    reached from: the topographic prominence.
    """
    n_basins = int(basins.max())
    if n_basins < 2:
        return basins
    places = _summits(basins, smooth)
    height = smooth[tuple(places.T)]
    parent = np.arange(n_basins)
    for low, high, saddle in _saddles(basins, smooth):
        pair = sorted({_root(parent, low), _root(parent, high)}, key=lambda i: -height[i])
        if len(pair) == 1:
            continue
        top, other = pair
        close = np.hypot(*(places[top] - places[other])) < separation
        if close or saddle > (1 - prominence) * height[other]:
            parent[other] = top
    roots = np.array([_root(parent, i) for i in range(n_basins)])
    return np.concatenate([[0], roots + 1]).astype(np.int32)[basins]


def _summits(basins: NDArray[np.int32], smooth: NDArray[np.floating]) -> NDArray[np.intp]:
    """Give row and column of the highest pixel of each basin, numbered from 1."""
    inside = np.flatnonzero(basins)  # few pixels of a large image
    order = np.lexsort((-smooth.flat[inside], basins.flat[inside]))
    ordered = inside[order]
    first = np.unique(basins.flat[ordered], return_index=True)[1]
    return np.stack(np.divmod(ordered[first], basins.shape[1]), axis=-1)


def _saddles(
    basins: NDArray[np.int32], smooth: NDArray[np.floating]
) -> list[tuple[int, int, float]]:
    """Give the neighbouring basins (numbered from 0) and their saddles, highest first."""
    first, second, level = [], [], []
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = _shifted(basins, step)
        border = (here != there) & (here > 0) & (there > 0)
        first.append(here[border])
        second.append(there[border])
        level.append(np.minimum(*_shifted(smooth, step))[border])
    pairs = np.sort(np.stack([np.concatenate(first), np.concatenate(second)]), axis=0) - 1
    levels = np.concatenate(level)
    order = np.argsort(-levels, kind="stable")
    _, once = np.unique(pairs[:, order], axis=1, return_index=True)
    chosen = order[np.sort(once)]
    return list(zip(*pairs[:, chosen].tolist(), levels[chosen].tolist(), strict=True))


def _shifted(values: NDArray, step: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """Give the values of pixels and of their neighbours one step away."""
    down, right = step
    n_y, n_x = values.shape
    here = values[: n_y - down, max(-right, 0) : n_x - max(right, 0)]
    return here, values[down:, max(right, 0) : n_x - max(-right, 0)]


def _root(parent: NDArray[np.intp], i: int) -> int:
    while parent[i] != i:
        i = int(parent[i])
    return i


def _without_faint(
    segments: NDArray[np.int32], scores: NDArray[np.floating], threshold: float
) -> NDArray[np.int32]:
    """Drop the segments whose brightest pixel is below the threshold."""
    bright = np.zeros(int(segments.max(initial=0)) + 1, dtype=bool)
    bright[segments[scores >= threshold]] = True
    return segments * bright[segments]


def _numbered_by_rows(segments: SegmentMap) -> SegmentMap:
    """Give segments new numbers in the order of their first pixels."""
    first = np.full(segments.max_label + 1, len(segments.label))
    first[segments.label[::-1]] = np.arange(len(segments.label))[::-1]
    order = np.empty(len(first), dtype=np.int32)
    order[np.argsort(first, kind="stable")] = np.arange(1, len(first) + 1)
    return replace(segments, label=order[segments.label])
