"""Noise and background of a radio image in little memory: maps of the parts that are asked for.

In: what was measured in boxes. Out: maps of the whole image or of some rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psseg.tiles.noise import Noise, NoiseMesh, noise_maps

__all__ = ["ImageNoise"]

_TYPICAL_SAMPLES = 1000  # along each axis, of which a typical rms is taken


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageNoise:
    """Noise and background of a radio image, made into maps where and when they are asked for.

    Parameters
    ----------
    meshes : tuple of NoiseMesh
        One per plane.
    planes : numpy.ndarray, shape (n_planes, n_y, n_x)
        The image: its NaN are those of the maps.
    """

    meshes: tuple[NoiseMesh, ...]
    planes: NDArray[np.float32]

    @property
    def rms(self) -> NDArray[np.float32]:
        """Noise of the whole image, as `Noise` has it."""
        return noise_maps(self.meshes, self.planes).rms

    @property
    def mean(self) -> NDArray[np.float32]:
        """Background of the whole image, as `Noise` has it."""
        return noise_maps(self.meshes, self.planes).mean

    def part(self, rows: slice, columns: slice = slice(0, None)) -> Noise:
        """Give the maps of some rows and columns."""
        return noise_maps(
            self.meshes, self.planes[:, rows, columns], corner=(rows.start, columns.start)
        )

    def typical_rms(self) -> NDArray[np.float32]:
        """Give the median noise of each plane, Jy/beam: of a grid of pixels of a large image."""
        y, x = (np.arange(0, n, -(-n // _TYPICAL_SAMPLES)) for n in self.planes.shape[1:])
        medians = []
        for mesh, plane in zip(self.meshes, self.planes, strict=True):
            valid = np.isfinite(plane[y[:, None], x])
            rms = mesh.interpolate(y, x)[0][valid]
            medians.append(np.median(rms) if rms.size else np.nan)
        return np.array(medians, dtype=np.float32)
