"""What interferometers add to their images: uneven noise, diffuse emission, leakage, blank borders.

In: the shape of an image and how strong each artefact is. Out: what is to be added to it, the local
rms of its noise, and which pixels are blank. Sidelobes have their own file,
:mod:`psseg.sky.radio_sidelobes`.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from psseg.sky.radio_observation import ArtefactLevels
from psseg.sky.radio_rendering import beam_noise, beam_transfer

__all__ = [
    "blank_border",
    "bright_factor",
    "diffuse_emission",
    "leakage_map",
    "rms_map",
    "stripes",
]

LARGEST_SCALE = (15.0, 150.0)
"""Beams, largest scale of diffuse emission that the shortest baselines let through: ours."""

VARIATION_SCALE = (60.0, 250.0)
"""Pixels between independent values of the smooth change of the noise: ours."""

SCALLOP_PITCH = (150.0, 1500.0)
"""Pixels between the beams of a phased-array feed: 0.9 to 1.05 deg of 2.5" are 1300 to 1500."""


def rms_map(shape: tuple[int, int], levels: ArtefactLevels, rng: np.random.Generator) -> np.ndarray:
    """Draw how the noise varies across an image, bright sources aside.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    levels : ArtefactLevels
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)
        Local rms over the typical one.
    """
    relative = np.exp(levels.rms_variation * _smooth_field(shape, rng))
    if levels.rms_scallop:
        relative *= 1 + levels.rms_scallop * _scallops(shape, rng)
    if levels.edge_rise > 1:
        relative *= _edge(shape, levels.edge_rise, rng)
    return relative


def bright_factor(
    shape: tuple[int, int],
    bright: tuple[np.ndarray, np.ndarray, np.ndarray],
    levels: ArtefactLevels,
    *,
    beam: tuple[float, float, float],
) -> np.ndarray:
    """Give how much bright sources raise the noise about them.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    bright : tuple of numpy.ndarray
        Positions x and y, pixels, and peaks over the typical rms, of sources or their components.
    levels : ArtefactLevels
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)
        Factor on the rms, 1 far from all; where two are near, the stronger counts.
    """
    scale = levels.bright_reach * float(np.sqrt(beam[0] * beam[1]))
    height = levels.bright_rms * np.log10(np.maximum(bright[2] / levels.bright_snr, 1))
    factor = np.ones(shape, np.float32)
    for number in np.flatnonzero(height > 0).tolist():
        x, y = bright[0][number], bright[1][number]
        area = tuple(
            slice(max(int(at - 5 * scale), 0), max(int(at + 5 * scale), 0)) for at in (y, x)
        )
        part = factor[area]
        dy = np.arange(area[0].start, area[0].start + part.shape[0]) - y
        dx = np.arange(area[1].start, area[1].start + part.shape[1]) - x
        raised = 1 + height[number] * np.exp(-np.hypot(dy[:, None], dx) / scale)
        np.maximum(part, raised, out=part, casting="same_kind")
    return factor


