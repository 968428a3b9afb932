"""What pictures, reports and DS9 share: how maps are smoothed, which values are black and white."""

from __future__ import annotations

__all__ = ["GREY_PERCENTILES", "MASKED", "NOISE_LEVELS", "SMOOTHING"]

SMOOTHING = 0.7
"""Sigma, pixels, for counts in pictures: takes the edge off the Poisson noise and leaves the PSF as
it is."""

GREY_PERCENTILES = (0.5, 99.8)
"""Of the pixels with data: shown black and white."""

NOISE_LEVELS = (-3.0, 60.0)
"""Of radio images: shown black and white, in units of the median local rms."""

MASKED = (0.55, 0.45, 0.45)
"""Red, green and blue, 0 to 1, of pixels without data."""
