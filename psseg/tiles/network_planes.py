"""What the network sees of a radio image: planes in units of the noise, on pixels of its choice.

Three planes: the significance of Stokes I, that of the spectral tilt, and that of Stokes V. The
network wants 2.4 to 5.5 pixels across the beam; another image is resampled, and what the network
says is brought back to the image's pixels. Both grids begin at the outer corner of the first pixel:
image pixel x lies at network pixel (x + 1/2) zoom - 1/2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from psseg.errors import PssegError
from psseg.tiles.noise import Noise
from psseg.tiles.radio_image import RadioImage

__all__ = [
    "TYPICAL_INDEX",
    "NetworkPlanes",
    "beam_pixels",
    "network_planes",
    "network_zoom",
    "to_image_grid",
]

TYPICAL_INDEX = -0.8
"""Spectral index, S ~ nu^alpha, of a source without tilt: between that of steep-spectrum AGN and
star-forming galaxies, -0.7, and pulsars, -1.6."""

_BEAM_PIXELS = 2.4, 5.5  # beams within need no resampling
_TARGET_BEAM = 4.0  # pixels
_STRIP = 256  # rows of the network's grid made at once
_RATIO_SAMPLES = 300  # along each axis, to compare the noise before and after resampling
_ROUNDING = 1e-6  # of a pixel

ReadRows = Callable[[slice], NDArray[np.float32]]
Kernel = Callable[[NDArray], NDArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkPlanes:
    """A radio image as the network sees it.

    Parameters
    ----------
    data : numpy.ndarray, shape (3, m_y, m_x), float32
        Significance of Stokes I, spectral tilt and Stokes V, in units of the noise; 0 where absent
        or masked.
    present : numpy.ndarray, shape (3,), bool
        Which planes there are.
    lever_arm : float
        Logarithm of the ratio of the two frequencies; 0 where there is one only.
    mask : numpy.ndarray, shape (m_y, m_x), bool
        True where the reference plane is blank.
    zoom : float
        Network pixels per image pixel along an axis; 1 where not resampled.
    """

    data: NDArray[np.float32]
    present: NDArray[np.bool_]
    lever_arm: float
    mask: NDArray[np.bool_]
    zoom: float


def network_planes(image: RadioImage, noise: Noise) -> NetworkPlanes:
    """Make the network's planes of a radio image.

    Parameters
    ----------
    image : RadioImage
        The image.
    noise : Noise
        Its local noise and background.

    Returns
    -------
    NetworkPlanes
        On the image's pixels if the reference beam, the geometric mean of its axes, is 2.4 to 5.5
        of them wide; else on pixels of which it is 4 wide.

    Raises
    ------
    PssegError
        If the noise has not the image's shape.

    Notes
    -----
    The tilt is what the higher frequency has more than the lower one, extrapolated with a spectral
    index of -0.8, over the noise of that difference. It supposes that both planes have the same
    beam, and is absent where the frequencies are unknown or equal.

    Resampling is by a Lanczos kernel of order 3, as wide as the larger of both pixels. Finer pixels
    are averaged, which lowers noise that is not correlated over the beam: each plane is divided by
    the ratio of its noise after and before, taken once for the whole image. Blank pixels count as
    background, so that significances within a beam of them are low.
    """
    if noise.rms.shape != image.planes.shape:
        raise PssegError(f"noise: want shape {image.planes.shape}, got {noise.rms.shape}")
    zoom = network_zoom(image)
    mask = _resample_mask(image.mask, zoom)
    planes = NetworkPlanes(
        data=np.zeros((3, *mask.shape), dtype=np.float32),  # absent planes take no memory
        present=np.zeros(3, dtype=bool),
        lever_arm=image.lever_arm,
        mask=mask,
        zoom=zoom,
    )
    on_network_grid = _resampling(image.shape, zoom)
    for index, read in _significances(image, noise):
        data = planes.data[index]
        for rows, values in on_network_grid(read):
            data[rows] = values
        data[mask] = 0
        if zoom != 1:
            data /= _noise_ratio(read, image.shape, data)
        planes.present[index] = True
    return planes


def network_zoom(image: RadioImage) -> float:
    """Give the network's pixels per pixel of an image along an axis; 1 where it is not resampled.

    Parameters
    ----------
    image : RadioImage

    Returns
    -------
    float
    """
    fwhm = image.beams[0].width(image.pixel_scale)
    low, high = _BEAM_PIXELS
    return 1.0 if low - _ROUNDING <= fwhm <= high + _ROUNDING else _TARGET_BEAM / fwhm


def beam_pixels(image: RadioImage, planes: NetworkPlanes) -> tuple[float, float, float]:
    """Give the beam of the reference plane on the network's grid.

    Parameters
    ----------
    image : RadioImage
    planes : NetworkPlanes
        Made of it.

    Returns
    -------
    tuple of float
        Major and minor axis, pixels of the network, and the angle from +y towards -x, deg.
    """
    beam, scale = image.beams[0], planes.zoom / image.pixel_scale
    return beam.major * scale, beam.minor * scale, beam.angle + image.rotation


def to_image_grid(values: NDArray, planes: NetworkPlanes, shape: tuple[int, int]) -> NDArray:
    """Bring maps from the network's pixels back to the image's.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., m_y, m_x)
        Maps on the network's pixels. Floating-point numbers are interpolated linearly; of integers
        and truth values the nearest is taken.
    planes : NetworkPlanes
        What the network saw.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    numpy.ndarray, shape (..., n_y, n_x)
        Of the same type; `values` itself where nothing was resampled.

    Raises
    ------
    PssegError
        If the shapes do not fit together.
    """
    wanted = tuple(_length(n, planes.zoom) for n in shape)
    if values.shape[-2:] != wanted:
        raise PssegError(
            f"maps of an image of {shape}: want {wanted} network pixels, got {values.shape[-2:]}"
        )
    if planes.zoom == 1:
        return values
    if not np.issubdtype(values.dtype, np.floating):
        y, x = (_nearest(n, planes.zoom) for n in shape)
        return values.take(y, axis=-2).take(x, axis=-1)
    y_weights, x_weights = (
        _weights(m, n, 1 / planes.zoom, _triangle, 1, width=1.0)
        for m, n in zip(wanted, shape, strict=True)
    )
    maps = values.reshape(-1, *wanted)
    back = np.empty((len(maps), *shape), dtype=values.dtype)
    for one, into in zip(maps, back, strict=True):
        for rows, strip in _strips(partial(_rows, one), y_weights, x_weights):
            into[rows] = strip
    return back.reshape(*values.shape[:-2], *shape)


def _length(n: int, zoom: float) -> int:
    """Give the number of network pixels that hold n image pixels."""
    return int(np.ceil(n * zoom - _ROUNDING))


def _significances(image: RadioImage, noise: Noise) -> Iterator[tuple[int, ReadRows]]:
    """Give the planes that there are: their index, and a function that makes rows of them."""
    yield 0, partial(_significance, image, noise, 0)
    totals = [i for i, stokes in enumerate(image.stokes) if stokes == "I"]
    if image.lever_arm > 0:
        low, high = sorted(totals, key=lambda i: image.frequencies[i])
        yield 1, partial(_tilt, image, noise, low, high)
    if "V" in image.stokes:
        yield 2, partial(_significance, image, noise, image.stokes.index("V"))


def _significance(image: RadioImage, noise: Noise, plane: int, rows: slice) -> NDArray[np.float32]:
    """Plane over its noise; 0 where blank."""
    values = image.planes[plane, rows] - noise.mean[plane, rows]
    values /= noise.rms[plane, rows]
    return _filled(values)


def _tilt(image: RadioImage, noise: Noise, low: int, high: int, rows: slice) -> NDArray[np.float32]:
    """Excess of the higher frequency over its noise; 0 where either plane is blank."""
    factor = np.float32((image.frequencies[high] / image.frequencies[low]) ** TYPICAL_INDEX)
    low_values = image.planes[low, rows] - noise.mean[low, rows]
    values = image.planes[high, rows] - noise.mean[high, rows] - factor * low_values
    values /= np.hypot(noise.rms[high, rows], factor * noise.rms[low, rows])
    return _filled(values)


def _filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _resampling(
    shape: tuple[int, int], zoom: float
) -> Callable[[ReadRows], Iterator[tuple[slice, NDArray]]]:
    """Give what brings planes to the network's pixels, strip by strip; not resampled at zoom 1."""
    if zoom == 1:
        return lambda read: ((rows, read(rows)) for rows in _row_strips(shape[0]))
    y, x = (_lanczos_weights(n, zoom) for n in shape)
    return lambda read: _strips(read, y, x)