def _smooth_field(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Random field of unit rms on average, smooth on a scale that is drawn."""
    scale = rng.uniform(*VARIATION_SCALE)
    rows, columns = (_bumps(n, scale) for n in shape)
    nodes = rng.standard_normal((rows.shape[1], columns.shape[1])).astype(np.float32)
    return rows @ nodes @ columns.T


def _bumps(n: int, scale: float) -> np.ndarray:
    """Gaussians about nodes one `scale` apart, squares summing to 1: shape (n, nodes)."""
    nodes = np.arange(-2, n / scale + 3) + 0.5 * (n / scale % 1)
    weights = np.exp(-((np.arange(n)[:, None] / scale - nodes) ** 2))
    return (weights / np.sqrt((weights**2).sum(axis=1))[:, None]).astype(np.float32)


def _scallops(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Hexagonal pattern between -0.5 and 1."""
    pitch, turn = rng.uniform(*SCALLOP_PITCH), rng.uniform(0, np.pi / 3)
    shift = rng.uniform(0, 2 * np.pi, 2)
    wave = 4 * np.pi / (np.sqrt(3) * pitch)
    phases = (*shift, -shift.sum())  # phases that add up to zero move the pattern as a whole
    waves = zip(turn + np.arange(3) * 2 * np.pi / 3, phases, strict=True)
    return np.mean([_plane_wave(shape, wave, angle, phase) for angle, phase in waves], axis=0)


def _plane_wave(shape: tuple[int, int], wave: float, angle: float, phase: float) -> np.ndarray:
    """Cosine of unit amplitude; `wave` in radians per pixel."""
    y = np.exp(1j * wave * np.sin(angle) * np.arange(shape[0])).astype(np.complex64)
    x = np.exp(1j * (wave * np.cos(angle) * np.arange(shape[1]) + phase)).astype(np.complex64)
    return np.outer(y.real, x.real) - np.outer(y.imag, x.imag)


def _edge(shape: tuple[int, int], rise: float, rng: np.random.Generator) -> np.ndarray:
    """1 / primary beam, 1 at its centre, which lies on the image, and `rise` at the far corner."""
    centre = [rng.uniform(0, n - 1) for n in shape]
    y, x = (np.arange(n, dtype=np.float32) - c for n, c in zip(shape, centre, strict=True))
    rate = np.float32(np.log(rise) / ((y**2).max() + (x**2).max()))
    return np.outer(np.exp(rate * y**2), np.exp(rate * x**2))


def diffuse_emission(
    shape: tuple[int, int],
    beam: tuple[float, float, float],
    rng: np.random.Generator,
    *,
    slope: float,
) -> np.ndarray:
    """Draw diffuse emission: a Gaussian random field of unit rms.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.
    rng : numpy.random.Generator
    slope : float
        Power falls as k^-slope, between the beam and a largest scale that is drawn.

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)
        Of mean 0: an interferometer does not see the mean.
    """
    width = float(np.sqrt(beam[0] * beam[1]))
    longest = np.exp(rng.uniform(*np.log(LARGEST_SCALE))) * width
    padded = tuple(
        fft.next_fast_len(2 * n if n < longest else n + n // 4, real=True) for n in shape
    )
    v, u = fft.fftfreq(padded[0])[:, None], fft.rfftfreq(padded[1])
    k2 = (u**2 + v**2).astype(np.float32)
    amplitude = beam_transfer(padded, beam) * (k2 + longest**-2) ** (-slope / 4)
    amplitude *= -np.expm1(-k2 * longest**2)
    field = fft.irfft2(
        fft.rfft2(rng.standard_normal(padded, dtype=np.float32)) * amplitude, s=padded
    )
    field = field[: shape[0], : shape[1]] - field[: shape[0], : shape[1]].mean()
    return (field / field.std()).astype(np.float32)


def stripes(
    shape: tuple[int, int], beam: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Draw stripes of unit rms, from a bad baseline or two.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)
    """
    total = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        wave = 2 * np.pi * rng.uniform(0.1, 0.7) / beam[0]
        angle = rng.uniform(0, np.pi)
        envelope = beam_noise(shape, (10 * beam[0], 5 * beam[0], rng.uniform(0, 180)), rng)
        total += envelope * _plane_wave(shape, wave, angle, rng.uniform(0, 2 * np.pi))
    return total / total.std()


def leakage_map(
    shape: tuple[int, int], levels: ArtefactLevels, rng: np.random.Generator
) -> np.ndarray:
    """Give V over I from leakage, growing outwards from a field centre on the image.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    levels : ArtefactLevels
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)
    """
    y, x = (np.linspace(-1, 1, n) - rng.uniform(-1, 1) for n in shape)
    distance = np.hypot(y[:, None], x) / np.sqrt(2)
    return (levels.leakage * (1 + levels.leakage_growth * distance)).astype(np.float32)


def blank_border(shape: tuple[int, int], share: float, rng: np.random.Generator) -> np.ndarray:
    """Draw which pixels of an image are blank: all beyond a straight or a round border.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    share : float
        Part of the image that is blank, 0 to 1.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of bool, shape (n_y, n_x)
        True where blank.
    """
    if share <= 0:
        return np.zeros(shape, bool)
    y, x = np.arange(shape[0])[:, None] - shape[0] / 2, np.arange(shape[1]) - shape[1] / 2
    angle = rng.uniform(0, 2 * np.pi)
    radius = rng.uniform(0.5, 3) * max(shape)
    straight = rng.uniform() < 0.5
    depth = (
        np.cos(angle) * x + np.sin(angle) * y
        if straight
        else np.hypot(x + radius * np.cos(angle), y + radius * np.sin(angle))
    )
    if rng.uniform() < 0.3:  # scans end raggedly
        depth = depth + rng.uniform(0, 6) * np.sign(np.sin(y * rng.uniform(0.3, 1)))
    return depth > np.quantile(depth, 1 - share)
