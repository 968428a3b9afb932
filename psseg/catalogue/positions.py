"""From pixels to the sky: the local scale and orientation of the map, and error ellipses.

Nothing here asks how a map is projected or in which frame: the WCS is followed for half a pixel on
either side of a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.tiles.places import unit_vectors

__all__ = [
    "RADIUS_68",
    "RADIUS_95",
    "Ellipses",
    "PrincipalAxes",
    "error_ellipses",
    "local_jacobian",
    "principal_axes",
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


class PrincipalAxes(NamedTuple):
    """Axes of covariances on the sky: variances, and the directions (east, north) of both axes.

    `small` and `large` (n,), deg2; `across` (n, 2), a unit vector along the minor axis, and `along`
    (n, 2), one along the major axis.
    """

    small: Floats
    large: Floats
    across: Floats
    along: Floats

    @property
    def angle(self) -> Floats:
        """Position angle of the major axis (n,), deg east of north, 0 to 180."""
        return np.rad2deg(np.arctan2(self.along[:, 0], self.along[:, 1])) % 180


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
    here = unit_vectors(*position).T
    ra, dec = np.deg2rad(position)
    sin_ra, cos_ra, sin_dec, cos_dec = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    east = np.stack([-sin_ra, cos_ra, np.zeros_like(ra)])
    north = np.stack([-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec])
    columns = []
    for step_x, step_y in ((0.5, 0.0), (0.0, 0.5)):
        ahead = unit_vectors(*_icrs(wcs, x + step_x, y + step_y)).T
        behind = unit_vectors(*_icrs(wcs, x - step_x, y - step_y)).T
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
    extended = np.trace(on_sky, axis1=1, axis2=2) > 0
    axes = principal_axes(np.where(extended[:, None, None], on_sky, np.nan))
    minor, major = (np.sqrt(np.maximum(value, 0)) for value in (axes.small, axes.large))
    return Ellipses(major=major, minor=minor, angle=axes.angle)


def principal_axes(covariance: Floats) -> PrincipalAxes:
    """Give the principal axes of covariances on the sky.

    Parameters
    ----------
    covariance : ndarray (n, 2, 2)
        Deg2, order (east, north).

    Returns
    -------
    PrincipalAxes
        NaN where an element of the covariance is not finite.
    """
    known = np.asarray(np.isfinite(covariance).all(axis=(1, 2), keepdims=True))
    values, vectors = np.linalg.eigh(np.where(known, covariance, np.eye(2)))
    small, large = np.where(known[:, 0], values, np.nan).T
    across, along = np.where(known, vectors, np.nan).transpose(2, 0, 1)
    return PrincipalAxes(small=small, large=large, across=across, along=along)


def _change(behind: Floats, here: Floats, ahead: Floats) -> Floats:
    """Give the change from behind to ahead; twice that of one half where the other is no sky."""
    change = ahead - behind
    for half in (ahead - here, here - behind):
        change = np.where(np.isfinite(change), change, 2 * half)
    return change


def _icrs(wcs: WCS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    position = SkyCoord.from_pixel(x, y, wcs).icrs
    return position.ra.deg, position.dec.deg
