"""A survey: what an instrument sees and what its sky holds, read from one TOML file.

Nothing else in the code names an instrument. To make psseg work on another one, copy a file of
this folder, edit it, and pass its path wherever a survey's name is asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from psseg.errors import PssegError
from psseg.survey.continuum import ContinuumSurvey, parse_continuum
from psseg.survey.instrument import CountsInstrument
from psseg.survey.populations import Population
from psseg.survey.schema import (
    check_keys,
    check_length,
    check_rising,
    check_tables,
    check_values,
    read_table,
)

__all__ = [
    "AnySurvey",
    "DiffuseEmission",
    "Labels",
    "Population",
    "Survey",
    "counts_survey",
    "list_surveys",
    "load_survey",
    "parse_survey",
]

_TOP_LEVEL = {
    "name": str,
    "title": str,
    "kind": str,
    "telescopes": tuple[str, ...],
    "pixel_scale": float,
    "energy_edges": tuple[float, ...],
}
_OPTIONAL = {"event_class": float, "event_type": float}


@dataclass(frozen=True, kw_only=True)
class Labels:
    """How truth maps are drawn.

    Parameters
    ----------
    radius : float
        Radius of a point source's disc, deg.
    detectable_ts : float
        Asimov TS from which a source is labelled.
    invisible_ts : float
        Asimov TS below which a source is background; between the two its pixels are ignored.
    """

    radius: float
    detectable_ts: float
    invisible_ts: float

    def __post_init__(self) -> None:
        """Refuse values that no truth map could be drawn with."""
        if not (self.radius > 0 and 0 < self.invisible_ts <= self.detectable_ts):
            raise PssegError(
                "want a positive radius and 0 < invisible_ts <= detectable_ts, got "
                f"{self.radius}, {self.invisible_ts} and {self.detectable_ts}"
            )


@dataclass(frozen=True, kw_only=True)
class DiffuseEmission:
    """Isotropic and Galactic diffuse emission and how widely simulated skies scatter around it.

    Parameters
    ----------
    isotropic_energy, isotropic_e2dnde : tuple of float
        GeV, and GeV cm⁻² s⁻¹ sr⁻¹.
    isotropic_scatter : float
        Natural-log scatter of its level from tile to tile.
    profile_latitude, profile_longitude : tuple of float
        Nodes of ``|b|`` and ``|l|``, deg.
    profile_intensity : tuple of tuple of float
        Galactic intensity at the nodes, ``(n_latitude, n_longitude)``, ph cm⁻² s⁻¹ sr⁻¹ within
        `profile_energy`.
    profile_energy : tuple of float
        Energy range of the profile, GeV.
    gas_energy, gas_e2dnde, inverse_compton_e2dnde, hard_e2dnde : tuple of float
        Spectral shapes at the energies `gas_energy`, any scale.
    inverse_compton_share, hard_share : tuple of float
        Range of the smooth components' share of the profile.
    profile_scatter, spectrum_scatter : float
        Natural-log scatter of the level, and scatter of the photon index, from tile to tile.
    structure_rms, structure_slope : tuple of float
        Range of the rms of the log-normal gas structure, and of the slope of its angular power
        spectrum (power ∝ k^-slope, on all scales down to the pixel).
    """

    isotropic_energy: tuple[float, ...]
    isotropic_e2dnde: tuple[float, ...]
    isotropic_scatter: float
    profile_latitude: tuple[float, ...]
    profile_longitude: tuple[float, ...]
    profile_intensity: tuple[tuple[float, ...], ...]
    profile_energy: tuple[float, float]
    gas_energy: tuple[float, ...]
    gas_e2dnde: tuple[float, ...]
    inverse_compton_e2dnde: tuple[float, ...]
    hard_e2dnde: tuple[float, ...]
    inverse_compton_share: tuple[float, float]
    hard_share: tuple[float, float]
    profile_scatter: float
    spectrum_scatter: float
    structure_rms: tuple[float, float]
    structure_slope: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse tables that do not fit together."""
        for name in ("isotropic_energy", "gas_energy", "profile_energy"):
            check_rising(name, getattr(self, name))
        for name in ("profile_latitude", "profile_longitude"):
            check_rising(name, getattr(self, name), from_zero=True)
        check_length("isotropic_e2dnde", self.isotropic_e2dnde, "isotropic_energy", self)
        for name in ("gas_e2dnde", "inverse_compton_e2dnde", "hard_e2dnde"):
            check_length(name, getattr(self, name), "gas_energy", self)
        check_length("profile_intensity", self.profile_intensity, "profile_latitude", self)
        for row in self.profile_intensity:
            check_length("every row of profile_intensity", row, "profile_longitude", self)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """One instrument and its sky.

    Parameters
    ----------
    name, title : str
        Short name, and one line for people.
    kind : str
        "counts" (Poisson maps in energy bands).
    telescopes : tuple of str
        Values of the header's TELESCOP that mean this survey, upper case.
    pixel_scale : float
        Side of a pixel, deg.
    energy_edges : numpy.ndarray, shape (n_bands + 1,)
        Band edges, GeV.
    labels : Labels
    instrument : CountsInstrument
    diffuse : DiffuseEmission
    populations : tuple of Population
    text : str
        The file itself, so that a model can keep it.
    event_class, event_type : int
        Masks of the LAT's photons that the response is of; other telescopes have none. The default
        is SOURCE of Pass 8, FRONT and BACK together (evclass and evtype of the Fermitools'
        gtselect).
    """

    name: str
    title: str
    kind: str
    telescopes: tuple[str, ...]
    pixel_scale: float
    energy_edges: np.ndarray
    labels: Labels
    instrument: CountsInstrument
    diffuse: DiffuseEmission
    populations: tuple[Population, ...]
    text: str
    event_class: int = 128
    event_type: int = 3

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.energy_edges) - 1

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names such as ``"1-1.99 GeV"``."""
        edges = [f"{edge:.4g}" for edge in self.energy_edges]
        return tuple(f"{low}-{high} GeV" for low, high in pairwise(edges))


AnySurvey = Survey | ContinuumSurvey
"""Of counts or of the radio continuum: `kind` tells which."""


def counts_survey(survey: AnySurvey) -> Survey:
    """Give the survey back, or refuse one that is not of counts.

    Raises
    ------
    PssegError
        If the survey is of radio images.
    """
    if isinstance(survey, ContinuumSurvey):
        raise PssegError(f"survey {survey.name!r} is of radio images; counts are wanted here")
    return survey


def list_surveys() -> tuple[str, ...]:
    """Give the names of the surveys that come with psseg."""
    folder = resources.files("psseg.survey")
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in files if name.endswith(".toml")))


def load_survey(name: str | Path) -> AnySurvey:
    """Load a survey by its name or from a file.

    Parameters
    ----------
    name : str or pathlib.Path
        A name of :func:`list_surveys`, or the path of a TOML file.

    Returns
    -------
    Survey

    Raises
    ------
    PssegError
        If there is no such survey, or its file holds a wrong, unknown or missing key.

    Examples
    --------
    >>> load_survey("fermi-lat").n_bands
    8
    """
    if str(name) in list_surveys():
        return parse_survey((resources.files("psseg.survey") / f"{name}.toml").read_text("utf-8"))
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        known = ", ".join(list_surveys())
        raise PssegError(f"no survey {str(name)!r}: want one of {known}, or a .toml file")
    return parse_survey(path.read_text("utf-8"), where=path.name)


def parse_survey(text: str, *, where: str = "survey") -> AnySurvey:
    """Make a survey from the text of its TOML file.

    Parameters
    ----------
    text : str
        The file's content.
    where : str
        Its name, for messages.

    Returns
    -------
    Survey or ContinuumSurvey
        As its ``kind`` says, "counts" or "continuum".
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PssegError(f"{where}: not a TOML file: {error}") from error
    if table.get("kind") == "continuum":
        return parse_continuum(table, text, where=where)
    return _parse_counts(table, text, where)


