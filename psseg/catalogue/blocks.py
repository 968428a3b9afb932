"""The joint fit of a whole map, block by block.

In: a counts map with its expected background and where the sources are expected. Out: what was
measured, one row per source. A map too large to be fitted at once is cut into blocks, each fitted
together with the sources around it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.extension import best_shapes
from psseg.catalogue.fitting import SceneFit, fit_scene, starting_sources
from psseg.catalogue.positions import local_jacobian
from psseg.catalogue.scene import Scene, Sources, background_nodes
from psseg.catalogue.spectra import BandCounts, fit_spectra
from psseg.catalogue.templates import disc_template, point_template
from psseg.survey.survey import Survey
from psseg.tiles.tile import Tile, cores_and_halos

__all__ = ["FitSettings", "Measured", "band_edges", "exposure_at", "fit_map"]

Floats = NDArray[np.float64]
Window = tuple[slice, slice]

FAINTEST_BACKGROUND = 1e-5
"""Counts per pixel; a background of zero would make every photon a certain source."""

BLOCK, HALO = 96, 24
"""Pixels: side of the blocks of large maps, and how far around them sources are fitted along.
Sources 2.4 deg away hardly matter; the time for a block grows as the sixth power of its side."""

WIDE = 1.6
"""Segments of more than this many times a point source's radius look extended."""

