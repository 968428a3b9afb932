"""Sidelobes that cleaning left about sources, and the bowls about extended emission.

In: an image of the sources in Jy/beam. Out: what is to be added to it. Sidelobes come from
simulated antennas: the errors of their gains leave the same rings and spokes as real ones.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from psseg.sky.radio_observation import ArtefactLevels
from psseg.sky.radio_rendering import beam_transfer, ellipse_covariance
from psseg.sky.uv_coverage import Coverage, draw_coverage, grid_errors
from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = ["response_errors", "sidelobe_pattern"]

LARGEST_PATTERN = 512
"""Pixels to which the pattern of sidelobes is cut: on larger images it has faded there."""

SMALL = 256
"""Pixels up to which an image's sidelobes may come back on its other side."""

FAINTEST = 0.03
"""Transfer of the beam below which the sky is not deconvolved any further."""


def sidelobe_pattern(
    shape: tuple[int, int],
    beam: tuple[float, float, float],
    coverage: Coverage,
    rng: np.random.Generator,
    *,
    reach: float,
) -> np.ndarray:
    """Draw the residual sidelobes of a source of unit peak.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x), both even.
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.
    coverage : Coverage
        Where the array measures.
    rng : numpy.random.Generator
    reach : float
        Beams from which on they fade.

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)
        About pixel (0, 0), periodic, 0 half a period away; the highest or deepest point is 1 or
        -1.

    Notes
    -----
    What calibration leaves of antenna i's gain error g_i changes the visibility of a point source
    by g_i + g_j* (Perley 1999, ASPC 180, 275): amplitude errors give symmetric, phase errors
    antisymmetric patterns. The dirty beam itself is added for what CLEAN left behind.
    """
    kept, errors = (fft.irfft2(grid, s=shape) for grid in grid_errors(shape, beam, coverage, rng))
    share = rng.beta(0.5, 0.5)
    pattern = share * kept / _highest(kept) + (1 - share) * errors / _highest(errors)
    distance = _beams_away(shape, beam)
    pattern *= 1 - np.exp(-(distance**2))  # the main lobe is the source itself
    pattern /= 1 + distance / reach
    pattern *= _window(shape)
    return (pattern / _highest(pattern)).astype(np.float32)


def _window(shape: tuple[int, int]) -> np.ndarray:
    """1 near pixel (0, 0), periodic, falling to 0 half the shorter side away."""
    y, x = (fft.fftfreq(n, min(shape) / (2 * n)).astype(np.float32) for n in shape)
    distance = np.minimum(np.hypot(y[:, None], x), 1)
    return np.cos(np.pi * np.maximum(distance - 0.5, 0)) ** 2


def _highest(image: np.ndarray) -> float:
    return max(float(np.abs(image).max()), np.finfo(float).tiny)


def _beams_away(shape: tuple[int, int], beam: tuple[float, float, float]) -> np.ndarray:
    """Distance of every pixel from pixel (0, 0), periodic, in FWHM of the beam."""
    xx, xy, yy = ellipse_covariance(*beam) * FWHM_PER_SIGMA**2
    y, x = (fft.fftfreq(n, 1 / n).astype(np.float32) for n in shape)
    squared = (yy * x**2)[None] + (xx * y**2)[:, None] - (2 * xy * y)[:, None] * x
    return np.sqrt(np.maximum(squared, 0) / (xx * yy - xy**2)).astype(np.float32)


def response_errors(
    images: np.ndarray,
    beam: tuple[float, float, float],
    levels: ArtefactLevels,
    rng: np.random.Generator,
    *,
    gains: np.ndarray,
    bowls: np.ndarray,
    visible: np.ndarray,
) -> np.ndarray:
    """Give the sidelobes of all sources and the bowls about them.

    Parameters
    ----------
    images : numpy.ndarray, shape (n, n_y, n_x)
        Noiseless sources, Jy/beam, with a margin: what lies there has sidelobes as well. An image
        of up to `SMALL` pixels is taken as periodic: sidelobes that leave it come back on the other
        side, as those of sources beyond it would.
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.
    levels : ArtefactLevels
    rng : numpy.random.Generator
    gains : numpy.ndarray, shape (n,)
        Factor on the amplitude of the sidelobes in each image.
    bowls : numpy.ndarray of bool, shape (n,)
        Which images have bowls.
    visible : numpy.ndarray, shape (n,)
        Jy/beam: images whose artefacts stay below have none.

    Returns
    -------
    numpy.ndarray of float32, shape (n, n_y, n_x)
        Jy/beam, to be added.
    """
    added = np.zeros_like(images, dtype=np.float32)
    peaks = images.max(axis=(1, 2))
    amplitudes = gains * levels.sidelobe_amplitude
    depths = np.where(bowls, levels.bowl_depth, 0.0)
    strongest = np.maximum(amplitudes, depths)
    chosen = np.flatnonzero(peaks * strongest > visible)
    if not len(chosen):
        return added
    n_y, n_x = images.shape[1:]
    shape = _grown(n_y), _grown(n_x)
    coverage = draw_coverage(rng, snapshot=levels.snapshot, arms=-(-levels.spokes // 2))
    transfer = np.maximum(beam_transfer(shape, beam), FAINTEST)
    bowl = beam_transfer(shape, beam, width=levels.bowl_width)
    patch = tuple(min(n - n % 2, LARGEST_PATTERN) for n in (n_y, n_x))
    for number in chosen.tolist():
        pattern = sidelobe_pattern(patch, beam, coverage, rng, reach=levels.sidelobe_reach)
        sky = fft.rfft2(images[number], s=shape) / transfer
        kernel = fft.rfft2(_spread_out(pattern, shape))
        lobes = fft.irfft2(sky * kernel, s=shape)[:n_y, :n_x]
        # Flux per pixel becomes Jy/beam: the pattern is that of a source of unit peak and flux.
        added[number] = amplitudes[number] / _beam_area(beam) * lobes
        if depths[number]:
            hollow = fft.irfft2(sky * bowl, s=shape)[:n_y, :n_x]
            added[number] -= depths[number] * peaks[number] / _highest(hollow) * hollow
    return added


def _grown(n: int) -> int:
    """Length of an axis with room for the sidelobes that leave a larger image."""
    return n if n <= SMALL else fft.next_fast_len(n + LARGEST_PATTERN // 2, real=True)


def _beam_area(beam: tuple[float, float, float]) -> float:
    """Pixels per beam."""
    return float(np.pi / (4 * np.log(2)) * beam[0] * beam[1])


def _spread_out(pattern: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Put a periodic pattern about pixel (0, 0) on a larger grid."""
    grid = np.zeros(shape, np.float32)
    rows, columns = (fft.fftfreq(n, 1 / n).astype(int) for n in pattern.shape)
    grid[np.ix_(rows, columns)] = pattern
    return grid
