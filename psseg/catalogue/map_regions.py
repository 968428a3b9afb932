"""The sources of a catalogue as DS9 regions on the pixels of one map.

In: ellipses on the sky and the map's WCS. Out: the text of a region file in pixels.

Of an ellipse in sky coordinates DS9 8.4 takes the position from the WCS, but size and angle from
the pixel scale and the orientation at the middle of the map. On 20° in TAN that is wrong by up to
20 degrees in angle, at 60° latitude in CAR by a factor of 2 in size. Here the WCS is followed at
the source. And DS9 writes names one over the other; here they are placed where there is room.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.catalogue.positions import local_jacobian
from psseg.catalogue.source_shapes import (
    REGION_HEAD,
    SourceShapes,
    quoted,
    source_properties,
)
from psseg.survey.classes import CLASS_COLOURS

__all__ = ["MapRegions", "PixelEllipses", "map_regions", "pixel_ellipses"]

MARKERS = {"pulsar": "diamond", "blazar": "circle", "other": "box"}
"""Told apart without colour too; DS9 has no triangle."""

MARKER_SIZE = 9
"""Pixels of the screen."""

LETTER = (8.0, 16.0)
"""Width and height of a letter of DS9's font at 10 points, pixels of the screen: measured 7.2 and
13."""

MOST_NAMED = 500
"""Sources whose names are tried, the most significant ones: more have no room on a screen."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int_]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class MapRegions:
    """A region file for one map.

    Parameters
    ----------
    sources : str
        The file: an ellipse per source, and markers.
    names : str
        What to add to it to show the names that have room, where DS9 is told to show none itself
        (``-regions showtext no``).
    all_named : bool
        Whether all names have room above their sources, where DS9 itself shows them.
    """

    sources: str
    names: str
    all_named: bool


