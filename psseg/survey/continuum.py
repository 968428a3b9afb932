"""A survey of radio continuum images: how they are taken, and which sources they show.

The numbers come from the survey file; the classes here name them, check them and refuse what no
simulation could use. A continuum survey is not tied to one telescope: it holds the ranges from
which observations are drawn, and a few set-ups after well-known surveys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from psseg.errors import PssegError
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.radio_instrument import Artefacts, ContinuumInstrument, Setup
from psseg.survey.radio_populations import (
    BalancedMix,
    GalacticCounts,
    RadioCounts,
    RadioPopulation,
)
from psseg.survey.schema import check_keys, check_tables, check_values, read_table

__all__ = [
    "ContinuumLabels",
    "ContinuumSurvey",
    "parse_continuum",
]

_TOP_LEVEL = {
    "name": str,
    "title": str,
    "kind": str,
    "telescopes": tuple[str, ...],
    "reference_frequency": float,
}
_TABLES = {"labels", "instrument", "setups", "artefacts", "counts", "balanced", "populations"}


@dataclass(frozen=True, kw_only=True)
class ContinuumLabels:
    """How truth maps are drawn.

    Parameters
    ----------
    detectable_snr : float
        Peak flux over local rms from which a source is labelled.
    invisible_snr : float
        Below it a source is background; between the two its pixels are ignored.
    emission_snr, peak_level : float
        A pixel is a source's where one of its components, convolved with the beam, is brighter
        than `emission_snr` times the local rms and than `peak_level` times the component's peak.
    """

    detectable_snr: float
    invisible_snr: float
    emission_snr: float
    peak_level: float

    def __post_init__(self) -> None:
        """Refuse values that no truth map could be drawn with."""
        if not 0 < self.invisible_snr <= self.detectable_snr:
            raise PssegError(
                "want 0 < invisible_snr <= detectable_snr, got "
                f"{self.invisible_snr} and {self.detectable_snr}"
            )
        if not (self.emission_snr > 0 and 0 < self.peak_level < 1):
            raise PssegError(
                "want emission_snr above 0 and peak_level between 0 and 1, got "
                f"{self.emission_snr} and {self.peak_level}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class ContinuumSurvey:
    """Images of the radio continuum and the sky they show.

    Parameters
    ----------
    name, title : str
        Short name, and one line for people.
    kind : str
        "continuum".
    telescopes : tuple of str
        Values of the header's TELESCOP that mean this survey, upper case.
    reference_frequency : float
        Hz, at which the fluxes of populations are given.
    labels : ContinuumLabels
    instrument : ContinuumInstrument
    setups : mapping of str to Setup
        Observations after well-known surveys, by name.
    artefacts : Artefacts
    counts : RadioCounts
    balanced : BalancedMix
    populations : tuple of RadioPopulation
    text : str
        The file itself, so that a model can keep it.
    """

    name: str
    title: str
    kind: str
    telescopes: tuple[str, ...]
    reference_frequency: float
    labels: ContinuumLabels
    instrument: ContinuumInstrument
    setups: Mapping[str, Setup]
    artefacts: Artefacts
    counts: RadioCounts
    balanced: BalancedMix
    populations: tuple[RadioPopulation, ...]
    text: str

    @property
    def n_bands(self) -> int:
        """Number of planes that the network sees."""
        return len(self.band_names)

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the planes that the network sees."""
        return ("Stokes I", "spectral tilt", "Stokes V")

    def __post_init__(self) -> None:
        """Refuse populations that do not share the counts, and classes without any."""
        if self.reference_frequency <= 0:
            raise PssegError(f"reference_frequency must be above 0, not {self.reference_frequency}")
        self._check_shares()
        for source_class in SOURCE_CLASSES:
            weights = [
                p.balanced_weight for p in self.populations if p.source_class == source_class
            ]
            if sum(weights) <= 0:
                raise PssegError(
                    f"[[populations]]: no {source_class} has a balanced_weight above 0"
                )

    def _check_shares(self) -> None:
        n_nodes = len(self.counts.share_fluxes)
        shares = [p for p in self.populations if p.share]
        for population in shares:
            if len(population.share) != n_nodes:
                raise PssegError(
                    f"population {population.name!r}: share must have {n_nodes} entries, as "
                    f"share_fluxes of [counts] has, not {len(population.share)}"
                )
        for number, flux in enumerate(self.counts.share_fluxes):
            total = sum(p.share[number] for p in shares)
            if abs(total - 1) > 1e-6:
                raise PssegError(
                    f"[[populations]]: shares at {flux:g} Jy add up to {total:g}, not 1"
                )


def parse_continuum(
    table: Mapping[str, Any], text: str, *, where: str = "survey"
) -> ContinuumSurvey:
    """Make a continuum survey from the table of its TOML file.

    Parameters
    ----------
    table : mapping
        The file's content, parsed.
    text : str
        The same, as it stands in the file.
    where : str
        The file's name, for messages.

    Returns
    -------
    ContinuumSurvey

    Raises
    ------
    PssegError
        If a key is wrong, unknown or missing, or the tables do not fit together.

    Examples
    --------
    >>> import tomllib
    >>> from importlib import resources
    >>> text = (resources.files("psseg.survey") / "radio.toml").read_text("utf-8")
    >>> parse_continuum(tomllib.loads(text), text).n_bands
    3
    """
    check_keys(table, required=set(_TOP_LEVEL) | _TABLES, optional=set(), where=where)
    check_values(table, _TOP_LEVEL, where=where)
    parts: dict[str, Any] = {
        "labels": read_table(ContinuumLabels, table["labels"], f"{where} [labels]"),
        "instrument": read_table(ContinuumInstrument, table["instrument"], f"{where} [instrument]"),
        "setups": _setups(table["setups"], where),
        "artefacts": read_table(Artefacts, table["artefacts"], f"{where} [artefacts]"),
        "counts": read_table(RadioCounts, table["counts"], f"{where} [counts]"),
        "balanced": read_table(BalancedMix, table["balanced"], f"{where} [balanced]"),
        "populations": _populations(table["populations"], where),
    }
    try:
        return ContinuumSurvey(
            name=table["name"],
            title=table["title"],
            kind=table["kind"],
            telescopes=tuple(table["telescopes"]),
            reference_frequency=float(table["reference_frequency"]),
            text=text,
            **parts,
        )
    except PssegError as error:
        raise PssegError(f"{where}: {error}") from error


def _setups(tables: Any, where: str) -> Mapping[str, Setup]:
    if not isinstance(tables, Mapping):
        raise PssegError(f"{where}: setups must be [setups.NAME] tables")
    return MappingProxyType(
        {
            name: read_table(Setup, table, f"{where} [setups.{name}]")
            for name, table in tables.items()
        }
    )


def _populations(tables: Any, where: str) -> tuple[RadioPopulation, ...]:
    check_tables(tables, "populations", where)
    return tuple(_population(table, number, where) for number, table in enumerate(tables, 1))


def _population(table: Mapping[str, Any], number: int, where: str) -> RadioPopulation:
    where = f"{where} [[populations]] {table.get('name', number)}"
    if "galactic" in table:
        counts = read_table(GalacticCounts, table["galactic"], f"{where} [populations.galactic]")
        table = {**table, "galactic": counts}
    return read_table(RadioPopulation, table, where)
