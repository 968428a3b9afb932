"""Radio training tiles on disk: complete, reproducible; noise added in training is right."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from psseg.sky.radio_observation import ArtefactLevels
from psseg.sky.radio_simulation import draw_observation, noiseless_sky
from psseg.sky.radio_training_set import (
    LARGEST,
    add_plane_noise,
    noiseless_planes,
    simulate_radio_training_tiles,
)
from psseg.sky.stored_tiles import TILES
from psseg.survey.survey import load_survey
from psseg.tiles.network_planes import TYPICAL_INDEX

SURVEY = load_survey("radio")
SHAPE = (32, 48)
BEAM = np.array([5.0, 4.0, 30.0])
ALL = np.ones(3, bool)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tiles")


@pytest.fixture(scope="module")
def tiles(folder):
    return simulate_radio_training_tiles(SURVEY, folder, n_tiles=3, seed=7, shape=SHAPE, workers=1)


# --- tiles on disk ---------------------------------------------------------------------------


def test_shapes_and_types(tiles):
    assert len(tiles) == 3
    assert tiles.planes.shape == (3, *SHAPE, 3)
    assert tiles.planes.dtype == np.float16
    assert tiles.beam.shape == tiles.present.shape == (3, 3)
    assert tiles.lever_arm.shape == tiles.tilt_correlation.shape == (3,)
    assert tiles.class_map.shape == tiles.mask.shape == (3, *SHAPE)
    assert tiles.class_map.dtype == np.uint8


def test_tiles_are_those_of_the_simulator_but_for_rounding(tiles):
    rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(TILES, 0)))
    for number in range(3):
        sky = noiseless_sky(SURVEY, rng=rng, shape=SHAPE, mix="balanced")
        planes, present, correlation = noiseless_planes(sky)
        assert np.allclose(tiles.planes[number], np.clip(planes, -6e4, 6e4), rtol=1e-3, atol=1e-3)
        assert np.array_equal(tiles.present[number], present)
        assert np.array_equal(tiles.class_map[number], sky.class_map)
        assert np.array_equal(tiles.mask[number], sky.mask)
        assert tiles.lever_arm[number] == pytest.approx(sky.observation.lever_arm)
        assert tiles.tilt_correlation[number] == pytest.approx(correlation)


def test_tiles_do_not_depend_on_the_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setattr("psseg.sky.stored_tiles.CHUNK", 1)
    made = [
        simulate_radio_training_tiles(
            SURVEY, tmp_path / str(n), n_tiles=2, seed=1, shape=SHAPE, workers=n
        )
        for n in (1, 2)
    ]
    assert np.array_equal(made[0].planes, made[1].planes)
    assert not np.array_equal(made[0].planes[0], made[0].planes[1])


def test_tiles_are_made_once(folder, tiles, monkeypatch):
    monkeypatch.setattr("psseg.sky.stored_tiles._simulate_to", None)
    again = simulate_radio_training_tiles(SURVEY, folder, n_tiles=3, seed=7, shape=SHAPE)
    assert np.array_equal(again.planes, tiles.planes)


def test_a_run_that_is_killed_leaves_no_record(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    (tmp_path / "tiles.json").write_text(json.dumps({"seed": 1}))
    monkeypatch.setattr("psseg.sky.stored_tiles._simulate_to", killed)
    with pytest.raises(KeyboardInterrupt):
        simulate_radio_training_tiles(SURVEY, tmp_path, n_tiles=1, seed=2, shape=SHAPE)
    assert not (tmp_path / "tiles.json").exists()


# --- planes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("swapped", [False, True])
def test_planes_are_defined_as_those_of_images(swapped):
    observation = draw_observation(SURVEY, np.random.default_rng(1), like="emu")
    low, high, v = observation.frequencies
    frequencies = (high, low, v) if swapped else (low, high, v)
    observation = replace(
        observation, frequencies=frequencies, artefacts=ArtefactLevels(), rms=(3e-5, 5e-5, 2e-5)
    )
    sky = noiseless_sky(
        SURVEY, rng=np.random.default_rng(2), shape=SHAPE, mix="balanced", observation=observation
    )
    planes, present, correlation = noiseless_planes(sky)
    lower, upper = (1, 0) if swapped else (0, 1)
    factor = (high / low) ** TYPICAL_INDEX
    noise = np.hypot(sky.rms[upper], factor * sky.rms[lower])
    tilt = (sky.signal[upper] - factor * sky.signal[lower]) / noise
    assert present.all()
    assert np.allclose(planes[..., 0], sky.signal[0] / sky.rms[0], rtol=1e-5)
    assert np.allclose(planes[..., 1], tilt, atol=1e-3 * np.abs(tilt).max())
    assert np.allclose(planes[..., 2], sky.signal[2] / sky.rms[2], rtol=1e-5)
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((2, 100_000)) * np.array([[3e-5], [5e-5]])
    noise_tilt = first - factor * second if swapped else second - factor * first
    assert correlation == pytest.approx(np.corrcoef(first, noise_tilt)[0, 1], abs=0.02)


def test_values_are_within_half_precision():
    assert np.isfinite(np.float16(LARGEST))


# --- noise -----------------------------------------------------------------------------------


def noisy(planes, seed=0, *, present=ALL, **options):
    return add_plane_noise(planes, BEAM, present, np.random.default_rng(seed), **options)


def test_noise_of_every_plane_has_unit_rms_and_no_mean():
    made = np.array([noisy(np.zeros((128, 128, 3)), seed) for seed in range(10)])
    assert np.allclose(made.std(axis=(0, 1, 2)), 1, atol=0.04)
    assert np.allclose(made.mean(axis=(0, 1, 2)), 0, atol=0.05)


@pytest.mark.parametrize("correlation", [0.0, -0.7, 0.6])
def test_the_tilt_is_correlated_with_stokes_i_alone(correlation):
    made = noisy(np.zeros((256, 256, 3)), tilt_correlation=correlation)
    matrix = np.corrcoef(made.reshape(-1, 3).T)
    assert matrix[0, 1] == pytest.approx(correlation, abs=0.06)
    assert abs(matrix[0, 2]) < 0.06


def test_planes_that_are_absent_stay_empty():
    made = noisy(np.zeros((64, 64, 3)), present=np.array([True, False, True]))
    assert not made[..., 1].any()
    assert made[..., 2].std() > 0.5


def test_noise_is_fresh_and_comes_from_the_generator():
    planes = np.zeros((64, 64, 3), np.float16)
    assert np.array_equal(noisy(planes, 1), noisy(planes, 1))
    assert not np.array_equal(noisy(planes, 1), noisy(planes, 2))
    assert not planes.any()


def test_the_background_is_taken_off_and_bright_sources_stay():
    planes = np.zeros((128, 128, 3))
    planes[..., 0] = 5.0
    planes[60:65, 60:65, 0] += 100.0
    made = noisy(planes)
    assert abs(np.median(made[..., 0])) < 0.3
    assert made[60:65, 60:65, 0].mean() == pytest.approx(100, rel=0.1)


def test_sidelobes_count_for_the_rms():
    planes = np.zeros((128, 128, 3))
    planes[..., 0] = 2 * np.sign(np.sin(np.arange(128) * np.pi / 4))
    made = noisy(planes)
    assert np.std(made[..., 0]) == pytest.approx(1, abs=0.15)
