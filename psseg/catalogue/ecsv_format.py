"""A catalogue as enhanced CSV: a table of text with everything in its head.

In: a catalogue and its provenance. Out: a file of ECSV (Astropy Proposal for Enhancement 6, 2020),
separated by commas, which astropy, gammapy and newer versions of TOPCAT read; and such a file read
back. Programs that take lines with ``#`` for comments read the rest as CSV.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable, Table
from astropy.table.meta import get_header_from_yaml
from numpy.typing import NDArray

from psseg.catalogue.plain_tables import ColumnText, assembled, first_line
from psseg.errors import PssegError

__all__ = ["read_ecsv", "write_ecsv"]

MOST_HEAD_LINES = 5000
"""A head is shorter, whatever the command line in it; a file with more lines has rows."""

VECTOR = re.compile(r"(?P<dtype>\w+)\[(?P<length>\d+)\]")
"""What a column with several values per row says of its type."""


def write_ecsv(path: str | Path, table: QTable, meta: Mapping[str, Any]) -> None:
    """Write a catalogue as enhanced CSV.

    Parameters
    ----------
    path : str or Path
        The file.
    table : QTable
        A catalogue.
    meta : mapping
        Its provenance.
    """
    stamped = Table(table, copy=False)
    stamped.meta = dict(meta)
    stamped.write(path, format="ascii.ecsv", delimiter=",")


def read_ecsv(path: str | Path) -> QTable:
    """Read a catalogue that `write_ecsv` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    QTable

    Raises
    ------
    PssegError
        If the file cannot be read.
    """
    try:
        empty = _without_rows(path)
        if empty is not None:
            return empty
        return QTable.read(path, format="ascii.ecsv", fill_values=None)
    except (OSError, ValueError, KeyError) as error:
        raise PssegError(f"{path}: cannot be read as ECSV: {first_line(error)}") from error


def _without_rows(path: str | Path) -> QTable | None:
    """Read a table without rows from its head alone: astropy 8.0 fails on its vectors."""
    with Path(path).open(encoding="utf-8") as file:
        lines = list(islice(file, MOST_HEAD_LINES))
    head = [line.removeprefix("# ").rstrip("\n") for line in lines if line.startswith("# ")]
    if any(line.strip() for line in lines[len(head) + 1 :]):
        return None
    content = get_header_from_yaml(head[1:])
    columns = content["datatype"]
    return assembled(
        {column["name"]: _no_values(column) for column in columns},
        [_text_of(column) for column in columns],
        content.get("meta", {}),
    )


def _no_values(column: Mapping[str, str]) -> NDArray[Any]:
    vector = VECTOR.fullmatch(column.get("subtype") or "")
    if vector:
        return np.zeros((0, int(vector["length"])), dtype=vector["dtype"])
    return np.zeros(0, dtype="U1" if column["datatype"] == "string" else column["datatype"])


def _text_of(column: Mapping[str, Any]) -> ColumnText:
    return ColumnText(
        name=column["name"],
        unit=str(column.get("unit", "")),
        ucd=dict(column.get("meta", {})).get("ucd", ""),
        description=column.get("description", ""),
    )
