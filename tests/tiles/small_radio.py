"""Small radio images in FITS files: point sources of known flux, with any header."""

from __future__ import annotations

import numpy as np
from astropy.io import fits
from scipy import ndimage

from psseg.tiles.beam import FWHM_PER_SIGMA, Beam
from psseg.tiles.radio_headers import sky_wcs

ARCSEC = 1 / 3600
CIRCLE = Beam(major=10 * ARCSEC, minor=10 * ARCSEC, angle=0.0)
STOKES = {"CTYPE3": "STOKES", "CDELT3": 1.0, "CRPIX3": 1.0}
SPECTRAL = {"CTYPE3": "FREQ", "CRVAL3": 1e9, "CDELT3": 1e7, "CRPIX3": 1.0}


def radio_cards(shape=(60, 80), *, pixel=2.0, beam=CIRCLE, **cards) -> dict:
    """Give the cards of a sound image; None takes one away."""
    sound = {
        "BUNIT": "Jy/beam",
        "CTYPE1": "RA---SIN",
        "CTYPE2": "DEC--SIN",
        "CRVAL1": 150.0,
        "CRVAL2": -30.0,
        "CRPIX1": (shape[1] + 1) / 2,
        "CRPIX2": (shape[0] + 1) / 2,
        "CDELT1": -pixel * ARCSEC,
        "CDELT2": pixel * ARCSEC,
        "RADESYS": "ICRS",
        "RESTFRQ": 1.4e9,
    }
    if beam is not None:
        sound |= {"BMAJ": beam.major, "BMIN": beam.minor, "BPA": beam.angle}
    sound |= cards
    return {key: value for key, value in sound.items() if value is not None}


def radio_header(shape=(60, 80), **cards) -> fits.Header:
    """Give the header of a sound image without data."""
    header = fits.Header({"NAXIS": 2, "NAXIS1": shape[1], "NAXIS2": shape[0], "BITPIX": -32})
    header.update(radio_cards(shape, **cards))
    return header


def write_radio(path, data, *, pixel=2.0, beam=CIRCLE, tables=(), history=(), **cards):
    """Write an image of any number of axes; returns its path."""
    data = np.asarray(data)
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(radio_cards(data.shape[-2:], pixel=pixel, beam=beam, **cards))
    for line in history:
        hdu.header["HISTORY"] = line
    fits.HDUList([hdu, *tables]).writeto(path)
    return path


def noise(shape=(60, 80), *, rms=1e-3, seed=1):
    """Give noise that is smooth over some pixels, of known rms."""
    values = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    return (rms * values / values.std()).astype(np.float32)


def channels(n, rms=1e-3):
    """Give independent noise, (n, n_y, n_x)."""
    return np.stack([noise(seed=seed, rms=rms) for seed in range(n)])


def point_sources(shape, xy, flux, beam, *, pixel=2.0, rotation=0.0):
    """Give an image of point sources, Jy/beam."""
    inverse = np.linalg.inv(beam.covariance(pixel * ARCSEC, rotation=rotation))
    y, x = np.indices(shape)
    image = np.zeros(shape)
    for (x0, y0), peak in zip(xy, flux, strict=True):
        offset = np.stack([x - x0, y - y0])
        image += peak * np.exp(-0.5 * np.einsum("iyx,ij,jyx->yx", offset, inverse, offset))
    return image.astype(np.float32)


def measured_beam(image, pixel=2.0):
    """Give the major and minor FWHM, arcsec, and image angle of a single source by its moments."""
    image = image.astype(float)
    y, x = np.indices(image.shape)
    total = image.sum()
    x, y = x - (image * x).sum() / total, y - (image * y).sum() / total
    moments = np.array([[(image * a * b).sum() / total for a in (x, y)] for b in (x, y)])
    variances, axes = np.linalg.eigh(moments)
    minor, major = np.sqrt(variances) * FWHM_PER_SIGMA * pixel
    return major, minor, np.rad2deg(np.arctan2(-axes[0, 1], axes[1, 1])) % 180


def small_wcs(shape=(60, 80), **cards):
    """Give the WCS of a sound image."""
    return sky_wcs(radio_header(shape, **cards), name="small.fits", notes=[])[0]
