"""A catalogue as FITS: its HDUs, their header cards, and the file.

In: tables, and what is to be said about them. Out: HDUs that keep units, UCDs and descriptions, a
file of them, and both read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.table import QTable, Table

from psseg.catalogue.column import Column
from psseg.catalogue.declared_tables import declared, in_own_names
from psseg.errors import PssegError

__all__ = [
    "NOT_META",
    "catalogue_hdus",
    "flag_cards",
    "read_hdu",
    "refuse_incomplete",
    "stamp",
    "table_hdu",
    "write_hdus",
]

NOT_META = ("TUCD", "TCOMM", "FLAG", "CHECKSUM", "DATASUM", "EXTNAME")
"""Header cards that belong to the file, not to what it tells."""


@contextmanager
def catalogue_hdus(
    path: str | Path, *names: str, what: str = "catalogue"
) -> Iterator[fits.HDUList]:
    """Open a FITS catalogue of psseg.

    Parameters
    ----------
    path : str or Path
        The file.
    *names : str
        HDUs that it must have.
    what : str
        What it should be, for the error.

    Yields
    ------
    astropy.io.fits.HDUList

    Raises
    ------
    PssegError
        If the file cannot be read or lacks an HDU.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            for name in names:
                if name not in hdus:
                    raise PssegError(f"{path}: no {what} of psseg: there is no HDU named {name}")
            yield hdus
    except OSError as error:
        raise PssegError(f"{path}: cannot be read: {error}") from error


def flag_cards(meanings: Mapping[Any, str]) -> dict[str, str]:
    """Give the header cards that explain flags.

    Parameters
    ----------
    meanings : mapping of enum.IntFlag to str
        One line per flag.

    Returns
    -------
    dict of str to str
        ``FLAGn``, where n is the value of the bit, with name and meaning.

    Examples
    --------
    >>> from psseg.catalogue.flags import Flag
    >>> flag_cards({Flag.BLENDED: "a neighbour is close"})
    {'FLAG4': 'BLENDED: a neighbour is close'}
    """
    return {f"FLAG{flag.value}": f"{flag.name}: {text}" for flag, text in meanings.items()}


def refuse_incomplete(path: str | Path, table: Table, columns: Sequence[Column]) -> None:
    """Refuse to write a table that lacks a column.

    Parameters
    ----------
    path : str or Path
        Where it was to go, for the error.
    table : Table
        May have further columns.
    columns : sequence of Column
        Those it must have.

    Raises
    ------
    PssegError
        If it lacks one.
    """
    missing = [column.name for column in columns if column.name not in table.colnames]
    if missing:
        raise PssegError(f"{path}: the table is no catalogue, it lacks {', '.join(missing)}")


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
        If a column is missing, or the file ends before the table does.
    """
    try:
        table = QTable.read(hdu, mask_invalid=False, character_as_bytes=False)
    except (TypeError, ValueError) as error:
        raise PssegError(f"{origin}: cannot be read: {error}") from error
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


def write_hdus(
    path: str | Path,
    catalogue: fits.BinTableHDU,
    further: Iterable[fits.BinTableHDU] = (),
    *,
    meta: Mapping[str, Any],
    provenance: Mapping[str, Any] | fits.Header,
    flags: Mapping[Any, str],
    survey_table: Table,
    thresholds: Mapping[str, float],
) -> None:
    """Write the HDUs of a catalogue with everything that is to be said about it.

    Parameters
    ----------
    path : str or Path
        The file; it must not exist.
    catalogue : astropy.io.fits.BinTableHDU
        The sources; its header gets the cards.
    further : iterable of astropy.io.fits.BinTableHDU
        What follows it.
    meta : mapping
        What the table's own meta says.
    provenance : mapping or Header
        Header cards that say who made it, with what, from what.
    flags : mapping of enum.IntFlag to str
        What its flags mean.
    survey_table : Table
        What it should say about its survey; the table's meta goes to the header.
    thresholds : mapping
        Names and values of the thresholds that were applied.

    Raises
    ------
    PssegError
        If the file exists.
    """
    if Path(path).exists():
        raise PssegError(f"{path}: exists already")
    primary = fits.PrimaryHDU()
    for hdu in (primary, catalogue):
        stamp(hdu.header, meta)
        stamp(hdu.header, provenance)
    catalogue.header.update(flag_cards(flags))
    survey = table_hdu(survey_table, "SURVEY")
    stamp(survey.header, survey_table.meta)
    applied = Table({"NAME": list(thresholds), "VALUE": [float(v) for v in thresholds.values()]})
    hdus = [primary, catalogue, *further, survey, table_hdu(applied, "THRESHOLDS")]
    fits.HDUList(hdus).writeto(path, checksum=True)


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
