"""Is a source larger than the PSF? Discs of growing radius against a point, or several.

The counts of all other sources are held; those of the source itself and the level of the background
around it are fitted anew for each shape, band by band. Where a segment holds several points, a disc
must do better than all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.fitting import SceneFit
from psseg.catalogue.scene import Scene, Sources, cutout

__all__ = ["best_shapes"]

Floats = NDArray[np.float64]

CUTOUT_RADIUS = 15
"""Pixels beyond the disc that are looked at."""

GLANCE_DISCS = 4
"""Of this many of the smallest shapes every other one is tried at first glance."""

GLANCE_RADIUS = 12
"""Pixels around the source for that."""

GLANCE_TS = 4.0
"""Gain at a glance that deserves a closer look: a two-sigma hint."""

FEWEST_COUNTS = 1e-3
"""Counts per band from which a source is fitted anew, so that no band is left out."""

N_STEPS = 8
"""Scoring steps for two parameters; six suffice for most."""


def best_shapes(
    scene: Scene,
    fit: SceneFit,
    *,
    x: Floats,
    y: Floats,
    family: NDArray[np.intp],
    candidates: NDArray[np.bool_],
    wide: NDArray[np.bool_],
    largest: Floats,
    radii: Floats,
    minimum_ts: float,
) -> Sources:
    """Give every source the shape that fits it best.

    Parameters
    ----------
    scene : Scene
        The sky; its templates are the point source and one disc per radius.
    fit : SceneFit
        The fit with point sources.
    x, y : ndarray (n_sources,)
        Centroids of the segments, pixels: discs are tried there and at the fitted position, which
        may be a bright spot of an extended source.
    family : ndarray of int (n_sources,)
        The source whose segment each belongs to, itself if it is the first one there.
    candidates : ndarray of bool (n_sources,)
        Sources to look at, first ones of their families; the others stay points.
    wide : ndarray of bool (n_sources,)
        Those of them whose segments are larger than a point source's. The others are looked at
        closely only if a small disc is somewhat better than a point at first glance.
    largest : ndarray (n_sources,)
        Largest radius that each segment allows, deg.
    radii : ndarray (n_discs,)
        Radii of the discs, deg.
    minimum_ts : float
        A disc needs to be better than the points by this much.

    Returns
    -------
    Sources
        With shapes, and discs at the better of the two positions. A disc stands for its family.
    """
    sources = fit.sources
    shape = np.zeros(len(sources), dtype=np.intp)
    place = np.stack([sources.x, sources.y])
    for k in np.flatnonzero(candidates).tolist():
        fitted = (sources.x[k], sources.y[k])
        members = np.flatnonzero(family == k)
        # Fitted with a point, the background has taken in what a wide source holds besides.
        background = scene.background if wide[k] else fit.background
        glance = [(n, fitted) for n in range(len(radii) + 1)][:GLANCE_DISCS:2]
        values = _values(scene, fit, background, members, glance, GLANCE_RADIUS)
        if len(members) == 1 and 2 * (values.max() - values[0]) < GLANCE_TS and not wide[k]:
            continue
        tried = [(0, fitted)]
        discs = [n + 1 for n, radius in enumerate(radii) if radius <= largest[k]]
        tried += [(disc, at) for disc in discs for at in (fitted, (x[k], y[k]))]
        # One cutout for all shapes, or their likelihoods could not be compared.
        scale = np.sqrt(abs(np.linalg.det(sources.jacobian[k])))
        reach = max((radii[disc - 1] for disc in discs), default=0.0)
        half_width = CUTOUT_RADIUS + int(np.ceil(reach / scale))
        values = _values(scene, fit, background, members, tried, half_width)
        best = 1 + int(np.argmax(values[1:])) if len(values) > 1 else 0
        if best > 0 and 2 * (values[best] - values[0]) > minimum_ts:
            shape[k], place[:, k] = tried[best]
    return replace(sources, shape=shape, x=place[0], y=place[1])


def _values(
    scene: Scene,
    fit: SceneFit,
    background: Floats,
    members: NDArray[np.intp],
    tried: Sequence[tuple[int, tuple[float, float]]],
    half_width: int,
) -> Floats:
    """Give the log-likelihood of each shape and position tried, (n_tried,).

    The shape 0 is the family as it was fitted; the others take the place of all its members.
    """
    sources, first = fit.sources, int(members[0])
    window, dx, dy = cutout(scene, sources, first, half_width)
    around = (slice(None), *window)
    keep = scene.valid[window].ravel()
    counts = scene.counts[around].reshape(scene.n_bands, -1)[:, keep]
    below = background[around].reshape(scene.n_bands, -1)[:, keep]
    others = (fit.expected - fit.background)[around].reshape(scene.n_bands, -1)[:, keep]
    jacobian = sources.jacobian[first]

    def template(shape: int, x: float, y: float) -> Floats:
        moved = dx + sources.x[first] - x, dy + sources.y[first] - y
        fractions = scene.templates[shape].fractions(*moved, jacobian)
        return fractions.reshape(-1, scene.n_bands)[keep].T

    amplitude = np.maximum(sources.amplitude[:, members], FEWEST_COUNTS)
    own = np.zeros_like(counts)
    for k, number in zip(members, amplitude.T, strict=True):
        own += template(0, sources.x[k], sources.y[k]) * number[:, None]
    start = amplitude.sum(axis=1)
    family = own / start[:, None]
    others = np.maximum(others - own, 0)
    return np.array(
        [
            _profile(
                counts,
                others,
                below,
                template(shape, *at) if shape else family,
                start,
                scene.background_error,
            )
            for shape, at in tried
        ]
    )


def _profile(
    counts: Floats,
    others: Floats,
    background: Floats,
    template: Floats,
    start: Floats,
    background_error: float,
) -> float:
    """Maximise over the counts of the source and the level of the background, all bands at once.

    Arrays are (n_bands, n_pixels). Returns the log-likelihood summed over the bands.
    """
    amplitude, level = np.maximum(start, FEWEST_COUNTS), np.ones(len(start))
    precision = background_error**-2
    value = np.full(len(start), -np.inf)
    best = np.zeros((2, len(start)))
    for _ in range(N_STEPS):
        expected = others + level[:, None] * background + amplitude[:, None] * template
        now = (counts * np.log(expected) - expected).sum(axis=1)
        now -= 0.5 * precision * (level - 1) ** 2
        better = now > value
        if not np.any(now > value + 0.01):
            break
        value = np.where(better, now, value)
        best = np.where(better, [amplitude, level], best)
        weight, ratio = 1 / expected, counts / expected - 1
        score_a = (ratio * template).sum(axis=1)
        score_l = (ratio * background).sum(axis=1) - precision * (level - 1)
        aa = (template**2 * weight).sum(axis=1) + 1e-12
        al = (template * background * weight).sum(axis=1)
        ll = (background**2 * weight).sum(axis=1) + precision
        determinant = aa * ll - al**2
        amplitude = amplitude + (ll * score_a - al * score_l) / determinant
        level = np.clip(level + (aa * score_l - al * score_a) / determinant, 0.3, 3)
        amplitude = np.maximum(amplitude, FEWEST_COUNTS)
    return float(value.sum())
