"""Summing and moving pixels keeps every photon and its place on the sky."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_skies import sky_wcs

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.grid import (
    area_ratios,
    off_sky,
    plan_regrid,
    rows_of_pixels,
    warn_of_uneven_pixels,
)


def plan(shape, scale, **options):
    return plan_regrid(sky_wcs(shape, scale=scale, **options), shape, 0.1, name="a.fits")


def rng():
    return np.random.default_rng(0)


@given(
    factor=st.integers(1, 4),
    shape=st.tuples(st.integers(4, 30), st.integers(4, 30)),
    seed=st.integers(0, 99),
)
def test_summing_pixels_conserves_counts_and_places(factor, shape, seed):
    counts = np.random.default_rng(seed).poisson(1.0, shape)
    grid = plan(shape, 0.1 / factor)
    summed = grid.counts(counts, rng=rng())
    assert grid.sums
    assert grid.shape == (shape[0] // factor, shape[1] // factor)
    kept = counts[: grid.shape[0] * factor, : grid.shape[1] * factor]
    assert summed.sum() == kept.sum()
    assert np.array_equal(summed[-1, -1], kept[-factor:, -factor:].sum())
    corner = (factor - 1) / 2
    before = sky_wcs(shape, scale=0.1 / factor).wcs_pix2world(corner, corner, 0)
    assert np.allclose(before, grid.wcs.wcs_pix2world(0, 0, 0), atol=1e-9)


@given(scale=st.floats(0.03, 0.149), seed=st.integers(0, 99))
def test_moving_photons_conserves_them_and_their_places(scale, seed):
    shape = (30, 40)
    counts = np.zeros(shape, dtype=int)
    places = np.random.default_rng(seed).integers([5, 5], [20, 30], (50, 2))
    np.add.at(counts, tuple(places.T), 3)
    grid = plan(shape, scale)
    moved = grid.counts(counts, rng=rng())
    assert moved.sum() == counts.sum()
    assert np.array_equal(moved, np.rint(moved))
    old = sky_wcs(shape, scale=scale).wcs_pix2world(places[:, 1].mean(), places[:, 0].mean(), 0)
    axes = np.mgrid[: moved.shape[0], : moved.shape[1]]
    y, x = (np.sum(axis * moved) / moved.sum() for axis in axes)
    new = grid.wcs.wcs_pix2world(x, y, 0)
    assert np.allclose((np.subtract(old, new) + 180) % 360, 180, atol=0.1)


def test_odd_sizes_lose_the_last_row_and_column_with_a_note():
    grid = plan((21, 31), 0.05)
    assert grid.shape == (10, 15)
    assert grid.notes[0] == "pixels of 0.05 x 0.05 deg summed 2 x 2 into 0.1 deg"
    assert grid.notes[1].startswith("last rows dropped: 1 of the map")
    assert grid.notes[2].startswith("last columns dropped: 1 of the map")


def test_pixels_like_the_surveys_are_left_alone():
    grid = plan((20, 30), 0.101)
    assert grid.shape == (20, 30)
    assert grid.notes == ()
    counts = np.arange(600).reshape(20, 30)
    assert np.array_equal(grid.counts(counts, rng=rng()), counts)


def test_oblong_pixels_are_summed_along_one_axis():
    wcs = sky_wcs((20, 30))
    wcs.wcs.cdelt = [-0.05, 0.1]
    grid = plan_regrid(wcs, (20, 30), 0.1, name="a.fits")
    assert grid.shape == (20, 15)
    assert np.allclose(grid.wcs.wcs_pix2world(0, 0, 0), wcs.wcs_pix2world(0.5, 0, 0))


def test_coarse_pixels_are_refused():
    with pytest.raises(PssegError, match=r"a.fits: pixels of 0.2 deg are too coarse: the survey"):
        plan((20, 30), 0.2)


def test_tiny_maps_are_refused():
    with pytest.raises(PssegError, match=r"1 x 1 pixels of 0.05 deg are less than one pixel"):
        plan((1, 1), 0.05)


@pytest.mark.parametrize("scale", [0.05, 0.07, 0.13])
def test_masks_grow_over_what_they_touch(scale):
    grid = plan((30, 30), scale)
    mask = np.zeros((30, 30), dtype=bool)
    mask[7, 11] = True
    counts = mask.astype(int) * 100_000
    moved = grid.counts(counts, rng=rng())
    assert np.array_equal(grid.mask(mask), moved > 0)


def test_corners_of_an_all_sky_map_are_no_sky():
    mask = off_sky(sky_wcs((90, 180), projection="AIT", scale=2.0), (90, 180))
    assert mask[0, 0]
    assert not mask[45, 90]
    assert 0.15 < mask.mean() < 0.45
    assert not off_sky(sky_wcs((90, 180), scale=2.0), (90, 180)).any()
    assert off_sky(sky_wcs((100, 180), scale=2.0), (100, 180)).mean() == pytest.approx(0.1)


def test_plate_carree_pixels_shrink_with_latitude():
    wcs = sky_wcs((1200, 20))
    ratios = area_ratios(wcs, np.zeros((1200, 20), bool), 0.1)
    assert ratios.min() == pytest.approx(np.cos(np.radians(59.95)), rel=1e-3)
    assert ratios.max() == pytest.approx(1.0, rel=1e-3)
    with pytest.warns(PssegWarning, match="a.fits: pixels cover 0.5 to 1 of the survey's solid"):
        notes = warn_of_uneven_pixels(wcs, np.zeros((1200, 20), bool), 0.1, name="a.fits")
    assert "41% of them off by more than 20%" in notes[0]


def test_small_maps_have_even_pixels():
    assert warn_of_uneven_pixels(sky_wcs((60, 60)), np.zeros((60, 60), bool), 0.1, name="a") == ()


def test_rows_go_once_through_a_map():
    seen = np.zeros((700, 2000), dtype=int)
    for rows, x, y in rows_of_pixels(seen.shape):
        seen[rows] += 1
        assert x.shape == seen[rows].shape
        assert (y[0, 0], x[0, -1]) == (rows.start, 1999)
    assert np.all(seen == 1)
