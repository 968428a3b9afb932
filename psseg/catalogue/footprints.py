"""What each source of a scene adds to which pixels, band by band, and what moving it changes.

In: a scene and its sources. Out: sparse matrices of one row per pixel and one column per source. A
source that stays where it is keeps its footprint: during a fit only those that move are drawn
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, hstack

from psseg.catalogue.scene import Scene, Sources, cutout, window_about

__all__ = ["Footprints", "displacement_matrix", "draw_footprints"]

Floats = NDArray[np.float64]

FAINT_EDGE = 0.02
"""A template ends where it falls below this share of the background, which is known far less well
than this."""

LEAST_RADIUS = 3
"""Pixels out to which every source is followed."""

LARGEST_RADIUS = 60
"""Pixels out to which the brightest sources are followed."""

USUAL_RADIUS = 25
"""Pixels within which 68 % of every source is kept, however faint it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """One column of a matrix: pixels, counted along the rows of the scene, and their values."""

    pixels: NDArray[np.int32]
    values: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Footprints:
    """The pixels of every source.

    Parameters
    ----------
    radii : ndarray of int (n_sources, n_bands)
        How far each source is followed, pixels.
    columns : tuple of tuple
        A tuple of one column per band for each source.
    """

    radii: NDArray[np.int_]
    columns: tuple[tuple[_Column, ...], ...]

    def rows(self, chosen: NDArray[np.intp]) -> Footprints:
        """Give some of the sources, in any order."""
        columns = tuple(self.columns[k] for k in chosen.tolist())
        return Footprints(radii=self.radii[chosen], columns=columns)

    def redrawn(self, scene: Scene, sources: Sources, moved: NDArray[np.intp]) -> Footprints:
        """Draw some sources where they are now; each is followed as far as before.

        Parameters
        ----------
        scene, sources
            The sky and its sources, in the same order.
        moved : ndarray of int (n_moved,)
            Which of the sources.

        Returns
        -------
        Footprints
        """
        columns = list(self.columns)
        for k in moved.tolist():
            columns[k] = _drawn(scene, sources, k, self.radii[k])
        return Footprints(radii=self.radii, columns=tuple(columns))

    def matrices(self, scene: Scene) -> list[csc_array]:
        """Give, per band, what one count of each source adds to each pixel.

        Returns
        -------
        list of csc_array (n_pixels, n_sources)
            One per band; blank pixels hold nothing.
        """
        return _matrices(scene, self.columns)


def draw_footprints(scene: Scene, sources: Sources) -> Footprints:
    """Draw all sources of a scene.

    Parameters
    ----------
    scene, sources
        The sky and its sources.

    Returns
    -------
    Footprints
    """
    radii = _radii(scene, sources)
    columns = tuple(_drawn(scene, sources, k, radii[k]) for k in range(len(sources)))
    return Footprints(radii=radii, columns=columns)


def displacement_matrix(
    scene: Scene, sources: Sources, radii: NDArray[np.int_], moving: NDArray[np.intp]
) -> list[csc_array]:
    """Give, per band, what moving sources by a pixel along x, then along y, adds to each pixel.

    Parameters
    ----------
    scene, sources
        The sky and its sources.
    radii : ndarray of int (n_sources, n_bands)
        How far each is followed, pixels.
    moving : ndarray of int (n_moving,)
        Which of the sources.

    Returns
    -------
    list of csc_array (n_pixels, 2 * n_moving)
        One per band; the columns along x come first.
    """
    along_x: list[tuple[_Column, ...]] = []
    along_y: list[tuple[_Column, ...]] = []
    for k in moving.tolist():
        _, dx, dy = cutout(scene, sources, k, int(radii[k].max()))
        template = scene.templates[sources.shape[k]]
        gradients = template.gradients(dx, dy, sources.jacobian[k])
        for columns, gradient in zip((along_x, along_y), gradients, strict=True):
            stamp = gradient * sources.amplitude[:, k]
            columns.append(_columns(scene, stamp, sources.pixel(k), radii[k]))
    pairs = zip(_matrices(scene, along_x), _matrices(scene, along_y), strict=True)
    return [csc_array(hstack(pair)) for pair in pairs]


def _drawn(
    scene: Scene, sources: Sources, number: int, radii: NDArray[np.int_]
) -> tuple[_Column, ...]:
    _, dx, dy = cutout(scene, sources, number, int(radii.max()))
    template = scene.templates[sources.shape[number]]
    fractions = template.fractions(dx, dy, sources.jacobian[number])
    return _columns(scene, fractions, sources.pixel(number), radii)


def _columns(
    scene: Scene, stamp: Floats, pixel: tuple[int, int], radii: NDArray[np.int_]
) -> tuple[_Column, ...]:
    """Cut a stamp (n_y, n_x, n_bands) about a pixel at each band's radius."""
    shape = scene.valid.shape
    rows, columns = window_about(shape, pixel, int(radii.max()))
    number = np.add.outer(
        np.arange(rows.start, rows.stop, dtype=np.int32) * shape[1],
        np.arange(columns.start, columns.stop, dtype=np.int32),
    )
    valid = scene.valid[rows, columns]
    blank = not valid.all()
    inside = {}
    for radius in set(radii.tolist()):
        high, wide = window_about(shape, pixel, radius)
        inner = (
            slice(high.start - rows.start, high.stop - rows.start),
            slice(wide.start - columns.start, wide.stop - columns.start),
        )
        keep = valid[inner].ravel() if blank else slice(None)
        inside[radius] = inner, keep, number[inner].ravel()[keep]
    cut = []
    for band, radius in enumerate(radii.tolist()):
        inner, keep, pixels = inside[radius]
        cut.append(_Column(pixels=pixels, values=stamp[(*inner, band)].ravel()[keep]))
    return tuple(cut)


def _radii(scene: Scene, sources: Sources) -> NDArray[np.int_]:
    """Give how far each source is followed, pixels (n_sources, n_bands)."""
    radii = np.empty((len(sources), scene.n_bands), dtype=int)
    for k in range(len(sources)):
        (rows, columns), _, _ = cutout(scene, sources, k, LEAST_RADIUS)
        level = scene.background[:, rows, columns]
        template = scene.templates[sources.shape[k]]
        area = abs(np.linalg.det(sources.jacobian[k]))
        bright = FAINT_EDGE * level.mean(axis=(1, 2)) if level.size else np.inf
        reach = template.radius_of_fraction(
            bright / np.maximum(sources.amplitude[:, k], 1e-9) / area
        )
        least = np.minimum(template.core_radius, USUAL_RADIUS * np.sqrt(area))
        radii[k] = np.ceil(np.maximum(reach, least) / np.sqrt(area))
    return np.clip(radii, LEAST_RADIUS, LARGEST_RADIUS)


def _matrices(scene: Scene, columns: Sequence[Sequence[_Column]]) -> list[csc_array]:
    """Give one matrix (n_pixels, n_columns) per band."""
    if not columns:
        return [csc_array((scene.valid.size, 0)) for _ in range(scene.n_bands)]
    return [_matrix(own, scene.valid.size) for own in zip(*columns, strict=True)]


def _matrix(columns: Sequence[_Column], n_pixels: int) -> csc_array:
    starts = np.zeros(len(columns) + 1, dtype=np.int32)
    np.cumsum([len(column.pixels) for column in columns], out=starts[1:])
    values = np.concatenate([column.values for column in columns])
    pixels = np.concatenate([column.pixels for column in columns])
    return csc_array((values, pixels, starts), shape=(n_pixels, len(columns)))
