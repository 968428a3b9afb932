"""How many matches are chance: the same match on shifted positions.

In: a way to match, and the positions to shift. Out: how often a source finds a counterpart where
there is none, for every probability that a match can have.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from psseg.crossmatch.footprint import Footprint
from psseg.errors import PssegWarning

__all__ = ["ChanceRate", "chance_text", "measure_chance"]

Floats = NDArray[np.float64]

DIRECTIONS = np.arange(8) * 45.0 + 22.5
"""Position angles of the shifts, degrees; off the axes, along which survey fields are laid out."""

N_SHIFTED = 200_000
"""Shifted positions that are enough: a rate of 1 % is then known to 2 % of it."""

N_ENOUGH = 100
"""Shifted positions in the reference's footprint that are enough for a rate at all."""

ENOUGH_SHARE = 0.25
"""Of all that would stay if the footprint had no edge: what is enough of a small catalogue."""

MOST_RINGS = 4
"""Distances at which small catalogues are shifted, each half as far again as the last."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChanceRate:
    """What shifted positions found.

    Parameters
    ----------
    scores : ndarray, shape (n_shifted,)
        Score (p_any, or 1 for a match and 0 for none) of each shifted position, rising.
    shift : float
        Least distance of the shifts, degrees.
    inside : ndarray of bool, shape (n,)
        Real positions at which a chance match is possible: those in the reference's footprint.
    """

    scores: Floats
    shift: float
    inside: NDArray[np.bool_]

    def above(self, score: Floats | float) -> Floats:
        """Give the share of shifted positions with this score or more; 1 for a score of 0.

        Parameters
        ----------
        score : ndarray or float
            Of real sources.

        Returns
        -------
        ndarray
            Not-a-number where nothing was shifted.
        """
        if len(self.scores) == 0:
            return np.full(np.shape(score), np.nan)
        below = np.searchsorted(self.scores, score, side="left")
        return np.asarray(1 - below / len(self.scores))

    def expected(self, score: float, among: NDArray[np.bool_]) -> float:
        """Give the number of chance matches with this score or more among real positions.

        Parameters
        ----------
        score : float
            Of a match.
        among : ndarray of bool, shape (n,)
            Positions that count.

        Returns
        -------
        float
            Not-a-number where it could not be measured.
        """
        number = np.count_nonzero(among & self.inside)
        return float(self.above(score)) * number if number else 0.0


def measure_chance(
    score: Callable[[SkyCoord, NDArray[np.int64]], Floats],
    coords: SkyCoord,
    *,
    shift: float,
    least: float | None = None,
    footprint: Footprint | None = None,
) -> ChanceRate:
    """Match shifted positions.

    Parameters
    ----------
    score : callable
        Gives the scores of positions, with the rows from which they were shifted.
    coords : SkyCoord, shape (n,)
        Real positions.
    shift : float
        Least distance of the shifts in degrees: far beyond the errors, and near enough for the
        density of the reference to be the same.
    least : float or None
        Distance to which the shift may be halved where too few positions stay in the footprint;
        None to leave it.
    footprint : Footprint or None
        What the reference covers: shifted positions outside find nothing and do not count. Without
        it, all count.

    Returns
    -------
    ChanceRate

    Warns
    -----
    PssegWarning
        If too few shifted positions stay in the footprint; nothing is then measured.
    """
    inside = np.isfinite(coords.ra.deg)
    placed = np.flatnonzero(inside)
    if len(placed) == 0:
        return ChanceRate(scores=np.zeros(0), shift=shift, inside=inside)
    rows = placed[:: max(1, len(placed) // N_SHIFTED)]
    if footprint is not None:
        inside = footprint.contains(coords)
        footprint = footprint if inside[rows].any() else None
    moved = _moved(coords, rows, shift, footprint)
    if footprint is not None:
        lasting = ENOUGH_SHARE * np.count_nonzero(inside[rows]) * len(moved)
        wanted = min(max(lasting, 1), N_ENOUGH)
        while _n_moved(moved) < wanted and shift / 2 >= 0.999 * (least or shift):
            shift /= 2
            moved = _moved(coords, rows, shift, footprint)
        if _n_moved(moved) < wanted:
            warnings.warn(
                f"positions shifted by {shift:.3g} deg leave the reference's field: matches by "
                "chance are not known",
                PssegWarning, stacklevel=3,
            )  # fmt: skip
            return ChanceRate(scores=np.zeros(0), shift=shift, inside=inside)
    found = [score(at, kept) for at, kept in moved if len(kept)]
    return ChanceRate(scores=np.sort(np.concatenate(found)), shift=shift, inside=inside)


def chance_text(number: float) -> str:
    """Say in words how many matches are chance.

    Parameters
    ----------
    number : float
        Not-a-number where it is not known.

    Examples
    --------
    >>> chance_text(3.14159), chance_text(float("nan"))
    ('3.1 expected by chance', 'an unknown number expected by chance')
    """
    known = f"{number:.1f}" if np.isfinite(number) else "an unknown number"
    return f"{known} expected by chance"


def _moved(
    coords: SkyCoord, rows: NDArray[np.int64], shift: float, footprint: Footprint | None
) -> list[tuple[SkyCoord, NDArray[np.int64]]]:
    """Give, for each shift, the positions that stay in the footprint, and their rows."""
    result = []
    for angle, distance in _shifts(shift, len(rows)):
        at = coords[rows].directional_offset_by(angle * u.deg, distance * u.deg)
        stays = np.ones(len(rows), bool) if footprint is None else footprint.contains(at)
        result.append((at[stays], rows[stays]))
    return result


def _n_moved(moved: list[tuple[SkyCoord, NDArray[np.int64]]]) -> int:
    return sum(len(kept) for _, kept in moved)


def _shifts(shift: float, n_rows: int) -> Iterator[tuple[float, float]]:
    """Give directions and distances, as many as a catalogue of this size needs."""
    wanted = int(np.clip(np.ceil(N_SHIFTED / n_rows), 1, MOST_RINGS * len(DIRECTIONS)))
    for number in range(wanted):
        ring, place = divmod(number, len(DIRECTIONS))
        yield float(DIRECTIONS[place]), shift * (1 + ring / 2)
