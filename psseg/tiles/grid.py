"""Pixel grids of counts maps: sum finer pixels to the survey's scale, find what is no sky.

Counts stay whole photons. Pixels that are an integer fraction of the survey's are summed; others
are emptied photon by photon into the survey's, each photon at a random place within its pixel.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.places import pixel_directions

__all__ = [
    "Regrid",
    "area_ratios",
    "is_cylindrical",
    "off_sky",
    "plan_regrid",
    "resized_wcs",
    "rows_of_pixels",
    "warn_of_uneven_pixels",
]

CYLINDRICAL = ("CAR", "MER", "CEA", "CYP")
"""Projections whose columns are meridians, evenly apart."""

COARSEST = 1.5
"""Pixels wider than this many of the survey's are refused: the PSF of the highest band (68 % within
0.1 deg) would be lost in one of them."""

UNEVEN = 0.2
"""Pixels whose solid angle differs by more than this from the survey's deserve a warning."""

ALIKE = 0.02  # relative difference of pixel scales that makes no difference
_ROW_PIXELS = 1 << 20  # pixels whose sky positions are computed at once
_SAMPLED = 64  # pixels along each axis, at most, whose solid angle is measured


@dataclass(frozen=True, kw_only=True)
class Regrid:
    """From a map's own pixels to the survey's.

    Parameters
    ----------
    factors : tuple of float
        Map pixels per new pixel along x and y; whole numbers where pixels are summed.
    shape : tuple of int
        Rows and columns of the new grid.
    wcs : astropy.wcs.WCS
        Of the new grid: same projection, frame and reference point.
    notes : tuple of str
        What is done.
    """

    factors: tuple[float, float]
    shape: tuple[int, int]
    wcs: WCS
    notes: tuple[str, ...]

    @property
    def sums(self) -> bool:
        """Whether each new pixel is the sum of whole pixels."""
        return all(float(factor).is_integer() for factor in self.factors)

    def counts(self, plane: NDArray, *, rng: np.random.Generator) -> NDArray:
        """Put a plane of counts on the new grid.

        Parameters
        ----------
        plane : numpy.ndarray, shape (n_y, n_x)
            Whole counts of the map, no NaN.
        rng : numpy.random.Generator
            Source of the photons' places within their pixels, where pixels are not just summed.

        Returns
        -------
        numpy.ndarray, shape `shape`
        """
        if self.sums:
            return self._blocks(plane).sum(axis=(1, 3))
        return self._scatter(plane, rng)

    def mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Put a mask on the new grid: a pixel is masked that touches a masked one."""
        if self.sums:
            return np.asarray(np.any(self._blocks(mask), axis=(1, 3)))
        (y0, y1), (x0, x1) = (
            _touched(n, f) for n, f in zip(self.shape, self.factors[::-1], strict=True)
        )
        total = np.pad(np.cumsum(np.cumsum(mask, axis=0), axis=1), ((1, 0), (1, 0)))
        return total[y1][:, x1] - total[y0][:, x1] - total[y1][:, x0] + total[y0][:, x0] > 0

    def _blocks(self, plane: NDArray) -> NDArray:
        (n_y, n_x), (f_x, f_y) = self.shape, (int(factor) for factor in self.factors)
        return plane[: n_y * f_y, : n_x * f_x].reshape(n_y, f_y, n_x, f_x)

    def _scatter(self, plane: NDArray, rng: np.random.Generator) -> NDArray:
        f_x, f_y = self.factors
        y, x = (np.repeat(index, plane[plane > 0].astype(int)) for index in np.nonzero(plane > 0))
        y = ((y + rng.random(y.size)) / f_y).astype(int)
        x = ((x + rng.random(x.size)) / f_x).astype(int)
        inside = (y < self.shape[0]) & (x < self.shape[1])
        flat = np.ravel_multi_index((y[inside], x[inside]), self.shape)
        return np.bincount(flat, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)


def plan_regrid(wcs: WCS, shape: tuple[int, int], pixel_scale: float, *, name: str) -> Regrid:
    """Decide how a counts map comes to the survey's pixel scale.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Of the map, two celestial axes.
    shape : tuple of int
        Its rows and columns.
    pixel_scale : float
        The survey's, deg.
    name : str
        The file's name, for messages.

    Returns
    -------
    Regrid

    Raises
    ------
    PssegError
        If the map's pixels are more than 1.5 of the survey's wide, or the map is smaller than one
        pixel of the survey.
    """
    scales = np.asarray(proj_plane_pixel_scales(wcs), float)
    if scales.max() > COARSEST * pixel_scale:
        raise PssegError(
            f"{name}: pixels of {scales.max():.3g} deg are too coarse: the survey has "
            f"{pixel_scale:.3g} deg; bin the photons with pixels of {pixel_scale:.3g} deg"
        )
    exact = pixel_scale / scales
    whole = np.maximum(np.rint(exact), 1)
    factors = whole if np.all(np.abs(exact / whole - 1) <= ALIKE) else exact
    n_y, n_x = (int(n / f + 1e-9) for n, f in zip(shape, factors[::-1], strict=True))
    if n_y < 1 or n_x < 1:
        raise PssegError(
            f"{name}: {shape[1]} x {shape[0]} pixels of {scales.max():.3g} deg are less than "
            f"one pixel of the survey ({pixel_scale:.3g} deg); give a larger map"
        )
    return Regrid(
        factors=(float(factors[0]), float(factors[1])),
        shape=(n_y, n_x),
        wcs=resized_wcs(wcs, factors),
        notes=_regrid_notes(factors, scales, shape, (n_y, n_x), pixel_scale),
    )


def is_cylindrical(wcs: WCS) -> bool:
    """Tell whether the columns of a map are meridians, evenly apart."""
    return str(wcs.wcs.ctype[0])[-3:] in CYLINDRICAL


def resized_wcs(wcs: WCS, factors: NDArray) -> WCS:
    """Give the WCS of a grid whose pixels are `factors` (x, y) times as wide, same first corner."""
    resized = wcs.deepcopy()
    resized.wcs.crpix = (wcs.wcs.crpix - 0.5) / factors + 0.5
    if factors[0] == factors[1]:
        resized.wcs.cdelt = wcs.wcs.cdelt * factors[0]
    else:
        resized.wcs.pc = wcs.wcs.get_pc() * factors
    resized.wcs.set()
    return resized


def off_sky(wcs: WCS, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Find pixels that are no sky, such as the corners of an all-sky map.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    numpy.ndarray, shape (n_y, n_x), bool
    """
    mask = np.zeros(shape, dtype=bool)
    for rows, x, y in rows_of_pixels(shape):
        longitude, latitude = wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
        mask[rows] = ~np.isfinite(longitude + latitude).reshape(x.shape)
    return mask