def _rows(values: NDArray, rows: slice) -> NDArray:
    return values[rows]


def _resample_mask(mask: NDArray[np.bool_], zoom: float) -> NDArray[np.bool_]:
    """Mask network pixels of which more than half is blank."""
    shape = tuple(_length(n, zoom) for n in mask.shape)
    blank = np.zeros(shape, dtype=bool)
    if not mask.any():
        return blank
    y, x = (_weights(n, m, zoom, _triangle, 1) for n, m in zip(mask.shape, shape, strict=True))
    for rows, part in _strips(lambda rows: mask[rows].astype(np.float32), y, x):
        blank[rows] = part > 0.5
    return blank


def _strips(
    read: ReadRows, y_weights: sparse.csr_array, x_weights: sparse.csr_array
) -> Iterator[tuple[slice, NDArray]]:
    """Resample strip by strip, so that no second map of the image's size is needed."""
    for rows in _row_strips(y_weights.shape[0]):
        part = y_weights[rows]
        used = slice(int(part.indices.min()), int(part.indices.max()) + 1)
        yield rows, (x_weights @ (part[:, used] @ read(used)).T).T


def _row_strips(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _STRIP, n)) for start in range(0, n, _STRIP))


def _noise_ratio(read: ReadRows, shape: tuple[int, int], data: NDArray) -> float:
    """Noise of a plane after resampling over that before, from a thinned grid of each."""
    y, x = (max(1, n // _RATIO_SAMPLES) for n in shape)
    before = _sigma(read(slice(0, None, y))[:, ::x])
    y, x = (max(1, n // _RATIO_SAMPLES) for n in data.shape)
    after = _sigma(data[::y, ::x])
    return after / before if before > 0 and after > 0 else 1.0


def _sigma(values: NDArray) -> float:
    """Distance from the median down to the 16th percentile, which sources change least."""
    seen = values[values != 0]  # 0 is blank
    if not seen.size:
        return 0.0
    low, middle = np.quantile(seen, [0.1587, 0.5])
    return float(middle - low)


def _nearest(n: int, zoom: float) -> NDArray[np.intp]:
    return ((np.arange(n) + 0.5) * zoom).astype(np.intp)


def _lanczos_weights(n: int, zoom: float) -> sparse.csr_array:
    return _weights(n, _length(n, zoom), zoom, _lanczos, 3, least=0.5)


def _weights(
    n_in: int,
    n_out: int,
    zoom: float,
    kernel: Kernel,
    reach: int,
    *,
    width: float | None = None,
    least: float = 0.0,
) -> sparse.csr_array:
    """Give the weights, shape (n_out, n_in), of a kernel that is 0 from `reach` times `width` on.

    The default width is that of the larger of both pixels. What lies outside the input is left out,
    and the rest raised to the full sum; of no less than the share `least`, so that a last pixel of
    which the input covers a sliver does not see the side lobes of a kernel alone.
    """
    width = max(1.0, 1 / zoom) if width is None else width
    centre = (np.arange(n_out) + 0.5) / zoom - 0.5
    taps = np.arange(int(np.ceil(2 * reach * width)) + 1)
    index = np.floor(centre - reach * width).astype(int)[:, None] + taps
    weights = kernel((index - centre[:, None]) / width)
    weights[(index < 0) | (index >= n_in)] = 0
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), least * width)
    used = weights != 0
    row = np.broadcast_to(np.arange(n_out)[:, None], index.shape)
    entries = weights[used].astype(np.float32), (row[used], index[used])
    return sparse.csr_array(entries, shape=(n_out, n_in))


def _lanczos(offset: NDArray) -> NDArray:
    return np.where(np.abs(offset) < 3, np.sinc(offset) * np.sinc(offset / 3), 0)


def _triangle(offset: NDArray) -> NDArray:
    return np.maximum(1 - np.abs(offset), 0)
