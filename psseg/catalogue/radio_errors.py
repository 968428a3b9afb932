"""Errors of radio sources, calibrated on simulated images.

In: errors of the fits, which know of the noise alone. Out: errors that also hold what the noise
does not explain: pixels, the shape of the beam, resampling.
"""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.table import QTable

from psseg.tiles.beam import Beam

__all__ = ["calibrate_errors"]

FLUXES = ("peak_flux", "int_flux")


def calibrate_errors(
    table: QTable,
    beam: Beam,
    *,
    position_scale: float,
    position_floor: float,
    flux_scale: float,
    flux_floor: float,
    resolved_flux_floor: float = 0.0,
) -> None:
    """Multiply the errors of positions and fluxes and add a floor in quadrature, in place.

    Parameters
    ----------
    table : QTable
        Sources or components, as `psseg.catalogue.radio_measurement.measure_image` gives them.
    beam : Beam
        Of the reference plane.
    position_scale, position_floor : float
        The floor is in units of the beam, the geometric mean of its axes.
    flux_scale, flux_floor : float
        The floor is a share of the flux.
    resolved_flux_floor : float
        Another share, of the fluxes of what is larger than the beam: sources are no Gaussians.
    """
    floor = position_floor * np.sqrt(beam.major * beam.minor) * u.deg
    for name in ("e_ra", "e_dec"):
        table[name] = np.hypot(position_scale * table[name], floor)
    resolved = np.asarray(table["dc_maj"].value) > 0
    share = np.hypot(flux_floor, resolved_flux_floor * resolved)
    for name in FLUXES:
        table[f"e_{name}"] = np.hypot(flux_scale * table[f"e_{name}"], share * table[name])
