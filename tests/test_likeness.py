"""What tells a map that is unlike the training skies: residuals of the background, and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from truth_teller import truthful_labels

from psseg.likeness import (
    background_residuals,
    image_statistics,
    is_unlike,
    unlike_statistics,
)
from psseg.sky.radio_observation import draw_observation
from psseg.sky.radio_simulation import simulate_image
from psseg.sky.simulation import simulate_tile
from psseg.survey.survey import load_survey
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.noise import measure_planes
from tests.made_images import RMS, beam_covariance, beam_noise, draw, make_image

HARD = slice(3, None)  # above 2 GeV little light of sources is left a degree from them


@pytest.fixture(scope="module")
def sky(lat):
    """Give 12°×12° of sky as it is far from the plane."""
    center = SkyCoord(120.0, 60.0, unit="deg", frame="galactic")
    rng = np.random.default_rng(5)
    return simulate_tile(lat, rng=rng, shape=(120, 120), center=center, years=14.0)


def test_poisson_noise_on_the_right_background_gives_one(sky):
    residuals = background_residuals(sky.tile, truthful_labels(sky))[HARD]
    known = residuals[np.isfinite(residuals)]
    assert len(known) >= 3
    assert np.all((known > 0.8) & (known < 1.2))  # a band of 100 counts scatters by 0.1


def test_a_wrong_background_gives_more(sky):
    labels = truthful_labels(sky)
    right = background_residuals(sky.tile, labels)
    half = replace(labels, background=labels.background * 0.5)
    wrong = background_residuals(sky.tile, half)
    assert np.all(wrong[: HARD.start] > 1.3 * right[: HARD.start])


def test_absent_bands_and_masked_pixels_say_nothing(sky):
    labels = truthful_labels(sky)
    present = np.arange(sky.tile.n_bands) > 2
    mask = np.zeros(sky.tile.shape, bool)
    mask[:40] = True
    data = np.where(mask, 1e6, sky.tile.data)
    labels.class_probabilities[:, mask] = np.nan
    tile = replace(sky.tile, data=data, bands_present=present, mask=mask)
    residuals = background_residuals(tile, labels)
    assert np.isnan(residuals[:3]).all()
    assert np.nanmax(residuals[HARD]) < 1.3


@pytest.mark.parametrize(
    ("limits", "unlike"), [((), False), ((2.0, 2.0, 2.0), False), ((2.0, 2.0, 1.2), True)]
)
def test_one_band_beyond_its_limit_is_enough(limits, unlike):
    assert is_unlike(np.array([1.0, np.nan, 1.4]), limits) is unlike


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
