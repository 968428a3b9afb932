"""What a network for radio planes is told of the whole map."""

from __future__ import annotations

import numpy as np

__all__ = ["N_CONTEXT", "map_context"]

N_CONTEXT = 5
"""Numbers that hold for a whole map: lever arm; size, axis ratio and orientation of the beam."""

TYPICAL_BEAM = 4.0
"""Pixels (FWHM) that maps are resampled to: where the context is zero."""


def map_context(beam_pixels: tuple[float, float, float], lever_arm: float) -> np.ndarray:
    """Give what the network is told of a whole map.

    Parameters
    ----------
    beam_pixels : tuple of float
        FWHM of the beam along its axes, pixels, and the angle of the major one, deg.
    lever_arm : float
        Natural logarithm of the ratio of the two frequencies; 0 for one.

    Returns
    -------
    numpy.ndarray of float32, shape (N_CONTEXT,)
        Lever arm; logarithm of the beam's mean FWHM over 4 pixels; logarithm of its axis ratio,
        alone and times cosine and sine of twice the angle.
    """
    major, minor, angle = beam_pixels
    stretch, twice = np.log(major / minor), np.radians(2 * angle)
    size = 0.5 * np.log(major * minor) - np.log(TYPICAL_BEAM)
    values = (lever_arm, size, stretch, stretch * np.cos(twice), stretch * np.sin(twice))
    return np.array(values, np.float32)
