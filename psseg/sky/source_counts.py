"""How many radio sources there are: counts by flux, population and Galactic latitude."""

from __future__ import annotations

from functools import lru_cache
from typing import overload

import numpy as np
from numpy.polynomial.polynomial import polyval
from numpy.typing import ArrayLike

from psseg.sky.radio_spectra import typical_spectra
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.radio_populations import GalacticCounts, RadioCounts, RadioPopulation

__all__ = [
    "class_densities",
    "confusion_noise",
    "cumulative_counts",
    "differential_counts",
    "euclidean_counts",
    "latitude_factor",
    "log_uniform",
]

SQUARE_DEGREE = (np.pi / 180) ** 2

GRID_POINTS = 1024
"""Points of tables of counts: over eight decades 2 % in flux, integral counts are exact to 1e-4
between them, and those of many sources' classes to 1e-3."""


def euclidean_counts(counts: RadioCounts, flux: ArrayLike) -> np.ndarray:
    """Give the differential counts of extragalactic sources, Euclidean-normalised.

    Parameters
    ----------
    counts : RadioCounts
    flux : array_like
        Jy, at the survey's reference frequency.

    Returns
    -------
    numpy.ndarray
        (dN/dS) S^2.5, Jy^1.5 sr⁻¹: the polynomial of Hopkins et al. 2003, AJ 125, 465, between
        power laws below and a fit to the compilation of de Zotti et al. 2010, A&ARv 18, 1, above.
        Beyond the brightest flux the counts stay Euclidean.
    """
    flux = np.asarray(flux, dtype=float)
    bright = np.log10(np.clip(flux, counts.bright_flux, counts.brightest_flux))
    middle = np.log10(np.clip(flux, counts.faint_fluxes[0], counts.bright_flux)) + 3  # mJy
    faint = polyval(middle, counts.polynomial) + _faint_exponent(counts, flux)
    return 10 ** np.where(
        flux > counts.bright_flux, polyval(bright, counts.bright_polynomial), faint
    )


def _faint_exponent(counts: RadioCounts, flux: np.ndarray) -> np.ndarray:
    """log10 of the counts over those at the highest of the faint fluxes, 0 above it."""
    exponent = np.zeros(flux.shape)
    ends = (*counts.faint_fluxes[1:], 0.0)
    for start, end, slope in zip(counts.faint_fluxes, ends, counts.faint_slopes, strict=True):
        inside = np.clip(flux, max(end, 1e-30), start)
        exponent = exponent + (2.5 - slope) * np.log10(inside / start)
    return exponent


def differential_counts(
    survey: ContinuumSurvey,
    population: RadioPopulation,
    flux: ArrayLike,
    *,
    galactic_latitude: ArrayLike = 90.0,
) -> np.ndarray:
    """Give the density of a population's sources per natural logarithm of flux.

    Parameters
    ----------
    survey : ContinuumSurvey
    population : RadioPopulation
        One of the survey's.
    flux : array_like
        Jy, at the survey's reference frequency.
    galactic_latitude : array_like
        deg; broadcast against `flux`.

    Returns
    -------
    numpy.ndarray
        deg⁻². Beyond the fluxes that are drawn, the last slopes go on.
    """
    factor = latitude_factor(population, galactic_latitude)
    return factor * _differential(survey.counts, population, np.asarray(flux, dtype=float))


def latitude_factor(population: RadioPopulation, galactic_latitude: ArrayLike) -> np.ndarray:
    """Give the density of a population at Galactic latitudes (deg) over that at the poles."""
    latitude = np.abs(np.asarray(galactic_latitude, dtype=float))
    if population.galactic is None:
        return np.ones(latitude.shape)
    number = np.array(population.galactic.number_above)
    inner_edges = population.galactic.latitude_edges[1:-1]
    return number[np.searchsorted(inner_edges, latitude, "right")] / number[-1]


def _differential(counts: RadioCounts, population: RadioPopulation, flux: np.ndarray) -> np.ndarray:
    """Density at the Galactic poles per ln(flux), deg⁻²."""
    if population.galactic is not None:
        return _galactic_differential(population.galactic, flux)
    share = np.interp(np.log(flux), np.log(counts.share_fluxes), population.share)
    return share * euclidean_counts(counts, flux) * flux**-1.5 * SQUARE_DEGREE


def _galactic_differential(counts: GalacticCounts, flux: np.ndarray) -> np.ndarray:
    slope = np.array(counts.count_slopes)[np.searchsorted(counts.flux_breaks, flux, "right")]
    reference = _relative_number(counts, np.array(counts.reference_flux))
    return counts.number_above[-1] * slope * _relative_number(counts, flux) / reference


