"""The shape that is drawn for each source, and the lines of DS9 region files.

In: ellipses on the sky. Out: the text of a region file in sky coordinates, for any map.

The text is written here line by line: the `regions` package takes a millisecond per source for
it. What it reads is what was meant; the tests see to that, and that DS9 reads the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from psseg.survey.classes import CLASS_COLOURS

__all__ = ["REGION_HEAD", "SourceShapes", "quoted", "region_text", "source_properties"]

REGION_HEAD = "# Region file format: DS9 version 4.1\nglobal dashlist=8 3 width=2\n"


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceShapes:
    """An ellipse on the sky for each source.

    Parameters
    ----------
    names, classes : ndarray of str (n_sources,)
    ra, dec : ndarray (n_sources,)
        ICRS, deg.
    major, minor : ndarray (n_sources,)
        Semi-axes, deg; of a source without an ellipse NaN, it becomes a cross.
    angle : ndarray (n_sources,)
        Position angle of the major axis, deg east of north (ICRS).
    dashed : ndarray of bool (n_sources,)
        Which ellipses are dashed.
    """

    names: NDArray[np.str_]
    classes: NDArray[np.str_]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    angle: NDArray[np.float64]
    dashed: NDArray[np.bool_]

    @property
    def positions(self) -> SkyCoord:
        """Where the sources are."""
        return SkyCoord(self.ra, self.dec, unit="deg", frame="icrs")

    def placed(self) -> SourceShapes:
        """Give the sources that have a position."""
        return self.keep(np.isfinite(self.ra + self.dec))

    def keep(self, which: NDArray[np.bool_]) -> SourceShapes:
        """Give some of the sources."""
        return SourceShapes(**{name: values[which] for name, values in vars(self).items()})


def region_text(shapes: SourceShapes) -> str:
    """Write a region file in sky coordinates.

    Parameters
    ----------
    shapes : SourceShapes
        Those without a position are left out: DS9 refuses a file that holds one.

    Returns
    -------
    str
        ICRS; semi-axes in arcsec, the major one first. DS9 counts the angle from the west through
        north, so it is the position angle + 90 degrees.
    """
    shapes = shapes.placed()
    drawn = shapes.positions.spherical
    lines = [
        f'ellipse({lon:.9f},{lat:.9f},{major:.4f}",{minor:.4f}",{turn:.3f}) # {properties}'
        if major > 0
        else f"point({lon:.9f},{lat:.9f}) # point=cross {properties}"
        for lon, lat, major, minor, turn, properties in zip(
            drawn.lon.deg.tolist(),
            drawn.lat.deg.tolist(),
            (shapes.major * 3600).tolist(),
            (shapes.minor * 3600).tolist(),
            ((shapes.angle + 90) % 360).tolist(),
            source_properties(shapes),
            strict=True,
        )
    ]
    return "\n".join([f"{REGION_HEAD}icrs", *lines, ""])


def source_properties(shapes: SourceShapes) -> list[str]:
    """Give what a region file says of each source besides its shape.

    Parameters
    ----------
    shapes : SourceShapes

    Returns
    -------
    list of str, length n_sources
        Colour, name, the class as a tag, and whether the ellipse is dashed.
    """
    return [
        f"color={CLASS_COLOURS[kind]} text={quoted(name)} tag={{{kind}}}{' dash=1' * dashed}"
        for name, kind, dashed in zip(
            shapes.names.tolist(), shapes.classes.tolist(), shapes.dashed.tolist(), strict=True
        )
    ]


def quoted(text: str) -> str:
    """Quote a text for a region file.

    Parameters
    ----------
    text : str
        Any. DS9 knows no escapes: a text ends at the first sign that closes it.

    Returns
    -------
    str
        In braces, or in quotes where it holds braces; where it holds both, double quotes become
        single ones. Line breaks become blanks.

    Examples
    --------
    >>> quoted("PSSEG J0534.5+2200"), quoted("a {b}")
    ('{PSSEG J0534.5+2200}', '"a {b}"')
    """
    line = " ".join(text.split())
    if not {"{", "}"} & set(line):
        return f"{{{line}}}"
    return '"' + line.replace('"', "'") + '"'
