"""Catalogues that are known by their columns: what theirs mean, and how good their positions are.

In: the names of a table's columns. Out: the :class:`Kind` of catalogue, if it is a known one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["KINDS", "Kind", "kind_of", "plain"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is known of a catalogue before its values are looked at.

    Parameters
    ----------
    name : str
        What the catalogue is called; the suffix of its columns in a joined table.
    has : tuple of str
        Columns by which it is known, as :func:`plain` gives them.
    position : tuple of str
        Columns of right ascension and declination; empty for the usual names.
    unit : str
        Unit of positions that have none in the file.
    radius : str
        Column of the error radius, if it has one of an unusual name.
    radius_confidence : float or None
        Share of positions inside it; None for one standard deviation.
    error_unit : str
        Unit of position errors that have none in the file.
    default_error : float
        One standard deviation in arcsec where the catalogue gives no errors; 0 if unknown.
    digits : bool
        Whether the number of digits of a sexagesimal position tells its error.
    source_class : str
        Class of all its sources, if there is one.
    flux : str
        Column of the flux, if it is not a usual one.
    flux_unit : str
        Unit of that column where it has none in the file.
    """

    name: str
    has: tuple[str, ...]
    position: tuple[str, ...] = ()
    unit: str = ""
    radius: str = ""
    radius_confidence: float | None = None
    error_unit: str = ""
    default_error: float = 0.0
    digits: bool = False
    source_class: str = ""
    flux: str = ""
    flux_unit: str = ""


KINDS = (
    # The counterparts' positions, of which 4LAC gives 95 % radii (Ajello et al. 2020, ApJ 892,
    # 105); about an arcsecond where it gives none.
    Kind(
        name="4LAC",
        has=("racounterpart", "sedclass"),
        position=("racounterpart", "deccounterpart"),
        radius="unccounterpart",
        radius_confidence=0.95,
        default_error=1.0,
        flux="energyflux100",
        flux_unit="erg / (s cm2)",
    ),
    # Axes of error ellipses are in degrees (Abdollahi et al. 2020, ApJS 247, 33; Ajello et al.
    # 2017, ApJS 232, 18), which a file of text does not say.
    Kind(
        name="4FGL",
        has=("sourcename", "conf95semimajor", "energyflux100"),
        error_unit="deg",
        flux="flux1000",
        flux_unit="1 / (s cm2)",
    ),
    Kind(
        name="3FHL",
        has=("sourcename", "conf95semimajor", "hepenergy"),
        error_unit="deg",
        flux="flux",
        flux_unit="1 / (s cm2)",
    ),
    # Positions of radio or optical counterparts, given to 0.1 s (Massaro et al. 2015, Ap&SS 357,
    # 75).
    Kind(name="BZCAT", has=("bzcat5sourcename",), default_error=1.0, source_class="blazar"),
    # Positions of counterparts in the infrared or X-rays (Chang et al. 2019, A&A 632, A77).
    Kind(
        name="3HSP",
        has=("nufnu", "nuflag", "zflag"),
        unit="deg",
        default_error=1.0,
        source_class="blazar",
    ),
    # Smith et al. (2023, ApJ 958, 191), positions as in the ATNF catalogue; G100 is the energy flux
    # above 100 MeV.
    Kind(
        name="3PC",
        has=("psrj", "rajd", "decjd", "psrcode", "charcode"),
        unit="deg",
        digits=True,
        source_class="pulsar",
        flux="g100",
        flux_unit="erg / (s cm2)",
    ),
    # Manchester et al. (2005, AJ 129, 1993). Timing gives 0.01 arcsec, a discovery arcminutes, and
    # the digits tell which.
    *(
        Kind(
            name="ATNF",
            has=("psrj", *position),
            unit="deg",
            digits=True,
            source_class="pulsar",
            flux="s1400",
            flux_unit="mJy",
        )
        for position in (("rajd", "decjd"), ("raj", "decj"))
    ),
    # Petrov & Kovalev (2025, ApJS 276, 38); nine in ten of its sources are blazars, but it does not
    # say which.
    Kind(name="RFC", has=("raer", "decer", "ivsname")),
    # Condon et al. (1998, AJ 115, 1693): 0.45 arcsec in either axis for strong sources.
    Kind(name="NVSS", has=("nvss", "s14"), default_error=1.0, flux="s14", flux_unit="mJy"),
    # White et al. (1997, ApJ 475, 479): 90 % within 1 arcsec at the survey's limit.
    Kind(name="FIRST", has=("fpeak", "fint"), default_error=0.5, flux="fint", flux_unit="mJy"),
    Kind(name="SUMSS", has=("sumss", "st"), default_error=1.5, flux="st", flux_unit="mJy"),
    # Hancock et al. (2018, PASA 35, e011): positions and their errors in degrees and fluxes in Jy,
    # without units.
    Kind(
        name="Aegean",
        has=("island", "source", "localrms", "errra", "errdec"),
        unit="deg",
        error_unit="deg",
        flux="intflux",
        flux_unit="Jy",
    ),
)
"""Known catalogues; the first whose columns a table has is its kind."""


def plain(name: str) -> str:
    """Give a column's name in lower case, letters and digits alone.

    Examples
    --------
    >>> plain("Conf_95_SemiMajor"), plain("RA (J2000.0)")
    ('conf95semimajor', 'raj20000')
    """
    return re.sub(r"[^0-9a-z]", "", name.lower())


def kind_of(columns: Iterable[str]) -> Kind | None:
    """Give the known kind of catalogue that has these columns, or None."""
    names = {plain(column) for column in columns}
    return next((kind for kind in KINDS if names.issuperset(kind.has)), None)
