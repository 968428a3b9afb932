"""Where a table keeps positions, names, classes and fluxes.

In: a table with names, units and UCDs as its file has them, and what the user says of it. Out:
positions (ICRS), the names of columns, and columns as plain numbers.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import FK4, ICRS, Angle, BaseCoordinateFrame, Galactic, SkyCoord
from astropy.table import Table
from numpy.typing import NDArray

from psseg.crossmatch.kinds import Kind, plain
from psseg.errors import PssegError, PssegWarning

__all__ = [
    "ColumnChoice",
    "angles",
    "find_column",
    "find_positions",
    "is_number",
    "numbers",
    "ucd_of",
    "unit_of",
    "warn",
]

Floats = NDArray[np.float64]

RA_UCDS = ("pos.eq.ra;meta.main", "POS_EQ_RA_MAIN", "pos.eq.ra")
DEC_UCDS = ("pos.eq.dec;meta.main", "POS_EQ_DEC_MAIN", "pos.eq.dec")
RA_NAMES = (
    *("raj2000", "raj20000", "raicrs", "ra", "radeg", "rajd", "radj2000", "alphaj2000", "rad"),
    *("radegcont", "rightascension", "alpha", "raj", "rahms", "rastr", "rahmscont"),
    *("rab1950", "ra1950"),
)
DEC_NAMES = (
    *("dej2000", "decj2000", "dej20000", "decj20000", "deicrs", "decicrs", "dec", "de", "decdeg"),
    *("dedeg", "decjd", "deltaj2000", "decd", "decdegcont", "declination", "delta", "decj"),
    *("decdms", "decstr", "decdmscont", "deb1950", "decb1950", "de1950", "dec1950"),
)
GALACTIC_NAMES = (("glon", "gl", "l", "lii"), ("glat", "gb", "b", "bii"))

SYSTEM_CARDS = ("RADESYS", "RADECSYS", "COOSYS", "EQUINOX")
"""What a table's header tells of its positions; COOSYS as a VOTable has it."""

MOST_NAMES = 12
"""Columns that an error message names."""

SMALL_ERROR = 0.003
"""Errors without a unit are degrees where half of them are below this, else arcsec."""


@dataclass(frozen=True, kw_only=True)
class ColumnChoice:
    """What a user says of a catalogue that its file does not.

    Parameters
    ----------
    ra, dec : str
        Columns of the position; empty to look for them. GLON and GLAT are taken as Galactic.
    error : str
        Column of an error radius, two columns of errors in right ascension and declination with a
        comma between, three of an ellipse (semi-axes, position angle), or a number in arcsec.
    confidence : float or None
        Share of positions inside a radius or ellipse that is named here; None for one standard
        deviation.
    missing : str
        Error (one standard deviation, arcsec) of sources whose own is missing; empty to let them
        match nothing.
    unit : str
        Unit of positions that have none.
    error_unit : str
        Unit of errors that have none.
    source_class, flux : str
        Columns of the class and of the flux.
    """

    ra: str = ""
    dec: str = ""
    error: str = ""
    confidence: float | None = None
    missing: str = ""
    unit: str = ""
    error_unit: str = ""
    source_class: str = ""
    flux: str = ""


def find_column(
    table: Table, names: Sequence[str], *, ucds: Sequence[str] = (), given: str = "", origin: str
) -> str:
    """Give the name of the column that is named, has a UCD, or a usual name; empty if none is.

    Parameters
    ----------
    table : Table
        The catalogue; UCDs are in the meta of its columns.
    names : sequence of str
        Usual names as :func:`psseg.crossmatch.kinds.plain` gives them, the first that is there
        counts.
    ucds : sequence of str
        UCDs, the first that is there counts; one that several columns have tells nothing.
    given : str
        What the user asked for.
    origin : str
        The file, for the error.

    Returns
    -------
    str

    Raises
    ------
    PssegError
        If the user asked for a column that is not there.
    """
    if given:
        if given not in table.colnames:
            raise PssegError(f"{origin}: no column {given!r}; it has {_some_names(table)}")
        return given
    for ucd in ucds:
        having = [name for name in table.colnames if ucd_of(table, name).lower() == ucd.lower()]
        if len(having) == 1:
            return having[0]
    by_plain = {plain(name): name for name in reversed(table.colnames)}
    return next((by_plain[name] for name in names if name in by_plain), "")


