"""How many matches are chance: the same match on shifted positions.

In: a way to match, and the positions to shift. Out: how often a source finds a counterpart where
there is none, for every probability that a match can have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

__all__ = ["ChanceRate", "measure_chance"]

Floats = NDArray[np.float64]

DIRECTIONS = np.arange(8) * 45.0 + 22.5
"""Position angles of the shifts, degrees; off the axes, along which survey fields are laid out."""

N_SHIFTED = 200_000
"""Shifted positions that are enough: a rate of 1 % is then known to 2 % of it."""

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
    """

    scores: Floats
    shift: float

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


def measure_chance(
    score: Callable[[SkyCoord, NDArray[np.int64]], Floats], coords: SkyCoord, *, shift: float
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

    Returns
    -------
    ChanceRate
    """
    placed = np.flatnonzero(np.isfinite(coords.ra.deg))
    if len(placed) == 0:
        return ChanceRate(scores=np.zeros(0), shift=shift)
    rows = placed[:: max(1, len(placed) // N_SHIFTED)]
    found = [
        score(coords[rows].directional_offset_by(angle * u.deg, distance * u.deg), rows)
        for angle, distance in _shifts(shift, len(rows))
    ]
    return ChanceRate(scores=np.sort(np.concatenate(found)), shift=shift)


def _shifts(shift: float, n_rows: int) -> Iterator[tuple[float, float]]:
    """Give directions and distances, as many as a catalogue of this size needs."""
    wanted = int(np.clip(np.ceil(N_SHIFTED / n_rows), 1, MOST_RINGS * len(DIRECTIONS)))
    for number in range(wanted):
        ring, place = divmod(number, len(DIRECTIONS))
        yield float(DIRECTIONS[place]), shift * (1 + ring / 2)
