"""The kinds of sources in a survey's γ-ray sky."""

from __future__ import annotations

from dataclasses import dataclass

from psseg.errors import PssegError
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.schema import check_rising

__all__ = ["Population"]

SPECTRA = ("log-parabola", "plec4")
"""Spectral shapes a population may have; `psseg.sky.spectra` has their formulae."""


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
                f"source_class is {self.source_class!r}, "
                f"want one of {', '.join(SOURCE_CLASSES)} or an empty string"
            )
        if self.spectrum not in SPECTRA:
            raise PssegError(f"spectrum is {self.spectrum!r}, want one of {', '.join(SPECTRA)}")
        self._check_counts()
        self._check_sky()

    def _check_counts(self) -> None:
        if len(self.flux_slopes) != len(self.flux_breaks) + 1:
            raise PssegError("want one of flux_slopes more than of flux_breaks")
        if 1.0 in self.flux_slopes:
            raise PssegError(
                "one of flux_slopes is exactly 1, which cannot be integrated; take 1.001"
            )
        low, high = self.flux_range
        check_rising("flux_range with flux_breaks", (low, *self.flux_breaks, high))
        if self.n_above <= 0 or not 0 < self.reference_flux < high:
            raise PssegError(
                f"want n_above above 0 and reference_flux between 0 and {high:g}, "
                f"got {self.n_above} and {self.reference_flux}"
            )

    def _check_sky(self) -> None:
        scales, weights = self.latitude_scales, self.latitude_weights
        if len(scales) != len(weights) or abs(sum(weights) - 1) > 1e-6 or min(*weights, 0) < 0:
            raise PssegError(
                "want one of latitude_weights per entry of latitude_scales, not negative, "
                f"with sum 1, got {list(weights)} for {list(scales)}"
            )
        if min(*scales, self.longitude_scale, 0) < 0:
            raise PssegError("latitude_scales and longitude_scale must not be negative")
        if not 0 <= self.extended_fraction <= 1:
            raise PssegError(f"extended_fraction must be 0 to 1, not {self.extended_fraction}")
        check_rising("radius_range", self.radius_range)