def numbers(table: Table, name: str) -> Floats:
    """Give a column as plain numbers; what is masked or no number becomes not-a-number."""
    values = np.ma.asarray(table[name])
    if values.ndim != 1:
        raise PssegError(f"column {name!r} holds several values per source; name another")
    if values.dtype.kind in "SUO":
        texts = np.char.strip(np.ma.filled(values.astype(str), "nan"))
        good = np.array([is_number(text) for text in texts], dtype=bool)
        return np.where(good, texts, "nan").astype(float)
    return np.asarray(np.ma.filled(values.astype(float), np.nan))


def find_positions(table: Table, kind: Kind | None, choice: ColumnChoice, origin: str) -> SkyCoord:
    """Give the ICRS positions of a table.

    Parameters
    ----------
    table : Table
        The catalogue.
    kind : Kind or None
        What is known of it.
    choice : ColumnChoice
        What the user says of it.
    origin : str
        The file, for errors and warnings.

    Returns
    -------
    SkyCoord, shape (n,)
        Not-a-number for sources without a position.

    Raises
    ------
    PssegError
        If there are no positions, or none that are possible.

    Warns
    -----
    PssegWarning
        If a unit had to be guessed.
    """
    first, second = kind.position if kind and kind.position else ("", "")
    ra = find_column(table, (first, *RA_NAMES), ucds=RA_UCDS if not first else (),
                     given=choice.ra, origin=origin)  # fmt: skip
    dec = find_column(table, (second, *DEC_NAMES), ucds=DEC_UCDS if not second else (),
                      given=choice.dec, origin=origin)  # fmt: skip
    unit = choice.unit or (kind.unit if kind and not choice.ra else "")
    given = (choice.ra, choice.dec) if _is_galactic(choice) else ("", "")
    if ra and dec and not all(given):
        frame = _frame(table, ra, dec, origin)
        return _coords(*_position_pair(table, ra, dec, unit, origin), frame)
    lon, lat = (
        find_column(table, names, given=name, origin=origin)
        for names, name in zip(GALACTIC_NAMES, given, strict=True)
    )
    if lon and lat:
        return _coords(*_position_pair(table, lon, lat, unit, origin), Galactic())
    raise PssegError(
        f"{origin}: no columns of positions found among {_some_names(table)}; name them: --cat or "
        "--ref ra=NAME, dec=NAME"
    )


def _some_names(table: Table) -> str:
    """Give the names of the first columns."""
    some = ", ".join(table.colnames[:MOST_NAMES])
    return f"{some} …" if len(table.colnames) > MOST_NAMES else some


def _is_galactic(choice: ColumnChoice) -> bool:
    """Say whether the user named columns that are known as Galactic longitude and latitude."""
    return all(
        plain(name) in names
        for name, names in zip((choice.ra, choice.dec), GALACTIC_NAMES, strict=True)
    )


def _position_pair(
    table: Table, lon: str, lat: str, unit: str, origin: str
) -> tuple[Floats, Floats]:
    """Give longitude and latitude in degrees, and refuse what cannot be positions."""
    if table[lon].dtype.kind in "SUO" and _sexagesimal(table, lon):
        degrees = _read_sexagesimal(table, lon, u.hourangle), _read_sexagesimal(table, lat, u.deg)
    else:
        guessed = _guessed_unit(table, lon, lat, unit, origin)
        degrees = angles(table, lon, guessed, origin), angles(table, lat, guessed, origin)
        if guessed == "hourangle":
            degrees = degrees[0], numbers(table, lat)
    _refuse_impossible(*degrees, lon, lat, origin)
    return degrees


def _guessed_unit(table: Table, lon: str, lat: str, unit: str, origin: str) -> str:
    """Give the unit of positions without one: as asked, else from their range, else degrees."""
    if unit or unit_of(table, lon) is not None:
        return unit
    x, y = numbers(table, lon), np.abs(numbers(table, lat))
    guess = "deg"
    if len(x) >= 20 and np.isfinite(x).any() and np.isfinite(y).any():
        top, high = np.nanmax(x), np.nanmax(y)
        if 6 < top <= 2 * np.pi + 1e-6 and 1.2 < high <= np.pi / 2 + 1e-6 and np.nanmin(x) >= 0:
            guess = "rad"
        elif 22 < top <= 24 and high > 60 and np.nanmin(x) >= 0:
            guess = "hourangle"
    if len(x):
        warn(f"{origin}: {lon} and {lat} have no unit; taken for {guess}; unit=UNIT sets another")
    return guess


