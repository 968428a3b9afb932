"""Positional matches: the pairs of astropy and STILTS, and what must hold for any."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from psseg.crossmatch.ellipses import ErrorEllipses, ellipses_of_axes, ellipses_of_radius
from psseg.crossmatch.positions import (
    ellipse_pairs,
    error_pairs,
    normalised_separation,
    radius_pairs,
    sky_order,
    unit_vectors,
)
from psseg.errors import PssegError

ARCSEC = 1 / 3600
ONE_SIGMA = 1 - np.exp(-0.5)
NUMBER = 10_000


def random_sky(rng, number=NUMBER):
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, number)))
    return SkyCoord(rng.uniform(0, 360, number), dec, unit="deg")


def random_ellipses(rng, number=NUMBER, scale=5.0):
    major = scale * ARCSEC * 10 ** rng.uniform(-1, 0.5, number)
    return ellipses_of_axes(major, major * rng.uniform(0.1, 1, number), rng.uniform(0, 180, number))


@pytest.fixture(scope="module")
def skies():
    """Give two catalogues of which the second is the first, moved about its errors."""
    rng = np.random.default_rng(3)
    left = random_sky(rng)
    errors = random_ellipses(rng), random_ellipses(rng)
    distance = (errors[0].major + errors[1].major) * rng.uniform(0, 1.5, NUMBER)
    right = left.directional_offset_by(rng.uniform(0, 360, NUMBER) * u.deg, distance * u.deg)
    return left, right, *errors


def rows_of(pairs):
    return set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))


def stilts_rows(folder, skies, matcher, columns):
    if shutil.which("stilts") is None:
        pytest.skip("STILTS is not installed")
    left, right, *errors = skies
    for name, coords, ellipses in zip(("a", "b"), (left, right), errors, strict=True):
        table = Table(
            [np.arange(len(coords)), coords.ra.deg, coords.dec.deg], names=["i", "ra", "de"]
        )
        table["maj"], table["min"] = ellipses.major / ARCSEC, ellipses.minor / ARCSEC
        table["pa"] = ellipses.angle
        table.write(folder / f"{name}.fits")
    subprocess.run(
        ["stilts", "tmatch2", f"in1={folder}/a.fits", f"in2={folder}/b.fits", f"matcher={matcher}",
         f"values1={columns}", f"values2={columns}", "params=10", "find=all", "join=1and2",
         "progress=none", f"out={folder}/out.fits"],
        check=True, capture_output=True,
    )  # fmt: skip
    found = Table.read(folder / "out.fits")
    return set(zip(found["i_1"].tolist(), found["i_2"].tolist(), strict=True))


@pytest.mark.external
def test_error_pairs_are_those_of_skyerr(skies, tmp_path):
    left, right, *errors = skies
    pairs = error_pairs(left, right, *(e.major for e in errors))
    assert 0.5 * NUMBER < len(pairs) < NUMBER
    assert rows_of(pairs) == stilts_rows(tmp_path, skies, "skyerr", "ra de maj")


@pytest.mark.external
def test_ellipse_pairs_are_those_of_skyellipse(skies, tmp_path):
    pairs = ellipse_pairs(*skies, confidence=ONE_SIGMA)
    assert 0.2 * NUMBER < len(pairs) < 0.8 * NUMBER
    assert rows_of(pairs) == stilts_rows(tmp_path, skies, "skyellipse", "ra de maj min pa")


@pytest.mark.parametrize("radius", [1.0, 20.0, 3600.0])
def test_radius_pairs_are_those_of_astropy(skies, radius):
    left, right = (coords[:2000] for coords in skies[:2])
    rows, others, separation, _ = search_around_sky(left, right, radius * u.arcsec)
    pairs = radius_pairs(left, right, radius * ARCSEC)
    assert rows_of(pairs) == set(zip(rows.tolist(), others.tolist(), strict=True))
    assert pairs.separation.sum() == pytest.approx(separation.deg.sum(), rel=1e-9)


def test_separations_and_angles_are_those_of_astropy(skies):
    left, right = skies[:2]
    pairs = radius_pairs(left, right, 0.01)
    one, other = left[pairs.left], right[pairs.right]
    np.testing.assert_allclose(pairs.separation, one.separation(other).deg, rtol=1e-6)
    turn = pairs.left_angle - one.position_angle(other).deg
    np.testing.assert_allclose(np.sin(np.deg2rad(turn)), 0, atol=1e-5)
    turn = pairs.right_angle - other.position_angle(one).deg
    np.testing.assert_allclose(np.cos(np.deg2rad(turn)), -1, atol=1e-5)


@pytest.mark.parametrize("way", ["ellipse", "error"])
def test_pairs_are_the_same_with_the_catalogues_exchanged(skies, way):
    left, right, ours, theirs = skies
    if way == "ellipse":
        pairs = ellipse_pairs(left, right, ours, theirs, confidence=0.95)
        turned = ellipse_pairs(right, left, theirs, ours, confidence=0.95)
    else:
        pairs = error_pairs(left, right, ours.major, theirs.major)
        turned = error_pairs(right, left, theirs.major, ours.major)
    assert rows_of(pairs) == {(left, right) for right, left in rows_of(turned)}
    np.testing.assert_allclose(
        normalised_separation(pairs, ours, theirs)[0],
        normalised_separation(turned, theirs, ours)[0][np.lexsort((turned.left, turned.right))][
            np.argsort(np.lexsort((pairs.right, pairs.left)))
        ],
        rtol=1e-6,
    )


angles = st.floats(0, 180)
sizes = st.floats(0.1, 3)


@given(sizes, st.floats(0.05, 1), angles, sizes, st.floats(0.05, 1), angles, st.floats(0, 6))
def test_ellipses_touch_where_their_outlines_do(a, flat, pa, b, flatter, turn, distance):
    left = SkyCoord([40.0], [89.9], unit="deg")  # near the pole, where north is another direction
    right = left.directional_offset_by(130 * u.deg, distance * ARCSEC * u.deg)
    ours = ellipses_of_axes([a * ARCSEC], [a * flat * ARCSEC], [pa])
    theirs = ellipses_of_axes([b * ARCSEC], [b * flatter * ARCSEC], [turn])
    touch = len(ellipse_pairs(left, right, ours, theirs, confidence=ONE_SIGMA)) == 1
    grown = [_shares_a_point(left, right, ours, theirs, scale) for scale in (0.99, 1.01)]
    assert grown[0] <= touch <= grown[1]


def _shares_a_point(left, right, ours, theirs, scale):
    """Say whether any point of one ellipse lies in the other, from many points."""
    radius, turn = np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 2 * np.pi, 720))
    along, across = (scale * axis * radius for axis in (ours.major[0], ours.minor[0]))
    x, y = along * np.cos(turn), across * np.sin(turn)
    points = left[0].directional_offset_by(
        np.deg2rad(ours.angle[0]) * u.rad + np.arctan2(y, x) * u.rad, np.hypot(x, y) * u.deg
    )
    where = right[0].position_angle(points).deg - theirs.angle[0]
    distance = right[0].separation(points).deg / scale
    inside = np.hypot(
        distance * np.cos(np.deg2rad(where)) / theirs.major[0],
        distance * np.sin(np.deg2rad(where)) / theirs.minor[0],
    )
    return bool((inside <= 1).any())


def test_ellipses_of_size_zero_are_points():
    coords = SkyCoord([10.0, 20.0, 30.0], [0.0, 0.0, 0.0], unit="deg")
    points = ellipses_of_radius(np.zeros(3))
    moved = SkyCoord([10.0, 20.0002, 30.0], [0.0, 0.0, 0.001], unit="deg")
    assert rows_of(ellipse_pairs(coords, moved, points, points, confidence=0.95)) == {(0, 0)}
    circles = ellipses_of_radius(np.full(3, ARCSEC))
    found = ellipse_pairs(coords, moved, circles, points, confidence=0.95)
    assert rows_of(found) == {(0, 0), (1, 1)}


def test_the_order_of_the_sky_puts_neighbours_together():
    vectors = unit_vectors(random_sky(np.random.default_rng(7), 999))
    order = sky_order(vectors)
    assert sorted(order) == list(range(999))
    steps = [np.linalg.norm(np.diff(v, axis=0), axis=1).mean() for v in (vectors, vectors[order])]
    assert steps[1] < 0.2 * steps[0]


def test_sources_without_position_or_error_match_nothing():
    coords = SkyCoord([10.0, np.nan, 20.0], [0.0, 0.0, 0.0], unit="deg")
    radius = np.array([1.0, 1.0, np.nan])
    assert rows_of(error_pairs(coords, coords, radius, radius)) == {(0, 0)}


def test_empty_catalogues_match_nothing():
    nothing, some = SkyCoord([], [], unit="deg"), SkyCoord([1.0], [2.0], unit="deg")
    for left, right in ((nothing, some), (some, nothing), (nothing, nothing)):
        assert len(radius_pairs(left, right, 1.0)) == 0


def test_pairs_reach_over_the_meridian_and_the_poles():
    left = SkyCoord([359.9999, 10.0], [0.0, 89.9999], unit="deg")
    right = SkyCoord([0.0001, 190.0], [0.0, 89.9999], unit="deg")
    assert rows_of(radius_pairs(left, right, 0.001)) == {(0, 0), (1, 1)}


def test_a_wrong_unit_is_refused_before_memory_is_full():
    rng = np.random.default_rng(5)
    left, right = random_sky(rng, 100_000), random_sky(rng, 100_000)
    errors = ErrorEllipses(
        major=np.full(100_000, 10.0), minor=np.full(100_000, 10.0), angle=np.zeros(100_000)
    )
    with pytest.raises(PssegError, match="units right"):
        ellipse_pairs(left, right, errors, errors, confidence=0.95)
