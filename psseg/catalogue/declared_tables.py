"""Tables whose columns are declared once: typed and described.

In: declarations and values. Out: tables with units, UCDs and descriptions.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.column import Column
from psseg.catalogue.radio_styles import own_style
from psseg.errors import PssegError

__all__ = ["declared", "empty_table", "in_own_names", "rows_of", "told_apart"]


def declared(table: QTable, columns: Sequence[Column]) -> QTable:
    """Give a table whose columns have the declared types, units, UCDs and descriptions.

    Parameters
    ----------
    table : QTable
        Further columns are kept as they are.
    columns : sequence of Column
        The declarations.

    Returns
    -------
    QTable
    """
    by_name = {column.name: column for column in columns}
    result = QTable(meta=table.meta)
    for name in table.colnames:
        if name not in by_name:
            result[name] = table[name]
            continue
        result[name] = _typed(by_name[name], table[name])
        result[name].info.description = by_name[name].description
        result[name].info.meta = {"ucd": by_name[name].ucd}
    return result


def empty_table(columns: Sequence[Column], *, n_bands: int = 0) -> QTable:
    """Give a table without rows, with every column.

    Parameters
    ----------
    columns : sequence of Column
        The declarations.
    n_bands : int
        Energy bands, for columns that are per band.

    Returns
    -------
    QTable
    """
    empty = {c.name: np.zeros((0, n_bands) if c.per_band else 0, c.dtype) for c in columns}
    return declared(QTable(empty), columns)


def rows_of(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Give values as an array of this shape.

    Parameters
    ----------
    name : str
        What they are called, for the error.
    values : array_like
        The values.
    shape : tuple of int
        A row per source.

    Returns
    -------
    ndarray

    Raises
    ------
    PssegError
        If the shape is another one.
    """
    result = np.asarray(values, dtype=float)
    if result.shape != shape:
        raise PssegError(f"{name}: want shape {shape}, a row per source, got {result.shape}")
    return result


def told_apart(names: Sequence[str]) -> list[str]:
    """Add letters to names that occur more than once.

    Parameters
    ----------
    names : sequence of str
        In the order in which they get letters.

    Returns
    -------
    list of str

    Examples
    --------
    >>> told_apart(["A", "B", "A"])
    ['Aa', 'B', 'Ab']
    """
    total, seen = Counter(names), Counter[str]()
    result = []
    for name in names:
        result.append(name + _letters(seen[name]) if total[name] > 1 else name)
        seen[name] += 1
    return result


def _listed(names: Sequence[str], most: int = 4) -> str:
    """List names in a line, of many the first.

    Examples
    --------
    >>> _listed(["ra", "dec"]), _listed(["a", "b", "c", "d", "e", "f"])
    ('ra, dec', 'a, b, c, d and 2 more')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def in_own_names(table: QTable, columns: Sequence[Column], origin: str | Path) -> QTable:
    """Give a table that was read psseg's own names and units, if it is a catalogue at all.

    Parameters
    ----------
    table : QTable
        Under these names, or in a style of `psseg.catalogue.radio_styles`.
    columns : sequence of Column
        Declarations of the columns it must have.
    origin : str or Path
        The file, for the error.

    Returns
    -------
    QTable

    Raises
    ------
    PssegError
        If a column is missing.
    """
    table = own_style(table, columns)
    missing = [column.name for column in columns if column.name not in table.colnames]
    if missing:
        raise PssegError(f"{origin}: no catalogue of psseg: it lacks {_listed(missing)}")
    return table


def _typed(column: Column, values: Any) -> Any:
    given = np.asarray(values)
    if column.dtype.startswith("U") and given.dtype.kind == "f":  # of words that are all empty
        return np.full(given.shape, "", dtype=column.dtype)
    if not column.unit:
        return np.asarray(values).astype(column.dtype)
    return u.Quantity(values, column.unit, dtype=np.dtype(column.dtype))


def _letters(number: int) -> str:
    """Count in letters: a, b, … z, aa, ab and so on."""
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + string.ascii_lowercase[last]
