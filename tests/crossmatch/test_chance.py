"""Chance matches, measured on shifted positions."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from psseg.crossmatch.chance import measure_chance
from psseg.crossmatch.positions import radius_pairs


def square(rng, number, half=3.0):
    return SkyCoord(
        rng.uniform(-half, half, number) % 360, rng.uniform(-half, half, number), unit="deg"
    )


def test_the_rate_is_that_of_a_random_sky():
    rng = np.random.default_rng(4)
    field, sources, radius = square(rng, 20_000, half=5.0), square(rng, 2000), 60 / 3600

    def score(coords, rows):
        return np.isin(np.arange(len(rows)), radius_pairs(coords, field, radius).left) * 1.0

    chance = measure_chance(score, sources, shift=0.2)
    density = 20_000 / 100
    assert chance.above(1.0) == pytest.approx(1 - np.exp(-density * np.pi * radius**2), rel=0.05)
    assert chance.above(0.0) == 1


def test_shifts_are_as_far_as_asked_and_go_all_around():
    center = SkyCoord([100.0], [40.0], unit="deg")
    seen = []

    def score(coords, rows):
        seen.append((coords.separation(center[rows]).deg[0], center.position_angle(coords).deg[0]))
        return np.zeros(len(rows))

    measure_chance(score, center, shift=0.5)
    distances, angles = np.array(seen).T
    assert distances.min() == pytest.approx(0.5)
    assert np.histogram(angles, bins=4, range=(0, 360))[0].min() == 8


def test_nothing_to_shift_gives_no_rate():
    chance = measure_chance(lambda c, r: np.zeros(len(r)), SkyCoord([], [], unit="deg"), shift=1.0)
    assert np.isnan(chance.above(0.5))
