"""Pairs of a detection and a true source: one to one, and as columns of the tables.

What `psseg.evaluation.matching` does for counts and `psseg.evaluation.radio_matching` for radio
images is built of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError

__all__ = [
    "UNMATCHED",
    "assign_in_order",
    "chance_share",
    "flag_column",
    "placed",
    "require_columns",
    "true_classes_of",
]

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]

UNMATCHED = -1
"""Row number that stands for "no counterpart"."""


def assign_in_order(
    rows: ArrayLike,
    candidates: ArrayLike,
    *,
    keys: Sequence[ArrayLike],
    n_rows: int,
    n_candidates: int,
) -> Rows:
    """Go through possible pairs in order and keep each whose two members are both still free.

    Parameters
    ----------
    rows, candidates : array_like of int, shape (n_pairs,)
        Detection and true source of each pair.
    keys : sequence of array_like, shape (n_pairs,)
        Pairs are taken by the first key, low before high, equals by the next, and so on.
    n_rows, n_candidates : int
        How many detections and true sources there are.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Row of the true source, or -1. No row is given twice.
    """
    matched, taken = np.full(n_rows, UNMATCHED), np.zeros(n_candidates, dtype=bool)
    order = np.lexsort(tuple(np.asarray(key) for key in reversed(keys)))
    pairs = np.stack([np.asarray(rows, dtype=int), np.asarray(candidates, dtype=int)], axis=-1)
    for row, candidate in pairs[order]:
        if matched[row] == UNMATCHED and not taken[candidate]:
            matched[row] = candidate
            taken[candidate] = True
    return matched


def chance_share(n: int, moves: Iterable[tuple[Flags, Flags]]) -> NDArray[np.float64]:
    """Give the share of moved positions at which each detection would have found a match.

    Parameters
    ----------
    n : int
        How many detections there are.
    moves : iterable of (ndarray of bool, ndarray of bool), shape (n,)
        For each move, which detections still lie where sources count, and which have a match. It is
        not asked where there are no detections.

    Returns
    -------
    ndarray, shape (n,)
        Not-a-number where no moved position counts.
    """
    hits, tries = np.zeros(n), np.zeros(n)
    for inside, matched in moves if n else ():
        hits += inside & matched
        tries += inside
    return np.where(tries > 0, hits / np.fmax(tries, 1), np.nan)


def flag_column(table: QTable, name: str, *, default: bool | None = None) -> Flags:
    """Give a boolean column, or the default, if there is one, where the table has none."""
    if default is not None and name not in table.colnames:
        return np.full(len(table), default)
    return np.asarray(table[name], dtype=bool)


def placed(values: ArrayLike, rows: Rows, size: int) -> NDArray[np.float64]:
    """Put values into their rows of a column that is not-a-number elsewhere."""
    filled = np.full(size, np.nan)
    filled[rows] = values
    return filled


def true_classes_of(truth: QTable, source: Rows, hit: Rows, size: int) -> NDArray[np.str_]:
    """Give the class of the true source of each detection, "" where it has none.

    Parameters
    ----------
    truth : QTable
        True sources with CLASS.
    source, hit : ndarray of int, shape (n_matched,)
        Rows of the matched true sources, and of their detections.
    size : int
        How many detections there are.

    Returns
    -------
    ndarray of str, shape (size,)
    """
    classes = np.full(size, "", dtype="U16")
    classes[hit] = np.char.strip(np.asarray(truth["CLASS"], dtype=str)[source])
    return classes


def require_columns(table: QTable, names: Sequence[str], what: str) -> None:
    """Refuse a table that lacks a column, naming what is missing."""
    missing = [name for name in names if name not in table.colnames]
    if missing:
        raise PssegError(f"{what}: no column {', '.join(missing)}; give a table written by psseg")
