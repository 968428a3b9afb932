"""How complete and how pure: what was found of the true sky, and how much of it is true.

In go the two merged tables of `psseg.evaluation.matching`; out come tables of plain rows
(dictionaries that JSON can hold, None where nothing can be said): completeness and purity by flux,
latitude and test statistic, the flux at which 90 % are found, positions with their errors, fluxes.

Completeness is asked of true fluxes, purity of measured ones. Only rows with COUNTED enter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from psseg.catalogue.positions import RADIUS_68, RADIUS_95
from psseg.evaluation.matching import column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.statistics import (
    Row,
    half_width,
    known_mean,
    quantile,
    share,
    threshold_for_purity,
)

__all__ = [
    "AUTOSOURCEID",
    "FLUX_THRESHOLDS",
    "TS_EDGES",
    "ZONES",
    "Zone",
    "completeness_limits",
    "flux_at_completeness",
    "flux_curves",
    "flux_scores",
    "measured_flux_scores",
    "position_scores",
    "ts_scores",
]

PHOTON_FLUX = u.Unit("cm-2 s-1")

FLUX_THRESHOLDS = (2.34e-10, 4.28e-10, 7.85e-10)
"""S1 (1-100 GeV, cm-2 s-1) at which Panes et al. (2021) give completeness and purity."""

AUTOSOURCEID = {
    "all": ((0.853, 0.939), (0.917, 0.944), (0.949, 0.941)),
    "|b|>20": ((0.934, 0.954), (0.964, 0.956), (0.976, 0.954)),
    "|b|<20": ((0.733, 0.912), (0.850, 0.926), (0.916, 0.926)),
}
"""Completeness and purity of AutoSourceID above each flux (Panes et al. 2021, A&A 656, A62)."""

TS_EDGES = (25.0, 36.0, 64.0, 144.0, np.inf)
"""Edges of the bins in true (Asimov) TS."""

FLUX_EDGES = 10 ** np.arange(-10.3, -7.45, 0.1)
"""Edges of the bins of the flux curves, S1 in cm-2 s-1."""

CHI_95 = RADIUS_95 / RADIUS_68
"""Radius of the 95 % ellipse of a two-dimensional Gaussian over that of its 68 % ellipse."""


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A part of the sky: |b| from `low` up to, not including, `high` (deg)."""

    name: str
    low: float
    high: float

    def of(self, table: QTable) -> QTable:
        """Give the rows of a table in this zone."""
        latitude = np.abs(column(table, "GLAT", u.deg))
        return table[(latitude >= self.low) & (latitude < self.high)]


ZONES = (
    Zone(name="all", low=0.0, high=90.1),
    Zone(name="|b|>20", low=20.0, high=90.1),
    Zone(name="|b|<20", low=0.0, high=20.0),
)


def flux_scores(detections: QTable, truths: QTable) -> list[Row]:
    """Score completeness and purity above the published fluxes, all over the sky and by latitude.

    Parameters
    ----------
    detections, truths : QTable
        Merged tables; `detections` holds the selected ones only.

    Returns
    -------
    list of dict
        One row per zone and flux, AutoSourceID's numbers beside ours; `visible` is the share of
        the true sources whose expected TS is above 25: about what could be found at all;
        `chance_match_rate` is the share of the detections that would be real somewhere else, too.
    """
    rows = []
    for zone in ZONES:
        for flux, (their_completeness, their_purity) in zip(
            FLUX_THRESHOLDS, AUTOSOURCEID[zone.name], strict=True
        ):
            row = _cell(zone.of(detections), zone.of(truths), flux)
            rows.append(
                {
                    "zone": zone.name,
                    **row,
                    "autosourceid_completeness": their_completeness,
                    "autosourceid_purity": their_purity,
                }
            )
    return rows


