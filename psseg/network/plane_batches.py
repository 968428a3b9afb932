"""Batches of radio tiles for training: noise and orientation drawn anew on every pass."""

from __future__ import annotations

import numpy as np

from psseg.network.context import N_CONTEXT, map_context
from psseg.network.sample_batches import SampleBatches, turned
from psseg.sky.radio_training_set import RadioTrainingTiles, add_plane_noise
from psseg.survey.classes import IGNORED

__all__ = ["PlaneBatches"]


class PlaneBatches(SampleBatches[RadioTrainingTiles]):
    """Batches of noisy, turned and mirrored tiles.

    A batch is ``((planes, present, context), class_map)``.
    """

    n_threads = 2

    def _sample(self, i: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        tiles = self._tiles
        observed = ~tiles.mask[i]
        present = (observed[..., None] & tiles.present[i]).astype(np.float32)
        noisy = add_plane_noise(
            tiles.planes[i].astype(np.float32),
            tiles.beam[i],
            tiles.present[i],
            rng,
            tilt_correlation=float(tiles.tilt_correlation[i]),
        )
        class_map = np.where(observed, tiles.class_map[i], np.uint8(IGNORED))
        context = map_context(tuple(tiles.beam[i]), float(tiles.lever_arm[i]))
        way = self._orientation(rng)
        arrays = [turned(array, *way) for array in (noisy * present, present, class_map)]
        return arrays[0], arrays[1], _turned_context(context, *way), arrays[2]

    @staticmethod
    def _arranged(*arrays: np.ndarray) -> tuple[tuple, np.ndarray]:
        planes, present, context, class_map = arrays
        return (planes, present, context), class_map


def _turned_context(context: np.ndarray, turns: int, mirror: int) -> np.ndarray:
    """Quarter turns take the angle of the beam to its complement, mirrors to its negative."""
    signs = np.ones(N_CONTEXT, np.float32)
    signs[3:] *= -1 if turns % 2 else 1
    signs[4] *= -1 if mirror else 1
    return context * signs
