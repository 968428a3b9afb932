"""Read FITS tables: columns of numbers, energies, and the energy bins of a counts cube."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.io import fits
from numpy.typing import NDArray

from psseg.errors import PssegError
from psseg.tiles.headers import DAMAGED, one_line

__all__ = ["column_energies", "column_names", "column_values", "energy_bins", "find_table"]


def find_table(hdus: fits.HDUList, name: str) -> fits.BinTableHDU | None:
    """Give the binary table of that name, or None."""
    tables = (hdu for hdu in hdus if hasattr(hdu, "columns") and hdu.name == name)
    return next(tables, None)


def energy_bins(
    hdus: fits.HDUList, *, n_bins: int, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the energy bins of a counts cube from its EBOUNDS table.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
    n_bins : int
        Length of the cube's energy axis.
    name : str
        The file's name, for messages.

    Returns
    -------
    low, high : numpy.ndarray, shape (n_bins,)
        Edges, GeV.

    Raises
    ------
    PssegError
        If there is no EBOUNDS table, or it does not fit the cube.

    Notes
    -----
    The unit is the column's, keV where it gives none (OGIP's convention, and gtbin's).
    """
    table = find_table(hdus, "EBOUNDS")
    if table is None:
        raise PssegError(
            f"{name}: no EBOUNDS table, so the energies of its {n_bins} planes are unknown; "
            "give a counts cube as gtbin writes it (algorithm CCUBE)"
        )
    low = column_energies(table, "E_MIN", default="keV", name=name)
    high = column_energies(table, "E_MAX", default="keV", name=name)
    if len(low) != n_bins:
        raise PssegError(
            f"{name}: EBOUNDS has {len(low)} energy bins but the image {n_bins} planes"
        )
    if not (np.all(low > 0) and np.all(high > low) and np.all(low[1:] >= high[:-1] * (1 - 1e-4))):
        raise PssegError(f"{name}: the energy bins of EBOUNDS are not positive, rising and apart")
    return low, high


def column_names(table: fits.BinTableHDU) -> dict[str, str]:
    """Give the names of a table's columns by their upper-case form."""
    return {name.upper(): name for name in table.columns.names if name}


def column_values(table: fits.BinTableHDU, column: str, *, name: str) -> NDArray[np.float64]:
    """Read a column of numbers, native, into memory of its own.

    Parameters
    ----------
    table : astropy.io.fits.BinTableHDU
    column : str
        Its exact name.
    name : str
        The file's name, for messages.

    Returns
    -------
    numpy.ndarray, shape (n_rows,)

    Raises
    ------
    PssegError
        If the table does not fit its header, or the column holds no numbers.
    """
    try:
        return np.array(table.data[column], dtype=float).reshape(-1)
    except DAMAGED as error:
        message = f"{name}: column {column} of table {table.name} cannot be read"
        raise PssegError(f"{message}: {one_line(error)}") from error


def column_energies(
    table: fits.BinTableHDU, column: str, *, default: str, name: str
) -> NDArray[np.float64]:
    """Read a column of energies.

    Parameters
    ----------
    table : astropy.io.fits.BinTableHDU
    column : str
        Its name, in either case.
    default : str
        Unit where the column gives none.
    name : str
        The file's name, for messages.

    Returns
    -------
    numpy.ndarray
        GeV.

    Raises
    ------
    PssegError
        If there is no such column, or its unit is none of energy.
    """
    names = column_names(table)
    if column.upper() not in names:
        have = ", ".join(names.values())
        raise PssegError(f"{name}: table {table.name} has no column {column}; it has {have}")
    text = table.columns[names[column.upper()]].unit or default
    try:
        factor = u.Unit(text).to("GeV")
    except (ValueError, u.UnitConversionError) as error:
        raise PssegError(
            f"{name}: column {column} of {table.name} is in {text!r}, want a unit of energy"
        ) from error
    return column_values(table, names[column.upper()], name=name) * factor
