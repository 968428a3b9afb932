"""Which part of the sky a catalogue covers, as its positions tell.

In: positions. Out: a :class:`Footprint`, its area, and which other positions lie in it: inside the
hull of a catalogue of one field, and in cells of the sky that hold sources.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from astropy_healpix import HEALPix
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from psseg.crossmatch.positions import unit_vectors

__all__ = ["Footprint", "cells_of", "finest_resolution", "footprint_of"]

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

PER_CELL = 8.0
"""Mean number of sources in the cells from which the sky of a catalogue is known."""

FINEST = 13
"""Level of the finest cells, 26 arcsec; those of level 0 are a twelfth of the sky."""

LEAST_FOR_CELLS = 200
"""Sources from which cells tell more than the hull alone."""

LEAST_FOR_HULL = 8
"""Sources from which a hull tells the area of a field: to 40 %."""

LARGEST_HULL = 1.0
"""Chord from the middle to the farthest source, 60 degrees, up to which a catalogue is a field."""

MOST_INFLATED = 3.0
"""Largest ratio of a field's area to that of the hull of its sources."""

LEAST_FIELD = 1.0
"""Square degrees of a field that one source, or several at one place, say nothing of."""

LEAST_SHARE = 0.25
"""Least part of a circle that is taken to be inside, that at the corner of a square."""

N_SAMPLES = 64
"""Points by which the part of a circle inside is measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Footprint:
    """The part of the sky that a catalogue covers.

    Parameters
    ----------
    axes : ndarray, shape (3, 3)
        Two axes of a plane, and its normal, the middle of the field.
    edges : ndarray, shape (n_edges, 3)
        Of the hull: normals to the outside and offsets in the equal-area plane about the middle;
        none if the catalogue is no field.
    area : float
        Square degrees.
    level : int
        Level of the cells; -1 if they do not count.
    cells : ndarray of int, shape (n_cells,)
        Cells that hold sources.
    """

    axes: Floats
    edges: Floats
    area: float
    level: int
    cells: NDArray[np.int64]

    def contains(self, coords: SkyCoord) -> Marks:
        """Say which positions lie inside.

        Parameters
        ----------
        coords : SkyCoord, shape (n,)
            Positions; one that is not known is not inside.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        vectors = unit_vectors(coords)
        inside = np.asarray(np.isfinite(vectors).all(axis=1))
        if len(self.edges):
            inside[inside] = self._outside_by(_plane(self.axes, vectors[inside])) <= 0
        if self.level >= 0:
            rows = np.flatnonzero(inside)
            inside[rows] = np.isin(cells_of(coords[rows], self.level), self.cells)
        return inside

    def share_inside(self, vectors: Floats, radius: Floats) -> Floats:
        """Give the part of circles that lies inside the hull.

        Parameters
        ----------
        vectors : ndarray, shape (n, 3)
            Their middles.
        radius : ndarray, shape (n,)
            Chords, in units of the sphere's radius.

        Returns
        -------
        ndarray, shape (n,)
            `LEAST_SHARE` to 1.
        """
        share = np.ones(len(vectors))
        if not len(self.edges):
            return share
        places = _plane(self.axes, vectors)
        inscribed = -self.edges[:, 2].max()  # spares most sources the edges
        crossing = np.flatnonzero(np.hypot(*places.T) + radius > inscribed)
        crossing = crossing[self._outside_by(places[crossing]) > -radius[crossing]]
        number = np.arange(N_SAMPLES)
        distance, turn = np.sqrt((number + 0.5) / N_SAMPLES), number * np.pi * (3 - np.sqrt(5))
        found = np.zeros(len(crossing))
        for east, north in zip(distance * np.cos(turn), distance * np.sin(turn), strict=True):
            offset = radius[crossing, None] * np.array([east, north])
            found += self._outside_by(places[crossing] + offset) <= 0
        share[crossing] = np.clip(found / N_SAMPLES, LEAST_SHARE, 1)
        return share

    def _outside_by(self, places: Floats) -> Floats:
        """Give how far points of the plane lie beyond the edge they are farthest out of."""
        farthest = np.full(len(places), -np.inf)
        for east, north, offset in self.edges:
            np.maximum(farthest, places[:, 0] * east + places[:, 1] * north + offset, out=farthest)
        return farthest


