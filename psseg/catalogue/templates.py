"""What a source looks like in the pixels: the PSF, and discs seen through it, as lookup tables.

A fit asks for the same few shapes at thousands of positions. The shapes are therefore tabulated
once per survey and pixel size, finely enough that interpolation does not show: close to a point
source the integral over a square pixel on a grid of offsets, farther out a radial profile. All
bands of a pixel lie side by side, so that one look-up serves them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from psseg.survey.instrument import KingMixture

__all__ = ["Template", "disc_template", "point_template"]

Floats = NDArray[np.float64]

REACH = 8.0
"""Radius, deg, beyond which a template is zero. The widest LAT band holds 98 % within it."""

N_RADII = 800
"""Radii per profile, spaced as their square root: 0.0016 deg apart at 0.05 deg, 0.02 at 8 deg."""

NEAR_REACH = 3
"""Offset, pixels, up to which the shape of the pixel counts."""

NEAR_STEPS = 32
"""Table entries per pixel. The narrowest LAT PSF has a core sigma of 0.2 pixels, six steps."""

CONFORMAL = 0.05
"""Pixels may be this far from squares of the nominal size; beyond, only radial profiles serve."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """Fraction of a source's counts in each pixel, per band, whatever the sub-pixel position.

    Parameters
    ----------
    profile : ndarray (n_radii, n_bands)
        Fraction per deg2, averaged over a pixel, at radii ``REACH * (i / N_RADII)**2`` deg.
    near : ndarray (n_offsets, n_offsets, n_bands) or None
        Fraction per pixel at offsets ``(i, j) / NEAR_STEPS`` pixels; None for extended sources,
        which are wider than a pixel.
    pixel_scale : float
        Side of the pixels `near` was made for, deg.
    """

    profile: Floats
    near: Floats | None
    pixel_scale: float

    def fractions(self, dx: Floats, dy: Floats, jacobian: Floats) -> Floats:
        """Give the fraction of the counts in each pixel of a cutout.

        Parameters
        ----------
        dx : ndarray (n_x,)
            Pixel columns less the source's x, pixels.
        dy : ndarray (n_y,)
            Pixel rows less the source's y, pixels.
        jacobian : ndarray (2, 2)
            Local change of sky position (deg east, deg north) per pixel along x and y.

        Returns
        -------
        ndarray (n_y, n_x, n_bands)
        """
        index, rest = _radial_index(dx, dy, jacobian)
        fractions = _interpolated(self.profile, index, rest) * abs(np.linalg.det(jacobian))
        rows, columns = self._near_pixels(dx, dy, jacobian)
        if self.near is not None and rows.size and columns.size:
            table = _bilinear(self.near, np.abs(dy[rows]), np.abs(dx[columns]))
            fractions[np.ix_(rows, columns)] = table
        return fractions

    def gradients(self, dx: Floats, dy: Floats, jacobian: Floats) -> tuple[Floats, Floats]:
        """Give the derivatives of `fractions` with respect to the source's x and y.

        Returns
        -------
        along_x, along_y : ndarray (n_y, n_x, n_bands)
            Per pixel of displacement.
        """
        metric = jacobian.T @ jacobian
        index, rest = _radial_index(dx, dy, jacobian)
        steepness = _interpolated(self._slope, index, rest)
        steepness *= -abs(np.linalg.det(jacobian))
        x, y = dx[None, :, None], dy[:, None, None]
        along_x = steepness * (metric[0, 0] * x + metric[0, 1] * y)
        along_y = steepness * (metric[0, 1] * x + metric[1, 1] * y)
        rows, columns = self._near_pixels(dx, dy, jacobian)
        if self.near is not None and rows.size and columns.size:
            inside = np.ix_(rows, columns)
            y, x = dy[rows], dx[columns]
            table = _bilinear(self._near_gradient, np.abs(y), np.abs(x))
            along_x[inside] = -np.sign(x)[None, :, None] * table
            table = _bilinear(self._near_gradient, np.abs(x), np.abs(y)).transpose(1, 0, 2)
            along_y[inside] = -np.sign(y)[:, None, None] * table
        return along_x, along_y

    def radius_of_fraction(self, level: Floats) -> Floats:
        """Give the radius, deg, from which the fraction per deg2 stays below a level.

        Parameters
        ----------
        level : ndarray (n_bands,)

        Returns
        -------
        ndarray (n_bands,)
        """
        above = self.profile >= level
        last = np.where(above.any(axis=0), len(above) - 1 - np.argmax(above[::-1], axis=0), 0)
        return _radii()[last]

    @cached_property
    def core_radius(self) -> Floats:
        """Radius that holds 68 % of the counts, deg (n_bands,)."""
        inside = np.cumsum(_rings(self.profile), axis=0)
        return _radii()[1:][np.argmax(inside >= 0.68 * inside[-1], axis=0)]

    @cached_property
    def _slope(self) -> Floats:
        """Derivative of the profile with the radius, divided by the radius."""
        slope = np.gradient(self.profile, _radii(), axis=0)
        slope[1:] /= _radii()[1:, None]
        slope[0] = slope[1]
        return slope

    @cached_property
    def _near_gradient(self) -> Floats:
        """Derivative of `near` with the offset along x; along y it is the same, transposed."""
        if self.near is None:
            return np.zeros((0, 0, self.profile.shape[1]))
        gradient = np.gradient(self.near, 1 / NEAR_STEPS, axis=1)
        gradient[:, 0] = 0  # a PSF is symmetric
        return gradient

    def _near_pixels(self, dx: Floats, dy: Floats, jacobian: Floats) -> tuple[NDArray, NDArray]:
        if not _is_conformal(jacobian, self.pixel_scale):
            return np.array([], dtype=int), np.array([], dtype=int)
        return np.flatnonzero(np.abs(dy) < NEAR_REACH), np.flatnonzero(np.abs(dx) < NEAR_REACH)


@lru_cache(maxsize=8)
def point_template(psf: tuple[KingMixture, ...], pixel_scale: float) -> Template:
    """Tabulate a point source.

    Parameters
    ----------
    psf : tuple of KingMixture
        One per band.
    pixel_scale : float
        Side of a pixel, deg.

    Returns
    -------
    Template
    """
    near = np.stack([_near_table(band, pixel_scale) for band in psf], axis=-1)
    return Template(profile=_pixel_profile(psf, pixel_scale), near=near, pixel_scale=pixel_scale)


@lru_cache(maxsize=64)
def disc_template(psf: tuple[KingMixture, ...], pixel_scale: float, radius: float) -> Template:
    """Tabulate a uniform disc of a radius (deg) seen through the PSF; else as `point_template`."""
    profile = _pixel_profile(psf, pixel_scale)
    rings = _rings(profile)
    rings /= np.maximum(rings.sum(axis=0), 1)  # the trapezium rule is 0.1 % high in the core
    return Template(profile=_disc_profile(rings, radius), near=None, pixel_scale=pixel_scale)


def _radii() -> Floats:
    return REACH * (np.arange(N_RADII + 1) / N_RADII) ** 2


def _rings(profile: Floats) -> Floats:
    """Content of the rings between the radii of a profile, (n_radii - 1, n_bands)."""
    return np.pi * np.diff(_radii() ** 2)[:, None] * (profile[1:] + profile[:-1]) / 2


@lru_cache(maxsize=8)
def _pixel_profile(psf: tuple[KingMixture, ...], pixel_scale: float) -> Floats:
    """Profile of the PSF averaged over a pixel, taken as a disc of the pixel's area."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    radius = pixel_scale / np.sqrt(np.pi) * np.sqrt((nodes + 1) / 2)  # equal areas
    angle = (np.arange(12) + 0.5) * np.pi / 12  # the other half mirrors this one
    east = _radii()[:, None, None] + radius[:, None] * np.cos(angle)
    separation = np.hypot(east, radius[:, None] * np.sin(angle))
    return np.stack([band.density(separation).mean(axis=-1) @ weights / 2 for band in psf], axis=-1)


