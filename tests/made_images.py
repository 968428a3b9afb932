"""Small radio images of known sources: Gaussians on noise that is correlated by the beam."""

from __future__ import annotations

import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

from psseg.catalogue.radio_measurement import measure_image
from psseg.catalogue.radio_ratios import add_ratios
from psseg.catalogue.segment_map import list_segments
from psseg.tiles.beam import FWHM_PER_SIGMA, Beam
from psseg.tiles.noise import Noise
from psseg.tiles.radio_image import RadioImage

SCALE = 2 / 3600  # deg per pixel
FWHM = 4.5  # pixels
RMS = 1e-3  # Jy/beam


def radio_wcs(shape, *, center=(150.0, -30.0), rotation=0.0, frame="icrs"):
    """SIN projection; rotation: of north from +y towards -x, deg."""
    wcs = WCS(naxis=2)
    names = ("RA---SIN", "DEC--SIN") if frame == "icrs" else ("GLON-SIN", "GLAT-SIN")
    wcs.wcs.ctype = names
    wcs.wcs.crval = center
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    wcs.wcs.cdelt = -SCALE, SCALE
    turn = np.deg2rad(rotation)
    wcs.wcs.pc = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    return wcs


def beam_noise(rng, shape, covariance):
    """Noise of unit rms: white noise smoothed with the beam."""
    if covariance[0, 1] == 0:
        widths = np.sqrt(np.diag(covariance))[::-1]
        noise = gaussian_filter(rng.normal(size=shape), widths, mode="wrap")
    else:
        ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])
        q = covariance[0, 0] * kx**2 + 2 * covariance[0, 1] * kx * ky + covariance[1, 1] * ky**2
        noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=shape)) * np.exp(-2 * np.pi**2 * q)).real
    return noise / noise.std()


def draw(image, x, y, peak, covariance):
    """Add Gaussians of one covariance, or one each (pixel2), to an image."""
    covariance = np.broadcast_to(covariance, (len(x), 2, 2))
    for x0, y0, height, matrix in zip(x, y, np.broadcast_to(peak, len(x)), covariance, strict=True):
        reach = int(6 * np.sqrt(np.trace(matrix)))
        rows = slice(max(int(y0) - reach, 0), int(y0) + reach + 1)
        columns = slice(max(int(x0) - reach, 0), int(x0) + reach + 1)
        dy = np.arange(image.shape[0])[rows, None] - y0
        dx = np.arange(image.shape[1])[None, columns] - x0
        p = np.linalg.inv(matrix)
        image[rows, columns] += height * np.exp(
            -0.5 * (p[0, 0] * dx**2 + 2 * p[0, 1] * dx * dy + p[1, 1] * dy**2)
        )


def make_image(
    planes, *, stokes=("I",), frequencies=(1.4e9,), beams=None, wcs=None, mask=None, **options
):
    """Wrap planes as a radio image."""
    planes = np.asarray(planes, dtype=np.float32)
    beam = Beam(major=FWHM * SCALE, minor=FWHM * SCALE, angle=0.0)
    return RadioImage(
        planes=planes,
        stokes=stokes,
        frequencies=frequencies,
        beams=beams or (beam,) * len(planes),
        wcs=wcs or radio_wcs(planes.shape[1:], **options),
        mask=~np.isfinite(planes[0]) if mask is None else mask,
    )


def flat_noise(image, rms=RMS, mean=0.0):
    """The noise as it was drawn, on a background of this mean."""
    levels = np.broadcast_to(rms, image.n_planes).astype(np.float32)
    flat = np.ones(image.planes.shape, dtype=np.float32) * levels[:, None, None]
    flat[~np.isfinite(image.planes)] = np.nan
    level = np.where(np.isfinite(image.planes), np.float32(mean), np.float32(0))
    return Noise(rms=flat, mean=level)


def discs(shape, x, y, radius):
    """Segments: a disc about each source, the nearer one's where they meet."""
    rows, columns = np.indices(shape)
    distance = np.full(shape, np.inf)
    data = np.zeros(shape, dtype=np.int32)
    for label, (x0, y0, r) in enumerate(zip(x, y, np.broadcast_to(radius, len(x)), strict=True), 1):
        part = tuple(slice(max(int(a - r) - 1, 0), int(a + r) + 2) for a in (y0, x0))
        away = np.hypot(columns[part] - x0, rows[part] - y0)
        own = (away <= r) & (away < distance[part])
        data[part][own] = label
        distance[part][own] = away[own]
    return list_segments(data)


def measure(image, segments, *, rms=RMS, mean=0.0, **options):
    """Measure sources and components with the noise as it was drawn."""
    sources, components, _ = measure_all(image, segments, rms=rms, mean=mean, **options)
    add_ratios(sources, image)
    return sources, components


def measure_all(image, segments, *, rms=RMS, mean=0.0, **options):
    """Measure sources, components and parted segments with the noise as it was drawn."""
    probability = np.ones(len(segments.index))
    noise = flat_noise(image, rms, mean)
    return measure_image(image, noise, segments, probability, **options)


def beam_covariance(fwhm=FWHM):
    """Of a round beam, pixel2."""
    return np.eye(2) * (fwhm / FWHM_PER_SIGMA) ** 2
