"""Where a table keeps the errors of its positions, and what they are in degrees.

In: a table, its positions, and what is known or said of it. Out: error ellipses.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import NDArray

from psseg.crossmatch.columns import (
    ColumnChoice,
    angles,
    find_column,
    is_number,
    numbers,
    ucd_of,
    unit_of,
    warn,
)
from psseg.crossmatch.ellipses import (
    ErrorEllipses,
    ellipses_of_axes,
    ellipses_of_errors,
    ellipses_of_radius,
)
from psseg.crossmatch.kinds import Kind, plain
from psseg.errors import PssegError

__all__ = ["find_errors"]

Floats = NDArray[np.float64]

ERROR_AXES = (
    (("conf95semimajor", "conf95semiminor", "conf95posang"), 0.95),
    (("conf68semimajor", "conf68semiminor", "conf68posang"), 0.68),
    (("errmaj", "errmin", "errpa"), None),
    (("errormaj", "errormin", "errorpa"), None),
)
"""Columns of semi-axes and position angle, and the share of positions inside."""

FERMI = "conf"
"""How errors are named in the catalogues of the LAT, psseg's among them: always in degrees."""

ERROR_PAIRS = (
    *(("era", "edec"), ("era", "ede"), ("eraj2000", "edej2000"), ("raerr", "decerr")),
    *(("errra", "errdec"), ("raer", "decer"), ("raerror", "decerror"), ("eraj", "edecj")),
    *(("sigmara", "sigmadec"), ("uncra", "uncdec"), ("erarad", "edecrad"), ("eradeg", "ededeg")),
)
"""Columns of standard deviations in right ascension and declination."""

ERROR_RADII = (
    *((name, 0.95) for name in ("r95", "conf95", "pos95", "err95", "theta95", "poserr95")),
    *((name, 0.90) for name in ("r90", "err90", "poserr90", "err90stat")),
    *((name, 0.68) for name in ("r68", "conf68", "pos68", "err68", "poserr68")),
    *((name, None) for name in ("poserr", "epos", "errorradius", "radecerr", "errcirc", "epos1")),
)
"""Columns of error radii, and the share of positions inside; None for one standard deviation."""

CORRELATIONS = ("radeccorr", "radecor", "corrradec")

DIGIT_FLOOR = 0.1
"""Least error (arcsec) of a position whose error is taken from its digits."""


def find_errors(
    table: Table, coords: SkyCoord, kind: Kind | None, choice: ColumnChoice, origin: str
) -> ErrorEllipses:
    """Give the error ellipses of a table.

    Parameters
    ----------
    table, kind, choice, origin
        As for :func:`find_positions`.
    coords : SkyCoord, shape (n,)
        The positions.

    Returns
    -------
    ErrorEllipses
        From the columns the user names, else ellipses at 95 % or 68 %, one standard deviation in
        two axes, or a radius; else what the known kind of catalogue is good for.

    Raises
    ------
    PssegError
        If the user named columns that are not there, or that are no angles.

    Warns
    -----
    PssegWarning
        If a unit had to be guessed, or if nothing is known and 1 arcsec is taken.
    """
    if choice.missing:
        others = ellipses_of_radius(np.full(len(table), _arcsec(choice.missing)))
        known = find_errors(table, coords, kind, replace(choice, missing=""), origin)
        return _filled(known, others)
    if choice.confidence is not None and not choice.error:
        raise PssegError(f"{origin}: a confidence is that of error=COLUMN; name the column, too")
    if is_number(choice.error):
        radius = np.full(len(table), _arcsec(choice.error))
        return ellipses_of_radius(radius, confidence=choice.confidence)
    unit = choice.error_unit or (kind.error_unit if kind else "")
    if choice.error:
        return _named_errors(table, coords, choice, unit, origin)
    if kind and kind.radius and (name := find_column(table, (kind.radius,), origin=origin)):
        radius = _sizes(table, name, unit, origin)
        known = ellipses_of_radius(radius, confidence=kind.radius_confidence)
        return _filled(known, ellipses_of_radius(np.full(len(table), kind.default_error / 3600)))
    found = _usual_errors(table, coords, unit, origin)
    if kind and kind.digits:
        return _filled(found, _errors_of_digits(table, coords, origin))
    if found is not None:
        return found
    if kind and kind.default_error:
        return ellipses_of_radius(np.full(len(table), kind.default_error / 3600))
    warn(f"{origin}: no position errors found; 1 arcsec is taken; error=ARCSEC sets another")
    return ellipses_of_radius(np.full(len(table), 1 / 3600))


