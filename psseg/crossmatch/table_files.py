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
from numpy.typing import NDArray

from psseg.catalogue.fits_format import stamp
from psseg.errors import PssegError, PssegWarning

__all__ = ["check_ending", "table_writer"]

ENDINGS = {
    ".fits": "fits", ".fit": "fits", ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".csv": "csv", ".ecsv": "ecsv",
}  # fmt: skip


LARGER = {
    "i1": "i2", "u1": "i2", "u2": "i4", "i2": "i4", "u4": "i8", "i4": "i8", "u8": "i8",
}  # fmt: skip
"""Integers that hold those of a type and one more."""

NO_NULL = ("i1", "u1", "u2", "u4", "u8")
"""Integers of which FITS has none, or whose least number is a common value: zero."""


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
        Cards; a value may be a list of lines, and one that is not-a-number is left out.
    path : Path
        Where it goes; its ending says the format: FITS, VOTable, CSV or ECSV.

    Returns
    -------
    callable
        Takes the path to write to.
    """
    form = check_ending(path)
    header = {
        key: value
        for key, value in header.items()
        if not (isinstance(value, float) and np.isnan(value))
    }
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
            given = np.asarray(np.ma.filled(np.ma.asarray(column), ""))
            values = np.array([_ascii(text) for text in given], dtype=f"U{_width(column)}")
            changed += int(np.count_nonzero(values != given))
        elif column.dtype.kind in "iu" and isinstance(column, MaskedColumn):
            values = _with_null(column)
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


def _with_null(column: MaskedColumn) -> MaskedColumn | NDArray[np.integer]:
    """Give integers whose fill value, which FITS reads back as null, is that of no valid row.

    The least number of the type, after it is made large enough for one more; numpy's own fill value
    is cut to the type (999999 becomes 63 in a byte), and may be that of a source.
    """
    valid = np.asarray(column.data)[~np.ma.getmaskarray(column)]
    if valid.size == np.size(column):
        return np.asarray(column.data)
    name = column.dtype.str[1:]
    while name in NO_NULL or (valid == np.iinfo(name).min).any():
        if name not in LARGER or (name == "u8" and (valid > np.iinfo("i8").max).any()):
            raise PssegError(
                f"column {column.name}: FITS has no null beside its values; use VOTable"
            )
        name = LARGER[name]
    return MaskedColumn(column.astype(name), fill_value=np.iinfo(name).min)


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
