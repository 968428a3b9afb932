"""The fit of one block: points first, then second sources of a segment, then discs.

In: a scene and one expected position per segment. Out: the fit, with as many sources per segment as
the counts ask for. Sources closer than the label discs are wide come as one segment. Fitted with
one point, it leaves point-like excess; there a source is added, all around it fitted again, and
what does not keep its TS is dropped. An extended source leaves excess, too: each segment is also
fitted with one disc in the place of its points, and the disc stays if it is clearly better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.extension import best_shapes
from psseg.catalogue.fit_settings import FitSettings
from psseg.catalogue.fitting import SceneFit, fit_scene
from psseg.catalogue.residuals import (
    excess_peaks,
    excess_significance,
    point_significance,
    power_law_shares,
)
from psseg.catalogue.scene import Scene, Sources, starting_sources
from psseg.catalogue.spectra import BandCounts, fit_spectra

__all__ = ["Block", "Resolved", "fit_block"]

Floats = NDArray[np.float64]

WIDE = 1.6
"""Segments of more than this many times a point source's radius look extended."""

LARGEST_DISC = 1.5
"""A disc may be this much larger than its segment: a larger one would be diffuse emission that the
network saw as such."""

GLANCE_SHARE = 0.5
"""A peak that may be a source has this share of the TS it needs: with all other sources held, a
blend looks less significant than it is."""

PEAKS_APART = 0.5
"""Deg; of peaks closer than this the highest is tried first. A pair fitted as one point leaves
excess on both sides, and only one of them is a source."""

NEIGHBOURHOOD = 1.0
"""Deg; sources this close to one that is added, dropped or reshaped move, the others have arrived.
"""

SAME_PLACE = 0.15
"""Deg; sources closer than this may be one."""

STRAYED = 0.2
"""Deg; an added source that ends farther from its peak has found something broad."""

N_MOVES_AGAIN = 5
"""Moves at most when a fit goes on from the last one."""

PSF_ERROR = 0.07
"""Relative error of the PSF: a source of a TS leaves excess of this squared times the TS ..."""

PSF_CORE = 0.4
"""... within this distance, deg."""

