"""A piece of sky ready for a fit: counts, background, and the columns of the linear model.

With positions and shapes held, the expected counts of a band are linear in everything else: one
amplitude per source, and the background's correction, a smooth field with a node every few degrees
between which it is interpolated. The matrices made here hold one row per pixel and one column per
amplitude or node; most entries are zero, so they are sparse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, hstack, kron

from psseg.catalogue.templates import Template

__all__ = [
    "Scene",
    "Sources",
    "background_nodes",
    "cutout",
    "design_matrix",
    "displacement_matrix",
    "scaled",
    "with_nodes",
]

Floats = NDArray[np.float64]

FAINT_EDGE = 0.02
"""A template ends where it falls below this share of the background, which is known far less well
than this."""

LARGEST_RADIUS = 60
"""Pixels out to which the brightest sources are followed."""

USUAL_RADIUS = 25
"""Pixels within which 68 % of every source is kept, however faint it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What does not change during a fit.

    Parameters
    ----------
    counts : ndarray (n_bands, n_y, n_x)
        Counts, in the bands that are present.
    background : ndarray (n_bands, n_y, n_x)
        Expected background counts, positive.
    valid : ndarray of bool (n_y, n_x)
        Pixels with data.
    templates : tuple of Template
        The point source first, then discs of growing radius; in the bands that are present.
    nodes : csc_array (n_pixels, n_nodes)
        Weights of the background's nodes in each pixel.
    node_prior : ndarray (n_nodes, n_nodes)
        Inverse covariance of the corrections at the nodes.
    background_error : float
        Expected relative error of the background around a source.
    """

    counts: Floats
    background: Floats
    valid: NDArray[np.bool_]
    templates: tuple[Template, ...]
    nodes: csc_array
    node_prior: Floats
    background_error: float

    @property
    def n_bands(self) -> int:
        """Number of bands that are present."""
        return len(self.counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """What a fit improves.

    Parameters
    ----------
    x, y : ndarray (n_sources,)
        Positions, pixels of the scene.
    amplitude : ndarray (n_bands, n_sources)
        Counts of each source per band, not negative.
    shape : ndarray of int (n_sources,)
        Index of the template.
    jacobian : ndarray (n_sources, 2, 2)
        Sky displacement (deg east, deg north) per pixel along x and y.
    """

    x: Floats
    y: Floats
    amplitude: Floats
    shape: NDArray[np.intp]
    jacobian: Floats

    def __len__(self) -> int:
        """Give the number of sources."""
        return len(self.x)

    def pixel(self, number: int) -> tuple[int, int]:
        """Give row and column of the pixel a source lies in."""
        return int(np.rint(self.y[number])), int(np.rint(self.x[number]))

    def rows(self, chosen: NDArray[np.intp]) -> Sources:
        """Give some of the sources, in any order."""
        return Sources(
            x=self.x[chosen],
            y=self.y[chosen],
            amplitude=self.amplitude[:, chosen],
            shape=self.shape[chosen],
            jacobian=self.jacobian[chosen],
        )

    def with_points(self, x: Floats, y: Floats, like: NDArray[np.intp]) -> Sources:
        """Add faint point sources, each on the local scale of one that is there."""
        return Sources(
            x=np.concatenate([self.x, x]),
            y=np.concatenate([self.y, y]),
            amplitude=np.hstack([self.amplitude, np.ones((len(self.amplitude), len(x)))]),
            shape=np.concatenate([self.shape, np.zeros(len(x), dtype=np.intp)]),
            jacobian=np.concatenate([self.jacobian, self.jacobian[like]]),
        )


def background_nodes(
    shape: tuple[int, int], spacing: float, *, error: float, length: float
) -> tuple[csc_array, Floats]:
    """Give a grid of nodes for the background and what is expected of them.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    spacing : float
        Pixels between nodes, about.
    error : float
        Expected relative error of the background, both from node to node and, on top of that, of
        whole regions.
    length : float
        Pixels over which these errors of regions stay alike.

    Returns
    -------
    weights : csc_array (n_pixels, n_nodes)
        Bilinear interpolation; rows sum to 1.
    prior : ndarray (n_nodes, n_nodes)
        Inverse covariance of the nodes.
    """
    along_y, along_x = (_hats(n, spacing) for n in shape)
    y, x = np.meshgrid(
        _node_places(shape[0], along_y), _node_places(shape[1], along_x), indexing="ij"
    )
    squared = np.subtract.outer(x.ravel(), x.ravel()) ** 2
    squared += np.subtract.outer(y.ravel(), y.ravel()) ** 2
    covariance = np.exp(-squared / (2 * length**2)) + np.eye(len(squared))
    return csc_array(kron(along_y, along_x)), np.linalg.inv(covariance).astype(float) / error**2


def cutout(
    scene: Scene, sources: Sources, number: int, half_width: int
) -> tuple[tuple[slice, slice], Floats, Floats]:
    """Give the pixels around a source.

    Parameters
    ----------
    scene, sources
        The sky and its sources.
    number : int
        Which source.
    half_width : int
        Pixels on each side of the source's own.

    Returns
    -------
    window : tuple of slice
        Rows and columns, clipped to the scene.
    dx, dy : ndarray
        Columns and rows less the source's position, pixels.
    """
    window = _window(scene.valid.shape, sources.pixel(number), half_width)
    dy, dx = (np.arange(cut.start, cut.stop, dtype=float) for cut in window)
    return window, dx - sources.x[number], dy - sources.y[number]


def design_matrix(scene: Scene, sources: Sources) -> list[csc_array]:
    """Give, per band, what one count of each source adds to each pixel.

    Parameters
    ----------
    scene, sources
        The sky and its sources.

    Returns
    -------
    list of csc_array (n_pixels, n_sources)
        One per band; blank pixels hold nothing.
    """
    columns = _Columns(scene)
    for k, radii in enumerate(_radii(scene, sources)):
        _, dx, dy = cutout(scene, sources, k, int(radii.max()))
        template = scene.templates[sources.shape[k]]
        fractions = template.fractions(dx, dy, sources.jacobian[k])
        columns.add(fractions, sources.pixel(k), radii)
    return columns.matrices()


def with_nodes(scene: Scene, designs: list[csc_array]) -> list[csc_array]:
    """Add columns for the nodes of the background, as shares of it.

    Parameters
    ----------
    scene : Scene
        The sky.
    designs : list of csc_array (n_pixels, n_sources)
        As `design_matrix` gives them.

    Returns
    -------
    list of csc_array (n_pixels, n_sources + n_nodes)
    """
    scales = (scene.background * scene.valid).reshape(scene.n_bands, -1)
    return [
        csc_array(hstack([design, scaled(scene.nodes, scale)]))
        for design, scale in zip(designs, scales, strict=True)
    ]


def scaled(matrix: csc_array, factor: Floats) -> csc_array:
    """Multiply each row of a matrix by a factor (n_rows,)."""
    data = matrix.data * factor[matrix.indices]
    return csc_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def displacement_matrix(
    scene: Scene, sources: Sources, moving: NDArray[np.intp]
) -> list[csc_array]:
    """Give, per band, what moving sources by a pixel along x, then along y, adds to each pixel.

    Parameters
    ----------
    scene, sources
        The sky and its sources.
    moving : ndarray of int (n_moving,)
        Which of the sources.

    Returns
    -------
    list of csc_array (n_pixels, 2 * n_moving)
        One per band; the columns along x come first.
    """
    along_x, along_y = _Columns(scene), _Columns(scene)
    radii = _radii(scene, sources)
    for k in moving:
        _, dx, dy = cutout(scene, sources, k, int(radii[k].max()))
        template = scene.templates[sources.shape[k]]
        gradients = template.gradients(dx, dy, sources.jacobian[k])
        for columns, gradient in zip((along_x, along_y), gradients, strict=True):
            columns.add(gradient * sources.amplitude[:, k], sources.pixel(k), radii[k])
    pairs = zip(along_x.matrices(), along_y.matrices(), strict=True)
    return [csc_array(hstack(pair)) for pair in pairs]


def _hats(n: int, spacing: float) -> csc_array:
    """Weights of evenly spaced nodes from the first to the last of n pixels, (n, n_nodes)."""
    n_nodes = max(int(np.rint((n - 1) / spacing)), 1) + 1
    place = np.arange(n) / max(n - 1, 1) * (n_nodes - 1)
    low = np.minimum(place.astype(int), n_nodes - 2)
    rest = place - low
    rows = np.tile(np.arange(n), 2)
    columns = np.concatenate([low, low + 1])
    weights = np.concatenate([1 - rest, rest])
    return csc_array((weights, (rows, columns)), shape=(n, n_nodes))


def _node_places(n: int, hats: csc_array) -> Floats:
    """Give the pixels of evenly spaced nodes."""
    return np.linspace(0, n - 1, hats.shape[1])


def _radii(scene: Scene, sources: Sources) -> NDArray[np.int_]:
    """Give how far each source is followed, pixels (n_sources, n_bands)."""
    radii = np.empty((len(sources), scene.n_bands), dtype=int)
    for k in range(len(sources)):
        (rows, columns), _, _ = cutout(scene, sources, k, 3)
        level = scene.background[:, rows, columns].mean(axis=(1, 2))
        template = scene.templates[sources.shape[k]]
        area = abs(np.linalg.det(sources.jacobian[k]))
        bright = FAINT_EDGE * level / np.maximum(sources.amplitude[:, k], 1e-9) / area
        reach = template.radius_of_fraction(bright)
        least = np.minimum(template.core_radius, USUAL_RADIUS * np.sqrt(area))
        radii[k] = np.ceil(np.maximum(reach, least) / np.sqrt(area))
    return np.clip(radii, 3, LARGEST_RADIUS)


def _window(shape: tuple[int, int], pixel: tuple[int, int], half_width: int) -> tuple[slice, slice]:
    """Rows and columns about a pixel, clipped to the map."""
    rows, columns = (
        slice(min(max(centre - half_width, 0), n), max(min(centre + half_width + 1, n), 0))
        for centre, n in zip(pixel, shape, strict=True)
    )
    return rows, columns


class _Columns:
    """Collects the columns of one sparse matrix per band."""

    def __init__(self, scene: Scene) -> None:
        self._valid = scene.valid
        self._pixel = np.arange(scene.valid.size).reshape(scene.valid.shape)
        self._rows: list[list[NDArray]] = [[] for _ in range(scene.n_bands)]
        self._values: list[list[Floats]] = [[] for _ in range(scene.n_bands)]

    def add(self, stamp: Floats, pixel: tuple[int, int], radii: NDArray[np.int_]) -> None:
        """Add the next column of every band: a cutout about a pixel, cut at each band's radius."""
        outer = _window(self._valid.shape, pixel, int(radii.max()))
        for band, radius in enumerate(radii.tolist()):
            window = _window(self._valid.shape, pixel, radius)
            rows, columns = (
                slice(cut.start - whole.start, cut.stop - whole.start)
                for cut, whole in zip(window, outer, strict=True)
            )
            keep = self._valid[window]
            self._rows[band].append(self._pixel[window][keep])
            self._values[band].append(stamp[rows, columns, band][keep])

    def matrices(self) -> list[csc_array]:
        """Give the matrices, (n_pixels, n_columns)."""
        return [
            _sparse(rows, values, self._valid.size)
            for rows, values in zip(self._rows, self._values, strict=True)
        ]


def _sparse(rows: list[NDArray], values: list[Floats], n_pixels: int) -> csc_array:
    starts = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int32)
    data = np.concatenate([np.zeros(0), *values])
    indices = np.concatenate([np.zeros(0, dtype=np.int32), *rows]).astype(np.int32)
    return csc_array((data, indices, starts), shape=(n_pixels, len(rows)))
