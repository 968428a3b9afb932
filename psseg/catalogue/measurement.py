"""From segments to sources: positions, counts, fluxes, spectra, sizes and flags.

In: a counts map, the network's expected background and class probabilities, and the segments. Out:
a table with one row per source, and the segments, shared out where the fit found several sources in
one.
"""

from __future__ import annotations

from concurrent.futures import Executor

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.blocks import FitSettings, Measured, band_edges, exposure_at, fit_map
from psseg.catalogue.flags import source_flags
from psseg.catalogue.positions import RADIUS_68, RADIUS_95, error_ellipses
from psseg.catalogue.segment_map import SegmentMap
from psseg.catalogue.segment_sharing import segment_territory, shared_segments
from psseg.catalogue.segmentation import (
    segment_centroids,
    segment_scores,
)
from psseg.catalogue.spectra import BandCounts, Spectra, fit_spectra, upper_errors
from psseg.errors import PssegError
from psseg.survey.classes import SourceClass
from psseg.survey.survey import Survey
from psseg.tiles.tile import Tile

__all__ = ["FitSettings", "covers_flux", "measure_counts"]

Floats = NDArray[np.float64]

FLUX_UNIT = u.cm**-2 / u.s

FLUX_RANGE = (1.0, 100.0)
"""GeV; the range of ``FLUX1000``, as in the LAT's catalogues."""

FLUX_NEEDS = (1.0, 5.0)
"""GeV; without the bands in this range, where most of its photons are, ``FLUX1000`` would be an
extrapolation and is not given."""


def measure_counts(
    tile: Tile,
    background: NDArray[np.floating],
    class_probabilities: NDArray[np.floating],
    segments: SegmentMap,
    survey: Survey,
    *,
    unlike_training: bool = False,
    settings: FitSettings | None = None,
    executor: Executor | None = None,
) -> tuple[QTable, SegmentMap]:
    """Measure the sources of a counts map.

    Parameters
    ----------
    tile : Tile
        The map; with exposure, fluxes are given.
    background : ndarray (n_bands, n_y, n_x)
        Expected background counts.
    class_probabilities : ndarray (4, n_y, n_x)
        Probability of background and the source classes; NaN where blank.
    segments : SegmentMap (n_y, n_x)
        Which pixels belong to which source.
    survey : Survey
        PSF and energy bands.
    unlike_training : bool
        Whether to flag all sources as measured on a map unlike the training skies.
    settings : FitSettings, optional
        How to fit. The default is good for the LAT.
    executor : Executor, optional
        Fits parts of the map side by side (`psseg.catalogue.blocks.fit_workers`).

    Returns
    -------
    table : QTable
        One row per source in the order of the labels; columns are explained in
        `psseg.catalogue.table`, besides ``X``, ``Y`` (pixels), ``SOURCE_SCORE`` (highest source
        probability), ``Counts_Band``, ``Unc_Counts_Band`` and ``Observed_Flux`` (between the edges
        of the bands that are there, cm⁻² s⁻¹). What cannot be known is NaN.
    segments : SegmentMap (n_y, n_x)
        One per source: those given, shared out where the fit found several sources in one.

    Raises
    ------
    PssegError
        If the arrays do not fit together or no band is present.

    Notes
    -----
    The TS is that of the source with a log-parabola spectrum against no source, neighbours and
    background free. ``Flux_Band`` are free in each band and not negative, hence biased high for
    bands in which the source is not seen; ``Npred``, ``FLUX1000`` and the indices come from the
    spectrum through all bands and are not.
    """
    _check(tile, background, class_probabilities, segments, survey)
    source = 1 - class_probabilities[SourceClass.BACKGROUND].astype(float)
    x, y = segment_centroids(source, segments)
    size = np.sqrt(np.asarray(segments.areas, dtype=float) / np.pi) * tile.pixel_scale
    settings = settings or FitSettings()
    territory = segment_territory(segments, reach=settings.second_source_reach / tile.pixel_scale)
    measured = fit_map(
        tile,
        background,
        survey,
        settings,
        x=x,
        y=y,
        size=size,
        territory=territory,
        executor=executor,
    )
    segments, labels = shared_segments(
        segments,
        x=measured.x,
        y=measured.y,
        segment=measured.segment,
        radius=survey.labels.radius / tile.pixel_scale,
        mask=tile.mask,
    )
    measured = measured.rows(np.flatnonzero(np.isin(labels, segments.labels)))
    table = QTable({"SEGMENT": np.asarray(segments.labels, dtype=np.int32)})
    table["N_PIXELS"] = np.asarray(segments.areas, dtype=np.int32)
    table["SOURCE_SCORE"] = _scores(segment_scores(source, segments), measured)
    _add_positions(table, tile, measured)
    _add_counts(table, tile, measured)
    _add_fluxes(table, tile, survey, measured)
    table["Extension"] = measured.extension * u.deg
    table["Flags"] = source_flags(
        tile, background, segments, survey, measured, unlike_training=unlike_training
    )
    return table, segments


def _scores(scores: Floats, measured: Measured) -> Floats:
    """Give the first source of each segment, which may lie beside it, the highest score there."""
    highest = np.zeros(int(measured.segment.max(initial=-1)) + 1)
    np.maximum.at(highest, measured.segment, scores)
    return np.where(measured.added, scores, highest[measured.segment])


