"""The formats of a catalogue besides its FITS file: what they are called, written, and read back.

In: a catalogue. Out: its files in other formats. In: a file of any format that psseg wrote. Out:
the catalogue.

FITS keeps ASCII alone; names in other letters need one of the other formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.catalogue.column import Column
from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.coverage import check_mocpy, write_coverage
from psseg.catalogue.csv_format import metadata_path, read_csv, write_csv, write_csv_metadata
from psseg.catalogue.declared_tables import declared, in_own_names
from psseg.catalogue.ecsv_format import read_ecsv, write_ecsv
from psseg.catalogue.fermi_format import write_fermi
from psseg.catalogue.fits_format import NOT_META, catalogue_hdus, flag_cards, read_hdu
from psseg.catalogue.flags import FLAG_MEANINGS
from psseg.catalogue.parquet_format import check_pyarrow, read_parquet, write_parquet
from psseg.catalogue.plain_tables import header_meta
from psseg.catalogue.radio_columns import RADIO_COLUMNS
from psseg.catalogue.radio_flags import RADIO_FLAG_MEANINGS
from psseg.catalogue.votable_format import read_votable, write_votable
from psseg.errors import PssegError
from psseg.survey.survey import Survey

__all__ = ["FORMATS", "check_formats", "format_paths", "format_writers", "read_catalogue"]

FORMATS = {
    "votable": "_catalogue.vot",
    "csv": "_catalogue.csv",
    "ecsv": "_catalogue.ecsv",
    "parquet": "_catalogue.parquet",
    "4fgl": "_4fgl.fits",
    "moc": "_moc.fits",
}
"""Each format and the ending of its file. The first four hold the whole catalogue."""

METADATA = "csv metadata"
"""What the second file of a CSV is called among the products."""

Writers = dict[Path, Callable[[Path], object]]


def check_formats(names: Iterable[str], *, counts: bool) -> None:
    """Refuse formats that could not be written, before any work is done.

    Parameters
    ----------
    names : iterable of str
        Of `FORMATS`.
    counts : bool
        Whether the catalogue is of a counts map.

    Raises
    ------
    PssegError
        If a format is not known, needs a package that is not installed, or is one of the other kind
        of map.
    """
    for name in names:
        if name not in FORMATS:
            raise PssegError(f"format: want one of {', '.join(FORMATS)}, got {name!r}")
        if name == "4fgl" and not counts:
            raise PssegError("format: 4fgl is for counts maps; radio images have none")
        if name == "parquet":
            check_pyarrow()
        if name == "moc":
            check_mocpy()


def format_paths(names: Iterable[str], start: Path) -> dict[str, Path]:
    """Name the files of some formats.

    Parameters
    ----------
    names : iterable of str
        Of `FORMATS`.
    start : Path
        Folder and stem of the products.

    Returns
    -------
    dict of str to Path
        One per format; of CSV a second one, for its metadata.

    Examples
    --------
    >>> [path.name for path in format_paths(["csv", "moc"], Path("out/crab")).values()]
    ['crab_catalogue.csv', 'crab_catalogue.csv-metadata.json', 'crab_moc.fits']
    """
    paths = {}
    for name in names:
        paths[name] = start.with_name(start.name + FORMATS[name])
        if name == "csv":
            paths[METADATA] = metadata_path(paths[name])
    return paths


def format_writers(
    paths: Mapping[str, Path],
    table: QTable,
    provenance: Mapping[str, Any] | fits.Header,
    *,
    searched: NDArray[np.bool_],
    wcs: WCS,
    survey: Survey | None = None,
) -> Writers:
    """Give what writes a catalogue in some formats.

    Parameters
    ----------
    paths : mapping of str to Path
        As `format_paths` gives them.
    table : QTable
        A catalogue.
    provenance : mapping or Header
        Header cards that say who made it, with what, from what. What the table's own meta says is
        kept.
    searched : ndarray of bool (n_y, n_x)
        The pixels that were searched.
    wcs : WCS
        Of the map.
    survey : Survey, optional
        Needed for 4fgl alone.

    Returns
    -------
    dict of Path to callable
        As `psseg.products.write_together` takes them.
    """
    meta = header_meta(table.meta) | header_meta(provenance) | _flag_meanings(table)
    write: dict[str, Callable[[Path], object]] = {
        "votable": partial(write_votable, table=table, meta=meta),
        "csv": partial(write_csv, table=table),
        METADATA: partial(write_csv_metadata, table=table, meta=meta),
        "ecsv": partial(write_ecsv, table=table, meta=meta),
        "parquet": partial(write_parquet, table=table, meta=meta),
        "moc": partial(write_coverage, searched=searched, wcs=wcs),
    }
    if survey is not None:
        write["4fgl"] = partial(write_fermi, table=table, survey=survey, provenance=provenance)
    return {path: write[name] for name, path in paths.items()}


def read_catalogue(path: str | Path) -> QTable:
    """Read a catalogue that psseg wrote, in any of its formats.

    Parameters
    ----------
    path : str or Path
        FITS, VOTable, CSV, ECSV or Parquet; told apart by their content. In another finder's style,
        columns get their own names and units back.

    Returns
    -------
    QTable
        The sources, of a counts map or of a radio image, with units, descriptions, UCDs
        (``column.info.meta["ucd"]``) and, in its meta, the provenance.

    Raises
    ------
    PssegError
        If the file cannot be read or holds no catalogue of psseg.
    """
    try:
        with Path(path).open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise PssegError(f"{path}: cannot be read: {error.strerror}") from error
    if start.startswith((b"SIMPLE", b"\x1f\x8b")):
        return _read_fits(path)
    table = _reader(start)(path)
    table.meta = {k: v for k, v in table.meta.items() if not k.startswith(NOT_META)}
    columns = _columns_of(table.colnames)
    return declared(in_own_names(table, columns, path), columns)


def _flag_meanings(table: QTable) -> dict[str, str]:
    """Say what the bits of ``Flags`` mean, as the header of the FITS file does."""
    counts = "RAJ2000" in table.colnames
    return flag_cards(FLAG_MEANINGS) if counts else flag_cards(RADIO_FLAG_MEANINGS)


def _reader(start: bytes) -> Callable[[str | Path], QTable]:
    if start.startswith(b"PAR1"):
        return read_parquet
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return read_votable
    if start.startswith(b"# %ECSV"):
        return read_ecsv
    return read_csv


def _columns_of(names: Sequence[str]) -> tuple[Column, ...]:
    """Give the declarations that a catalogue with these columns is to be read with."""
    return COLUMNS if "RAJ2000" in names else RADIO_COLUMNS


def _read_fits(path: str | Path) -> QTable:
    with catalogue_hdus(path, "CATALOGUE") as hdus:
        hdu = hdus["CATALOGUE"]
        return read_hdu(hdu, _columns_of(hdu.columns.names), str(path))