def _usual_errors(table: Table, coords: SkyCoord, unit: str, origin: str) -> ErrorEllipses | None:
    """Give errors from columns of usual names, None if there are none."""
    by_plain = {plain(name): name for name in reversed(table.colnames)}
    for axes, confidence in ERROR_AXES:
        if all(name in by_plain for name in axes):
            major, minor, angle = (by_plain[name] for name in axes)
            usual = _usual_unit(axes[0], unit)
            long, short = (_sizes(table, name, usual, origin) for name in (major, minor))
            return ellipses_of_axes(long, short, _turn(table, angle), confidence=confidence)
    pairs = [("stat.error;pos.eq.ra", "stat.error;pos.eq.dec")]
    by_ucd = {ucd_of(table, name).lower(): name for name in reversed(table.colnames)}
    for names, where in ((pairs, by_ucd), (ERROR_PAIRS, by_plain)):
        for first, second in names:
            if first in where and second in where:
                return _two_errors(table, coords, where[first], where[second], unit, origin)
    for name, confidence in ERROR_RADII:
        if name in by_plain:
            radius = _sizes(table, by_plain[name], _usual_unit(name, unit), origin)
            return ellipses_of_radius(radius, confidence=confidence)
    return None


def _usual_unit(name: str, unit: str) -> str:
    """Give the unit of a column of a usual name: the one that is known, or that of its kind."""
    return unit or ("deg" if name.startswith(FERMI) else "")


def _named_errors(
    table: Table, coords: SkyCoord, choice: ColumnChoice, unit: str, origin: str
) -> ErrorEllipses:
    """Give errors from the one, two or three columns the user named."""
    names = [
        find_column(table, (), given=name.strip(), origin=origin)
        for name in choice.error.split(",")
    ]
    if len(names) == 1:
        return ellipses_of_radius(
            _sizes(table, names[0], unit, origin), confidence=choice.confidence
        )
    if len(names) == 2:
        if choice.confidence is not None:
            raise PssegError("errors in two axes are standard deviations; leave confidence out")
        return _two_errors(table, coords, names[0], names[1], unit, origin)
    if len(names) == 3:
        long, short = (_sizes(table, name, unit, origin) for name in names[:2])
        return ellipses_of_axes(long, short, _turn(table, names[2]), confidence=choice.confidence)
    raise PssegError(f"{choice.error!r}: want one, two or three columns of position errors")


def _two_errors(
    table: Table, coords: SkyCoord, ra: str, dec: str, unit: str, origin: str
) -> ErrorEllipses:
    """Give ellipses of errors in two axes; an error in seconds of time becomes an angle."""
    e_ra, e_dec = (_sizes(table, name, unit, origin) for name in (ra, dec))
    if unit_of(table, ra) == u.s:
        e_ra = e_ra * np.cos(coords.dec.rad)
    name = find_column(table, CORRELATIONS, origin=origin)
    return ellipses_of_errors(e_ra, e_dec, numbers(table, name) if name else 0.0)


def _errors_of_digits(table: Table, coords: SkyCoord, origin: str) -> ErrorEllipses:
    """Take half of the last digit of sexagesimal positions for their standard deviation."""
    ra = find_column(table, ("raj",), origin=origin)
    dec = find_column(table, ("decj",), origin=origin)
    if not (ra and dec):
        return ellipses_of_radius(np.full(len(table), 1 / 3600))
    e_ra = 15 * np.cos(coords.dec.rad) * np.array([_last_digit(str(v)) for v in table[ra]])
    e_dec = np.array([_last_digit(str(v)) for v in table[dec]])
    return ellipses_of_errors(*(np.fmax(e / 2, DIGIT_FLOOR / 3600) for e in (e_ra, e_dec)))


def _last_digit(text: str) -> float:
    """Give the value of the last digit of 12:34:56.7, in units of the first number."""
    parts = text.strip().split(":")
    decimals = len(parts[-1].partition(".")[2])
    return float(60.0 ** (1 - len(parts)) * 10.0**-decimals)


def _sizes(table: Table, name: str, unit: str, origin: str) -> Floats:
    """Give a column of errors in degrees; negative ones stand for errors that are not known."""
    values = angles(table, name, unit, origin)
    return np.where(values < 0, np.nan, values)


def _turn(table: Table, name: str) -> Floats:
    """Give a column of position angles in degrees."""
    unit = unit_of(table, name)
    return np.asarray(u.Quantity(numbers(table, name), unit or u.deg).to_value(u.deg))


def _filled(ellipses: ErrorEllipses | None, others: ErrorEllipses) -> ErrorEllipses:
    """Put other ellipses where there is none."""
    if ellipses is None:
        return others
    known = ellipses.known & (ellipses.major > 0)
    return ErrorEllipses(
        major=np.where(known, ellipses.major, others.major),
        minor=np.where(known, ellipses.minor, others.minor),
        angle=np.where(known, ellipses.angle, others.angle),
    )


def _arcsec(text: str) -> float:
    """Read an error in arcsec and give it in degrees."""
    if not is_number(text) or not float(text) >= 0:
        raise PssegError(f"{text!r} is no position error; want arcsec such as 0.5")
    return float(text) / 3600
