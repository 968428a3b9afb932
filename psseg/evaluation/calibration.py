"""What a trained network's numbers mean: thresholds, probabilities and position errors.

In go merged detections (see `psseg.evaluation.matching`) of a simulated sky that was catalogued
without calibration and down to a low score; out comes a `Calibration`, plain numbers that are kept
in the model's folder: the probability that a source is real, the thresholds that give the asked
purity, the temperature and bias of the class probabilities, and the scales of the errors.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.positions import RADIUS_68
from psseg.catalogue.probability import (
    FAINTEST_CLASS,
    counts_evidence,
    detection_threshold,
    zone_probability,
)
from psseg.evaluation.class_calibration import fit_classes
from psseg.evaluation.classes import FALSE_DETECTION, NO_CLASS, class_columns, true_classes
from psseg.evaluation.detection import CHI_95
from psseg.evaluation.matching import column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.source_calibration import (
    FEWEST_DETECTIONS,
    fit_zones,
    purity_threshold,
)
from psseg.network.store import Calibration

__all__ = [
    "TARGETS",
    "CalibrationTargets",
    "fit_calibration",
    "fit_flux_errors",
    "fit_position_errors",
    "fit_residual_limit",
    "fit_sources_range",
]

logger = logging.getLogger(__name__)

RESIDUAL_MARGIN = 1.25
"""How far beyond the simulated skies' largest residuals a map may lie: few of them are of the
Galactic plane, where the largest are."""

SOURCES_MARGIN = 2.5
"""The same of the share of pixels given to sources: in the inner plane it grows by a fifth from 14
to 20 years, and by two fifths from maps of 26 deg to maps of 13 deg."""

ERROR_SCALES = np.arange(0.5, 3.01, 0.02)
ERROR_FLOORS = np.arange(0.0, 0.0401, 0.001)
"""Grid of the scale and floor of errors (deg, beams or share of the flux): wider than any trained
network needed."""

COUNTS_FLUX_FLOORS = np.arange(0.0, 0.301, 0.005)
"""Floors of the fluxes of counts, which hold their neighbours', too."""

Shares = tuple[tuple[float, float], ...]

ELLIPSE_SHARES: Shares = ((1.0, 0.68), (CHI_95, 0.95))
"""Radii in units of the 68 % ellipse, and what they hold."""

FLUX_SHARES: Shares = ((1.0, 0.6827),)
"""The same in one dimension, in standard deviations."""

POSITION_BINS = 4
"""Coverage is asked for in each of this many bins of significance, not on average alone."""


@dataclass(frozen=True, kw_only=True)
class CalibrationTargets:
    """What the thresholds shall reach.

    Parameters
    ----------
    high_latitude_purity, low_latitude_purity : float
        Share of true sources among the detections at |b| above and below `latitude_split`.
    latitude_split : float
        |b| in degrees.
    margin : float
        Added to both purities before the threshold is chosen: a threshold tuned on one sky does a
        little worse on the next.
    """

    high_latitude_purity: float = 0.97
    low_latitude_purity: float = 0.95
    latitude_split: float = 20.0
    margin: float = 0.005


TARGETS = CalibrationTargets()


def fit_calibration(
    candidates: QTable,
    *,
    candidate_threshold: float,
    targets: CalibrationTargets = TARGETS,
    residual_limit: tuple[float, ...] = (),
    image_range: tuple[tuple[float, float], ...] = (),
) -> Calibration:
    """Fit every number of a calibration.

    Parameters
    ----------
    candidates : QTable
        Merged detections made with an uncalibrated model; their SOURCE_PROB is the
        network's peak score as it came.
    candidate_threshold : float
        Score down to which they were made; kept, since it shapes the segments.
    targets : CalibrationTargets
        Purities to reach.
    residual_limit : tuple of float
        From `fit_residual_limit`.
    image_range : tuple of (float, float)
        From `fit_sources_range`.

    Returns
    -------
    Calibration

    Raises
    ------
    PssegError
        If there are too few true or false detections to fit anything.
    """
    counted = candidates[flag_column(candidates, "COUNTED")]
    real = flag_column(counted, "MATCHED")
    score, ts = column(counted, "SOURCE_PROB"), column(counted, "Sqrt_TS") ** 2
    glat = column(counted, "GLAT", u.deg)
    evidence = counts_evidence(column(counted, "LP_beta"), column(counted, "Unc_LP_beta"), glat)
    low, high = coefficients = fit_zones(
        score, ts, real, evidence, np.abs(glat) < targets.latitude_split
    )
    probability = zone_probability(
        score,
        ts,
        glat,
        coefficients=coefficients,
        latitude_split=targets.latitude_split,
        evidence=evidence,
    )
    thresholds = _thresholds(probability, real, glat, targets)
    limit = detection_threshold(glat, thresholds=thresholds, latitude_split=targets.latitude_split)
    kept = counted[(probability >= limit) & real]
    temperature, bias = _fit_class_table(kept)
    near_plane = np.abs(column(kept, "GLAT", u.deg)) < targets.latitude_split
    errors, low_errors = (_fit_errors(kept, rows) for rows in (~near_plane, near_plane))
    return Calibration(
        source_coefficients=high,
        low_latitude_coefficients=low,
        candidate_threshold=candidate_threshold,
        thresholds=thresholds,
        latitude_split=targets.latitude_split,
        temperature=temperature,
        class_bias=bias,
        position_scale=errors[0],
        position_floor=errors[1],
        flux_scale=errors[2],
        flux_floor=errors[3],
        low_latitude_errors=low_errors,
        residual_limit=residual_limit,
        image_range=image_range,
    )


