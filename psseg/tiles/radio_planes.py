"""The pixels of radio images: read in blocks, rid of blank borders, brought to one beam and grid.

A large image is never held twice: files are read some rows at a time, and each block is convolved
and regridded before it goes where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_pixel
from numpy.typing import NDArray

from psseg.tiles.beam import Beam, middle_scale, north_angle
from psseg.tiles.convolution import convolve
from psseg.tiles.headers import find_image, open_fits
from psseg.tiles.radio_headers import ImageHeader

__all__ = [
    "Grid",
    "Layer",
    "Pixels",
    "fill_plane",
    "is_blank",
    "layer_range",
    "layer_rms",
    "read_blocks",
    "same_grid",
    "zero_border",
]

_ROWS = 512  # read at once
_BLOCK = 1024  # side of a block that is regridded at once, pixels
_SAMPLED_ROWS = 256  # from which the noise of a channel is estimated
_BORDER = 9  # pixels: zeros that fill a square of this side are no measurements
_SAME = 0.05  # pixels, by which equal grids may differ
_KERNEL_REACH = 4.5  # standard deviations, where a Gaussian has fallen to 4e-5
_MAD_PER_SIGMA = 0.6744898

Block = tuple[slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Where pixels lie on the sky: a celestial WCS, and the rows and columns."""

    wcs: WCS
    shape: tuple[int, int]

    @property
    def pixel_scale(self) -> float:
        """Side of a square of a pixel's area in the middle, deg."""
        return middle_scale(self.wcs, self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One plane of one file, of which a plane of a `RadioImage` is made.

    Parameters
    ----------
    path : pathlib.Path
    header : ImageHeader
        Of the file.
    index : tuple of int
        Where the plane lies along the axes before (y, x).
    stokes : str
    frequency : float
        Hz; NaN where unknown.
    beam : Beam or None
    """

    path: Path
    header: ImageHeader
    index: tuple[int, ...]
    stokes: str
    frequency: float
    beam: Beam | None

    @property
    def grid(self) -> Grid:
        """Its pixels on the sky."""
        return Grid(wcs=self.header.wcs, shape=self.header.shape)

    @contextmanager
    def open(self) -> Iterator[Pixels]:
        """Open its file, that was found whole before."""
        with open_fits(self.path, check=False) as hdus:
            yield Pixels(
                image=find_image(hdus),
                index=self.index,
                grid=self.grid,
                unit=self.header.unit,
                mirrored=self.header.mirrored,
            )


@dataclass(kw_only=True, eq=False)
class Pixels:
    """The pixels of one plane of an open file.

    Parameters
    ----------
    image : astropy.io.fits.PrimaryHDU
        Any image HDU of an open file.
    index : tuple of int
        Where the plane lies along the axes before (y, x).
    grid : Grid
    unit : float
        What to multiply by.
    mirrored : bool
        Whether to reverse the columns.
    blank : numpy.ndarray, shape (n_y, n_x), bool, optional
        Pixels to blank; see `zero_border`.
    kernel : numpy.ndarray, shape (2, 2), optional
        Covariance in pixels, order (x, y), of a Gaussian to convolve with; the default is none.
    gain : float
        What to multiply by after the convolution.
    """

    image: fits.PrimaryHDU
    index: tuple[int, ...]
    grid: Grid
    unit: float = 1.0
    mirrored: bool = False
    blank: NDArray[np.bool_] | None = None
    kernel: NDArray[np.float64] | None = None
    gain: float = 1.0

    def raw(self, rows: slice) -> NDArray[np.float32]:
        """Read some rows as they are, scaled; NaN where blank."""
        values = np.array(self.image.section[(*self.index, rows, slice(None))], dtype=np.float32)
        values = values[:, ::-1] if self.mirrored else values
        values *= np.float32(self.unit)
        values[~np.isfinite(values)] = np.nan
        return values

    def rows(self, rows: slice) -> NDArray[np.float32]:
        """Read some rows, convolved; NaN where blank."""
        if self.kernel is None:
            return self._masked(rows)
        reach = int(np.ceil(_KERNEL_REACH * np.sqrt(np.linalg.eigvalsh(self.kernel)[1]))) + 1
        first = max(rows.start - reach, 0)
        wider = slice(first, min(rows.stop + reach, self.grid.shape[0]))
        smooth = convolve(self._masked(wider), self.kernel, reach=reach)
        smooth *= np.float32(self.gain)
        return smooth[rows.start - first : rows.stop - first]

    def _masked(self, rows: slice) -> NDArray[np.float32]:
        values = self.raw(rows)
        if self.blank is not None:
            values[self.blank[rows]] = np.nan
        return values


def fill_plane(
    out: NDArray[np.float32],
    layers: Sequence[Layer],
    weights: Sequence[float],
    *,
    grid: Grid,
    beam: Beam,
) -> None:
    """Make one plane of one or several layers.

    Parameters
    ----------
    out : numpy.ndarray, shape (n_y, n_x), float32
        Takes the weighted mean, Jy/beam; NaN where every layer is blank.
    layers : sequence of Layer
    weights : sequence of float
        One per layer.
    grid : Grid
        Of `out`.
    beam : Beam
        To which layers of smaller beams are convolved.
    """
    if len(layers) == 1:
        for block, values in _blocks(layers[0], grid, beam):
            out[block] = values
        return
    out[:] = 0
    total = np.zeros_like(out)
    for layer, weight in zip(layers, weights, strict=True):
        for block, values in _blocks(layer, grid, beam):
            valid = np.isfinite(values)
            out[block] += np.where(valid, np.float32(weight) * values, 0)
            total[block] += np.float32(weight) * valid
    total[total == 0] = np.nan
    out /= total


def is_blank(layer: Layer) -> bool:
    """Tell whether all of a layer is blank or zero; mostly its first rows tell."""
    with layer.open() as pixels:
        return not any(np.nan_to_num(pixels.raw(r)).any() for r in _strips(layer.header.shape[0]))


def layer_range(layer: Layer) -> tuple[float, float]:
    """Give the lowest and highest value of a layer as it is in its file; NaN where all is blank."""
    with layer.open() as pixels:
        strips = (pixels.raw(rows) for rows in _strips(layer.header.shape[0]))
        ends = [[end.reduce(values, axis=None) for end in (np.fmin, np.fmax)] for values in strips]
    lowest, highest = zip(*ends, strict=True)
    return float(np.fmin.reduce(lowest)), float(np.fmax.reduce(highest))


def layer_rms(layer: Layer) -> float:
    """Estimate the noise of a layer from some of its rows.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    float
        Median absolute deviation as a standard deviation, Jy/beam; NaN where all is blank or zero.
    """
    n_rows = layer.header.shape[0]
    step = max(n_rows // _SAMPLED_ROWS, 1)
    with layer.open() as pixels:
        rows = [pixels.raw(slice(row, row + 1)) for row in range(0, n_rows, step)]
    values = np.concatenate(rows)
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:
        return float("nan")
    return float(np.median(np.abs(values - np.median(values))) / _MAD_PER_SIGMA) or float("nan")


def same_grid(one: Grid, other: Grid) -> bool:
    """Tell whether two grids have the same pixels, to a twentieth of one."""
    if one.shape != other.shape:
        return False
    n_y, n_x = one.shape
    x, y = np.array([(0, 0), (n_x - 1, 0), (n_x / 2, n_y / 2), (0, n_y - 1), (n_x - 1, n_y - 1)]).T
    x_there, y_there = pixel_to_pixel(one.wcs, other.wcs, x, y)
    distance = np.hypot(x_there - x, y_there - y)
    return bool(np.isfinite(distance).any() and np.nanmax(distance) < _SAME)


def read_blocks(pixels: Pixels, grid: Grid) -> Iterator[tuple[Block, NDArray[np.float32]]]:
    """Read a plane block by block, on any grid.

    Parameters
    ----------
    pixels : Pixels
    grid : Grid
        Where it is not that of `pixels`, they are interpolated.

    Yields
    ------
    block : tuple of slice
        Rows and columns of `grid`.
    values : numpy.ndarray, float32
        NaN where the plane is blank or has no pixels.

    Notes
    -----
    Interpolation is by cubic splines: linear interpolation lowers the peak of a point source by
    some per cent where the beam has four pixels. Blank pixels are nought for the splines, and blank
    is what lies nearest to them.
    """
    n_y, n_x = grid.shape
    if same_grid(grid, pixels.grid):
        for rows in _strips(n_y):
            yield (rows, slice(0, n_x)), pixels.rows(rows)
        return
    for top in range(0, n_y, _BLOCK):
        for left in range(0, n_x, _BLOCK):
            block = slice(top, min(top + _BLOCK, n_y)), slice(left, min(left + _BLOCK, n_x))
            shape = block[0].stop - top, block[1].stop - left
            yield block, _regrid(pixels, grid.wcs[block], shape)


def zero_border(pixels: Pixels) -> NDArray[np.bool_] | None:
    """Find exact zeros that stand for blank pixels.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    numpy.ndarray, shape (n_y, n_x), bool, or None
        True for zeros that fill squares of 9 pixels a side, together with other blank pixels and
        with what lies beyond the image; None where there are fewer than 81.

    Notes
    -----
    Single zeros are measurements: 7 % of the pixels of an NVSS image, which counts in steps of
    0.1 mJy, are 0.
    """
    n_y = pixels.grid.shape[0]
    zeros = np.empty(pixels.grid.shape, dtype=bool)
    blank = np.empty_like(zeros)
    for rows in _strips(n_y):
        values = pixels.raw(rows)
        np.equal(values, 0, out=zeros[rows])
        np.logical_or(zeros[rows], np.isnan(values), out=blank[rows])
    for rows in _strips(n_y):
        if zeros[rows].any():
            zeros[rows] &= _filled(blank, rows)
    return zeros if np.count_nonzero(zeros) >= _BORDER**2 else None


def _filled(blank: NDArray[np.bool_], rows: slice) -> NDArray[np.bool_]:
    """Open some rows of a map morphologically with a square; beyond the map all is True."""
    margin = _BORDER - 1
    first, end = rows.start - margin, rows.stop + margin
    outside = max(-first, 0), max(end - len(blank), 0)
    map_ = np.pad(blank[max(first, 0) : end], (outside, (margin, margin)), constant_values=True)
    for combine in (np.logical_and, np.logical_or):
        for axis in (0, 1):
            map_ = _over_run(map_, axis, combine)
    return map_


def _over_run(
    map_: NDArray[np.bool_], axis: int, combine: Callable[..., NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Combine each pixel with the following ones, as many as a square is wide: in four steps."""
    map_ = np.swapaxes(map_, 0, axis)
    for shift in (1, 2, 4, _BORDER - 8):
        map_ = combine(map_[:-shift], map_[shift:])
    return np.swapaxes(map_, 0, axis)


def _strips(n_y: int) -> Iterator[slice]:
    for top in range(0, n_y, _ROWS):
        yield slice(top, min(top + _ROWS, n_y))


def _blocks(layer: Layer, grid: Grid, beam: Beam) -> Iterator[tuple[Block, NDArray[np.float32]]]:
    """Give a layer on a grid and at a beam, block by block."""
    with layer.open() as pixels:
        pixels.blank = zero_border(pixels)
        if layer.beam is not None and not layer.beam.resembles(beam):
            _widen(pixels, layer.beam, beam)
        yield from read_blocks(pixels, grid)


def _widen(pixels: Pixels, beam: Beam, wanted: Beam) -> None:
    """Set the convolution that turns one beam into another, and the gain in Jy/beam."""
    rotation = north_angle(pixels.grid.wcs, pixels.grid.shape)
    scale = pixels.grid.pixel_scale
    difference = wanted.covariance(scale, rotation=rotation)
    difference = difference - beam.covariance(scale, rotation=rotation)
    variances, axes = np.linalg.eigh(difference)
    pixels.kernel = axes @ np.diag(np.maximum(variances, 0)) @ axes.T
    pixels.gain = wanted.area(1.0) / beam.area(1.0)


def _regrid(pixels: Pixels, wcs: WCS, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a plane on the pixels of one block."""
    from reproject import reproject_interp  # loads much that other images have no use for

    box = _box(pixels.grid, wcs, shape)
    if box is None:
        return np.full(shape, np.nan, dtype=np.float32)
    values = pixels.rows(box[0])[:, box[1]]
    blank = np.isnan(values)
    source = pixels.grid.wcs[box]

    def interpolate(array: NDArray, order: str) -> NDArray:
        return reproject_interp(
            (array, source), wcs, shape_out=shape, order=order, return_footprint=False
        )

    result = interpolate(np.where(blank, 0, values), "bicubic").astype(np.float32)
    if blank.any():
        missing = interpolate(blank.astype(np.float32), "nearest-neighbor")
        result[~(missing == 0)] = np.nan
    return result


def _box(grid: Grid, wcs: WCS, shape: tuple[int, int]) -> Block | None:
    """Give the rows and columns of a grid that cover a block of another one; None if none do."""
    margin, step = 16, 16
    y, x = (np.append(np.arange(0, n, step), n - 1) for n in shape)
    there = pixel_to_pixel(wcs, grid.wcs, *np.meshgrid(x, y))
    sides = []
    for places, length in zip(there[::-1], grid.shape, strict=True):
        finite = places[np.isfinite(places)]
        if finite.size == 0:
            return None
        first = max(int(finite.min()) - margin, 0)
        end = min(int(finite.max()) + margin, length)
        if end - first < 2:
            return None
        sides.append(slice(first, end))
    return sides[0], sides[1]
