"""How many pulsars, blazars and other sources to expect at a place and flux: the physical priors.

In: the survey's populations, positions and fluxes. Out: densities of the three classes. Fluxes are
those of 1-100 GeV or, of maps that do not show that range, those in the bands observed: a pulsar
whose spectrum breaks off at a few GeV is a rare thing above 10 GeV.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from psseg.sky.sources import REFERENCE_FLUX, draw_band_fractions, number_above, sky_density
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.populations import Population
from psseg.survey.survey import Survey

__all__ = ["class_density"]

FAINTEST, BRIGHTEST = 3e-11, 1e-7
"""1-100 GeV, ph cm⁻² s⁻¹: fluxes beyond these, or below those of a population, count as these, as
nothing is known of the populations there."""

REFERENCE_INDEX = 2.2
"""Photon index with which these and `REFERENCE_FLUX` become fluxes in the bands observed."""

N_SPECTRA = 256
"""Drawn of each population, always the same, to tell how much of their flux the bands show."""

SMALLEST_SHARE = 1e-9
"""Of a flux: what a spectrum that breaks off below the bands shows of it."""

FLUX_STEP = 1.2
"""Numbers per flux are averaged over ±20 %, about the flux's error at the threshold."""

FEWEST = 1e-12
"""Sources per ln(flux) on the whole sky, at least: keeps every class alive."""


def class_density(
    survey: Survey,
    *,
    glon: np.ndarray,
    glat: np.ndarray,
    flux: np.ndarray | None = None,
    bands: np.ndarray | None = None,
) -> np.ndarray:
    """Give the expected density of pulsars, blazars and other sources: the physical priors.

    Parameters
    ----------
    survey : Survey
    glon, glat : numpy.ndarray, shape (n,)
        Galactic positions, deg.
    flux : numpy.ndarray, shape (n,), optional
        Photon fluxes, ph cm⁻² s⁻¹. Without, or where not finite, all sources are counted that are
        brighter than one of photon index 2.2 with 3e-10 ph cm⁻² s⁻¹ between 1 and 100 GeV.
    bands : numpy.ndarray of bool, shape (n_bands,), optional
        Bands in which `flux` is. The default is 1-100 GeV, whatever the bands.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        Per steradian (and per natural logarithm of flux), in the order of `SOURCE_CLASSES`; only
        ratios between the columns mean anything.
    """
    observed = None if bands is None else tuple(np.flatnonzero(bands).tolist())
    reference = 1.0 if observed is None else _reference_share(survey, observed)
    edges = tuple(survey.energy_edges.tolist())
    flux = np.full(len(glon), np.nan) if flux is None else np.asarray(flux, dtype=float)
    density = np.zeros((len(glon), len(SOURCE_CLASSES)))
    for population in survey.populations:
        if population.source_class:
            column = SOURCE_CLASSES.index(population.source_class)
            shares = np.ones(1) if observed is None else _shares(population, edges, observed)
            number = _numbers_at(population, flux / reference, shares / reference)
            density[:, column] += number * sky_density(population, glon, glat)
    return density


def _numbers_at(population: Population, flux: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Give the sources per ln(flux) at each flux, or above `REFERENCE_FLUX` where there is none.

    Both are the means over spectra, of which each shows its own share of the flux, (n_spectra,).
    """
    overall = number_above(population, REFERENCE_FLUX / shares).mean()
    full = np.clip(np.nan_to_num(flux, nan=1.0), FAINTEST, BRIGHTEST)[:, None] / shares
    full = np.maximum(full, population.flux_range[0] * FLUX_STEP)
    step = number_above(population, full / FLUX_STEP) - number_above(population, full * FLUX_STEP)
    local = np.maximum(step.mean(axis=1) / (2 * np.log(FLUX_STEP)), FEWEST)
    return np.where(np.isfinite(flux), local, overall)


@lru_cache(maxsize=64)
def _shares(
    population: Population, energy_edges: tuple[float, ...], bands: tuple[int, ...]
) -> np.ndarray:
    """Share of the 1-100 GeV flux that typical spectra show in some bands, (n_spectra,)."""
    rng = np.random.default_rng(N_SPECTRA)
    fractions = draw_band_fractions(population, np.array(energy_edges), N_SPECTRA, rng)
    return np.maximum(fractions[:, list(bands)].sum(axis=1), SMALLEST_SHARE)


def _reference_share(survey: Survey, bands: tuple[int, ...]) -> float:
    """Give the same of the reference spectrum."""
    power = 1 - REFERENCE_INDEX
    edges = survey.energy_edges**power
    return float((edges[:-1] - edges[1:])[list(bands)].sum() / (1 - 100.0**power))
