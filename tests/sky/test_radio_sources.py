"""Radio sources: what is drawn against the published counts, spectra, sizes and polarisation."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from psseg.errors import PssegError
from psseg.sky.radio_sources import (
    RadioSources,
    component_fluxes,
    draw_radio_sources,
    source_fluxes,
    spectral_indices,
)
from psseg.sky.source_counts import class_densities, cumulative_counts, latitude_factor
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.radio_populations import SHAPES
from psseg.survey.survey import load_survey

SURVEY = load_survey("radio")
CODES = [population.code for population in SURVEY.populations]
REFERENCE = SURVEY.reference_frequency

EMU = {"shape": (128, 128), "pixel_scale": 2.5 / 3600, "frequency": 8.56e8, "faintest": 1e-5}


def intrinsic_shapes(sources):
    """FWHM and angle of the Gaussians with the same second moments as the sources."""
    xx, yy, xy = second_moments(sources)
    mean, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major, minor = (np.sqrt(8 * np.log(2) * np.maximum(m, 0)) for m in (mean + half, mean - half))
    return major, minor, np.degrees(np.arctan2(-2 * xy, yy - xx)) / 2 % 180


def second_moments(sources):
    """Flux-weighted, about the centroid."""
    owner, n = sources.component_source, len(sources)
    weight = sources.component_flux / sources.flux[owner]

    def mean(values):
        return np.bincount(owner, weights=weight * values, minlength=n)

    dx = sources.component_x - sources.x[owner]
    dy = sources.component_y - sources.y[owner]
    dx, dy = dx - mean(dx)[owner], dy - mean(dy)[owner]
    angle = np.radians(sources.component_angle)
    major, minor = (
        np.square(fwhm) / (8 * np.log(2))
        for fwhm in (sources.component_major, sources.component_minor)
    )
    sine, cosine = np.sin(angle), np.cos(angle)
    return (
        mean(dx**2 + major * sine**2 + minor * cosine**2),
        mean(dy**2 + major * cosine**2 + minor * sine**2),
        mean(dx * dy + (minor - major) * sine * cosine),
    )


def draw(seed=1, **changes):
    return draw_radio_sources(SURVEY, np.random.default_rng(seed), **{**EMU, **changes})


def of(sources, code):
    return sources.select(sources.population == CODES.index(code))


def square_degrees(shape, pixel_scale):
    return (shape[0] + 64) * (shape[1] + 64) * pixel_scale**2


# --- what is drawn ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide():
    """Give 36 deg2 at 1.4 GHz to 0.1 mJy."""
    scale = 20 / 3600
    return draw(shape=(1016, 1016), pixel_scale=scale, frequency=REFERENCE, faintest=1e-4)


@pytest.fixture(scope="module")
def balanced():
    """Give a big crowd of a training tile, above 2.5 rms of 1 mJy."""
    sources = draw(shape=(2000, 2000), mix="balanced", snr_unit=1e-3, faintest=1e-3)
    return sources.select(sources.flux >= 2.5e-3)


@pytest.mark.parametrize(
    ("mjy", "published"), [(0.1, 981), (0.25, 327), (1, 88.6), (5, 27.8), (25, 7.9), (100, 1.95)]
)
def test_as_many_sources_as_published(wide, mjy, published):
    area = square_degrees((1016, 1016), 20 / 3600)
    found = (wide.flux >= mjy / 1e3).sum()
    expected = published * area
    assert found == pytest.approx(expected, abs=0.1 * expected + 4 * np.sqrt(expected))


def test_nothing_is_fainter_than_the_limit(wide):
    assert wide.flux.min() >= 1e-4


def test_positions_fill_image_and_margin():
    sources = draw(shape=(60, 140), faintest=1e-6)
    assert len(sources) > 1000
    for values, side in ((sources.x, 140), (sources.y, 60)):
        assert kstest((values + 32.5) / (side + 64), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("frequency", [1.28e8, 8.56e8, 3e9])
def test_counts_at_another_frequency_are_what_the_priors_say(frequency):
    # The priors average the counts over spectra; drawing scales source by source.
    limit, area = 2e-3, square_degrees((1016, 1016), 20 / 3600)
    sources = draw(
        shape=(1016, 1016), pixel_scale=20 / 3600, frequency=frequency, faintest=limit
    )  # fmt: skip
    flux = np.geomspace(limit, 100, 400)
    density = class_densities(SURVEY, flux, frequency, 45.0)
    expected = area * np.trapezoid(density, np.log(flux), axis=0)
    classes = np.array([SOURCE_CLASSES.index(p.source_class) for p in SURVEY.populations])
    found = np.bincount(classes[sources.population], minlength=3)
    assert np.all(np.abs(found - expected) < 4 * np.sqrt(expected) + 0.1 * expected + 1)


def test_low_frequencies_show_more_sources():
    # Tens of times as many mJy sources at 144 MHz: LoTSS has 780 per deg2, most above 0.5 mJy.
    sources = draw(shape=(512, 512), pixel_scale=6 / 3600, frequency=1.44e8, faintest=8e-4)
    per_square_degree = len(sources) / square_degrees((512, 512), 6 / 3600)
    assert per_square_degree == pytest.approx(500, rel=0.35)


@pytest.mark.parametrize(("latitude", "seed"), [(2.0, 1), (-10.0, 2), (60.0, 3)])
def test_pulsars_crowd_in_the_plane(latitude, seed):
    scale, limit, pulsar = 200 / 3600, 2e-3, SURVEY.populations[CODES.index("psr")]
    sources = draw(
        seed,
        shape=(936, 936),
        pixel_scale=scale,
        frequency=REFERENCE,
        faintest=limit,
        galactic_latitude=latitude,
    )
    flux, counts = cumulative_counts(SURVEY.counts, pulsar)
    expected = np.interp(-np.log(limit), -np.log(flux), counts)
    expected *= latitude_factor(pulsar, latitude) * square_degrees((936, 936), scale)
    assert len(of(sources, "psr")) == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_the_mix_turns_from_galaxies_to_active_nuclei(wide):
    codes = np.array(CODES)[wide.population]
    faint, bright = codes[wide.flux < 2e-4], codes[wide.flux > 5e-3]
    assert np.mean(faint == "sfg") > 0.7
    assert np.mean(bright == "ssagn") > 0.65
    assert np.mean(np.isin(bright, ["fsrq", "bll"])) == pytest.approx(0.09, abs=0.04)


# --- spectra ---------------------------------------------------------------------------------


def test_indices_are_those_at_the_plane():
    sources = draw(faintest=3e-6)
    step = 1.001
    fluxes = source_fluxes(sources, EMU["frequency"] * step, EMU["frequency"])
    local = np.log(fluxes / sources.flux) / np.log(step)
    assert local == pytest.approx(sources.alpha, abs=2e-3)


def test_indices_between_two_frequencies():
    sources = draw(faintest=3e-6)
    between = spectral_indices(sources, 3e9, EMU["frequency"])
    expected = sources.flux * (3e9 / EMU["frequency"]) ** between
    assert source_fluxes(sources, 3e9, EMU["frequency"]) == pytest.approx(expected)
    same = spectral_indices(sources, EMU["frequency"], EMU["frequency"])
    assert np.array_equal(same, sources.alpha)
    # Spectra are curved: over a factor of 3.5 the index is not the one at the plane.
    assert np.std(between - sources.alpha) > 0.02


def test_component_fluxes_follow_power_law_and_curvature():
    sources = replace(
        draw(), component_alpha=np.full(len(draw().component_flux), -0.8),
        component_curvature=np.full(len(draw().component_flux), -0.1),
    )  # fmt: skip
    ratio = component_fluxes(sources, 2e9, 1e9) / sources.component_flux
    assert ratio == pytest.approx(2 ** (-0.8 - 0.1 * np.log(2)))


# --- sizes, shapes, polarisation -------------------------------------------------------------


@pytest.mark.parametrize("mjy", [0.2, 1, 5])
def test_median_sizes_are_those_of_windhorst(wide, mjy):
    near = np.abs(np.log(wide.flux / (mjy / 1e3))) < 0.3
    steep = np.isin(wide.population, [CODES.index("ssagn"), CODES.index("sfg")])
    size = wide.size[near & steep] * 20  # arcsec
    assert np.median(size) == pytest.approx(2 * mjy**0.3, rel=0.1)


def test_size_distribution_is_that_of_windhorst(wide):
    galaxies = of(wide, "sfg")
    scaled = galaxies.size * 20 / (2 * (galaxies.flux / 1e-3) ** 0.3)
    assert kstest(scaled, lambda t: 1 - np.exp(-np.log(2) * t**0.62)).pvalue > 1e-3


def test_pulsars_and_stars_are_points(balanced):
    for code in ("psr", "star", "gps"):
        sources = of(balanced, code)
        assert len(sources) > 50
        assert not np.any(sources.size)
        assert len(sources.component_flux) == len(sources)


def test_shapes_are_as_frequent_as_in_the_survey(balanced):
    galaxies = of(balanced, "ssagn")
    found = np.bincount(galaxies.shape, minlength=len(SHAPES)) / len(galaxies)
    expected = {"compact": 0.18, "fri": 0.25, "frii": 0.41, "bent": 0.16}
    assert dict(zip(SHAPES, found, strict=True)) == pytest.approx(
        {name: expected.get(name, 0) for name in SHAPES}, abs=0.06
    )


def test_pulsars_are_circularly_polarised_and_galaxies_are_not(balanced):
    strength = {code: np.abs(of(balanced, code).v_over_i) for code in CODES}
    assert np.median(strength["psr"]) == pytest.approx(0.08, abs=0.02)
    assert 0.3 < strength["psr"].max() <= 0.5
    assert np.median(strength["star"]) > 0.4
    for code in ("ssagn", "fsrq", "bll", "gps", "fcore"):
        assert 0.0005 < np.median(strength[code]) < 0.005
        assert strength[code].max() <= 0.02
    assert not np.any(strength["sfg"])


def test_both_hands_are_as_frequent(balanced):
    signs = np.sign(of(balanced, "psr").v_over_i)
    assert abs(signs.mean()) < 4 / np.sqrt(len(signs))


@given(seed=st.integers(0, 50), mix=st.sampled_from(["physical", "balanced"]))
def test_components_make_up_the_source(seed, mix):
    sources = draw(seed, mix=mix, snr_unit=1e-4)
    owner = sources.component_source
    total = np.bincount(owner, weights=sources.component_flux, minlength=len(sources))
    assert total == pytest.approx(sources.flux)
    index = np.bincount(owner, weights=sources.component_flux * sources.component_alpha)
    assert index / sources.flux == pytest.approx(sources.alpha)
    assert np.all(np.diff(owner) >= 0)
    assert np.array_equal(np.unique(owner), np.arange(len(sources)))


def test_components_lie_about_their_sources(balanced):
    owner = balanced.component_source
    distance = np.hypot(
        balanced.component_x - balanced.x[owner], balanced.component_y - balanced.y[owner]
    )
    assert np.all(distance <= 0.8 * balanced.size[owner])


def single(**component):
    """Give a source of components at the origin unless told otherwise, all equally bright."""
    n = max(len(values) for values in component.values())
    values = {f.name: np.zeros(n if f.name.startswith("comp") else 1) for f in fields(RadioSources)}
    values["component_flux"] = np.full(n, 1 / n)
    values["flux"] = np.ones(1)
    values["component_source"] = np.zeros(n, int)
    return RadioSources(**{**values, **{name: np.array(v) for name, v in component.items()}})


def test_the_shape_of_one_gaussian_is_its_own():
    source = single(component_major=[6.0], component_minor=[2.0], component_angle=[150.0])
    assert np.ravel(intrinsic_shapes(source)) == pytest.approx([6, 2, 150])


def test_the_shape_of_two_points_is_the_line_between():
    # 10 pixels apart, up and to the left: 45 deg from +y towards -x; standard deviation 5 pixels
    half = 5 / np.sqrt(2)
    source = single(component_x=[-half, half], component_y=[half, -half])
    major, minor, angle = np.ravel(intrinsic_shapes(source))
    assert major == pytest.approx(5 * 2.3548, rel=1e-4)
    assert minor == pytest.approx(0, abs=1e-6)
    assert angle == pytest.approx(45)


def test_points_have_no_size(balanced):
    major, minor, _ = intrinsic_shapes(balanced)
    assert np.all(major >= minor)
    assert np.array_equal(major > 0, balanced.size > 0)


# --- the training mix ------------------------------------------------------------------------


def test_classes_of_the_training_mix_are_equally_frequent(balanced):
    classes = np.array([SOURCE_CLASSES.index(p.source_class) for p in SURVEY.populations])
    numbers = np.bincount(classes[balanced.population], minlength=3)
    assert numbers == pytest.approx(len(balanced) / 3, abs=4 * np.sqrt(len(balanced) / 4))


def test_every_other_population_has_its_part(balanced):
    others = [p for p in SURVEY.populations if p.source_class == "other"]
    numbers = np.array([len(of(balanced, p.code)) for p in others])
    expected = np.array([p.balanced_weight for p in others]) * numbers.sum()
    assert np.all(np.abs(numbers - expected) < 5 * np.sqrt(expected))


def test_fluxes_of_the_training_mix(balanced):
    snr = of(balanced, "psr").flux / 1e-3
    low, high = 2.5**-0.7, 3000**-0.7
    assert kstest(snr, lambda s: (low - s**-0.7) / (low - high)).pvalue > 1e-3


def test_every_shape_is_seen_resolved(balanced):
    galaxies = of(balanced, "ssagn")
    for name in ("compact", "fri", "frii", "bent"):
        assert np.sum((galaxies.shape == SHAPES.index(name)) & (galaxies.size > 10)) > 5


def test_training_tiles_are_neither_empty_nor_confused():
    numbers = [
        np.sum(draw(seed, mix="balanced", snr_unit=0.1, faintest=0.1).flux > 0.25)
        for seed in range(40)
    ]
    per_beam = np.array(numbers) * 23 / 192**2
    assert 1 / 250 < per_beam.min() < per_beam.max() < 1 / 6
    assert np.ptp(np.log(per_beam)) > 1.5


def test_larger_beams_get_fewer_sources():
    few, many = (
        sum(len(draw(s, mix="balanced", snr_unit=0.1, faintest=0.1, beam_area=a)) for s in range(9))
        for a in (72.0, 7.0)
    )
    assert many / few == pytest.approx(72 / 7, rel=0.3)


def test_the_faint_sky_of_training_is_the_physical_one():
    faint = draw(mix="balanced", snr_unit=2e-5)
    faint = faint.select(faint.flux < 5e-5)
    physical = draw(2)
    physical = physical.select(physical.flux < 5e-5)
    assert len(faint) == pytest.approx(len(physical), abs=5 * np.sqrt(2 * len(physical)))
    assert len(faint) > 100


# --- drawing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", ["physical", "balanced"])
def test_the_same_seed_draws_the_same_sources(mix):
    one, again, other = (draw(seed, mix=mix, snr_unit=1e-4) for seed in (5, 5, 6))
    for name, values in vars(one).items():
        assert np.array_equal(values, getattr(again, name)), name
    assert not np.array_equal(one.flux[:10], other.flux[:10])


def test_an_empty_sky():
    sources = draw(faintest=1e4)
    assert len(sources) == 0
    assert all(len(values) == 0 for values in vars(sources).values())
    assert len(intrinsic_shapes(sources)[0]) == 0


def test_selecting_sources_with_their_components():
    sources = draw(faintest=3e-6)
    chosen = sources.size > 2
    large = sources.select(chosen)
    assert 0 < len(large) < len(sources)
    assert np.array_equal(large.flux, sources.flux[chosen])
    total = np.bincount(large.component_source, weights=large.component_flux)
    assert total == pytest.approx(large.flux)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mix": "even"}, "mix is 'even', want 'physical' or 'balanced'"),
        ({"mix": "balanced"}, "'balanced' needs snr_unit"),
        ({"mix": "balanced", "snr_unit": 0.0}, "snr_unit must be above 0, not 0.0"),
        ({"faintest": 0.0}, "faintest must be above 0"),
        ({"pixel_scale": -1.0}, "pixel_scale must be above 0"),
        ({"frequency": np.nan}, "frequency must be above 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(PssegError, match=message):
        draw(**changes)
