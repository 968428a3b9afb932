"""How well any classifier of radio sources could do: the Bayes-optimal one, and cuts for contrast.

The Bayes classifier is given what no catalogue has: fluxes measured at the true position with the
true shape, their exact noise, the true beam, and the true populations, from which a large
reference sample is drawn. Confusion, sidelobes and the errors of a source finder do not touch it.
It is the limit for everything that uses flux, spectrum, polarisation and size; it does not use the
shape beyond its size, nor the place in the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from psseg.evaluation.matching import column
from psseg.evaluation.radio_reference import ReferenceSample, flux_ratio
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey

__all__ = [
    "RadioFluxes",
    "bayes_classes",
    "leakage_spread",
    "observe_truth",
    "scripted_cuts",
]

Floats = NDArray[np.float64]

N_SIMILAR = 12_000
"""Reference sources of similar flux over which is averaged."""

FINEST = 0.01
"""Relative error of Stokes I that is added: finer, the sample would show its single sources."""

CHUNK = 100
"""Sources classified at once: 100 × 12 000 × 3 numbers of eight bytes are 29 MB."""

STEEP, FLAT = -1.2, -0.4
"""Spectral indices of the cuts: below the one, three in four pulsars; above the other, blazars."""

LEAST_POLARISED, LEAST_SIGMA = 0.05, 4.0
"""Circular polarisation, and its significance, from which the cuts say pulsar."""

RESOLVED_SIGMA = 3.0
"""Broadening over its error from which the cuts call a source resolved."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RadioFluxes:
    """What is measured of each source.

    Parameters
    ----------
    flux, error : ndarray, shape (n, 3)
        Integrated Stokes I of the reference plane, Stokes I at the other frequency, Stokes V of
        the reference plane; Jy. Not-a-number where there is no such plane.
    frequency_ratio : float
        Other frequency over that of the reference plane; not-a-number where there is one only.
    size, size_error : ndarray, shape (n,)
        Observed FWHM of the major axis over the beam's, and its error.
    """

    flux: Floats
    error: Floats
    frequency_ratio: float
    size: Floats
    size_error: Floats


