"""A training set of radio tiles: many simulated images as noiseless network planes on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from psseg.sky.radio_rendering import beam_noise, draw_noise_width
from psseg.sky.radio_simulation import RadioSky, noiseless_sky
from psseg.sky.stored_tiles import Layout, store_tiles
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.survey import AnySurvey
from psseg.tiles.network_planes import TYPICAL_INDEX
from psseg.tiles.noise import measure_noise

__all__ = [
    "RadioTrainingTiles",
    "add_plane_noise",
    "noiseless_planes",
    "simulate_radio_training_tiles",
]

LARGEST = 6e4
"""Largest value in units of the noise: half precision ends at 65504."""


@dataclass(frozen=True, kw_only=True)
class RadioTrainingTiles:
    """Tiles on disk, memory-mapped.

    Parameters
    ----------
    planes : numpy.ndarray of float16, shape (n, n_y, n_x, 3)
        Network planes without noise, in units of the noise, as :func:`noiseless_planes` gives them;
        cut at ±6e4.
    beam : numpy.ndarray of float32, shape (n, 3)
        FWHM of major and minor axis, pixels, and angle, deg.
    present : numpy.ndarray of bool, shape (n, 3)
    lever_arm : numpy.ndarray of float32, shape (n,)
    tilt_correlation : numpy.ndarray of float32, shape (n,)
        Correlation of the tilt's noise with that of Stokes I, which is one of its two terms.
    class_map : numpy.ndarray of uint8, shape (n, n_y, n_x)
    mask : numpy.ndarray of bool, shape (n, n_y, n_x)
        True where blank.
    """

    planes: np.ndarray
    beam: np.ndarray
    present: np.ndarray
    lever_arm: np.ndarray
    tilt_correlation: np.ndarray
    class_map: np.ndarray
    mask: np.ndarray

    def __len__(self) -> int:
        """Count the tiles."""
        return len(self.class_map)


def noiseless_planes(sky: RadioSky) -> tuple[np.ndarray, np.ndarray, float]:
    """Give the network planes of an image without noise.

    Parameters
    ----------
    sky : RadioSky

    Returns
    -------
    planes : numpy.ndarray of float32, shape (n_y, n_x, 3)
        Stokes I over its rms; the excess of the higher frequency over the lower one, extrapolated
        with the index of a source without tilt, over the rms of that; V over its rms. 0 where
        absent or blank. Backgrounds are still in.
    present : numpy.ndarray of bool, shape (3,)
    tilt_correlation : float
        Of the noise of the first two planes, of which the first is a term of the second.
    """
    observation, signal, rms = sky.observation, sky.signal, sky.rms
    planes = np.zeros((*sky.mask.shape, 3), np.float32)
    planes[..., 0] = signal[0] / rms[0]
    second, correlation = observation.second, 0.0
    if second is not None:
        ratio = observation.frequency_ratio
        factor, sign = np.float32(ratio**TYPICAL_INDEX), np.sign(np.float32(ratio - 1))
        noise = np.hypot(rms[second], factor * rms[0])
        planes[..., 1] = sign * (signal[second] - factor * signal[0]) / noise
        correlation = -float(sign * np.median(factor * rms[0] / noise))
    is_v = observation.stokes[-1] == "V"
    if is_v:
        planes[..., 2] = signal[-1] / rms[-1]
    planes[sky.mask] = 0
    return planes, np.array([True, second is not None, is_v]), correlation


def add_plane_noise(
    planes: np.ndarray,
    beam: np.ndarray,
    present: np.ndarray,
    rng: np.random.Generator,
    *,
    tilt_correlation: float = 0.0,
) -> np.ndarray:
    """Add noise to one tile's network planes, then take off the background and measure the rms.

    Parameters
    ----------
    planes : numpy.ndarray, shape (n_y, n_x, 3)
        Without noise, in units of the noise.
    beam : numpy.ndarray, shape (3,)
        FWHM of major and minor axis, pixels, and angle, deg.
    present : numpy.ndarray of bool, shape (3,)
        Planes that get noise.
    rng : numpy.random.Generator
    tilt_correlation : float
        Of the noise of the tilt and of Stokes I.

    Returns
    -------
    numpy.ndarray of float32, shape (n_y, n_x, 3)

    Notes
    -----
    The noise has the texture of :func:`~psseg.sky.radio_rendering.beam_noise`, of a width that is
    drawn. Background and rms are measured as those of images that are labelled, by
    :func:`~psseg.tiles.noise.measure_noise`: sidelobes and sources too faint to be told apart count
    for the rms. Those of the tilt are measured on itself, not on its two terms.
    """
    major, minor, angle = (float(value) for value in beam)
    width = draw_noise_width(rng)
    noisy, first = np.zeros(planes.shape, np.float32), np.zeros(1, np.float32)
    for number in np.flatnonzero(present).tolist():
        noise = beam_noise(planes.shape[:2], (major, minor, angle), rng, width=width)
        if number == 0:
            first = noise
        elif number == 1:
            noise *= np.float32(np.sqrt(1 - tilt_correlation**2))
            noise += np.float32(tilt_correlation) * first
        plane = planes[..., number].astype(np.float32) + noise
        noisy[..., number] = _significance(plane, float(np.sqrt(major * minor)), signed=number > 0)
    return noisy


def _significance(plane: np.ndarray, fwhm: float, *, signed: bool) -> np.ndarray:
    mesh = measure_noise(plane, fwhm, signed=signed)
    rms, mean = mesh.interpolate(*(np.arange(n) for n in plane.shape))
    return (plane - mean) / rms


def simulate_radio_training_tiles(
    survey: ContinuumSurvey,
    folder: Path,
    *,
    n_tiles: int,
    seed: int,
    shape: tuple[int, int] = (128, 128),
    mix: str = "balanced",
    workers: int = 2,
    progress: bool = False,
) -> RadioTrainingTiles:
    """Simulate tiles to disk, or open them where this was done before.

    Parameters
    ----------
    survey : ContinuumSurvey
    folder : pathlib.Path
        Where they go; about 0.13 MB a tile of 128².
    n_tiles, seed : int
    shape : tuple of int
        (n_y, n_x).
    mix : str
        As in :func:`~psseg.sky.radio_simulation.simulate_image`.
    workers : int
        Processes. A script that calls this needs the usual ``if __name__ == "__main__":``, as they
        are started afresh.
    progress : bool
        Show a bar.

    Returns
    -------
    RadioTrainingTiles

    Raises
    ------
    PssegError
        If the disk has no room for them.
    """
    arrays = store_tiles(
        survey,
        folder,
        _draw_tile,
        _layout(shape),
        n_tiles=n_tiles,
        seed=seed,
        shape=shape,
        mix=mix,
        workers=workers,
        progress=progress,
    )
    return RadioTrainingTiles(**arrays)


def _layout(shape: tuple[int, int]) -> Layout:
    return {
        "planes": ((*shape, 3), np.float16),
        "beam": ((3,), np.float32),
        "present": ((3,), bool),
        "lever_arm": ((), np.float32),
        "tilt_correlation": ((), np.float32),
        "class_map": (shape, np.uint8),
        "mask": (shape, bool),
    }


def _draw_tile(
    survey: AnySurvey, rng: np.random.Generator, shape: tuple[int, int], mix: str
) -> dict[str, Any]:
    sky = noiseless_sky(cast(ContinuumSurvey, survey), rng=rng, shape=shape, mix=mix)
    planes, present, correlation = noiseless_planes(sky)
    return {
        "planes": np.clip(planes, -LARGEST, LARGEST),
        "beam": sky.observation.beam_pixels,
        "present": present,
        "lever_arm": sky.observation.lever_arm,
        "tilt_correlation": correlation,
        "class_map": sky.class_map,
        "mask": sky.mask,
    }
