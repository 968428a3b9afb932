"""The answer of a network that knows the truth of a simulated tile."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from psseg.network.labelling import LabelMap
from psseg.survey.classes import IGNORED

SURE = 0.97
"""How sure the truth-teller is of a source pixel's class."""


def truthful_labels(simulated):
    """Give the label map of a network that knows the truth."""
    classes = np.where(simulated.class_map == IGNORED, 0, simulated.class_map)
    probabilities = np.full((4, *classes.shape), (1 - SURE) / 3, dtype=np.float32)
    np.put_along_axis(probabilities, classes[None].astype(np.intp), SURE, axis=0)
    probabilities[:, simulated.tile.mask] = np.nan
    return LabelMap(
        class_probabilities=probabilities,
        background=simulated.background.astype(np.float32),
        wcs=simulated.tile.wcs,
        mask=simulated.tile.mask,
    )


def positions(table):
    return SkyCoord(table["RAJ2000"], table["DEJ2000"])


def clear_sources(simulated):
    """Pick the true point sources that are bright, of a known class, alone, and off the border."""
    here = simulated.truth[simulated.truth["TS"] > 12]
    truth = here[(here["TS"] > 64) & (here["CLASS"] != "") & (here["Extension"] == 0)]
    separation = positions(truth)[:, None].separation(positions(here)[None, :])
    reach = 0.8 * u.deg + here["Extension"]
    (n_y, n_x), border = simulated.tile.shape, 6
    inside = (abs(truth["X"] - n_x / 2) < n_x / 2 - border) & (
        abs(truth["Y"] - n_y / 2) < n_y / 2 - border
    )
    return truth[((separation < reach).sum(axis=1) == 1) & inside]