def map_regions(
    shapes: SourceShapes,
    wcs: WCS,
    *,
    shape: tuple[int, int],
    zoom: float,
    significance: Floats,
) -> MapRegions:
    """Write the region file of a catalogue for one map.

    Parameters
    ----------
    shapes : SourceShapes
        Those that do not lie on the map's projection are left out.
    wcs : astropy.wcs.WCS
        Two celestial axes.
    shape : tuple (n_y, n_x)
        Of the map: names do not reach beyond its sides.
    zoom : float
        Pixels of the screen per pixel of the map when the map is first seen.
    significance : ndarray (n_sources,)
        The most significant sources are named first; NaN last.

    Returns
    -------
    MapRegions
        An ellipse per source, a cross where it has none. Ellipses that are too small to be seen get
        a marker besides, of the shape of the class and of the same tag, which the mouse does not
        catch.
    """
    ellipses = pixel_ellipses(shapes, wcs)
    drawn = np.isfinite(ellipses.x + ellipses.y)
    shapes, ellipses = shapes.keep(drawn), ellipses.keep(drawn)
    gap, height = (MARKER_SIZE / 2 + LETTER[1] / 2 + 1) / zoom, LETTER[1] / zoom
    above = ellipses.y + ellipses.half_height + gap
    too_high = above + height / 2 > shape[0] - 0.5
    level = np.where(too_high, ellipses.y - ellipses.half_height - gap, above)
    names = np.array([name.removeprefix("PSSEG ") for name in shapes.names.tolist()], dtype=str)
    order = np.argsort(-np.nan_to_num(significance[drawn], nan=-np.inf), kind="stable")
    named = _with_room(ellipses, level, zoom, names, order, width=shape[1] * zoom)
    small = np.flatnonzero(ellipses.major * zoom < MARKER_SIZE / 2)
    lines = [f"{REGION_HEAD}image", *_sources(shapes, ellipses)]
    lines += _markers(shapes, ellipses, small)
    return MapRegions(
        sources="\n".join([*lines, ""]),
        names="".join(f"{line}\n" for line in _texts(shapes, names, ellipses.x, level, named)),
        all_named=len(named) == len(names) and not too_high.any(),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelEllipses:
    """Ellipses on the pixels of a map.

    Parameters
    ----------
    x, y : ndarray (n_sources,)
        Pixels, (0, 0) is the middle of the first one; NaN where the projection does not reach.
    major, minor : ndarray (n_sources,)
        Semi-axes, pixels; NaN where there is no ellipse.
    angle : ndarray (n_sources,)
        Of the major axis, deg from the x axis towards the y axis, 0 to 180.
    """

    x: Floats
    y: Floats
    major: Floats
    minor: Floats
    angle: Floats

    def keep(self, which: NDArray[np.bool_]) -> PixelEllipses:
        """Give some of the ellipses."""
        return PixelEllipses(**{name: values[which] for name, values in vars(self).items()})

    @property
    def half_height(self) -> Floats:
        """How many pixels each ellipse rises above its middle, 0 where there is none."""
        turn = np.deg2rad(self.angle)
        return np.nan_to_num(np.hypot(self.major * np.sin(turn), self.minor * np.cos(turn)))


def pixel_ellipses(shapes: SourceShapes, wcs: WCS) -> PixelEllipses:
    """Bring ellipses from the sky to the pixels of a map.

    Parameters
    ----------
    shapes : SourceShapes
    wcs : astropy.wcs.WCS
        Two celestial axes.

    Returns
    -------
    PixelEllipses

    Notes
    -----
    The map is taken as linear about each source: right for ellipses that are small against a
    radian and against the distance to a pole of the projection.
    """
    x, y = _project(shapes, wcs)
    on_map = np.isfinite(x + y)
    jacobian = np.full((len(x), 2, 2), np.nan)
    if on_map.any():
        jacobian[on_map] = local_jacobian(wcs, x[on_map], y[on_map])
    turn = np.deg2rad(shapes.angle)
    along = np.stack([np.sin(turn), np.cos(turn)], axis=-1) * shapes.major[:, None]
    across = np.stack([np.cos(turn), -np.sin(turn)], axis=-1) * shapes.minor[:, None]
    on_sky = np.stack([along, across], axis=-1)
    known = np.isfinite(jacobian).all(axis=(1, 2)) & np.isfinite(on_sky).all(axis=(1, 2))
    axes, lengths = np.full((len(x), 2, 2), np.nan), np.full((len(x), 2), np.nan)
    axes[known], lengths[known], _ = np.linalg.svd(np.linalg.solve(jacobian[known], on_sky[known]))
    angle = np.rad2deg(np.arctan2(axes[:, 1, 0], axes[:, 0, 0])) % 180
    return PixelEllipses(x=x, y=y, major=lengths[:, 0], minor=lengths[:, 1], angle=angle)


def _project(shapes: SourceShapes, wcs: WCS) -> tuple[Floats, Floats]:
    """Give the pixels of the sources, NaN for those that the projection does not reach."""
    placed = np.isfinite(shapes.ra + shapes.dec)
    x, y = np.full((2, len(placed)), np.nan)
    if placed.any():
        x[placed], y[placed] = shapes.keep(placed).positions.to_pixel(wcs)
    return x, y


def _sources(shapes: SourceShapes, ellipses: PixelEllipses) -> list[str]:
    """Give the lines of the sources themselves; pixels of a region file count from 1."""
    return [
        f"ellipse({x + 1:.4f},{y + 1:.4f},{major:.5f},{minor:.5f},{turn:.4f}) # {properties}"
        if major > 0
        else f"point({x + 1:.4f},{y + 1:.4f}) # point=cross {properties}"
        for x, y, major, minor, turn, properties in zip(
            *(values.tolist() for values in vars(ellipses).values()),
            source_properties(shapes),
            strict=True,
        )
    ]


def _with_room(
    ellipses: PixelEllipses,
    level: Floats,
    zoom: float,
    names: NDArray[np.str_],
    order: Integers,
    *,
    width: float,
) -> list[int]:
    """Give the sources whose names cover neither another name nor the middle of a source.

    Names are centred at their level, stay on a map of this width (pixels of the screen), and are
    placed in the order given.
    """
    widths = np.char.str_len(names) * LETTER[0]
    taken = _Boxes(float(widths.max(initial=LETTER[0])), LETTER[1])
    for x, y in zip((ellipses.x * zoom).tolist(), (ellipses.y * zoom).tolist(), strict=True):
        taken.add((x, y, MARKER_SIZE, MARKER_SIZE))
    named = []
    for source in order[:MOST_NAMED].tolist():
        box = (ellipses.x[source] * zoom, level[source] * zoom, widths[source], LETTER[1])
        inside = box[2] / 2 <= box[0] <= width - box[2] / 2
        if inside and taken.free(box):
            taken.add(box)
            named.append(source)
    return named


class _Boxes:
    """Boxes (x, y of the middle, width, height) on a grid of cells that no box is larger than."""

    def __init__(self, width: float, height: float) -> None:
        self.size = (width, height)
        self.cells: dict[tuple[int, int], list[Box]] = defaultdict(list)

    def add(self, box: Box) -> None:
        self.cells[self._cell(box)].append(box)

    def free(self, box: Box) -> bool:
        column, row = self._cell(box)
        around = [(column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return not any(
            _overlap(box, other) for cell in around for other in self.cells.get(cell, ())
        )

    def _cell(self, box: Box) -> tuple[int, int]:
        return int(box[0] // self.size[0]), int(box[1] // self.size[1])


def _overlap(one: Box, two: Box) -> bool:
    return all(abs(one[k] - two[k]) < (one[k + 2] + two[k + 2]) / 2 for k in (0, 1))


def _texts(
    shapes: SourceShapes, names: NDArray[np.str_], x: Floats, level: Floats, named: list[int]
) -> list[str]:
    return [
        f"# text({x[k] + 1:.3f},{level[k] + 1:.3f}) text={quoted(str(names[k]))} {_like(shapes, k)}"
        for k in named
    ]


def _markers(shapes: SourceShapes, ellipses: PixelEllipses, which: Integers) -> list[str]:
    return [
        f"point({ellipses.x[k] + 1:.4f},{ellipses.y[k] + 1:.4f}) "
        f"# point={MARKERS[shapes.classes[k]]} {MARKER_SIZE} {_like(shapes, k)}"
        for k in which.tolist()
    ]


def _like(shapes: SourceShapes, source: int) -> str:
    """Give what a marker or a text has of its source; the mouse is to catch the source alone."""
    kind = str(shapes.classes[source])
    return f"color={CLASS_COLOURS[kind]} tag={{{kind}}} select=0"
