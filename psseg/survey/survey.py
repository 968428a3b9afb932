"""A survey: what an instrument sees and what its sky holds, read from one TOML file.

Nothing else in the code names an instrument. To make psseg work on another one, copy a file of
this folder, edit it, and pass its path wherever a survey's name is asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from psseg.errors import PssegError
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.instrument import CountsInstrument
from psseg.survey.schema import check_keys, from_table

__all__ = [
    "DiffuseEmission",
    "Labels",
    "Population",
    "Survey",
    "list_surveys",
    "load_survey",
    "parse_survey",
]


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


@dataclass(frozen=True, kw_only=True)
class Population:
    """Sources of one kind: how many, where, how bright, with which spectrum and size.

    Parameters
    ----------
    name, code : str
        What they are, and their 4FGL code ("unk": no truth for a class).
    source_class : str
        "pulsar", "blazar", "other", or "" for sources that count for detection only.
    n_above : float
        Number on the whole sky above `reference_flux`.
    reference_flux : float
        ph cm⁻² s⁻¹, 1-100 GeV, as all fluxes here.
    flux_range : tuple of float
        Faintest and brightest flux drawn.
    flux_breaks, flux_slopes : tuple of float
        dN/dS ∝ S^-slope, one slope more than breaks, continuous at the breaks.
    latitude_scales, latitude_weights : tuple of float
        Mixture of densities ∝ exp(-|b|/scale); scale in deg, 0 for isotropic.
    longitude_scale : float
        Density ∝ exp(-|l|/scale), deg; 0 for uniform in longitude.
    spectrum : str
        "log-parabola" or "plec4" (:mod:`psseg.sky.spectra`).
    index, curvature, pivot : tuple of float
        Mean and standard deviation of the photon index at the pivot, of the curvature (β, or
        log10 d), and of log10(pivot / MeV).
    extended_fraction : float
        Fraction resolved by the instrument.
    radius : tuple of float
        Median radius, deg, and natural-log scatter, of the resolved ones.
    radius_range : tuple of float
        Smallest and largest radius, deg.
    """

    name: str
    code: str
    source_class: str
    n_above: float
    reference_flux: float
    flux_range: tuple[float, float]
    flux_breaks: tuple[float, ...]
    flux_slopes: tuple[float, ...]
    latitude_scales: tuple[float, ...]
    latitude_weights: tuple[float, ...]
    longitude_scale: float
    spectrum: str
    index: tuple[float, float]
    curvature: tuple[float, float]
    pivot: tuple[float, float]
    extended_fraction: float = 0.0
    radius: tuple[float, float] = (0.6, 0.8)
    radius_range: tuple[float, float] = (0.12, 2.5)

    def __post_init__(self) -> None:
        """Refuse values that no simulation could use."""
        if self.source_class not in (*SOURCE_CLASSES, ""):
            raise PssegError(
                f"population {self.name!r}: source_class is {self.source_class!r}, "
                f"want one of {', '.join(SOURCE_CLASSES)} or an empty string"
            )
        if self.spectrum not in ("log-parabola", "plec4"):
            raise PssegError(
                f"population {self.name!r}: spectrum is {self.spectrum!r}, "
                "want 'log-parabola' or 'plec4'"
            )
        if len(self.flux_slopes) != len(self.flux_breaks) + 1:
            raise PssegError(f"population {self.name!r}: want one flux slope more than breaks")


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

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.energy_edges) - 1

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names such as ``"1-1.99 GeV"``."""
        edges = [f"{edge:.4g}" for edge in self.energy_edges]
        return tuple(f"{low}-{high} GeV" for low, high in zip(edges, edges[1:], strict=False))


def list_surveys() -> tuple[str, ...]:
    """Give the names of the surveys that come with psseg."""
    folder = resources.files("psseg.survey")
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in files if name.endswith(".toml")))


def load_survey(name: str | Path) -> Survey:
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


def parse_survey(text: str, *, where: str = "survey") -> Survey:
    """Make a survey from the text of its TOML file.

    Parameters
    ----------
    text : str
        The file's content.
    where : str
        Its name, for messages.

    Returns
    -------
    Survey
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PssegError(f"{where}: not a TOML file: {error}") from error
    names = {"name", "title", "kind", "telescopes", "pixel_scale", "energy_edges"}
    parts = {"labels", "instrument", "diffuse", "populations"}
    check_keys(table, required=names | parts, optional=set(), where=where)
    if table["kind"] != "counts":
        raise PssegError(f"{where}: kind is {table['kind']!r}, want 'counts'")
    survey = Survey(
        name=table["name"],
        title=table["title"],
        kind=table["kind"],
        telescopes=tuple(table["telescopes"]),
        pixel_scale=float(table["pixel_scale"]),
        energy_edges=np.asarray(table["energy_edges"], dtype=float),
        labels=from_table(Labels, table["labels"], where=f"{where} [labels]"),
        instrument=CountsInstrument.from_table(table["instrument"]),
        diffuse=from_table(DiffuseEmission, table["diffuse"], where=f"{where} [diffuse]"),
        populations=_populations(table["populations"], where),
        text=text,
    )
    _check_bands(survey, where)
    return survey


def _populations(tables: list[Mapping[str, Any]], where: str) -> tuple[Population, ...]:
    return tuple(
        from_table(Population, table, where=f"{where} [[populations]] {table.get('name', number)}")
        for number, table in enumerate(tables, 1)
    )


def _check_bands(survey: Survey, where: str) -> None:
    edges = survey.energy_edges
    if len(edges) < 2 or np.any(np.diff(edges) <= 0) or edges[0] <= 0:
        raise PssegError(f"{where}: energy_edges must be positive and rising, got {edges.tolist()}")
    if len(survey.instrument.psf) != survey.n_bands:
        raise PssegError(
            f"{where}: {survey.n_bands} bands between the energy edges, "
            f"but {len(survey.instrument.psf)} entries of [[instrument.psf]]"
        )
