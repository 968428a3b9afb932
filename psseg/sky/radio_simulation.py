"""A simulated radio image: how it is observed, what it shows, and the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from astropy.wcs import WCS
from scipy import fft
from scipy.ndimage import uniform_filter

from psseg.sky.radio_artefacts import (
    blank_border,
    bright_factor,
    diffuse_emission,
    leakage_map,
    rms_map,
    stripes,
)
from psseg.sky.radio_observation import Observation, draw_observation
from psseg.sky.radio_rendering import (
    Gaussians,
    beam_noise,
    convolve_components,
    render_components,
)
from psseg.sky.radio_sidelobes import response_errors
from psseg.sky.radio_sources import (
    MARGIN,
    RadioSources,
    component_fluxes,
    draw_radio_sources,
    spectral_indices,
)
from psseg.sky.radio_truth import LISTED_SNR, draw_source_maps, source_peaks, truth_table
from psseg.survey.classes import IGNORED
from psseg.survey.continuum import ContinuumSurvey
from psseg.tiles.places import nearest_pixels, pixels_at
from psseg.tiles.radio_image import RadioImage

__all__ = [
    "Observation",
    "RadioSky",
    "SimulatedImage",
    "draw_observation",
    "noiseless_sky",
    "simulate_image",
]

FAINTEST = 0.3
"""Fluxes down to this part of the rms are drawn: they are the confusion noise."""

FLOOR = 0.02
"""Rms below which the wing of a source is cut off."""

VISIBLE = 0.2
"""Rms below which sidelobes and bowls are left out."""

NEAR_BEAMS = 7.0
"""Beams: side of the boxes in which artefacts count for the rms, as they do in images that are
labelled, near bright sources."""

V_SIDELOBES = 0.03
"""Sidelobes in Stokes V over those in I: gain errors of the two polarisations are alike. Ours."""

STEEPEST, FLATTEST = -0.9, -0.1
"""Spectral index of diffuse emission: synchrotron, free-free."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RadioSky:
    """An image before noise, and what is in it.

    Parameters
    ----------
    observation : Observation
    sources : RadioSources
        With a margin around the image.
    signal : numpy.ndarray of float32, shape (n_planes, n_y, n_x)
        Sources, artefacts and diffuse emission, Jy/beam.
    rms : numpy.ndarray of float32, shape (n_planes, n_y, n_x)
        Local rms of the noise, Jy/beam.
    mask : numpy.ndarray of bool, shape (n_y, n_x)
        True where the image is blank.
    peaks, snr : numpy.ndarray, shape (n_sources,)
        Peak of each source alone, Jy/beam of the reference plane, and over the local rms of all
        that is not it: noise, sources too faint to be told apart, sidelobes.
    class_map : numpy.ndarray of uint8, shape (n_y, n_x)
    source_map : numpy.ndarray of int32, shape (n_y, n_x)
        Index into `sources` plus 1.
    """

    observation: Observation
    sources: RadioSources
    signal: np.ndarray
    rms: np.ndarray
    mask: np.ndarray
    peaks: np.ndarray
    snr: np.ndarray
    class_map: np.ndarray
    source_map: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedImage:
    """An image with its truth.

    Parameters
    ----------
    image : RadioImage
        With noise: what an observer gets.
    signal : numpy.ndarray of float32, shape (n_planes, n_y, n_x)
        The same without noise.
    rms : numpy.ndarray of float32, shape (n_planes, n_y, n_x)
        True local rms of the noise, Jy/beam.
    class_map : numpy.ndarray of uint8, shape (n_y, n_x)
        Class per pixel (:class:`~psseg.survey.classes.SourceClass`), 255 where ignored or blank.
    source_map : numpy.ndarray of int32, shape (n_y, n_x)
        Row of the truth table plus 1, 0 for none.
    truth : astropy.table.QTable
        The sources with a peak of at least one rms that lie on the image or have pixels on it.
    """

    image: RadioImage
    signal: np.ndarray
    rms: np.ndarray
    class_map: np.ndarray
    source_map: np.ndarray
    truth: QTable


