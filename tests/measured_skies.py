"""Skies as a perfect network and the measurement see them."""

from __future__ import annotations

import numpy as np
from made_skies import SURVEY

from psseg.catalogue.measurement import measure_counts
from psseg.catalogue.segmentation import find_segments


def measure(sky, **options):
    """Segment and measure a made sky."""
    segments = find_segments(
        sky.source_probability, threshold=0.5, pixel_scale=0.1, psf_radius=0.25
    )
    table, segments = measure_counts(
        sky.tile, sky.background, sky.class_probabilities, segments, SURVEY, **options
    )
    return segments, table


def in_order(table, x, y):
    """Rows of the sources nearest to each true position."""
    distance = np.hypot(np.subtract.outer(table["X"], x), np.subtract.outer(table["Y"], y))
    nearest = np.argmin(distance, axis=0)
    assert len(set(nearest)) == len(x)
    assert distance.min(axis=0).max() < 4
    return table[nearest]
