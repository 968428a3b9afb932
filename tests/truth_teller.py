"""The answer of a network that knows the truth of a simulated tile."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from psseg.survey.classes import IGNORED

SURE = 0.97
"""How sure the truth-teller is of a source pixel's class."""


def truthful_labels(simulated):
    """Give the label map of a network that knows the truth."""
    classes = np.where(simulated.class_map == IGNORED, 0, simulated.class_map)
    probabilities = np.full((4, *classes.shape), (1 - SURE) / 3, dtype=np.float32)
    np.put_along_axis(probabilities, classes[None].astype(np.intp), SURE, axis=0)
    probabilities[:, simulated.tile.mask] = np.nan
    return SimpleNamespace(
        class_probabilities=probabilities,
        background=simulated.background.astype(np.float32),
        wcs=simulated.tile.wcs,
        mask=simulated.tile.mask,
    )
