"""From pixels to the sky: the local scale and orientation of the map, and error ellipses.

Nothing here asks how a map is projected or in which frame: the WCS is followed for half a pixel on
either side of a source.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

__all__ = [
    "RADIUS_68",
    "RADIUS_95",
    "Ellipses",
    "error_ellipses",
    "local_jacobian",
]

Floats = NDArray[np.float64]

RADIUS_68 = float(np.sqrt(-2 * np.log(1 - 0.68)))
"""Radius of the 68 % ellipse of a two-dimensional Gaussian in units of sigma: 1.51."""

RADIUS_95 = float(np.sqrt(-2 * np.log(1 - 0.95)))
"""The same for 95 %: 2.45."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ellipses:
    """One-sigma error ellipses.

    Parameters
    ----------
    major, minor : ndarray (n_sources,)
        Semi-axes, deg; NaN where there is no ellipse.
    angle : ndarray (n_sources,)
        Position angle of the major axis, deg east of north (ICRS), 0 to 180.
    """

    major: Floats
    minor: Floats
    angle: Floats


def local_jacobian(wcs: WCS, x: Floats, y: Floats) -> Floats:
    """Give how the sky position changes per pixel.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes, any projection and frame.
    x, y : ndarray (n_sources,)
        Where, pixels.

    Returns
    -------
    ndarray (n_sources, 2, 2)
        Degrees east (first row) and north (second row), ICRS, per pixel along x (first column) and
        y (second column).

    Notes
    -----
    Where the sky ends within half a pixel, the half on the other side stands for both.
    """
    position = _icrs(wcs, x, y)
    here = _unit_vectors(*position)
    ra, dec = np.deg2rad(position)
    sin_ra, cos_ra, sin_dec, cos_dec = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    east = np.stack([-sin_ra, cos_ra, np.zeros_like(ra)])
    north = np.stack([-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec])
    columns = []
    for step_x, step_y in ((0.5, 0.0), (0.0, 0.5)):
        ahead = _unit_vectors(*_icrs(wcs, x + step_x, y + step_y))
        behind = _unit_vectors(*_icrs(wcs, x - step_x, y - step_y))
        step = np.rad2deg(_change(behind, here, ahead))
        columns.append(np.stack([(step * east).sum(axis=0), (step * north).sum(axis=0)], axis=-1))
    return np.stack(columns, axis=-1)


def error_ellipses(covariance: Floats, jacobian: Floats) -> Ellipses:
    """Give the ellipses of position errors on the sky.

    Parameters
    ----------
    covariance : ndarray (n_sources, 2, 2)
        Of x and y, pixel2; NaN or zero where it is not known.
    jacobian : ndarray (n_sources, 2, 2)
        As `local_jacobian` gives it.

    Returns
    -------
    Ellipses
    """
    on_sky = jacobian @ covariance @ jacobian.transpose(0, 2, 1)
    known = np.isfinite(on_sky).all(axis=(1, 2)) & (np.trace(on_sky, axis1=1, axis2=2) > 0)
    values, vectors = np.linalg.eigh(np.where(known[:, None, None], on_sky, np.eye(2)))
    axes = np.where(known[:, None], np.sqrt(np.maximum(values, 0)), np.nan)
    east, north = vectors[:, 0, 1], vectors[:, 1, 1]
    angle = np.where(known, np.rad2deg(np.arctan2(east, north)) % 180, np.nan)
    return Ellipses(major=axes[:, 1], minor=axes[:, 0], angle=angle)


def _change(behind: Floats, here: Floats, ahead: Floats) -> Floats:
    """Give the change from behind to ahead; twice that of one half where the other is no sky."""
    change = ahead - behind
    for half in (ahead - here, here - behind):
        change = np.where(np.isfinite(change), change, 2 * half)
    return change


def _icrs(wcs: WCS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    position = SkyCoord.from_pixel(x, y, wcs).icrs
    return position.ra.deg, position.dec.deg


def _unit_vectors(ra: Floats, dec: Floats) -> Floats:
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
