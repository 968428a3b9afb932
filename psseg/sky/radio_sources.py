"""Radio sources of an image: how many, where, how bright, with which spectrum and shape.

Out come sources and the Gaussian components they are made of: in Jy, and in pixels of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from psseg.errors import PssegError
from psseg.sky.radio_shapes import draw_components
from psseg.sky.radio_spectra import draw_spectra, largest_boost
from psseg.sky.source_counts import cumulative_counts, latitude_factor, log_uniform
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.radio_populations import SHAPES, RadioPopulation

__all__ = [
    "RadioSources",
    "component_fluxes",
    "draw_radio_sources",
    "source_fluxes",
    "spectral_indices",
]

MARGIN = 32
"""Pixels around the image where sources are drawn too: their lobes and sidelobes reach in."""

TYPICAL_BEAM_AREA = 23.0
"""Pixels: a beam of 4.5 pixels, in the middle of what the network sees."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RadioSources:
    """Sources of an image and their Gaussian components, at the reference plane's frequency.

    Parameters
    ----------
    population : numpy.ndarray of int, shape (n,)
        Index into the survey's populations.
    x, y : numpy.ndarray, shape (n,)
        Pixel position of the core, or of the centre of a source without.
    flux : numpy.ndarray, shape (n,)
        Integrated flux density, Jy.
    alpha : numpy.ndarray, shape (n,)
        Spectral index of the whole source at that frequency.
    v_over_i : numpy.ndarray, shape (n,)
        Circular polarisation, signed.
    shape : numpy.ndarray of int, shape (n,)
        Index into :data:`psseg.survey.radio_populations.SHAPES`.
    size : numpy.ndarray, shape (n,)
        Largest angular size, pixels; 0 for a point.
    component_source : numpy.ndarray of int, shape (m,)
        Index of the component's source, rising.
    component_x, component_y : numpy.ndarray, shape (m,)
        Pixels.
    component_flux : numpy.ndarray, shape (m,)
        Jy.
    component_alpha, component_curvature : numpy.ndarray, shape (m,)
        α and q of ``S ∝ exp(α x + q x²)``, x = ln(frequency over that of the reference plane).
    component_major, component_minor : numpy.ndarray, shape (m,)
        Intrinsic FWHM, pixels; 0 for a point.
    component_angle : numpy.ndarray, shape (m,)
        Of the major axis, deg in 0-180, in the image from +y towards -x.
    """

    population: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    alpha: np.ndarray
    v_over_i: np.ndarray
    shape: np.ndarray
    size: np.ndarray
    component_source: np.ndarray
    component_x: np.ndarray
    component_y: np.ndarray
    component_flux: np.ndarray
    component_alpha: np.ndarray
    component_curvature: np.ndarray
    component_major: np.ndarray
    component_minor: np.ndarray
    component_angle: np.ndarray

    def __len__(self) -> int:
        """Give the number of sources."""
        return len(self.flux)

    def select(self, chosen: np.ndarray) -> RadioSources:
        """Give the sources where a mask, (n,) bool, is True, with their components."""
        number = np.cumsum(chosen) - 1
        components = chosen[self.component_source]
        picked = {
            f.name: getattr(self, f.name)[components if f.name in _OF_COMPONENTS else chosen]
            for f in fields(self)
        }
        return RadioSources(**{**picked, "component_source": number[picked["component_source"]]})


_OF_COMPONENTS = {f.name for f in fields(RadioSources) if f.name.startswith("component_")}


def component_fluxes(sources: RadioSources, frequency: float, reference: float) -> np.ndarray:
    """Give the flux density of every component at a frequency.

    Parameters
    ----------
    sources : RadioSources
    frequency, reference : float
        Hz; the second is that of the plane for which the sources were drawn.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Jy.
    """
    x = np.log(frequency / reference)
    exponent = (sources.component_alpha + sources.component_curvature * x) * x
    return sources.component_flux * np.exp(exponent)


def source_fluxes(sources: RadioSources, frequency: float, reference: float) -> np.ndarray:
    """Give the integrated flux density of every source at a frequency, Jy (n,)."""
    fluxes = component_fluxes(sources, frequency, reference)
    return np.bincount(sources.component_source, weights=fluxes, minlength=len(sources))


def spectral_indices(sources: RadioSources, frequency: float, reference: float) -> np.ndarray:
    """Give the spectral index of every source between two frequencies, (n,).

    Where the two are the same, it is the index at that frequency.
    """
    if frequency == reference:
        return sources.alpha
    ratio = source_fluxes(sources, frequency, reference) / sources.flux
    return np.log(ratio) / np.log(frequency / reference)


