"""Source populations: how many, where on the sky, how bright, with which spectrum and size.

The same numbers serve twice: the simulator draws sources from them, and the catalogue takes from
them how many pulsars, blazars and other sources to expect (:mod:`psseg.sky.class_density`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from psseg.sky.geometry import TileGeometry
from psseg.sky.spectra import band_fractions
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.populations import Population
from psseg.survey.survey import Survey

REFERENCE_FLUX = 3e-10
"""1-100 GeV, ph cm⁻² s⁻¹: above it populations are compared in number, where no flux is given."""

PLANE_SCALE = 0.5
"""Scale height, deg, of the crowd that some training tiles have on the Galactic plane: that of the
bright unassociated sources of 4FGL-DR4."""

PLANE_CROWD = (0.3, 6.0)
"""Range of its density at b = 0, per deg²: 4FGL-DR4 and what it leaves unresolved hold up to four
above the threshold there in the inner Galaxy."""

FAINTEST = 0.62
"""Over the flux at which it is just detectable, that of the faintest source of a training tile
drawn by class: its expected TS is about 5, where labels begin."""

__all__ = [
    "FAINTEST",
    "REFERENCE_FLUX",
    "SourceList",
    "draw_balanced",
    "draw_band_fractions",
    "draw_physical",
    "number_above",
    "sky_density",
]


@dataclass(frozen=True, kw_only=True)
class SourceList:
    """Simulated sources of one tile.

    Parameters
    ----------
    population : numpy.ndarray of int, shape (n,)
        Index into the survey's populations.
    x, y : numpy.ndarray, shape (n,)
        Pixel position in the padded tile.
    flux : numpy.ndarray, shape (n,)
        1-100 GeV photon flux, ph cm⁻² s⁻¹.
    band_flux : numpy.ndarray, shape (n, n_bands)
        Photon flux per band, ph cm⁻² s⁻¹.
    radius : numpy.ndarray, shape (n,)
        Radius of the disc, or 68 % radius of the Gaussian, deg; 0 for a point.
    is_disc : numpy.ndarray of bool, shape (n,)
        Disc (True) or Gaussian.
    """

    population: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    band_flux: np.ndarray
    radius: np.ndarray
    is_disc: np.ndarray

    def __len__(self) -> int:
        """Give the number of sources."""
        return len(self.flux)

    def select(self, index: np.ndarray) -> SourceList:
        """Give the sources at an index or mask."""
        return SourceList(**{name: values[index] for name, values in vars(self).items()})


def sky_density(population: Population, glon: ArrayLike, glat: ArrayLike) -> np.ndarray:
    """Give the share of a population per steradian at Galactic positions.

    Parameters
    ----------
    population : Population
    glon, glat : array_like
        Galactic coordinates, deg.

    Returns
    -------
    numpy.ndarray
        sr⁻¹; integrates to 1 over the sky.
    """
    longitude = np.abs((np.asarray(glon) + 180.0) % 360.0 - 180.0)
    latitude = np.abs(glat)
    return _latitude_density(population, latitude) * _longitude_density(population, longitude)


def _latitude_density(population: Population, latitude: np.ndarray) -> np.ndarray:
    total = np.zeros(np.shape(latitude))
    pairs = zip(population.latitude_scales, population.latitude_weights, strict=True)
    for scale, weight in pairs:
        if scale == 0:
            total = total + weight / 2
            continue
        h = np.radians(scale)
        norm = 2 * h * (1 + h * np.exp(-np.pi / 2 / h)) / (1 + h**2)  # 2 int e^(-b/h) cos b db
        total = total + weight * np.exp(-latitude / scale) / norm
    return total


def _longitude_density(population: Population, longitude: np.ndarray) -> np.ndarray:
    if population.longitude_scale == 0:
        return np.full(np.shape(longitude), 1 / (2 * np.pi))
    scale = np.radians(population.longitude_scale)
    norm = 2 * scale * -np.expm1(-np.pi / scale)
    return np.exp(-longitude / population.longitude_scale) / norm


def number_above(population: Population, flux: np.ndarray | float) -> np.ndarray:
    """Count a population's sources on the whole sky above a flux.

    Parameters
    ----------
    population : Population
    flux : numpy.ndarray or float
        1-100 GeV photon flux, ph cm⁻² s⁻¹.

    Returns
    -------
    numpy.ndarray
    """
    norm = population.n_above / _integral(population, population.reference_flux)
    return norm * _integral(population, flux)


def _segments(population: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, slopes and heights (at the lower edge) of the broken power law dN/dS."""
    low, high = population.flux_range
    edges = np.array([low, *population.flux_breaks, high])
    slopes = np.array(population.flux_slopes)
    heights = np.cumprod([1.0, *(edges[1:-1] / edges[:-2]) ** -slopes[:-1]])
    return edges, slopes, heights


