"""The field of a map that is wanted: a square around a place, or all there is.

A map that goes once round the sky has a seam, where its first and last columns meet. A field across
it is put together from both ends, on a grid of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.errors import PssegError
from psseg.tiles.grid import is_cylindrical

__all__ = ["Field", "choose_field"]

SAME_PLACE = 0.05
"""Pixels; two grids whose pixels lie no farther apart are one."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A part of a map.

    Parameters
    ----------
    rows, columns : slice
        Of the map; columns beyond its first or last one are those of its other end.
    wcs : astropy.wcs.WCS
        Of the part.
    notes : tuple of str
        What is missing.
    """

    rows: slice
    columns: slice
    wcs: WCS
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, plane: NDArray) -> NDArray:
        """Cut the field out of a plane (n_y, n_x) of the map."""
        n_columns = plane.shape[1]
        if self.columns.start >= 0 and self.columns.stop <= n_columns:
            return plane[self.rows, self.columns]
        both_ends = np.arange(self.columns.start, self.columns.stop) % n_columns
        return plane[self.rows][:, both_ends]


def choose_field(
    wcs: WCS,
    shape: tuple[int, int],
    *,
    center: SkyCoord | None,
    width: float | None,
    pixel_scale: float,
    name: str,
) -> Field:
    """Find a square on a map.

    Parameters
    ----------
    wcs, shape
        Of the map.
    center : astropy.coordinates.SkyCoord, optional
        The default is the middle of the map.
    width : float, optional
        Side of the square, deg; the default is the whole map.
    pixel_scale : float
        Side of a pixel, deg.
    name : str
        The file's name, for messages.

    Returns
    -------
    Field
        Clipped to the map, with a note.

    Raises
    ------
    PssegError
        If nothing of the square lies on the map, or only a centre is given.
    """
    if width is None and center is None:
        return _part(wcs, slice(0, shape[0]), slice(0, shape[1]))
    if width is None or not width > 0:
        raise PssegError(f"{name}: to cut out a field, give its width in deg besides its center")
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    if center is not None:
        x, y = (float(value) for value in center.to_pixel(wcs))
    rows, columns = (_around(place, width / pixel_scale) for place in (y, x))
    kept_rows, kept_columns = _clipped(rows, shape[0]), _clipped(columns, shape[1])
    if not (_length(kept_rows) and _length(kept_columns)):
        raise PssegError(
            f"{name}: the field asked for, {width:g} deg wide, lies outside the map; "
            "give a center on the map"
        )
    across = None if kept_columns == columns else _across_the_seam(wcs, shape, kept_rows, columns)
    field = across or _part(wcs, kept_rows, kept_columns)
    if field.shape == (_length(rows), _length(columns)):
        return field
    height, length = (n * pixel_scale for n in field.shape)
    note = f"the field asked for, {width:g} deg wide, is {length:.4g} x {height:.4g} deg on the map"
    return replace(field, notes=(note,))


def _around(middle: float, length: float) -> slice:
    """Give the pixels of a length around a place; none where there is no such place."""
    if not np.isfinite(middle):
        return slice(0, 0)
    return slice(round(middle - length / 2 + 0.5), round(middle + length / 2 + 0.5))


def _clipped(part: slice, n: int) -> slice:
    return slice(max(part.start, 0), min(part.stop, n))


def _length(part: slice) -> int:
    return max(part.stop - part.start, 0)


def _part(wcs: WCS, rows: slice, columns: slice) -> Field:
    part = wcs.deepcopy()
    part.wcs.crpix = wcs.wcs.crpix - np.array([columns.start, rows.start])
    part.wcs.set()
    return Field(rows=rows, columns=columns, wcs=part)


def _across_the_seam(wcs: WCS, shape: tuple[int, int], rows: slice, columns: slice) -> Field | None:
    """Give a field that reaches beyond the first or last column; None where the sky ends there.

    The projection ends half a turn from its reference point, which therefore moves into the field.
    """
    if not is_cylindrical(wcs) or _length(columns) > shape[1]:
        return None
    turn = round((columns.start + columns.stop) / 2 - wcs.wcs.crpix[0])
    turned = wcs.deepcopy()
    step = wcs.wcs.cdelt[0] * wcs.wcs.get_pc()[0, 0]
    turned.wcs.crval = (wcs.wcs.crval[0] + turn * step) % 360, wcs.wcs.crval[1]
    turned.wcs.crpix = wcs.wcs.crpix + np.array([turn, 0.0])
    field = _part(turned, rows, columns)
    return field if _same_sky(field, wcs, shape[1]) else None


def _same_sky(field: Field, wcs: WCS, n_columns: int) -> bool:
    """Tell whether a field's corners and middle are where the map says they are."""
    n_y, n_x = field.shape
    y, x = (axis.ravel() for axis in np.meshgrid([0, n_y // 2, n_y - 1], [0, n_x // 2, n_x - 1]))
    here = SkyCoord.from_pixel(x, y, field.wcs)
    there = SkyCoord.from_pixel((x + field.columns.start) % n_columns, y + field.rows.start, wcs)
    apart = here.separation(there).deg
    on_sky = apart[np.isfinite(apart)]
    return bool(on_sky.size and on_sky.max() < SAME_PLACE * abs(wcs.wcs.cdelt[1]))
