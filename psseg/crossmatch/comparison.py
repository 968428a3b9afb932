"""How one catalogue compares with another: completeness, purity, offsets, fluxes and classes.

In: two catalogues of the same sky. Out: a :class:`Comparison` with the pairs of sources that are
each other's best, and a table of numbers with their errors.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.stats import binom_conf_interval
from astropy.table import Table
from numpy.typing import NDArray

from psseg.crossmatch.association import associate, candidate_pairs
from psseg.crossmatch.chance import measure_chance
from psseg.crossmatch.columns import numbers
from psseg.crossmatch.ellipses import ErrorEllipses, sigmas_of
from psseg.crossmatch.footprint import cells_of, finest_resolution, footprint_of
from psseg.crossmatch.positions import Pairs
from psseg.crossmatch.reference import SkyTable
from psseg.errors import PssegWarning
from psseg.survey.classes import SOURCE_CLASSES

__all__ = [
    "Comparison",
    "common_sky",
    "compare",
    "flux_bins",
    "share_of",
    "summary_lines",
    "summary_table",
]

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

CONFIDENCE = 0.999
"""Share of the true pairs that lie within the normalised separation of a pair."""

N_BINS = 5
"""Bins in flux, of equal numbers of sources."""

SHIFT_SIGMAS = 40.0
"""Shift of the positions that measure chance, in typical standard deviations."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two catalogues of the same sky, source by source.

    Parameters
    ----------
    left, right : SkyTable
        The catalogue and the reference.
    pairs : Pairs
        Sources that are each other's best.
    normalised : ndarray, shape (n_pairs,)
        Separation in standard deviations of both errors together.
    left_common, right_common : ndarray of bool, shape (n_left,) and (n_right,)
        Sources with a position error in the part of the sky that both catalogues cover.
    n_chance : float
        Pairs expected by chance, from shifted positions; not-a-number where no shift keeps them in
        the reference's field.
    left_flux, right_flux : ndarray, shape (n_left,) and (n_right,)
        Fluxes in the unit `flux_unit`; not-a-number where they are unknown or not comparable.
    flux_unit : str
        Their unit.
    """

    left: SkyTable
    right: SkyTable
    pairs: Pairs
    normalised: Floats
    left_common: Marks
    right_common: Marks
    n_chance: float
    left_flux: Floats
    right_flux: Floats
    flux_unit: str

    @property
    def left_found(self) -> Marks:
        """Which left sources have a pair, shape (n_left,)."""
        return np.isin(np.arange(len(self.left)), self.pairs.left)

    @property
    def right_found(self) -> Marks:
        """Which right sources have a pair, shape (n_right,)."""
        return np.isin(np.arange(len(self.right)), self.pairs.right)

    def offsets(self) -> tuple[Floats, Floats]:
        """Give the offsets of the left from the right positions, arcsec to the east and north."""
        turn = np.deg2rad(self.pairs.right_angle)
        size = -3600 * self.pairs.separation
        return size * np.sin(turn), size * np.cos(turn)

    def flux_ratios(self) -> Floats:
        """Give left over right flux of each pair; not-a-number where either is not positive."""
        ours, theirs = self.left_flux[self.pairs.left], self.right_flux[self.pairs.right]
        good = (ours > 0) & (theirs > 0)
        return np.where(good, ours / np.where(good, theirs, 1.0), np.nan)

    def class_counts(self) -> NDArray[np.int64]:
        """Count the pairs of each class in the right (first axis) and left catalogue."""
        names = np.array(SOURCE_CLASSES)
        ours = self.left.classes()[self.pairs.left][:, None] == names
        theirs = self.right.classes()[self.pairs.right][:, None] == names
        return theirs.astype(int).T @ ours.astype(int)


def compare(
    left: SkyTable, right: SkyTable, *, systematic: float = 0.0, everywhere: bool = False
) -> Comparison:
    """Compare a catalogue with a reference of the same sky.

    Parameters
    ----------
    left, right : SkyTable
        The catalogue and the reference. Exchanged, they give the same pairs.
    systematic : float
        Error (one standard deviation, arcsec) of the reference's frame against the catalogue's,
        added in quadrature.
    everywhere : bool
        Whether all sources count, not only those in the part of the sky that both cover.

    Returns
    -------
    Comparison

    Notes
    -----
    A pair is two sources, each the best of the other by the Bayes factor of their positions, within
    the separation that holds 99.9 % of true pairs. The classes do not count.
    """
    errors = left.ellipses, right.ellipses.widened(systematic / 3600)
    pairs, normalised = _mutual_pairs(left.coords, right.coords, *errors)
    marks = np.isfinite(left.coords.ra.deg), np.isfinite(right.coords.ra.deg)
    if not everywhere:
        marks = common_sky(left.coords, right.coords)
        if len(left) and len(right) and not marks[0].any():
            _warn(f"{left.origin} and {right.origin} have no sky in common", 3)
    marks = marks[0] & left.ellipses.known, marks[1] & right.ellipses.known

    def score(coords: SkyCoord, rows: NDArray[np.int64]) -> Floats:
        found, _ = _mutual_pairs(coords, right.coords, errors[0][rows], errors[1])
        return np.isin(np.arange(len(rows)), found.left).astype(float)

    sizes = [float(np.nanmedian(e.major)) if e.known.any() else 0.0 for e in errors]
    shift = float(np.clip(SHIFT_SIGMAS * sum(sizes), 20 / 3600, 3.0))
    chance = measure_chance(
        score, left.coords, shift=shift, least=shift / 4, footprint=footprint_of(right.coords)
    )
    fluxes = _fluxes(left, right)
    return Comparison(
        left=left, right=right, pairs=pairs, normalised=normalised,
        left_common=marks[0], right_common=marks[1],
        n_chance=chance.expected(1.0, marks[0]),
        left_flux=fluxes[0], right_flux=fluxes[1], flux_unit=fluxes[2],
    )  # fmt: skip


def _mutual_pairs(
    left: SkyCoord, right: SkyCoord, left_errors: ErrorEllipses, right_errors: ErrorEllipses
) -> tuple[Pairs, Floats]:
    """Give the pairs that are the best of both sides, and their normalised separations."""
    pairs = candidate_pairs(left, right, left_errors, right_errors)
    found = associate(pairs, left_errors, right_errors, np.ones(len(left_errors)))
    kept = found.best & found.right_best & (found.normalised <= sigmas_of(CONFIDENCE))
    return pairs[kept], found.normalised[kept]


def common_sky(left: SkyCoord, right: SkyCoord) -> tuple[Marks, Marks]:
    """Say which sources lie in the part of the sky that both catalogues cover.

    Parameters
    ----------
    left, right : SkyCoord, shape (n_left,) and (n_right,)
        Positions.

    Returns
    -------
    left_common, right_common : ndarray of bool, shape (n_left,) and (n_right,)

    Notes
    -----
    The sky of a catalogue is the HEALPix cells in which it has a source, at the finest resolution
    with eight sources per such cell. At the edges that is half a cell too much: a catalogue of few
    sources on a small field looks less complete and pure than it is.
    """
    marks = [np.isfinite(coords.ra.deg) for coords in (left, right)]
    if not all(mark.any() for mark in marks):
        return np.zeros(len(left), dtype=bool), np.zeros(len(right), dtype=bool)
    for covering, mark in ((left, marks[0].copy()), (right, marks[1].copy())):
        level = finest_resolution(covering[mark])
        cells = np.unique(cells_of(covering[mark], level))
        for number, coords in enumerate((left, right)):
            placed = np.flatnonzero(marks[number])
            marks[number][placed] = np.isin(cells_of(coords[placed], level), cells)
    return marks[0], marks[1]


def _fluxes(left: SkyTable, right: SkyTable) -> tuple[Floats, Floats, str]:
    """Give both fluxes in the unit of the left one, not-a-number where they cannot be compared."""
    nothing = np.full(len(left), np.nan), np.full(len(right), np.nan), ""
    if not (left.flux_column and right.flux_column):
        return nothing
    one, other = (_flux_unit(side) for side in (left, right))
    ours, theirs = (numbers(side.table, side.flux_column) for side in (left, right))
    if one is None or other is None or one == other:
        if len(left) and len(right):
            _say_lacking((left, right), (one, other))
        return ours, theirs, str(one or other or "")
    try:
        return ours, theirs * other.to(one), str(one)
    except u.UnitConversionError:
        _warn(f"fluxes in {one} and {other} cannot be compared; flux=NAME names another column")
        return nothing


def _say_lacking(sides: tuple[SkyTable, SkyTable], units: tuple[Any, Any]) -> None:
    """Warn of fluxes without a unit, and say what they are taken for."""
    taken = next((unit for unit in units if unit is not None), "the same unit")
    for side, unit in zip(sides, units, strict=True):
        if unit is None:
            _warn(f"{side.origin}: {side.flux_column} has no unit; taken for {taken}", 5)


def _flux_unit(side: SkyTable) -> u.UnitBase | None:
    """Give the unit of the fluxes without photons, which some count as a unit and some do not."""
    unit = side.table[side.flux_column].unit
    if unit is None and side.flux_unit:
        unit = u.Unit(side.flux_unit)
    if unit is None or isinstance(unit, u.UnrecognizedUnit):
        return None
    kept = [
        base**power for base, power in zip(unit.bases, unit.powers, strict=True) if base != u.ph
    ]
    return u.Unit(np.prod([u.Unit(unit.scale), *kept]))


def summary_table(comparison: Comparison) -> Table:
    """Give the numbers of a comparison, a row each.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    Table
        `quantity`, `value`, `low` and `high` (68 % interval), `n` (sources it is made of), `unit`.
        Completeness is the share of the reference's sources that the catalogue has, purity that of
        the catalogue's that the reference has, both in their common sky and in bins of flux.
    """
    rows: list[tuple[str, float, float, float, int, str]] = []
    for name, common, found, flux, side in (
        ("completeness", comparison.right_common, comparison.right_found, comparison.right_flux,
         "reference"),
        ("purity", comparison.left_common, comparison.left_found, comparison.left_flux,
         "catalogue"),
    ):  # fmt: skip
        rows.append((name, *share_of(found[common]), ""))
        for low, high, chosen in flux_bins(flux, common):
            what = f"{name}, {side} flux {low:.3g} to {high:.3g}"
            rows.append((what, *share_of(found[chosen]), ""))
    rows.append(("pairs by chance", comparison.n_chance, np.nan, np.nan,
                 int(comparison.left_common.sum()), ""))  # fmt: skip
    for name, values in zip(("east", "north"), comparison.offsets(), strict=True):
        rows.append((f"offset to the {name}", *_middle(values), "arcsec"))
    rows.append(("separation", *_middle(3600 * comparison.pairs.separation), "arcsec"))
    rows.append(("normalised separation", *_middle(comparison.normalised), ""))
    for share in (0.68, 0.95):
        inside = comparison.normalised <= sigmas_of(share)
        rows.append((f"within the {100 * share:.0f} % ellipse", *share_of(inside), ""))
    rows.append(("flux ratio, catalogue over reference", *_middle(comparison.flux_ratios()), ""))
    return _as_table(rows + _class_rows(comparison))


def summary_lines(comparison: Comparison) -> list[str]:
    """Give the numbers of a comparison as lines for people; bins of flux are left out."""
    lines = []
    for row in summary_table(comparison):
        if " flux " in row["quantity"] or not row["n"]:
            continue
        interval = f" ({row['low']:.4g} to {row['high']:.4g})" if np.isfinite(row["low"]) else ""
        value = f"{row['value']:.4g}{interval} {row['unit']}".strip()
        lines.append(f"{row['quantity']:<38} {value:<36} n = {row['n']}")
    return lines


def flux_bins(flux: Floats, common: Marks) -> list[tuple[float, float, NDArray[np.int64]]]:
    """Give bins of flux with equal numbers of sources: lower and upper edge, and the rows."""
    rows = np.flatnonzero(common & np.isfinite(flux) & (flux > 0))
    if len(rows) < 2 * N_BINS:
        return []
    parts = np.array_split(rows[np.argsort(flux[rows], kind="stable")], N_BINS)
    return [(float(flux[part[0]]), float(flux[part[-1]]), part) for part in parts]


def _class_rows(comparison: Comparison) -> list[tuple[str, float, float, float, int, str]]:
    counts = comparison.class_counts()
    total = int(counts.sum())
    same = np.arange(total) < np.trace(counts)
    rows = [("classes agree", *share_of(same), "")]
    for theirs, line in zip(SOURCE_CLASSES, counts, strict=True):
        for ours, count in zip(SOURCE_CLASSES, line, strict=True):
            what = f"reference {theirs}, catalogue {ours}"
            rows.append((what, float(count), np.nan, np.nan, total, ""))
    return rows


def share_of(found: Marks) -> tuple[float, float, float, int]:
    """Give a share, its 68 % interval (Wilson 1927) and the number it is of.

    Parameters
    ----------
    found : ndarray of bool, shape (n,)
        What was found.

    Returns
    -------
    value, low, high : float
        Not-a-number if there was nothing to be found.
    number : int
        n.
    """
    number, hits = len(found), int(np.count_nonzero(found))
    if not number:
        return np.nan, np.nan, np.nan, 0
    low, high = binom_conf_interval(hits, number, interval="wilson")
    # Rounding must not make the limits 1e-17 and 1 - 1e-16.
    return hits / number, float(low) if hits else 0.0, float(high) if hits < number else 1.0, number


def _middle(values: Floats) -> tuple[float, float, float, int]:
    """Give the median, the limits of the middle 68 %, and the number of values."""
    good = values[np.isfinite(values)]
    if not len(good):
        return np.nan, np.nan, np.nan, 0
    low, middle, high = np.quantile(good, (0.16, 0.5, 0.84))
    return float(middle), float(low), float(high), len(good)


def _as_table(rows: list[tuple[str, float, float, float, int, str]]) -> Table:
    names = ("quantity", "value", "low", "high", "n", "unit")
    return Table(rows=rows, names=names, dtype=("U64", "f8", "f8", "f8", "i8", "U8"))


def _warn(text: str, level: int = 4) -> None:
    warnings.warn(text, PssegWarning, stacklevel=level)