def _check(
    tile: Tile,
    background: NDArray[np.floating],
    class_probabilities: NDArray[np.floating],
    segments: SegmentMap,
    survey: Survey,
) -> None:
    if tile.n_bands != survey.n_bands:
        raise PssegError(
            f"tile {tile.name!r} has {tile.n_bands} bands, survey {survey.name!r} {survey.n_bands}"
        )
    if not tile.bands_present.any():
        raise PssegError(f"tile {tile.name!r}: no band of the survey is present")
    wanted = {
        "background": (background.shape, tile.data.shape),
        "class_probabilities": (class_probabilities.shape, (len(SourceClass), *tile.shape)),
        "segments": (segments.shape, tile.shape),
    }
    for name, (shape, want) in wanted.items():
        if shape != want:
            raise PssegError(f"{name}: want shape {want} to fit the tile, got {shape}")


def _add_positions(table: QTable, tile: Tile, measured: Measured) -> None:
    sky = tile.pixel_to_sky(measured.x, measured.y)
    table["X"], table["Y"] = measured.x, measured.y
    table["RAJ2000"], table["DEJ2000"] = sky.icrs.ra.to(u.deg), sky.icrs.dec.to(u.deg)
    table["GLON"], table["GLAT"] = sky.galactic.l.to(u.deg), sky.galactic.b.to(u.deg)
    ellipses = error_ellipses(measured.covariance, measured.jacobian)
    for percent, radius in ((68, RADIUS_68), (95, RADIUS_95)):
        for name, sigma in (("Major", ellipses.major), ("Minor", ellipses.minor)):
            table[f"Conf_{percent}_Semi{name}"] = radius * sigma * u.deg
        table[f"Conf_{percent}_PosAng"] = ellipses.angle * u.deg


def _add_counts(table: QTable, tile: Tile, measured: Measured) -> None:
    table["Sqrt_TS"] = np.sqrt(measured.ts)
    table["Sqrt_TS_Band"] = _all_bands(tile, np.sqrt(measured.band_ts))
    table["Counts_Band"] = _all_bands(tile, measured.counts)
    table["Unc_Counts_Band"] = _all_bands(tile, upper_errors(measured.band_counts))


def _add_fluxes(table: QTable, tile: Tile, survey: Survey, measured: Measured) -> None:
    exposure = exposure_at(tile, measured.x, measured.y)
    table["Flux_Band"] = table["Counts_Band"] / exposure * FLUX_UNIT
    table["Unc_Flux_Band"] = table["Unc_Counts_Band"] / exposure * FLUX_UNIT
    known = np.isfinite(exposure[:, tile.bands_present]).all(axis=1)
    exposure[~known] = survey.instrument.relative_exposure
    law = _spectra(tile, survey, measured.band_counts, exposure, curved=False)
    parabola = _spectra(tile, survey, measured.band_counts, exposure, curved=True)
    best = law if parabola is None else parabola
    counts = measured.counts if best is None else best.counts
    table["Npred"] = counts.sum(axis=1)
    table["PL_Index"], table["Unc_PL_Index"] = _parameter(law, 1, len(table))
    table["LP_beta"], table["Unc_LP_beta"] = _parameter(parabola, 2, len(table))
    flux = error = seen = np.full(len(table), np.nan)
    if best is not None:
        seen, _ = best.photon_flux(*_observed_range(survey, tile))
    if best is not None and covers_flux(survey, tile):
        flux, error = best.photon_flux(*FLUX_RANGE)
    for name, values in (("FLUX1000", flux), ("Unc_Flux1000", error), ("Observed_Flux", seen)):
        table[name] = np.where(known, values, np.nan) * FLUX_UNIT


def _spectra(
    tile: Tile, survey: Survey, counts: BandCounts, exposure: Floats, *, curved: bool
) -> Spectra | None:
    """Fit spectra if there are bands enough for all parameters."""
    bands = band_edges(survey)[tile.bands_present]
    if len(bands) < (3 if curved else 2):
        return None
    return fit_spectra(counts, exposure[:, tile.bands_present], bands, curved=curved)


def _parameter(spectra: Spectra | None, number: int, n_sources: int) -> tuple[Floats, Floats]:
    if spectra is None:
        return np.full(n_sources, np.nan), np.full(n_sources, np.nan)
    return spectra.parameters[:, number], np.sqrt(spectra.covariance[:, number, number])


def _observed_range(survey: Survey, tile: Tile) -> tuple[float, float]:
    """Give the energies of the bands that are there, GeV."""
    bands = band_edges(survey)[tile.bands_present]
    return float(bands.min()), float(bands.max())


def covers_flux(survey: Survey, tile: Tile) -> bool:
    """Tell whether the bands that ``FLUX1000`` needs are there."""
    low, high = band_edges(survey).T
    needed = (low < FLUX_NEEDS[1] * 0.98) & (high > FLUX_NEEDS[0] * 1.02)
    return bool(needed.any() and tile.bands_present[needed].all())


def _all_bands(tile: Tile, values: Floats) -> Floats:
    """Put values of the present bands (n_sources, n_present) among all; NaN in the others."""
    everywhere = np.full((len(values), tile.n_bands), np.nan)
    everywhere[:, tile.bands_present] = values
    return everywhere
