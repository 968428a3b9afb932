"""Directions on the sky as unit vectors, and the pixels nearest to places on a map."""

from __future__ import annotations

import erfa
import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

__all__ = ["lon_lat", "nearest_pixels", "pixel_directions", "pixels_at", "unit_vectors"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def unit_vectors(lon: ArrayLike, lat: ArrayLike) -> Floats:
    """Give the directions of positions.

    Parameters
    ----------
    lon, lat : array_like, shape (...)
        Degrees, in any frame.

    Returns
    -------
    ndarray (..., 3)
        Unit vectors; NaN where a position is.

    Examples
    --------
    >>> unit_vectors(0, [0, 90]).round(9)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    return np.asarray(erfa.s2c(np.radians(lon), np.radians(lat)))


def lon_lat(vectors: ArrayLike) -> tuple[Floats, Floats]:
    """Give the positions of directions: the way back from `unit_vectors`.

    Parameters
    ----------
    vectors : array_like, shape (..., 3)
        Of any length.

    Returns
    -------
    lon, lat : ndarray (...)
        Degrees; longitudes from 0 up to 360.

    Examples
    --------
    >>> lon, lat = lon_lat([0, -2, 0])
    >>> float(lon), float(lat)
    (270.0, 0.0)
    """
    lon, lat = erfa.c2s(np.asarray(vectors, dtype=float))
    return np.degrees(lon) % 360, np.degrees(lat)


def pixel_directions(wcs: WCS, x: ArrayLike, y: ArrayLike) -> Floats:
    """Give the directions of pixel positions, in the frame of the WCS.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes, in either order.
    x, y : array_like, shape (...)
        Pixels; (0, 0) is the centre of the first.

    Returns
    -------
    ndarray (..., 3)
        Unit vectors; NaN off the sky.
    """
    world = wcs.wcs_pix2world(x, y, 0)
    return unit_vectors(world[wcs.wcs.lng], world[wcs.wcs.lat])


def nearest_pixels(x: ArrayLike, y: ArrayLike, shape: tuple[int, int]) -> tuple[Rows, Rows]:
    """Give the pixels of a map that are nearest to places, which may lie outside it.

    Parameters
    ----------
    x, y : array_like, shape (...)
        Finite places, pixels.
    shape : tuple of int
        Rows and columns of the map.

    Returns
    -------
    rows, columns : ndarray (...)

    Examples
    --------
    >>> nearest_pixels([1.4, -7], [0.6, 99], (3, 5))
    (array([1, 2]), array([1, 0]))
    """
    rows, columns = (
        np.clip(np.rint(np.asarray(place, dtype=float)), 0, n - 1).astype(np.intp)
        for place, n in zip((y, x), shape, strict=True)
    )
    return rows, columns


def pixels_at(
    x: ArrayLike, y: ArrayLike, shape: tuple[int, int]
) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """Give the pixels of a map at places, and which places lie on it.

    Parameters
    ----------
    x, y : array_like, shape (...)
        Places, pixels; those that are not numbers lie outside.
    shape : tuple of int
        Rows and columns of the map.

    Returns
    -------
    rows, columns : ndarray (...)
        0 outside the map.
    inside : ndarray of bool (...)

    Examples
    --------
    >>> pixels_at([1.4, -7, np.nan], [0.6, 1, 1], (3, 5))
    (array([1, 0, 0]), array([1, 0, 0]), array([ True, False, False]))
    """
    row, column = (np.rint(np.asarray(place, dtype=float)) for place in (y, x))
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    rows, columns = (np.where(inside, place, 0).astype(np.intp) for place in (row, column))
    return rows, columns, inside
