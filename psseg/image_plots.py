"""The picture of a radio catalogue: the image with its sources, and what psseg took them for.

In: an image, its catalogue and its segmentation map. Out: a picture file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.visualization import AsinhStretch, ImageNormalize
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.segment_map import SegmentMap
from psseg.picture_levels import MASKED, NOISE_LEVELS
from psseg.plots import finish_panels, save_figure, segment_colours, two_panels
from psseg.survey.classes import CLASS_COLOURS
from psseg.tiles.radio_image import RadioImage

__all__ = ["image_figure", "plot_image"]

LARGEST_SIDE = 1200
"""Pixels that are drawn along a side, more than a panel has; larger images are thinned out."""


def plot_image(
    image: RadioImage, rms: float | np.ndarray, table: Table, segments: SegmentMap, path: str | Path
) -> None:
    """Draw a radio image with its sources on it and write the picture.

    Parameters
    ----------
    image : RadioImage
    rms : float or numpy.ndarray
        Typical noise of the reference plane, Jy/beam, or a map of it: its median sets the grey
        levels.
    table : astropy.table.Table
        Its catalogue.
    segments : SegmentMap
        Its segmentation map; labels are the catalogue's SEGMENT.
    path : str or Path
        The picture; its ending says the format.
    """
    save_figure(image_figure(image, rms, table, segments), path)


def image_figure(
    image: RadioImage, rms: float | np.ndarray, table: Table, segments: SegmentMap
) -> Figure:
    """Draw a radio image with its sources on it, and beside it what each segment was taken for.

    Parameters
    ----------
    image, rms, table, segments
        As for :func:`plot_image`.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels with the sky's coordinates; sources are ellipses of their fitted size.
    """
    figure, map_axes, segment_axes = two_panels(image.wcs, image.shape)
    step = -(-max(image.shape) // LARGEST_SIDE)
    _draw_image(map_axes, image, rms, step)
    _draw_segments(segment_axes, image, table, segments, step)
    finish_panels(figure, image.wcs, image.shape, title=f"{image.name}: Stokes I", table=table)
    _draw_sources(map_axes, image, table)
    return figure


def _draw_image(axes: WCSAxes, image: RadioImage, rms: float | np.ndarray, step: int) -> None:
    plane, blank = image.planes[0][::step, ::step], image.mask[::step, ::step]
    level = np.nanmedian(rms) if not blank.all() else 1.0
    low, high = (level * factor for factor in NOISE_LEVELS)
    norm = ImageNormalize(vmin=low, vmax=high, stretch=AsinhStretch(0.1))
    options = {"origin": "lower", "interpolation": "nearest", "extent": _extent(image.shape)}
    axes.imshow(np.nan_to_num(plane), cmap="gray", norm=norm, **options)
    axes.imshow(_bytes([(0.0, 0.0, 0.0, 0.0), (*MASKED, 1.0)])[blank.astype(int)], **options)


def _draw_segments(
    axes: WCSAxes, image: RadioImage, table: Table, segments: SegmentMap, step: int
) -> None:
    axes.set_facecolor("white")
    picture = _bytes(segment_colours(table, segments))[segments.thinned(step)]
    picture[image.mask[::step, ::step]] = _bytes((*MASKED, 1.0))
    axes.imshow(picture, origin="lower", interpolation="nearest", extent=_extent(image.shape))


def _bytes(colours: ArrayLike) -> NDArray[np.uint8]:
    """Give colours in a quarter of the memory."""
    return np.rint(255 * np.asarray(colours)).astype(np.uint8)


def _extent(shape: tuple[int, int]) -> tuple[float, float, float, float]:
    return -0.5, shape[1] - 0.5, -0.5, shape[0] - 0.5


def _draw_sources(axes: WCSAxes, image: RadioImage, table: Table) -> None:
    """Draw ellipses of the sources' size, half again as wide, so that they can be seen."""
    if len(table) == 0:
        return
    x, y = SkyCoord(table["ra"], table["dec"]).to_pixel(image.wcs)
    scale = 1.5 / image.pixel_scale
    height, width = (np.nan_to_num(table[name].to_value("deg")) * scale for name in ("maj", "min"))
    angle = np.nan_to_num(table["pa"].to_value("deg")) + image.rotation
    ellipses = EllipseCollection(
        width,
        height,
        angle,
        units="xy",
        offsets=np.column_stack([x, y]),
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=[CLASS_COLOURS[str(name)] for name in table["CLASS"]],
        linewidths=0.8,
    )
    axes.add_collection(ellipses)
