"""How well any classifier of radio sources could do: what an ideal one is given, and simple cuts.

The Bayes classifier (`psseg.radio_classes.bayes_classes`) is given what no catalogue has: fluxes
measured at the true position with the true shape, their exact noise, the true beam, and the true
populations, from which a large reference sample is drawn. Confusion, sidelobes and the errors of a
source finder do not touch it. It is the limit for everything that uses flux, spectrum, polarisation
and size; it does not use the shape beyond its size, nor the place in the image.
"""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from psseg.evaluation.matching import column
from psseg.radio_classes import RadioFluxes
from psseg.sky.radio_reference import flux_ratio

__all__ = ["observe_truth", "scripted_cuts"]

Floats = NDArray[np.float64]

STEEP, FLAT = -1.2, -0.4
"""Spectral indices of the cuts: below the one, three in four pulsars; above the other, blazars."""

LEAST_POLARISED, LEAST_SIGMA = 0.05, 4.0
"""Circular polarisation, and its significance, from which the cuts say pulsar."""

RESOLVED_SIGMA = 3.0
"""Broadening over its error from which the cuts call a source resolved."""


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
