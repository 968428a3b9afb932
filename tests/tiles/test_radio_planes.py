"""Pixels of radio images: blank borders, convolution, interpolation on other grids."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from small_radio import (
    ARCSEC,
    noise,
    point_sources,
    radio_header,
    small_wcs,
)

from psseg.tiles.beam import Beam
from psseg.tiles.convolution import convolve
from psseg.tiles.radio_headers import sky_wcs
from psseg.tiles.radio_planes import (
    Grid,
    Pixels,
    read_blocks,
    same_grid,
    zero_border,
)


def pixels(values, **cards):
    header = radio_header(values.shape, **cards)
    wcs, mirrored = sky_wcs(header, name="small.fits", notes=[])
    file = BytesIO()
    fits.PrimaryHDU(np.asarray(values, np.float32)).writeto(file)
    file.seek(0)
    image = fits.open(file)[0]
    return Pixels(image=image, index=(), grid=Grid(wcs=wcs, shape=values.shape), mirrored=mirrored)


def read(source, grid=None):
    grid = grid or source.grid
    out = np.full(grid.shape, -99.0, np.float32)
    for block, values in read_blocks(source, grid):
        out[block] = values
    return out


def test_single_zeros_are_measurements():
    steps = np.round(noise((200, 200), rms=5.0))
    assert (steps == 0).mean() > 0.05
    assert zero_border(pixels(steps)) is None


def test_the_corner_may_be_zero():
    values = noise()
    values[0, 0] = values[-1, -1] = 0
    assert zero_border(pixels(values)) is None


@pytest.mark.parametrize("width", [1, 3, 20])
def test_a_frame_of_zeros_is_blank(width):
    values = noise()
    frame = np.ones(values.shape, bool)
    frame[width:-width, width:-width] = False
    values[frame] = 0
    values[30, 40] = 0
    assert np.array_equal(zero_border(pixels(values)), frame)


def test_zeros_outside_a_circle_are_blank():
    values = noise((300, 300))
    y, x = np.indices(values.shape)
    outside = np.hypot(x - 150, y - 150) > 140
    values[outside] = 0
    assert (zero_border(pixels(values)) != outside).mean() < 1e-3


def test_zeros_that_fill_a_hole_are_blank():
    values = noise()
    hole = np.zeros(values.shape, bool)
    hole[20:35, 30:50] = True
    values[hole] = 0
    assert np.array_equal(zero_border(pixels(values)), hole)


def test_zeros_along_nan_count_together():
    values = noise()
    values[:7] = np.nan
    values[7:10] = 0
    found = zero_border(pixels(values))
    assert found[7:10].all()
    assert found.sum() == 3 * 80


def test_borders_are_found_in_images_of_many_strips():
    values = noise((1300, 40))
    values[:, :12] = 0
    values[500:530] = 0
    expected = values == 0
    assert np.array_equal(zero_border(pixels(values)), expected)


def test_convolution_in_strips_leaves_no_seams():
    values = noise((1200, 30))
    source = pixels(values)
    source.kernel = 4 * np.eye(2)
    whole = convolve(values, source.kernel, reach=10)
    assert read(source) == pytest.approx(whole, abs=1e-7)


def test_columns_are_reversed_where_east_is_right():
    values = noise()
    assert np.array_equal(read(pixels(values, CDELT1=2 * ARCSEC)), values[:, ::-1])


def test_infinite_pixels_are_blank():
    values = noise()
    values[3, 4] = np.inf
    assert np.isnan(read(pixels(values))[3, 4])


def test_grids_are_the_same_to_a_part_of_a_pixel():
    grid = Grid(wcs=small_wcs(), shape=(60, 80))
    assert same_grid(grid, Grid(wcs=small_wcs(CRPIX1=40.51), shape=(60, 80)))
    assert not same_grid(grid, Grid(wcs=small_wcs(CRPIX1=40.7), shape=(60, 80)))
    assert not same_grid(grid, Grid(wcs=small_wcs(), shape=(60, 81)))
    assert not same_grid(grid, Grid(wcs=small_wcs(CROTA2=1.0), shape=(60, 80)))
    assert not same_grid(grid, Grid(wcs=small_wcs(CRVAL2=60.0), shape=(60, 80)))


def test_interpolation_keeps_places_and_peaks():
    beam = Beam(major=8 * ARCSEC, minor=8 * ARCSEC, angle=0)  # four pixels
    values = point_sources((60, 80), [(30, 25), (55, 40)], [1.0, 0.5], beam)
    shifted = Grid(wcs=small_wcs(CRPIX1=60.0, CRPIX2=70.0, CROTA2=30.0), shape=(110, 100))
    found = read(pixels(values), shifted)
    sky = small_wcs().pixel_to_world([30, 55], [25, 40])
    xy = np.transpose(sky.to_pixel(shifted.wcs))
    expected = point_sources(shifted.shape, xy, [1.0, 0.5], beam)
    covered = np.isfinite(found)
    assert 0.3 < covered.mean() < 0.6
    assert np.abs(found - expected)[covered].max() < 0.01


def test_interpolation_does_not_spread_blanks():
    values = noise()
    values[:20] = np.nan
    moved = Grid(wcs=small_wcs(CRPIX1=41.0), shape=(60, 80))
    found = read(pixels(values), moved)
    assert np.isnan(found[:19]).all()
    assert np.isfinite(found[21:-1, 1:-1]).all()


def test_interpolation_block_by_block_leaves_no_seams(monkeypatch):
    values = noise((200, 200))
    moved = Grid(wcs=small_wcs((200, 200), CRPIX1=103.3, CROTA2=10.0), shape=(200, 200))
    whole = read(pixels(values), moved)
    monkeypatch.setattr("psseg.tiles.radio_planes._BLOCK", 64)
    assert read(pixels(values), moved) == pytest.approx(whole, abs=1e-6, nan_ok=True)


def test_grids_that_do_not_meet_give_blanks():
    elsewhere = Grid(wcs=small_wcs(CRVAL1=200.0), shape=(60, 80))
    assert np.isnan(read(pixels(noise()), elsewhere)).all()
