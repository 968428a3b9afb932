"""DS9 regions of a catalogue of a radio image.

In: a catalogue. Out: the text of a region file: every source an ellipse of its size as seen, in the
colour of its class, with its name; its class is a tag, so that DS9's groups show one class alone.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable

from psseg.catalogue.source_shapes import SourceShapes, region_text

__all__ = ["radio_regions", "radio_shapes_drawn"]


def radio_regions(table: QTable) -> str:
    """Give the region file of a catalogue.

    Parameters
    ----------
    table : QTable
        A catalogue.

    Returns
    -------
    str
        The ellipses of :func:`radio_shapes_drawn`, ICRS.
    """
    return region_text(radio_shapes_drawn(table))


def radio_shapes_drawn(table: QTable) -> SourceShapes:
    """Give the ellipse that is drawn for each source.

    Parameters
    ----------
    table : QTable
        A catalogue.

    Returns
    -------
    SourceShapes
        Semi-axes are half the FWHM of the source as seen. A source without a size is a cross.
    """
    ra, dec, major, minor, angle = (
        table[name].to_value("deg").astype(float) for name in ("ra", "dec", "maj", "min", "pa")
    )
    sized = (major > 0) & (minor > 0) & np.isfinite(angle)
    return SourceShapes(
        names=np.asarray(table["Source_Name"]).astype(str),
        classes=np.asarray(table["CLASS"]).astype(str),
        ra=ra,
        dec=dec,
        major=np.where(sized, major / 2, np.nan),
        minor=np.where(sized, minor / 2, np.nan),
        angle=np.where(sized, angle, 0.0),
        dashed=np.zeros(len(table), dtype=bool),
    )