def simulate_image(
    survey: ContinuumSurvey,
    *,
    rng: np.random.Generator,
    shape: tuple[int, int] = (128, 128),
    mix: str = "physical",
    observation: Observation | None = None,
) -> SimulatedImage:
    """Simulate one image.

    Parameters
    ----------
    survey : ContinuumSurvey
    rng : numpy.random.Generator
        All randomness comes from here.
    shape : tuple of int
        (n_y, n_x), pixels.
    mix : str
        "physical": sources as they are on the sky; "balanced": every class as often, for training.
    observation : Observation, optional
        How it is taken; drawn by default.

    Returns
    -------
    SimulatedImage

    Raises
    ------
    PssegError
        If `mix` is wrong.

    Examples
    --------
    >>> from psseg.survey.survey import load_survey
    >>> survey, rng = load_survey("radio"), np.random.default_rng(1)
    >>> observation = draw_observation(survey, rng, like="emu")
    >>> sky = simulate_image(survey, rng=rng, shape=(64, 64), observation=observation)
    >>> sky.image.stokes
    ('I', 'I', 'V')
    """
    sky = noiseless_sky(survey, rng=rng, shape=shape, mix=mix, observation=observation)
    observation = sky.observation
    wcs = observation.wcs(shape)
    listed = _listed(sky)
    rows = np.zeros(len(sky.sources) + 1, np.int32)
    rows[listed + 1] = np.arange(1, len(listed) + 1)
    second = observation.frequencies[observation.second or 0]
    truth = truth_table(
        survey,
        sky.sources,
        chosen=listed,
        peaks=sky.peaks,
        snr=sky.snr,
        alpha=spectral_indices(sky.sources, second, observation.frequencies[0]),
        wcs=wcs,
        pixel_scale=observation.pixel_scale,
    )
    return SimulatedImage(
        image=_observe(sky, wcs, rng),
        signal=sky.signal,
        rms=sky.rms,
        class_map=sky.class_map,
        source_map=rows[sky.source_map],
        truth=truth,
    )


def _listed(sky: RadioSky) -> np.ndarray:
    """Choose the sources of the truth table, the brightest first."""
    rows, columns, inside = pixels_at(sky.sources.x, sky.sources.y, sky.mask.shape)
    inside &= ~sky.mask[rows, columns]
    seen = np.bincount(sky.source_map.ravel(), minlength=len(inside) + 1)[1:] > 0
    listed = np.flatnonzero((inside & (sky.snr >= LISTED_SNR)) | seen)
    return listed[np.argsort(-sky.sources.flux[listed], kind="stable")]


def _observe(sky: RadioSky, wcs: WCS, rng: np.random.Generator) -> RadioImage:
    """Add noise, and blank what is blank."""
    observation = sky.observation
    beam, width = observation.beam_pixels, observation.noise_width
    noise = [beam_noise(sky.mask.shape, beam, rng, width=width) for _ in sky.signal]
    planes = sky.signal + np.array(noise) * sky.rms
    planes[:, sky.mask] = np.nan
    return RadioImage(
        planes=planes,
        stokes=observation.stokes,
        frequencies=observation.frequencies,
        beams=(observation.beam,) * len(planes),
        wcs=wcs,
        mask=sky.mask,
        name="simulated",
    )


def noiseless_sky(
    survey: ContinuumSurvey,
    *,
    rng: np.random.Generator,
    shape: tuple[int, int] = (128, 128),
    mix: str = "physical",
    observation: Observation | None = None,
) -> RadioSky:
    """Simulate an image without noise; `simulate_image` has the parameters.

    Returns
    -------
    RadioSky
    """
    observation = observation or draw_observation(survey, rng)
    sources = draw_radio_sources(
        survey,
        rng,
        shape=shape,
        pixel_scale=observation.pixel_scale,
        frequency=observation.frequencies[0],
        faintest=FAINTEST * observation.rms[0],
        mix=mix,
        snr_unit=observation.rms[0],
        galactic_latitude=observation.galactic_latitude,
        beam_area=observation.beam.area(observation.pixel_scale),
    )
    gaussians = _convolved(sources, observation.beam_pixels)
    emission = _render(observation, sources, gaussians, shape)
    artefacts = _crop(_sidelobes(observation, emission, rng), shape)
    artefacts = artefacts + _background(observation, shape, rng)
    emission = _crop(emission, shape)
    signal = emission + artefacts
    is_v = np.array(observation.stokes) == "V"
    signal[is_v] += leakage_map(shape, observation.artefacts, rng) * signal[0]
    rms = _noise_maps(observation, gaussians, is_v, shape, rng)
    peaks = source_peaks(sources, gaussians)
    faint = _local_variance(artefacts[0], observation.beam_pixels)
    noise = np.sqrt(rms[0] ** 2 + _confusion(emission[0]) ** 2 + faint)
    snr = peaks / noise[nearest_pixels(sources.x, sources.y, shape)]
    maps = draw_source_maps(survey, sources, gaussians, snr, noise)
    mask = blank_border(shape, observation.artefacts.blank_share, rng)
    return RadioSky(
        observation=observation,
        sources=sources,
        signal=signal,
        rms=rms,
        mask=mask,
        peaks=peaks,
        snr=snr,
        class_map=np.where(mask, np.uint8(IGNORED), maps.class_map),
        source_map=np.where(mask, 0, maps.source_map),
    )