def rows_of_pixels(shape: tuple[int, int]) -> Iterator[tuple[slice, NDArray, NDArray]]:
    """Go through a map in groups of rows small enough to compute sky positions of.

    Yields
    ------
    rows : slice
    x, y : numpy.ndarray, shape (n_rows, n_x)
        Pixel positions.
    """
    step = max(1, _ROW_PIXELS // shape[1])
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        y, x = np.mgrid[start:stop, 0 : shape[1]].astype(float)
        yield slice(start, stop), x, y


def area_ratios(wcs: WCS, mask: NDArray[np.bool_], pixel_scale: float) -> NDArray[np.float64]:
    """Measure pixels' solid angles against that of the survey's pixel.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    mask : numpy.ndarray, shape (n_y, n_x), bool
        True where pixels do not matter.
    pixel_scale : float
        deg.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        Ratios of unmasked pixels; 1 is nominal.
    """
    rows, columns = (np.unique(np.linspace(0, n - 1, _SAMPLED).astype(int)) for n in mask.shape)
    seen = ~mask[np.ix_(rows, columns)]
    y, x = (grid[seen] for grid in np.meshgrid(rows, columns, indexing="ij"))
    width, height = (
        pixel_directions(wcs, x + dx, y + dy) - pixel_directions(wcs, x - dx, y - dy)
        for dx, dy in ((0.5, 0.0), (0.0, 0.5))
    )
    area = np.linalg.norm(np.cross(width, height), axis=-1)
    ratios = area / np.radians(pixel_scale) ** 2
    return ratios[np.isfinite(ratios)]


def warn_of_uneven_pixels(
    wcs: WCS, mask: NDArray[np.bool_], pixel_scale: float, *, name: str
) -> tuple[str, ...]:
    """Warn, and return the note, if many pixels have not the survey's solid angle.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    mask : numpy.ndarray, shape (n_y, n_x), bool
    pixel_scale : float
        deg.
    name : str
        The file's name, for messages.

    Returns
    -------
    tuple of str
        One note or none.
    """
    ratios = area_ratios(wcs, mask, pixel_scale)
    uneven = np.abs(ratios - 1) > UNEVEN
    if not uneven.any():
        return ()
    note = (
        f"pixels cover {ratios.min():.2g} to {ratios.max():.2g} of the survey's solid angle, "
        f"{uneven.mean():.0%} of them off by more than {UNEVEN:.0%}: sources look stretched there"
    )
    warnings.warn(
        f"{name}: {note}; for such places bin the photons on a tangent plane around them",
        PssegWarning,
        stacklevel=2,
    )
    return (note,)


def _touched(n: int, factor: float) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Give the first and end map pixel that each of n new pixels touches along one axis."""
    edges = np.arange(n + 1) * factor
    return np.floor(edges[:-1] + 1e-9).astype(int), np.ceil(edges[1:] - 1e-9).astype(int)


def _regrid_notes(
    factors: NDArray,
    scales: NDArray,
    shape_in: tuple[int, int],
    shape: tuple[int, int],
    pixel_scale: float,
) -> tuple[str, ...]:
    if np.all(factors == 1):
        return ()
    whole = np.all(factors == np.rint(factors))
    how = (
        f"summed {factors[0]:.0f} x {factors[1]:.0f}"
        if whole
        else "emptied photon by photon, at random places within them,"
    )
    notes = [f"pixels of {scales[0]:.4g} x {scales[1]:.4g} deg {how} into {pixel_scale:.3g} deg"]
    lost = [n - m * f for n, m, f in zip(shape_in, shape, factors[::-1], strict=True)]
    for axis, number in zip(("rows", "columns"), lost, strict=True):
        if number > 1e-6:
            notes.append(f"last {axis} dropped: {number:.3g} of the map, less than a new pixel")
    return tuple(notes)
