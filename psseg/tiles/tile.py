"""The map as every part of psseg sees it, and windows cut out of a map.

A reader or the simulator makes a `Tile`: counts per survey band, where they lie on the sky, and
which of it is missing. Labelling goes through a map in windows on the grid of the network, which
may reach beyond its edges: `cut_window` fills what is missing there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area, wcs_to_celestial_frame
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError

__all__ = ["Bounds", "Tile", "cut_window"]

Bounds = tuple[int, int, int, int]
"""First row, end row, first column, end column (ends excluded); may lie outside the map."""


def _none_shared() -> NDArray[np.bool_]:
    return np.zeros(0, dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A counts map in the survey's bands.

    Parameters
    ----------
    data : numpy.ndarray, shape (n_bands, n_y, n_x), float32
        Counts; 0 in absent bands and masked pixels.
    wcs : astropy.wcs.WCS
        Two celestial axes.
    bands_present : numpy.ndarray, shape (n_bands,), bool
        False where the map has no data in a band of the survey.
    mask : numpy.ndarray, shape (n_y, n_x), bool
        True where there are no data.
    exposure : numpy.ndarray, shape (n_bands, n_y, n_x), float32, optional
        Exposure averaged over each band, cm2 s; 0 in absent bands and masked pixels.
    bands_shared : numpy.ndarray, shape (n_bands,), bool
        True where a band holds a part of an energy bin that straddles its edge, so that its counts
        are no integers. The default is none.
    notes : tuple of str
        What the reader decided or repaired, one line each.
    name : str
        Stem of the file it came from.

    Raises
    ------
    PssegError
        If the arrays do not fit together, or the WCS is not celestial.

    Notes
    -----
    Arrays are converted to the types above and shared with the caller where they have them already.
    """

    data: NDArray[np.float32]
    wcs: WCS
    bands_present: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    exposure: NDArray[np.float32] | None = None
    bands_shared: NDArray[np.bool_] = field(default_factory=_none_shared)
    notes: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        """Convert the arrays and check that they fit together."""
        self._convert("data", np.float32)
        if self.data.ndim != 3:
            raise PssegError(f"tile data: want (n_bands, n_y, n_x), got shape {self.data.shape}")
        if self.bands_shared.size == 0:
            object.__setattr__(self, "bands_shared", np.zeros(self.n_bands, dtype=bool))
        for name in ("bands_present", "bands_shared", "mask"):
            self._convert(name, np.bool_)
        self._check_shape("bands_present", (self.n_bands,))
        self._check_shape("bands_shared", (self.n_bands,))
        self._check_shape("mask", self.shape)
        if self.exposure is not None:
            self._convert("exposure", np.float32)
            self._check_shape("exposure", self.data.shape)
        if not np.isfinite(self.data).all():
            raise PssegError("tile data: blank pixels must be 0 and masked, but there are NaN")
        if self.wcs.naxis != 2 or not self.wcs.has_celestial:
            raise PssegError("tile wcs: want two celestial axes; pass wcs.celestial")

    def _convert(self, name: str, dtype: type[np.generic]) -> None:
        object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))

    def _check_shape(self, name: str, wanted: tuple[int, ...]) -> None:
        shape = getattr(self, name).shape
        if shape != wanted:
            raise PssegError(f"tile {name}: want shape {wanted} to fit the data, got {shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.data.shape[1], self.data.shape[2]

    @property
    def n_bands(self) -> int:
        """Number of bands of the survey, present or not."""
        return self.data.shape[0]

    @property
    def pixel_scale(self) -> float:
        """Side of a square of one pixel's area at the reference point, deg."""
        return float(np.sqrt(proj_plane_pixel_area(self.wcs)))

    @property
    def frame(self) -> str:
        """Name of the frame of the map's axes, such as ``"galactic"`` or ``"fk5"``."""
        return str(wcs_to_celestial_frame(self.wcs).name)

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> SkyCoord:
        """Give the sky positions of pixel positions.

        Parameters
        ----------
        x, y : float or array_like
            Pixel positions; (0, 0) is the centre of the first pixel.

        Returns
        -------
        astropy.coordinates.SkyCoord
            In the map's own frame; NaN where a pixel lies off the sky.
        """
        return SkyCoord.from_pixel(np.asarray(x, float), np.asarray(y, float), self.wcs)

    def sky_to_pixel(self, coord: SkyCoord) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the pixel positions of sky positions.

        Parameters
        ----------
        coord : astropy.coordinates.SkyCoord
            Positions in any frame.

        Returns
        -------
        x, y : numpy.ndarray
            Pixel positions, inside the map or not; NaN where the projection has none.
        """
        x, y = coord.to_pixel(self.wcs)
        return x, y


def cut_window(array: NDArray, bounds: Bounds, *, fill: float | bool) -> NDArray:
    """Cut a window out of a map, filling what lies outside it.

    Parameters
    ----------
    array : numpy.ndarray, shape (..., n_y, n_x)
        One map or a stack of them.
    bounds : tuple of int
        Of the window; may lie outside the map.
    fill : float or bool
        Value of the pixels outside the map.

    Returns
    -------
    numpy.ndarray, shape (..., end row - first row, end column - first column)
        A new array of the same type.

    Examples
    --------
    >>> cut_window(np.arange(4).reshape(2, 2), (-1, 1, 0, 3), fill=9)
    array([[9, 9, 9],
           [0, 1, 9]])
    """
    y0, y1, x0, x1 = bounds
    n_y, n_x = array.shape[-2:]
    window = np.full((*array.shape[:-2], y1 - y0, x1 - x0), fill, dtype=array.dtype)
    rows = slice(max(y0, 0), min(y1, n_y))
    columns = slice(max(x0, 0), min(x1, n_x))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = (
            slice(rows.start - y0, rows.stop - y0),
            slice(columns.start - x0, columns.stop - x0),
        )
        window[(..., *inside)] = array[(..., rows, columns)]
    return window