def ts_scores(candidates: QTable, truths: QTable, *, purity: float = 0.95) -> list[Row]:
    """Score completeness by true TS: as the catalogue was cut, and cut anew for a given purity.

    Parameters
    ----------
    candidates : QTable
        Merged detections before the cut on the probability.
    truths : QTable
        Merged true sources.
    purity : float
        Purity at which the classical finders are quoted.

    Returns
    -------
    list of dict
        One row per zone and TS bin. Each zone has its own threshold for the purity: a single one
        for the whole sky in the zone "all".
    """
    rows: list[Row] = []
    for zone in ZONES:
        ours, true = zone.of(candidates), zone.of(truths)
        cut = threshold_for_purity(column(ours, "SOURCE_PROB"), ours["MATCHED"], purity)
        ts, found = column(true, "TS"), flag_column(true, "FOUND")
        at_purity = column(true, "FOUND_PROB") >= (np.inf if cut is None else cut)
        for low, high in pairwise(TS_EDGES):
            inside = (ts >= low) & (ts < high)
            value, error = share(found[inside])
            value_at_purity, error_at_purity = share(at_purity[inside])
            rows.append(
                {
                    "zone": zone.name,
                    "ts_min": low,
                    "ts_max": high if np.isfinite(high) else None,
                    "n_true": int(inside.sum()),
                    "completeness": value,
                    "completeness_error": error,
                    "purity_asked": purity,
                    "threshold_at_purity": cut,
                    "completeness_at_purity": value_at_purity,
                    "completeness_at_purity_error": error_at_purity,
                }
            )
    return rows


def flux_at_completeness(flux: ArrayLike, found: ArrayLike, completeness: float) -> float | None:
    """Give the flux from which on true sources are found at the asked rate.

    Parameters
    ----------
    flux : array_like, shape (n_true,)
        True fluxes.
    found : array_like of bool, shape (n_true,)
        Whether each was found.
    completeness : float
        Rate asked for, at a given flux (not above it).

    Returns
    -------
    float or None
        None where the rate is never reached.

    Notes
    -----
    The rate is the rising step function that fits best (isotonic regression): it has no free
    parameter and bridges the noise of single misses at the bright end. It assumes that brighter
    sources are found more often; where they are not, the answer is an average.

    Examples
    --------
    >>> flux_at_completeness([1.0, 2.0, 3.0, 4.0], [False, False, True, True], 0.9)
    3.0
    """
    order = np.argsort(np.asarray(flux, dtype=float), kind="stable")
    if not len(order):
        return None
    rate = isotonic_regression(np.asarray(found, dtype=float)[order]).x
    reached = np.flatnonzero(rate >= completeness)
    return float(np.asarray(flux, dtype=float)[order][reached[0]]) if len(reached) else None


def completeness_limits(
    detections: QTable,
    truths: QTable,
    *,
    completeness: float = 0.9,
    rng: np.random.Generator,
    n_resamples: int = 100,
) -> list[Row]:
    """Give, by zone, the flux with 90 % completeness, its error, and the purity above it.

    The error is the 16 to 84 % range over `n_resamples` bootstrap samples of the true sources.
    """
    rows: list[Row] = []
    for zone in ZONES:
        ours, true = zone.of(detections), zone.of(truths)
        flux, found = column(true, "FLUX1000", PHOTON_FLUX), flag_column(true, "FOUND")
        limit = flux_at_completeness(flux, found, completeness)
        draws = rng.integers(0, max(len(true), 1), (n_resamples if len(true) else 0, len(true)))
        limits = [flux_at_completeness(flux[draw], found[draw], completeness) for draw in draws]
        reached = [value for value in limits if value is not None]
        bright = column(ours, "FLUX1000", PHOTON_FLUX) > (np.inf if limit is None else limit)
        rows.append(
            {
                "zone": zone.name,
                "completeness": completeness,
                "flux": limit,
                "flux_low": quantile(reached, 0.16),
                "flux_high": quantile(reached, 0.84),
                "n_detections": len(ours),
                "purity_of_all": share(ours["MATCHED"])[0],
                "purity_above_flux": share(np.asarray(ours["MATCHED"])[bright])[0],
            }
        )
    return rows


def flux_curves(detections: QTable, truths: QTable) -> list[Row]:
    """Give completeness against true flux and purity against measured flux, by zone, in bins."""
    return [
        {"zone": zone.name, **_cell(zone.of(detections), zone.of(truths), low, high)}
        for zone in ZONES
        for low, high in pairwise(FLUX_EDGES)
    ]


