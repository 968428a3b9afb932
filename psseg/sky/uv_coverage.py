"""Where an interferometer measures, and what the errors of its antennas do there.

In: a kind of array and the length of an observation. Out: the Fourier plane of an image with the
array's sampling, and with the errors that imperfect calibration leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Coverage", "draw_coverage", "grid_errors"]

LONGEST = 0.8
"""Longest baseline, cycles per FWHM of the beam: the transfer of a Gaussian beam is 0.1 there."""

BLOCKS = 4
"""Times at which the gain errors of an antenna change during an observation."""

CHANNELS = (0.88, 1.0, 1.12)
"""Frequencies of the band, relative: bandwidth synthesis draws the tracks out radially."""

WEIGHTING = (0.03, 3.0)
"""From uniform weights, with rings about sources, to natural ones, with broad wings."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """Baselines of an array over an observation.

    Parameters
    ----------
    u, v : numpy.ndarray, shape (n_times, n_baselines)
        Over the longest.
    first, second : numpy.ndarray of int, shape (n_baselines,)
        Antennas.
    """

    u: np.ndarray
    v: np.ndarray
    first: np.ndarray
    second: np.ndarray


def draw_coverage(rng: np.random.Generator, *, snapshot: bool, arms: int = 3) -> Coverage:
    """Draw an array, where it points, and for how long.

    Parameters
    ----------
    rng : numpy.random.Generator
    snapshot : bool
        An observation of minutes with an array of straight arms; else one of 2 to 11 hours with
        arms, a line or a random array.
    arms : int
        Number of arms.

    Returns
    -------
    Coverage

    Notes
    -----
    Baselines turn with the hour angle as in Thompson, Moran & Swenson 2017, eq. 4.1, for an array
    that is level at a latitude of 34°.
    """
    antennas = _draw_antennas(rng, arms if snapshot or rng.uniform() < 0.4 else 0)
    first, second = np.triu_indices(len(antennas), 1)
    east, north = (antennas[first] - antennas[second]).T
    latitude, declination = np.radians(34), np.arcsin(rng.uniform(-0.3, 0.95))
    hours = rng.uniform(0.03, 0.3) if snapshot else rng.uniform(2, 11)
    middle = rng.uniform(-2, 2) if snapshot else rng.uniform(-0.5, 0.5)
    n_times = 4 if snapshot else 24
    angle = (middle + hours * np.linspace(-0.5, 0.5, n_times))[:, None] * np.pi / 12
    x, y, z = -np.sin(latitude) * north, east, np.cos(latitude) * north
    u = np.sin(angle) * x + np.cos(angle) * y
    v = np.sin(declination) * (np.sin(angle) * y - np.cos(angle) * x) + np.cos(declination) * z
    longest = np.hypot(u, v).max()
    return Coverage(u=u / longest, v=v / longest, first=first, second=second)


def _draw_antennas(rng: np.random.Generator, arms: int) -> np.ndarray:
    """Positions east and north, any unit, shape (n, 2): on arms, on a line or anywhere."""
    if arms:
        along = np.arange(1, rng.integers(5, 10)) ** 1.7
        direction = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(arms) / arms
        units = np.column_stack([np.cos(direction), np.sin(direction)])
        return (along[:, None, None] * units).reshape(-1, 2)
    if rng.uniform() < 0.25:
        east = np.sort(rng.uniform(0, 1, rng.integers(6, 13)))
        return np.column_stack([east, np.zeros_like(east)])
    return rng.standard_normal((rng.integers(16, 27), 2)) * rng.choice([1, 2], (1, 1))


def grid_errors(
    shape: tuple[int, int],
    beam: tuple[float, float, float],
    coverage: Coverage,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Grid an array's sampling and its gain errors for a point source.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x) of the image.
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg: the longest baseline is scaled to it.
    coverage : Coverage
    rng : numpy.random.Generator
        For the errors.

    Returns
    -------
    sampling, errors : numpy.ndarray of complex, shape (n_y, n_x // 2 + 1)
        As `scipy.fft.irfft2` takes them, with weights between natural and uniform.
    """
    u, v = _in_pixels(coverage, beam)
    errors = _gain_errors(coverage, rng)
    n_y, half = shape[0], shape[1] // 2 + 1
    count = np.zeros(n_y * half)
    total = np.zeros(n_y * half, complex)
    for channel in CHANNELS:
        mirrored = u < 0
        sign = np.where(mirrored, -channel, channel)
        row = np.rint(sign * v * n_y).astype(int) % n_y
        column = np.minimum(np.rint(sign * u * shape[1]).astype(int), half - 1)
        cell = (row * half + column).ravel()
        values = np.where(mirrored, errors.conj(), errors).ravel()
        count += np.bincount(cell, minlength=n_y * half)
        total += np.bincount(cell, values.real, n_y * half)
        total += 1j * np.bincount(cell, values.imag, n_y * half)
    robust = np.exp(rng.uniform(*np.log(WEIGHTING)))
    weight = 1 / (count + robust * count[count > 0].mean())
    grids = (count * weight).astype(np.complex64), (total * weight).astype(np.complex64)
    sampling, gridded = (grid.reshape(n_y, half) for grid in grids)
    return sampling, gridded


def _in_pixels(
    coverage: Coverage, beam: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Baselines in cycles per pixel, stretched as the beam is."""
    major, minor, angle = beam
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    along = LONGEST / major * (cosine * coverage.v - sine * coverage.u)
    across = LONGEST / minor * (cosine * coverage.u + sine * coverage.v)
    return cosine * across - sine * along, sine * across + cosine * along


def _gain_errors(coverage: Coverage, rng: np.random.Generator) -> np.ndarray:
    """g_i + g_j* of every visibility; a few antennas are much worse than the others."""
    n_times = len(coverage.u)
    n = int(coverage.second.max()) + 1
    badness = np.exp(rng.normal(0, 1, n))
    mixture = rng.uniform(0, np.pi / 2)  # from amplitude errors alone to phase errors alone
    amplitude, phase = rng.standard_normal((2, BLOCKS, n)) * badness
    gains = np.cos(mixture) * amplitude + 1j * np.sin(mixture) * phase
    gains = gains[np.arange(n_times) * BLOCKS // n_times]
    return gains[:, coverage.first] + gains[:, coverage.second].conj()
