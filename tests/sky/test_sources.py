"""Populations: counts and places against calculus, what is drawn against both, and reality."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest

from psseg.sky.geometry import TileGeometry
from psseg.sky.sources import (
    FAINTEST,
    draw_balanced,
    draw_physical,
    number_above,
    sky_density,
)
from psseg.sky.spectra import band_fractions
from psseg.survey.classes import CODES, SOURCE_CLASSES, class_of_code
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
POPULATIONS = {population.code: population for population in SURVEY.populations}

populations = st.sampled_from(SURVEY.populations)


def tile(glon=30.0, glat=50.0, side=128):
    return TileGeometry(glon=glon, glat=glat, shape=(side, side), pixel_scale=0.1)


def share_between(population, low, high):
    """Share of a population at low < |b| < high, deg."""
    sin_b = np.linspace(*np.sin(np.radians([low, high])), 4001)
    sin_b = (sin_b[1:] + sin_b[:-1]) / 2
    longitude = np.linspace(-180, 180, 721)[:-1]
    density = sky_density(population, longitude[:, None], np.degrees(np.arcsin(sin_b)))
    return 2 * density.mean() * 2 * np.pi * np.ptp(np.sin(np.radians([low, high])))


# --- where sources are -----------------------------------------------------------------------


@pytest.mark.parametrize("population", SURVEY.populations, ids=lambda p: p.code)
def test_sky_density_integrates_to_one(population):
    def ring(b):
        return float(sky_density(population, 30.0, np.degrees(b))) * np.cos(b)

    def along(l):  # noqa: E741
        return float(sky_density(population, np.degrees(l), 5.0))

    latitude = 2 * quad(ring, 0, np.pi / 2, points=[0.02, 0.2], limit=200)[0]
    longitude = 2 * quad(along, 0, np.pi, limit=200)[0]
    at = float(sky_density(population, 30.0, 5.0))
    # The density is a product: its integral is that of its factors over one value of it.
    assert latitude * longitude / at == pytest.approx(1, rel=1e-6)


@given(population=populations, glon=st.floats(0, 360), glat=st.floats(-90, 90))
def test_the_sky_is_the_same_on_both_sides_of_the_centre(population, glon, glat):
    here = sky_density(population, glon, glat)
    assert here >= 0
    assert sky_density(population, -glon, glat) == pytest.approx(here, rel=1e-9)
    assert sky_density(population, glon + 360, -glat) == pytest.approx(here, rel=1e-9)


def test_an_isotropic_population_is_everywhere_alike():
    density = sky_density(POPULATIONS["bll"], np.array([0, 120, 359]), np.array([0, -89, 30]))
    assert density == pytest.approx(1 / (4 * np.pi))


def test_young_pulsars_hug_the_plane():
    # 69 % within 2, 85 % within 5, 97 % within 20 deg in the third pulsar catalogue
    shares = [share_between(POPULATIONS["psr"], 0, b) for b in (2, 5, 20)]
    assert shares == pytest.approx([0.69, 0.85, 0.97], abs=0.06)


def test_millisecond_pulsars_do_not():
    # 28 % within 10, 53 % within 20 deg there; the plane's emission hides some that are nearer.
    shares = [share_between(POPULATIONS["msp"], 0, b) for b in (10, 20)]
    assert 0.28 < shares[0] < 0.5
    assert 0.53 < shares[1] < 0.7


# --- how many there are ----------------------------------------------------------------------


@given(population=populations, low=st.floats(-12, -5), factor=st.floats(1.01, 10))
def test_fewer_sources_above_a_higher_flux(population, low, factor):
    fainter, brighter = number_above(population, np.array([10**low, 10**low * factor]))
    assert fainter >= brighter >= 0


@given(population=populations)
def test_number_at_the_reference_and_beyond_the_range(population):
    assert number_above(population, population.reference_flux) == pytest.approx(population.n_above)
    low, high = population.flux_range
    assert number_above(population, high) == 0
    assert number_above(population, low / 10) == number_above(population, low)


def test_counts_of_a_single_power_law():
    galaxies = POPULATIONS["rdg"]  # one slope, 2.2, from 3e-11 to 1e-7
    norm = 12 / (1e-9**-1.2 - 1e-7**-1.2)
    expected = norm * (3e-10**-1.2 - 1e-7**-1.2)
    assert number_above(galaxies, 3e-10) == pytest.approx(expected)


def test_the_counts_have_no_step_at_a_break():
    blazars = POPULATIONS["fsrq"]
    flux = blazars.flux_breaks[0] * np.array([0.98, 0.99, 1.0, 1.01, 1.02])
    slopes = np.diff(np.log(-np.diff(number_above(blazars, flux))))
    assert np.all(np.abs(slopes) < 0.05)


def test_blazars_have_the_counts_of_4fgl():
    # N(> S) per sr at |b| > 20 deg in 8 years: 45 at 1e-9, 7.6 at 5e-9, 3.4 at 1e-8
    blazars = [p for p in SURVEY.populations if p.source_class == "blazar"]
    flux = np.array([1e-9, 5e-9, 1e-8])
    per_sr = sum(number_above(p, flux) for p in blazars) / (4 * np.pi)
    assert per_sr == pytest.approx([45, 7.6, 3.4], rel=0.15)


# --- what is drawn ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["bll", "msp", "psr"])
def test_drawn_fluxes_follow_the_counts(code):
    population = replace(POPULATIONS[code], n_above=40 * POPULATIONS[code].n_above)
    survey = replace(SURVEY, populations=(population,))
    drawn = draw_physical(survey, tile(20, 3), np.random.default_rng(4))
    total = number_above(population, population.flux_range[0])
    assert len(drawn) > 200
    found = kstest(drawn.flux, lambda flux: 1 - number_above(population, flux) / total)
    assert found.pvalue > 1e-3


@pytest.mark.parametrize("place", [(30.0, 60.0), (5.0, 2.0), (178.0, -1.0)])
def test_drawn_numbers_follow_the_sky(place):
    geometry, rng = tile(*place, side=96), np.random.default_rng(5)
    survey = replace(SURVEY, populations=tuple(POPULATIONS[c] for c in ("psr", "unk", "bcu")))
    y, x = np.mgrid[:160, :160]
    glon, glat = geometry.to_galactic(x.ravel(), y.ravel())
    expected = sum(
        number_above(p, p.flux_range[0]) * sky_density(p, glon, glat).sum() * geometry.pixel_area
        for p in survey.populations
    )
    drawn = sum(len(draw_physical(survey, geometry, rng)) for _ in range(20))
    assert drawn / 20 == pytest.approx(expected, abs=4 * np.sqrt(expected / 20))


def test_positions_are_uniform_per_solid_angle():
    blazars = replace(POPULATIONS["bll"], n_above=700 * POPULATIONS["bll"].n_above)
    survey, geometry = replace(SURVEY, populations=(blazars,)), tile(side=256)
    drawn = draw_physical(survey, geometry, np.random.default_rng(13))
    per_sr = number_above(blazars, blazars.flux_range[0]) / (4 * np.pi)
    expected = per_sr * geometry.relative_area.sum() * geometry.pixel_area
    assert expected > 20_000
    assert len(drawn) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    # Around the tangent point, out to the border, 1 - cos of the angle is then uniform.
    tangent = np.hypot(drawn.x - 159.5, drawn.y - 159.5) * np.radians(0.1)
    height, highest = (1 - 1 / np.hypot(1, t) for t in (tangent, np.radians(16.0)))
    assert kstest(height[height < highest] / highest, "uniform").pvalue > 1e-3


def test_sources_below_a_limit_only():
    drawn = draw_physical(SURVEY, tile(), np.random.default_rng(6), below=1e-10)
    assert len(drawn) > 50
    assert drawn.flux.max() < 1e-10


def test_band_fluxes_belong_to_the_flux():
    drawn = draw_physical(SURVEY, tile(20, 1), np.random.default_rng(7))
    # 1-50 GeV holds nearly all of 1-100 GeV, and never more.
    share = drawn.band_flux[:, 2:7].sum(axis=1) / drawn.flux
    assert np.all(share < 1.01)
    assert np.median(share) > 0.97
    assert np.all(drawn.band_flux >= 0)


def test_only_what_can_be_resolved_is_extended():
    drawn = draw_physical(SURVEY, tile(20, 0), np.random.default_rng(8))
    resolved = np.array([p.extended_fraction > 0 for p in SURVEY.populations])
    extended = drawn.radius > 0
    assert extended.any()
    assert np.all(resolved[drawn.population[extended]])
    assert np.all((drawn.radius[extended] >= 0.12) & (drawn.radius[extended] <= 2.5))


def test_selecting_sources():
    drawn = draw_physical(SURVEY, tile(), np.random.default_rng(9))
    bright = drawn.select(drawn.flux > 1e-10)
    assert len(bright) == (drawn.flux > 1e-10).sum() < len(drawn)
    assert bright.band_flux.shape == (len(bright), SURVEY.n_bands)


def test_the_same_seed_draws_the_same_sources():
    one, again = (draw_physical(SURVEY, tile(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.flux, again.flux)
    assert np.array_equal(one.band_flux, again.band_flux)


@pytest.fixture(scope="module")
def balanced():
    """Give the bright part of three crowded training tiles, high above the plane."""
    rng, threshold = np.random.default_rng(10), 2e-10
    tiles = [
        draw_balanced(SURVEY, tile(), rng, threshold=threshold, density=(400.0, 401.0))
        for _ in range(3)
    ]
    return [sources.select(sources.flux >= FAINTEST * threshold) for sources in tiles]


def test_balanced_classes_are_equally_frequent(balanced):
    names = [p.source_class for p in SURVEY.populations]
    found = [names[index] for sources in balanced for index in sources.population]
    numbers = np.array([found.count(name) for name in SOURCE_CLASSES])
    assert "" not in found  # no truth for a class: nothing to train on
    assert numbers == pytest.approx(len(found) / 3, abs=4 * np.sqrt(len(found) / 4))


def test_balanced_sources_have_their_density_and_fluxes(balanced):
    flux = np.concatenate([sources.flux for sources in balanced])
    square_degrees = 3 * 192**2 * 0.01
    assert len(flux) == pytest.approx(4 * square_degrees, rel=0.1)
    low, high = FAINTEST * 2e-10, 2e-7
    found = kstest(flux, lambda s: (low**-0.7 - s**-0.7) / (low**-0.7 - high**-0.7))
    assert found.pvalue > 1e-3


def test_the_faint_sky_under_balanced_sources_is_the_physical_one():
    rng = np.random.default_rng(11)
    drawn = draw_balanced(SURVEY, tile(), rng, threshold=2e-10, density=(1.0, 1.01))
    faint = drawn.select(drawn.flux < 1e-10)
    isotropic = [p for p in SURVEY.populations if p.longitude_scale == 0]
    expected = sum(number_above(p, 1e-11) - number_above(p, 1e-10) for p in isotropic)
    expected *= tile().padded_area / (4 * np.pi)
    assert len(faint) == pytest.approx(expected, abs=5 * np.sqrt(expected))


# --- reality ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalogue(data_folder):
    with fits.open(data_folder / "lat" / "catalogues" / "gll_psc_v35.fit.gz") as hdus:
        return hdus[1].data.copy()


@pytest.mark.data
@pytest.mark.parametrize(
    ("latitudes", "flux", "tolerance"),
    [((20, 90), 1e-9, 0.2), ((20, 90), 3e-10, 0.2), ((5, 20), 1e-9, 0.2), ((0, 5), 3e-9, 0.35)],
)
def test_source_density_is_that_of_4fgl(catalogue, latitudes, flux, tolerance):
    low, high = latitudes
    latitude = np.abs(catalogue["GLAT"])
    there = (latitude >= low) & (latitude < high) & (catalogue["Flux1000"] > flux)
    expected = sum(
        float(number_above(p, flux)) * share_between(p, low, high) for p in SURVEY.populations
    )
    assert expected == pytest.approx(there.sum(), rel=tolerance)


GROUPS = {
    "young pulsar": ("psr",),
    "millisecond pulsar": ("msp",),
    "blazar": CODES["blazar"],
    "remnant or nebula": ("snr", "pwn", "spp", "sfr"),
    "globular cluster": ("glc",),
    "binary": ("hmb", "lmb", "bin", "nov"),
    "galaxy": ("sbg", "gal", "rdg", "agn", "css", "ssrq", "sey", "nlsy1"),
    "unassociated": ("unk", ""),
}
RINGS = ((0, 1), (1, 2), (2, 5), (5, 20), (20, 90))
TOO_MANY = {
    ("young pulsar", (0, 1)): "104 for 72 in 4FGL; above 5e-9 their number is right",
    ("young pulsar", (5, 20)): "25 for 13 in 4FGL; above 5e-9 their number is right",
    ("unassociated", (5, 20)): "53 for 25 in 4FGL; from 3e-10 to 1e-9 their number is right",
}


@pytest.mark.data
@pytest.mark.parametrize(
    ("group", "latitudes"),
    [
        pytest.param(
            *cell,
            marks=pytest.mark.xfail(
                cell in TOO_MANY, reason=TOO_MANY.get(cell, "none"), strict=True
            ),
        )
        for cell in product(GROUPS, RINGS)
    ],
)
def test_every_kind_is_as_common_as_in_4fgl_at_every_latitude(catalogue, group, latitudes):
    low, high = latitudes
    latitude, flux = np.abs(catalogue["GLAT"]), 1e-9
    there = (latitude >= low) & (latitude < high) & (catalogue["Flux1000"] > flux)
    counted = np.isin(source_codes(catalogue)[there], GROUPS[group]).sum()
    expected = sum(
        float(number_above(p, flux)) * share_between(p, low, high)
        for p in SURVEY.populations
        if p.code in GROUPS[group]
    )
    poisson = 2 * np.sqrt(max(counted, expected))
    assert expected == pytest.approx(counted, abs=max(0.35 * counted, poisson))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "latitudes", "flux"),
    [("blazar", (20, 90), 1e-9), ("pulsar", (10, 90), 1e-9), ("pulsar", (0, 5), 5e-9)],
)
def test_classes_are_as_common_as_in_4fgl(catalogue, name, latitudes, flux):
    low, high = latitudes
    latitude = np.abs(catalogue["GLAT"])
    there = (latitude >= low) & (latitude < high) & (catalogue["Flux1000"] > flux)
    classes = [class_of_code(str(code)) for code in catalogue["CLASS1"][there]]
    counted = sum(c is not None and c.name.lower() == name for c in classes)
    expected = sum(
        float(number_above(p, flux)) * share_between(p, low, high)
        for p in SURVEY.populations
        if p.source_class == name
    )
    assert expected == pytest.approx(counted, rel=0.3)


def source_codes(catalogue):
    return np.char.strip(np.char.lower(catalogue["CLASS1"].astype(str)))


def measured_colours(catalogue, code, upper, lower):
    """Logarithm of the ratio of photon fluxes in two bands, GeV, of bright sources of 4FGL."""
    edges = [0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 1000]  # GeV, the catalogue's bands
    bright = (source_codes(catalogue) == code) & (catalogue["Signif_Avg"] > 15)
    bands = catalogue["Flux_Band"][bright]
    return np.log10(bands[:, edges.index(upper[0])] / bands[:, edges.index(lower[0])])


def drawn_colours(code, upper, lower, n=4000):
    """Draw the same from the spectra of a population."""
    population, rng = POPULATIONS[code], np.random.default_rng(12)
    curvature = rng.normal(*population.curvature, n)
    drawn = band_fractions(
        population.spectrum,
        np.array(sorted({*upper, *lower})),
        pivot=10 ** rng.normal(*population.pivot, n) / 1e3,
        index=rng.normal(*population.index, n),
        curvature=10**curvature if code in ("psr", "msp") else np.maximum(curvature, 0),
    )
    return np.log10(drawn[:, -1] / drawn[:, 0])


def half_width(values):
    return np.ptp(np.percentile(values, [16, 84])) / 2


@pytest.mark.data
@pytest.mark.parametrize("code", ["psr", "msp", "fsrq", "bll", "pwn", "snr"])
@pytest.mark.parametrize(
    ("upper", "lower"),
    [((1, 3), (0.3, 1)), ((3, 10), (0.3, 1)), ((3, 10), (1, 3)), ((10, 30), (1, 3))],
)
def test_median_colours_are_those_of_4fgl(catalogue, code, upper, lower):
    measured = measured_colours(catalogue, code, upper, lower)
    error = 1.25 * half_width(measured) / np.sqrt(len(measured))  # of the median
    median = np.median(drawn_colours(code, upper, lower))
    assert median == pytest.approx(np.median(measured), abs=0.12 + error)


@pytest.mark.data
@pytest.mark.parametrize("code", ["fsrq", "bll", "bcu", "psr", "msp"])
@pytest.mark.parametrize(("upper", "lower"), [((3, 10), (0.3, 1)), ((1, 3), (0.3, 1))])
def test_colours_are_those_of_4fgl(catalogue, code, upper, lower):
    measured = measured_colours(catalogue, code, upper, lower)
    drawn, scatter = drawn_colours(code, upper, lower), half_width(measured)
    assert np.median(drawn) == pytest.approx(np.median(measured), abs=scatter)
    assert half_width(drawn) == pytest.approx(scatter, rel=0.6)
