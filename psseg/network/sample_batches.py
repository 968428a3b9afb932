"""What batches for training have in common: their order, their seeds, and how tiles are turned."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import keras
import numpy as np

__all__ = ["SampleBatches", "turned"]

Tiles = TypeVar("Tiles")

ORDER, BATCH = 0x6F7264, 0x626174
"""Keys that keep the random numbers of each pass's order and of each batch apart from all others of
the same seed."""


class SampleBatches(keras.utils.PyDataset, Generic[Tiles]):
    """Batches of samples that are drawn from tiles anew on every pass.

    Parameters
    ----------
    tiles
        What samples are drawn from.
    index : numpy.ndarray of int
        Which of them.
    batch_size : int
    seed : int
    varied : bool
        Fresh noise, order and orientation on every pass (training), or always the same
        (validation).
    first_epoch : int
        Number of passes made before, by a training that is resumed.

    Notes
    -----
    Seed, pass and number of the batch decide all of it: batches may be asked for in any order and
    by several threads, and a resumed training sees what it would have seen.
    """

    n_threads: ClassVar[int] = 1
    """Threads that make batches ahead of the training."""

    def __init__(
        self,
        tiles: Tiles,
        index: np.ndarray,
        *,
        batch_size: int = 16,
        seed: int = 0,
        varied: bool = True,
        first_epoch: int = 0,
    ) -> None:
        super().__init__(workers=self.n_threads, use_multiprocessing=False, max_queue_size=8)
        self._tiles, self._index, self._batch_size = tiles, np.asarray(index), batch_size
        self._seed, self._varied, self._epoch = seed, varied, first_epoch
        self._order = self._index
        self._reorder()

    def __len__(self) -> int:
        """Count the batches of a pass."""
        return -(-len(self._index) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        """Give one batch: what the network sees, and the truth."""
        start = number * self._batch_size
        chosen = np.sort(self._order[start : start + self._batch_size])
        rng = self._stream(BATCH, number)
        samples = [self._sample(int(i), rng) for i in chosen]
        return self._arranged(*map(np.stack, zip(*samples, strict=True)))

    def on_epoch_end(self) -> None:
        """Start the next pass."""
        if self._varied:
            self._epoch += 1
            self._reorder()

    @abstractmethod
    def _sample(self, i: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw a sample of tile i."""

    @staticmethod
    @abstractmethod
    def _arranged(*arrays: np.ndarray) -> tuple[Any, Any]:
        """Arrange the samples' arrays, (batch, …) each, as the network takes them."""

    def _orientation(self, rng: np.random.Generator) -> tuple[int, int]:
        """Draw quarter turns, and whether to mirror."""
        return (int(rng.integers(4)), int(rng.integers(2))) if self._varied else (0, 0)

    def _reorder(self) -> None:
        if self._varied:
            self._order = self._stream(ORDER).permutation(self._index)

    def _stream(self, purpose: int, *numbers: int) -> np.random.Generator:
        """Give the random numbers of this pass for a purpose."""
        key = (purpose, self._epoch, *numbers)
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))


def turned(array: np.ndarray, turns: int, mirror: int) -> np.ndarray:
    """Turn an array (y, x, …) by quarter turns, then mirror it along y."""
    result = np.rot90(array, turns)
    return result[::-1] if mirror else result
