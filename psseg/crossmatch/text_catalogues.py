"""Catalogues in text that no table reader knows: the RFC's key file, a dump of the ATNF catalogue.

In: their lines. Out: tables with named columns and units.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.table import Table

__all__ = ["is_key_file", "is_pulsar_dump", "read_key_file", "read_pulsar_dump"]

_KEY_RECORD = re.compile(
    r"source=\s*'(?P<ivs>[^']*)'\s*,\s*'(?P<name>[^']*)'\s*"
    r"RA=\s*(?P<ra>[-+:.\d]+)\s+DEC=\s*(?P<dec>[-+:.\d]+)\s+"
    r"RAER=\s*(?P<e_ra>[.\d]+)\s+DECER=\s*(?P<e_dec>[.\d]+)"
    r"(?:(?:(?!source=).)*?FLUX=\s*(?P<band>[.\d]+)\s*,\s*(?P<flux>[-.\d]+))?",
    re.DOTALL,
)


def is_key_file(head: str) -> bool:
    """Say whether a text begins as a key file of a VLBI catalogue."""
    return "Catalogue of positions of compact radio sources" in head


def is_pulsar_dump(head: str) -> bool:
    """Say whether a text begins as a ``;``-separated dump of the ATNF pulsar catalogue."""
    first = head.partition("\n")[0]
    return first.startswith("#;") and ";PSRJ;" in first


def read_key_file(text: str) -> Table:
    """Read a key file of the Radio Fundamental Catalogue.

    Parameters
    ----------
    text : str
        The file: records of several lines that begin with ``source=``.

    Returns
    -------
    Table
        Name, IVS name, position, errors in mas on the sky, frequency and flux density of the first
        band. The file's error of right ascension is an angle at the pole; here it is multiplied by
        the cosine of the declination. An upper limit of the flux is not-a-number.
    """
    records = [match.groupdict() for match in _KEY_RECORD.finditer(text)]
    columns = {key: [record[key] for record in records] for key in _KEY_RECORD.groupindex}
    dec = np.array([_degrees(value) for value in columns["dec"]])
    band, flux = (
        np.array([v or "nan" for v in columns[c]]).astype(float) for c in ("band", "flux")
    )
    table = Table(
        {
            "Name": np.array(columns["name"], dtype=str),
            "IVS_name": np.array(columns["ivs"], dtype=str),
            "RA": np.array([15 * _degrees(value) for value in columns["ra"]]) * u.deg,
            "DEC": dec * u.deg,
            "RAER": np.array(columns["e_ra"], dtype=float) * np.cos(np.deg2rad(dec)) * u.mas,
            "DECER": np.array(columns["e_dec"], dtype=float) * u.mas,
            "Freq": band * u.GHz,
            "Flux": np.where(flux > 0, flux, np.nan) * u.Jy,
        }
    )
    return table


def read_pulsar_dump(text: str) -> Table:
    """Read a dump of the ATNF pulsar catalogue, whose fields are separated by ``;``.

    Parameters
    ----------
    text : str
        The file: a line of names, in which the columns of errors and references have none, a line
        of units, and a line per pulsar, in which ``*`` stands for what is not known.

    Returns
    -------
    Table
        All named columns, and the errors of the position: e_RAJ in seconds of time, e_DECJ in
        arcsec.
    """
    lines = text.splitlines()
    names = [name.strip() for name in lines[0].lstrip("#").split(";")]
    rows = [line.split(";") for line in lines[1:] if line[:1].isdigit()]
    columns = {
        name: _values([row[place] if place < len(row) else "*" for row in rows])
        for place, name in enumerate(names)
        if name
    }
    for name, unit in (("RAJ", u.s), ("DECJ", u.arcsec)):
        place = names.index(name) + 1
        error = np.array([float(row[place]) if row[place] != "*" else 0.0 for row in rows])
        columns[f"e_{name}"] = np.where(error > 0, error, np.nan) * unit
    return Table(columns)


def _values(cells: Sequence[str]) -> np.ndarray:
    """Give cells as numbers where all are, as text otherwise."""
    texts = np.array(["" if cell == "*" else cell for cell in cells])
    try:
        return np.where(texts == "", "nan", texts).astype(float)
    except ValueError:
        return texts


def _degrees(text: str) -> float:
    """Give the value of three numbers between colons, in units of the first."""
    sign = -1.0 if text.strip().startswith("-") else 1.0
    whole, *rest = (float(part) for part in text.strip().lstrip("+-").split(":"))
    return sign * sum(part / 60**place for place, part in enumerate([whole, *rest]))
