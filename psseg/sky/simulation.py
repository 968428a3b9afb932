"""A simulated tile: expected counts first, Poisson noise last, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from psseg.errors import PssegError
from psseg.sky.diffuse import DiffuseTemplates, cut_templates, draw_diffuse
from psseg.sky.geometry import TileGeometry, random_centre
from psseg.sky.rendering import render_diffuse, render_sources
from psseg.sky.sources import SourceList, draw_balanced, draw_physical
from psseg.sky.truth import asimov_ts, detection_flux, draw_class_map
from psseg.survey.survey import Survey
from psseg.tiles.places import lon_lat, unit_vectors
from psseg.tiles.tile import Tile

__all__ = ["MIXES", "SimulatedTile", "add_noise", "simulate_tile"]

MIXES = ("physical", "balanced")

GRADIENT = 0.0039
"""Relative change of the exposure per degree along an axis, rms. The steepest is then 0.0046 in the
median and more than 0.0095 in 5 % of the tiles; on the sky 0.0043 and 0.0102 (3FHL's exposure cube
at 10 GeV)."""

LISTED_TS = 2.0
"""Asimov TS from which a source is in the truth table; between 2 and 2.5 some are not looked at."""

LISTED_FLUX = 2e-10
"""1-100 GeV, ph cm⁻² s⁻¹: brighter sources are listed whatever their TS, as completeness by flux
counts them."""


@dataclass(frozen=True, kw_only=True)
class SimulatedTile:
    """A tile with its truth.

    Parameters
    ----------
    tile : Tile
        Noisy counts, exposure, WCS: what an observer gets.
    expected : numpy.ndarray, shape (n_bands, n_y, n_x)
        Expected counts of everything.
    background : numpy.ndarray, shape (n_bands, n_y, n_x)
        Expected counts of the diffuse emission alone.
    class_map : numpy.ndarray of uint8, shape (n_y, n_x)
        Class per pixel (:class:`~psseg.survey.classes.SourceClass`), 255 where ignored.
    truth : astropy.table.QTable
        The sources on the tile with an Asimov TS of at least `LISTED_TS`, or brighter than
        `LISTED_FLUX`.
    """

    tile: Tile
    expected: np.ndarray
    background: np.ndarray
    class_map: np.ndarray
    truth: QTable


def simulate_tile(
    survey: Survey,
    *,
    rng: np.random.Generator,
    shape: tuple[int, int] = (128, 128),
    mix: str = "physical",
    center: SkyCoord | None = None,
    years: float | None = None,
    bands_present: np.ndarray | None = None,
    diffuse: DiffuseTemplates | None = None,
) -> SimulatedTile:
    """Simulate one tile of the sky.

    Parameters
    ----------
    survey : Survey
        A survey of kind "counts".
    rng : numpy.random.Generator
        All randomness comes from here.
    shape : tuple of int
        (n_y, n_x), pixels.
    mix : str
        "physical": sources as they are on the sky; "balanced": every class as often at every
        place and flux, for training.
    center : SkyCoord, optional
        Centre of the tile; anywhere on the sky by default, but a third of the balanced tiles
        within 6°, a quarter within 20° of the plane, where finding sources is hard.
    years : float, optional
        Length of the observation; by default drawn log-uniformly from the survey's range.
    bands_present : numpy.ndarray of bool, shape (n_bands,), optional
        Bands that are observed, all by default. What is detectable is judged on these.
    diffuse : DiffuseTemplates, optional
        Take the diffuse emission from these instead of drawing it.

    Returns
    -------
    SimulatedTile

    Raises
    ------
    PssegError
        If `mix`, `years` or `bands_present` is wrong.

    Examples
    --------
    >>> from psseg.survey.survey import load_survey
    >>> sky = simulate_tile(load_survey("fermi-lat"), rng=np.random.default_rng(1), shape=(64, 64))
    >>> sky.tile.data.shape
    (8, 64, 64)
    """
    if mix not in MIXES:
        raise PssegError(f"mix is {mix!r}, want one of {', '.join(MIXES)}")
    present = np.ones(survey.n_bands, bool) if bands_present is None else np.array(bands_present)
    if present.shape != (survey.n_bands,):
        raise PssegError(f"bands_present must be {survey.n_bands} values, one per band")
    geometry = _place(survey, rng, shape, mix, center)
    exposure = _draw_exposure(survey, geometry, years, rng)
    background = _background(survey, geometry, diffuse, rng) * exposure
    level = exposure.mean(axis=(1, 2))
    if mix == "balanced":
        threshold = detection_flux(survey, background, level, present)
        sources = draw_balanced(survey, geometry, rng, threshold=threshold)
    else:
        sources = draw_physical(survey, geometry, rng)
    expected = background + render_sources(survey, geometry, sources, level) * exposure
    ts = asimov_ts(survey, sources, expected, background, exposure, present)
    class_map = draw_class_map(survey, sources, ts, geometry.padded_shape)
    truth = _truth_table(survey, geometry, sources, ts, exposure * present[:, None, None])
    expected, background, exposure = (
        np.ascontiguousarray(cube[:, *geometry.inner]) for cube in (expected, background, exposure)
    )
    tile = Tile(
        data=add_noise(expected * present[:, None, None], rng),
        wcs=geometry.wcs,
        bands_present=present,
        mask=np.zeros(shape, dtype=bool),
        exposure=exposure,
        name="simulated",
    )
    return SimulatedTile(
        tile=tile,
        expected=expected,
        background=background,
        class_map=class_map[geometry.inner],
        truth=truth,
    )


def _background(
    survey: Survey,
    geometry: TileGeometry,
    diffuse: DiffuseTemplates | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Diffuse flux per pixel of the padded tile, ph cm⁻² s⁻¹."""
    if diffuse is None:
        return render_diffuse(survey, geometry, draw_diffuse(survey, geometry, rng))
    return render_diffuse(survey, geometry, cut_templates(diffuse, survey, geometry))