def draw_radio_sources(
    survey: ContinuumSurvey,
    rng: np.random.Generator,
    *,
    shape: tuple[int, int],
    pixel_scale: float,
    frequency: float,
    faintest: float,
    mix: str = "physical",
    snr_unit: float | None = None,
    galactic_latitude: float = 45.0,
    beam_area: float = TYPICAL_BEAM_AREA,
) -> RadioSources:
    """Draw the sources of an image and of a margin of 32 pixels around it.

    Parameters
    ----------
    survey : ContinuumSurvey
    rng : numpy.random.Generator
    shape : tuple of int
        Pixels along y and x.
    pixel_scale : float
        deg.
    frequency : float
        Hz, of the reference plane.
    faintest : float
        Jy, at that frequency: fainter sources are left out.
    mix : str
        "physical": as on the sky. "balanced", for training: as on the sky below 2.5 rms; above,
        pulsars, blazars and others equally frequent, the populations of a class after their
        `balanced_weight`, fluxes and sizes after the survey's `balanced` table.
    snr_unit : float, optional
        Jy: flux of a point source of one rms; for "balanced".
    galactic_latitude : float
        deg.
    beam_area : float
        Pixels; for the crowding of "balanced". The default is a beam of 4.5 pixels.

    Returns
    -------
    RadioSources

    Raises
    ------
    PssegError
        If the mix is not known, a number is not positive, or "balanced" lacks `snr_unit`.
    """
    _check_drawing(mix, snr_unit, pixel_scale=pixel_scale, frequency=frequency, faintest=faintest)
    field = _Field(
        survey=survey,
        shape=shape,
        pixel_scale=pixel_scale,
        frequency=frequency,
        galactic_latitude=galactic_latitude,
        beam_area=beam_area,
    )
    if mix == "physical" or snr_unit is None:
        return _complete(field, _draw_physical(field, rng, faintest, np.inf), rng)
    threshold = survey.balanced.snr[0] * snr_unit
    parts = [
        _draw_physical(field, rng, faintest, threshold),
        _draw_balanced(field, rng, snr_unit),
    ]
    return _complete(field, _concatenate(parts), rng)


def _check_drawing(mix: str, snr_unit: float | None, **positive: float) -> None:
    if mix not in ("physical", "balanced"):
        raise PssegError(f"mix is {mix!r}, want 'physical' or 'balanced'")
    if mix == "balanced":
        if snr_unit is None:
            raise PssegError("mix 'balanced' needs snr_unit, the flux of a point of one rms, Jy")
        positive["snr_unit"] = snr_unit
    for name, value in positive.items():
        if not value > 0:
            raise PssegError(f"{name} must be above 0, not {value}")


@dataclass(frozen=True, kw_only=True)
class _Field:
    """Where sources are drawn, and at which frequency."""

    survey: ContinuumSurvey
    shape: tuple[int, int]
    pixel_scale: float
    frequency: float
    galactic_latitude: float
    beam_area: float

    @property
    def log_ratio(self) -> float:
        return float(np.log(self.frequency / self.survey.reference_frequency))

    @property
    def n_pixels(self) -> int:
        return (self.shape[0] + 2 * MARGIN) * (self.shape[1] + 2 * MARGIN)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drawn:
    """Sources before they have a place and a shape: each (n,)."""

    population: np.ndarray
    flux: np.ndarray  # Jy, at the plane's frequency
    boost: np.ndarray  # that over the flux at the survey's reference frequency
    alpha: np.ndarray  # at the plane's frequency
    curvature: np.ndarray
    size: np.ndarray  # pixels, the flux grows with it; nan where it follows from the flux


def _concatenate(parts: list[_Drawn]) -> _Drawn:
    return _Drawn(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(_Drawn)}
    )


def _draw_physical(
    field: _Field, rng: np.random.Generator, faintest: float, brightest: float
) -> _Drawn:
    parts = [
        _draw_population(field, number, rng, faintest, brightest)
        for number in range(len(field.survey.populations))
    ]
    return _concatenate(parts)


def _draw_population(
    field: _Field, number: int, rng: np.random.Generator, faintest: float, brightest: float
) -> _Drawn:
    """Draw a population at the reference frequency, deep enough, and keep what the plane shows."""
    population = field.survey.populations[number]
    flux, counts = cumulative_counts(field.survey.counts, population)
    log_ratio = field.log_ratio
    deepest = np.log(faintest / largest_boost(population, log_ratio))
    total = np.interp(-deepest, -np.log(flux), counts)
    area = field.n_pixels * field.pixel_scale**2
    density = total * float(latitude_factor(population, field.galactic_latitude))
    n = rng.poisson(density * area)
    reference_flux = np.exp(np.interp(rng.uniform(0, total, n), counts, np.log(flux)))
    index, curvature = draw_spectra(population, n, rng)
    boost = np.exp((index + curvature * log_ratio) * log_ratio)
    keep = (reference_flux * boost >= faintest) & (reference_flux * boost < brightest)
    return _Drawn(
        population=np.full(keep.sum(), number),
        flux=(reference_flux * boost)[keep],
        boost=boost[keep],
        alpha=(index + 2 * curvature * log_ratio)[keep],
        curvature=curvature[keep],
        size=np.full(keep.sum(), np.nan),
    )


