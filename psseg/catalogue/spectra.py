"""Spectra from the counts per band: power law, log-parabola, fluxes.

What a band says about a source is kept as one Poisson measurement: counts with an effective
background, chosen to give the best value, the variance and (where the best value is zero) the slope
of the fitted likelihood. A faint band thus limits a spectrum from above as it should, which a
Gaussian error does not.

The log-parabola is ``dN/dE = K (E/E0)**-(index + beta ln(E/E0))``, the power law the same with
``beta = 0``. Both have wide Gaussian priors, so that sources of a few counts keep sensible values:
for well measured sources they do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psseg.errors import PssegError

__all__ = ["BandCounts", "Spectra", "fit_spectra", "upper_errors"]

Floats = NDArray[np.float64]

INDEX_PRIOR = (2.3, 1.0)
"""Mean and standard deviation of the index. 4FGL-DR4's power-law indices: 2.3 and 0.3."""

BETA_PRIOR = (0.15, 0.4)
"""Mean and standard deviation of the curvature. 4FGL: blazars 0.12 and 0.15, pulsars 0.43, 0.2."""

N_NODES = 16
"""Gauss-Legendre nodes in ln(E) per energy range: exact to 1e-6 over the decade and a half of the
widest LAT band."""

MOST_STEPS = 30
"""Scoring steps of a fit at most."""

FEWEST_COUNTS = 1e-3
"""A spectrum never falls below this many counts in all: its logarithm stays finite."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BandCounts:
    """What each band says about each source.

    Parameters
    ----------
    best : ndarray (n_sources, n_bands)
        Most likely counts, not negative.
    variance : ndarray (n_sources, n_bands)
        Their variance.
    score : ndarray (n_sources, n_bands)
        Derivative of the log-likelihood there; negative where the bound at zero holds it.
    """

    best: Floats
    variance: Floats
    score: Floats

    def rows(self, order: NDArray[np.intp]) -> BandCounts:
        """Give some of the sources, in any order."""
        return BandCounts(
            best=self.best[order], variance=self.variance[order], score=self.score[order]
        )

    @property
    def effective_background(self) -> Floats:
        """Background of the equivalent Poisson measurement."""
        return np.maximum(self.variance, self.best + 1e-3) - self.best

    @property
    def effective_counts(self) -> Floats:
        """Counts of the equivalent Poisson measurement."""
        slope = np.where(self.best > 0, 0.0, np.clip(self.score, -1, 0))
        return (self.best + self.effective_background) * (1 + slope)


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectra:
    """Fitted spectra.

    Parameters
    ----------
    parameters : ndarray (n_sources, 2 or 3)
        ``ln K`` (counts per GeV and unit of exposure), index, and beta if curved.
    covariance : ndarray (n_sources, 2 or 3, 2 or 3)
        Their covariance.
    pivot : float
        ``E0``, GeV.
    counts : ndarray (n_sources, n_bands)
        Expected counts.
    """

    parameters: Floats
    covariance: Floats
    pivot: float
    counts: Floats

    def photon_flux(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Give the integral between two energies (GeV) and its error, (n_sources,) each."""
        nodes = _Nodes(np.array([[low, high]]), self.pivot, self.parameters.shape[1])
        flux, slopes = nodes.integrals(self.parameters)
        gradient = slopes[:, 0]
        variance = np.einsum("si,sij,sj->s", gradient, self.covariance, gradient)
        return flux[:, 0], np.sqrt(variance)


def fit_spectra(measured: BandCounts, exposure: Floats, bands: Floats, *, curved: bool) -> Spectra:
    """Fit a power law or a log-parabola to the counts of each source.

    Parameters
    ----------
    measured : BandCounts
        Counts, (n_sources, n_bands).
    exposure : ndarray (n_sources, n_bands)
        Exposure, cm2 s, or on any scale if only shapes are wanted.
    bands : ndarray (n_bands, 2)
        Lower and upper edges, GeV.
    curved : bool
        Log-parabola if True, else power law.

    Returns
    -------
    Spectra
        One per source; where the exposure is not positive in some band, that band does not count.
    """
    if measured.best.shape != exposure.shape or len(bands) != exposure.shape[1]:
        raise PssegError(
            f"spectra: counts {measured.best.shape}, exposure {exposure.shape} and "
            f"{len(bands)} bands do not fit together"
        )
    n_parameters = 3 if curved else 2
    pivot = float(bands[0, 0] * np.sqrt(10))
    nodes = _Nodes(bands, pivot, n_parameters)
    parameters = _start(measured, exposure, nodes, n_parameters)
    value = _log_likelihood(measured, exposure * nodes.integrals(parameters)[0], parameters)
    going = np.arange(len(parameters))
    for _ in range(MOST_STEPS):
        some = measured.rows(going), exposure[going], nodes, parameters[going]
        score, matrix = _derivatives(*some)
        step = np.clip(np.linalg.solve(matrix, score[..., None])[..., 0], -1.5, 1.5)
        parameters[going], better = _improved(*some, step, value[going])
        gain, value[going] = better - value[going], better
        going = going[gain >= 1e-4]
        if not len(going):
            break
    _, matrix = _derivatives(measured, exposure, nodes, parameters)
    return Spectra(
        parameters=parameters,
        covariance=np.linalg.inv(matrix).astype(float),
        pivot=pivot,
        counts=exposure * nodes.integrals(parameters)[0],
    )


