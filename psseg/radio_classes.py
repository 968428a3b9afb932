"""What the flux, spectrum, polarisation and size of a radio source say of its class.

In: what is measured of the sources of an image, and a survey's populations as a reference sample.
Out: the probability of each class if all were equally frequent at any flux.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.radio_measurement import PER_BEAM
from psseg.sky.radio_reference import ReferenceImage, ReferenceSample, draw_reference
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.survey import AnySurvey
from psseg.tiles.network_planes import TYPICAL_INDEX
from psseg.tiles.radio_image import RadioImage

__all__ = ["RadioFluxes", "bayes_classes", "leakage_spread", "measured_classes"]

Floats = NDArray[np.float64]

N_SIMILAR = 12_000
"""Reference sources of similar flux over which is averaged."""

FINEST = 0.01
"""Relative error of Stokes I that is added: finer, the sample would show its single sources."""

CHUNK = 100
"""Sources classified at once: 100 × 12 000 × 3 numbers of eight bytes are 29 MB."""

CATALOGUE_SAMPLE, CATALOGUE_SIMILAR = 30_000, 1000
"""Reference sources for a catalogue, and those of similar flux. On 40 simulated images 120 000 and
12 000 gave the same macro-F1, 0.56."""

SAMPLE_SEED = 0
"""The reference sample of an image is the same in every run."""

FLUX_FLOOR, SIZE_FLOOR = 0.02, 0.1
"""Relative error of Stokes I, and error of the size in beams, that are added to what is measured:
neighbours in the beam shift both."""

CONTAMINATION = 0.02
"""Share of sources that are measured wrongly, so that no single number rules a class out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RadioFluxes:
    """What is measured of each source.

    Parameters
    ----------
    flux, error : ndarray, shape (n, 3)
        Integrated Stokes I of the reference plane, Stokes I at the other frequency, Stokes V; Jy.
        Not-a-number where there is no such plane.
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

    def taken(self, rows: NDArray[np.bool_]) -> RadioFluxes:
        """Give some of the sources."""
        chosen = {
            name: getattr(self, name)[rows] for name in ("flux", "error", "size", "size_error")
        }
        return replace(self, **chosen)


def measured_classes(table: QTable, image: RadioImage, survey: AnySurvey) -> Floats | None:
    """Give the class likelihoods of measured sources from their numbers alone.

    Parameters
    ----------
    table : QTable
        From `psseg.catalogue.radio_measurement.measure_image`: plane_flux, e_plane_flux, maj,
        e_maj, SNR, rms_image.
    image : RadioImage
        The image they were measured in.
    survey : ContinuumSurvey
        Its populations are the reference; another kind has none.

    Returns
    -------
    ndarray (n, 3), or None
        Rows sum to 1, in the order of `SOURCE_CLASSES`; all alike where a source has no flux. None
        of an image with one plane: flux and size alone hardly tell classes apart.
    """
    if len(image.planes) < 2 or not isinstance(survey, ContinuumSurvey):
        return None
    result = np.full((len(table), len(SOURCE_CLASSES)), 1 / len(SOURCE_CLASSES))
    measured = _measured(table, image, leakage_spread(survey))
    known = np.isfinite(measured.flux[:, 0]) & (measured.error[:, 0] > 0)
    if not known.any():
        return result
    frequency = image.frequencies[0]
    beam, scale = image.beams[0], image.pixel_scale
    taken = ReferenceImage(
        frequency=frequency if np.isfinite(frequency) else survey.reference_frequency,
        frequency_ratio=measured.frequency_ratio,
        v_frequency_ratio=float(image.frequency_ratios[2]),
        pixel_scale=scale,
        beam_pixels=(beam.major / scale, beam.minor / scale),
        rms=float(np.nanmedian(table["rms_image"].to_value(PER_BEAM))),
    )
    rng = np.random.default_rng(SAMPLE_SEED)
    reference = draw_reference(survey, rng, taken, priors="balanced", n_sources=CATALOGUE_SAMPLE)
    found = bayes_classes(measured.taken(known), reference, n_similar=CATALOGUE_SIMILAR)
    result[known] = (found + CONTAMINATION) / (1 + found.shape[1] * CONTAMINATION)
    return result


def _measured(table: QTable, image: RadioImage, leakage: float) -> RadioFluxes:
    """Take what the classifier compares out of a table, with what its errors leave out."""
    two = image.stokes[:2] == ("I", "I")
    flux, error = (table[name].to_value(u.Jy) for name in ("plane_flux", "e_plane_flux"))
    leakage *= float(image.frequency_ratios[2]) ** TYPICAL_INDEX
    floor = np.abs(flux[:, :1]) * [FLUX_FLOOR, FLUX_FLOOR, leakage]
    major = image.beams[0].major
    size = table["maj"].to_value(u.deg) / major
    size_error = table["e_maj"].to_value(u.deg) / major
    size_error = np.where(np.isfinite(size_error), size_error, size / np.asarray(table["SNR"]))
    return RadioFluxes(
        flux=flux,
        error=np.hypot(error, floor),
        frequency_ratio=image.frequencies[1] / image.frequencies[0] if two else np.nan,
        size=size,
        size_error=np.hypot(size_error, SIZE_FLOOR),
    )


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
    With reference source k of flux ratio r and polarisation v, that of Stokes V over I of the
    reference plane, a source of flux S is expected at S m, m = (1, r, v), with independent Gaussian
    errors C. Marginalised over S with the prior
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


def leakage_spread(survey: AnySurvey) -> float:
    """Give the rms, over observations, of Stokes V over I from leakage, half-way to the edge.

    It is 0 of a survey of counts.
    """
    if not isinstance(survey, ContinuumSurvey):
        return 0.0
    low, high = survey.artefacts.leakage
    growth = 1 + survey.artefacts.leakage_growth / 2
    if low == high:
        return growth * high
    return float(growth * np.sqrt((high**2 - low**2) / (2 * np.log(high / low))))
