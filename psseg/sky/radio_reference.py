"""The populations of radio sources as a large sample, for classes by flux, spectrum and size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.errors import PssegError
from psseg.sky.radio_sources import RadioSources, draw_radio_sources, spectral_indices
from psseg.sky.radio_truth import truth_table
from psseg.sky.source_counts import differential_counts
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey

__all__ = ["ReferenceImage", "ReferenceSample", "draw_reference", "flux_ratio"]

Floats = NDArray[np.float64]

N_REFERENCE = 120_000
"""Sources of a reference sample: some thousand of similar flux at any flux but the brightest."""


@dataclass(frozen=True, kw_only=True)
class ReferenceImage:
    """What of an observation counts for how its sources are drawn and seen.

    Parameters
    ----------
    frequency : float
        Hz, of the reference plane.
    frequency_ratio : float
        Frequency of the other plane of Stokes I over that; not-a-number where there is none.
    pixel_scale : float
        deg.
    beam_pixels : tuple of float
        FWHM of the beam's major and minor axis, pixels.
    rms : float
        Noise of the reference plane, Jy/beam.
    galactic_latitude : float
        deg; for "physical" priors.
    v_frequency_ratio : float
        Frequency of Stokes V over that of the reference plane.
    """

    frequency: float
    frequency_ratio: float
    pixel_scale: float
    beam_pixels: tuple[float, float]
    rms: float
    galactic_latitude: float = 45.0
    v_frequency_ratio: float = 1.0

    @property
    def beam_area(self) -> float:
        """Solid angle of the beam, pixels."""
        return float(np.pi / (4 * np.log(2)) * self.beam_pixels[0] * self.beam_pixels[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceSample:
    """Sources of the true populations with their true values, rising in flux.

    Parameters
    ----------
    source_class : ndarray of int, shape (n,)
        0 to 2, in the order of `SOURCE_CLASSES`.
    log_flux : ndarray, shape (n,)
        Natural logarithm of the flux at the reference plane, Jy.
    ratio : ndarray, shape (n,)
        Flux at the other frequency over that.
    v_over_i : ndarray, shape (n,)
        Stokes V, at its own frequency, over Stokes I of the reference plane, signed.
    size : ndarray, shape (n,)
        Intrinsic FWHM of the major axis over the beam's.
    weight : ndarray, shape (n,)
        How many true sources each stands for; any scale.
    slope : float
        Flux distribution near any flux, dN/dS ∝ S^-slope.

    Notes
    -----
    Classes that are equally frequent in the sample, with equal weights, give balanced
    probabilities.
    """

    source_class: NDArray[np.int64]
    log_flux: Floats
    ratio: Floats
    v_over_i: Floats
    size: Floats
    weight: Floats
    slope: float

    def __post_init__(self) -> None:
        """Check the order that the search for similar fluxes relies on."""
        if np.any(np.diff(self.log_flux) < 0):
            raise PssegError("reference sample: log_flux must rise; sort the sample by it")


def draw_reference(
    survey: ContinuumSurvey,
    rng: np.random.Generator,
    taken: ReferenceImage,
    *,
    priors: str,
    n_sources: int = N_REFERENCE,
) -> ReferenceSample:
    """Draw a reference sample for an observation from the simulator's own populations.

    Parameters
    ----------
    survey : ContinuumSurvey
        The populations.
    rng : numpy.random.Generator
        Its numbers must not be those of the sky that is classified.
    taken : ReferenceImage
        How the image is taken whose sources are classified.
    priors : str
        "balanced": drawn as the balanced skies are, classes equally frequent at every flux;
        "physical": as frequent as on the sky at this latitude, with the sizes of the sky.
    n_sources : int
        How many, about.

    Returns
    -------
    ReferenceSample

    Raises
    ------
    PssegError
        If the priors are neither.

    Notes
    -----
    Pulsars are too rare to be drawn as on the sky. The sample is always balanced; for "physical"
    each source is weighted by the density of its population at its flux, brought to the survey's
    reference frequency with its own spectrum, over the share of the population in the sample.
    """
    if priors not in ("balanced", "physical"):
        raise PssegError(f"priors: want 'balanced' or 'physical', not {priors!r}")
    drawn = _drawn(survey, rng, taken, priors, n_sources)
    weight = np.ones(len(drawn.flux))
    if priors == "physical":
        weight = _physical_weights(survey, drawn, taken.frequency, taken.galactic_latitude)
    truth = _true_values(survey, drawn, taken)
    beam_major = taken.beam_pixels[0] * taken.pixel_scale
    return _reference(truth, weight, taken.frequency_ratio, beam_major, survey.balanced.slope)


def _drawn(
    survey: ContinuumSurvey,
    rng: np.random.Generator,
    taken: ReferenceImage,
    priors: str,
    n_sources: int,
) -> RadioSources:
    """Draw sources of all populations, one per beam; extended ones for balanced priors alone."""
    resolved = survey.balanced.resolved_share if priors == "balanced" else 0.0
    dense = replace(survey.balanced, beams_per_source=(1.0, 1.01), resolved_share=resolved)
    side = max(int(np.sqrt(n_sources * taken.beam_area)), 1)
    return draw_radio_sources(
        replace(survey, balanced=dense),
        rng,
        shape=(side, side),
        pixel_scale=taken.pixel_scale,
        frequency=taken.frequency,
        faintest=survey.balanced.snr[0] * taken.rms,
        mix="balanced",
        snr_unit=taken.rms,
        beam_area=taken.beam_area,
    )


def _true_values(survey: ContinuumSurvey, drawn: RadioSources, taken: ReferenceImage) -> QTable:
    """Give the truth table of the sources, with Stokes V at its own frequency."""
    second = taken.frequency * np.nan_to_num(taken.frequency_ratio, nan=1.0)
    alpha = spectral_indices(drawn, float(second), taken.frequency)
    truth = _listed(survey, drawn, alpha, taken.pixel_scale)
    at_v = spectral_indices(drawn, taken.frequency * taken.v_frequency_ratio, taken.frequency)
    truth["v_over_i"] *= taken.v_frequency_ratio**at_v
    return truth


def _listed(
    survey: ContinuumSurvey, drawn: RadioSources, alpha: Floats, pixel_scale: float
) -> QTable:
    """Give the truth table of all sources drawn, at no place in particular."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---CAR", "DEC--CAR"]
    n = len(drawn.flux)
    nothing = np.zeros(n)
    return truth_table(
        survey,
        drawn,
        chosen=np.arange(n),
        peaks=nothing,
        snr=nothing,
        alpha=alpha,
        wcs=wcs,
        pixel_scale=pixel_scale,
    )