def fit_residual_limit(backgrounds: QTable, bands: Sequence[str]) -> tuple[float, ...]:
    """Give, per band, the residuals above which a map is unlike the simulated skies.

    Parameters
    ----------
    backgrounds : QTable
        One row per tile and band: BAND and RESIDUAL, not-a-number where a tile holds too little.
    bands : sequence of str
        Every band of the survey.

    Returns
    -------
    tuple of float
        The largest residual of any tile and a quarter more. Empty where nothing was measured. In a
        band that no tile has measured, the largest of all bands stands in; a message in the log
        names it.
    """
    names, residual = np.asarray(backgrounds["BAND"], dtype=str), column(backgrounds, "RESIDUAL")
    largest = {band: np.nanmax(residual[names == band], initial=-np.inf) for band in bands}
    known = {band: float(value) for band, value in largest.items() if np.isfinite(value)}
    if not known:
        return ()
    unknown = [band for band in bands if band not in known]
    if unknown:
        logger.warning("no tile has residuals at %s: the largest limit stands in", unknown)
    return tuple(RESIDUAL_MARGIN * known.get(band, max(known.values())) for band in bands)


def fit_sources_range(backgrounds: QTable) -> tuple[tuple[float, float], ...]:
    """Give the range of the share of pixels given to sources, outside which a map is unlike.

    Parameters
    ----------
    backgrounds : QTable
        One row per tile and band: SOURCES.

    Returns
    -------
    tuple of (float, float)
        One pair: from nothing to 2.5 times the largest share of any tile. Empty without tiles.
    """
    sources = column(backgrounds, "SOURCES")
    known = sources[np.isfinite(sources)]
    return ((0.0, SOURCES_MARGIN * float(known.max())),) if len(known) else ()


def fit_position_errors(
    offset: ArrayLike, error: ArrayLike, significance: ArrayLike, *, tails: bool = True
) -> tuple[float, float]:
    """Find the scale and floor with which error ellipses hold the shares they claim.

    Parameters
    ----------
    offset : array_like, shape (n_sources,)
        Separation from the truth in degrees.
    error : array_like, shape (n_sources,)
        Radius of the uncalibrated 68 % ellipse in the direction of the truth, degrees.
    significance : array_like, shape (n_sources,)
        Sorts the sources into bins; coverage is asked for in each.
    tails : bool
        Whether the 95 % share counts, too, or that of 68 % alone.

    Returns
    -------
    scale, floor : float
        Errors are multiplied by `scale`, then `floor` (deg) is added in quadrature along each axis.

    Notes
    -----
    The pair on a grid whose coverages of 68 and 95 %, in quarters of the sources by significance,
    are nearest to what is claimed in units of their binomial errors.
    """
    shares = ELLIPSE_SHARES if tails else ELLIPSE_SHARES[:1]
    return _best_errors(
        offset, error, significance, unit=RADIUS_68, shares=shares, floors=ERROR_FLOORS
    )


def fit_flux_errors(
    offset: ArrayLike,
    error: ArrayLike,
    significance: ArrayLike,
    *,
    floors: NDArray[np.float64] = ERROR_FLOORS,
) -> tuple[float, float]:
    """Find the scale and floor with which 68 % of the fluxes are within their errors.

    Parameters
    ----------
    offset : array_like, shape (n_sources,)
        Measured less true flux, over the measured one.
    error : array_like, shape (n_sources,)
        Uncalibrated error over the measured flux.
    significance : array_like, shape (n_sources,)
        As for `fit_position_errors`.
    floors : ndarray
        To choose from.

    Returns
    -------
    scale, floor : float
        Errors are multiplied by `scale`, then `floor` times the flux is added in quadrature.
    """
    distance = np.abs(np.asarray(offset, dtype=float))
    return _best_errors(distance, error, significance, unit=1.0, shares=FLUX_SHARES, floors=floors)


