"""A catalogue as CSV, for everything that reads nothing else.

In: a catalogue and its provenance. Out: two files. ``NAME.csv`` is plain: one line of names,
UTF-8, commas, no comments, so that every program reads it; numbers that are not known (NaN) are
empty, and a column with a value per band is spread into numbered ones (``Flux_Band_1``,
``Flux_Band_2``, …). ``NAME.csv-metadata.json`` says in the W3C's vocabulary for tabular data
(Tennison & Kellogg 2015, W3C Recommendation "Metadata Vocabulary for Tabular Data"), under the name
it gives such a file, what the columns are: type, unit, UCD, description; and where the catalogue
comes from. A CSV without it is read all the same.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.plain_tables import (
    ColumnText,
    assembled,
    column_texts,
    first_line,
    header_meta,
    plain_values,
)
from psseg.errors import PssegError

__all__ = ["metadata_path", "read_csv", "write_csv", "write_csv_metadata"]

TYPES = {"f8": "double", "f4": "float", "i8": "long", "i4": "int", "b1": "boolean"}
"""The W3C's name of each of numpy's types; "string" otherwise."""

UCD = "https://www.ivoa.net/documents/UCD1+/"
"""The property that holds the UCD: the vocabulary is named by an address, as the W3C asks."""

METADATA_ENDING = "-metadata.json"

NUMBERED = re.compile(r"(?P<name>.+)_(?P<number>[1-9]\d*)")
PER_BAND = tuple(column.name for column in COLUMNS if column.per_band)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What the metadata say of a column of the file: text, type, and the column it is part of."""

    text: ColumnText
    dtype: str
    whole: str


def metadata_path(path: str | Path) -> Path:
    """Give the file that says what the columns of a CSV are.

    Parameters
    ----------
    path : str or Path
        The CSV.

    Returns
    -------
    Path

    Examples
    --------
    >>> metadata_path("out/crab_catalogue.csv").name
    'crab_catalogue.csv-metadata.json'
    """
    return Path(f"{path}{METADATA_ENDING}")


def write_csv(path: str | Path, table: QTable) -> None:
    """Write the rows of a catalogue as CSV.

    Parameters
    ----------
    path : str or Path
        The file.
    table : QTable
        A catalogue.

    Raises
    ------
    PssegError
        If a column has more than one value per row and band.
    """
    spread = _spread(table)
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([name for name, _, _ in spread])
        writer.writerows(zip(*(_words(values) for _, _, values in spread), strict=True))


def write_csv_metadata(path: str | Path, table: QTable, meta: Mapping[str, Any]) -> None:
    """Write the metadata of a CSV.

    Parameters
    ----------
    path : str or Path
        The file, named as `metadata_path` says.
    table : QTable
        The catalogue.
    meta : mapping
        Its provenance.
    """
    texts = {text.name: text for text in column_texts(table)}
    content = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": Path(path).name.removesuffix(METADATA_ENDING),
        "dc:creator": meta.get("CREATOR", "psseg"),
        "dc:provenance": dict(meta),
        "tableSchema": {
            "columns": [
                _described(name, texts[whole], values.dtype)
                for name, whole, values in _spread(table)
            ]
        },
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    Path(path).write_text(f"{text}\n", encoding="utf-8")


def read_csv(path: str | Path) -> QTable:
    """Read a catalogue that `write_csv` wrote, with its metadata where they lie beside it.

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
        If the file cannot be read or is no table.
    """
    names, columns = _read_words(path)
    kept, meta = _read_metadata(metadata_path(path))
    texts: dict[str, ColumnText] = {}
    parts: dict[str, list[NDArray[Any]]] = {}
    for name, words in zip(names, columns, strict=True):
        known = kept.get(name) or _Kept(text=ColumnText(name=name), dtype="", whole=_whole(name))
        texts[known.whole] = known.text
        parts.setdefault(known.whole, []).append(_values(path, name, words, known.dtype))
    vectors = {known.whole for name, known in kept.items() if known.whole != name}
    vectors |= {_whole(name) for name in names if _whole(name) != name}
    values = {
        name: np.stack(part, axis=1) if name in vectors else part[0] for name, part in parts.items()
    }
    return assembled(values, list(texts.values()), meta)


