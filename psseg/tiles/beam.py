"""The beam of a radio image: an elliptical Gaussian, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from numpy.typing import NDArray
from scipy import linalg

from psseg.errors import PssegError
from psseg.tiles.places import pixel_directions

__all__ = [
    "FWHM_PER_SIGMA",
    "Beam",
    "angle_towards_north",
    "common_beam",
    "middle_scale",
    "north_angle",
]

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
"""Full width at half maximum of a Gaussian of unit standard deviation."""

_SAME = 0.01  # relative difference of two FWHM below which beams count as equal
_ROUNDING = 1e-6  # relative, of a variance: a beam contains itself


@dataclass(frozen=True, kw_only=True)
class Beam:
    """An elliptical Gaussian beam.

    Parameters
    ----------
    major, minor : float
        Full widths at half maximum, deg.
    angle : float
        Position angle of the major axis, deg, from ICRS north through east.

    Raises
    ------
    PssegError
        If an axis is no positive number, or the minor axis the longer one.

    Examples
    --------
    >>> Beam(major=45 / 3600, minor=45 / 3600, angle=0).area(15 / 3600).__round__(2)
    10.2
    """

    major: float
    minor: float
    angle: float

    def __post_init__(self) -> None:
        """Check the axes."""
        sound = np.isfinite((self.major, self.minor, self.angle)).all()
        if not sound or not 0 < self.minor <= self.major:
            raise PssegError(
                f"beam {self.major:g} x {self.minor:g} deg at {self.angle:g} deg: want finite "
                "numbers and 0 < minor <= major"
            )

    def area(self, pixel_scale: float) -> float:
        """Give the beam's solid angle in pixels, pi / (4 ln 2) major minor.

        Parameters
        ----------
        pixel_scale : float
            Side of a pixel, deg.

        Returns
        -------
        float
            Pixels per beam: the sum of a point source's pixels over its peak.
        """
        return float(np.pi / (4 * np.log(2)) * self.major * self.minor / pixel_scale**2)

    def width(self, pixel_scale: float) -> float:
        """Give the FWHM of the round beam of the same solid angle, pixels of this side (deg)."""
        return float(np.sqrt(self.major * self.minor)) / pixel_scale

    def covariance(self, pixel_scale: float, *, rotation: float = 0.0) -> NDArray[np.float64]:
        """Give the beam as a covariance matrix in pixels.

        Parameters
        ----------
        pixel_scale : float
            Side of a pixel, deg.
        rotation : float
            Angle of north in the image, deg, as `north_angle` gives it.

        Returns
        -------
        numpy.ndarray, shape (2, 2)
            Order (x, y), in an image whose columns rise to the west where north is up.
        """
        angle = np.deg2rad(self.angle + rotation)
        axes = np.array([[-np.sin(angle), np.cos(angle)], [np.cos(angle), np.sin(angle)]])
        sigmas = np.array([self.major, self.minor]) / (FWHM_PER_SIGMA * pixel_scale)
        return cast(NDArray[np.float64], axes.T @ np.diag(sigmas**2) @ axes)

    def resembles(self, other: Beam) -> bool:
        """Tell whether two beams are equal for every purpose: no axis differs by 1 %."""
        mine, theirs = self.covariance(1.0), other.covariance(1.0)
        return bool(np.abs(mine - theirs).max() <= 2 * _SAME * min(mine.trace(), theirs.trace()))


def common_beam(beams: Sequence[Beam]) -> Beam:
    """Give the beam to which all of some beams can be brought by convolution.

    Parameters
    ----------
    beams : sequence of Beam
        At least one.

    Returns
    -------
    Beam
        The smallest of these: each of the beams, widened until it contains all others, and the
        circle that contains them all. A beam that contains the others is so returned as it is.

    Notes
    -----
    A Gaussian is another one convolved with a third one if the difference of their covariances is
    positive semidefinite. The true optimum may be a few per cent smaller in area.

    Examples
    --------
    >>> common_beam([Beam(major=2, minor=1, angle=0), Beam(major=3, minor=1, angle=90)])
    Beam(major=3, minor=3, angle=0.0)
    """
    largest = max(beam.major for beam in beams)
    candidates = [_widened(beam, beams) for beam in beams]
    candidates.append(Beam(major=largest, minor=largest, angle=0.0))
    return min(candidates, key=lambda beam: beam.major * beam.minor)


def middle_scale(wcs: WCS, shape: tuple[int, int]) -> float:
    """Give the side of a square of a pixel's area in the middle of an image.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    float
        Geometric mean of the two axes of the local Jacobian, deg; that of the reference pixel where
        the middle lies off the projection.

    Notes
    -----
    The header's CDELT holds at the reference pixel alone. A SIN image that lies 24 deg from it, as
    the mosaics of southern surveys do from the pole, has pixels larger by 1 / cos 24 deg in area.
    """
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    steps = np.array([[-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
    places = pixel_directions(wcs, x + steps[:, 0], y + steps[:, 1])
    area = np.linalg.norm(np.cross(places[1] - places[0], places[3] - places[2]))
    if not (np.isfinite(area) and area > 0):
        return float(np.sqrt(proj_plane_pixel_area(wcs)))
    return float(np.rad2deg(np.sqrt(area)))


def north_angle(wcs: WCS, shape: tuple[int, int]) -> float:
    """Give the direction of ICRS north in the middle of an image.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    float
        Angle from +y towards -x, deg, in (-180, 180]: 0 where north is up and east left.
    """
    middle = SkyCoord.from_pixel((shape[1] - 1) / 2, (shape[0] - 1) / 2, wcs)
    return angle_towards_north(wcs, middle.icrs)


def angle_towards_north(wcs: WCS, position: SkyCoord) -> float:
    """Give the direction in an image of the north of any frame, at one place.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes.
    position : astropy.coordinates.SkyCoord
        The place, in the frame whose north is wanted.

    Returns
    -------
    float
        Angle from +y towards -x, deg; 0 where the position lies off the projection.
    """
    step = np.sqrt(proj_plane_pixel_area(wcs)) * u.deg
    x, y = position.to_pixel(wcs)
    x_north, y_north = position.directional_offset_by(0 * u.deg, step).to_pixel(wcs)
    angle = np.rad2deg(np.arctan2(x - x_north, y_north - y))
    return float(angle) if np.isfinite(angle) else 0.0


def _widened(beam: Beam, others: Sequence[Beam]) -> Beam:
    """Scale a beam until it contains all others."""
    own = beam.covariance(1.0)
    excess = max(linalg.eigh(other.covariance(1.0), own, eigvals_only=True)[-1] for other in others)
    if excess <= 1 + _ROUNDING:
        return beam
    factor = float(np.sqrt(excess))
    return Beam(major=beam.major * factor, minor=beam.minor * factor, angle=beam.angle)
