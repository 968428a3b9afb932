"""The pixels about a source that a fit looks at: an ellipse of the beam's shape.

In: the beam and a radius. Out: offsets of pixels, in pixels and in units of the beam, and how the
noise of one pixel goes with that of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Window", "make_window"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The pixels about a source that are looked at, the same for many sources.

    Parameters
    ----------
    rows, columns : ndarray of int (n_pixels,)
        Offsets from the central pixel.
    grid : ndarray (2, n_pixels)
        The same in units of the beam.
    cell : float
        Area that each stands for, in units of the square of the beam's sigma.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    grid: Singles
    cell: float

    @property
    def n_pixels(self) -> int:
        """Give the number of pixels."""
        return len(self.rows)

    def correlation(self, whitening: Floats | None = None) -> Singles:
        """Give the correlation of the noise between pixels, (n_pixels, n_pixels).

        White noise smoothed with the beam: exp(-d^2 / 4) for pixels d sigma apart.

        Parameters
        ----------
        whitening : ndarray (2, 2), optional
            From the units of the grid to those of another beam.
        """
        grid = self.grid if whitening is None else (whitening @ self.grid).astype(np.float32)
        squared = sum((axis[:, None] - axis) ** 2 for axis in grid)
        return np.exp(-0.25 * squared)


def make_window(whitening: Floats, *, radius: float, stride: int = 1) -> Window:
    """Give the pixels within an ellipse of the beam's shape.

    Parameters
    ----------
    whitening : ndarray (2, 2)
        Turns pixel offsets (x, y) into units of the beam.
    radius : float
        Of the ellipse, in sigma of the beam.
    stride : int
        Only every so many-th pixel of every so many-th row is taken.

    Returns
    -------
    Window
    """
    inverse = np.linalg.inv(whitening)
    reach_x, reach_y = (int(radius * np.hypot(*axis)) // stride * stride for axis in inverse)
    rows, columns = np.mgrid[
        -reach_y : reach_y + 1 : stride,
        -reach_x : reach_x + 1 : stride,
    ]
    grid = whitening @ np.stack([columns.ravel(), rows.ravel()])
    inside = np.hypot(*grid) <= radius
    return Window(
        rows=rows.ravel()[inside],
        columns=columns.ravel()[inside],
        grid=grid[:, inside].astype(np.float32),
        cell=stride**2 * abs(float(np.linalg.det(whitening))),
    )
