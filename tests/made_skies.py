"""Skies whose truth is known, made photon by photon from the PSF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS

from psseg.survey.survey import load_survey
from psseg.tiles.tile import Tile

SURVEY = load_survey("fermi-lat")
BACKGROUND = np.array([9.0, 6.0, 3.0, 1.5, 0.45, 0.15, 0.06, 0.03])[:, None, None]
INDEX = 2.2
YEARS = 10.0


def power_law_shares(index=INDEX):
    """Share of each band in the counts of a power law, and counts per unit of 1-100 GeV flux."""
    low, high = SURVEY.energy_edges[:-1], SURVEY.energy_edges[1:]
    flux = (low ** (1 - index) - high ** (1 - index)) / (1 - 100 ** (1 - index))
    counts = flux * SURVEY.instrument.band_exposure(YEARS)
    return counts / counts.sum(), counts.sum()


def sky_wcs(n, *, frame="galactic", projection="TAN", turned=0.0, center=(120.0, 40.0)):
    axes = ("GLON", "GLAT") if frame == "galactic" else ("RA--", "DEC-")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis}-{projection}" for axis in axes]
    wcs.wcs.crval = center
    wcs.wcs.crpix = [(n + 1) / 2, (n + 1) / 2]
    wcs.wcs.cdelt = [-0.1, 0.1]
    cos, sin = np.cos(np.deg2rad(turned)), np.sin(np.deg2rad(turned))
    wcs.wcs.pc = [[cos, -sin], [sin, cos]]
    wcs.wcs.set()
    return wcs


@dataclass(frozen=True, kw_only=True)
class Sky:
    """A tile, and what a perfect network would say about it."""

    tile: Tile
    background: np.ndarray
    class_probabilities: np.ndarray

    @property
    def source_probability(self):
        return 1 - self.class_probabilities[0]


def make_sky(
    rng,
    *,
    x,
    y,
    counts,
    n=96,
    radius=0.0,
    wcs=None,
    background=BACKGROUND,
    misplaced=0.0,
    index=INDEX,
    exposure=True,
    **tile_options,
):
    """Make a square sky of point sources, or discs of a radius (deg).

    The discs of the label map are moved by `misplaced` pixels, as a network's are.
    """
    x, y, counts = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, y, counts))
    level = np.broadcast_to(background, (8, n, n))
    data = rng.poisson(level)
    for *place, number in zip(x, y, counts, strict=True):
        data = data + photons(rng, n, *place, number * power_law_shares(index)[0], radius)
    label = np.zeros((n, n))
    rows, columns = np.indices((n, n))
    for x0, y0 in zip(x, y, strict=True):
        step = rng.normal(0, misplaced, 2)
        distance = np.hypot(columns - x0 - step[0], rows - y0 - step[1])
        disc = 0.97 / (1 + np.exp(np.clip((distance - max(2.5, radius * 10)) / 0.3, -50, 50)))
        label = np.maximum(label, disc)
    probabilities = np.stack([1 - label, 0.2 * label, 0.7 * label, 0.1 * label])
    options = {"bands_present": np.ones(8, bool), "mask": np.zeros((n, n), bool)} | tile_options
    band_exposure = SURVEY.instrument.band_exposure(YEARS)[:, None, None]
    tile = Tile(
        data=data * options["bands_present"][:, None, None] * ~options["mask"],
        wcs=sky_wcs(n) if wcs is None else wcs,
        exposure=np.broadcast_to(band_exposure, data.shape) if exposure else None,
        name="made",
        **options,
    )
    return Sky(
        tile=tile,
        background=np.array(level, dtype=np.float32),
        class_probabilities=probabilities.astype(np.float32),
    )


def photons(rng, n, x, y, counts, radius=0.0):
    """Draw the photons (8, n, n) of a source at (x, y) from its PSF in each band."""
    image = np.zeros((8, n, n))
    separations = np.concatenate([[0], np.geomspace(1e-4, 100, 4000)])
    for band, psf in enumerate(SURVEY.instrument.psf):
        number = rng.poisson(counts[band])
        away = np.interp(rng.uniform(size=number), psf.containment(separations), separations)
        from_middle = radius * np.sqrt(rng.uniform(size=number))
        angles = rng.uniform(0, 2 * np.pi, (2, number))
        across = x + (away * np.cos(angles[0]) + from_middle * np.cos(angles[1])) / 0.1
        up = y + (away * np.sin(angles[0]) + from_middle * np.sin(angles[1])) / 0.1
        edges = np.arange(n + 1) - 0.5
        image[band] = np.histogram2d(up, across, bins=(edges, edges))[0]
    return image
