"""Artefacts: as strong as asked for, where they belong, and none where none is wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft

from psseg.sky.radio_artefacts import (
    blank_border,
    bright_factor,
    diffuse_emission,
    leakage_map,
    rms_map,
    stripes,
)
from psseg.sky.radio_observation import ArtefactLevels

BEAM = (5.0, 4.0, 30.0)


# --- noise map -------------------------------------------------------------------------------


@pytest.mark.parametrize("variation", [0.0, 0.05, 0.25])
def test_the_rms_varies_as_much_as_asked(variation):
    levels = ArtefactLevels(rms_variation=variation)
    maps = [rms_map((128, 128), levels, np.random.default_rng(i)) for i in range(100)]
    assert np.std(np.log(maps)) == pytest.approx(variation, rel=0.15)


def test_the_rms_is_smooth():
    levels = ArtefactLevels(rms_variation=0.25, rms_scallop=0.15, edge_rise=2.0)
    for seed in range(20):
        relative = rms_map((128, 128), levels, np.random.default_rng(seed))
        assert np.abs(np.diff(np.log(relative), axis=1)).max() < 0.03


def test_the_edge_of_a_field_is_noisier_by_at_most_what_was_asked():
    relative = rms_map((100, 140), ArtefactLevels(edge_rise=2.0), np.random.default_rng(1))
    assert relative.min() == pytest.approx(1, abs=0.01)
    assert relative.max() == pytest.approx(2, abs=0.01)


def test_scallops_have_the_asked_amplitude():
    levels = ArtefactLevels(rms_scallop=0.1)
    relative = rms_map((2000, 2000), levels, np.random.default_rng(2))
    assert relative.max() == pytest.approx(1.1, abs=0.01)
    assert relative.min() == pytest.approx(0.95, abs=0.01)


def test_bright_sources_raise_the_noise_about_them():
    levels = ArtefactLevels(bright_snr=100.0, bright_rms=1.0, bright_reach=5.0)
    bright = (np.array([60.0, 20.0]), np.array([40.0, 90.0]), np.array([1e4, 50.0]))
    factor = bright_factor((128, 128), bright, levels, beam=(4.0, 4.0, 0.0))
    assert factor[40, 60] == pytest.approx(1 + 2)
    assert factor[40, 80] == pytest.approx(1 + 2 / np.e, rel=1e-3)
    assert factor[90, 20] == pytest.approx(1 + 2 * np.exp(-np.hypot(50, 40) / 20), rel=1e-3)
    assert factor[127, 127] < 1.05


# --- diffuse emission, stripes, leakage, borders ---------------------------------------------


@pytest.mark.parametrize("slope", [2.4, 3.6])
def test_diffuse_emission_has_unit_rms_no_mean_and_the_asked_slope(slope):
    rng = np.random.default_rng(6)
    beam = (3.0, 3.0, 0.0)
    fields = [diffuse_emission((256, 256), beam, rng, slope=slope) for _ in range(40)]
    assert np.std(fields[0]) == pytest.approx(1, abs=1e-3)
    assert np.mean(fields[0]) == pytest.approx(0, abs=1e-3)
    window = np.hanning(256)
    power = np.mean([np.abs(fft.fft2(f * np.outer(window, window))) ** 2 for f in fields], axis=0)
    k = np.hypot(fft.fftfreq(256)[:, None], fft.fftfreq(256))
    power /= np.exp(-4 * (np.pi * k * 3) ** 2 / (8 * np.log(2)))  # the beam
    bins = [power[(k > low) & (k < 1.2 * low)].mean() for low in (0.04, 0.12)]
    assert np.log(bins[1] / bins[0]) / np.log(3) == pytest.approx(-slope, abs=0.4)


def test_stripes_have_unit_rms_and_one_or_few_directions():
    image = stripes((128, 128), BEAM, np.random.default_rng(7))
    assert image.std() == pytest.approx(1, abs=1e-3)
    power = np.sort(np.abs(fft.fft2(image)).ravel() ** 2)[::-1]
    assert power[: power.size // 50].sum() > 0.9 * power.sum()


def test_leakage_grows_outwards():
    levels = ArtefactLevels(leakage=-0.005, leakage_growth=1.0)
    leaked = leakage_map((100, 120), levels, np.random.default_rng(8))
    assert leaked.max() == pytest.approx(-0.005, rel=0.02)
    assert -0.016 < leaked.min() < -0.0085


@given(share=st.floats(0, 0.6), seed=st.integers(0, 100))
@settings(max_examples=20)
def test_as_much_of_the_border_is_blank_as_asked(share, seed):
    blank = blank_border((60, 80), share, np.random.default_rng(seed))
    assert blank.mean() == pytest.approx(share, abs=0.02)


def test_levels_of_a_perfect_image_change_nothing():
    perfect = replace(ArtefactLevels(), rms_variation=0.0)
    assert np.all(rms_map((20, 20), perfect, np.random.default_rng(9)) == 1)
