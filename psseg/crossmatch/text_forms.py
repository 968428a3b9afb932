"""How a table of text is laid out: its separator, where its names are, and a row of units.

In: the lines of a file. Out: options for :meth:`astropy.table.Table.read`, and the units that
VizieR puts below the names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from astropy import units as u
from astropy.table import Table

from psseg.crossmatch.columns import is_number

__all__ = ["UnitsRow", "set_units", "text_form", "units_row"]

SEPARATORS = ",;\t|"

MOST_LINES = 2000
"""Lines among which the first that is no comment is looked for."""


@dataclass(frozen=True, kw_only=True)
class UnitsRow:
    """Rows below the names that are no sources.

    Parameters
    ----------
    rows : slice
        Their lines.
    texts : tuple of str
        A unit for each column, empty for none.
    """

    rows: slice
    texts: tuple[str, ...]


def text_form(lines: Sequence[str]) -> list[dict[str, object]]:
    """Give the options to read a table, the likeliest first.

    Parameters
    ----------
    lines : sequence of str
        The file.

    Returns
    -------
    list of dict
        For a separator that the first line shows, or blanks. Where that line holds numbers, the
        names are those of the last comment above it that has as many, as in ``# ra dec flux``.
    """
    first = _first_row(lines)
    if first is None:
        return []
    separator = _separator(lines[first])
    common = {"delimiter": separator, "comment": "#", "guess": False}
    fields = _split(lines[first], separator)
    if any(is_number(field) for field in fields):
        for line in reversed(lines[:first]):
            names = _commented_names(line, separator, len(fields))
            if names:
                return [{"format": "ascii.no_header", "names": names, **common}]
    return [{"format": "ascii.basic" if separator == " " else "ascii.csv", **common}]


def units_row(lines: Sequence[str]) -> UnitsRow | None:
    """Find the units and dashes that VizieR writes below the names; None if there are none.

    Parameters
    ----------
    lines : sequence of str
        The file.

    Returns
    -------
    UnitsRow or None
    """
    first = _first_row(lines)
    if first is None:
        return None
    separator = _separator(lines[first])
    n_columns = len(_split(lines[first], separator))
    for distance in (1, 2):
        below = first + distance
        if below < len(lines) and _is_ruler(_split(lines[below], separator)):
            texts = _split(lines[below - 1], separator) if distance == 2 else []
            texts += [""] * (n_columns - len(texts))
            return UnitsRow(rows=slice(first + 1, below + 1), texts=tuple(texts[:n_columns]))
    return None


def set_units(table: Table, texts: Sequence[str]) -> None:
    """Set the units of columns that have one; ``h:m:s`` is none, as the values show."""
    for name, text in zip(table.colnames, texts, strict=True):
        if text and ":" not in text:
            table[name].unit = u.Unit(text, parse_strict="silent")


def _first_row(lines: Sequence[str]) -> int | None:
    """Give the first line that is neither empty nor a comment."""
    rows = enumerate(lines[:MOST_LINES])
    return next((row for row, line in rows if line.strip() and line.lstrip()[0] != "#"), None)


def _separator(line: str) -> str:
    """Give the separator of a line, a blank if it has no other."""
    separator = max(SEPARATORS, key=line.count)
    return separator if separator in line else " "


def _split(line: str, separator: str) -> list[str]:
    parts = line.split() if separator == " " else line.split(separator)
    return [part.strip().strip('"').strip() for part in parts]


def _commented_names(line: str, separator: str, number: int) -> list[str]:
    """Give the names that a comment lists, if they are this many and differ."""
    text = line.strip().lstrip("#").strip()
    for mark in (",", " ") if separator == " " else (separator, ",", " "):
        names = _split(text, mark)
        if len(names) == number == len(set(names)) and all(names):
            return names
    return []


def _is_ruler(fields: Sequence[str]) -> bool:
    """Say whether fields are dashes, as below the names of a table."""
    return len(fields) > 1 and all(re.fullmatch(r"-+|", field) for field in fields) and any(fields)