def _best_errors(
    offset: ArrayLike,
    error: ArrayLike,
    significance: ArrayLike,
    *,
    unit: float,
    shares: Shares,
    floors: NDArray[np.float64],
) -> tuple[float, float]:
    """Give the scale and floor, in some unit of the errors, whose coverage is nearest to claims."""
    offsets, errors = np.asarray(offset, dtype=float), np.asarray(error, dtype=float)
    usable = np.isfinite(offsets) & np.isfinite(errors) & (errors > 0)
    if usable.sum() < FEWEST_DETECTIONS:
        return 1.0, 0.0
    offsets, errors = offsets[usable], errors[usable]
    order = np.argsort(np.asarray(significance, dtype=float)[usable], kind="stable")
    groups = np.array_split(order, POSITION_BINS)
    choices = [(float(scale), float(floor)) for scale in ERROR_SCALES for floor in floors]

    def miscoverage(choice: tuple[float, float]) -> float:
        scale, floor = choice
        distance = offsets / np.hypot(scale * errors, unit * floor)
        return _miscoverage(distance, groups, shares)

    return min(choices, key=miscoverage)


def _miscoverage(
    distance: NDArray[np.float64], groups: Sequence[NDArray[np.int64]], shares: Shares
) -> float:
    """Squared distance, in binomial errors, between claimed and found coverage."""
    total = 0.0
    for group in groups:
        for radius, claimed in shares:
            found = float(np.mean(distance[group] <= radius))
            total += len(group) * (found - claimed) ** 2 / (claimed * (1 - claimed))
    return total


def _thresholds(
    probability: NDArray[np.float64],
    real: NDArray[np.bool_],
    glat: NDArray[np.float64],
    targets: CalibrationTargets,
) -> dict[str, float]:
    """Choose the threshold of each latitude range, from all where one holds too few."""
    high = np.abs(glat) >= targets.latitude_split
    asked = {
        "low_latitude": (~high, targets.low_latitude_purity),
        "high_latitude": (high, targets.high_latitude_purity),
    }
    thresholds = {}
    for name, (own, purity) in asked.items():
        rows = own if own.sum() >= FEWEST_DETECTIONS else np.ones(len(own), dtype=bool)
        wanted = min(purity + targets.margin, 1.0)
        thresholds[name] = purity_threshold(probability[rows], real[rows], wanted)
    return thresholds


def _fit_class_table(sources: QTable) -> tuple[float, Any]:
    """Fit the classes of true detections; the priors are what P_* holds beyond L_*."""
    true = true_classes(sources)
    balanced, with_priors = class_columns(sources, "L"), class_columns(sources, "P")
    known = (true != NO_CLASS) & (true != FALSE_DETECTION)
    known &= np.isfinite(balanced).all(axis=1) & np.isfinite(with_priors).all(axis=1)
    balanced = np.fmax(balanced[known], FAINTEST_CLASS)
    return fit_classes(balanced, with_priors[known] / balanced, true[known])


def _fit_errors(sources: QTable, rows: NDArray[np.bool_]) -> tuple[float, ...]:
    """Fit the errors of some true detections, or of all where they are too few."""
    chosen = sources[rows] if rows.sum() >= FEWEST_DETECTIONS else sources
    return (*_fit_position_table(chosen), *_fit_flux_table(chosen))


def _fit_position_table(sources: QTable) -> tuple[float, float]:
    """Fit the position errors of true point sources."""
    point = sources[np.nan_to_num(column(sources, "TRUE_EXTENSION")) == 0]
    offset, distance = column(point, "SEPARATION", u.deg), column(point, "ELLIPSE_DISTANCE")
    with np.errstate(divide="ignore", invalid="ignore"):
        error = offset / distance
    return fit_position_errors(offset, error, column(point, "Sqrt_TS"))


def _fit_flux_table(sources: QTable) -> tuple[float, float]:
    """Fit the flux errors of true sources."""
    flux, true, error = (
        column(sources, name, "cm-2 s-1") for name in ("FLUX1000", "TRUE_FLUX1000", "Unc_Flux1000")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        offset, share = (flux - true) / flux, error / flux
    significance = column(sources, "Sqrt_TS")
    return fit_flux_errors(offset, share, significance, floors=COUNTS_FLUX_FLOORS)