def position_scores(detections: QTable) -> list[Row]:
    """Score positions: radii that hold 68 and 95 % of the offsets, coverage of the ellipses.

    Parameters
    ----------
    detections : QTable
        Selected merged detections.

    Returns
    -------
    list of dict
        All matched detections, those of true TS above 25, then by zone and by bin of true TS.
    """
    matched = detections[flag_column(detections, "MATCHED")]
    ts = column(matched, "TRUE_TS")
    rows = [_offsets("all", matched), _offsets("TS>25", matched[ts > TS_EDGES[0]])]
    rows += [_offsets(zone.name, zone.of(matched)) for zone in ZONES[1:]]
    for low, high in pairwise(TS_EDGES):
        name = f"TS {low:g}-{high:g}" if np.isfinite(high) else f"TS>{low:g}"
        rows.append(_offsets(name, matched[(ts >= low) & (ts < high)]))
    return rows


def measured_flux_scores(detections: QTable) -> list[Row]:
    """Score fluxes of matched detections by zone: ratio to the truth, its scatter, and the pulls.

    Scatter is half the 16 to 84 % range. Detections without a measured flux are left out.
    """
    return [_flux_row(zone.name, zone.of(detections)) for zone in ZONES]


def _cell(detections: QTable, truths: QTable, low: float, high: float = np.inf) -> Row:
    """Completeness and purity between two fluxes."""
    true_flux = column(truths, "FLUX1000", PHOTON_FLUX)
    flux = column(detections, "FLUX1000", PHOTON_FLUX)
    asked = (true_flux > low) & (true_flux <= high)
    found = flag_column(truths, "FOUND")[asked]
    measured = (flux > low) & (flux <= high)
    real = flag_column(detections, "MATCHED")[measured]
    completeness, completeness_error = share(found)
    purity, purity_error = share(real)
    return {
        "flux_min": float(low),
        "flux_max": float(high) if np.isfinite(high) else None,
        "n_true": len(found),
        "n_found": int(found.sum()),
        "completeness": completeness,
        "completeness_error": completeness_error,
        "visible": share(column(truths, "TS")[asked] >= TS_EDGES[0])[0],
        "n_detections": len(real),
        "n_real": int(real.sum()),
        "purity": purity,
        "purity_error": purity_error,
        "chance_match_rate": known_mean(column(detections, "CHANCE")[measured]),
    }


def _offsets(name: str, matched: QTable) -> Row:
    """Offsets and ellipse coverage of matched detections; extended sources have no ellipse test."""
    offset = column(matched, "SEPARATION", u.deg)
    point = np.nan_to_num(column(matched, "TRUE_EXTENSION")) == 0
    distance = column(matched, "ELLIPSE_DISTANCE")[point]
    distance = distance[np.isfinite(distance)]
    return {
        "sample": name,
        "n": len(matched),
        "r68": quantile(offset, 0.68),
        "r95": quantile(offset, 0.95),
        "n_ellipses": len(distance),
        "coverage_68": share(distance <= 1)[0],
        "coverage_95": share(distance <= CHI_95)[0],
    }


def _flux_row(name: str, detections: QTable) -> Row:
    """Flux ratio and pulls of the matched detections of a sample."""
    flux = column(detections, "FLUX1000", PHOTON_FLUX)
    error = column(detections, "Unc_Flux1000", PHOTON_FLUX)
    true = column(detections, "TRUE_FLUX1000")
    known = np.isfinite(flux) & np.isfinite(true)
    ratio = flux[known] / true[known]
    usable = known & np.isfinite(error) & (error > 0)
    pulls = (flux[usable] - true[usable]) / error[usable]
    return {
        "sample": name,
        "n": int(known.sum()),
        "median_ratio": quantile(ratio, 0.5),
        "ratio_scatter": half_width(ratio),
        "n_pulls": int(usable.sum()),
        "median_pull": quantile(pulls, 0.5),
        "pull_scatter": half_width(pulls),
    }
