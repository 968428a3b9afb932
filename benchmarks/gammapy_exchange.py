"""Write psseg's expected counts of one source on one background, for gammapy to check.

    python gammapy_exchange.py sky.fits

Besides the counts the file holds what another program needs to compute them: energy edges,
exposure per band, the point-spread function as a table, and both spectra. `gammapy_check.py` reads
it in an environment of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable

from psseg.sky.diffuse import DiffuseSky
from psseg.sky.geometry import TileGeometry
from psseg.sky.rendering import render_diffuse, render_sources
from psseg.sky.sources import SourceList
from psseg.sky.spectra import band_fractions, integrate_table
from psseg.survey.survey import Survey, load_survey

INDEX, FLUX1000 = 2.2, 1e-8  # photon index; 1-100 GeV, cm-2 s-1
BACKGROUND_INDEX, BACKGROUND_1GEV = 2.4, 4e-7  # cm-2 s-1 sr-1 GeV-1 at 1 GeV
YEARS = 14.0
SHAPE = (128, 128)
OFFSET = (7.31, -4.27)  # pixels from the centre of the tile: between two pixels
RADII = np.concatenate([np.arange(0, 1, 0.002), np.arange(1, 20.01, 0.05)])  # deg


def expected_counts(
    survey: Survey, geometry: TileGeometry, exposure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Everything, and the background alone, on the tile; shape (n_bands, n_y, n_x)."""
    edges = survey.energy_edges
    one = np.ones(1)
    fractions = band_fractions(
        "log-parabola", edges, pivot=one, index=INDEX * one, curvature=0 * one
    )
    n_y, n_x = geometry.padded_shape
    source = SourceList(
        population=np.zeros(1, dtype=int),
        x=np.array([(n_x - 1) / 2 + OFFSET[0]]),
        y=np.array([(n_y - 1) / 2 + OFFSET[1]]),
        flux=np.array([FLUX1000]),
        band_flux=FLUX1000 * fractions,
        radius=np.zeros(1),
        is_disc=np.zeros(1, dtype=bool),
    )
    energy = np.geomspace(edges[0], edges[-1], 50)
    e2dnde = BACKGROUND_1GEV * energy ** (2 - BACKGROUND_INDEX)
    sky = DiffuseSky(
        templates=np.ones((1, n_y, n_x), dtype=np.float32),
        spectra=integrate_table(energy, e2dnde, edges)[None],
    )
    inner = (slice(None), *(slice(geometry.margin, geometry.margin + n) for n in geometry.shape))
    background = render_diffuse(survey, geometry, sky)[inner] * exposure[:, None, None]
    signal = render_sources(survey, geometry, source, exposure)[inner] * exposure[:, None, None]
    return background + signal, background


def write_exchange(path: str | Path) -> None:
    """Simulate the source on its background and write the file."""
    survey = load_survey("fermi-lat")
    geometry = TileGeometry(glon=40.0, glat=30.0, shape=SHAPE, pixel_scale=survey.pixel_scale)
    exposure = survey.instrument.band_exposure(YEARS)
    expected, background = expected_counts(survey, geometry, exposure)
    header = geometry.wcs.to_header()
    n_y, n_x = SHAPE
    lon, lat = geometry.wcs.wcs_pix2world((n_x - 1) / 2 + OFFSET[0], (n_y - 1) / 2 + OFFSET[1], 0)
    slope = 1 - INDEX
    header.update(
        {
            "SRCLON": float(lon),
            "SRCLAT": float(lat),
            "INDEX": INDEX,
            "AMPL": FLUX1000 * slope / (100.0**slope - 1),  # cm-2 s-1 GeV-1 at 1 GeV
            "BKGINDEX": BACKGROUND_INDEX,
            "BKGAMPL": BACKGROUND_1GEV,
        }
    )
    densities = np.stack([psf.density(RADII) for psf in survey.instrument.psf], axis=1)
    tables = {
        "ENERGIES": QTable({"ENERGY": survey.energy_edges * u.GeV}),
        "PSF": QTable({"RAD": RADII * u.deg, "DENSITY": densities * u.deg**-2}),
    }
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(expected, header, name="EXPECTED"),
        fits.ImageHDU(background, header, name="BACKGROUND"),
        fits.ImageHDU(np.asarray(exposure, dtype=float), name="EXPOSURE"),
    ]
    hdus += [fits.table_to_hdu(table, name=name) for name, table in tables.items()]
    fits.HDUList(hdus).writeto(path, overwrite=True)


if __name__ == "__main__":
    write_exchange(sys.argv[1])
