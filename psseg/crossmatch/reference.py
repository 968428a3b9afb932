"""Reading a catalogue, whatever it is: psseg's own, a published one, another program's.

In: a file (FITS, VOTable, CSV, ECSV or another text table, the RFC's key file, a dump of the ATNF
catalogue; any of them compressed with gzip). Out: a :class:`SkyTable`, its columns as they were,
with positions, error ellipses, and what its classes and fluxes are called.
"""

from __future__ import annotations

import gzip
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.io.ascii import InconsistentTableError
from astropy.table import Table
from astropy.units import UnitsWarning
from numpy.typing import NDArray

from psseg.crossmatch.columns import ColumnChoice, find_column, find_positions
from psseg.crossmatch.ellipses import ErrorEllipses
from psseg.crossmatch.kinds import Kind, kind_of, plain
from psseg.crossmatch.position_errors import find_errors
from psseg.crossmatch.text_catalogues import (
    is_key_file,
    is_pulsar_dump,
    read_key_file,
    read_pulsar_dump,
)
from psseg.crossmatch.text_forms import set_units, text_form, units_row
from psseg.errors import PssegError, PssegWarning
from psseg.products import map_stem
from psseg.survey.classes import SOURCE_CLASSES, class_of_code

__all__ = ["SkyTable", "make_sky_table", "read_reference", "stem_of"]

CLASS_COLUMNS = ("class", "class1", "sourceclass", "type", "classification")
FLUX_COLUMNS = (
    *("flux1000", "intflux", "totalflux", "fluxint", "flux", "s14", "s1400", "energyflux"),
    *("energyflux100", "peakflux", "fluxpeak", "fpeak"),
)
FLUX_UCDS = ("phot.flux.density;em.radio;stat.fit", "phot.flux;em.gamma", "phot.flux.density")

HEAD = 3000
"""Bytes by which the format of a file is known."""

TABLE_ENDINGS = (".xml", ".vot", ".votable", ".csv", ".ecsv", ".txt", ".key")


@dataclass(frozen=True, kw_only=True, eq=False)
class SkyTable:
    """A catalogue of which is known what a match needs.

    Parameters
    ----------
    label : str
        Short name: the kind of catalogue, or the file's; letters, digits and underscores.
    origin : str
        The file.
    table : Table
        All columns as the file has them.
    coords : SkyCoord, shape (n,)
        ICRS positions, not-a-number where a source has none.
    ellipses : ErrorEllipses
        Position errors.
    kind : str
        Name of the known kind of catalogue, or empty.
    class_column, flux_column : str
        Columns of classes and fluxes; empty if there are none.
    flux_unit : str
        Unit of the fluxes where the table gives none; empty if it is not known.
    source_class : str
        Class of all sources, if the catalogue is of one kind of source.
    """

    label: str
    origin: str
    table: Table
    coords: SkyCoord
    ellipses: ErrorEllipses
    kind: str = ""
    class_column: str = ""
    flux_column: str = ""
    flux_unit: str = ""
    source_class: str = ""

    def __len__(self) -> int:
        return len(self.table)

    def classes(self) -> NDArray[np.str_]:
        """Give the class of each source, as psseg's classes; empty where none is known.

        Returns
        -------
        ndarray of str, shape (n,)
        """
        if self.source_class:
            return np.full(len(self), self.source_class, dtype="U8")
        if not self.class_column:
            return np.full(len(self), "", dtype="U8")
        codes = np.ma.filled(np.ma.asarray(self.table[self.class_column]).astype(str), "")
        different, places = np.unique(codes, return_inverse=True)
        return np.array([_class_name(code) for code in different], dtype="U8")[places]


def read_reference(path: str | Path, choice: ColumnChoice | None = None) -> SkyTable:
    """Read a catalogue and find its positions and their errors.

    Parameters
    ----------
    path : str or Path
        The file; its content tells what it is, not its ending.
    choice : ColumnChoice, optional
        Columns and units that the file does not tell.

    Returns
    -------
    SkyTable

    Raises
    ------
    PssegError
        If the file is no table, or has no positions.

    Warns
    -----
    PssegWarning
        If units had to be guessed, errors are missing or of size zero, or sources have no position.
    """
    choice = choice or ColumnChoice()
    path = Path(path)
    tables = _read_tables(path)
    if not tables:
        raise PssegError(f"{path}: holds no table; give a FITS, VOTable, CSV or ECSV catalogue")
    failure: PssegError | None = None
    for table in tables:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                found = make_sky_table(table, label=stem_of(path), origin=str(path), choice=choice)
            except PssegError as error:
                failure = failure or error
                continue
        for warning in said:
            warnings.warn(warning.message, stacklevel=2)
        return found
    assert failure is not None
    raise failure


def make_sky_table(
    table: Table, *, label: str, origin: str, choice: ColumnChoice | None = None
) -> SkyTable:
    """Find the positions and errors of a table; see :func:`read_reference`.

    Parameters
    ----------
    table : Table
        The catalogue.
    label : str
        Its short name, unless it is of a known kind.
    origin : str
        What errors and warnings call it.
    choice : ColumnChoice, optional
        Columns and units that the table does not tell.

    Returns
    -------
    SkyTable
    """
    choice = choice or ColumnChoice()
    kind = kind_of(table.colnames)
    coords = find_positions(table, kind, choice, origin)
    ellipses = find_errors(table, coords, kind, choice, origin)
    _say_missing(coords, ellipses, origin)
    flux = _flux_column(table, kind, choice, origin)
    return SkyTable(
        label=kind.name if kind else re.sub(r"\W+", "_", label),
        origin=origin,
        table=table,
        coords=coords,
        ellipses=ellipses,
        kind=kind.name if kind else "",
        class_column=find_column(table, CLASS_COLUMNS, given=choice.source_class, origin=origin),
        flux_column=flux,
        flux_unit=kind.flux_unit if kind and kind.flux == plain(flux) else "",
        source_class="" if choice.source_class or not kind else kind.source_class,
    )


