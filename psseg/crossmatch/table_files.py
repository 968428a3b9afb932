"""Files of joined tables: FITS, VOTable, CSV or ECSV, by the ending of the name.

In: a table, what its header tells, and a path. Out: the function that writes the file.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.table import Column as TableColumn
from astropy.table import MaskedColumn, Table

from psseg.catalogue.declared_tables import stamp
from psseg.errors import PssegError, PssegWarning

__all__ = ["check_ending", "table_writer"]

ENDINGS = {
    ".fits": "fits", ".fit": "fits", ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".csv": "csv", ".ecsv": "ecsv",
}  # fmt: skip


def check_ending(path: Path) -> str:
    """Give the format of a table's file from its ending, and refuse one that is not known."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise PssegError(f"{path}: want a name that ends with {', '.join(ENDINGS)}")
    return ENDINGS[ending]


def table_writer(table: Table, header: Mapping[str, Any], path: Path) -> Callable[[Path], object]:
    """Give the function that writes a table in the format of a path's ending.

    Parameters
    ----------
    table : Table
        The table.
    header : mapping
        Cards; a value may be a list of lines.
    path : Path
        Where it goes; its ending says the format: FITS, VOTable, CSV or ECSV.

    Returns
    -------
    callable
        Takes the path to write to.
    """
    form = check_ending(path)
    if form == "fits":
        return lambda to: _fits_file(table, header).writeto(to)
    plain = table.copy(copy_data=False)
    plain.meta = {
        key: value for key, value in header.items() if not isinstance(value, list) or value
    }
    if form == "csv":
        flat = _flat(plain)
        return lambda to: flat.write(to, format="ascii.csv")
    if form == "ecsv":
        return lambda to: plain.write(to, format="ascii.ecsv")
    return lambda to: _write_votable(plain, to)


def _write_votable(table: Table, path: Path) -> None:
    meta, table.meta = table.meta, {}
    for column in table.columns.values():
        column.meta = {"ucd": column.meta["ucd"]} if column.meta.get("ucd") else {}
    tree = from_table(table)
    lines = (f"{key} = {value}" for key, value in meta.items())
    tree.get_first_table().description = "\n".join(lines)
    # As text, infinities would be spelt as votlint will not have them.
    writeto(tree, str(path), tabledata_format="binary2")


def _fits_file(table: Table, header: Mapping[str, Any]) -> fits.HDUList:
    """Make a FITS file of a table; text that is not ASCII is spelt without accents."""
    plain = Table()
    changed = 0
    for name, column in table.columns.items():
        values = column
        if column.dtype.kind == "U":
            values = np.array([_ascii(text) for text in column], dtype=f"U{_width(column)}")
            changed += int(np.count_nonzero(values != np.asarray(column)))
        kind = MaskedColumn if isinstance(values, MaskedColumn) else TableColumn
        plain[_ascii(name)] = kind(values, unit=column.unit)
    if changed:
        warnings.warn(
            f"{changed} names are not ASCII, which FITS text must be; VOTable keeps them",
            PssegWarning, stacklevel=2,
        )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that FITS has no word for, kept as they stand
        hdu = fits.table_to_hdu(plain)
    hdu.name = "MATCHES"
    for number, column in enumerate(table.columns.values(), 1):
        if column.description:
            hdu.header[f"TCOMM{number}"] = _ascii(str(column.description))
        if ucd := (column.meta or {}).get("ucd"):
            hdu.header[f"TUCD{number}"] = str(ucd)
    stamp(hdu.header, header)
    return fits.HDUList([fits.PrimaryHDU(), hdu])


def _width(column: Any) -> int:
    return max(1, column.dtype.itemsize // 4)


def _ascii(text: str) -> str:
    """Spell a text in ASCII: without accents, other letters as question marks."""
    if text.isascii():
        return re.sub(r"[^ -~]", " ", text)
    bare = unicodedata.normalize("NFKD", text)
    return (
        "".join(c for c in bare if not unicodedata.combining(c)).encode("ascii", "replace").decode()
    )


def _flat(table: Table) -> Table:
    """Give a table in which a column of several values per source is several columns."""
    result = Table(meta=table.meta)
    for name, column in table.columns.items():
        if column.ndim == 1:
            result[name] = column
            continue
        for place, values in enumerate(np.asarray(column).reshape(len(column), -1).T, 1):
            result[f"{name}_{place}"] = values
    return result
