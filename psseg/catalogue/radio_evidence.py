"""What tells a radio source from a peak of the noise, besides the network's score and the S/N.

In: the measured sources and their image. Out: a few numbers per source, in which the logarithm of
the odds of `SOURCE_PROB` is linear.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.spatial import KDTree

from psseg.catalogue.radio_flags import RadioFlag
from psseg.tiles.network_planes import network_zoom
from psseg.tiles.radio_image import RadioImage

__all__ = ["radio_evidence"]

Floats = NDArray[np.float64]

SIZE_RANGE = 0.3, 4.0
"""Of a fitted solid angle, in beams: below, the fit has failed; above, it is an extended source,
and noise never looks like one, however large that is."""

PIXEL_RANGE = 1.0, 100.0
"""Of the pixels of a segment, for the same reason."""

TYPICAL_RESIDUAL = 0.5
"""Rms left by a fit, in units of the noise, where it is not known; faint sources leave this."""

RESIDUAL_RANGE = 0.1, 10.0

SNR_RANGE = 2.0, 8.0
"""Below it nothing is found, above it noise never peaks as high."""

TYPICAL_AREA = 18.0
"""Of the beam, in pixels of the network: one of 4 pixels FWHM, which images are resampled to."""

FADING = 2.0
"""Beams over which what a bright source leaves around it falls by a factor e."""

REACH = 20.0
"""Beams; what is farther from a source knows nothing of it."""

CLEAR_SNR = 7.0
"""From here on noise has no part in what is counted as the sources of an image."""

FEW, VERY_FEW = -6.0, -8.0
"""Logarithm of the number of clear sources per beam. Where there are more than the first, what is
wrongly taken for a source is hardly ever noise; down to the second, noise counts more and more."""

CLEAR_ODDS = 4.0
"""Logarithm of the sources expected per peak of the noise from which on noise is no concern."""

LEAST_ODDS = -8.0
"""The same less `CLEAR_ODDS`: lower ones say no more."""

TELLING_FLAGS = RadioFlag.FIT_FAILED, RadioFlag.NEGATIVE_NEIGHBOUR
"""Of sources with these flags fewer are real."""


def radio_evidence(measured: QTable, image: RadioImage) -> Floats:
    """Give what tells sources from noise, residual sidelobes and pieces of larger sources.

    Of two detections of one score and one S/N, that is more often real which is as large as the
    beam, holds few pixels, is what was fitted to it, and has neither a brighter neighbour nor a
    hole beside it. Where there are few sources and many beams, a low S/N is more often noise.
    Where the beam has few pixels, the score says less and the S/N more. Outside its range a number
    says no more than at the end of it.

    Parameters
    ----------
    measured : QTable
        As `psseg.catalogue.radio_measurement.measure_image` gives it.
    image : RadioImage
        The image that they were found in.

    Returns
    -------
    ndarray, shape (n_sources, 10)
        Four logarithms: of the fitted solid angle over the beam's (0 where there is no fit), of the
        number of the network's pixels in the segment, of the rms of the residuals over the local
        noise, and of how many times brighter a neighbour is, less its distance in units of two
        beams, of the neighbour for which this is most, and not less than 0. Then a number below 0
        where noise may peak as high, 1 for each flag of `TELLING_FLAGS` that is raised, the S/N,
        the logarithm of the beam's area in the network's pixels over `TYPICAL_AREA`, and the
        product of both.

    Notes
    -----
    The sources above an S/N u are taken as 7 / u times those above 7. Per beam, the peaks of the
    noise above u are proportional to u exp(-u^2 / 2), as in Gaussian random fields (Bond &
    Efstathiou 1987, MNRAS 226, 655).
    """
    beam = image.beams[0]
    beams = (measured["maj"] * measured["min"]).to_value("deg2") / (beam.major * beam.minor)
    pixels = np.asarray(measured["N_PIXELS"], dtype=float) * network_zoom(image) ** 2
    residual = (measured["resid_rms"] / measured["rms_image"]).to_value("")
    numbers = [
        np.clip(np.nan_to_num(beams, nan=1.0), *SIZE_RANGE),
        np.clip(pixels, *PIXEL_RANGE),
        np.clip(np.nan_to_num(residual, nan=TYPICAL_RESIDUAL), *RESIDUAL_RANGE),
    ]
    flags = [np.bitwise_and(measured["Flags"], flag) > 0 for flag in TELLING_FLAGS]
    compared = _outshone(measured, image), _drowned(measured, image)
    sampled = _snr_by_sampling(measured, image)
    return np.column_stack([*map(np.log, numbers), *compared, *flags, *sampled])


def _outshone(measured: QTable, image: RadioImage) -> Floats:
    """Give the logarithm of how many times brighter a neighbour is, less for those farther away."""
    fwhm = image.beams[0].width(image.pixel_scale)
    places = np.nan_to_num(np.column_stack([measured["X"], measured["Y"]])) / fwhm
    one, other = KDTree(places).query_pairs(REACH, output_type="ndarray").reshape(-1, 2).T
    height = np.log(np.fmax(measured["peak_flux"].value, measured["rms_image"].value))
    brighter = height[other] - height[one]
    faded = np.hypot(*(places[other] - places[one]).T) / FADING
    result = np.zeros(len(measured))
    np.fmax.at(result, one, brighter - faded)
    np.fmax.at(result, other, -brighter - faded)
    return result


def _snr_by_sampling(measured: QTable, image: RadioImage) -> tuple[Floats, Floats, Floats]:
    """Give the S/N, how finely the network sees the beam, and the product."""
    snr = np.clip(np.nan_to_num(np.asarray(measured["SNR"], dtype=float)), *SNR_RANGE)
    area = image.beams[0].area(image.pixel_scale) * network_zoom(image) ** 2
    fineness = np.full(len(snr), np.log(area / TYPICAL_AREA))
    return snr, fineness, snr * fineness


def _drowned(measured: QTable, image: RadioImage) -> Floats:
    """Tell where the noise of an image with few sources may have peaks as high."""
    n_beams = np.count_nonzero(~image.mask) / image.beams[0].area(image.pixel_scale)
    snr = np.clip(np.nan_to_num(measured["SNR"]), 2.0, 20.0)
    density = np.log((np.count_nonzero(snr > CLEAR_SNR) + 1) / max(n_beams, 1.0))
    odds = density + np.log(CLEAR_SNR) - 2 * np.log(snr) + snr**2 / 2
    share = np.clip((density - FEW) / (VERY_FEW - FEW), 0, 1)
    return share * np.clip(odds - CLEAR_ODDS, LEAST_ODDS, 0)
