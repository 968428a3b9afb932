"""Batches for training: noise, orientation and gaps drawn anew on every pass."""

from __future__ import annotations

import numpy as np

from psseg.network.losses import ABSENT
from psseg.network.sample_batches import SampleBatches, turned
from psseg.sky.simulation import add_noise
from psseg.sky.training_set import TrainingTiles
from psseg.survey.classes import IGNORED

__all__ = ["TileBatches"]


class TileBatches(SampleBatches[TrainingTiles]):
    """Batches of noisy, turned, mirrored and partly masked tiles.

    A batch is ``((counts, present), (class_map, background))``.
    """

    def _sample(self, i: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        tiles = self._tiles
        expected = tiles.expected[i].astype(np.float32) ** 2
        observed = _draw_mask(expected.shape[:2], rng)
        present = (observed[..., None] & tiles.present[i]).astype(np.float32)
        counts = add_noise(expected * present, rng)
        background = tiles.background[i].astype(np.float32) ** 2
        background = np.where(present > 0, background, np.float32(ABSENT))
        class_map = np.where(observed, tiles.class_map[i], np.uint8(IGNORED))
        way = self._orientation(rng)
        return tuple(turned(array, *way) for array in (counts, present, class_map, background))

    @staticmethod
    def _arranged(*arrays: np.ndarray) -> tuple[tuple, tuple]:
        counts, present, class_map, background = arrays
        return (counts, present), (class_map, background)


def _draw_mask(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw which pixels were observed: mostly all, or one side of a line, a disc, a rectangle."""
    observed = np.ones(shape, bool)
    kind = rng.uniform()
    if kind > 0.4:
        return observed
    if kind > 0.2:
        top, bottom, left, right = (
            rng.integers(0, 5 * min(shape) // 16, 4) * (rng.uniform(size=4) < 0.4)
        ).tolist()
        observed[:] = False
        observed[bottom : shape[0] - top, left : shape[1] - right] = True
        return observed
    y, x = np.mgrid[: shape[0], : shape[1]]
    x0, y0 = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
    if kind > 0.1:
        angle = rng.uniform(0, 2 * np.pi)
        return (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle) > -0.2 * shape[0]
    return np.hypot(x - x0, y - y0) < rng.uniform(0.4, 1.2) * shape[0]
