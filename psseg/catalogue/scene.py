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
    "scaled",
    "starting_sources",
    "window_about",
    "with_nodes",
]

Floats = NDArray[np.float64]


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
    window = window_about(scene.valid.shape, sources.pixel(number), half_width)
    dy, dx = (np.arange(cut.start, cut.stop, dtype=float) for cut in window)
    return window, dx - sources.x[number], dy - sources.y[number]


def starting_sources(scene: Scene, *, x: Floats, y: Floats, jacobian: Floats) -> Sources:
    """Begin with point sources of the counts above the background around them.

    Parameters
    ----------
    scene : Scene
        The sky.
    x, y : ndarray (n_sources,)
        Positions, pixels.
    jacobian : ndarray (n_sources, 2, 2)
        Sky displacement per pixel, deg.

    Returns
    -------
    Sources
    """
    n_sources = len(x)
    sources = Sources(
        x=x,
        y=y,
        amplitude=np.ones((scene.n_bands, n_sources)),
        shape=np.zeros(n_sources, dtype=np.intp),
        jacobian=jacobian,
    )
    for k in range(n_sources):
        window, dx, dy = cutout(scene, sources, k, 3)
        share = scene.templates[0].fractions(dx, dy, jacobian[k])
        around = (slice(None), *window)
        excess = (scene.counts[around] - scene.background[around]) * scene.valid[window]
        inside = (share * scene.valid[window][..., None]).sum(axis=(0, 1))
        sources.amplitude[:, k] = np.maximum(excess.sum(axis=(1, 2)) / np.maximum(inside, 0.05), 1)
    return sources


def window_about(
    shape: tuple[int, int], pixel: tuple[int, int], half_width: int
) -> tuple[slice, slice]:
    """Give rows and columns about a pixel, clipped to a map of some shape."""
    (row, column), (n_y, n_x) = pixel, shape
    return (
        slice(min(max(row - half_width, 0), n_y), max(min(row + half_width + 1, n_y), 0)),
        slice(min(max(column - half_width, 0), n_x), max(min(column + half_width + 1, n_x), 0)),
    )


def with_nodes(scene: Scene, designs: list[csc_array]) -> list[csc_array]:
    """Add columns for the nodes of the background, as shares of it.

    Parameters
    ----------
    scene : Scene
        The sky.
    designs : list of csc_array (n_pixels, n_sources)
        As `psseg.catalogue.footprints.Footprints.matrices` gives them.

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
