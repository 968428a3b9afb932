"""Images of Gaussian components as an interferometer shows them, and noise with its texture.

In: positions, fluxes and shapes of components, and a beam. Out: an image in Jy/beam. Angles are
those of images: from +y towards -x, anticlockwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = [
    "Gaussians",
    "beam_noise",
    "beam_transfer",
    "box_around",
    "convolve_components",
    "draw_noise_width",
    "ellipse_covariance",
    "pixels_of",
    "render_components",
]

REACH = (3.0, 6.0)
"""Standard deviations out to which a component is drawn: at least, at most."""

LARGEST_BATCH = 32
"""Half-width, pixels, of the largest stamps that are computed many at a time."""

BATCH_PIXELS = 1_000_000
"""Pixels computed at a time."""

NOISE_WIDTH = (0.8, 1.4)
"""FWHM of the noise's autocorrelation over the beam's.

Measured where the noise of real tiles is free of stripes and diffuse emission: FIRST 0.95, 1.19;
PyBDSF's test field 1.05 (V 0.95); VLASS 1.17; LOFAR snapshot 1.13; AMI 0.86; NVSS 1.30; Parkes
1.44.
"""

FINE_NOISE_WIDTH = 0.5
"""The same where noise is finer than the restoring beam: DeepSource's simulated image 0.51."""

FINE_NOISE = 0.1
"""Share of images with noise down to `FINE_NOISE_WIDTH`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gaussians:
    """Elliptical Gaussians in an image.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        Centres, pixels.
    peak : numpy.ndarray, shape (n,)
        Highest value of each.
    covariance : numpy.ndarray, shape (n, 3)
        Variance along x, covariance, variance along y, pixels².
    """

    x: np.ndarray
    y: np.ndarray
    peak: np.ndarray
    covariance: np.ndarray

    def __len__(self) -> int:
        """Count the Gaussians."""
        return len(self.x)

    def select(self, index: np.ndarray) -> Gaussians:
        """Give some of them."""
        return Gaussians(
            x=self.x[index],
            y=self.y[index],
            peak=self.peak[index],
            covariance=self.covariance[index],
        )

    @cached_property
    def precision(self) -> np.ndarray:
        """Inverse covariances, shape (n, 3)."""
        xx, xy, yy = self.covariance.T
        return np.column_stack([yy, -xy, xx]) / (xx * yy - xy**2)[:, None]

    def half_widths(self, ratio: np.ndarray) -> np.ndarray:
        """Half-widths x and y, (n, 2), of boxes beyond which they are below their peak / `ratio`.

        Within the limits of `REACH`.
        """
        reach = np.clip(np.sqrt(2 * np.log(np.maximum(ratio, 1.0))), *REACH)
        return np.ceil(reach[:, None] * np.sqrt(self.covariance[:, ::2])).astype(int)

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Give the shape of each, 1 at its centre, at columns `x` and rows `y`.

        Pixels, of shapes (n_x,) and (n_y,), or (n, n_x) and (n, n_y): float32, (n, n_y, n_x).
        """
        dx = (x - self.x[:, None]).astype(np.float32)
        dy = (y - self.y[:, None]).astype(np.float32)
        xx, xy, yy = (-0.5 * self.precision).astype(np.float32).T[:, :, None]
        values = (2 * xy * dy)[:, :, None] * dx[:, None, :]
        values += (xx * dx**2)[:, None, :]
        values += (yy * dy**2)[:, :, None]
        return np.exp(values, out=values)


def ellipse_covariance(
    major: np.ndarray | float, minor: np.ndarray | float, angle: np.ndarray | float
) -> np.ndarray:
    """Give the covariances of elliptical Gaussians.

    Parameters
    ----------
    major, minor : float or numpy.ndarray, shape (n,)
        FWHM, pixels.
    angle : float or numpy.ndarray, shape (n,)
        Of the major axis, from +y towards -x, deg.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        Variance along x, covariance, variance along y, pixels²; shape (3,) for floats.
    """
    a, b = (np.asarray(width) ** 2 / FWHM_PER_SIGMA**2 for width in (major, minor))
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    terms = (a * sine**2 + b * cosine**2, (b - a) * sine * cosine, a * cosine**2 + b * sine**2)
    return np.stack(terms, axis=-1)