def upper_errors(measured: BandCounts) -> Floats:
    """Give the upward errors of the counts: half of the way to where the likelihood falls by e**-2.

    For many counts this is their standard error; for no count on no background it is 1, where
    the usual way to ``e**-0.5`` would give 0.5 and miss the true value twice as often as not.

    Parameters
    ----------
    measured : BandCounts
        Counts, (n_sources, n_bands).

    Returns
    -------
    ndarray (n_sources, n_bands)
    """
    counts, background = measured.effective_counts, measured.effective_background
    top = measured.best + background
    value = measured.best + 2 * np.sqrt(top) + 2
    for _ in range(12):
        fallen = value - measured.best - counts * np.log((value + background) / top) - 2
        value = value - fallen / np.maximum(1 - counts / (value + background), 0.05)
        value = np.maximum(value, measured.best + 1e-3)
    return (value - measured.best) / 2


class _Nodes:
    """Quadrature of spectra over energy ranges."""

    def __init__(self, ranges: Floats, pivot: float, n_parameters: int) -> None:
        place, weight = np.polynomial.legendre.leggauss(N_NODES)
        low, high = np.log(ranges / pivot).T[:, :, None]
        x = (low + high) / 2 + (high - low) / 2 * place
        self._weight = (high - low) / 2 * weight * np.exp(x) * pivot
        self._powers = np.stack([np.ones_like(x), -x, -(x**2)][:n_parameters])

    def integrals(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Give integrals (n_sources, n_ranges) and derivatives (n_sources, n_ranges, n)."""
        exponent = np.tensordot(parameters, self._powers, axes=1)
        density = np.exp(np.clip(exponent, -300, 300)) * self._weight
        slopes = np.einsum("sbe,nbe->sbn", density, self._powers)
        return density.sum(axis=-1), slopes


def _start(measured: BandCounts, exposure: Floats, nodes: _Nodes, n_parameters: int) -> Floats:
    parameters = np.zeros((len(exposure), n_parameters))
    parameters[:, 1] = INDEX_PRIOR[0]
    expected = (exposure * nodes.integrals(parameters)[0]).sum(axis=1)
    total = np.maximum(measured.best.sum(axis=1), 1.0)
    parameters[:, 0] = np.log(total / np.maximum(expected, 1e-300))
    return parameters


def _priors(n_parameters: int) -> tuple[Floats, Floats]:
    """Give mean and inverse variance of each parameter."""
    mean, sigma = np.array([(0, np.inf), INDEX_PRIOR, BETA_PRIOR][:n_parameters]).T
    return mean, sigma**-2.0


def _derivatives(
    measured: BandCounts, exposure: Floats, nodes: _Nodes, parameters: Floats
) -> tuple[Floats, Floats]:
    mean, precision = _priors(parameters.shape[1])
    integral, slopes = nodes.integrals(parameters)
    slopes = slopes * exposure[..., None]
    expected = exposure * integral + measured.effective_background
    ratio = measured.effective_counts / expected - 1
    score = np.einsum("sb,sbn->sn", ratio, slopes) - precision * (parameters - mean)
    matrix = np.einsum("sb,sbn,sbm->snm", 1 / expected, slopes, slopes) + np.diag(precision)
    return score, matrix + 1e-9 * np.eye(len(mean))


def _log_likelihood(measured: BandCounts, counts: Floats, parameters: Floats) -> Floats:
    mean, precision = _priors(parameters.shape[1])
    expected = counts + measured.effective_background
    poisson = (measured.effective_counts * np.log(expected) - counts).sum(axis=1)
    too_faint = counts.sum(axis=1) < FEWEST_COUNTS
    prior = 0.5 * (precision * (parameters - mean) ** 2).sum(axis=1)
    return np.where(too_faint, -np.inf, poisson - prior)


def _improved(
    measured: BandCounts,
    exposure: Floats,
    nodes: _Nodes,
    parameters: Floats,
    step: Floats,
    value: Floats,
) -> tuple[Floats, Floats]:
    """Take the step, shortened where it does not improve; else stay."""
    best, best_value = parameters, value
    size = np.ones(len(parameters))
    for _ in range(8):
        trial = parameters + size[:, None] * step
        trial_value = _log_likelihood(measured, exposure * nodes.integrals(trial)[0], trial)
        better = trial_value > best_value
        best = np.where(better[:, None], trial, best)
        best_value = np.where(better, trial_value, best_value)
        size = np.where(best_value > value, size, size / 2)
        if np.all(best_value > value):
            break
    return best, best_value
