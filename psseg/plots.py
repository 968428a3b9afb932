"""The picture of a catalogue: the map with its sources, and what psseg took them for.

In: a tile, its catalogue and its segmentation map. Out: a picture file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.visualization import AsinhStretch, ImageNormalize
from astropy.visualization.wcsaxes import WCSAxes
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from psseg.catalogue.segment_map import SegmentMap
from psseg.picture_levels import GREY_PERCENTILES, MASKED, SMOOTHING
from psseg.survey.classes import CLASS_COLOURS, CLASS_MARKERS, SOURCE_CLASSES
from psseg.tiles.tile import Tile

__all__ = [
    "DPI",
    "catalogue_figure",
    "dress_axes",
    "finish_panels",
    "plot_catalogue",
    "save_figure",
    "segment_colours",
    "two_panels",
]

N_NAMED = 20
PANEL_INCHES = 7.0
DPI = 150
MARKER_POINTS = 9.0
NAME_POINTS = 7.0
N_ELLIPSE = 48


def plot_catalogue(tile: Tile, table: Table, segments: SegmentMap, path: str | Path) -> None:
    """Draw a map with its sources on it and write the picture.

    Parameters
    ----------
    tile : Tile
        The map.
    table : astropy.table.Table
        Its catalogue.
    segments : SegmentMap, shape (n_y, n_x)
        Its segmentation map; labels are the catalogue's SEGMENT.
    path : str or Path
        The picture; its ending says the format.
    """
    save_figure(catalogue_figure(tile, table, segments), path)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure that has a layout engine: laid out once, where `savefig` would draw it twice.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its layout is fixed afterwards.
    path : str or Path
        The picture; its ending says the format.
    """
    figure.set_dpi(DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    figure.savefig(path, dpi=DPI)


def catalogue_figure(tile: Tile, table: Table, segments: SegmentMap) -> Figure:
    """Draw a map with its sources on it, and beside it what each segment was taken for.

    Parameters
    ----------
    tile : Tile
        The map; all bands are summed.
    table : astropy.table.Table
        Its catalogue. The 95 % ellipse of each source is drawn, or a marker where that is too
        small to be seen; the most significant ones are named.
    segments : SegmentMap, shape (n_y, n_x)
        Its segmentation map; labels are the catalogue's SEGMENT.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels with the sky's coordinates.
    """
    figure, map_axes, segment_axes = two_panels(tile.wcs, tile.shape)
    _draw_map(map_axes, tile)
    _draw_segments(segment_axes, tile, table, segments)
    finish_panels(figure, tile.wcs, tile.shape, title=f"{tile.name}: counts", table=table)
    _draw_sources(map_axes, tile, table)
    return figure


def two_panels(wcs: WCS, shape: tuple[int, int]) -> tuple[Figure, WCSAxes, WCSAxes]:
    """Make a figure for a map and, beside it, its segments.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes.
    shape : tuple of int
        Rows and columns of the map.

    Returns
    -------
    figure : matplotlib.figure.Figure
    map_axes, segment_axes : astropy.visualization.wcsaxes.WCSAxes
    """
    aspect = np.clip(shape[0] / shape[1], 0.3, 2.0)
    figure = Figure(figsize=(2 * PANEL_INCHES, PANEL_INCHES * aspect + 0.9), layout="compressed")
    FigureCanvasAgg(figure)
    left, right = (figure.add_subplot(1, 2, number, projection=wcs) for number in (1, 2))
    return figure, left, right


def finish_panels(
    figure: Figure, wcs: WCS, shape: tuple[int, int], *, title: str, table: Table
) -> None:
    """Give the panels titles and coordinates, and the figure a legend of the classes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        As `two_panels` makes it, with both maps drawn.
    wcs, shape
        As for `two_panels`.
    title : str
        Of the map's panel.
    table : astropy.table.Table
        The catalogue.
    """
    for axes, text in zip(figure.axes, (title, "segments by class"), strict=True):
        dress_axes(axes, wcs, shape, text)
    figure.legend(
        handles=_class_legend(table),
        loc="outside lower center",
        ncols=len(SOURCE_CLASSES),
        frameon=False,
    )


def _draw_map(axes: WCSAxes, tile: Tile) -> None:
    image = gaussian_filter(tile.data.sum(axis=0), SMOOTHING)
    seen = image[~tile.mask]
    low, high = np.percentile(seen, GREY_PERCENTILES) if seen.size else (0.0, 1.0)
    norm = ImageNormalize(vmin=low, vmax=max(high, low + 1e-3), stretch=AsinhStretch(0.1))
    axes.imshow(image, origin="lower", cmap="gray", norm=norm, interpolation="nearest")
    axes.imshow(np.where(tile.mask[..., None], (*MASKED, 1.0), 0.0), origin="lower")


def _draw_segments(axes: WCSAxes, tile: Tile, table: Table, segments: SegmentMap) -> None:
    axes.set_facecolor("white")
    image = segment_colours(table, segments)[segments.data]
    image[tile.mask] = (*MASKED, 1.0)
    axes.imshow(image, origin="lower", interpolation="nearest")


def segment_colours(table: Table, segments: SegmentMap) -> NDArray[np.float64]:
    """Give the colour of each label by the class of its source, (max_label + 1, 4) from 0 to 1.

    Transparent where no source has the label.
    """
    colours = np.zeros((segments.max_label + 1, 4))
    for segment, name in zip(table["SEGMENT"], table["CLASS"], strict=True):
        colours[int(segment)] = to_rgba(CLASS_COLOURS[str(name)])
    return colours


def dress_axes(axes: WCSAxes, wcs: WCS, shape: tuple[int, int], title: str) -> None:
    """Give the panel of a map its limits, title, grid and names of the coordinates."""
    n_y, n_x = shape
    axes.set_xlim(-0.5, n_x - 0.5)
    axes.set_ylim(-0.5, n_y - 0.5)
    axes.set_title(title)
    axes.coords.grid(color="0.6", alpha=0.4, linestyle=":")
    galactic = wcs_to_celestial_frame(wcs).name == "galactic"
    names = ("Galactic longitude", "Galactic latitude") if galactic else ("RA", "Dec")
    for coordinate, name in zip(axes.coords, names, strict=True):
        coordinate.set_axislabel(name)


def _draw_sources(axes: WCSAxes, tile: Tile, table: Table) -> None:
    if len(table) == 0:
        return
    x, y = tile.sky_to_pixel(_positions(table))
    per_point = tile.shape[1] / (PANEL_INCHES * 72)  # pixels of the map; panels are a bit narrower
    semi_major = np.nan_to_num(_degrees(table["Conf_95_SemiMajor"])) / tile.pixel_scale
    visible = semi_major > MARKER_POINTS / 2 * per_point
    for name in SOURCE_CLASSES:
        of_class = np.asarray(table["CLASS"]).astype(str) == name
        for chosen, size in ((of_class & ~visible, 1.0), (of_class & visible, 0.4)):
            axes.plot(x[chosen], y[chosen], **_marker(name, size))
        drawn = table[of_class & visible]
        axes.plot(*_ellipses(tile, drawn), color=CLASS_COLOURS[name], linewidth=1.2)
    _draw_names(axes, table, np.column_stack([x, y]), per_point, shape=tile.shape)


def _positions(table: Table) -> SkyCoord:
    return SkyCoord(_degrees(table["RAJ2000"]), _degrees(table["DEJ2000"]), unit="deg")


def _degrees(column: object) -> np.ndarray:
    return np.asarray(getattr(column, "value", column), dtype=float)


def _ellipses(tile: Tile, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Trace the 95 % ellipses of sources on the sky, in pixels, one column each."""
    major, minor, angle = (
        np.nan_to_num(_degrees(table[f"Conf_95_{part}"]))
        for part in ("SemiMajor", "SemiMinor", "PosAng")
    )
    turn = np.linspace(0, 2 * np.pi, N_ELLIPSE)[:, None]
    radius = major * minor / np.hypot(minor * np.cos(turn), major * np.sin(turn))
    outline = _positions(table).directional_offset_by(
        (np.deg2rad(angle) + turn) * u.rad, radius * u.deg
    )
    return tile.sky_to_pixel(outline)


def _draw_names(
    axes: WCSAxes, table: Table, positions: np.ndarray, per_point: float, *, shape: tuple[int, int]
) -> None:
    """Name the most significant sources where there is room beside them."""
    taken: list[tuple[float, float, float, float]] = []
    height = 1.3 * NAME_POINTS * per_point
    gap = MARKER_POINTS * 0.7 * per_point
    order = np.argsort(-np.nan_to_num(np.asarray(table["Sqrt_TS"], dtype=float)))
    for row in order[:N_NAMED]:
        name = str(table["Source_Name"][row]).removeprefix("PSSEG ")
        width = 0.65 * NAME_POINTS * per_point * len(name)
        x, y = positions[row]
        corners = [(x + gap, y), (x - gap - width, y), (x - width / 2, y + gap + height / 2),
                   (x - width / 2, y - gap - height / 2)]  # fmt: skip
        for left, middle in corners:
            box = (left, left + width, middle - height / 2, middle + height / 2)
            inside = box[0] > 0 and box[1] < shape[1] and box[2] > 0 and box[3] < shape[0]
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                _write(axes, left, middle, name)
                break


def _write(axes: WCSAxes, left: float, middle: float, name: str) -> None:
    text = axes.text(left, middle, name, color="white", fontsize=NAME_POINTS, va="center")
    text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[1] and two[0] < one[1] and one[2] < two[3] and two[2] < one[3]


def _class_legend(table: Table) -> list[Line2D]:
    """Give a legend entry per class, with the number of its sources."""
    classes = np.asarray(table["CLASS"]).astype(str)
    return [
        Line2D([], [], label=f"{name} ({np.count_nonzero(classes == name)})", **_marker(name))
        for name in SOURCE_CLASSES
    ]


def _marker(name: str, size: float = 1.0) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": CLASS_MARKERS[name],
        "markersize": size * MARKER_POINTS,
        "markerfacecolor": "none",
        "markeredgecolor": CLASS_COLOURS[name],
        "markeredgewidth": 1.2,
    }
