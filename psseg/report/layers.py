"""The pictures of a report: planes of a map as small picture tiles that a browser shows.

In: planes of numbers, and maps of classes. Out: tiles in WebP or PNG, as base64, small enough
together for one file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

__all__ = ["TILE", "Layer", "Plane", "encode_planes", "grey_levels", "overlay_layer"]

TILE = 512
"""Side of a tile, pixels: a 2048×2048 plane has 16, few enough to show all of them at once."""

BUDGET = 8.5e6
"""Bytes of all planes together; as base64, they take a third more."""

FIRST_SHARE = 1 / 3
"""Of the budget, for the first plane: the one that is looked at."""

QUALITIES = (None, 90, 75, 50)
"""Of WebP, tried from the best; None is lossless."""

SMALLEST = 4096
"""Pixels of all planes together that are never thinned out."""

SOFTENING = 0.1
"""Of the asinh stretch, in units of the range that is shown."""

ROWS = 256
"""Stretched at a time: on the way, a pixel takes seven times the bytes of its value."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One plane of a map, and the values that are black and white.

    Parameters
    ----------
    name : str
        What it shows.
    unit : str
        Of its values.
    values : numpy.ndarray, shape (n_y, n_x)
        NaN where there are no data.
    low, high : float
        Shown black and white.
    """

    name: str
    unit: str
    values: NDArray[np.floating]
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of the page: tiles counted from the top left, by ``"column,row"``.

    Parameters
    ----------
    name, unit : str
        What it shows.
    low, high : float
        Values shown black and white; NaN for maps of classes.
    factor : int
        Pixels of the map along a side of a pixel of the tiles.
    tiles : dict
        Data URLs; tiles without data are left out.
    """

    name: str
    unit: str
    low: float
    high: float
    factor: int
    tiles: dict[str, str]


def grey_levels(values: NDArray[np.floating], *, low: float, high: float) -> NDArray[np.uint8]:
    """Give the grey levels of a plane on an asinh stretch.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_y, n_x)
        NaN is shown as `low`.
    low, high : float
        Values of levels 0 and 255. Where they are no range, everything is mid-grey.

    Returns
    -------
    numpy.ndarray of uint8, shape (n_y, n_x)

    Examples
    --------
    >>> grey_levels(np.array([[0.0, 1.0, 5.0, np.nan]]), low=0.0, high=1.0).tolist()
    [[0, 255, 255, 0]]
    """
    levels = np.full(values.shape, 128, dtype=np.uint8)
    if np.isfinite(low) and np.isfinite(high) and high > low:
        for start in range(0, len(values), ROWS):
            some = np.nan_to_num(values[start : start + ROWS], nan=low)
            scaled = np.clip((some - low) / (high - low), 0, 1)
            stretched = np.arcsinh(scaled / SOFTENING) / np.arcsinh(1 / SOFTENING)
            levels[start : start + ROWS] = np.rint(255 * stretched)
    return levels


def encode_planes(planes: Sequence[Plane], *, budget: float = BUDGET) -> list[Layer]:
    """Make the layers of planes, as good as fits into the budget.

    Parameters
    ----------
    planes : sequence of Plane
        All of the same shape.
    budget : float
        Bytes of the tiles of all planes together, of which the first one has `FIRST_SHARE`.
        Lossless where that fits, else WebP of the best quality that does, else on pixels twice,
        four times … as large.

    Returns
    -------
    list of Layer
    """
    share = budget if len(planes) == 1 else FIRST_SHARE * budget
    return [*_encode_alike(planes[:1], share), *_encode_alike(planes[1:], budget - share)]


