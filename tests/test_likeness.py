"""What tells a map that is unlike the training skies: residuals of the background, and noise."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from truth_teller import truthful_labels

from psseg.catalogue.source_light import source_light
from psseg.errors import PssegError, PssegWarning
from psseg.likeness import (
    CountsLikeness,
    background_residuals,
    counts_likeness,
    image_statistics,
    tell_unchecked,
    tell_unlike,
    unlike_statistics,
)
from psseg.sky.radio_observation import draw_observation
from psseg.sky.radio_simulation import simulate_image
from psseg.sky.simulation import simulate_tile
from psseg.survey.survey import load_survey
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.noise import measure_planes
from psseg.tiles.places import nearest_pixels
from tests.made_images import RMS, beam_covariance, beam_noise, draw, make_image


def light_of(sky, lat):
    """Counts that the true sources add, as far as the truth lists them."""
    truth, tile = sky.truth, sky.tile
    rows, columns = nearest_pixels(truth["X"], truth["Y"], tile.shape)
    measured = truth["X", "Y", "Extension"]
    measured["Counts_Band"] = truth["Flux_Band"].value * tile.exposure[:, rows, columns].T
    return source_light(tile, sky.background, measured, lat)


def simulated(lat, glon, glat, size):
    center = SkyCoord(glon, glat, unit="deg", frame="galactic")
    rng = np.random.default_rng(5)
    return simulate_tile(lat, rng=rng, shape=(size, size), center=center, years=14.0)


@pytest.fixture(scope="module")
def sky(lat):
    """Give 12°×12° of sky as it is far from the plane."""
    return simulated(lat, 120.0, 60.0, 120)


@pytest.fixture(scope="module")
def light(sky, lat):
    return light_of(sky, lat)


@pytest.fixture(scope="module")
def plane(lat):
    """Give as much of the inner Galactic plane, where no pixel is far from all sources."""
    return simulated(lat, 10.0, 0.0, 120)


def test_poisson_noise_on_the_right_background_gives_one(sky, light):
    residuals = background_residuals(sky.tile, sky.background, light)
    known = residuals[np.isfinite(residuals)]
    assert len(known) >= 5
    assert np.all((known > 0.8) & (known < 1.3))


def test_a_wrong_background_gives_more(sky, light):
    right = background_residuals(sky.tile, sky.background, light)
    wrong = background_residuals(sky.tile, 0.5 * sky.background, light)
    assert np.all(wrong[:3] > 1.3 * right[:3])


def test_where_sources_crowd_a_wrong_background_is_seen(plane, lat):
    light = light_of(plane, lat)
    right = background_residuals(plane.tile, plane.background, light)
    assert np.isfinite(right).all()
    assert right[2:].max() < 1.5  # below, light of sources beyond the tile is left
    y, x = np.indices(plane.tile.shape)
    squares = np.where((x // 16 + y // 16) % 2, 1.6, 1)
    rng = np.random.default_rng(1)
    brighter = rng.poisson(plane.background * (squares - 1))
    tile = replace(plane.tile, data=plane.tile.data + brighter)
    wrong = background_residuals(tile, plane.background, light)
    assert np.all(wrong[2:5] > 1.5 * right[2:5])


def test_absent_bands_and_masked_pixels_say_nothing(sky, light):
    present = np.arange(sky.tile.n_bands) > 2
    mask = np.zeros(sky.tile.shape, bool)
    mask[:40] = True
    data = np.where(mask, 1e6, sky.tile.data)
    tile = replace(sky.tile, data=data, bands_present=present, mask=mask)
    residuals = background_residuals(tile, sky.background, light[present])
    assert np.isnan(residuals[:3]).all()
    assert np.nanmax(residuals) < 1.3


def test_a_few_counts_say_nothing(sky, light):
    mask = np.ones(sky.tile.shape, bool)
    mask[:10, :10] = False
    found = counts_likeness(replace(sky.tile, mask=mask), truthful_labels(sky), light)
    assert not found.is_known
    assert found.unlike((1.0,) * 8, (), ("band",) * 8) == []


def test_the_share_of_sources_is_that_of_the_pixels_with_data(sky, light):
    labels = truthful_labels(sky)
    mask = np.zeros(sky.tile.shape, bool)
    mask[:60] = True
    labels.class_probabilities[0, 60:90] = 0.4
    labels.class_probabilities[0, 90:] = 0.9
    labels.class_probabilities[:, mask] = np.nan
    assert counts_likeness(replace(sky.tile, mask=mask), labels, light).sources == 0.5


BANDS = ("low", "high")


@pytest.mark.parametrize(
    ("limits", "shares", "unlike"),
    [
        ((), (), []),
        ((2.0, 2.0), ((0.0, 0.2),), []),
        ((1.2, 1.2), (), ["residuals of high 1.4 (training: 0 to 1.2)"]),
        ((2.0, 2.0), ((0.0, 0.05),), ["sources 0.1 (training: 0 to 0.05)"]),
        ((), ((0.0, 0.05),), ["sources 0.1 (training: 0 to 0.05)"]),
    ],
)
def test_one_number_beyond_its_limit_is_enough(limits, shares, unlike):
    found = CountsLikeness(residuals=np.array([np.nan, 1.4]), sources=0.1)
    assert found.unlike(limits, shares, BANDS) == unlike


@pytest.mark.parametrize("tell", [partial(tell_unlike, why="its colour"), tell_unchecked])
def test_what_is_unlike_or_not_known_is_warned_of_or_refused(tell):
    with pytest.warns(PssegWarning, match="a map: .*skies that a model was trained on"):
        tell("a map", "a model", strict=False)
    with pytest.raises(PssegError, match="leave --strict out"):
        tell("a map", "a model", strict=True)


SIDE = 300
USUAL = ((0.4, 1.7), (-0.02, 0.15), (0.8, 1.3), (-0.05, 0.3))


def statistics_of(values, sources=None):
    image = make_image([values])
    sources = np.zeros(image.shape, bool) if sources is None else sources
    meshes = measure_planes(image, sources=sources)
    return image_statistics(image, ImageNoise(meshes=meshes, planes=image.planes), sources)


@pytest.fixture(scope="module")
def noise():
    return RMS * beam_noise(np.random.default_rng(3), (SIDE, SIDE), beam_covariance())


def test_noise_as_the_beam_makes_it_is_like_training(noise):
    found = statistics_of(noise)
    assert found["correlation"] == pytest.approx(1, abs=0.05)
    assert found["depth"] == pytest.approx(1, abs=0.05)
    assert (found["ringing"], found["sources"]) == (pytest.approx(0, abs=0.03), 0)
    assert unlike_statistics(found, USUAL) == []


@pytest.mark.parametrize("setup", ["racs-mid", "vlass"])
def test_a_simulated_image_is_like_training(setup):
    radio, rng = load_survey("radio"), np.random.default_rng(8)
    observation = draw_observation(radio, rng, like=setup)
    made = simulate_image(radio, rng=rng, shape=(256, 256), mix="physical", observation=observation)
    sources, image = made.source_map > 0, made.image
    meshes = measure_planes(image, sources=sources)
    found = image_statistics(image, ImageNoise(meshes=meshes, planes=image.planes), sources)
    assert unlike_statistics(found, USUAL) == []


def rings(noise):
    """Sources with the sidelobes of a few baselines, a third of their peak."""
    y, x = np.indices(noise.shape)
    image = noise.copy()
    for x0, y0 in ((90, 120), (200, 70), (210, 230)):
        r, angle = np.hypot(x - x0, y - y0), np.arctan2(y - y0, x - x0)
        image += 0.3 * np.cos(r / 2) * np.cos(3 * angle) ** 2 * np.exp(-r / 150)
        draw(image, [x0], [y0], [1.0], beam_covariance())
    return image


def pixel_noise(noise):
    return RMS * np.random.default_rng(4).normal(size=noise.shape)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (rings, "ringing"),
        (pixel_noise, "correlation"),
        (
            lambda noise: (
                RMS * beam_noise(np.random.default_rng(5), noise.shape, 9 * beam_covariance())
            ),
            "correlation",
        ),
        (np.abs, "depth"),
    ],
)
def test_what_is_no_noise_of_this_beam_is_unlike_training(noise, spoil, named):
    outside = unlike_statistics(statistics_of(spoil(noise)), USUAL)
    assert any(line.startswith(named) for line in outside)


def test_sources_and_blanks_are_left_out_of_the_noise(noise):
    clean = statistics_of(noise)
    bright, sources = noise.copy(), np.zeros(noise.shape, bool)
    draw(bright, [150.0], [150.0], [1.0], beam_covariance())
    sources[142:159, 142:159] = True
    bright[:60] = np.nan
    found = statistics_of(bright, sources)
    for name in ("correlation", "depth"):
        assert found[name] == pytest.approx(clean[name], abs=0.03)
    assert found["sources"] == pytest.approx(17**2 / (SIDE * (SIDE - 60)))


def test_a_tiny_image_says_nothing_of_its_noise(noise):
    found = statistics_of(noise[:40, :40])
    assert np.isnan([found[name] for name in ("correlation", "ringing", "depth")]).all()
    assert unlike_statistics(found, USUAL) == []


def test_without_limits_no_image_is_unlike():
    assert unlike_statistics(dict.fromkeys(("correlation", "ringing"), 99.0), ()) == []
