"""Where a simulated tile lies: tangent-plane geometry, with a margin around it.

The margin holds the sources outside the tile whose photons fall into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.wcs import WCS

__all__ = ["TileGeometry", "random_centre", "tangent_wcs"]


def tangent_wcs(glon: float, glat: float, *, shape: tuple[int, int], pixel_scale: float) -> WCS:
    """Galactic tangent-plane WCS of a tile.

    Parameters
    ----------
    glon, glat : float
        Centre of the tile, deg.
    shape : tuple of int
        (n_y, n_x).
    pixel_scale : float
        Side of a pixel, deg.

    Returns
    -------
    astropy.wcs.WCS
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [glon, glat]
    wcs.wcs.cdelt = [-pixel_scale, pixel_scale]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.set()
    return wcs


def random_centre(
    rng: np.random.Generator, *, latitude: tuple[float, float] = (-90.0, 90.0)
) -> tuple[float, float]:
    """Draw a direction uniformly on the sky between two Galactic latitudes, deg."""
    low, high = np.sin(np.radians(latitude))
    return rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(low, high))))


@dataclass(frozen=True, kw_only=True)
class TileGeometry:
    """A tile and its margin.

    Parameters
    ----------
    glon, glat : float
        Centre, deg.
    shape : tuple of int
        (n_y, n_x) of the tile itself.
    pixel_scale : float
        deg.
    margin : int
        Width of the margin, pixels.
    """

    glon: float
    glat: float
    shape: tuple[int, int]
    pixel_scale: float
    margin: int = 32

    @cached_property
    def wcs(self) -> WCS:
        """WCS of the tile without its margin."""
        return tangent_wcs(self.glon, self.glat, shape=self.shape, pixel_scale=self.pixel_scale)

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Shape with the margin."""
        return self.shape[0] + 2 * self.margin, self.shape[1] + 2 * self.margin

    @property
    def inner(self) -> tuple[slice, slice]:
        """Where the tile lies in arrays of the padded tile."""
        rows, columns = (slice(self.margin, self.margin + n) for n in self.shape)
        return rows, columns

    @property
    def pixel_area(self) -> float:
        """Solid angle of a pixel, sr."""
        return float(np.radians(self.pixel_scale) ** 2)

    @cached_property
    def relative_area(self) -> np.ndarray:
        """Solid angle of every pixel of the padded tile over that of the central one.

        cos³θ at the angle θ from the tangent point; float32, shape (n_y, n_x).
        """
        n_y, n_x = self.padded_shape
        y, x = np.arange(n_y) - (n_y - 1) / 2, np.arange(n_x) - (n_x - 1) / 2
        tangent2 = (y[:, None] ** 2 + x**2) * self.pixel_area
        cosine = 1 / np.sqrt(1 + tangent2)
        return (cosine * cosine * cosine).astype(np.float32)

    @property
    def padded_area(self) -> float:
        """Solid angle of tile and margin, sr."""
        return self.pixel_area * self.padded_shape[0] * self.padded_shape[1]

    def to_galactic(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Galactic coordinates, deg, of positions in the padded tile, pixels."""
        glon, glat = self.wcs.wcs_pix2world(x - self.margin, y - self.margin, 0)
        return glon, glat

    def draw_padded_positions(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw positions uniformly on the padded tile, pixels."""
        n_y, n_x = self.padded_shape
        return rng.uniform(-0.5, n_x - 0.5, n), rng.uniform(-0.5, n_y - 0.5, n)

    @cached_property
    def coarse_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitude (-180 to 180) and latitude, deg, at 25x25 nodes from border to border."""
        n_y, n_x = self.padded_shape
        x, y = np.meshgrid(np.linspace(0, n_x - 1, 25), np.linspace(0, n_y - 1, 25))
        glon, glat = self.to_galactic(x.ravel(), y.ravel())
        longitude = (glon + 180) % 360 - 180
        return longitude.reshape(x.shape), glat.reshape(x.shape)

    @cached_property
    def nearest_to_centre(self) -> tuple[float, float]:
        """Smallest |l| and |b| on the padded tile, deg: where Galactic populations peak."""
        longitude, latitude = self.coarse_grid
        return _smallest(longitude), _smallest(latitude)


def _smallest(values: np.ndarray) -> float:
    crosses_zero = values.min() < 0 < values.max()
    return 0.0 if crosses_zero else float(np.abs(values).min())
