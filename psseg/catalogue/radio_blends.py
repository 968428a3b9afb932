"""Neighbours about a beam apart that the network and the peaks take for one source.

In: fitted components, and the segments that they are of. Out: two points in place of each Gaussian
that they describe better; and segments of two points made into two segments.

A faint neighbour at 1 to 1.5 beams has no peak of its own: it only stretches the brighter source.
Two points have as many parameters as one free Gaussian, so that the better fit tells which it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.array_rows import joined, taken
from psseg.catalogue.fit_windows import Window
from psseg.catalogue.gaussians import fit_gaussians, gaussians, linear_amplitudes
from psseg.catalogue.radio_canvas import Canvas, noise_units, relative
from psseg.catalogue.radio_components import POINT, Batch, Components, Plane, batches
from psseg.catalogue.segment_pixels import SegmentPixels
from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = ["part_segments", "with_doubles"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

LEAST_SNR = 5.0
"""Of either point. Of what looks like a second one of S/N 4 to 5 only a third is."""

CLOSEST = 0.75 * FWHM_PER_SIGMA
"""Of two points: closer ones are hardly told from one Gaussian."""

CLOSEST_OF_FEW = 1.0 * FWHM_PER_SIGMA
"""The same where sources are few: there, what is closer is more often two lobes of one source."""

MANY = 1 / 150
"""Components above `LEAST_SNR` per beam from which on they are many. EMU-like images have 1 / 70:
20 real pairs and 2 doubles within a beam; LoTSS-like ones 1 / 400: 3 pairs and 8 doubles."""

LARGEST_SEPARATION = 1.6 * FWHM_PER_SIGMA
"""Of two points that share a segment by chance: what lies farther apart and is one segment all the
same, is so because the network or the association of lobes takes it for one source."""

LEAST_GAIN = 0.05
"""Chi2 per independent noise by which two points must be better than a Gaussian. On 16 simulated
images (EMU-, LoTSS- and RACS-like) 71 of the 101 pairs that were, with `LEAST_SNR`, were two
sources, 16 one extended source, 14 a source and something fainter beside it."""

LARGEST_CHI2 = 0.3
LARGEST_MISFIT = 0.005
"""Chi2 that two points may leave, and the share of the brighter one's peak that adds to its root:
pairs leave less, two thirds of the extended sources more."""

LARGEST_STRETCH = 3.5
"""Area, in beams, of a Gaussian that may be two points."""

NEARLY_POINT = 1.3
"""Area, in beams, of what counts as a point where a peak of its own was found."""

FIRST_SEPARATION = 1.05 * FWHM_PER_SIGMA
"""Of two points at the start of their fit. Those that start close together take long to part."""

SHIFTS = -0.5, -0.25, 0.0, 0.25, 0.5
"""By which both may be moved then, along the line between them, in units of its length: the
Gaussian lies on the brighter one if the other is faint."""

LARGEST_SIGMA = 4.0
"""Of that Gaussian, in units of the beam, when it is fitted beside the pair."""


def with_doubles(plane: Plane, canvas: Canvas, fitted: Components) -> tuple[Components, Integers]:
    """Put two points in place of every Gaussian that they describe better.

    Parameters
    ----------
    plane : Plane
        The reference plane.
    canvas : Canvas
        Shows the components that disturb each other.
    fitted : Components
        As they were fitted, one for each peak.

    Returns
    -------
    components : Components
        The brighter point of a pair stands before the fainter.
    origin : ndarray of int (n,)
        For each the one of `fitted` that it comes from.
    """
    chosen = _doubtful(fitted)
    pairs, better = _fitted_pairs(plane, canvas, fitted, chosen)
    kept = np.setdiff1d(np.arange(len(fitted)), chosen[better])
    origin = np.concatenate([kept, np.repeat(chosen[better], 2)])
    both = joined([taken(fitted, kept), taken(pairs, np.flatnonzero(np.repeat(better, 2)))])
    order = np.lexsort((-both.amplitude, origin))
    return taken(both, order), origin[order]


def _doubtful(fitted: Components) -> Integers:
    """Give the Gaussians that may be two points."""
    alone = np.bincount(fitted.group, minlength=1)[fitted.group] == 1
    small = fitted.stretch() < LARGEST_STRETCH
    return np.flatnonzero(fitted.free & _clear(fitted) & alone & small)


def _fitted_pairs(
    plane: Plane, canvas: Canvas, fitted: Components, chosen: Integers
) -> tuple[Components, Bools]:
    """Fit two points for each of the chosen, and tell where they are better."""
    pairs = _split(plane, fitted, chosen)
    x, y, amplitude = pairs.x.copy(), pairs.y.copy(), pairs.amplitude.copy()
    better = np.zeros(len(chosen), dtype=bool)
    for batch in batches(plane, pairs, np.ones(len(pairs), dtype=bool)):
        number = batch.members[:, 0] // 2
        points, better[number] = _compared(plane, canvas, fitted, chosen[number], pairs, batch)
        x[batch.members], y[batch.members] = batch.places(points, plane.beam)
        amplitude[batch.members] = points[..., 0] * pairs.rms[batch.members]
    better &= np.isfinite(plane.at(plane.rms, x, y)).reshape(-1, 2).all(axis=1)
    return replace(pairs, x=x, y=y, amplitude=amplitude), better


def _split(plane: Plane, fitted: Components, chosen: Integers) -> Components:
    """Put two equal points on the longer axis of each Gaussian, side by side in the list."""
    xx, xy, yy = fitted.shape[chosen].T
    _, axes = np.linalg.eigh(np.stack([xx, xy, xy, yy], axis=-1).reshape(-1, 2, 2))
    half = FIRST_SEPARATION / 2 * axes[:, :, 0]
    step = np.stack([half, -half], axis=1).reshape(-1, 2) @ np.linalg.cholesky(plane.beam).T
    twice = np.repeat(chosen, 2)
    double = taken(fitted, twice)
    return replace(
        double,
        x=double.x + step[:, 0],
        y=double.y + step[:, 1],
        shape=np.tile(POINT, (len(twice), 1)),
        free=np.zeros(len(twice), dtype=bool),
        size=np.ones(len(twice), dtype=np.intp),
    )


def _compared(
    plane: Plane,
    canvas: Canvas,
    fitted: Components,
    single: Integers,
    pairs: Components,
    batch: Batch,
) -> tuple[Floats, Bools]:
    """Fit two points and one Gaussian to the same pixels; give the points, and where they win."""
    values, weights = noise_units(plane, canvas, pairs, batch, single[:, None])
    one = relative(fitted, batch, plane.whitening, single[:, None])
    free = np.ones(one.shape[:2], dtype=bool)
    one, good = fit_gaussians(values, weights, batch.window.grid, one, free, largest=LARGEST_SIGMA)
    two = _best_pair(values, weights, batch.window, relative(pairs, batch, plane.whitening))
    left = _chi2(values, weights, batch.window, two)
    limit = LARGEST_CHI2 + (LARGEST_MISFIT * two[..., 0].max(axis=1)) ** 2
    gain = _chi2(values, weights, batch.window, one) - left
    blended = _blended(plane, fitted, two[:, 0, 1:3] - two[:, 1, 1:3])
    clear = two[..., 0].min(axis=1) > LEAST_SNR
    return two, good & (gain > LEAST_GAIN) & (left < limit) & clear & blended


def _best_pair(values: Singles, weights: Singles, window: Window, middle: Floats) -> Floats:
    """Fit two points (n, 2, 6) that begin where they do best along the line between them."""
    apart = middle[:, :1, 1:3] - middle[:, 1:, 1:3]
    correlation = window.correlation()
    starts = np.repeat(middle[None], len(SHIFTS), axis=0)
    left = np.empty(starts.shape[:2])
    for number, (start, shift) in enumerate(zip(starts, SHIFTS, strict=True)):
        start[..., 1:3] += shift * apart
        start[..., 0], _ = linear_amplitudes(values, weights, window.grid, start, correlation)
        left[number] = _chi2(values, weights, window, start)
    best = starts[np.nan_to_num(left, nan=np.inf).argmin(axis=0), np.arange(len(middle))]
    points = np.zeros(best.shape[:2], dtype=bool)
    return fit_gaussians(values, weights, window.grid, best, points, largest=1.0)[0]


def _chi2(values: Singles, weights: Singles, window: Window, parameters: Floats) -> Floats:
    """Give what Gaussians (n, k, 6) leave, per independent noise."""
    left = values - gaussians(parameters, window.grid).sum(axis=1)
    return (weights * left**2).sum(axis=1) * window.cell / (4 * np.pi)


def _blended(plane: Plane, components: Components, offset: Floats) -> Bools:
    """Tell which pairs, (n, 2) apart in units of the beam, may share a segment by chance."""
    many = np.count_nonzero(_clear(components)) * plane.area > MANY * plane.data.size
    apart = np.hypot(*offset.T)
    return (apart > (CLOSEST if many else CLOSEST_OF_FEW)) & (apart < LARGEST_SEPARATION)


def _clear(components: Components) -> Bools:
    with np.errstate(invalid="ignore"):
        clear = components.amplitude > LEAST_SNR * components.rms
    return clear & ~components.failed


def part_segments(
    plane: Plane, pixels: SegmentPixels, components: Components, segment: Integers
) -> tuple[SegmentPixels, Integers, Integers]:
    """Make two segments of each that holds two points and nothing else.

    Parameters
    ----------
    plane : Plane
        The reference plane.
    pixels : SegmentPixels
        The segments.
    components : Components
        What was fitted.
    segment : ndarray of int (n,)
        Index of the segment of each component.

    Returns
    -------
    pixels : SegmentPixels
        The fainter points' segments follow after all others; each pixel is the nearer point's.
    segment : ndarray of int (n,)
        Of each component.
    parent : ndarray of int (n_segments,)
        Index of the segment before that each is, or was part of.
    """
    brighter, fainter = _point_pairs(plane, components, segment)
    pair_of = np.full(pixels.n_segments, -1)
    pair_of[segment[brighter]] = np.arange(len(brighter))
    inside = np.flatnonzero(pair_of[pixels.owner] >= 0)
    pair = pair_of[pixels.owner[inside]]
    nearer = _nearer(plane, pixels, inside, components, brighter[pair], fainter[pair])
    n_nearer = np.bincount(pair[nearer], minlength=len(brighter))
    n_pixels = np.bincount(pair, minlength=len(brighter))
    shared = np.flatnonzero((n_nearer > 0) & (n_nearer < n_pixels))

    parent = np.concatenate([np.arange(pixels.n_segments), segment[brighter[shared]]])
    further = np.full(len(brighter), -1)
    further[shared] = np.arange(pixels.n_segments, len(parent))
    owner, segment = pixels.owner.copy(), segment.copy()
    moved = nearer & (further[pair] >= 0)
    owner[inside[moved]] = further[pair[moved]]
    segment[fainter[shared]] = further[shared]
    return replace(pixels, owner=owner, n_segments=len(parent)), segment, parent


def _nearer(
    plane: Plane,
    pixels: SegmentPixels,
    inside: Integers,
    components: Components,
    one: Integers,
    other: Integers,
) -> Bools:
    """Tell which of some pixels are nearer to their other component, in units of the beam."""
    distances = []
    for members in (one, other):
        dx = pixels.columns[inside] - components.x[members]
        dy = pixels.rows[inside] - components.y[members]
        distances.append(np.hypot(*(plane.whitening @ np.stack([dx, dy]))))
    return distances[1] < distances[0]


def _point_pairs(
    plane: Plane, components: Components, segment: Integers
) -> tuple[Integers, Integers]:
    """Give the brighter and the fainter point of segments that hold two, a beam or so apart."""
    order = np.lexsort((-components.amplitude, segment))
    _, first, count = np.unique(segment[order], return_index=True, return_counts=True)
    members = order[first[count == 2][:, None] + np.arange(2)]
    points = _clear(components) & (components.stretch() < NEARLY_POINT)
    place = np.stack([components.x, components.y], axis=-1)[members] @ plane.whitening.T
    blended = _blended(plane, components, place[:, 0] - place[:, 1])
    brighter, fainter = members[points[members].all(axis=1) & blended].T
    return brighter, fainter