def convolve_components(
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    shape: tuple[np.ndarray, np.ndarray, np.ndarray],
    beam: tuple[float, float, float],
) -> Gaussians:
    """Convolve elliptical Gaussians with an elliptical Gaussian beam: their covariances add.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        Pixels.
    flux : numpy.ndarray, shape (n,)
        Integrated flux densities, Jy.
    shape : tuple of numpy.ndarray, each of shape (n,)
        Intrinsic FWHM of major and minor axis, pixels (0 for a point), and angle, deg.
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.

    Returns
    -------
    Gaussians
        With peaks in Jy/beam: the flux times the solid angle of the beam over that of the convolved
        Gaussian.
    """
    blur = ellipse_covariance(*beam)
    covariance = ellipse_covariance(*shape) + blur
    return Gaussians(
        x=x,
        y=y,
        peak=flux * np.sqrt(_determinant(blur) / _determinant(covariance)),
        covariance=covariance,
    )


def _determinant(covariance: np.ndarray) -> np.ndarray:
    xx, xy, yy = np.moveaxis(covariance, -1, 0)
    return xx * yy - xy**2


def render_components(
    gaussians: Gaussians,
    shape: tuple[int, int],
    *,
    floor: np.ndarray,
    factors: np.ndarray | None = None,
) -> np.ndarray:
    """Draw Gaussians on empty planes.

    Parameters
    ----------
    gaussians : Gaussians
        Any number, inside and outside the image.
    shape : tuple of int
        (n_y, n_x).
    floor : numpy.ndarray, shape (n_planes,)
        Values below which Gaussians may be cut off: a hundredth of the noise, say.
    factors : numpy.ndarray, shape (n_planes, n), optional
        Factors on the peaks in each plane, any sign; 1 by default.

    Returns
    -------
    numpy.ndarray of float32, shape (n_planes, n_y, n_x)
        Values at the centres of the pixels: a radio image is a grid of samples.
    """
    if factors is None:
        factors = np.ones((len(floor), len(gaussians)))
    peaks = (gaussians.peak * factors).astype(np.float32)
    (n_y, n_x), margin = shape, 2 * LARGEST_BATCH + 2
    planes = np.zeros((len(floor), n_y + 2 * margin, n_x + 2 * margin), np.float32)
    half = gaussians.half_widths((np.abs(peaks) / np.asarray(floor)[:, None]).max(axis=0))
    seen = (gaussians.x > -half[:, 0]) & (gaussians.x < n_x - 1 + half[:, 0])
    seen &= (gaussians.y > -half[:, 1]) & (gaussians.y < n_y - 1 + half[:, 1])
    largest = half.max(axis=1)
    # Four sizes per octave: a stamp has at most 1.4 times the pixels that it needs.
    size = np.ceil(2 ** (np.ceil(4 * np.log2(np.maximum(largest, 2))) / 4)).astype(int)
    for step in np.unique(size[seen & (size <= LARGEST_BATCH)]).tolist():
        index = np.flatnonzero(seen & (size == step))
        _add_stamps(planes, gaussians.select(index), peaks[:, index], step, margin)
    inner = planes[:, margin:-margin, margin:-margin]
    for number in np.flatnonzero(seen & (size > LARGEST_BATCH)).tolist():
        one = gaussians.select(np.array([number]))
        area = box_around(one, half[[number]], shape)
        values = one.evaluate(*pixels_of(area))
        inner[:, *area] += peaks[:, number, None, None] * values
    return np.ascontiguousarray(inner)


