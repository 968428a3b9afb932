"""Regions of a radio image too large to be worked on at once: cores with margins around them.

In: the image's shape. Out: regions, each with its part of the image. Every source belongs to the
one region in whose core its centre lies; the margins show it whole.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from psseg.tiles.beam import Beam
from psseg.tiles.radio_image import RadioImage

__all__ = ["Region", "cut_regions", "overlapping_spans", "release_memory"]

WHOLE = 24e6
"""Pixels up to which an image is one region: 4096 x 4096 and some more."""

CORE = 1536
"""Largest side of a core, pixels."""

MARGIN = 192
"""Pixels: more than the 128 that the network sees, and than a source of 30 beams needs."""

GRID = 16
"""Regions begin on multiples of this, pixels, where the network's pooling begins: its labels are
then those that it would give in the whole image."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of an image.

    Parameters
    ----------
    core : tuple of slice
        Rows and columns of the image that the region owns.
    window : tuple of slice
        Rows and columns with the margins, clipped to the image.
    shape : tuple of int
        Rows and columns of the image.
    """

    core: tuple[slice, slice]
    window: tuple[slice, slice]
    shape: tuple[int, int]

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the image where the window begins."""
        return self.window[0].start, self.window[1].start

    @property
    def inner(self) -> tuple[slice, slice]:
        """Rows and columns of the window that are the core."""
        y, x = (
            slice(core.start - start, core.stop - start)
            for core, start in zip(self.core, self.corner, strict=True)
        )
        return y, x

    def cut(self, image: RadioImage) -> RadioImage:
        """Give the window of an image, without a copy of its planes.

        The beams keep their size and angle in pixels, which are those in the middle of the whole
        image.
        """
        if self.window == self.core:
            return image
        part = replace(
            image,
            planes=image.planes[:, *self.window],
            mask=image.mask[self.window],
            wcs=image.wcs[self.window],
        )
        turned = image.rotation - part.rotation
        larger = part.pixel_scale / image.pixel_scale
        beams = tuple(
            Beam(major=beam.major * larger, minor=beam.minor * larger, angle=beam.angle + turned)
            for beam in image.beams
        )
        return replace(part, beams=beams)

    def owns(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which positions, pixels of the window, belong to the core or lie off the image."""
        result = np.ones(len(x), dtype=bool)
        for place, core, start, n in zip((y, x), self.core, self.corner, self.shape, strict=True):
            there = place + start
            if core.start > 0:
                result &= there >= core.start - 0.5
            if core.stop < n:
                result &= there < core.stop - 0.5
        return result


def cut_regions(
    shape: tuple[int, int], *, whole: float = WHOLE, core: int = CORE, margin: int = MARGIN
) -> list[Region]:
    """Cut an image into regions.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    whole : float
        Pixels up to which an image is one region.
    core : int
        Largest side of a core, pixels.
    margin : int
        Around the core, pixels; a multiple of 16.

    Returns
    -------
    list of Region
        Their cores cover the image once; one region where it has no more than `whole` pixels.

    Examples
    --------
    >>> len(cut_regions((4096, 4096))), len(cut_regions((12000, 12000)))
    (1, 64)
    """
    if shape[0] * shape[1] <= whole:
        everything = slice(0, shape[0]), slice(0, shape[1])
        return [Region(core=everything, window=everything, shape=shape)]
    rows, columns = (overlapping_spans(n, core=core, margin=margin, grid=GRID) for n in shape)
    return [
        Region(core=(own_y, own_x), window=(y, x), shape=shape)
        for own_y, y in rows
        for own_x, x in columns
    ]


def overlapping_spans(
    length: int, *, core: int, margin: int, grid: int
) -> list[tuple[slice, slice]]:
    """Cut an axis into spans of one length that overlap by two margins.

    Parameters
    ----------
    length : int
        Pixels.
    core : int
        Largest length of what a span owns between two others, pixels.
    margin : int
        Pixels of a span, beside another one, that it does not own; a multiple of `grid`.
    grid : int
        Spans begin on multiples of this.

    Returns
    -------
    list of (slice, slice)
        What a span owns, and the span; only the last may be shorter, by less than `grid`.

    Examples
    --------
    >>> for own, span in overlapping_spans(100, core=60, margin=8, grid=4):
    ...     print(own, span)
    slice(0, 48, None) slice(0, 60, None)
    slice(48, 100, None) slice(40, 100, None)
    """
    n = max(1, -(-(length - 2 * margin) // core))
    size = -(-(length + 2 * margin * (n - 1)) // (n * grid)) * grid
    last = -(-(length - size) // grid) * grid
    starts = [min(i * (size - 2 * margin), last) for i in range(n)]
    edges = [0, *(start + margin for start in starts[1:]), length]
    return [
        (slice(edges[i], edges[i + 1]), slice(start, min(start + size, length)))
        for i, start in enumerate(starts)
    ]


def release_memory() -> None:
    """Give memory that is free back to the system, which the C library of Linux keeps for later.

    Between regions: what each leaves in pieces adds up to some hundred MB.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