def footprint_of(coords: SkyCoord, field: SkyCoord | None = None) -> Footprint:
    """Give the part of the sky that a catalogue covers.

    Parameters
    ----------
    coords : SkyCoord, shape (n,)
        Its positions.
    field : SkyCoord or None
        Positions that show, with its own, how large the field of one or two sources is.

    Returns
    -------
    Footprint
        Of a field up to 60 degrees from its middle, the hull of its sources, made larger about its
        middle by what it is expected to lack; otherwise the circle that holds all. From
        `LEAST_FOR_CELLS` sources on, only the cells that hold sources.

    Notes
    -----
    Of n sources spread evenly over a convex field, as large a share lies on the hull as the hull
    lacks of the field (Efron 1965, Biometrika 52, 331). The plane is Lambert's of equal areas.
    """
    vectors = unit_vectors(coords)
    placed = np.isfinite(vectors).all(axis=1)
    own = vectors[placed]
    nothing = np.zeros((0, 3))
    if not len(own):
        return Footprint(
            axes=np.eye(3), edges=nothing, area=np.nan, level=-1, cells=np.zeros(0, int)
        )
    seen = own if len(own) > 2 or field is None else np.concatenate([own, unit_vectors(field)])
    axes, reach = _circle(seen)
    area = np.pi * float(np.rad2deg(reach)) ** 2
    edges = nothing
    if len(own) >= LEAST_FOR_HULL and reach <= LARGEST_HULL:
        edges, hull_area = _inflated_hull(_plane(axes, own))
        area = hull_area if len(edges) else area
    level, cells = -1, np.zeros(0, dtype=np.int64)
    if len(own) >= LEAST_FOR_CELLS:
        level = finest_resolution(coords[placed])
        cells = np.unique(cells_of(coords[placed], level))
    known = len(seen) >= 3 and area > 0
    return Footprint(
        axes=axes, edges=edges, area=area if known else max(area, LEAST_FIELD), level=level,
        cells=cells,
    )  # fmt: skip


def finest_resolution(coords: SkyCoord) -> int:
    """Give the finest level at which the cells that hold sources hold enough of them."""
    cells = np.sort(cells_of(coords, FINEST))
    for level in range(FINEST, -1, -1):
        occupied = 1 + np.count_nonzero(np.diff(cells >> 2 * (FINEST - level)))
        if len(coords) >= PER_CELL * occupied:
            return level
    return 0


def cells_of(coords: SkyCoord, level: int) -> NDArray[np.int64]:
    """Give the HEALPix cells of positions, in the nested order."""
    return np.asarray(
        HEALPix(nside=2**level, order="nested").lonlat_to_healpix(coords.ra, coords.dec)
    )


def _circle(vectors: Floats) -> tuple[Floats, float]:
    """Give axes with the middle of vectors last, and the chord from there to the farthest."""
    middle = np.nanmean(vectors, axis=0)
    length = float(np.linalg.norm(middle))
    middle = middle / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
    north = np.eye(3)[np.argmin(np.abs(middle))]
    east = np.cross(north, middle)
    east /= np.linalg.norm(east)
    reach = float(np.nanmax(np.linalg.norm(vectors - middle, axis=1)))
    return np.array([east, np.cross(middle, east), middle]), reach


def _plane(axes: Floats, vectors: Floats) -> Floats:
    """Project vectors on Lambert's plane of equal areas, in units of the sphere's radius."""
    east, north, along = axes @ vectors.T
    scale = np.sqrt(2 / np.clip(1 + along, 1e-9, None))
    return np.column_stack([east * scale, north * scale])


def _inflated_hull(places: Floats) -> tuple[Floats, float]:
    """Give the edges of a field and its area (square degrees); no edges if it is a line."""
    try:
        hull = ConvexHull(places)
    except QhullError:
        return np.zeros((0, 3)), 0.0
    number, on_hull = len(places) + 1, len(hull.vertices)
    inflated = min(number / max(number - on_hull, 1), MOST_INFLATED)
    factor = np.sqrt(inflated)
    edges = hull.equations.copy()
    middle = places[hull.vertices].mean(axis=0)
    edges[:, 2] = factor * edges[:, 2] + (factor - 1) * (edges[:, :2] @ middle)
    return edges, float(inflated * hull.volume * np.rad2deg(1.0) ** 2)
