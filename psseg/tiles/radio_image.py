"""A radio continuum image as every part of psseg sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError
from psseg.tiles.beam import Beam, middle_scale, north_angle

__all__ = ["SAME_FREQUENCY", "RadioImage"]

SAME_FREQUENCY = 1e-3
"""Relative difference below which two frequencies are one: flux changes by less than 0.3 %."""

_LAYOUTS = (("I",), ("I", "I"), ("I", "V"), ("I", "I", "V"))


@dataclass(frozen=True, kw_only=True, eq=False)
class RadioImage:
    """A radio image: Stokes I at one or two frequencies, and Stokes V where there is one.

    Parameters
    ----------
    planes : numpy.ndarray, shape (n_planes, n_y, n_x), float32
        Jy/beam; NaN where blank. Plane 0 is the reference plane, Stokes I, where sources are found.
    stokes : tuple of str
        One per plane: (I), (I, I), (I, V) or (I, I, V).
    frequencies : tuple of float
        Hz, one per plane; NaN where unknown.
    beams : tuple of Beam
        One per plane.
    wcs : astropy.wcs.WCS
        Two celestial axes.
    mask : numpy.ndarray, shape (n_y, n_x), bool
        True where the reference plane is blank.
    name : str
        Stem of the file that the reference plane came from.
    notes : tuple of str
        What the reader decided or repaired, one line each.

    Raises
    ------
    PssegError
        If the arrays do not fit together, or the WCS is not celestial.

    Notes
    -----
    Arrays are converted to the types above and shared with the caller where they have them already.
    """

    planes: NDArray[np.float32]
    stokes: tuple[str, ...]
    frequencies: tuple[float, ...]
    beams: tuple[Beam, ...]
    wcs: WCS
    mask: NDArray[np.bool_]
    name: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Convert the arrays and check that they fit together."""
        object.__setattr__(self, "planes", np.asarray(self.planes, dtype=np.float32))
        object.__setattr__(self, "mask", np.asarray(self.mask, dtype=bool))
        if self.planes.ndim != 3:
            raise PssegError(f"radio planes: want (n, n_y, n_x), got shape {self.planes.shape}")
        if tuple(self.stokes) not in _LAYOUTS:
            given = ", ".join(self.stokes)
            raise PssegError(f"radio stokes: want (I), (I, I), (I, V) or (I, I, V); got ({given})")
        for name in ("stokes", "frequencies", "beams"):
            self._check_length(name)
        if self.mask.shape != self.shape:
            raise PssegError(f"radio mask: want shape {self.shape}, got {self.mask.shape}")
        if self.wcs.naxis != 2 or not self.wcs.has_celestial:
            raise PssegError("radio wcs: want two celestial axes; pass wcs.celestial")

    def _check_length(self, name: str) -> None:
        length = len(getattr(self, name))
        if length != self.n_planes:
            raise PssegError(f"radio {name}: want one per plane, {self.n_planes}; got {length}")

    @property
    def n_planes(self) -> int:
        """Number of planes, 1 to 3."""
        return self.planes.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.planes.shape[1], self.planes.shape[2]

    @property
    def pixel_scale(self) -> float:
        """Side of a square of a pixel's area in the middle of the image, deg."""
        return middle_scale(self.wcs, self.shape)

    @property
    def lever_arm(self) -> float:
        """Logarithm of the ratio of the two frequencies of Stokes I; 0 where there is one only."""
        if self.frequency_ratios[1] == 1:
            return 0.0
        low, high = sorted(self.frequencies[:2])
        return float(np.log(high / low))

    @property
    def frequency_ratios(self) -> NDArray[np.float64]:
        """Frequencies of Stokes I, of I at the other frequency and of V over that of plane 0, (3,).

        1 where there is no such plane, its frequency is unknown, or the two are one.
        """
        ratios = np.ones(3)
        for number, (stokes, frequency) in enumerate(
            zip(self.stokes, self.frequencies, strict=True)
        ):
            ratios[2 if stokes == "V" else number] = frequency / self.frequencies[0]
        differ = np.abs(ratios - 1) > SAME_FREQUENCY  # not where unknown
        return np.where(differ, ratios, 1.0)

    @property
    def rotation(self) -> float:
        """Angle of ICRS north in the middle of the image, from +y towards -x, deg."""
        return north_angle(self.wcs, self.shape)

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> SkyCoord:
        """Give the sky positions of pixel positions.

        Parameters
        ----------
        x, y : array_like
            Pixel positions; (0, 0) is the centre of the first pixel.

        Returns
        -------
        astropy.coordinates.SkyCoord
            ICRS; NaN where a pixel lies off the sky.
        """
        native = SkyCoord.from_pixel(np.asarray(x, float), np.asarray(y, float), self.wcs)
        return SkyCoord(native.icrs.frame)  # without the equinox of an FK5 image