def _flux_column(table: Table, kind: Kind | None, choice: ColumnChoice, origin: str) -> str:
    if kind and kind.flux:
        return find_column(table, (kind.flux,), given=choice.flux, origin=origin)
    return find_column(table, FLUX_COLUMNS, ucds=FLUX_UCDS, given=choice.flux, origin=origin)


def _say_missing(coords: SkyCoord, ellipses: ErrorEllipses, origin: str) -> None:
    placed = np.isfinite(coords.ra.deg)
    known = placed & ellipses.known
    exact = known & (np.fmin(ellipses.major, ellipses.minor) <= 0)
    for marked, what in (
        (~placed, "have no position and match nothing"),
        (placed & ~known, "have no position error: nothing but a fixed radius matches them"),
        (exact, "have a position error of zero and count as exact"),
    ):
        if marked.any():
            text = f"{origin}: {np.count_nonzero(marked)} of {len(placed)} sources {what}"
            warnings.warn(text, PssegWarning, stacklevel=3)


def _class_name(code: str) -> str:
    """Give psseg's class for a class or a code of 4FGL."""
    if code.strip().lower() in SOURCE_CLASSES:
        return code.strip().lower()
    found = class_of_code(code)
    return found.name.lower() if found is not None else ""


def stem_of(path: str | Path) -> str:
    """Give the name of a catalogue's file without folder, endings and ``_catalogue``."""
    return map_stem(path, more=TABLE_ENDINGS).removesuffix("_catalogue") or "table"


def _read_tables(path: Path) -> list[Table]:
    """Read all tables of a file, whatever its format."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            head = file.read(HEAD)
            if head.startswith(b"SIMPLE"):
                return _read_fits(path)
            content = head + file.read()
    except (gzip.BadGzipFile, EOFError) as error:
        raise PssegError(f"{path}: broken: {error}") from None
    if head.startswith(b"PAR1"):
        raise PssegError(f"{path}: Parquet cannot be matched; save it as FITS, VOTable or CSV")
    if not content.strip():
        raise PssegError(f"{path}: is empty; give a table with positions")
    if b"<VOTABLE" in head:
        return _read_votable(content, path)
    return [_read_text(content, path)]


def _read_fits(path: Path) -> list[Table]:
    """Read the binary and text tables of a FITS file, with UCDs where their headers have them."""
    tables = []
    try:
        with fits.open(path) as hdus, warnings.catch_warnings():
            warnings.simplefilter("ignore", UnitsWarning)
            for hdu in hdus:
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    table = Table.read(hdu, character_as_bytes=False, unit_parse_strict="silent")
                    for number, name in enumerate(table.colnames, 1):
                        if ucd := hdu.header.get(f"TUCD{number}"):
                            table[name].info.meta = {"ucd": ucd}
                    tables.append(table)
    except (OSError, ValueError, TypeError) as error:
        raise PssegError(f"{path}: no readable FITS file: {error}") from None
    return tables


def _read_votable(content: bytes, path: Path) -> list[Table]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the reader mends what it warns of
            parsed = votable.parse(io.BytesIO(content), verify="ignore")
            return [_votable_part(parsed, part) for part in parsed.iter_tables()]
    except (votable.exceptions.VOTableSpecError, ValueError, IndexError) as error:
        raise PssegError(f"{path}: no readable VOTable: {error}") from None


def _votable_part(parsed: votable.tree.VOTableFile, part: votable.tree.TableElement) -> Table:
    """Give a table of a VOTable, with the coordinate systems that its columns refer to."""
    table = part.to_table(use_names_over_ids=True)
    systems = {each.ID: f"{each.system} {each.equinox or ''}" for each in parsed.iter_coosys()}
    referred = False
    for field, name in zip(part.fields, table.colnames, strict=True):
        if field.ref in systems:
            table[name].info.meta = {**(table[name].info.meta or {}), "coosys": systems[field.ref]}
            referred = True
    if len(systems) == 1 and not referred:
        (table.meta["COOSYS"],) = systems.values()
    return table


def _read_text(content: bytes, path: Path) -> Table:
    """Read a table of text in any usual form."""
    if b"\0" in content[:HEAD]:
        raise PssegError(f"{path}: no table that can be read; give FITS, VOTable, CSV or ECSV")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if is_key_file(text[:HEAD]):
        return read_key_file(text)
    if is_pulsar_dump(text[:HEAD]):
        return read_pulsar_dump(text)
    lines = text.splitlines()
    if text.startswith("# %ECSV"):
        return _first_readable(lines, [{"format": "ascii.ecsv"}], path)
    form, units = text_form(lines), units_row(lines)
    if units is not None:
        del lines[units.rows]
    table = _first_readable(lines, [*form, {"format": "ascii", "guess": True}], path)
    if units is not None:
        set_units(table, units.texts)
    return table


def _first_readable(lines: list[str], forms: list[dict[str, object]], path: Path) -> Table:
    """Read lines in the first form that fits; one of a single column only if no other does."""
    single = None
    for form in forms:
        try:
            table = Table.read(lines, **form)
        except (InconsistentTableError, ValueError, IndexError):
            continue
        if len(table.colnames) > 1 and (single is None or len(table)):
            return table
        single = table if single is None else single
    if single is None:
        raise PssegError(f"{path}: no table that can be read; give FITS, VOTable, CSV or ECSV")
    return single