def _reference(
    truth: QTable, weight: Floats, frequency_ratio: float, beam_major: float, slope: float
) -> ReferenceSample:
    """Sort the sources of a truth table by flux and keep what the classifier compares."""
    flux = truth["int_flux"].to_value(u.Jy)
    order = np.argsort(flux, kind="stable")
    names = np.asarray(truth["CLASS"], dtype=str)
    return ReferenceSample(
        source_class=np.array([SOURCE_CLASSES.index(name) for name in names[order]], dtype=int),
        log_flux=np.log(flux[order]),
        ratio=flux_ratio(truth, frequency_ratio)[order],
        v_over_i=np.asarray(truth["v_over_i"], dtype=float)[order],
        size=truth["maj"].to_value(u.deg)[order] / beam_major,
        weight=weight[order],
        slope=slope,
    )


def flux_ratio(truth: QTable, frequency_ratio: float) -> Floats:
    """Flux at the other frequency over that at the reference plane; 0 where there is none.

    The truth's alpha is that between the two frequencies.
    """
    ratio = np.power(frequency_ratio, np.asarray(truth["alpha"], dtype=float))
    return np.nan_to_num(np.asarray(ratio, dtype=float))


def _physical_weights(
    survey: ContinuumSurvey, drawn: RadioSources, frequency: float, galactic_latitude: float
) -> Floats:
    """Give the density of each source's population at its flux over the population's share."""
    log_ratio = np.log(frequency / survey.reference_frequency)
    first = np.unique(drawn.component_source, return_index=True)[1]
    bend = drawn.component_curvature[first] * log_ratio
    flux = drawn.flux / np.exp((drawn.alpha - bend) * log_ratio)
    share = np.array([population.balanced_weight for population in survey.populations])
    classes = np.array([SOURCE_CLASSES.index(p.source_class) for p in survey.populations])
    share = share / np.bincount(classes, weights=share)[classes]
    weight = np.zeros(len(flux))
    for number in np.unique(drawn.population):
        chosen = drawn.population == number
        density = differential_counts(
            survey,
            survey.populations[number],
            flux[chosen],
            galactic_latitude=galactic_latitude,
        )
        weight[chosen] = density / share[number]
    return weight
