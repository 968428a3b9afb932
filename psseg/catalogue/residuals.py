"""What the fit leaves over: where a map holds point-like excess beside the fitted sources.

In: a scene and what is expected of it, fitted sources included. Out: the test statistic of one more
point source at every pixel, and its peaks. All bands count together, for a few power laws. The
statistic is that of the score test: one convolution with the PSF per band and no fit.

The background is known to some per cent only, and several sources in a heap raise each other's
surroundings. So the level of everything expected is free over about a degree, band by band: what
is found must stand out from its surroundings as a point does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import maximum_filter

from psseg.catalogue.scene import Scene, Sources, cutout

__all__ = ["excess_peaks", "excess_significance", "point_significance", "power_law_shares"]

Floats = NDArray[np.float64]

INDICES = (1.8, 2.3, 2.9)
"""Photon indices that are tried: hard, usual and soft sources."""

STAMP_RADIUS = 15
"""Pixels out to which the PSF is looked at: the rest is as smooth as the surroundings."""

BROAD_SIGMA = 0.6
"""Deg; size of the surroundings whose level is free, a Gaussian."""

BROAD_ERROR = 0.2
"""Expected relative error of that level."""

QUIET_COUNTS = 0.1
"""Counts added to the variance of a pixel: a single photon on an empty sky is no excess."""


def excess_significance(
    scene: Scene, expected: Floats, shares: Sequence[Floats], *, jacobian: Floats
) -> Floats:
    """Give the test statistic of one more point source in each pixel.

    Parameters
    ----------
    scene : Scene
        The sky.
    expected : ndarray (n_bands, n_y, n_x)
        Expected counts, with all sources known so far.
    shares : sequence of ndarray (n_bands,)
        Spectra to try: the share of each band in a source's counts.
    jacobian : ndarray (2, 2)
        Sky displacement per pixel, deg.

    Returns
    -------
    ndarray (n_y, n_x)
        About what a fit would give with all other sources held; 0 where there is no excess.
    """
    offsets = np.arange(-STAMP_RADIUS, STAMP_RADIUS + 1.0)
    point = scene.templates[0].fractions(offsets, offsets, jacobian)
    broad = _broad(offsets, offsets, jacobian)
    scores, variances = np.empty((2, *scene.counts.shape))
    for band, (counts, level) in enumerate(zip(scene.counts, expected, strict=True)):
        own = point[..., band]
        kernels = np.stack([own, own**2, broad, broad**2, own * broad])
        sums = _correlated(_moments(counts, level, scene.valid), kernels)
        scores[band], variances[band] = _level_free(*sums)
    return _best(scores, variances, shares) * scene.valid


def point_significance(
    scene: Scene, expected: Floats, sources: Sources, shares: Sequence[Floats]
) -> Floats:
    """Give the same statistic for fitted sources: how they stand out from their surroundings.

    Parameters
    ----------
    scene : Scene
        The sky.
    expected : ndarray (n_bands, n_y, n_x)
        Expected counts, with all sources.
    sources : Sources
        Point sources that `expected` holds.
    shares : sequence of ndarray (n_bands,)
        Spectra to try.

    Returns
    -------
    ndarray (n_sources,)
    """
    scores, variances = np.empty((2, scene.n_bands, len(sources)))
    for k, jacobian in enumerate(sources.jacobian):
        window, dx, dy = cutout(scene, sources, k, STAMP_RADIUS)
        around = (slice(None), *window)
        own = np.moveaxis(scene.templates[0].fractions(dx, dy, jacobian), -1, 0)
        level = np.maximum(expected[around] - own * sources.amplitude[:, k, None, None], 0)
        moments = _moments(scene.counts[around], level, scene.valid[window])
        broad = np.broadcast_to(_broad(dx, dy, jacobian), own.shape)
        kernels = np.stack([own, own**2, broad, broad**2, own * broad])
        sums = (moments * kernels).sum(axis=(2, 3))
        scores[:, k], variances[:, k] = _level_free(*sums)
    return _best(scores, variances, shares)


def excess_peaks(
    significance: Floats,
    territory: NDArray[np.int_],
    *,
    x: Floats,
    y: Floats,
    threshold: float,
    separation: float,
    apart: float,
) -> NDArray[np.intp]:
    """Pick the peaks of a significance map that may be sources.

    Parameters
    ----------
    significance : ndarray (n_y, n_x)
        As `excess_significance` gives it.
    territory : ndarray of int (n_y, n_x)
        Which source each pixel is near to, -1 for none: nothing is picked there.
    x, y : ndarray (n_sources,)
        Known sources, pixels.
    threshold : float
        Least significance of a peak.
    separation : float
        Least distance from a known source, pixels.
    apart : float
        Least distance of peaks from each other, pixels; the higher ones are kept.

    Returns
    -------
    ndarray of int (n_peaks, 2)
        Rows and columns, the highest peak first.
    """
    tops = (significance >= threshold) & (territory >= 0)
    tops &= maximum_filter(significance, 3) == significance
    places = np.argwhere(tops)
    places = places[np.argsort(-significance[tops], kind="stable")]
    known = np.hypot(places[:, :1] - y, places[:, 1:] - x)
    places = places[(known >= separation).all(axis=1)]
    picked: list[NDArray[np.intp]] = []
    for place in places:
        if all(np.hypot(*(place - other)) >= apart for other in picked):
            picked.append(place)
    return np.array(picked, dtype=np.intp).reshape(-1, 2)


def power_law_shares(exposure: Floats, bands: Floats) -> list[Floats]:
    """Give the shares of the bands in the counts of a few power laws.

    Parameters
    ----------
    exposure : ndarray (n_bands,)
        Exposure, on any scale.
    bands : ndarray (n_bands, 2)
        Lower and upper edges, GeV.

    Returns
    -------
    list of ndarray (n_bands,)
    """
    counts = [exposure * -np.diff(bands ** (1 - index), axis=1)[:, 0] for index in INDICES]
    return [number / number.sum() for number in counts]


def _broad(dx: Floats, dy: Floats, jacobian: Floats) -> Floats:
    """Weight of the surroundings of a point, (n_y, n_x)."""
    squared = (dx**2 + dy[:, None] ** 2) * abs(np.linalg.det(jacobian))
    return np.exp(-squared / (2 * BROAD_SIGMA**2))


def _moments(counts: Floats, expected: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Give what the kernels of point, point squared, broad, broad squared, and both weight."""
    weight = valid / (expected + QUIET_COUNTS)
    excess = weight * (counts - expected)
    return np.stack([excess, weight, excess * expected, weight * expected**2, weight * expected])


