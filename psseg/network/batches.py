"""Batches for training: noise, orientation and gaps drawn anew on every pass."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from psseg.network.losses import ABSENT
from psseg.sky.simulation import add_noise
from psseg.sky.training_set import TrainingTiles
from psseg.survey.classes import IGNORED

__all__ = ["TileBatches"]


class TileBatches(keras.utils.PyDataset):
    """Batches of noisy, turned, mirrored and partly masked tiles.

    Parameters
    ----------
    tiles : TrainingTiles
    index : numpy.ndarray of int
        Which of them.
    batch_size : int
    seed : int
    varied : bool
        Fresh noise, order and orientation on every pass (training), or always the same
        (validation).
    first_epoch : int
        Number of passes made before, by a training that is resumed.
    """

    def __init__(
        self,
        tiles: TrainingTiles,
        index: np.ndarray,
        *,
        batch_size: int = 16,
        seed: int = 0,
        varied: bool = True,
        first_epoch: int = 0,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._tiles, self._index, self._batch_size = tiles, np.asarray(index), batch_size
        self._seed, self._varied, self._epoch = seed, varied, first_epoch
        self._order = self._index
        self._reorder()

    def __len__(self) -> int:
        """Count the batches of a pass."""
        return -(-len(self._index) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[tuple, tuple]:
        """Give one batch: ``((counts, present), (class_map, background))``."""
        start = number * self._batch_size
        chosen = np.sort(self._order[start : start + self._batch_size])
        rng = np.random.default_rng([self._seed, self._epoch, number])
        samples = [self._sample(int(i), rng) for i in chosen]
        counts, present, class_map, background = map(np.stack, zip(*samples, strict=True))
        return (counts, present), (class_map, background)

    def on_epoch_end(self) -> None:
        """Start the next pass."""
        if self._varied:
            self._epoch += 1
            self._reorder()

    def _reorder(self) -> None:
        if self._varied:
            rng = np.random.default_rng([self._seed, self._epoch])
            self._order = rng.permutation(self._index)

    def _sample(self, i: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        tiles = self._tiles
        expected = tiles.expected[i].astype(np.float32) ** 2
        observed = _draw_mask(expected.shape[:2], rng)
        present = (observed[..., None] & tiles.present[i]).astype(np.float32)
        counts = add_noise(expected * present, rng)
        background = tiles.background[i].astype(np.float32) ** 2
        background = np.where(present > 0, background, np.float32(ABSENT))
        class_map = np.where(observed, tiles.class_map[i], np.uint8(IGNORED))
        turns, mirror = (int(rng.integers(4)), int(rng.integers(2))) if self._varied else (0, 0)
        for array in (counts, present, class_map, background):
            turned = np.rot90(array, turns)
            yield turned[::-1] if mirror else turned


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