def _noise_maps(
    observation: Observation,
    gaussians: Gaussians,
    is_v: np.ndarray,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Local rms of the noise of every plane; bright sources raise it in Stokes I."""
    levels = observation.artefacts
    relative = rms_map(shape, levels, rng)
    bright = (gaussians.x, gaussians.y, gaussians.peak / observation.rms[0])
    near = bright_factor(shape, bright, levels, beam=observation.beam_pixels)
    rms = np.where(is_v[:, None, None], relative, relative * near)
    rms *= np.array(observation.rms, np.float32)[:, None, None]
    return rms


def _convolved(sources: RadioSources, beam: tuple[float, float, float]) -> Gaussians:
    """Components of the reference plane."""
    return convolve_components(
        sources.component_x,
        sources.component_y,
        sources.component_flux,
        (sources.component_major, sources.component_minor, sources.component_angle),
        beam,
    )


def _render(
    observation: Observation, sources: RadioSources, gaussians: Gaussians, shape: tuple[int, int]
) -> np.ndarray:
    """All sources in all planes, with a margin; sides are even and good for Fourier transforms."""
    reference = observation.frequencies[0]
    factors = []
    for stokes, frequency in zip(observation.stokes, observation.frequencies, strict=True):
        factor = component_fluxes(sources, frequency, reference) / sources.component_flux
        if stokes == "V":
            factor = factor * sources.v_over_i[sources.component_source]
        factors.append(factor)
    padded = (_even_length(shape[0] + 2 * MARGIN), _even_length(shape[1] + 2 * MARGIN))
    moved = Gaussians(
        x=gaussians.x + MARGIN,
        y=gaussians.y + MARGIN,
        peak=gaussians.peak,
        covariance=gaussians.covariance,
    )
    floor = FLOOR * np.array(observation.rms)
    return render_components(moved, padded, floor=floor, factors=np.array(factors))


def _even_length(n: int) -> int:
    """Next even length that is good for a Fourier transform."""
    return 2 * fft.next_fast_len((n + 1) // 2, real=True)


def _crop(planes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return planes[:, MARGIN : MARGIN + shape[0], MARGIN : MARGIN + shape[1]]


def _sidelobes(
    observation: Observation, emission: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Sidelobes and bowls; those in V come from Stokes I."""
    is_v = np.array(observation.stokes) == "V"
    images = np.where(is_v[:, None, None], emission[0], emission)
    return response_errors(
        images,
        observation.beam_pixels,
        observation.artefacts,
        rng,
        gains=np.where(is_v, V_SIDELOBES, 1.0),
        bowls=~is_v,
        visible=VISIBLE * np.array(observation.rms),
    )


def _background(
    observation: Observation, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Diffuse emission in I, and stripes in every plane."""
    beam, levels = observation.beam_pixels, observation.artefacts
    added = np.zeros((len(observation.stokes), *shape), np.float32)
    if levels.diffuse_rms:
        level = levels.diffuse_rms * observation.rms[0]
        emission = level * diffuse_emission(shape, beam, rng, slope=levels.diffuse_slope)
        index = rng.uniform(STEEPEST, FLATTEST)
        ratios = np.array(observation.frequencies) / observation.frequencies[0]
        factors = np.where(np.array(observation.stokes) == "V", 0, ratios**index)
        added += factors[:, None, None].astype(np.float32) * emission
    if levels.stripe_rms:
        for plane, rms in zip(added, observation.rms, strict=True):
            plane += levels.stripe_rms * rms * stripes(shape, beam, rng)
    return added


def _confusion(emission: np.ndarray) -> float:
    """Noise of the sources that cannot be told apart: normalised median absolute deviation."""
    return float(1.4826 * np.median(np.abs(emission - np.median(emission))))


def _local_variance(artefacts: np.ndarray, beam: tuple[float, float, float]) -> np.ndarray:
    """Variance of an image in boxes of a few beams: what is smoother is background."""
    if not artefacts.any():
        return np.zeros_like(artefacts)
    size = max(round(NEAR_BEAMS * float(np.sqrt(beam[0] * beam[1]))), 3)
    mean, square = (uniform_filter(values, size) for values in (artefacts, artefacts**2))
    return np.maximum(square - mean**2, 0)