def _level_free(
    score: Floats, variance: Floats, score_broad: Floats, variance_broad: Floats, mixed: Floats
) -> tuple[Floats, Floats]:
    """Give the score of a point and its variance when the level around it is free."""
    shrink = mixed / (np.maximum(variance_broad, 0) + BROAD_ERROR**-2)
    return score - shrink * score_broad, np.maximum(variance - shrink * mixed, 0)


def _best(scores: Floats, variances: Floats, shares: Sequence[Floats]) -> Floats:
    """Sum over the bands, which come first, with the spectrum that gives most."""
    best = np.zeros(scores.shape[1:])
    for share in shares:
        score = np.tensordot(share, scores, axes=1)
        variance = np.tensordot(share**2, variances, axes=1)
        best = np.maximum(best, np.maximum(score, 0) ** 2 / np.maximum(variance, 1e-12))
    return best


def _correlated(images: Floats, kernels: Floats) -> Floats:
    """Correlate images with symmetric kernels of odd sides, one each, zero beyond the edges."""
    reach = kernels.shape[-1] // 2
    n_y, n_x = images.shape[-2:]
    padded = [next_fast_len(n + 2 * reach, real=True) for n in (n_y, n_x)]
    product = rfft2(images, s=padded) * rfft2(kernels, s=padded)
    return irfft2(product, s=padded)[:, reach : reach + n_y, reach : reach + n_x]
