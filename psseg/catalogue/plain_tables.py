"""What every file format keeps of a catalogue: names, units, UCDs, descriptions, values.

In: a catalogue. Out: what each column is, in words, and its values without a unit; and from both
the catalogue again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Column, QTable
from numpy.typing import NDArray

__all__ = [
    "ColumnText",
    "assembled",
    "column_texts",
    "first_line",
    "header_meta",
    "meta_texts",
    "plain_values",
]

Meta = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ColumnText:
    """What a column is: each part is empty where it is not known.

    Parameters
    ----------
    name : str
        Its name.
    unit : str
        In the spelling of the FITS standard where this has the unit, else in astropy's.
    ucd : str
        Unified content descriptor.
    description : str
        One line.
    """

    name: str
    unit: str = ""
    ucd: str = ""
    description: str = ""


def column_texts(table: QTable) -> list[ColumnText]:
    """Say what each column of a table is.

    Parameters
    ----------
    table : QTable
        The table.

    Returns
    -------
    list of ColumnText
    """
    return [
        ColumnText(
            name=name,
            unit=_unit_text(getattr(table[name], "unit", None)),
            ucd=(table[name].info.meta or {}).get("ucd", ""),
            description=table[name].info.description or "",
        )
        for name in table.colnames
    ]


def plain_values(column: Any) -> NDArray[Any]:
    """Give the values of a column, without unit, in the machine's byte order.

    Parameters
    ----------
    column : Column, Quantity or array
        Masked numbers become NaN (0 where they are whole), masked strings empty.

    Returns
    -------
    ndarray
    """
    if getattr(column, "mask", None) is not None:
        column = column.filled({"f": np.nan, "U": "", "S": ""}.get(column.dtype.kind, 0))
    values = np.asarray(getattr(column, "value", column))
    if values.dtype.kind == "O":
        values = values.astype(str)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def assembled(
    values: Mapping[str, NDArray[Any]], texts: Sequence[ColumnText], meta: Meta
) -> QTable:
    """Make a table of values and of what the columns are.

    Parameters
    ----------
    values : mapping of str to ndarray
        The columns, in order.
    texts : sequence of ColumnText
        What some or all of them are.
    meta : mapping
        Of the table.

    Returns
    -------
    QTable
    """
    known = {text.name: text for text in texts}
    table = QTable(meta=dict(meta))
    for name, column in values.items():
        text = known.get(name, ColumnText(name=name))
        table[name] = u.Quantity(column, _unit(text.unit)) if text.unit else Column(column)
        if text.description:
            table[name].info.description = text.description
        if text.ucd:
            table[name].info.meta = {"ucd": text.ucd}
    return table


def header_meta(cards: Meta | fits.Header) -> dict[str, str | list[str]]:
    """Give header cards as a table's meta has them.

    Parameters
    ----------
    cards : mapping or Header
        Provenance. Cards that may occur more than once are lists of lines.

    Returns
    -------
    dict
    """
    meta: dict[str, str | list[str]] = {}
    for key, value in cards.items():
        if key in ("HISTORY", "COMMENT"):
            lines = meta.setdefault(key, [])
            assert isinstance(lines, list)
            lines.extend(value if isinstance(value, list | tuple) else [str(value)])
        else:
            meta[key] = str(value)
    return meta


def meta_texts(meta: Meta) -> list[tuple[str, str]]:
    """Give the entries of a table's meta as pairs of strings, one for each line.

    Parameters
    ----------
    meta : mapping
        Values are strings, numbers or lists of lines.

    Returns
    -------
    list of (str, str)
    """
    return [
        (key, str(line))
        for key, value in meta.items()
        for line in (value if isinstance(value, list | tuple) else [value])
    ]


def first_line(error: Exception) -> str:
    """Give the first line of what another package says of a file, at most 200 characters."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def _unit_text(unit: u.UnitBase | None) -> str:
    if unit is None or unit == u.dimensionless_unscaled:
        return ""
    try:
        return unit.to_string("fits")
    except ValueError:
        return unit.to_string()


def _unit(text: str) -> u.UnitBase:
    return u.Unit(text, parse_strict="silent")
