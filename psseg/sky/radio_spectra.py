"""Spectra of radio sources: S ∝ exp(α x + q x²) with x = ln(frequency over reference frequency)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from psseg.survey.radio_populations import RadioPopulation

__all__ = ["draw_spectra", "largest_boost", "typical_spectra"]


def draw_spectra(
    population: RadioPopulation, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw spectra of a population.

    Parameters
    ----------
    population : RadioPopulation
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    index, curvature : numpy.ndarray, shape (n,)
        α and q at the survey's reference frequency: normal, cut to the population's range and to
        three standard deviations.
    """
    index = _truncated(rng, n, *population.index, *population.index_range)
    mean, scatter = population.curvature
    return index, _truncated(rng, n, mean, scatter, mean - 3 * scatter, mean + 3 * scatter)


def _truncated(
    rng: np.random.Generator, n: int, mean: float, scatter: float, low: float, high: float
) -> np.ndarray:
    """Draw from a normal distribution until all are within the limits."""
    values = rng.normal(mean, scatter, n)
    while len(outside := np.flatnonzero((values < low) | (values > high))):
        values[outside] = rng.normal(mean, scatter, len(outside))
    return values


def largest_boost(population: RadioPopulation, log_ratio: float) -> float:
    """Give the largest flux that a spectrum may have over that at the reference frequency.

    Parameters
    ----------
    population : RadioPopulation
    log_ratio : float
        ln(frequency over reference frequency).

    Returns
    -------
    float
        No spectrum of :func:`draw_spectra` exceeds it.
    """
    mean, scatter = population.curvature
    steepest = max(index * log_ratio for index in population.index_range)
    return float(np.exp(steepest + (mean + 3 * scatter) * log_ratio**2))


@lru_cache(maxsize=64)
def typical_spectra(population: RadioPopulation) -> tuple[np.ndarray, np.ndarray]:
    """Give the same 512 spectra of a population, index and curvature, every time."""
    return draw_spectra(population, 512, np.random.default_rng(0))
