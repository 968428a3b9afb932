"""Tables whose columns are declared once: typed, described, written to FITS.

In: declarations and values. Out: tables with units, UCDs and descriptions, and the HDUs that keep
them.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.column import Column
from psseg.catalogue.radio_styles import own_style
from psseg.errors import PssegError

__all__ = [
    "declared",
    "empty_table",
    "in_own_names",
    "read_hdu",
    "rows_of",
    "stamp",
    "table_hdu",
    "told_apart",
]

NOT_META = ("TUCD", "TCOMM", "FLAG", "CHECKSUM", "DATASUM", "EXTNAME")
"""Header cards that belong to the file, not to what it tells."""


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


def table_hdu(table: Table, name: str, columns: Sequence[Column] = ()) -> fits.BinTableHDU:
    """Make a table HDU; the description of a column goes to TCOMM, its UCD to TUCD.

    Parameters
    ----------
    table : Table
        Its meta is left out.
    name : str
        Of the HDU.
    columns : sequence of Column
        Declarations, whose units are written as they stand there.

    Returns
    -------
    astropy.io.fits.BinTableHDU
    """
    plain = Table(table, copy=False)
    plain.meta = {}
    hdu = fits.table_to_hdu(plain)
    hdu.name = name
    units = {column.name: column.unit for column in columns if column.unit}
    for number, column in enumerate(table.colnames, 1):
        info = table[column].info
        if column in units:
            hdu.columns[column].unit = units[column]
        if info.description:
            hdu.header[f"TCOMM{number}"] = info.description
        if info.meta and "ucd" in info.meta:
            hdu.header[f"TUCD{number}"] = info.meta["ucd"]
    return hdu


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


def read_hdu(hdu: fits.BinTableHDU, columns: Sequence[Column], origin: str) -> QTable:
    """Read a table that `table_hdu` made.

    Parameters
    ----------
    hdu : astropy.io.fits.BinTableHDU
        The HDU.
    columns : sequence of Column
        Declarations of the columns it must have, under their names or in a style of
        `psseg.catalogue.radio_styles`.
    origin : str
        The file, for the error.

    Returns
    -------
    QTable
        With units, descriptions, UCDs and, in its meta, what the header says.

    Raises
    ------
    PssegError
        If a column is missing.
    """
    table = QTable.read(hdu, mask_invalid=False, character_as_bytes=False)
    ucds = [hdu.header.get(f"TUCD{number}") for number in range(1, len(table.colnames) + 1)]
    for name, ucd in zip(table.colnames, ucds, strict=True):
        if ucd:
            table[name].info.meta = {"ucd": ucd}
    table = in_own_names(table, columns, origin)
    table.meta = {k: v for k, v in table.meta.items() if not k.startswith(NOT_META)}
    return declared(table, columns)


def stamp(header: fits.Header, cards: Mapping[str, Any] | fits.Header) -> None:
    """Add cards, of which a header holds 80 ASCII characters each.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Is changed.
    cards : mapping or Header
        In a mapping, a value may be a list of lines.
    """
    if isinstance(cards, fits.Header):
        for card in cards.cards:
            _add_card(header, card.keyword, card.value, card.comment)
        return
    for key, value in cards.items():
        for line in value if isinstance(value, list | tuple) else [value]:
            _add_card(header, key, line, "")


def _typed(column: Column, values: Any) -> Any:
    if not column.unit:
        return np.asarray(values).astype(column.dtype)
    return u.Quantity(values, column.unit, dtype=np.dtype(column.dtype))


def _letters(number: int) -> str:
    """Count in letters: a, b, … z, aa, ab and so on."""
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + string.ascii_lowercase[last]


def _add_card(header: fits.Header, key: str, value: Any, comment: str) -> None:
    """Add a card; a comment that finds no room beside a long value is left out."""
    if isinstance(value, str):
        value = value.encode("ascii", "replace").decode("ascii")
        room = 80 - len("KEYWORD = '' / ") - len(value)
        comment = comment if len(comment) <= room else ""
    if key.upper() in ("HISTORY", "COMMENT"):
        header[key] = value
    else:
        header[key] = (value, comment)
