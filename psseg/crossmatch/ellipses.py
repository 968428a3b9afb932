"""Error ellipses on the sky: what a catalogue says of its positions, as covariances.

In: error radii or ellipses at some confidence, or errors in right ascension and declination. Out:
:class:`ErrorEllipses`, one standard deviation along two axes and a position angle per source, whose
covariances can be seen along any direction and added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError

__all__ = [
    "ErrorEllipses",
    "ellipses_of_axes",
    "ellipses_of_errors",
    "ellipses_of_radius",
    "sigmas_of",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorEllipses:
    """The position errors of a catalogue, one standard deviation each.

    Parameters
    ----------
    major, minor : ndarray, shape (n,)
        Standard deviations along the two axes, degrees on the sky; not-a-number where the
        catalogue gives no error, 0 where it says the position is exact.
    angle : ndarray, shape (n,)
        Position angle of the major axis, degrees east of north.
    """

    major: Floats
    minor: Floats
    angle: Floats

    def __len__(self) -> int:
        return len(self.major)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> ErrorEllipses:
        """Give the ellipses of some rows."""
        return ErrorEllipses(major=self.major[rows], minor=self.minor[rows], angle=self.angle[rows])

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which sources have an ellipse, shape (n,)."""
        return np.isfinite(self.major) & np.isfinite(self.minor) & np.isfinite(self.angle)

    def semi_axes(self, confidence: float) -> tuple[Floats, Floats]:
        """Give the semi-axes (degrees) of the ellipses that hold this share of the positions."""
        scale = sigmas_of(confidence)
        return self.major * scale, self.minor * scale

    def widened(self, systematic: float) -> ErrorEllipses:
        """Add a systematic error (degrees, one standard deviation) in quadrature."""
        return ErrorEllipses(
            major=np.hypot(self.major, systematic),
            minor=np.hypot(self.minor, systematic),
            angle=self.angle,
        )

    def at_least(self, least: float) -> ErrorEllipses:
        """Give ellipses of which no axis is below a standard deviation (degrees)."""
        return ErrorEllipses(
            major=np.maximum(self.major, least),
            minor=np.maximum(self.minor, least),
            angle=self.angle,
        )

    def along(self, direction: Floats) -> tuple[Floats, Floats, Floats]:
        """Give the covariances in axes of which the first points to a position angle.

        Parameters
        ----------
        direction : ndarray, shape (n,)
            Position angle of the first axis, degrees east of north; the second is 90 degrees
            further.

        Returns
        -------
        first, mixed, second : ndarray, shape (n,)
            Elements of the symmetric matrices, deg².
        """
        turn = np.deg2rad(self.angle - direction)
        cosine, sine = np.cos(turn), np.sin(turn)
        long, short = self.major**2, self.minor**2
        return (
            long * cosine**2 + short * sine**2,
            (long - short) * cosine * sine,
            long * sine**2 + short * cosine**2,
        )


def sigmas_of(confidence: float) -> float:
    """Give the radius, in standard deviations, that holds a share of a round Gaussian.

    Parameters
    ----------
    confidence : float
        Between 0 and 1.

    Returns
    -------
    float
        The root of -2 ln(1 - confidence), the quantile of the Rayleigh distribution.

    Raises
    ------
    PssegError
        If the confidence is not between 0 and 1.

    Examples
    --------
    >>> round(sigmas_of(0.68), 4), round(sigmas_of(0.95), 4)
    (1.5096, 2.4477)
    """
    if not 0 < confidence < 1:
        raise PssegError(f"confidence {confidence}: want a share between 0 and 1, such as 0.95")
    return float(np.sqrt(-2 * np.log1p(-confidence)))


def ellipses_of_axes(
    major: ArrayLike, minor: ArrayLike, angle: ArrayLike, *, confidence: float | None = None
) -> ErrorEllipses:
    """Make ellipses of semi-axes and position angles.

    Parameters
    ----------
    major, minor : array_like, shape (n,)
        Semi-axes in degrees. The longer one may be either, as long as the angle is that of `major`.
    angle : array_like, shape (n,)
        Position angle of `major`, degrees east of north. Where it is missing, the ellipse is taken
        for a circle of its major axis.
    confidence : float or None
        Share of the positions inside the ellipses, such as 0.68 or 0.95; None for axes that are one
        standard deviation long.

    Returns
    -------
    ErrorEllipses
    """
    scale = 1.0 if confidence is None else sigmas_of(confidence)
    long, short, turn = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (major, minor, angle))
    longer = np.fmax(long, short)
    lost = ~np.isfinite(turn) | ~np.isfinite(long + short)
    return ErrorEllipses(
        major=np.where(lost, longer, long) / scale,
        minor=np.where(lost, longer, short) / scale,
        angle=np.where(np.isfinite(longer) & lost, 0.0, turn),
    )


def ellipses_of_radius(radius: ArrayLike, *, confidence: float | None = None) -> ErrorEllipses:
    """Make circles of error radii in degrees; see :func:`ellipses_of_axes`."""
    values = np.atleast_1d(np.asarray(radius, dtype=float))
    return ellipses_of_axes(values, values, np.zeros_like(values), confidence=confidence)


def ellipses_of_errors(
    e_ra: ArrayLike, e_dec: ArrayLike, correlation: ArrayLike = 0.0
) -> ErrorEllipses:
    """Make ellipses of errors in right ascension and declination.

    Parameters
    ----------
    e_ra : array_like, shape (n,)
        Standard deviation in right ascension on the sky (times cos dec), degrees.
    e_dec : array_like, shape (n,)
        Standard deviation in declination, degrees.
    correlation : array_like, shape (n,) or ()
        Correlation of the two, -1 to 1.

    Returns
    -------
    ErrorEllipses
        The eigenvectors of the covariance matrix.
    """
    east, north = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (e_ra, e_dec))
    mixed = np.nan_to_num(np.asarray(correlation, dtype=float)) * east * north
    middle, half = (east**2 + north**2) / 2, np.hypot((north**2 - east**2) / 2, mixed)
    return ErrorEllipses(
        major=np.sqrt(middle + half),
        minor=np.sqrt(np.clip(middle - half, 0, None)),
        angle=np.rad2deg(np.arctan2(mixed, (north**2 - east**2) / 2) / 2) % 180,
    )