def overlay_layer(name: str, labels: NDArray[np.integer], colours: ArrayLike) -> Layer:
    """Make a layer of a map of small numbers, each in its colour.

    Parameters
    ----------
    name : str
        What it shows.
    labels : numpy.ndarray of int, shape (n_y, n_x)
        Rows of `colours`.
    colours : array_like of int, shape (n_colours, 4)
        Red, green, blue and opacity, 0 to 255; at most 256 colours.

    Returns
    -------
    Layer
        PNG tiles with a palette.
    """
    palette = np.asarray(colours, dtype=np.uint8)
    tiles = {}
    for place, box in _boxes(labels.shape):
        part = np.flipud(labels)[box].astype(np.uint8)
        if not palette[part, 3].any():
            continue
        image = Image.fromarray(part)
        image.putpalette(palette[:, :3].tobytes())
        tiles[place] = _data_url(
            image, "png", transparency=palette[:, 3].tobytes(), optimize=part.size < 1e5
        )
    return Layer(name=name, unit="", low=np.nan, high=np.nan, factor=1, tiles=tiles)


def _encode_alike(planes: Sequence[Plane], budget: float) -> list[Layer]:
    """Encode planes in one quality and pixel size."""
    factor = 1
    pictures = [_picture(plane) for plane in planes]
    while (quality := _affordable(pictures, budget)) is False:
        factor *= 2
        pictures = [_halved(picture) for picture in pictures]
    return [
        Layer(
            name=plane.name,
            unit=plane.unit,
            low=plane.low,
            high=plane.high,
            factor=factor,
            tiles=dict(_encoded(picture, quality)),
        )
        for plane, picture in zip(planes, pictures, strict=True)
    ]


def _picture(plane: Plane) -> NDArray[np.uint8]:
    """Grey level and opacity of each pixel, top row first, (n_y, n_x, 2)."""
    picture = np.empty((*plane.values.shape, 2), dtype=np.uint8)
    picture[..., 0] = grey_levels(plane.values, low=plane.low, high=plane.high)
    np.multiply(np.isfinite(plane.values), 255, out=picture[..., 1], dtype=np.uint8)
    return np.flipud(picture)


def _halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average 2×2 pixels; an odd last row or column is repeated."""
    n_y, n_x, _ = picture.shape
    even = np.pad(picture, ((0, n_y % 2), (0, n_x % 2), (0, 0)), mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return (total // 4).astype(np.uint8)


def _affordable(pictures: Sequence[NDArray[np.uint8]], budget: float) -> int | bool | None:
    """Give the best quality that keeps to the budget, judged by the middle tile of each picture.

    False where none does; the smallest pictures always do.
    """
    n_pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    samples = [_middle(picture) for picture in pictures]
    n_sampled = sum(sample.shape[0] * sample.shape[1] for sample in samples)
    for quality in QUALITIES:
        size = sum(len(_webp(sample, quality)) for sample in samples)
        if size * 0.75 * n_pixels / max(n_sampled, 1) <= budget:
            return quality
    return QUALITIES[-1] if n_pixels <= SMALLEST else False


def _middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    y, x = (max((n - TILE) // 2, 0) for n in picture.shape[:2])
    return picture[y : y + TILE, x : x + TILE]


def _encoded(picture: NDArray[np.uint8], quality: int | bool | None) -> Iterator[tuple[str, str]]:
    for place, box in _boxes(picture.shape[:2]):
        if picture[box][..., 1].any():
            yield place, _webp(picture[box], quality)


def _boxes(shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[slice, slice]]]:
    for y in range(0, shape[0], TILE):
        for x in range(0, shape[1], TILE):
            # A pixel more than TILE: neighbours overlap, so that no seam shows between them.
            yield f"{x // TILE},{y // TILE}", (slice(y, y + TILE + 1), slice(x, x + TILE + 1))


def _webp(picture: NDArray[np.uint8], quality: int | bool | None) -> str:
    """Encode a tile; without an alpha channel where every pixel is seen."""
    image = _image(picture)
    if quality is None:
        return _data_url(image, "webp", lossless=True, quality=20, method=2)
    return _data_url(image, "webp", quality=int(quality), method=2)


def _image(picture: NDArray[np.uint8]) -> Image.Image:
    grey, seen = picture[..., 0], picture[..., 1]
    layers = [grey] * 3 if seen.all() else [grey] * 3 + [seen]
    return Image.fromarray(np.ascontiguousarray(np.stack(layers, axis=-1)))


def _data_url(image: Image.Image, kind: str, **options: object) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")