def _spread(table: QTable) -> list[tuple[str, str, NDArray[Any]]]:
    """Give name, name of the whole, and values of each column of the file."""
    spread = []
    for name in table.colnames:
        values = plain_values(table[name])
        if values.ndim > 2:
            raise PssegError(f"CSV: column {name} has a table in each row; leave it out")
        if values.ndim == 1:
            spread.append((name, name, values))
        else:
            spread += [(f"{name}_{k}", name, part) for k, part in enumerate(values.T, 1)]
    return spread


def _words(values: NDArray[Any]) -> list[str]:
    """Write numbers as the shortest decimals that give them back."""
    words = values.astype(str)
    if values.dtype.kind == "f":
        words = np.where(np.isnan(values), "", words)
    return words.tolist()


def _described(name: str, text: ColumnText, dtype: np.dtype[Any]) -> dict[str, str]:
    """Say what a column of the file is."""
    said = {
        "name": name,
        "titles": name,
        "datatype": _type_name(dtype),
        "dc:description": text.description,
        "schema:unitText": text.unit,
        UCD: text.ucd,
        "dc:isPartOf": text.name if text.name != name else "",
    }
    return {key: value for key, value in said.items() if value}


def _type_name(dtype: np.dtype[Any]) -> str:
    return TYPES.get(dtype.str[1:], "string")


def _whole(name: str) -> str:
    """Give the column that a numbered one is part of, else its own name."""
    match = NUMBERED.fullmatch(name)
    return match["name"] if match and match["name"] in PER_BAND else name


def _read_words(path: str | Path) -> tuple[list[str], list[Sequence[str]]]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PssegError(f"{path}: cannot be read as CSV: {first_line(error)}") from error
    if not rows:
        raise PssegError(f"{path}: this file is empty")
    names, *rows = rows
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise PssegError(
                f"{path}: row {number} has {len(row)} values for {len(names)} columns: no CSV table"
            )
    return names, list(zip(*rows, strict=True)) if rows else [()] * len(names)


def _read_metadata(path: Path) -> tuple[dict[str, _Kept], dict[str, Any]]:
    if not path.exists():
        return {}, {}
    try:
        content = json.loads(path.read_text("utf-8"))
        columns = content["tableSchema"]["columns"]
        return {c["name"]: _kept(c) for c in columns}, header_meta(content["dc:provenance"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PssegError(
            f"{path}: these are no metadata of psseg's; move the file away to read the CSV without"
        ) from error


def _kept(column: Mapping[str, str]) -> _Kept:
    whole = column.get("dc:isPartOf", column["name"])
    codes = {name: code for code, name in TYPES.items()}
    text = ColumnText(
        name=whole,
        unit=column.get("schema:unitText", ""),
        ucd=column.get(UCD, ""),
        description=column.get("dc:description", ""),
    )
    return _Kept(text=text, dtype=codes.get(column["datatype"], "U"), whole=whole)


def _values(path: str | Path, name: str, words: Sequence[str], dtype: str) -> NDArray[Any]:
    """Read words as a type, or as the narrowest of whole number, number and string they fit."""
    texts = np.array(words, dtype=str)
    if dtype == "U":
        return texts
    if dtype == "b1":
        return texts == "True"
    numbers = np.where(texts == "", "nan", texts)
    for kind in [dtype] if dtype else ["i8", "f8"]:
        try:
            return (numbers if kind[0] == "f" else texts).astype(kind)
        except ValueError:
            continue
    if dtype:
        raise PssegError(f"{path}: column {name} holds something else than numbers")
    return texts
