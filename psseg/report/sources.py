"""The sources of a report: the catalogue's columns, and where and how large each is on the map.

In: the catalogue and the map's WCS. Out: plain values that JSON can hold; None for NaN.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.wcs import WCS

from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.map_regions import pixel_ellipses
from psseg.catalogue.radio_columns import RADIO_COLUMNS
from psseg.catalogue.radio_regions import radio_shapes_drawn
from psseg.catalogue.regions import catalogue_shapes
from psseg.catalogue.source_shapes import SourceShapes
from psseg.survey.classes import CLASS_COLOURS, CLASS_MARKERS, SOURCE_CLASSES

__all__ = [
    "class_list",
    "column_list",
    "outlines",
    "plain",
    "sky_lattice",
    "unit_text",
]

LATTICE = 33
"""Points along a side between which the page interpolates the coordinates under the pointer: over
25 deg that is good to 5 arcsec, a seventieth of a pixel."""


def column_list(table: QTable) -> list[dict[str, Any]]:
    """Give every column: name, unit, meaning and values.

    Parameters
    ----------
    table : QTable
        A catalogue.

    Returns
    -------
    list of dict
        Numbers as short as their type allows.
    """
    declared = {column.name: column for column in (*COLUMNS, *RADIO_COLUMNS)}
    return [
        {
            "name": name,
            "unit": declared[name].unit if name in declared else unit_text(table[name]),
            "meaning": table[name].info.description or "",
            "values": plain(table[name]),
        }
        for name in table.colnames
    ]


def plain(values: Any) -> list[Any]:
    """Give values as lists of strings, whole numbers, and floats, None for NaN.

    Examples
    --------
    >>> plain(np.array([0.1, np.nan], dtype=np.float32))
    [0.1, None]
    """
    array = np.asarray(getattr(values, "value", values))
    if array.dtype.kind in "US":
        return [str(value) for value in array.astype(str)]
    if array.dtype.kind != "f":
        return array.tolist()
    if array.ndim > 1:
        return [plain(row) for row in array]
    return [float(str(value)) if np.isfinite(value) else None for value in array]


def unit_text(column: Any) -> str:
    """Give the unit of a column as the catalogue's documentation writes it, empty if it has none.

    Examples
    --------
    >>> from astropy import units as u
    >>> unit_text([1.0] * u.Jy / u.beam)
    'Jy/beam'
    """
    unit = getattr(column, "unit", None)
    return str(unit).replace(" / ", "/") if unit else ""


def outlines(table: QTable, wcs: WCS, *, kind: str) -> dict[str, list[float | None]]:
    """Place the ellipses of all sources on the map.

    Parameters
    ----------
    table : QTable
        A catalogue.
    wcs : astropy.wcs.WCS
        Two celestial axes.
    kind : str
        "counts" (95 % error ellipses, discs of extended sources) or "continuum" (sizes at half
        maximum).

    Returns
    -------
    dict of list
        ``x``, ``y``: centres, pixels from the first pixel's centre, None off the projection;
        ``a``, ``b``: semi-axes, pixels, 0 where not known; ``t``: angle from +x to +y, radians.

    Notes
    -----
    They are the ellipses of the DS9 regions, but for the circles that stand there for error
    ellipses that are not known: the page marks the places of all sources.
    """
    ellipses = pixel_ellipses(_shapes(table, kind), wcs)
    made = {
        "x": ellipses.x,
        "y": ellipses.y,
        "a": np.nan_to_num(ellipses.major),
        "b": np.nan_to_num(ellipses.minor),
        "t": np.deg2rad(np.nan_to_num(ellipses.angle)),
    }
    return {name: plain(np.round(values, 4)) for name, values in made.items()}


def _shapes(table: QTable, kind: str) -> SourceShapes:
    if kind != "counts":
        return radio_shapes_drawn(table)
    shapes = catalogue_shapes(table)
    stand_in = shapes.dashed & ~(table["Extension"] > 0)
    return replace(shapes, major=np.where(stand_in, np.nan, shapes.major))


def sky_lattice(wcs: WCS, shape: tuple[int, int]) -> dict[str, list[Any]]:
    """Give the ICRS directions of a lattice of points that spans the map.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    dict of list
        ``x``, ``y``: pixel positions of columns and rows; ``directions``: unit vectors, row by
        row, None off the sky.
    """
    x, y = (np.linspace(-0.5, n - 0.5, LATTICE) for n in (shape[1], shape[0]))
    sky = SkyCoord.from_pixel(*np.meshgrid(x, y), wcs).icrs
    directions = np.moveaxis(sky.cartesian.xyz.value, 0, -1).reshape(-1, 3)
    return {"x": plain(x), "y": plain(y), "directions": plain(np.round(directions, 10))}


def class_list(table: QTable) -> list[dict[str, Any]]:
    """Give name, colour, marker and number of sources of each class."""
    classes = np.asarray(table["CLASS"]).astype(str)
    return [
        {
            "name": name,
            "colour": CLASS_COLOURS[name],
            "marker": CLASS_MARKERS[name],
            "count": int(np.count_nonzero(classes == name)),
        }
        for name in SOURCE_CLASSES
    ]