def _parse_counts(table: Mapping[str, Any], text: str, where: str) -> Survey:
    names = set(_TOP_LEVEL)
    parts = {"labels", "instrument", "diffuse", "populations"}
    check_keys(table, required=names | parts, optional=set(_OPTIONAL), where=where)
    check_values(table, _TOP_LEVEL | _OPTIONAL, where=where)
    if table["kind"] != "counts":
        raise PssegError(f"{where}: kind is {table['kind']!r}, want 'counts' or 'continuum'")
    survey = Survey(
        name=table["name"],
        title=table["title"],
        kind=table["kind"],
        telescopes=tuple(table["telescopes"]),
        pixel_scale=float(table["pixel_scale"]),
        energy_edges=np.asarray(table["energy_edges"], dtype=float),
        labels=read_table(Labels, table["labels"], f"{where} [labels]"),
        instrument=CountsInstrument.from_table(table["instrument"], where=where),
        diffuse=read_table(DiffuseEmission, table["diffuse"], f"{where} [diffuse]"),
        populations=_populations(table["populations"], where),
        text=text,
        **{key: int(table[key]) for key in _OPTIONAL if key in table},
    )
    _check_bands(survey, where)
    return survey


def _populations(tables: Any, where: str) -> tuple[Population, ...]:
    check_tables(tables, "populations", where)
    return tuple(
        read_table(Population, table, f"{where} [[populations]] {table.get('name', number)}")
        for number, table in enumerate(tables, 1)
    )


def _check_bands(survey: Survey, where: str) -> None:
    check_rising(f"{where}: energy_edges", survey.energy_edges.tolist())
    if survey.pixel_scale <= 0:
        raise PssegError(f"{where}: pixel_scale must be above 0 deg, not {survey.pixel_scale}")
    if len(survey.instrument.psf) != survey.n_bands:
        raise PssegError(
            f"{where}: {survey.n_bands} bands between the energy edges, "
            f"but {len(survey.instrument.psf)} entries of [[instrument.psf]]"
        )
