"""DS9 regions of a catalogue of a radio image.

In: a catalogue. Out: the text of a region file: every source an ellipse of its size as seen, in the
colour of its class, with its name; its class is a tag, so that DS9's groups show one class alone.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable

from psseg.survey.classes import CLASS_COLOURS

__all__ = ["radio_regions"]


def radio_regions(table: QTable) -> str:
    """Give the region file of a catalogue.

    Parameters
    ----------
    table : QTable
        A catalogue.

    Returns
    -------
    str
        Ellipses in fk5, which differs from the ICRS by less than 0.03 arcsec: semi-axes of half the
        FWHM, in arcsec, the major one first. DS9 counts the angle from the west through north, so
        it is the position angle + 90 degrees. A source without a size is a cross.
    """
    lines = ["# Region file format: DS9 version 4.1", "global dashlist=8 3 width=1", "fk5"]
    columns = [
        *(table[name].to_value("deg").tolist() for name in ("ra", "dec")),
        *((table[name].to_value("arcsec") / 2).tolist() for name in ("maj", "min")),
        (table["pa"].to_value("deg") + 90).tolist(),
        np.asarray(table["CLASS"]).tolist(),
        np.asarray(table["Source_Name"]).tolist(),
    ]
    lines += [
        f"{_shape(ra, dec, major, minor, angle)} # {_style(major)}color={CLASS_COLOURS[kind]} "
        f"text={{{name}}} tag={{{kind}}}"
        for ra, dec, major, minor, angle, kind, name in zip(*columns, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _shape(ra: float, dec: float, major: float, minor: float, angle: float) -> str:
    if not major > 0:
        return f"point({ra:.7f},{dec:.7f})"
    return f'ellipse({ra:.7f},{dec:.7f},{major:.3f}",{minor:.3f}",{angle:.3f})'


def _style(major: float) -> str:
    return "" if major > 0 else "point=cross "