def _add_stamps(
    planes: np.ndarray, gaussians: Gaussians, peaks: np.ndarray, half: int, margin: int
) -> None:
    """Add Gaussians on square stamps, a batch at a time, to planes with a margin."""
    width = 2 * half + 1
    offset = np.arange(-half, half + 1)
    batch = max(BATCH_PIXELS // width**2, 1)
    for start in range(0, len(gaussians), batch):
        index = np.arange(start, min(start + batch, len(gaussians)))
        some = gaussians.select(index)
        column, row = np.rint(some.x).astype(int), np.rint(some.y).astype(int)
        shapes = some.evaluate(column[:, None] + offset, row[:, None] + offset)
        places = ((row + margin - half).tolist(), (column + margin - half).tolist())
        for plane, peak in zip(planes, peaks[:, index, None, None], strict=True):
            # Most sources have no circular polarisation to speak of.
            if not peak.any():
                continue
            for top, left, stamp in zip(*places, shapes * peak, strict=True):
                plane[top : top + width, left : left + width] += stamp


def box_around(
    gaussians: Gaussians, half_widths: np.ndarray, shape: tuple[int, int]
) -> tuple[slice, slice]:
    """Give the part of an image that holds some Gaussians.

    Parameters
    ----------
    gaussians : Gaussians
    half_widths : numpy.ndarray of int, shape (n, 2)
        Along x and y.
    shape : tuple of int
        (n_y, n_x) of the image.

    Returns
    -------
    rows, columns : slice
    """
    centres = np.column_stack([gaussians.x, gaussians.y])
    low = np.floor(centres).astype(int) - half_widths
    high = np.ceil(centres).astype(int) + half_widths + 1
    limits = np.array(shape[::-1])
    starts = np.clip(low.min(axis=0), 0, limits).tolist()
    stops = np.clip(high.max(axis=0), 0, limits).tolist()
    columns, rows = (slice(*ends) for ends in zip(starts, stops, strict=True))
    return rows, columns


def pixels_of(area: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Give the columns x and rows y of a part of an image."""
    rows, columns = area
    return np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)


def beam_transfer(
    shape: tuple[int, int], beam: tuple[float, float, float], *, width: float = 1.0
) -> np.ndarray:
    """Fourier transform of a Gaussian of unit integral, on the grid of `scipy.fft.rfft2`.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x) of the image.
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.
    width : float
        Factor on both axes.

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x // 2 + 1)
    """
    xx, xy, yy = (-2 * (np.pi * width) ** 2 * ellipse_covariance(*beam)).astype(np.float32)
    v = fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    u = fft.rfftfreq(shape[1]).astype(np.float32)
    exponent = (2 * xy * v) * u
    exponent += xx * u**2
    exponent += yy * v**2
    return np.exp(exponent, out=exponent)


def draw_noise_width(rng: np.random.Generator) -> float:
    """Draw how wide the noise's autocorrelation is: its FWHM over the beam's."""
    low, high = (FINE_NOISE_WIDTH, 1.0) if rng.uniform() < FINE_NOISE else NOISE_WIDTH
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def beam_noise(
    shape: tuple[int, int],
    beam: tuple[float, float, float],
    rng: np.random.Generator,
    *,
    width: float = 1.0,
) -> np.ndarray:
    """Draw noise of unit variance with the texture of an interferometer's.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    beam : tuple of float
        FWHM of major and minor axis, pixels, and angle, deg.
    rng : numpy.random.Generator
    width : float
        FWHM of the autocorrelation over that of the beam; `draw_noise_width` draws it.

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x)

    Notes
    -----
    Noise that is independent from visibility to visibility has the dirty beam as its
    autocorrelation in the image (Refregier & Brown 1998, astro-ph/9803279). A Gaussian of the
    restoring beam's size stands in for it: white noise is convolved with the Gaussian whose own
    autocorrelation that is, narrower by sqrt(2). Where an image was convolved to its beam after
    imaging, the autocorrelation is wider than the beam by up to sqrt(2), which is `width`. The
    dirty beam's negative ring and stripes are left out.
    """
    margin = int(np.ceil(2 * width * beam[0]))
    padded = tuple(fft.next_fast_len(n + margin, real=True) for n in shape)
    transfer = beam_transfer(padded, beam, width=width / np.sqrt(2))
    white = rng.standard_normal(padded, dtype=np.float32)
    noise = fft.irfft2(fft.rfft2(white) * transfer, s=padded)[: shape[0], : shape[1]]
    return noise / np.float32(_rms_gain(transfer, padded[1]))


def _rms_gain(transfer: np.ndarray, n_x: int) -> float:
    """Rms of white noise of unit variance after a real filter, from half its plane."""
    power = np.square(transfer, dtype=float)
    last = -1 if n_x % 2 == 0 else None
    total = 2 * power.sum() - power[:, 0].sum()
    total -= power[:, last].sum() if last else 0.0
    return float(np.sqrt(total / (transfer.shape[0] * n_x)))
