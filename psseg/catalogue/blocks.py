"""The joint fit of a whole map, block by block.

In: a counts map with its expected background and where the sources are expected. Out: what was
measured, one row per source. A map too large to be fitted at once is cut into blocks, each fitted
together with the sources around it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from threadpoolctl import threadpool_limits

from psseg.catalogue.array_rows import joined, taken
from psseg.catalogue.fit_settings import FitSettings
from psseg.catalogue.fitting import position_covariance
from psseg.catalogue.positions import local_jacobian
from psseg.catalogue.resolving import Block, fit_block
from psseg.catalogue.scene import Scene, background_nodes
from psseg.catalogue.spectra import BandCounts
from psseg.catalogue.templates import disc_template, point_template
from psseg.survey.survey import Survey
from psseg.tiles.places import nearest_pixels
from psseg.tiles.tile import Tile

__all__ = ["FitSettings", "Measured", "band_edges", "exposure_at", "fit_map", "fit_workers"]

Floats = NDArray[np.float64]
Window = tuple[slice, slice]

FAINTEST_BACKGROUND = 1e-5
"""Counts per pixel; a background of zero would make every photon a certain source."""

BLOCK, HALO = 128, 24
"""Pixels: side of the blocks of large maps, and how far around them sources are fitted along.
Sources 2.4 deg away hardly matter; the time for a block grows as the sixth power of its side."""

SEARCHED = 10
"""Pixels around a block's own sources where second sources are looked for: those farther away are
the next block's, and one more or less there hardly matters here."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What the fit of a map says, one row per source; bands that are present only.

    Parameters
    ----------
    x, y : ndarray (n_sources,)
        Positions, pixels; the expected ones where the fit failed.
    jacobian, covariance : ndarray (n_sources, 2, 2)
        Sky displacement per pixel (deg); covariance of x and y (pixel2), NaN where the fit failed.
    counts, variance, score : ndarray (n_sources, n_bands)
        As in `psseg.catalogue.spectra.BandCounts`.
    band_ts : ndarray (n_sources, n_bands)
        TS in each band.
    ts : ndarray (n_sources,)
        TS in all bands, with a smooth spectrum.
    extension : ndarray (n_sources,)
        Radius of the disc, deg; 0 for points.
    failed : ndarray of bool (n_sources,)
        True where no position or no counts could be fitted.
    segment : ndarray of int (n_sources,)
        Which of the segments a source belongs to, counted from 0.
    added : ndarray of bool (n_sources,)
        False for the first source of each segment; those come first, in the segments' order.
    """

    x: Floats
    y: Floats
    jacobian: Floats
    covariance: Floats
    counts: Floats
    variance: Floats
    score: Floats
    band_ts: Floats
    ts: Floats
    extension: Floats
    failed: NDArray[np.bool_]
    segment: NDArray[np.intp]
    added: NDArray[np.bool_]

    @property
    def band_counts(self) -> BandCounts:
        """The counts and their errors."""
        return BandCounts(best=self.counts, variance=self.variance, score=self.score)

    def rows(self, chosen: NDArray[np.intp]) -> Measured:
        """Give some of the sources, in any order."""
        return taken(self, chosen)


def fit_map(
    tile: Tile,
    background: NDArray[np.floating],
    survey: Survey,
    settings: FitSettings,
    *,
    x: Floats,
    y: Floats,
    size: Floats,
    territory: NDArray[np.int_],
    executor: Executor | None = None,
) -> Measured:
    """Fit all sources of a map, one per segment or more.

    Parameters
    ----------
    tile : Tile
        The map.
    background : ndarray (n_bands, n_y, n_x)
        Expected background counts.
    survey : Survey
        PSF and bands.
    settings : FitSettings
        How to fit.
    x, y : ndarray (n_segments,)
        Where sources are expected, pixels, on the map.
    size : ndarray (n_segments,)
        Radii of discs of the segments' areas, deg.
    territory : ndarray of int (n_y, n_x)
        Segment in which, or near which, a pixel lies; -1 where no further sources are looked for.
    executor : Executor, optional
        Fits blocks side by side, as `fit_workers` gives it. The result is the same.

    Returns
    -------
    Measured
    """
    jacobian = local_jacobian(tile.wcs, x, y)
    unknown = ~np.isfinite(jacobian).all(axis=(1, 2))
    jacobian[unknown] = tile.pixel_scale * np.diag([-1.0, 1.0])
    exposure = _usable_exposure(tile, survey, x, y)
    jobs, places = [], []
    for core, window in _cores_and_windows(tile.shape):
        seen = np.flatnonzero(_within(x, y, window))
        owned = _within(x[seen], y[seen], core)
        if not owned.any():
            continue
        rows, columns = window
        jobs.append(
            Block(
                scene=_scene(tile, background, survey, settings, window),
                settings=settings,
                x=x[seen] - columns.start,
                y=y[seen] - rows.start,
                jacobian=jacobian[seen],
                size=size[seen],
                point_size=survey.labels.radius,
                territory=_territory_about(core, territory, window, seen, len(x)),
                exposure=exposure[seen],
                bands=band_edges(survey)[tile.bands_present],
            )
        )
        places.append((window, seen, owned))
    parts = [_nothing(int(tile.bands_present.sum()))]
    for part, ((rows, columns), seen, owned) in zip(
        _all_fitted(jobs, executor), places, strict=True
    ):
        moved = replace(
            part, x=part.x + columns.start, y=part.y + rows.start, segment=seen[part.segment]
        )
        parts.append(moved.rows(np.flatnonzero(owned[part.segment])))
    measured = _back_on_sky(joined(parts), tile, x, y)
    return measured.rows(np.lexsort((measured.segment, measured.added)))


@contextmanager
def fit_workers(n: int) -> Iterator[Executor | None]:
    """Start processes that fit blocks side by side, and stop them in the end.

    Parameters
    ----------
    n : int
        Processes; 1 gives None, and blocks are fitted one after the other.

    Notes
    -----
    Where TensorFlow is loaded, or other threads run, the processes start afresh, since threads do
    not survive a fork, and load what they need meanwhile.
    """
    if n < 2:
        yield None
        return
    alone = "tensorflow" not in sys.modules and threading.active_count() == 1
    method = "fork" if alone and sys.platform == "linux" else "spawn"
    with ProcessPoolExecutor(n, mp_context=get_context(method)) as pool:
        for _ in range(n):
            pool.submit(_nothing, 1)
        yield pool


def band_edges(survey: Survey) -> Floats:
    """Give lower and upper edges of the bands, GeV (n_bands, 2)."""
    return np.stack([survey.energy_edges[:-1], survey.energy_edges[1:]], axis=-1)


def exposure_at(tile: Tile, x: Floats, y: Floats) -> Floats:
    """Give the exposure at positions (pixels), cm2 s (n_sources, n_bands); NaN where unknown.

    That of the nearest pixel that is not masked: a source at a mask's rim may be fitted inside it.
    """
    if tile.exposure is None:
        return np.full((len(x), tile.n_bands), np.nan)
    rows, columns = nearest_pixels(x, y, tile.shape)
    if tile.mask[rows, columns].any() and not tile.mask.all():
        nearest = distance_transform_edt(tile.mask, return_distances=False, return_indices=True)
        rows, columns = nearest[:, rows, columns]
    exposure = tile.exposure[:, rows, columns].T.astype(float)
    return np.where(exposure > 0, exposure, np.nan)


def _usable_exposure(tile: Tile, survey: Survey, x: Floats, y: Floats) -> Floats:
    """Exposure of the present bands (n_sources, n_present); relative where it is unknown."""
    exposure = exposure_at(tile, x, y)
    known = np.isfinite(exposure[:, tile.bands_present]).all(axis=1)
    exposure[~known] = survey.instrument.relative_exposure
    return exposure[:, tile.bands_present]


def _back_on_sky(measured: Measured, tile: Tile, x: Floats, y: Floats) -> Measured:
    """Take sources that left the sky, as at the seam of an all-sky map, back to where they began.

    That is where their segment is, `x` and `y` (n_segments,).
    """
    lon, lat = tile.wcs.wcs_pix2world(measured.x, measured.y, 0)
    lost = ~np.isfinite(lon + lat)
    return replace(
        measured,
        x=np.where(lost, x[measured.segment], measured.x),
        y=np.where(lost, y[measured.segment], measured.y),
        covariance=np.where(lost[:, None, None], np.nan, measured.covariance),
        failed=measured.failed | lost,
    )


def _scene(
    tile: Tile,
    background: NDArray[np.floating],
    survey: Survey,
    settings: FitSettings,
    window: Window,
) -> Scene:
    chosen = (tile.bands_present, *window)
    valid = ~tile.mask[window]
    psf = tuple(np.array(survey.instrument.psf, dtype=object)[tile.bands_present])
    scale = round(tile.pixel_scale, 6)
    discs = [disc_template(psf, scale, radius) for radius in settings.disc_radii]
    nodes, node_prior = background_nodes(
        valid.shape,
        settings.background_spacing / tile.pixel_scale,
        error=settings.background_error,
        length=settings.background_length / tile.pixel_scale,
    )
    expected = np.where(valid, np.nan_to_num(background[chosen].astype(float)), 0)
    return Scene(
        counts=np.where(valid, tile.data[chosen].astype(float), 0.0),
        background=np.maximum(expected, FAINTEST_BACKGROUND),
        valid=valid,
        templates=(point_template(psf, scale), *discs),
        nodes=nodes,
        node_prior=node_prior,
        background_error=settings.background_error,
    )


def _territory_about(
    core: Window,
    territory: NDArray[np.int_],
    window: Window,
    seen: NDArray[np.intp],
    n: int,
) -> NDArray[np.int_]:
    """Give the territory in a block's window, its segments counted as the block does.

    It is -1 for those that the block does not see, and where further sources would not matter.
    """
    number = np.full(n + 1, -1)
    number[seen] = np.arange(len(seen))
    rows, columns = core
    near = np.zeros(territory.shape, dtype=bool)
    near[
        max(rows.start - SEARCHED, 0) : rows.stop + SEARCHED,
        max(columns.start - SEARCHED, 0) : columns.stop + SEARCHED,
    ] = True
    return np.where(near, number[territory], -1)[window]


def _all_fitted(blocks: list[Block], executor: Executor | None) -> Iterator[Measured]:
    """Fit blocks, side by side the most crowded first, so that none is waited for in the end."""
    if executor is None:
        return map(_fitted, blocks)
    order = sorted(range(len(blocks)), key=lambda number: -len(blocks[number].x))
    futures = {number: executor.submit(_fitted, blocks[number]) for number in order}
    return (futures[number].result() for number in range(len(blocks)))


def _fitted(block: Block) -> Measured:
    # Thousands of small matrices: BLAS threads that wait for each other take four times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        found = fit_block(block)
        covariance = position_covariance(
            block.scene,
            found.fit,
            start=found.start,
            position_prior=block.settings.position_prior,
        )
    radii = np.array([0.0, *block.settings.disc_radii])
    fit, start = found.fit, found.start
    failed = ~fit.converged | (fit.ts <= 0)
    unknown = failed[:, None, None]
    return Measured(
        x=np.where(failed, start.x, fit.sources.x),
        y=np.where(failed, start.y, fit.sources.y),
        jacobian=start.jacobian,
        covariance=np.where(unknown, np.nan, covariance),
        counts=fit.counts.best,
        variance=fit.counts.variance,
        score=fit.counts.score,
        band_ts=fit.band_ts,
        ts=fit.ts,
        extension=radii[fit.sources.shape],
        failed=failed,
        segment=found.segment,
        added=found.added,
    )


def _nothing(n_bands: int) -> Measured:
    none, per_band, pairs = np.zeros(0), np.zeros((0, n_bands)), np.zeros((0, 2, 2))
    return Measured(
        **dict.fromkeys(("x", "y", "ts", "extension"), none),
        **dict.fromkeys(("jacobian", "covariance"), pairs),
        **dict.fromkeys(("counts", "variance", "score", "band_ts"), per_band),
        failed=np.zeros(0, dtype=bool),
        added=np.zeros(0, dtype=bool),
        segment=np.zeros(0, dtype=np.intp),
    )


def _cores_and_windows(shape: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    """Cut a map into cores that cover it once, each with the window around it, both on the map."""
    of_rows, of_columns = (list(_cuts(n)) for n in shape)
    for (rows, seen_rows), (columns, seen_columns) in product(of_rows, of_columns):
        yield (rows, columns), (seen_rows, seen_columns)


def _cuts(n: int) -> Iterator[tuple[slice, slice]]:
    """Cut an axis of n pixels: what each block owns, and what it sees."""
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        yield slice(start, stop), slice(max(start - HALO, 0), min(stop + HALO, n))


def _within(x: Floats, y: Floats, window: Window) -> NDArray[np.bool_]:
    rows, columns = window
    in_rows = (y >= rows.start - 0.5) & (y < rows.stop - 0.5)
    return in_rows & (x >= columns.start - 0.5) & (x < columns.stop - 0.5)