def _integral(population: Population, flux: np.ndarray | float) -> np.ndarray:
    edges, slopes, heights = _segments(population)
    total = np.zeros(np.shape(flux))
    for low, high, slope, height in zip(edges[:-1], edges[1:], slopes, heights, strict=True):
        start = np.clip(flux, low, high)
        power = 1 - slope
        total = total + height * low**slope * (high**power - start**power) / power
    return total


@lru_cache(maxsize=64)
def _falling_counts(population: Population) -> tuple[np.ndarray, np.ndarray]:
    """Integral counts (any scale) from none on, and the fluxes above which they lie."""
    flux = np.geomspace(*population.flux_range, 512)[::-1]
    return _integral(population, flux), flux


@lru_cache(maxsize=256)
def _total_above(population: Population, flux: float) -> float:
    return float(number_above(population, flux))


def _draw_fluxes(population: Population, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw fluxes by inverting the integral counts on a fine grid."""
    counts, flux = _falling_counts(population)
    return np.interp(rng.uniform(0, counts[-1], n), counts, flux)


def draw_physical(
    survey: Survey,
    geometry: TileGeometry,
    rng: np.random.Generator,
    *,
    below: float = np.inf,
) -> SourceList:
    """Draw the sources of a tile as they are on the sky.

    Parameters
    ----------
    survey : Survey
    geometry : TileGeometry
        Where the tile is; sources fall on its padded area.
    rng : numpy.random.Generator
    below : float
        Only sources fainter than this, ph cm⁻² s⁻¹.

    Returns
    -------
    SourceList
    """
    parts = []
    for index, population in enumerate(survey.populations):
        x, y = _draw_positions(population, geometry, rng)
        flux = _draw_fluxes(population, len(x), rng)
        keep = flux < below
        parts.append(_complete(survey, index, x[keep], y[keep], flux[keep], rng))
    return _concatenate(parts)


def _draw_positions(
    population: Population, geometry: TileGeometry, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a Poisson number of positions by thinning a field uniform in pixels."""
    peak = sky_density(population, *geometry.nearest_to_centre)
    total = _total_above(population, population.flux_range[0])
    n = rng.poisson(total * float(peak) * geometry.padded_area)
    x, y = geometry.draw_padded_positions(n, rng)
    glon, glat = geometry.to_galactic(x, y)
    pixel_area = geometry.relative_area[np.rint(y).astype(int), np.rint(x).astype(int)]
    keep = rng.uniform(0, peak, n) < sky_density(population, glon, glat) * pixel_area
    return x[keep], y[keep]


def draw_balanced(
    survey: Survey,
    geometry: TileGeometry,
    rng: np.random.Generator,
    *,
    threshold: float,
    density: tuple[float, float] = (6.0, 150.0),
) -> SourceList:
    """Draw the sources of a training tile: each class as often, at every latitude and flux.

    Sources too faint to be found are drawn as they are on the sky: they are the confusion
    background. Above `FAINTEST` times the threshold the three classes are equally frequent, a
    population within its class in proportion to the square root of its number, and fluxes follow
    dN/dS ∝ S^-1.7 up to a thousand times the threshold. On half the tiles that the Galactic plane
    crosses, a crowd hugs it.

    Parameters
    ----------
    survey : Survey
    geometry : TileGeometry
    rng : numpy.random.Generator
    threshold : float
        Flux at which a source is just detectable in this tile, ph cm⁻² s⁻¹.
    density : tuple of float
        Range of the surface density of these sources, per 100 deg², drawn log-uniformly.

    Returns
    -------
    SourceList
    """
    faint = draw_physical(survey, geometry, rng, below=FAINTEST * threshold)
    per_100_deg2 = np.exp(rng.uniform(*np.log(density)))
    n = rng.poisson(per_100_deg2 * geometry.padded_area * (180 / np.pi) ** 2 / 100)
    x, y = np.hstack([geometry.draw_padded_positions(n, rng), _draw_plane_crowd(geometry, rng)])
    n = len(x)
    flux = _power_law(rng, n, FAINTEST * threshold, threshold * 1000, slope=1.7)
    index = _draw_populations(survey, n, rng)
    parts = [faint]
    for number in np.unique(index):
        chosen = index == number
        parts.append(_complete(survey, int(number), x[chosen], y[chosen], flux[chosen], rng))
    return _concatenate(parts)


def _draw_plane_crowd(
    geometry: TileGeometry, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw positions that crowd on the Galactic plane, for every other tile."""
    peak = np.exp(rng.uniform(*np.log(PLANE_CROWD))) * (rng.uniform() < 0.5)
    nearest = np.exp(-geometry.nearest_to_centre[1] / PLANE_SCALE)
    n = rng.poisson(peak * nearest * geometry.padded_area * (180 / np.pi) ** 2)
    x, y = geometry.draw_padded_positions(n, rng)
    _, glat = geometry.to_galactic(x, y)
    keep = rng.uniform(0, nearest, n) < np.exp(-np.abs(glat) / PLANE_SCALE)
    return x[keep], y[keep]


def _draw_populations(survey: Survey, n: int, rng: np.random.Generator) -> np.ndarray:
    weights = np.zeros(len(survey.populations))
    for name in SOURCE_CLASSES:
        members = [i for i, p in enumerate(survey.populations) if p.source_class == name]
        roots = np.sqrt([_total_above(survey.populations[i], REFERENCE_FLUX) for i in members])
        weights[members] = roots / roots.sum()
    return rng.choice(len(weights), size=n, p=weights / weights.sum())


def _power_law(
    rng: np.random.Generator, n: int, low: float, high: float, *, slope: float
) -> np.ndarray:
    power = 1 - slope
    return rng.uniform(high**power, low**power, n) ** (1 / power)


def _complete(
    survey: Survey,
    index: int,
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    rng: np.random.Generator,
) -> SourceList:
    """Give sources their spectra and sizes."""
    population = survey.populations[index]
    n = len(x)
    fractions = draw_band_fractions(population, survey.energy_edges, n, rng)
    return SourceList(
        population=np.full(n, index),
        x=x,
        y=y,
        flux=flux,
        band_flux=fractions * flux[:, None],
        radius=_draw_radii(population, n, rng),
        is_disc=rng.uniform(size=n) < 0.6,
    )


def draw_band_fractions(
    population: Population, energy_edges: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw spectra of a population.

    Parameters
    ----------
    population : Population
    energy_edges : numpy.ndarray, shape (n_bands + 1,)
        Of the bands, GeV.
    n : int
        How many.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (n, n_bands)
        Photon flux in each band over that from 1 to 100 GeV.
    """
    return band_fractions(
        population.spectrum,
        energy_edges,
        pivot=10 ** rng.normal(*population.pivot, n) / 1000,
        index=rng.normal(*population.index, n),
        curvature=_draw_curvature(population, n, rng),
    )


def _draw_curvature(population: Population, n: int, rng: np.random.Generator) -> np.ndarray:
    """β of a log-parabola, not negative; or d of PLEC4, log-normal."""
    values = rng.normal(*population.curvature, n)
    return 10**values if population.spectrum == "plec4" else np.maximum(values, 0)


def _draw_radii(population: Population, n: int, rng: np.random.Generator) -> np.ndarray:
    median, scatter = population.radius
    radii = np.clip(rng.lognormal(np.log(median), scatter, n), *population.radius_range)
    return np.where(rng.uniform(size=n) < population.extended_fraction, radii, 0.0)


def _concatenate(parts: list[SourceList]) -> SourceList:
    names = vars(parts[0])
    return SourceList(**{name: np.concatenate([vars(p)[name] for p in parts]) for name in names})
