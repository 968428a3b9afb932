"""Spectral index and circular polarisation of radio sources, from their fluxes in all planes.

In: measured sources and the image they were found in. Out: the same, with alpha and V/I.
"""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.tiles.network_planes import TYPICAL_INDEX
from psseg.tiles.radio_image import RadioImage

__all__ = ["add_ratios"]

Floats = NDArray[np.float64]

LEAST_SNR = 2.0
"""Of the fluxes that a ratio is taken of: with less, its error bar means nothing."""

INDEX_SPREAD = 0.6
"""Error of `TYPICAL_INDEX` where no index is measured: flat AGN are at -0.1, pulsars at -1.65."""


def add_ratios(table: QTable, image: RadioImage, *, leakage: float = 0.0) -> None:
    r"""Add spectral index and V/I with their errors to measured sources, in place.

    Parameters
    ----------
    table : QTable
        From `psseg.catalogue.radio_measurement.measure_image`: plane_flux and e_plane_flux are
        taken, alpha, e_alpha, v_over_i and e_v_over_i added. What cannot be known is NaN.
    image : RadioImage
        The image they were measured in.
    leakage : float
        rms of V over I from leakage, which is added to the error of V/I in quadrature.

    Notes
    -----
    Where a flux is not known to half of itself, there is no spectral index; V/I needs this of
    Stokes I alone.

    V is divided by Stokes I at its own frequency. With two frequencies of Stokes I, where that of V
    is a part t of the way from the first to the second in the logarithm,

    .. math:: \ln I = (1 - t) \ln I_0 + t \ln I_1,
              \quad \sigma^2 = (1 - t)^2 \sigma_0^2 + t^2 \sigma_1^2

    with relative errors. Where the index is not measured it is taken as -0.8 ± 0.6. With one
    frequency of Stokes I, V is divided by that, and the reader notes it.
    """
    flux, error = (table[name].to_value(u.Jy) for name in ("plane_flux", "e_plane_flux"))
    known = flux > LEAST_SNR * error
    arm, shift = np.log(image.frequency_ratios[1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = error / flux
        alpha, e_alpha = _indices(flux, relative, known[:, 0] & known[:, 1], float(arm))
        total, e_total = flux[:, 0], relative[:, 0]
        if arm and shift:
            total, e_total = _carried(total, relative, alpha, arm=float(arm), shift=float(shift))
        ratio = flux[:, 2] / total
        e_ratio = np.hypot(error[:, 2] / total, ratio * e_total)
    table["alpha"], table["e_alpha"] = alpha, e_alpha
    table["v_over_i"] = np.where(known[:, 0], ratio, np.nan)
    table["e_v_over_i"] = np.where(known[:, 0], np.hypot(e_ratio, leakage), np.nan)


def _indices(
    flux: Floats, relative: Floats, known: NDArray[np.bool_], arm: float
) -> tuple[Floats, Floats]:
    """Give spectral indices and errors; NaN where one flux is not known or frequencies are one."""
    index = np.log(flux[:, 1] / flux[:, 0]) / arm
    e_index = np.hypot(relative[:, 0], relative[:, 1]) / abs(arm)
    known = known & (arm != 0)
    return np.where(known, index, np.nan), np.where(known, e_index, np.nan)


def _carried(
    total: Floats, relative: Floats, alpha: Floats, *, arm: float, shift: float
) -> tuple[Floats, Floats]:
    """Carry Stokes I to another frequency; give it with its relative error."""
    measured, part = np.isfinite(alpha), shift / arm
    interpolated = np.hypot((1 - part) * relative[:, 0], part * relative[:, 1])
    assumed = np.hypot(relative[:, 0], INDEX_SPREAD * shift)
    index = np.where(measured, alpha, TYPICAL_INDEX)
    return total * np.exp(index * shift), np.where(measured, interpolated, assumed)