def _refuse_impossible(ra: Floats, dec: Floats, lon: str, lat: str, origin: str) -> None:
    if not len(ra):
        return
    usable = np.isfinite(ra) & np.isfinite(dec)
    if not usable.any():
        raise PssegError(f"{origin}: no source has a position in {lon} and {lat}; name others")
    top = np.abs(dec[usable]).max()
    if top > 90.0001 or np.abs(ra[usable]).max() > 360.0001:
        raise PssegError(
            f"{origin}: {lat} reaches {top:.4g} deg and {lon} {np.abs(ra[usable]).max():.4g} deg, "
            "which are no positions; give the right unit: --cat or --ref unit=UNIT"
        )


def _frame(table: Table, ra: str, dec: str, origin: str) -> BaseCoordinateFrame:
    """Give the frame of equatorial positions: ICRS unless the table says it is that of B1950.

    The names of the columns count before what is said of them, and that before what is said of the
    table: a column RAJ2000 may stand beside one of B1950.
    """
    names = plain(ra) + plain(dec)
    if "1950" not in names and ("2000" in names or "icrs" in names):
        return ICRS()
    if "1950" in names or _says_1950(table, ra):
        warn(f"{origin}: {ra} and {dec} are B1950 (FK4); converted to ICRS")
        return FK4(equinox="B1950")
    return ICRS()


def _says_1950(table: Table, name: str) -> bool:
    """Say whether the coordinate system of a column, or else of its table, is that of B1950."""
    system = str((table[name].info.meta or {}).get("coosys", "")).upper()
    if not system:
        cards = {str(key).upper(): str(value).upper() for key, value in table.meta.items()}
        system = " ".join(cards.get(card, "") for card in SYSTEM_CARDS)
    return "ICRS" not in system and ("FK4" in system or "1950" in system)


def _coords(lon: Floats, lat: Floats, frame: BaseCoordinateFrame) -> SkyCoord:
    good = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = (np.where(good, values, np.nan) for values in (lon, lat))
    return SkyCoord(lon, np.clip(lat, -90, 90), unit="deg", frame=frame).icrs


def angles(table: Table, name: str, unit: str, origin: str) -> Floats:
    """Give a column of angles in degrees."""
    values, own = numbers(table, name), unit_of(table, name)
    if own is None and not unit:
        usable = np.abs(values[np.isfinite(values)])
        unit = "deg" if len(usable) and np.median(usable) < SMALL_ERROR else "arcsec"
        if len(usable):
            warn(f"{origin}: {name} has no unit; taken for {unit}; error-unit=UNIT sets another")
    taken = own if own is not None else _angle_unit(unit)
    if taken == u.s:
        taken = u.hourangle / 3600
    try:
        return np.asarray(u.Quantity(values, taken).to_value(u.deg))
    except u.UnitConversionError:
        raise PssegError(
            f"{origin}: column {name!r} is in {taken}, which is no angle; name another column"
        ) from None


def _angle_unit(text: str) -> u.UnitBase:
    try:
        return u.Unit(text)
    except ValueError:
        raise PssegError(f"{text!r} is no unit of angles; want deg, arcmin, arcsec, mas") from None


def unit_of(table: Table, name: str) -> u.UnitBase | None:
    """Give the unit of a column, None if it has none that is understood."""
    unit = table[name].unit
    if unit is None or str(unit).strip() in ("", "--"):
        return None
    if isinstance(unit, u.UnrecognizedUnit):
        text = str(unit).lower().strip()
        usual = {"degrees": u.deg, "degree": u.deg, "arcseconds": u.arcsec, "seconds": u.s}
        known = usual.get(text) or u.Unit(text, parse_strict="silent")
        return None if isinstance(known, u.UnrecognizedUnit) else known
    return unit


def _sexagesimal(table: Table, name: str) -> bool:
    texts = [str(value).strip() for value in table[name][:100]]
    return any(re.match(r"^[-+]?\d+[\s:hd]+\d", text) for text in texts)


def _read_sexagesimal(table: Table, name: str, unit: u.UnitBase) -> Floats:
    """Read texts such as 12:34:56.7 or 12 34; what is none becomes not-a-number."""
    texts = [str(value).strip() for value in table[name]]
    good = np.array([bool(re.match(r"^[-+]?\d", text)) for text in texts], dtype=bool)
    result = np.full(len(texts), np.nan)
    if good.any():
        result[good] = Angle([t for t, ok in zip(texts, good, strict=True) if ok], unit=unit).deg
    return result


def ucd_of(table: Table, name: str) -> str:
    """Give the UCD of a column without blanks; empty if it has none."""
    meta = table[name].info.meta or {}
    return str(meta.get("ucd", "")).replace(" ", "")


def is_number(text: Any) -> bool:
    """Say whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def warn(text: str) -> None:
    """Warn of what was guessed."""
    warnings.warn(text, PssegWarning, stacklevel=2)