def _relative_number(counts: GalacticCounts, flux: np.ndarray) -> np.ndarray:
    """N(> S) of the broken power law, any scale."""
    number = np.ones(flux.shape)
    edges = (0.0, *counts.flux_breaks, np.inf)
    for low, high, slope in zip(edges[:-1], edges[1:], counts.count_slopes, strict=True):
        anchor = low or (high if np.isfinite(high) else 1.0)
        number = number * (np.clip(flux, low, high) / anchor) ** -slope
    return number


@lru_cache(maxsize=64)
def cumulative_counts(
    counts: RadioCounts, population: RadioPopulation
) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate how many of a population are above each flux, at the Galactic poles.

    Parameters
    ----------
    counts : RadioCounts
    population : RadioPopulation

    Returns
    -------
    flux, number : numpy.ndarray, shape (n_points,)
        Jy at the survey's reference frequency, falling; and deg⁻², rising from 0.
    """
    ends = (counts.faintest_flux, counts.brightest_flux)
    if population.galactic is not None:
        ends = population.galactic.flux_range
    flux = np.geomspace(*ends, GRID_POINTS)[::-1]
    density = _differential(counts, population, flux)
    step = np.log(flux[0] / flux[1])
    number = np.cumsum(np.append(0.0, (density[1:] + density[:-1]) / 2 * step))
    return flux, number


def class_densities(
    survey: ContinuumSurvey,
    flux: np.ndarray,
    frequency: float,
    galactic_latitude: np.ndarray | float,
) -> np.ndarray:
    """Give the expected density of pulsars, blazars and other sources: the physical priors.

    Parameters
    ----------
    survey : ContinuumSurvey
    flux : numpy.ndarray, shape (n,)
        Integrated flux densities, Jy. Where not finite or not positive, 1 mJy at the survey's
        reference frequency is taken.
    frequency : float
        Hz; where not finite, the survey's reference frequency.
    galactic_latitude : numpy.ndarray, shape (n,), or float
        deg.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        deg⁻² per natural logarithm of flux, in the order of `SOURCE_CLASSES`, averaged over each
        population's spectra.
    """
    reference = survey.reference_frequency
    log_ratio = float(np.log((frequency if np.isfinite(frequency) else reference) / reference))
    usable = np.isfinite(flux) & (np.nan_to_num(flux) > 0)
    density = np.zeros((len(flux), len(SOURCE_CLASSES)))
    for population in survey.populations:
        index, curvature = typical_spectra(population)
        boost = np.exp((index + curvature * log_ratio) * log_ratio)
        known = np.where(usable, flux, 1e-3 * np.median(boost))
        counts = _mean_counts(survey, population, known, boost)
        factor = latitude_factor(population, galactic_latitude)
        density[:, SOURCE_CLASSES.index(population.source_class)] += counts * factor
    return density


def _mean_counts(
    survey: ContinuumSurvey, population: RadioPopulation, flux: np.ndarray, boost: np.ndarray
) -> np.ndarray:
    """Average counts at the poles over spectra; for many fluxes, take them from a table."""
    if len(flux) <= GRID_POINTS:
        return differential_counts(survey, population, flux[:, None] / boost).mean(axis=1)
    table = np.geomspace(flux.min(), flux.max(), GRID_POINTS)
    flattened = _mean_counts(survey, population, table, boost) * table**1.5
    return np.interp(np.log(flux), np.log(table), flattened) * flux**-1.5


def confusion_noise(frequency: float, beam: float) -> float:
    """Give the noise that sources too faint to be told apart make, Jy/beam.

    Parameters
    ----------
    frequency : float
        Hz.
    beam : float
        Geometric mean of the beam's FWHM, arcsec.

    Returns
    -------
    float
        Condon et al. 2012, ApJ 758, 23: 1.2 µJy (ν/3.02 GHz)^-0.7 (θ/8″)^(10/3), for beams up to
        10″; for wider ones, where brighter sources with flatter counts make it, Condon 2002, ASP
        Conf. 278, 155: 0.2 mJy (ν/GHz)^-0.7 (θ/1′)².
    """
    narrow = 1.2e-6 * (frequency / 3.02e9) ** -0.7 * (beam / 8) ** (10 / 3)
    wide = 2e-4 * (frequency / 1e9) ** -0.7 * (beam / 60) ** 2
    return min(narrow, wide)


@overload
def log_uniform(limits: tuple[float, float], rng: np.random.Generator) -> float: ...


@overload
def log_uniform(limits: tuple[float, float], rng: np.random.Generator, n: int) -> np.ndarray: ...


def log_uniform(
    limits: tuple[float, float], rng: np.random.Generator, n: int | None = None
) -> float | np.ndarray:
    """Draw from a range whose logarithms are all alike likely.

    Parameters
    ----------
    limits : tuple of float
        Lowest and highest, above zero.
    rng : numpy.random.Generator
    n : int, optional
        How many; by default a single number.

    Returns
    -------
    float, or numpy.ndarray, shape (n,)
    """
    low, high = np.log(limits)
    drawn = np.exp(rng.uniform(low, high, n))
    return float(drawn) if n is None else drawn
