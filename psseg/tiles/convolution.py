"""Convolve images that have blank pixels with a Gaussian of any width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["convolve"]

_LEAST_WEIGHT = 1e-3  # share of the Gaussian below which too little is left to divide by


def convolve(
    values: NDArray[np.float32], covariance: NDArray[np.float64], *, reach: int
) -> NDArray[np.float32]:
    """Convolve with a Gaussian of unit sum, over blank pixels.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_y, n_x), float32
        NaN where blank.
    covariance : numpy.ndarray, shape (2, 2)
        Of the Gaussian, pixels squared, order (x, y).
    reach : int
        Pixels to which it reaches.

    Returns
    -------
    numpy.ndarray, shape (n_y, n_x), float32
        NaN where `values` is. Elsewhere blank pixels and what lies outside count for nothing.

    Notes
    -----
    The Gaussian is multiplied in Fourier space, exp(-2 pi^2 k C k), so that it keeps its width
    where it is narrower than a pixel.
    """
    valid = np.isfinite(values)
    shape = [fft.next_fast_len(length + reach, real=True) for length in values.shape]
    k_y = fft.fftfreq(shape[0])[:, np.newaxis]
    k_x = fft.rfftfreq(shape[1])
    form = covariance[0, 0] * k_x**2 + 2 * covariance[0, 1] * k_x * k_y + covariance[1, 1] * k_y**2
    transfer = np.exp(-2 * np.pi**2 * form).astype(np.float32)

    def smooth(array: NDArray[np.float32]) -> NDArray[np.float32]:
        spectrum = fft.rfft2(array, s=shape)
        spectrum *= transfer
        return fft.irfft2(spectrum, s=shape)[: values.shape[0], : values.shape[1]]

    result = smooth(np.where(valid, values, np.float32(0)))
    result /= np.maximum(smooth(valid.astype(np.float32)), _LEAST_WEIGHT)
    result[~valid] = np.nan
    return result
