"""Batches of radio tiles for training: noise and orientation drawn anew on every pass."""

from __future__ import annotations

import keras
import numpy as np

from psseg.network.context import N_CONTEXT, map_context
from psseg.sky.radio_training_set import RadioTrainingTiles, add_plane_noise
from psseg.survey.classes import IGNORED

__all__ = ["PlaneBatches"]


class PlaneBatches(keras.utils.PyDataset):
    """Batches of noisy, turned and mirrored tiles.

    Parameters
    ----------
    tiles : RadioTrainingTiles
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
        tiles: RadioTrainingTiles,
        index: np.ndarray,
        *,
        batch_size: int = 16,
        seed: int = 0,
        varied: bool = True,
        first_epoch: int = 0,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._tiles, self._index, self._batch_size = tiles, np.asarray(index), batch_size
        self._seed, self._varied, self._epoch = seed, varied, first_epoch
        self._order = self._index
        self._reorder()

    def __len__(self) -> int:
        """Count the batches of a pass."""
        return -(-len(self._index) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[tuple, np.ndarray]:
        """Give one batch: ``((planes, present, context), class_map)``."""
        start = number * self._batch_size
        chosen = np.sort(self._order[start : start + self._batch_size])
        rng = np.random.default_rng([self._seed, self._epoch, number])
        samples = [self._sample(int(i), rng) for i in chosen]
        planes, present, context, class_map = map(np.stack, zip(*samples, strict=True))
        return (planes, present, context), class_map

    def on_epoch_end(self) -> None:
        """Start the next pass."""
        if self._varied:
            self._epoch += 1
            self._reorder()

    def _reorder(self) -> None:
        if self._varied:
            rng = np.random.default_rng([self._seed, self._epoch])
            self._order = rng.permutation(self._index)

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
        turns, mirror = (int(rng.integers(4)), int(rng.integers(2))) if self._varied else (0, 0)
        arrays = [_turned(array, turns, mirror) for array in (noisy * present, present, class_map)]
        return arrays[0], arrays[1], _turned_context(context, turns, mirror), arrays[2]


def _turned(array: np.ndarray, turns: int, mirror: int) -> np.ndarray:
    turned = np.rot90(array, turns)
    return turned[::-1] if mirror else turned


def _turned_context(context: np.ndarray, turns: int, mirror: int) -> np.ndarray:
    """Quarter turns take the angle of the beam to its complement, mirrors to its negative."""
    signs = np.ones(N_CONTEXT, np.float32)
    signs[3:] *= -1 if turns % 2 else 1
    signs[4] *= -1 if mirror else 1
    return context * signs