def _draw_balanced(field: _Field, rng: np.random.Generator, snr_unit: float) -> _Drawn:
    mix = field.survey.balanced
    beams = log_uniform(mix.beams_per_source, rng)
    n = rng.poisson(field.n_pixels / field.beam_area / beams)
    power = 1 - mix.slope
    low, high = sorted(limit**power for limit in mix.snr)
    snr = rng.uniform(low, high, n) ** (1 / power)
    population = _draw_populations(field.survey, n, rng)
    resolved = rng.uniform(size=n) < mix.resolved_share
    index, curvature = np.empty(n), np.empty(n)
    for number in np.unique(population):
        chosen = population == number
        spectra = draw_spectra(field.survey.populations[number], chosen.sum(), rng)
        index[chosen], curvature[chosen] = spectra
    return _Drawn(
        population=population,
        flux=snr * snr_unit,
        boost=np.exp((index + curvature * field.log_ratio) * field.log_ratio),
        alpha=index + 2 * curvature * field.log_ratio,
        curvature=curvature,
        size=np.where(resolved, log_uniform(mix.resolved_size, rng, n), np.nan),
    )


def _draw_populations(survey: ContinuumSurvey, n: int, rng: np.random.Generator) -> np.ndarray:
    weights = np.array([p.balanced_weight for p in survey.populations])
    classes = np.array([SOURCE_CLASSES.index(p.source_class) for p in survey.populations])
    weights = weights / np.bincount(classes, weights=weights)[classes]
    return rng.choice(len(weights), size=n, p=weights / weights.sum())


def _complete(field: _Field, drawn: _Drawn, rng: np.random.Generator) -> RadioSources:
    """Give sources their place, polarisation and components."""
    n = len(drawn.flux)
    n_y, n_x = field.shape
    x, y = (rng.uniform(-MARGIN, side + MARGIN, n) - 0.5 for side in (n_x, n_y))
    populations = field.survey.populations
    shape = _draw_shapes(populations, drawn.population, rng)
    arcsec = _draw_sizes(populations, drawn.population, drawn.flux / drawn.boost, rng)
    size = np.where(np.isnan(drawn.size), arcsec / (3600 * field.pixel_scale), drawn.size)
    is_point = shape == SHAPES.index("point")
    size[is_point] = 0
    spread = np.where(is_point | np.isnan(drawn.size), 0, size) / np.sqrt(field.beam_area)
    flux = drawn.flux * (1 + spread)
    parts = draw_components(shape, size, rng.uniform(0, 180, n), rng)
    owner = parts.source
    return RadioSources(
        population=drawn.population,
        x=x,
        y=y,
        flux=flux,
        alpha=drawn.alpha,
        v_over_i=_draw_polarisation(populations, drawn.population, rng),
        shape=shape,
        size=size,
        component_source=owner,
        component_x=x[owner] + parts.dx,
        component_y=y[owner] + parts.dy,
        component_flux=flux[owner] * parts.share,
        component_alpha=drawn.alpha[owner] + parts.index_offset,
        component_curvature=drawn.curvature[owner],
        component_major=parts.major,
        component_minor=parts.minor,
        component_angle=parts.angle,
    )


def _draw_shapes(
    populations: tuple[RadioPopulation, ...], index: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    weights = np.zeros((len(populations), len(SHAPES)))
    for row, population in zip(weights, populations, strict=True):
        row[[SHAPES.index(name) for name in population.shapes]] = population.shape_weights
    limits = np.cumsum(weights, axis=1)
    limits /= limits[:, -1:]
    return (rng.uniform(size=(len(index), 1)) >= limits[index]).sum(axis=1)


def _draw_polarisation(
    populations: tuple[RadioPopulation, ...], index: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    mean, scatter, limit = np.array([p.circular for p in populations])[index].T
    strength = np.abs(mean + scatter * rng.standard_t(5, len(index)))
    return rng.choice((-1.0, 1.0), len(index)) * np.minimum(strength, limit)


def _draw_sizes(
    populations: tuple[RadioPopulation, ...],
    index: np.ndarray,
    flux: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Largest angular sizes, arcsec, of sources of these fluxes (Jy, at the survey's reference)."""
    at_one_mjy, growth, exponent = np.array([p.size for p in populations])[index].T
    limit = np.array([p.size_limit for p in populations])[index]
    depth = rng.standard_exponential(len(index)) / np.log(2)
    return np.minimum(at_one_mjy * (flux / 1e-3) ** growth * depth ** (1 / exponent), limit)
