"""How likely each class is before the map is looked at.

In: where the sources are and how bright. Out: the expected relative density of pulsars, blazars
and other sources there - from the survey's populations ("physical"), all alike ("balanced"), or
from a file of the user's.

A file of the user's is TOML: one number per class, or one per interval of Galactic latitude::

    latitude = [0, 5, 20, 90]   # |b|, deg; leave it out with one number per class
    pulsar = [3, 1, 0.3]        # any scale: only the ratios count
    blazar = [1, 3, 10]
    other = [4, 1, 0.2]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord

from psseg.errors import PssegError
from psseg.sky.class_density import class_density
from psseg.sky.source_counts import class_densities
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.survey import AnySurvey

__all__ = ["check_priors", "class_priors", "read_priors"]

NAMED = ("physical", "balanced")


def check_priors(priors: str | Path) -> None:
    """Refuse priors that are neither "physical" nor "balanced" nor a file that can be used."""
    if str(priors) not in NAMED:
        read_priors(priors)


def class_priors(
    priors: str | Path,
    survey: AnySurvey,
    *,
    positions: SkyCoord,
    flux: np.ndarray | None = None,
    bands: np.ndarray | None = None,
    frequency: float = np.nan,
) -> np.ndarray:
    """Give the expected relative density of each class at each source.

    Parameters
    ----------
    priors : str or Path
        "physical", "balanced", or the path of a file (see above).
    survey : Survey or ContinuumSurvey
        The survey whose populations "physical" stands for.
    positions : SkyCoord, shape (n_sources,)
        Where the sources are.
    flux : numpy.ndarray, shape (n_sources,), optional
        Photon flux, cm⁻² s⁻¹, or integrated flux density, Jy; used by "physical" alone. For
        counts it may be left out: the density is then that of all sources above a common flux.
    bands : numpy.ndarray of bool, shape (n_bands,), optional
        Bands of the photon flux. The default is 1-100 GeV.
    frequency : float
        Of flux densities, Hz; where it is not known, the survey's reference frequency is taken.

    Returns
    -------
    numpy.ndarray, shape (n_sources, 3)
        Each row sums to 1, in the order of `SOURCE_CLASSES`.

    Raises
    ------
    PssegError
        If the file is missing or holds something else than priors.
    """
    galactic = positions.galactic
    glon, glat = galactic.l.deg, galactic.b.deg
    if str(priors) == "balanced":
        density = np.ones((len(glat), len(SOURCE_CLASSES)))
    elif str(priors) == "physical":
        density = _physical(survey, glon, glat, flux, bands, frequency)
    else:
        edges, table = read_priors(priors)
        density = table[np.clip(np.searchsorted(edges, np.abs(glat), "right") - 1, 0, None)]
    return density / density.sum(axis=1, keepdims=True)


def _physical(
    survey: AnySurvey,
    glon: np.ndarray,
    glat: np.ndarray,
    flux: np.ndarray | None,
    bands: np.ndarray | None,
    frequency: float,
) -> np.ndarray:
    if isinstance(survey, ContinuumSurvey):
        at = frequency if np.isfinite(frequency) else survey.reference_frequency
        fluxes = np.full(len(glat), np.nan) if flux is None else flux
        return class_densities(survey, fluxes, at, glat)
    return class_density(survey, glon=glon, glat=glat, flux=flux, bands=bands)


def read_priors(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a priors file.

    Parameters
    ----------
    path : str or Path
        A TOML file as described above.

    Returns
    -------
    edges : numpy.ndarray, shape (n_intervals,)
        Lower edges of the intervals of ``|b|``, deg.
    densities : numpy.ndarray, shape (n_intervals, 3)
        In the order of `SOURCE_CLASSES`.

    Raises
    ------
    PssegError
        If the file is missing or holds something else than priors.
    """
    table = _read_toml(Path(path))
    known = ("latitude", *SOURCE_CLASSES)
    for key in table:
        if key not in known:
            raise PssegError(f"{path}: unknown key {key!r} in the priors; want {', '.join(known)}")
    edges = _numbers(table, "latitude", path) if "latitude" in table else np.array([0.0, 90.0])
    if len(edges) < 2 or edges[0] != 0 or edges[-1] != 90 or not np.all(np.diff(edges) > 0):
        raise PssegError(f"{path}: 'latitude' must rise from 0 to 90 deg, is {edges.tolist()}")
    columns = [_numbers(table, name, path) for name in SOURCE_CLASSES]
    for name, column in zip(SOURCE_CLASSES, columns, strict=True):
        if len(column) != len(edges) - 1 or not np.all(np.isfinite(column) & (column > 0)):
            raise PssegError(f"{path}: {name!r} must be {len(edges) - 1} number(s) above zero")
    return edges[:-1], np.column_stack(columns)


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PssegError(f"{path}: no such priors; want 'physical', 'balanced' or a TOML file")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise PssegError(f"{path}: not a TOML file of priors: {error}") from error


def _numbers(table: Mapping[str, Any], key: str, path: str | Path) -> np.ndarray:
    try:
        return np.atleast_1d(np.asarray(table[key], dtype=float))
    except KeyError:
        raise PssegError(f"{path}: the priors lack {key!r}") from None
    except (TypeError, ValueError):
        raise PssegError(f"{path}: {key!r} must be numbers, is {table[key]!r}") from None
