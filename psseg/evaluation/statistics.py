"""Scores that JSON can hold, of samples that may be empty: None where nothing can be said."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "JsonScores",
    "Row",
    "half_width",
    "known_mean",
    "quantile",
    "share",
    "threshold_for_purity",
]

Row = dict[str, float | int | str | None]
"""A row of a table of scores."""


@dataclass(frozen=True, kw_only=True)
class JsonScores:
    """Scores whose fields JSON can hold."""

    def to_json(self) -> str:
        """Give the scores as JSON text."""
        return json.dumps(asdict(self), indent=1, allow_nan=False)

    def write(self, path: str | Path) -> None:
        """Write the scores as a JSON file."""
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")


def share(hits: ArrayLike) -> tuple[float | None, float | None]:
    """Give the share of hits and its binomial standard error; None where there is nothing.

    The error is half the width of Wilson's 68 % interval (Wilson 1927, JASA 22, 209), which stays
    above zero when every one or none is a hit.
    """
    flags = np.asarray(hits, dtype=bool)
    if not len(flags):
        return None, None
    n, p = len(flags), float(flags.mean())
    return p, float(np.sqrt(p * (1 - p) / n + 1 / (4 * n**2)) / (1 + 1 / n))


def threshold_for_purity(probability: ArrayLike, real: ArrayLike, purity: float) -> float | None:
    """Give the lowest threshold at which the detections at or above it are as pure as asked.

    Parameters
    ----------
    probability : array_like, shape (n_detections,)
        Probability (or score) of each detection.
    real : array_like of bool, shape (n_detections,)
        Whether it is a true source.
    purity : float
        Share of true sources asked for.

    Returns
    -------
    float or None
        None if no threshold gives the purity.

    Examples
    --------
    >>> threshold_for_purity([0.9, 0.8, 0.7, 0.6], [True, True, False, False], 0.6)
    0.7
    """
    claimed = np.asarray(probability, dtype=float)
    order = np.argsort(-claimed, kind="stable")
    ranked, flags = claimed[order], np.asarray(real, dtype=bool)[order]
    purity_down_to = np.cumsum(flags) / np.arange(1, len(flags) + 1)
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    pure = np.flatnonzero(last_of_equals & (purity_down_to >= purity))
    return float(ranked[pure[-1]]) if len(pure) else None


def known_mean(values: ArrayLike) -> float | None:
    """Give the mean of those values that are numbers."""
    known = _known(values)
    return float(known.mean()) if len(known) else None


def quantile(values: ArrayLike, part: float) -> float | None:
    """Give a quantile of those values that are numbers."""
    known = _known(values)
    return float(np.quantile(known, part)) if len(known) else None


def half_width(values: ArrayLike) -> float | None:
    """Give half the 16 to 84 % range: the standard deviation of a normal sample."""
    low, high = quantile(values, 0.16), quantile(values, 0.84)
    return None if low is None or high is None else (high - low) / 2


def _known(values: ArrayLike) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=float)
    return numbers[np.isfinite(numbers)]
