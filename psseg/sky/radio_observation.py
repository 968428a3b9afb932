"""How a radio image is taken: beam, frequencies, noise, and how strong its artefacts are.

In: a survey's ranges or one of its set-ups. Out: one observation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from psseg.errors import PssegError
from psseg.sky.radio_rendering import draw_noise_width
from psseg.sky.source_counts import confusion_noise, log_uniform
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.radio_instrument import Artefacts
from psseg.tiles.beam import Beam

__all__ = ["ArtefactLevels", "Observation", "draw_levels", "draw_observation", "lowest_first"]

EDGE_SHARE, EDGE_RISE = 0.2, 2.0
"""Share of tiles at the edge of a field, where the noise rises outwards, and up to what: ours.
Its logarithm grows with the square of the distance, as that of a Gaussian primary beam."""

STRIPE_SHARE, STRIPE_RMS = 0.15, (0.2, 1.0)
"""Share of tiles with stripes and their rms over the noise's: the AMI image, the LOFAR snapshot and
two of three FIRST images have them, about as strong as the noise."""

SETUP_PLACE = (120.0, 45.0)
"""Galactic coordinates, deg, at which the set-ups of a survey file look."""


@dataclass(frozen=True, kw_only=True)
class ArtefactLevels:
    """How strong the artefacts of one image are; `psseg.survey.continuum.Artefacts` has the ranges.

    Parameters
    ----------
    snapshot : bool
        Whether the sidelobes are those of a short observation.
    spokes : int
        Number of spokes of a snapshot's pattern.
    sidelobe_amplitude, sidelobe_reach : float
        Highest sidelobe over the source's peak, and how far they reach, beams.
    bowl_depth, bowl_width : float
        Deepest point of the negative bowl over the brightest peak (0 for none), and FWHM, beams.
    leakage, leakage_growth : float
        V over I at the centre, signed, and how much it has grown at the border.
    rms_variation, rms_scallop, edge_rise : float
        Natural-log rms, amplitude, and factor at the far border of the changes of the noise.
    bright_snr, bright_rms, bright_reach : float
        Rise of the noise about bright sources.
    blank_share : float
        Part of the image that is blank, 0 for none.
    diffuse_rms, diffuse_slope : float
        Diffuse emission: rms over that of the noise (0 for none), slope of the power spectrum.
    stripe_rms : float
        Stripes: their rms over that of the noise, 0 for none.
    """

    snapshot: bool = False
    spokes: int = 6
    sidelobe_amplitude: float = 0.0
    sidelobe_reach: float = 6.0
    bowl_depth: float = 0.0
    bowl_width: float = 6.0
    leakage: float = 0.0
    leakage_growth: float = 0.0
    rms_variation: float = 0.0
    rms_scallop: float = 0.0
    edge_rise: float = 1.0
    bright_snr: float = 400.0
    bright_rms: float = 0.0
    bright_reach: float = 5.0
    blank_share: float = 0.0
    diffuse_rms: float = 0.0
    diffuse_slope: float = 3.0
    stripe_rms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Observation:
    """How an image is taken.

    Parameters
    ----------
    beam_pixels : tuple of float
        FWHM of the beam's major and minor axis, pixels, and its angle in the image, from +y
        towards -x, deg.
    pixel_scale : float
        deg.
    frequencies : tuple of float
        Hz, one per plane.
    stokes : tuple of str
        One per plane: (I), (I, I), (I, V) or (I, I, V). Plane 0 is the reference plane.
    rms : tuple of float
        Typical noise of each plane, Jy/beam.
    galactic_longitude, galactic_latitude : float
        Of the centre, deg.
    noise_width : float
        FWHM of the noise's autocorrelation over the beam's.
    artefacts : ArtefactLevels
        None by default.
    """

    beam_pixels: tuple[float, float, float]
    pixel_scale: float
    frequencies: tuple[float, ...]
    stokes: tuple[str, ...]
    rms: tuple[float, ...]
    galactic_longitude: float = 0.0
    galactic_latitude: float = 45.0
    noise_width: float = 1.0
    artefacts: ArtefactLevels = field(default_factory=ArtefactLevels)

    @property
    def beam(self) -> Beam:
        """The beam on the sky: north is up in simulated images."""
        major, minor, angle = self.beam_pixels
        scale = self.pixel_scale
        return Beam(major=major * scale, minor=minor * scale, angle=angle % 180)

    @property
    def lever_arm(self) -> float:
        """Logarithm of the ratio of the two frequencies of Stokes I; 0 where there is one only."""
        return 0.0 if self.second is None else abs(np.log(self.frequency_ratio))

    @property
    def frequency_ratio(self) -> float:
        """Second frequency of Stokes I over that of the reference plane; NaN without a second."""
        second = self.second
        return np.nan if second is None else self.frequencies[second] / self.frequencies[0]

    @property
    def second(self) -> int | None:
        """Number of the plane with the second frequency."""
        return 1 if self.stokes[:2] == ("I", "I") else None

    def wcs(self, shape: tuple[int, int]) -> WCS:
        """Give the WCS of an image: orthographic (SIN), ICRS, north up."""
        center = SkyCoord(
            self.galactic_longitude, self.galactic_latitude, unit="deg", frame="galactic"
        ).icrs
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.radesys = "ICRS"
        wcs.wcs.crval = [center.ra.deg, center.dec.deg]
        wcs.wcs.cdelt = [-self.pixel_scale, self.pixel_scale]
        wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
        wcs.wcs.set()
        return wcs


def draw_observation(
    survey: ContinuumSurvey, rng: np.random.Generator, *, like: str | None = None
) -> Observation:
    """Draw how an image is taken.

    Parameters
    ----------
    survey : ContinuumSurvey
    rng : numpy.random.Generator
    like : str, optional
        One of the survey's set-ups, with two frequencies and V; only artefacts, the angle of the
        beam and the texture of the noise are then drawn, and neither snapshots nor blank borders.
        By default, anything that the survey's ranges allow.

    Returns
    -------
    Observation

    Raises
    ------
    PssegError
        If the survey has no such set-up.
    """
    if like is None:
        return _draw_any(survey, rng)
    if like not in survey.setups:
        known = ", ".join(survey.setups)
        raise PssegError(f"survey {survey.name} has no set-up {like!r}; it has {known}")
    setup = survey.setups[like]
    longitude, latitude = SETUP_PLACE
    levels = draw_levels(survey.artefacts, rng, galactic_latitude=latitude, survey_like=True)
    major, minor = (axis / setup.pixel_scale for axis in setup.beam)
    return Observation(
        beam_pixels=(major, minor, rng.uniform(0, 180)),
        pixel_scale=setup.pixel_scale / 3600,
        frequencies=(setup.frequency, setup.second_frequency, setup.frequency),
        stokes=("I", "I", "V"),
        rms=(setup.rms, setup.rms * setup.second_rms_ratio, setup.rms * setup.v_rms_ratio),
        galactic_longitude=longitude,
        galactic_latitude=latitude,
        noise_width=draw_noise_width(rng),
        artefacts=levels,
    )


def lowest_first(observation: Observation) -> Observation:
    """Make the lower of two frequencies of Stokes I that of the reference plane.

    Parameters
    ----------
    observation : Observation

    Returns
    -------
    Observation
        Stokes V moves along, and keeps its noise over that of the reference plane. The same where
        the frequencies are in order already.
    """
    second = observation.second
    if second is None or observation.frequencies[0] <= observation.frequencies[second]:
        return observation
    high, low, *_ = observation.frequencies
    n_v = observation.stokes.count("V")
    first_rms, second_rms, *rms_v = observation.rms
    return replace(
        observation,
        frequencies=(low, high) + (low,) * n_v,
        rms=(second_rms, first_rms, *(rms * second_rms / first_rms for rms in rms_v)),
    )


def _draw_any(survey: ContinuumSurvey, rng: np.random.Generator) -> Observation:
    instrument = survey.instrument
    width, ratio = rng.uniform(*instrument.beam_pixels), rng.uniform(*instrument.axis_ratio)
    arcsec = log_uniform(instrument.beam_size, rng)
    frequency = log_uniform(instrument.frequency, rng)
    rms = log_uniform(instrument.rms_scale, rng)
    rms *= (frequency / survey.reference_frequency) ** -0.72
    rms = max(rms, instrument.confusion_share * confusion_noise(frequency, arcsec))
    frequencies, stokes, levels = [frequency], ["I"], [rms]
    if rng.uniform() < instrument.second_frequency:
        frequencies.append(_draw_second(frequency, instrument.lever_arm, instrument.frequency, rng))
        stokes.append("I")
        levels.append(rms * log_uniform(instrument.second_rms_ratio, rng))
    if rng.uniform() < instrument.stokes_v:
        frequencies.append(frequency)
        stokes.append("V")
        levels.append(rms * rng.uniform(*instrument.v_rms_ratio))
    in_plane = rng.uniform() < instrument.plane_share
    latitude = rng.uniform(-5, 5) if in_plane else np.degrees(np.arcsin(rng.uniform(-1, 1)))
    return Observation(
        beam_pixels=(width / np.sqrt(ratio), width * np.sqrt(ratio), rng.uniform(0, 180)),
        pixel_scale=arcsec / width / 3600,
        frequencies=tuple(frequencies),
        stokes=tuple(stokes),
        rms=tuple(levels),
        galactic_longitude=rng.uniform(0, 360),
        galactic_latitude=float(latitude),
        noise_width=draw_noise_width(rng),
        artefacts=draw_levels(survey.artefacts, rng, galactic_latitude=float(latitude)),
    )


def _draw_second(
    frequency: float,
    lever_arm: tuple[float, float],
    limits: tuple[float, float],
    rng: np.random.Generator,
) -> float:
    """Draw the second frequency, above or below the first, on the side that has room for it."""
    ratio = np.exp(log_uniform(lever_arm, rng))
    upwards = rng.uniform() < 0.5
    if frequency * ratio > limits[1] or frequency / ratio < limits[0]:
        upwards = frequency < np.sqrt(limits[0] * limits[1])
    return float(frequency * ratio if upwards else frequency / ratio)


def draw_levels(
    ranges: Artefacts,
    rng: np.random.Generator,
    *,
    galactic_latitude: float,
    survey_like: bool = False,
) -> ArtefactLevels:
    """Draw how strong the artefacts of an image are.

    Parameters
    ----------
    ranges : Artefacts
        The survey's.
    rng : numpy.random.Generator
    galactic_latitude : float
        deg; near the plane, diffuse emission is more frequent.
    survey_like : bool
        A large mosaic of synthesis observations: no snapshot, no blank border, no stripes.

    Returns
    -------
    ArtefactLevels
    """
    snapshot = bool(rng.uniform() < ranges.snapshot_fraction) and not survey_like
    median, scatter = ranges.sidelobe_amplitude
    amplitude = (
        log_uniform(ranges.snapshot_amplitude, rng)
        if snapshot
        else median * np.exp(scatter * rng.standard_normal())
    )
    blank = _now_and_then(ranges.blank_border_probability, (0.0, ranges.blank_border_share), rng)
    striped = _now_and_then(STRIPE_SHARE, STRIPE_RMS, rng)
    diffuse = rng.uniform() < ranges.diffuse_probability[int(abs(galactic_latitude) < 5)]
    return ArtefactLevels(
        snapshot=snapshot,
        spokes=round(rng.uniform(*ranges.snapshot_spokes)),
        sidelobe_amplitude=float(amplitude),
        sidelobe_reach=rng.uniform(*ranges.sidelobe_reach),
        bowl_depth=_now_and_then(ranges.bowl_probability, ranges.bowl_depth, rng),
        bowl_width=rng.uniform(*ranges.bowl_width),
        leakage=float(log_uniform(ranges.leakage, rng) * rng.standard_normal()),
        leakage_growth=ranges.leakage_growth,
        rms_variation=rng.uniform(*ranges.rms_variation),
        rms_scallop=rng.uniform(*ranges.rms_scallop),
        edge_rise=1 + _now_and_then(EDGE_SHARE, (0.0, EDGE_RISE - 1), rng),
        bright_snr=ranges.bright_snr,
        bright_rms=rng.uniform(*ranges.bright_rms),
        bright_reach=rng.uniform(*ranges.bright_reach),
        blank_share=0.0 if survey_like else blank,
        diffuse_rms=log_uniform(ranges.diffuse_rms, rng) if diffuse else 0.0,
        diffuse_slope=rng.uniform(*ranges.diffuse_slope),
        stripe_rms=0.0 if survey_like else striped,
    )


def _now_and_then(
    probability: float, limits: tuple[float, float], rng: np.random.Generator
) -> float:
    value = float(rng.uniform(*limits))
    return value if rng.uniform() < probability else 0.0
