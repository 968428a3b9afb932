"""DS9 regions of a catalogue of a counts map.

In: a catalogue. Out: the text of a region file: every source an ellipse, in the colour of its
class, with its name; its class is a tag, so that DS9's groups show one class alone.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable

from psseg.catalogue.source_shapes import SourceShapes, region_text

__all__ = ["catalogue_regions", "catalogue_shapes"]

NO_ELLIPSE = 0.1
"""Radius, deg, drawn for a source whose position has no error: about that of a faint one's."""


def catalogue_regions(table: QTable) -> str:
    """Give the region file of a catalogue.

    Parameters
    ----------
    table : QTable
        A catalogue.

    Returns
    -------
    str
        The ellipses of :func:`catalogue_shapes`, in ICRS. DS9 draws them with the pixel scale and
        the orientation at the middle of a map: on a wide field, :mod:`psseg.ds9` draws them better.
    """
    return region_text(catalogue_shapes(table))


def catalogue_shapes(table: QTable) -> SourceShapes:
    """Give the ellipse that is drawn for each source.

    Parameters
    ----------
    table : QTable
        A catalogue.

    Returns
    -------
    SourceShapes
        Of a point source, the 95 % error ellipse; of an extended source, its disc, dashed. A source
        without error ellipse, or with one of no size, is a dashed circle of 0.1 deg.
    """
    extension, major, minor, angle, ra, dec = (
        table[name].to_value("deg").astype(float)
        for name in (
            *("Extension", "Conf_95_SemiMajor", "Conf_95_SemiMinor", "Conf_95_PosAng"),
            *("RAJ2000", "DEJ2000"),
        )
    )
    extended = extension > 0
    circle = extended | ~((major > 0) & (minor > 0) & np.isfinite(angle))
    radius = np.where(extended, extension, NO_ELLIPSE)
    return SourceShapes(
        names=np.asarray(table["Source_Name"]).astype(str),
        classes=np.asarray(table["CLASS"]).astype(str),
        ra=ra,
        dec=dec,
        major=np.where(circle, radius, major),
        minor=np.where(circle, radius, minor),
        angle=np.where(circle, 0.0, angle),
        dashed=circle,
    )
