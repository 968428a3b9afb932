"""Regions of a large image: their cores cover it once, and a region shows the image as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from psseg.tiles.beam import Beam
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.regions import GRID, cut_regions, overlapping_spans
from tests.made_images import radio_wcs

SHAPE = (250, 330)


@pytest.fixture
def small_regions():
    return cut_regions(SHAPE, whole=1000, core=100, margin=32)


@pytest.fixture
def image():
    planes = np.random.default_rng(1).normal(size=(1, *SHAPE)).astype(np.float32)
    return RadioImage(
        planes=planes,
        stokes=("I",),
        frequencies=(1.4e9,),
        beams=(Beam(major=3e-3, minor=2e-3, angle=40.0),),
        wcs=radio_wcs(SHAPE, center=(150.0, -80.0)),
        mask=planes[0] > 3,
    )


def test_an_image_of_usual_size_is_one_region(image):
    (region,) = cut_regions(SHAPE)
    assert region.cut(image) is image


def test_the_cores_cover_the_image_once(small_regions):
    count = np.zeros(SHAPE, int)
    for region in small_regions:
        count[region.core] += 1
    assert len(small_regions) == 6
    assert (count == 1).all()


@pytest.mark.parametrize("length", [90, 256, 1000, 1777, 4096])
def test_spans_are_alike_and_show_a_margin_around_what_they_own(length):
    spans = overlapping_spans(length, core=200, margin=32, grid=16)
    assert [own.start for own, _ in spans] == [0, *(own.stop for own, _ in spans[:-1])]
    assert spans[-1][0].stop == length
    for own, span in spans:
        assert span.start == 0 or own.start - span.start >= 32
        assert span.stop == length or span.stop - own.stop >= 32
    sizes = {-(-(span.stop - span.start) // 16) for _, span in spans}
    assert len(sizes) == 1
    assert sizes.pop() * 16 <= 200 + 2 * 32 + 16


def test_every_position_has_one_owner(small_regions):
    rng = np.random.default_rng(2)
    y, x = rng.uniform(-3, SHAPE[0] + 3, 500), rng.uniform(-3, SHAPE[1] + 3, 500)
    owners = sum(
        region.owns(x - region.corner[1], y - region.corner[0]) for region in small_regions
    )
    assert (owners == 1).all()


def test_a_region_shows_pixels_sky_and_beam_of_the_image(small_regions, image):
    region = small_regions[5]
    part, (row, column) = region.cut(image), region.corner
    np.testing.assert_array_equal(part.planes[0], image.planes[0][region.window])
    np.testing.assert_array_equal(part.mask, image.mask[region.window])
    there = part.pixel_to_sky(10.0, 20.0)
    assert there.separation(image.pixel_to_sky(column + 10.0, row + 20.0)).arcsec < 1e-6
    to_pixels = [
        of.beams[0].covariance(of.pixel_scale, rotation=of.rotation) for of in (part, image)
    ]
    np.testing.assert_allclose(*to_pixels, rtol=1e-9)
    assert abs(part.rotation - image.rotation) > 1e-3


def test_the_inner_part_of_a_window_is_the_core(small_regions):
    numbers = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    for region in small_regions:
        np.testing.assert_array_equal(numbers[region.window][region.inner], numbers[region.core])


def test_regions_begin_on_the_grid_of_the_pooling(small_regions):
    assert all(start % GRID == 0 for region in small_regions for start in region.corner)


def test_a_region_of_an_image_keeps_what_the_image_says_of_itself(small_regions, image):
    part = small_regions[0].cut(replace(image, name="field", notes=("one",)))
    assert (part.name, part.notes, part.stokes) == ("field", ("one",), ("I",))