def _disc_profile(rings: Floats, radius: float) -> Floats:
    """Profile of a disc convolved with a round function given by its content per ring.

    A ring of radius s around a point at distance r from the disc's centre lies in the disc over an
    angle of ``2 arccos((s**2 + r**2 - radius**2) / (2 s r))``.
    """
    distance = np.maximum(_radii(), 1e-9)[:, None]
    ring = (_radii()[1:] + _radii()[:-1])[None, :] / 2
    cosine = (ring**2 + distance**2 - radius**2) / (2 * ring * distance)
    return np.arccos(np.clip(cosine, -1, 1)) @ rings / (np.pi**2 * radius**2)


def _near_table(psf: KingMixture, pixel_scale: float) -> Floats:
    """Integral of the PSF over square pixels at offsets of 0, 1, 2 ... steps along y and x."""
    n_cells = (2 * NEAR_REACH + 2) * NEAR_STEPS
    centres = (np.arange(n_cells) + 0.5 - n_cells / 2) / NEAR_STEPS * pixel_scale
    half = n_cells // 2
    density = psf.density(np.hypot(centres[half - NEAR_STEPS :, None], centres))
    boxed = uniform_filter1d(density, NEAR_STEPS, axis=0)
    boxed = uniform_filter1d(boxed, NEAR_STEPS, axis=1)
    last = NEAR_REACH * NEAR_STEPS + 1
    return boxed[NEAR_STEPS:, half:][:last, :last] * pixel_scale**2


def _is_conformal(jacobian: Floats, pixel_scale: float) -> bool:
    (a, b), (c, d) = jacobian.tolist()
    sum_, difference = math.hypot(a + d, b - c), math.hypot(a - d, b + c)  # of the singular values
    sides = (sum_ + difference) / 2 / pixel_scale, abs(sum_ - difference) / 2 / pixel_scale
    return all(abs(side - 1) < CONFORMAL for side in sides)


def _radial_index(dx: Floats, dy: Floats, jacobian: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Entry of a profile for each pixel, and how far on to the next one."""
    east = jacobian[0, 0] * dx + jacobian[0, 1] * dy[:, None]
    north = jacobian[1, 0] * dx + jacobian[1, 1] * dy[:, None]
    place = np.sqrt(np.sqrt(east**2 + north**2)) * (N_RADII / np.sqrt(REACH))
    index = np.minimum(place.astype(np.intp), N_RADII - 1)
    return index, np.minimum(place - index, 1)[:, :, None]


def _interpolated(table: Floats, index: NDArray[np.intp], rest: Floats) -> Floats:
    low = table[index]
    return low + rest * (table[index + 1] - low)


def _bilinear(table: Floats, y: Floats, x: Floats) -> Floats:
    """Interpolate a near table at the offsets ``(y_i, x_j)``, pixels, not negative."""
    i, j = (y * NEAR_STEPS).astype(np.intp)[:, None], (x * NEAR_STEPS).astype(np.intp)
    up, right = (y[:, None] * NEAR_STEPS - i)[..., None], (x * NEAR_STEPS - j)[:, None]
    low, high = (table[row, j] * (1 - right) + table[row, j + 1] * right for row in (i, i + 1))
    return low * (1 - up) + high * up
