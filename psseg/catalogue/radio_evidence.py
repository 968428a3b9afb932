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

FADING = 2.0
"""Beams over which what a bright source leaves around it falls by a factor e."""

REACH = 20.0
"""Beams; what is farther from a source knows nothing of it."""

TELLING_FLAGS = RadioFlag.FIT_FAILED, RadioFlag.NEGATIVE_NEIGHBOUR
"""Of sources with these flags fewer are real."""


def radio_evidence(measured: QTable, image: RadioImage) -> Floats:
    """Give what tells sources from noise, residual sidelobes and pieces of larger sources.

    Of two detections of one score and one S/N, that is more often real which is as large as the
    beam, holds few pixels, is what was fitted to it, and has neither a brighter neighbour nor a
    hole beside it. Outside its range a number says no more than at the end of it.

    Parameters
    ----------
    measured : QTable
        As `psseg.catalogue.radio_measurement.measure_image` gives it.
    image : RadioImage
        The image that they were found in.

    Returns
    -------
    ndarray, shape (n_sources, 6)
        Four logarithms: of the fitted solid angle over the beam's (0 where there is no fit), of the
        number of the network's pixels in the segment, of the rms of the residuals over the local
        noise, and of how many times brighter a neighbour is, less its distance in units of two
        beams, of the neighbour for which this is most, and not less than 0. Then 1 for either flag
        of `TELLING_FLAGS` that is raised, else 0.
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
    return np.column_stack([*map(np.log, numbers), _outshone(measured, image), *flags])


def _outshone(measured: QTable, image: RadioImage) -> Floats:
    """Give the logarithm of how many times brighter a neighbour is, less for those farther away."""
    beam = image.beams[0]
    fwhm = np.sqrt(beam.major * beam.minor) / image.pixel_scale
    places = np.nan_to_num(np.column_stack([measured["X"], measured["Y"]])) / fwhm
    one, other = KDTree(places).query_pairs(REACH, output_type="ndarray").reshape(-1, 2).T
    height = np.log(np.fmax(measured["peak_flux"].value, measured["rms_image"].value))
    brighter = height[other] - height[one]
    faded = np.hypot(*(places[other] - places[one]).T) / FADING
    result = np.zeros(len(measured))
    np.fmax.at(result, one, brighter - faded)
    np.fmax.at(result, other, -brighter - faded)
    return result