LARGEST_DISC = 1.5
"""A disc may be this much larger than its segment: a larger one would be diffuse emission that the
network saw as such."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How sources are fitted.

    Parameters
    ----------
    background_error : float
        Expected relative error of the network's background, from node to node and, on top of
        that, of whole regions.
    background_spacing : float
        Distance between nodes, deg. On simulated skies with backgrounds wrong by 10 % over 1 deg,
        the errors of the counts below 1 GeV are right within 10 % with the defaults, and three
        times too small with nodes every 2 deg; where the background is right, the defaults cost
        3 % of the significance.
    background_length : float
        Size of these regions, deg. Without them, a background 10 % too low on the whole map gave
        faint sources 50 % more counts; with them, 10 %.
    leash : float
        Farthest a source may be from the centroid of its segment, deg.
    position_prior : float
        Expected error of that centroid along each axis, deg: a wide prior that keeps faint sources
        in place and does not matter for others.
    disc_radii : tuple of float
        Radii tried for extended sources, deg, rising.
    extension_ts : float
        A disc must be better than a point by this much.
    extension_minimum_ts : float
        Fainter sources are not tested, unless their segments look extended.
    """

    background_error: float = 0.1
    background_spacing: float = 1.0
    background_length: float = 5.0
    leash: float = 0.3
    position_prior: float = 0.15
    disc_radii: tuple[float, ...] = (0.2, 0.3, 0.45, 0.65, 1.0, 1.5, 2.0)
    extension_ts: float = 16.0
    extension_minimum_ts: float = 25.0


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

    @property
    def band_counts(self) -> BandCounts:
        """The counts and their errors."""
        return BandCounts(best=self.counts, variance=self.variance, score=self.score)

    def rows(self, chosen: NDArray[np.intp]) -> Measured:
        """Give some of the sources, in any order."""
        return Measured(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def fit_map(
    tile: Tile,
    background: NDArray[np.floating],
    survey: Survey,
    settings: FitSettings,
    *,
    x: Floats,
    y: Floats,
    size: Floats,
) -> Measured:
    """Fit all sources of a map.

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
    x, y : ndarray (n_sources,)
        Where sources are expected, pixels, on the map.
    size : ndarray (n_sources,)
        Radii of discs of the segments' areas, deg.

    Returns
    -------
    Measured
    """
    jacobian = local_jacobian(tile.wcs, x, y)
    unknown = ~np.isfinite(jacobian).all(axis=(1, 2))
    jacobian[unknown] = tile.pixel_scale * np.diag([-1.0, 1.0])
    exposure = _usable_exposure(tile, survey, x, y)
    parts, order = [_nothing(int(tile.bands_present.sum()))], []
    for core, bounds in cores_and_halos(tile.shape, core=BLOCK, halo=HALO):
        window = _clipped(bounds, tile.shape)
        seen = np.flatnonzero(_within(x, y, window))
        owned = _within(x[seen], y[seen], core)
        if not owned.any():
            continue
        rows, columns = window
        part = _fit_block(
            _scene(tile, background, survey, settings, window),
            settings,
            x=x[seen] - columns.start,
            y=y[seen] - rows.start,
            jacobian=jacobian[seen],
            size=size[seen],
            point_size=survey.labels.radius,
            exposure=exposure[seen],
            bands=band_edges(survey)[tile.bands_present],
        )
        part = replace(part, x=part.x + columns.start, y=part.y + rows.start)
        parts.append(part.rows(np.flatnonzero(owned)))
        order.append(seen[owned])
    return _joined(parts).rows(np.argsort(np.concatenate([*order, np.zeros(0, dtype=np.intp)])))


def band_edges(survey: Survey) -> Floats:
    """Give lower and upper edges of the bands, GeV (n_bands, 2)."""
    return np.stack([survey.energy_edges[:-1], survey.energy_edges[1:]], axis=-1)


def exposure_at(tile: Tile, x: Floats, y: Floats) -> Floats:
    """Give the exposure at positions (pixels), cm2 s (n_sources, n_bands); NaN where unknown."""
    if tile.exposure is None:
        return np.full((len(x), tile.n_bands), np.nan)
    rows = np.clip(np.rint(y).astype(int), 0, tile.shape[0] - 1)
    columns = np.clip(np.rint(x).astype(int), 0, tile.shape[1] - 1)
    exposure = tile.exposure[:, rows, columns].T.astype(float)
    return np.where(exposure > 0, exposure, np.nan)


def _usable_exposure(tile: Tile, survey: Survey, x: Floats, y: Floats) -> Floats:
    """Exposure of the present bands (n_sources, n_present); relative where it is unknown."""
    exposure = exposure_at(tile, x, y)
    known = np.isfinite(exposure[:, tile.bands_present]).all(axis=1)
    exposure[~known] = survey.instrument.relative_exposure
    return exposure[:, tile.bands_present]


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


def _fit_block(
    scene: Scene,
    settings: FitSettings,
    *,
    x: Floats,
    y: Floats,
    jacobian: Floats,
    size: Floats,
    point_size: float,
    exposure: Floats,
    bands: Floats,
) -> Measured:
    """Fit points; where a disc is better, fit again with discs."""

    def spectrum(counts: BandCounts) -> Floats:
        return fit_spectra(counts, exposure, bands, curved=len(bands) > 2).counts

    def fitted(sources: Sources, start: Sources) -> SceneFit:
        return fit_scene(
            scene,
            sources,
            start=start,
            spectrum=spectrum,
            leash=settings.leash,
            position_prior=settings.position_prior,
        )

    radii = np.array(settings.disc_radii)
    wide = size > WIDE * point_size
    start = starting_sources(scene, x=x, y=y, jacobian=jacobian)
    fit = fitted(start, start)
    shaped = best_shapes(
        scene,
        fit,
        x=x,
        y=y,
        candidates=wide | (fit.ts > settings.extension_minimum_ts),
        wide=wide,
        largest=LARGEST_DISC * size,
        radii=radii,
        minimum_ts=settings.extension_ts,
    )
    if shaped.shape.any():
        fit = fitted(shaped, start)
    return _measured(fit, start, np.concatenate([[0.0], radii])[shaped.shape])


def _measured(fit: SceneFit, start: Sources, extension: Floats) -> Measured:
    failed = ~fit.converged | (fit.ts <= 0)
    unknown = failed[:, None, None]
    return Measured(
        x=np.where(failed, start.x, fit.sources.x),
        y=np.where(failed, start.y, fit.sources.y),
        jacobian=start.jacobian,
        covariance=np.where(unknown, np.nan, fit.position_covariance),
        counts=fit.counts.best,
        variance=fit.counts.variance,
        score=fit.counts.score,
        band_ts=fit.band_ts,
        ts=fit.ts,
        extension=extension,
        failed=failed,
    )


def _nothing(n_bands: int) -> Measured:
    none, per_band, pairs = np.zeros(0), np.zeros((0, n_bands)), np.zeros((0, 2, 2))
    return Measured(
        **dict.fromkeys(("x", "y", "ts", "extension"), none),
        **dict.fromkeys(("jacobian", "covariance"), pairs),
        **dict.fromkeys(("counts", "variance", "score", "band_ts"), per_band),
        failed=np.zeros(0, dtype=bool),
    )


def _joined(parts: list[Measured]) -> Measured:
    return Measured(
        **{
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(Measured)
        }
    )


def _clipped(bounds: tuple[int, int, int, int], shape: tuple[int, int]) -> Window:
    y0, y1, x0, x1 = bounds
    return slice(max(y0, 0), min(y1, shape[0])), slice(max(x0, 0), min(x1, shape[1]))


def _within(x: Floats, y: Floats, window: Window) -> NDArray[np.bool_]:
    rows, columns = window
    in_rows = (y >= rows.start - 0.5) & (y < rows.stop - 0.5)
    return in_rows & (x >= columns.start - 0.5) & (x < columns.stop - 0.5)
