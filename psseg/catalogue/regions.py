"""DS9 regions of a catalogue.

In: a catalogue. Out: the text of a region file: every source an ellipse, in the colour of its
class, with its name; its class is a tag, so that DS9's groups show one class alone.

The text is written here line by line: the `regions` package takes a millisecond per source for
it. What it reads is what was meant; the tests see to that.
"""

from __future__ import annotations

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.positions import position_angle_in
from psseg.errors import PssegError
from psseg.survey.classes import CLASS_COLOURS

__all__ = ["catalogue_regions"]

FRAMES = ("galactic", "icrs")

NO_ELLIPSE = 0.1
"""Radius, deg, drawn for a source whose position has no error: about that of a faint one's."""


def catalogue_regions(table: QTable, frame: str = "icrs") -> str:
    """Give the region file of a catalogue.

    Parameters
    ----------
    table : QTable
        A catalogue.
    frame : str
        "icrs" or "galactic": of the coordinates in the file. DS9 shows either on any map.

    Returns
    -------
    str
        Of a point source, the 95 % error ellipse; of an extended source, its disc, dashed. A source
        without error ellipse is a dashed circle of 0.1 deg.

    Raises
    ------
    PssegError
        If the frame is another one.
    """
    if frame not in FRAMES:
        raise PssegError(f"frame: want one of {', '.join(FRAMES)}, got {frame!r}")
    lines = ["# Region file format: DS9 version 4.1", "global dashlist=8 3 width=1", frame]
    lines += [
        f'ellipse({lon:.6f},{lat:.6f},{minor:.3f}",{major:.3f}",{angle:.3f})'
        f" # color={CLASS_COLOURS[source_class]} text={{{name}}} tag={{{source_class}}}{style}"
        for lon, lat, minor, major, angle, source_class, name, style in zip(
            *_shapes(table, frame),
            np.asarray(table["CLASS"]).tolist(),
            np.asarray(table["Source_Name"]).tolist(),
            _styles(table),
            strict=True,
        )
    ]
    return "\n".join(lines) + "\n"


def _shapes(table: QTable, frame: str) -> tuple[list[float], ...]:
    """Give longitude, latitude (deg), semi-axes along longitude and latitude (arcsec), angle.

    DS9 turns an ellipse from its first axis along the longitude, anticlockwise on a sky with east
    to the left. With the minor axis first, the angle is the position angle of the major axis.
    """
    position = SkyCoord(table["RAJ2000"], table["DEJ2000"], frame="icrs")
    drawn = position.transform_to(frame).spherical
    major = table["Conf_95_SemiMajor"].to_value("arcsec").astype(float)
    minor = table["Conf_95_SemiMinor"].to_value("arcsec").astype(float)
    angle = table["Conf_95_PosAng"].to_value("deg").astype(float)
    if frame != "icrs":
        angle = position_angle_in(frame, position, angle)
    radius = _radius_of_circle(table)
    circle = np.isfinite(radius)
    return (
        drawn.lon.deg.tolist(),
        drawn.lat.deg.tolist(),
        np.where(circle, radius, minor).tolist(),
        np.where(circle, radius, major).tolist(),
        np.where(circle, 0.0, angle).tolist(),
    )


def _radius_of_circle(table: QTable) -> NDArray[np.float64]:
    """Give the radius (arcsec) of sources that are drawn as circles, NaN for the others."""
    extension = table["Extension"].to_value("arcsec").astype(float)
    unknown = ~np.isfinite(table["Conf_95_SemiMajor"].value)
    return np.where(extension > 0, extension, np.where(unknown, NO_ELLIPSE * 3600, np.nan))


def _styles(table: QTable) -> list[str]:
    dashed = (table["Extension"].value > 0) | ~np.isfinite(table["Conf_95_SemiMajor"].value)
    return [" dash=1" if dash else "" for dash in dashed]
