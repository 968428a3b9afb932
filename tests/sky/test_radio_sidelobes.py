"""Sidelobes and bowls: as strong as asked for, about their sources, none where none is wanted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft

from psseg.sky.radio_observation import ArtefactLevels
from psseg.sky.radio_rendering import convolve_components, render_components
from psseg.sky.radio_sidelobes import response_errors, sidelobe_pattern
from psseg.sky.uv_coverage import draw_coverage

BEAM = (5.0, 4.0, 30.0)
SHAPE = (192, 192)
Y, X = np.mgrid[:192, :192]
CENTRE = np.hypot(Y - 96, X - 96)


def image_of(flux, *, size=0.0):
    parts = (np.array([value]) for value in (96.0, 96.0, flux, size, size, 0.0))
    x, y, flux, *shape = parts
    gaussians = convolve_components(x, y, flux, tuple(shape), BEAM)
    return render_components(gaussians, SHAPE, floor=np.array([1e-4]))


def errors_of(images, levels, seed=0, *, gains=1.0, bowls=True, visible=1e-3):
    n = len(images)
    return response_errors(
        images,
        BEAM,
        levels,
        np.random.default_rng(seed),
        gains=np.full(n, gains),
        bowls=np.full(n, bowls),
        visible=np.full(n, visible),
    )


@pytest.mark.parametrize("snapshot", [False, True])
@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_the_highest_sidelobe_of_a_point_is_the_asked_part_of_its_peak(snapshot, seed):
    levels = ArtefactLevels(snapshot=snapshot, sidelobe_amplitude=0.01)
    added = errors_of(image_of(1000.0), levels, seed)[0]
    assert np.abs(added).max() == pytest.approx(10.0, rel=0.1)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_sidelobes_leave_the_peak_of_their_source_alone(seed):
    added = errors_of(image_of(1000.0), ArtefactLevels(sidelobe_amplitude=0.01), seed)[0]
    assert abs(added[96, 96]) < 3.5  # sidelobes are 10, the peak 1000


def test_sidelobes_have_both_signs_and_fade():
    added = errors_of(image_of(1000.0), ArtefactLevels(sidelobe_amplitude=0.01))[0]
    near, far = (CENTRE > 5) & (CENTRE < 25), CENTRE > 70
    assert added.min() < -1
    assert added.max() > 1
    assert added[far].std() < 0.3 * added[near].std()
    assert np.abs(added[CENTRE > 95]).max() < 0.1


def concentration(*, snapshot):
    """Give the share of a pattern's power in the strongest tenth of all directions, on average."""
    sector = ((np.arctan2(Y - 96, X - 96) + np.pi) / (2 * np.pi) * 90).astype(int) % 90
    ring = (CENTRE > 15) & (CENTRE < 50)
    shares = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        coverage = draw_coverage(rng, snapshot=snapshot, arms=3)
        pattern = sidelobe_pattern(SHAPE, (4.5, 4.5, 0.0), coverage, rng, reach=10.0)
        power = np.bincount(sector[ring], fft.fftshift(pattern)[ring] ** 2)
        shares.append(np.sort(power)[-9:].sum() / power.sum())
    return np.mean(shares)


def test_snapshots_have_spokes_and_syntheses_rings():
    assert concentration(snapshot=True) > 0.3
    assert concentration(snapshot=True) > 1.2 * concentration(snapshot=False)


def test_sidelobes_grow_with_their_source_and_faint_sources_have_none():
    levels = ArtefactLevels(sidelobe_amplitude=0.01)
    images = np.concatenate([image_of(1000.0), image_of(10.0)])
    assert np.abs(errors_of(images, levels, visible=0.2)[1]).max() == 0
    strong, weak = errors_of(image_of(1000.0), levels), errors_of(image_of(500.0), levels)
    assert np.allclose(weak, strong / 2, atol=1e-3)


def test_the_bowl_about_extended_emission_is_as_deep_as_asked_and_wider_than_the_source():
    images = image_of(5000.0, size=12.0)
    levels = ArtefactLevels(bowl_depth=0.02, bowl_width=8.0)
    added = errors_of(images, levels)[0]
    assert added.min() == pytest.approx(-0.02 * images.max(), rel=0.01)
    assert added.max() < 0.001 * images.max()
    assert added[96, 96 + 16] < 0.4 * added.min()
    assert not errors_of(images, levels, bowls=False).any()


def test_sidelobes_do_not_come_back_on_the_other_side_of_a_large_image():
    parts = (np.array([value]) for value in (150.0, 5.0, 1000.0, 0.0, 0.0, 0.0))
    x, y, flux, *shape = parts
    gaussians = convolve_components(x, y, flux, tuple(shape), BEAM)
    images = render_components(gaussians, (400, 300), floor=np.array([1e-4]))
    added = errors_of(images, ArtefactLevels(sidelobe_amplitude=0.1))[0]
    assert np.abs(added[:100]).max() > 50
    assert np.abs(added[300:]).max() < 0.1


def test_levels_of_a_perfect_image_change_nothing():
    assert not errors_of(image_of(1e5), ArtefactLevels()).any()
