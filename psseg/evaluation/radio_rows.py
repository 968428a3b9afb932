"""Completeness, reliability, positions and fluxes of radio catalogues, as plain rows.

In go counted rows of the matched tables of `psseg.evaluation.radio_matching`; out come
dictionaries that JSON can hold, None where nothing can be said.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

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
    "RELIABILITY",
    "SNR_BINS",
    "Interval",
    "clear_rows",
    "flux_rows",
    "in_interval",
    "named_bounds",
    "near_bright_rows",
    "neighbour_rows",
    "position_rows",
    "snr_rows",
    "split_rows",
]

Interval = tuple[float, float]
Flags = NDArray[np.bool_]

SNR_BINS: tuple[Interval, ...] = (
    *((3.0, 5.0), (5.0, 7.0), (7.0, 10.0), (10.0, 30.0), (30.0, np.inf)),
    *((3.0, 4.0), (4.0, 5.0)),
)
"""Bins of peak S/N; the last two are those of DeepSource (Vafaei Sadr et al. 2019, MNRAS 484,
2793)."""

NEIGHBOUR_BINS: tuple[Interval, ...] = ((0.5, 1.0), (1.0, 1.5), (1.5, 2.0), (2.0, 3.0))
"""Distance to the nearest brighter source, beams."""

NEIGHBOUR_SNR = 7.0
"""Peak S/N of the fainter one from which its completeness is asked for."""

RELIABILITY = 0.97
"""Share of true sources among the detections that a calibrated threshold gives, and for which
completeness is told, too."""

CLEAR = 0.3
"""Light of others, in rms, below which a source is clear of them."""

FEWEST = 10
"""Fewer sources than this have no median error."""


def snr_rows(candidates: QTable, truths: QTable, *, reliability: float = RELIABILITY) -> list[Row]:
    """Score completeness by true and reliability by measured peak S/N, for each set-up and all.

    Parameters
    ----------
    candidates, truths : QTable
        Counted rows of matched tables.
    reliability : float
        Completeness is also given with the threshold that yields this reliability over all S/N.

    Returns
    -------
    list of dict
        One row per set-up and bin; `chance_match_rate` is the share of its detections that would be
        real somewhere else, too.
    """
    rows: list[Row] = []
    for setup in _setups(truths):
        ours, true = _of_setup(candidates, setup), _of_setup(truths, setup)
        ours = ours[~flag_column(ours, "FRAGMENT")]
        cut = threshold_for_purity(column(ours, "SOURCE_PROB"), ours["MATCHED"], reliability)
        at_cut = column(true, "FOUND_PROB") >= (np.inf if cut is None else cut)
        kept = ours[flag_column(ours, "SELECTED", default=True)]
        for interval in SNR_BINS:
            asked = in_interval(column(true, "SNR"), interval)
            measured = in_interval(column(kept, "SNR"), interval)
            real = flag_column(kept, "MATCHED")[measured]
            completeness, completeness_error = share(flag_column(true, "FOUND")[asked])
            purity, purity_error = share(real)
            rows.append(
                {
                    "setup": setup or "all",
                    **named_bounds("snr", interval),
                    "n_true": int(asked.sum()),
                    "completeness": completeness,
                    "completeness_error": completeness_error,
                    "completeness_at_reliability": share(at_cut[asked])[0],
                    "n_detections": len(real),
                    "reliability": purity,
                    "reliability_error": purity_error,
                    "chance_match_rate": known_mean(column(kept, "CHANCE")[measured]),
                }
            )
    return rows


def split_rows(truths: QTable) -> list[Row]:
    """Count true sources found in several pieces, and those swallowed by another's detection.

    Returns
    -------
    list of dict
        For point and extended sources: `n_found`, `n_split`, and of the sources of 5 sigma and
        more `merged` (a beam or more from the source that has the detection) and `blended`
        (nearer than a beam).
    """
    rows: list[Row] = []
    for name, extended in (("point", False), ("extended", True)):
        these = truths[flag_column(truths, "EXTENDED") == extended]
        found, beams = flag_column(these, "FOUND"), column(these, "MERGED_BEAMS")
        rows.append(
            {
                "sample": name,
                "n_found": int(found.sum()),
                "n_split": int((found & (column(these, "N_DETECTIONS") > 1)).sum()),
                "n_merged": int((beams >= 1).sum()),
                "n_blended": int((beams < 1).sum()),
            }
        )
    return rows


def neighbour_rows(truths: QTable) -> list[Row]:
    """Score completeness of sources beside a brighter one, by their distance in beams.

    Parameters
    ----------
    truths : QTable
        Counted rows.
    """
    distance, bright = column(truths, "NEIGHBOUR_BEAMS"), column(truths, "SNR") >= NEIGHBOUR_SNR
    rows: list[Row] = []
    for interval in NEIGHBOUR_BINS:
        found = flag_column(truths, "FOUND")[bright & in_interval(distance, interval)]
        value, error = share(found)
        bounds = named_bounds("beams", interval)
        rows.append({**bounds, "n_true": len(found), "completeness": value, "error": error})
    return rows


def near_bright_rows(detections: QTable) -> list[Row]:
    """Count false detections near bright sources and elsewhere, for each set-up and all."""
    rows: list[Row] = []
    for setup in _setups(detections):
        ours = _of_setup(detections, setup)
        ours = ours[~flag_column(ours, "FRAGMENT")]
        false, near = ~flag_column(ours, "MATCHED"), flag_column(ours, "NEAR_BRIGHT")
        rows.append(
            {
                "setup": setup or "all",
                "n_detections": len(ours),
                "n_false": int(false.sum()),
                "n_near_bright": int(near.sum()),
                "n_false_near_bright": int((false & near).sum()),
            }
        )
    return rows


def position_rows(detections: QTable) -> list[Row]:
    """Score positions of matched point sources: median offsets in arcsec, and the pulls.

    Returns
    -------
    list of dict
        Of all of them and of those that are clear of others, for S/N above 7 and by bin of true
        S/N: median offsets towards east and north, radius of 68 % in beams, median and robust
        width (half the 16 to 84 % range) of the pulls.
    """
    matched = detections[flag_column(detections, "MATCHED")]
    point = ~flag_column(matched, "TRUE_EXTENDED")
    rows: list[Row] = []
    for name, sample in (("point", point), ("clear point", point & clear_rows(matched))):
        snr = column(matched[sample], "TRUE_SNR")
        for interval in ((7.0, np.inf), *SNR_BINS):
            offsets = _offsets(matched[sample][in_interval(snr, interval)])
            rows.append({"sample": name, **named_bounds("snr", interval), **offsets})
    return rows


def flux_rows(detections: QTable) -> list[Row]:
    """Score integrated fluxes of matched detections, measured over true, by size and true S/N."""
    matched = detections[flag_column(detections, "MATCHED")]
    extended = flag_column(matched, "TRUE_EXTENDED")
    samples = {
        "point": ~extended,
        "clear point": ~extended & clear_rows(matched),
        "extended": extended,
    }
    rows: list[Row] = []
    for name, sample in samples.items():
        snr = column(matched[sample], "TRUE_SNR")
        for interval in ((10.0, np.inf), *SNR_BINS):
            fluxes = _fluxes(matched[sample][in_interval(snr, interval)])
            rows.append({"sample": name, **named_bounds("snr", interval), **fluxes})
    return rows


def clear_rows(detections: QTable) -> Flags:
    """Say to which matched detections other true sources add hardly any light.

    What a neighbour well inside the beam adds is no error of the fit: nothing in the image tells
    the two apart.
    """
    if "TRUE_CROWDING" not in detections.colnames:
        return np.zeros(len(detections), dtype=bool)
    return column(detections, "TRUE_CROWDING") < CLEAR


def _offsets(matched: QTable) -> Row:
    """Offsets and pulls of matched detections."""
    dec = column(matched, "dec", u.deg)
    turn = (column(matched, "ra", u.deg) - column(matched, "TRUE_RA", u.deg) + 180) % 360 - 180
    east = turn * np.cos(np.deg2rad(dec))
    north = dec - column(matched, "TRUE_DEC", u.deg)
    row: Row = {"n": len(matched), "r68_beams": quantile(column(matched, "BEAMS_OFF"), 0.68)}
    for name, offset in (("ra", east), ("dec", north)):
        median = quantile(offset, 0.5)
        row[f"median_{name}"] = None if median is None else 3600 * median
        row.update(_pulls(name, offset, matched, f"e_{name}", u.deg))
    return row


def _fluxes(matched: QTable) -> Row:
    """Flux ratios and pulls of matched detections."""
    flux, true = (column(matched, name, u.Jy) for name in ("int_flux", "TRUE_INT_FLUX"))
    ratio = flux / true
    width, n = half_width(ratio), int(np.isfinite(ratio).sum())
    return {
        "n": n,
        "median_ratio": quantile(ratio, 0.5),
        # Standard error of the median of a normal sample.
        "median_ratio_error": None if width is None or n < FEWEST else 1.253 * width / np.sqrt(n),
        "ratio_scatter": width,
        **_pulls("flux", flux - true, matched, "e_int_flux", u.Jy),
    }


def _pulls(
    name: str, offset: NDArray[np.float64], table: QTable, error: str, unit: u.UnitBase
) -> Row:
    """Median and robust width of offsets over their errors."""
    errors = column(table, error, unit) if error in table.colnames else np.full(len(table), np.nan)
    usable = np.isfinite(errors) & (errors > 0)
    pulls = offset[usable] / errors[usable]
    return {f"median_pull_{name}": quantile(pulls, 0.5), f"pull_width_{name}": half_width(pulls)}


def in_interval(values: ArrayLike, interval: Interval) -> Flags:
    """Say which values lie in an interval: from its low end up to, not including, its high end."""
    numbers = np.asarray(values, dtype=float)
    return (numbers >= interval[0]) & (numbers < interval[1])


def named_bounds(name: str, interval: Interval) -> Row:
    """Name a bin's ends; None for infinity, which JSON cannot hold."""
    low, high = interval
    return {f"{name}_min": low, f"{name}_max": high if np.isfinite(high) else None}


def _setups(table: QTable) -> Iterator[str | None]:
    """Give None for all images, then every set-up where there are several."""
    yield None
    names = sorted(set(table["SETUP"])) if "SETUP" in table.colnames else []
    if len(names) > 1:
        yield from (str(name) for name in names)


def _of_setup(table: QTable, setup: str | None) -> QTable:
    return table if setup is None else table[np.asarray(table["SETUP"], dtype=str) == setup]