DISC_ERROR = 0.15
"""The same of a disc, which stands for another shape or for a radius between those tried."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """A scene and what is known of its segments.

    Parameters
    ----------
    scene : Scene
        The sky.
    settings : FitSettings
        How to fit.
    x, y : ndarray (n_segments,)
        Where the sources are expected, pixels of the scene.
    jacobian : ndarray (n_segments, 2, 2)
        Sky displacement per pixel there, deg.
    size : ndarray (n_segments,)
        Radii of discs of the segments' areas, deg.
    point_size : float
        The same of a point source's segment, deg.
    territory : ndarray of int (n_y, n_x)
        Segment that each pixel is near to, -1 for none.
    exposure : ndarray (n_segments, n_bands)
        Exposure, cm2 s, or relative.
    bands : ndarray (n_bands, 2)
        Edges of the bands, GeV.
    """

    scene: Scene
    settings: FitSettings
    x: Floats
    y: Floats
    jacobian: Floats
    size: Floats
    point_size: float
    territory: NDArray[np.int_]
    exposure: Floats
    bands: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Resolved:
    """The sources of a block.

    Parameters
    ----------
    fit : SceneFit
        The fit: first one source per segment in their order, then the added ones.
    start : Sources
        Where they were expected.
    segment : ndarray of int (n_sources,)
        Which segment each belongs to.
    """

    fit: SceneFit
    start: Sources
    segment: NDArray[np.intp]

    @property
    def added(self) -> NDArray[np.bool_]:
        """True for sources beside the first one of their segment."""
        return np.arange(len(self.segment)) != self.segment


def fit_block(block: Block) -> Resolved:
    """Fit the sources of a block.

    Parameters
    ----------
    block : Block
        The sky and its segments.

    Returns
    -------
    Resolved
    """
    start = starting_sources(block.scene, x=block.x, y=block.y, jacobian=block.jacobian)
    segment = np.arange(len(start))
    found = Resolved(fit=_fitted(block, start, start, segment), start=start, segment=segment)
    if not np.isfinite(block.settings.second_source_ts):
        return _shaped(block, found)
    found = _changed(block, found, peaks=_peaks(block, found))
    found = _shaped(block, _ordered(block, found))
    peaks = _peaks(block, found)
    disc = found.fit.sources.shape[block.territory[tuple(peaks.T)]] > 0
    found = _changed(block, found, kept=_lasting(block, found), peaks=peaks[disc])
    found = _ordered(block, found)
    return _changed(block, found, kept=_lasting(block, found))


def _fitted(
    block: Block,
    sources: Sources,
    start: Sources,
    segment: NDArray[np.intp],
    *,
    moving: NDArray[np.bool_] | None = None,
    level: Floats | None = None,
) -> SceneFit:
    exposure = block.exposure[segment]

    def spectrum(counts: BandCounts, some: NDArray[np.intp]) -> Floats:
        return fit_spectra(counts, exposure[some], block.bands, curved=len(block.bands) > 2).counts

    return fit_scene(
        block.scene,
        sources,
        start=start,
        spectrum=spectrum,
        leash=_leashes(block, sources, segment),
        position_prior=block.settings.position_prior,
        moving=moving,
        level=level,
        **({} if moving is None else {"n_moves": N_MOVES_AGAIN}),
    )


def _leashes(block: Block, sources: Sources, segment: NDArray[np.intp]) -> Floats:
    """Give how far each source may be from where it is expected, deg.

    A disc may be anywhere in its segment: neighbours that share the segment, or take part of the
    disc into theirs, move its centroid far from the disc's.
    """
    farthest = np.maximum(block.size[segment], block.settings.leash)
    return np.where(sources.shape > 0, farthest, block.settings.leash)


def _stands_out(block: Block, found: Resolved) -> Floats:
    """Give the TS that no level of its surroundings explains, where a segment has several sources.

    Of the others, which stay in any case, the TS.
    """
    ts = found.fit.ts.copy()
    several = np.flatnonzero(np.isin(found.segment, found.segment[found.added]))
    shares = power_law_shares(block.exposure.mean(axis=0), block.bands)
    points = found.fit.sources.rows(several)
    alone = point_significance(block.scene, found.fit.expected, points, shares)
    ts[several] = np.minimum(ts[several], alone)
    return ts


def _ordered(block: Block, found: Resolved) -> Resolved:
    """Put the surest source of each segment first, unless that is a disc or none is sure."""
    order = np.arange(len(found.segment))
    ts = _stands_out(block, found)
    points = found.fit.sources.shape[found.segment] == 0
    for segment in np.unique(found.segment[found.added & points]):
        members = np.flatnonzero(found.segment == segment)
        best = members[np.argmax(ts[members])]
        if ts[best] < block.settings.second_source_ts:
            continue
        order[[segment, best]] = order[[best, segment]]
    return Resolved(
        fit=found.fit.rows(order), start=found.start.rows(order), segment=found.segment[order]
    )


def _significant(block: Block, found: Resolved) -> NDArray[np.bool_]:
    """Tell which sources stay: the first of each segment in any case, others if they are sure.

    Two sources in one place take each other's TS: of these only the fainter one goes at first.
    """
    sources, ts = found.fit.sources, _stands_out(block, found)
    strayed = np.hypot(sources.x - found.start.x, sources.y - found.start.y) * _scale(sources)
    faint = (ts < _needed(block, found, sources.x, sources.y)) | (strayed > STRAYED)
    faint &= found.added
    close = _distance(sources, sources.x, sources.y) < SAME_PLACE
    return ~faint | (close & faint & (ts < ts[:, None])).any(axis=1)


def _lasting(block: Block, found: Resolved) -> NDArray[np.bool_]:
    """Tell which sources stay at the end: those that are sure and have arrived."""
    return _significant(block, found) & (found.fit.converged | ~found.added)


def _needed(block: Block, found: Resolved, x: Floats, y: Floats) -> Floats:
    """Give the TS that an added source needs at some places: more beside bright sources."""
    sources, ts = found.fit.sources, found.fit.ts
    radius = np.array([0.0, *block.settings.disc_radii])[sources.shape]
    distance = _distance(sources, x, y)
    near = (distance < PSF_CORE + radius[:, None]) & (distance > 0)
    error = np.where(radius > 0, DISC_ERROR, PSF_ERROR)
    left_over = np.where(near, (error**2 * ts)[:, None], 0.0)
    return block.settings.second_source_ts + left_over.max(axis=0, initial=0.0)


def _peaks(block: Block, found: Resolved) -> NDArray[np.intp]:
    """Give rows and columns of the excess that may be sources."""
    settings, sources = block.settings, found.fit.sources
    shares = power_law_shares(block.exposure.mean(axis=0), block.bands)
    jacobian = block.jacobian[len(block.jacobian) // 2]
    scale = np.sqrt(abs(np.linalg.det(jacobian)))
    significance = excess_significance(block.scene, found.fit.expected, shares, jacobian=jacobian)
    places = excess_peaks(
        significance,
        block.territory,
        x=sources.x,
        y=sources.y,
        threshold=GLANCE_SHARE * settings.second_source_ts,
        separation=settings.second_source_separation / scale,
        apart=PEAKS_APART / scale,
    )
    y, x = places.T.astype(float)
    needed = _needed(block, found, x, y)
    return places[significance[tuple(places.T)] >= GLANCE_SHARE * needed]


def _changed(
    block: Block,
    found: Resolved,
    *,
    kept: NDArray[np.bool_] | None = None,
    peaks: NDArray[np.intp] | None = None,
    sources: Sources | None = None,
) -> Resolved:
    """Drop sources, add others and give some another shape; fit again if any of this happens."""
    sources = found.fit.sources if sources is None else sources
    kept = np.ones(len(sources), dtype=bool) if kept is None else kept
    y, x = np.zeros((2, 0)) if peaks is None else peaks.T.astype(float)
    reshaped = sources.shape != found.fit.sources.shape
    touched = ~kept | reshaped
    if not touched.any() and not len(x):
        return found
    near = np.zeros(0, np.intp) if peaks is None else block.territory[tuple(peaks.T)]
    rows = np.flatnonzero(kept)
    segment = np.concatenate([found.segment[rows], near])
    start = found.start.rows(rows).with_points(x, y, near)
    # The middle of a segment says nothing about where the first of several sources is, and a disc
    # may be far from the bright spot that was taken for a point.
    start.x[near], start.y[near] = sources.x[near], sources.y[near]
    disc = np.flatnonzero(sources.shape[: len(block.x)])
    start.x[disc], start.y[disc] = block.x[disc], block.y[disc]
    again = sources.rows(rows).with_points(x, y, near)
    places = np.concatenate([sources.x[touched], x]), np.concatenate([sources.y[touched], y])
    arrived = np.concatenate([found.fit.converged[rows], np.zeros(len(x), dtype=bool)])
    moving = ~arrived | (_distance(again, *places) < NEIGHBOURHOOD).any(axis=1)
    # The background has taken in what belongs to a new source or to a disc in a point's place.
    level = None if len(x) or reshaped.any() else found.fit.level
    fit = _fitted(block, again, start, segment, moving=moving, level=level)
    return Resolved(fit=fit, start=start, segment=segment)


def _distance(sources: Sources, x: Floats, y: Floats) -> Floats:
    """Distance of sources to places, deg, (n_sources, n_places)."""
    return np.hypot(sources.x[:, None] - x, sources.y[:, None] - y) * _scale(sources)[:, None]


def _scale(sources: Sources) -> Floats:
    """Degrees per pixel."""
    return np.sqrt(np.abs(np.linalg.det(sources.jacobian)))


def _shaped(block: Block, found: Resolved) -> Resolved:
    """Put discs where they are better than the points of a segment, and fit again."""
    settings, n = block.settings, len(block.x)
    size = np.where(found.added, 0.0, block.size[found.segment])
    wide = size > WIDE * block.point_size
    shaped = best_shapes(
        block.scene,
        found.fit,
        x=block.x[found.segment],
        y=block.y[found.segment],
        family=found.segment,
        candidates=wide | (~found.added & (found.fit.ts > settings.extension_minimum_ts)),
        wide=wide,
        largest=LARGEST_DISC * size,
        radii=np.array(settings.disc_radii),
        minimum_ts=settings.extension_ts,
    )
    replaced = found.added & (shaped.shape[:n] > 0)[found.segment]
    kept = _significant(block, found) & ~replaced
    return _changed(block, found, kept=kept, sources=shaped)
