"""Which sky a catalogue covers."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from psseg.crossmatch.footprint import footprint_of


def square(rng, number, half, *, dec=0.0):
    """Give positions spread evenly over a small square."""
    x, y = rng.uniform(-half, half, (2, number))
    return SkyCoord(150.0, dec, unit="deg").spherical_offsets_by(x * u.deg, y * u.deg)


@pytest.mark.parametrize(("number", "within"), [(12, 0.2), (24, 0.1), (1000, 0.02)])
@pytest.mark.parametrize("dec", [0.0, 85.0])
def test_the_area_of_a_field_is_known_from_few_sources(number, within, dec):
    rng = np.random.default_rng(1)
    areas = [footprint_of(square(rng, number, 0.075, dec=dec)).area for _ in range(100)]
    assert np.mean(areas) == pytest.approx(0.0225, rel=within)


def test_the_area_of_the_whole_sky_is_that_of_the_sphere():
    rng = np.random.default_rng(2)
    sky = SkyCoord(
        rng.uniform(0, 360, 3000), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 3000))), unit="deg"
    )
    covered = footprint_of(sky)
    assert covered.area == pytest.approx(41253, rel=0.01)
    assert covered.contains(sky).all()


def test_positions_are_inside_or_not():
    rng = np.random.default_rng(3)
    covered = footprint_of(square(rng, 2000, 0.5))
    center = SkyCoord(150.0, 0.0, unit="deg")
    at = center.directional_offset_by([0, 90, 90, 90] * u.deg, [0, 0.45, 0.6, 170] * u.deg)
    np.testing.assert_array_equal(covered.contains(at), [True, True, False, False])
    assert not covered.contains(SkyCoord([np.nan], [0.0], unit="deg")).any()


def test_a_gap_between_two_fields_is_not_inside():
    rng = np.random.default_rng(4)
    one, other = square(rng, 1000, 0.5), square(rng, 1000, 0.5)
    both = SkyCoord(
        np.r_[one.ra.deg, other.ra.deg + 5], np.r_[one.dec.deg, other.dec.deg], unit="deg"
    )
    inside = footprint_of(both).contains(SkyCoord([150.0, 152.5, 155.0], [0.0] * 3, unit="deg"))
    np.testing.assert_array_equal(inside, [True, False, True])


def test_the_part_of_a_circle_inside_is_half_at_an_edge_and_a_quarter_at_a_corner():
    rng = np.random.default_rng(5)
    covered = footprint_of(square(rng, 5000, 0.5))
    at = SkyCoord([150.0, 150.5, 150.5], [0.0, 0.0, 0.5], unit="deg")
    share = covered.share_inside(at.cartesian.xyz.value.T, np.full(3, np.deg2rad(0.1)))
    np.testing.assert_allclose(share, [1, 0.5, 0.25], atol=0.06)


@pytest.mark.parametrize("number", [0, 1, 2, 9])
def test_sources_on_a_line_or_at_one_place_hide_nothing(number):
    places = SkyCoord(np.arange(number) * 0.1, np.zeros(number), unit="deg")
    far = SkyCoord([100.0], [-50.0], unit="deg")
    assert footprint_of(places).contains(far).all()
    same = SkyCoord(np.zeros(number), np.zeros(number), unit="deg")
    assert number == 0 or footprint_of(same).area == 1.0
