"""Class probabilities of every pixel of an image, in memory or, where it is large, on disk.

In: the probabilities of one part after the other. Out: any rows of them.
"""

from __future__ import annotations

import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ProbabilityMap"]

IN_MEMORY = 24e6
"""Pixels up to which a map is kept in memory: its four planes of them take 400 MB."""


class ProbabilityMap:
    """Probabilities of background and the source classes; NaN where blank.

    Parameters
    ----------
    shape : tuple of int
        Planes, rows and columns.

    Notes
    -----
    A large map lies in a nameless temporary file (in the folder that TMPDIR names) that is gone
    with it. It is read and written, not mapped: what is mapped counts as memory.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._file: Any = None
        self._values = np.empty((0, 0, 0), dtype=np.float32)
        if shape[1] * shape[2] > IN_MEMORY:
            self._file = tempfile.TemporaryFile(prefix="psseg-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)

    def write(self, window: tuple[slice, slice], values: NDArray[np.float32]) -> None:
        """Set the values (n_planes, n_y, n_x) of some rows and columns; the array may be kept."""
        if self._file is not None:
            self._write_file(window, values)
        elif values.shape == self.shape:
            self._values = values
        else:
            if self._values.size == 0:
                self._values = np.full(self.shape, np.nan, dtype=np.float32)
            self._values[:, *window] = values

    def rows(self, rows: slice) -> NDArray[np.float32]:
        """Give the values of some rows, (n_planes, n_rows, n_x)."""
        n_planes, _, n_x = self.shape
        if self._file is None:
            return self._values[:, rows]
        strip = np.empty((n_planes, rows.stop - rows.start, n_x), dtype=np.float32)
        for number, plane in enumerate(strip):
            self._file.seek(self._place(number, rows.start, 0))
            self._file.readinto(plane)
        return strip

    def _write_file(self, window: tuple[slice, slice], values: NDArray[np.float32]) -> None:
        rows, columns = window
        for number, plane in enumerate(np.ascontiguousarray(values, dtype=np.float32)):
            for row, line in zip(range(rows.start, rows.stop), plane, strict=True):
                self._file.seek(self._place(number, row, columns.start))
                self._file.write(line)

    def _place(self, plane: int, row: int, column: int) -> int:
        """Give the byte of the file where a pixel begins."""
        _, n_y, n_x = self.shape
        return 4 * ((plane * n_y + row) * n_x + column)
