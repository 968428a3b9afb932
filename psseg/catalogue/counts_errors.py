"""Errors of gamma-ray sources, calibrated on simulated skies.

In: errors of the fits, which know of the noise and the background. Out: errors that also hold what
these do not explain: neighbours, and emission that was predicted wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence

import astropy.units as u
import numpy as np
from astropy.table import QTable

from psseg.catalogue.positions import RADIUS_68, RADIUS_95

__all__ = ["calibrate_counts_errors"]


def calibrate_counts_errors(
    table: QTable,
    errors: Sequence[float],
    *,
    low_latitude_errors: Sequence[float] = (),
    latitude_split: float = 0.0,
) -> None:
    """Multiply the errors of positions and fluxes and add a floor in quadrature, in place.

    Parameters
    ----------
    table : QTable
        Sources, as `psseg.catalogue.measurement.measure_counts` gives them.
    errors : sequence of float
        Factor on the position errors, their floor along each axis (deg), factor on the error of
        ``FLUX1000``, its floor (share of the flux).
    low_latitude_errors : sequence of float
        The same below `latitude_split`; empty where they do not differ.
    latitude_split : float
        Absolute Galactic latitude, deg.
    """
    low = np.abs(table["GLAT"].to_value("deg")) < latitude_split
    near, far = (np.reshape(zone, (4, 1)) for zone in (low_latitude_errors or errors, errors))
    position_scale, position_floor, flux_scale, flux_floor = np.where(low, near, far)
    for percent, radius in ((68, RADIUS_68), (95, RADIUS_95)):
        for axis in ("SemiMajor", "SemiMinor"):
            name = f"Conf_{percent}_{axis}"
            table[name] = np.hypot(position_scale * table[name], radius * position_floor * u.deg)
    table["Unc_Flux1000"] = np.hypot(
        flux_scale * table["Unc_Flux1000"], flux_floor * table["FLUX1000"]
    )