def bayes_classes(
    measured: RadioFluxes, reference: ReferenceSample, *, n_similar: int = N_SIMILAR
) -> Floats:
    r"""Give the posterior probability of each class.

    Parameters
    ----------
    measured : RadioFluxes
        What is measured of n sources.
    reference : ReferenceSample
        The true populations.
    n_similar : int
        Reference sources, of all classes together, nearest in flux to each source.

    Returns
    -------
    ndarray, shape (n, 3)
        Rows sum to 1, in the order of `SOURCE_CLASSES`.

    Notes
    -----
    With reference source k of flux ratio r and polarisation v, a source of flux S is expected at
    S m, m = (1, r, v), with independent Gaussian errors C. Marginalised over S with the prior
    :math:`S^{-\gamma}`, taken at the best-fitting :math:`\hat S`, the likelihood of the measured x
    is

    .. math:: \hat S^{-\gamma} \tau \exp[-(x^T C^{-1} x - \hat S^2 / \tau^2) / 2],
              \quad \tau^{-2} = m^T C^{-1} m, \quad \hat S = \tau^2 m^T C^{-1} x,

    times that of the size. Its weighted sum over the similar sources of a class is the evidence
    for the class. It assumes that spectra, polarisations and sizes hardly change within the range
    of the similar fluxes, a few tenths in the logarithm.
    """
    log_flux = np.log(np.fmax(measured.flux[:, 0], measured.error[:, 0]))
    n = len(reference.log_flux)
    width = min(n_similar, n)
    start = np.clip(np.searchsorted(reference.log_flux, log_flux) - width // 2, 0, n - width)
    posterior = np.empty((len(log_flux), len(SOURCE_CLASSES)))
    for first in range(0, len(log_flux), CHUNK):
        rows = slice(first, first + CHUNK)
        similar = start[rows, None] + np.arange(width)
        posterior[rows] = _posterior(measured, reference, rows, similar)
    return posterior


def _posterior(
    measured: RadioFluxes, reference: ReferenceSample, rows: slice, similar: NDArray[np.int64]
) -> Floats:
    """Weigh the similar reference sources of some measured ones and sum them by class."""
    x = measured.flux[rows, :, None]
    error = np.hypot(measured.error[rows, :, None], FINEST * x * [[1], [1], [0]])
    known = np.isfinite(x) & np.isfinite(error)
    precision = np.where(known, 1 / np.where(known, error, 1) ** 2, 0)
    x = np.where(known, x, 0)
    ones = np.ones_like(similar, dtype=float)
    expected = np.stack([ones, reference.ratio[similar], reference.v_over_i[similar]], axis=1)
    tau = (precision * expected**2).sum(axis=1) ** -0.5
    best = tau**2 * (precision * expected * x).sum(axis=1)
    chi_squared = ((x - best[:, None] * expected) ** 2 * precision).sum(axis=1)
    broad = np.sqrt(1 + reference.size[similar] ** 2)
    off = (measured.size[rows, None] - broad) / measured.size_error[rows, None]
    size_chi = np.where(np.isfinite(off), off, 0) ** 2
    log_likelihood = (
        np.log(tau) - reference.slope * np.log(np.fmax(best, tau)) - (chi_squared + size_chi) / 2
    )
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    weighted = likelihood * reference.weight[similar]
    classes = reference.source_class[similar]
    evidence = np.stack(
        [np.where(classes == number, weighted, 0).sum(axis=1) for number in range(3)], axis=-1
    )
    return evidence / evidence.sum(axis=1, keepdims=True)


def leakage_spread(survey: ContinuumSurvey) -> float:
    """Give the rms, over observations, of Stokes V over I from leakage, half-way to the edge."""
    low, high = survey.artefacts.leakage
    growth = 1 + survey.artefacts.leakage_growth / 2
    return float(growth * np.sqrt((high**2 - low**2) / (2 * np.log(high / low))))


def observe_truth(
    truth: QTable,
    rng: np.random.Generator,
    *,
    rms: ArrayLike,
    frequency_ratio: float,
    beam: tuple[float, float],
    leakage: float = 0.0,
) -> RadioFluxes:
    """Measure true sources as well as the noise allows.

    Parameters
    ----------
    truth : QTable
        True sources: int_flux, SNR, maj, min, alpha, v_over_i.
    rng : numpy.random.Generator
        Draws the noise.
    rms : array_like, shape (n, 3)
        Local noise of Stokes I, of Stokes I at the other frequency, and of V, Jy/beam;
        not-a-number where there is no such plane.
    frequency_ratio : float
        Other frequency over that of the reference plane.
    beam : tuple of float
        FWHM of the major and minor axis, deg.
    leakage : float
        rms of V over I from leakage: one value per image, unknown to the classifier.

    Returns
    -------
    RadioFluxes

    Notes
    -----
    The error of an integrated flux is the rms times the square root of the source's area in beams,
    and that of the size the size over S/N (Condon 1997, PASP 109, 166, for noise that is correlated
    on the beam).
    """
    noise = np.array(rms, dtype=float)
    flux = column(truth, "int_flux", u.Jy)
    major, minor = (
        np.hypot(1, np.nan_to_num(column(truth, name, u.deg)) / axis)
        for name, axis in zip(("maj", "min"), beam, strict=True)
    )
    expected = flux[:, None] * np.stack(
        [np.ones_like(flux), flux_ratio(truth, frequency_ratio), column(truth, "v_over_i")], axis=1
    )
    expected[:, 2] += leakage * rng.standard_normal() * flux
    error = noise * np.sqrt(major * minor)[:, None]
    size_error = major / column(truth, "SNR")
    measured = expected + error * rng.standard_normal(expected.shape)
    error[:, 2] = np.hypot(error[:, 2], leakage * measured[:, 0])
    return RadioFluxes(
        flux=measured,
        error=error,
        frequency_ratio=frequency_ratio,
        size=major + size_error * rng.standard_normal(len(major)),
        size_error=size_error,
    )


def scripted_cuts(measured: RadioFluxes) -> Floats:
    """Classify as an astronomer would script it, with cuts on spectrum and polarisation.

    Steeper than -1.2, or circularly polarised by more than 5 % and 4 sigma: pulsar. Flatter than
    -0.4 and unresolved: blazar. All the rest: other.

    Parameters
    ----------
    measured : RadioFluxes
        What is measured of n sources.

    Returns
    -------
    ndarray, shape (n, 3)
        1 for the class, 0 for the others.
    """
    first, second, circular = measured.flux.T
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = np.log(second / first) / np.log(measured.frequency_ratio)
        share = np.abs(circular / first)
        sigma = np.abs(circular) / measured.error[:, 2]
    polarised = (share > LEAST_POLARISED) & (sigma > LEAST_SIGMA)
    resolved = measured.size - 1 > RESOLVED_SIGMA * measured.size_error
    pulsar = (alpha < STEEP) | polarised
    blazar = ~pulsar & (alpha > FLAT) & ~resolved
    return np.stack([pulsar, blazar, ~pulsar & ~blazar], axis=-1).astype(float)
