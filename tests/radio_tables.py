"""Small radio images, catalogues and truths, made by hand in pixels of one arcsecond."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.wcs import WCS

from psseg.survey.classes import SOURCE_CLASSES
from psseg.tiles.beam import Beam
from psseg.tiles.radio_image import RadioImage

BEAM = 10.0
"""FWHM, pixels."""

ARCSEC = 1 / 3600


def field_image(*, beam: tuple[float, float, float] = (BEAM, BEAM, 0.0)) -> RadioImage:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [50.0, -30.0]
    wcs.wcs.crpix = [150.5, 150.5]
    wcs.wcs.cdelt = [-ARCSEC, ARCSEC]
    major, minor, angle = beam
    return RadioImage(
        planes=np.zeros((1, 300, 300)),
        stokes=("I",),
        frequencies=(1.4e9,),
        beams=(Beam(major=major * ARCSEC, minor=minor * ARCSEC, angle=angle),),
        wcs=wcs,
        mask=np.zeros((300, 300), dtype=bool),
    )


def _at(pixels: Any) -> tuple[QTable, int]:
    x, y = np.asarray(pixels, dtype=float).reshape(-1, 2).T
    coords = field_image().pixel_to_sky(x, y)
    galactic = coords.galactic
    table = QTable({"ra": coords.ra.deg * u.deg, "dec": coords.dec.deg * u.deg})
    table["GLON"], table["GLAT"] = galactic.l.deg * u.deg, galactic.b.deg * u.deg
    return table, len(table)


def detections_at(
    pixels: Any,
    *,
    snr: Any = 10.0,
    probability: Any = 0.9,
    size: Any = BEAM,
    flux: Any = None,
    classes: Any = "other",
    certainty: float = 0.8,
    error: float = 0.5,
) -> QTable:
    """Give a catalogue; sizes and position errors in pixels, fluxes in units of the noise."""
    table, n = _at(pixels)
    values = np.broadcast_to(snr, n).astype(float)
    table["SNR"] = values
    table["SOURCE_PROB"] = np.broadcast_to(probability, n).astype(float)
    table["peak_flux"] = values * u.Jy / u.beam
    table["int_flux"] = (values if flux is None else np.broadcast_to(flux, n)) * 1.0 * u.Jy
    table["e_int_flux"] = np.ones(n) * u.Jy
    table["maj"] = table["min"] = np.broadcast_to(size, n) * ARCSEC * u.deg
    table["pa"] = np.zeros(n) * u.deg
    table["dc_maj"] = np.sqrt(np.maximum(table["maj"] ** 2 - (BEAM * ARCSEC * u.deg) ** 2, 0))
    table["e_ra"] = table["e_dec"] = np.full(n, error * ARCSEC) * u.deg
    names = np.broadcast_to(classes, n)
    table["CLASS"] = names.astype("U8")
    for prefix in ("P", "L"):
        for name in SOURCE_CLASSES:
            table[f"{prefix}_{name.upper()}"] = np.where(
                names == name, certainty, (1 - certainty) / 2
            )
    return table


def sources_at(
    pixels: Any, *, snr: Any = 10.0, size: Any = 0.0, angle: Any = 0.0, classes: Any = "other"
) -> QTable:
    """Give a truth; sizes in pixels, fluxes in units of the noise."""
    table, n = _at(pixels)
    values = np.broadcast_to(snr, n).astype(float)
    table["SNR"] = values
    table["peak_flux"] = values * u.Jy / u.beam
    table["int_flux"] = values * u.Jy
    table["maj"] = np.broadcast_to(size, n) * ARCSEC * u.deg
    table["min"] = 0.1 * table["maj"]
    table["pa"] = np.broadcast_to(angle, n) * u.deg
    table["alpha"] = np.full(n, -0.7)
    table["v_over_i"] = np.zeros(n)
    table["CLASS"] = np.broadcast_to(classes, n).astype("U8")
    return table