def _place(
    survey: Survey,
    rng: np.random.Generator,
    shape: tuple[int, int],
    mix: str,
    center: SkyCoord | None,
) -> TileGeometry:
    if center is not None:
        glon, glat = center.galactic.l.deg, center.galactic.b.deg
    else:
        reach = rng.choice((6, 20, 90), p=(0.35, 0.25, 0.4)) if mix == "balanced" else 90
        glon, glat = random_centre(rng, latitude=(-reach, reach))
    return TileGeometry(
        glon=float(glon), glat=float(glat), shape=shape, pixel_scale=survey.pixel_scale
    )


def _draw_exposure(
    survey: Survey, geometry: TileGeometry, years: float | None, rng: np.random.Generator
) -> np.ndarray:
    """Exposure of the padded tile, (n_bands, n_y, n_x), cm² s, with a gentle gradient."""
    instrument = survey.instrument
    drawn = np.exp(rng.uniform(*np.log(instrument.years)))
    level = instrument.band_exposure(drawn if years is None else years)
    level = level * _drawn_variation(instrument.variation, rng)
    n_y, n_x = geometry.padded_shape
    slope_y, slope_x = rng.normal(0, GRADIENT, 2) * geometry.pixel_scale
    plane = slope_y * (np.arange(n_y) - n_y / 2)[:, None] + slope_x * (np.arange(n_x) - n_x / 2)
    return (level[:, None, None] * np.exp(plane)).astype(np.float32)


def _drawn_variation(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """Exposure over its mean: between its limits on the sky, and 1 on average.

    With the LAT's limits the percentiles 5, 50 and 95 are 0.82, 0.97 and 1.26; those of 3FHL's
    exposure cube at 10 GeV are 0.84, 0.98 and 1.31.
    """
    low, high = limits
    if low == high:
        return low
    return low + (high - low) * rng.beta(1, (high - 1) / (1 - low))


def add_noise(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw Poisson counts.

    Parameters
    ----------
    expected : numpy.ndarray
        Expected counts, any shape.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of float32
    """
    return rng.poisson(expected).astype(np.float32)


def _truth_table(
    survey: Survey,
    geometry: TileGeometry,
    sources: SourceList,
    ts: np.ndarray,
    exposure: np.ndarray,
) -> QTable:
    """List the sources on the tile that matter; exposure of the padded tile."""
    x, y = sources.x - geometry.margin, sources.y - geometry.margin
    n_y, n_x = geometry.shape
    inside = (x > -0.5) & (x < n_x - 0.5) & (y > -0.5) & (y < n_y - 0.5)
    chosen = np.flatnonzero(inside & ((ts >= LISTED_TS) | (sources.flux > LISTED_FLUX)))
    chosen = chosen[np.argsort(-sources.flux[chosen])]
    found, x, y = sources.select(chosen), x[chosen], y[chosen]
    glon, glat = geometry.wcs.wcs_pix2world(x, y, 0)
    ra, dec = lon_lat(unit_vectors(glon, glat) @ _rotation_to_icrs().T)
    populations = [survey.populations[i] for i in found.population]
    at = np.rint(found.y).astype(int), np.rint(found.x).astype(int)
    counts = found.band_flux * exposure[:, *at].T
    return QTable(
        {
            "Source_Name": np.array([f"SIM {i + 1:04d}" for i in range(len(found))], dtype="U16"),
            "RAJ2000": ra * u.deg,
            "DEJ2000": dec * u.deg,
            "GLON": glon * u.deg,
            "GLAT": glat * u.deg,
            "CLASS": np.array([p.source_class for p in populations], dtype="U8"),
            "CLASS1": np.array([p.code for p in populations], dtype="U8"),
            "FLUX1000": found.flux / (u.cm**2 * u.s),
            "Flux_Band": found.band_flux / (u.cm**2 * u.s),
            "Extension": found.radius * u.deg,
            "TS": ts[chosen],
            "Npred": counts.sum(axis=1),
            "X": x,
            "Y": y,
        },
        copy=False,
    )


@lru_cache(maxsize=1)
def _rotation_to_icrs() -> np.ndarray:
    """Matrix that turns Galactic unit vectors into ICRS ones: its columns are their axes."""
    axes = SkyCoord([0, 90, 0], [0, 0, 90], unit="deg", frame="galactic").icrs
    return axes.cartesian.xyz.value
