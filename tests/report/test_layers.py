"""Planes become tiles of the right size, place and grey, however large the map."""

from __future__ import annotations

import base64
import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from psseg.report.field import plane_of
from psseg.report.layers import TILE, Plane, encode_planes, grey_levels, overlay_layer


def opened(url):
    kind, _, data = url.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{image.format.lower()}"
    return np.asarray(image.convert("RGBA"))


def plane(values):
    return Plane(name="it", unit="", values=np.asarray(values, dtype=float), low=0.0, high=1.0)


def test_the_first_row_of_the_map_is_the_last_of_the_picture():
    (layer,) = encode_planes([plane([[0.0, 1.0], [1.0, np.nan]])])
    picture = opened(layer.tiles["0,0"])
    assert picture[1, :, 0].tolist() == [0, 255]
    assert picture[0, :, 3].tolist() == [255, 0]


def test_tiles_overlap_by_a_pixel_and_cover_the_map():
    rng = np.random.default_rng(1)
    values = rng.uniform(size=(TILE + 5, 2 * TILE + 3))
    (layer,) = encode_planes([plane(values)])
    assert set(layer.tiles) == {f"{x},{y}" for x in range(3) for y in range(2)}
    left, right = opened(layer.tiles["0,0"]), opened(layer.tiles["1,0"])
    assert left.shape[:2] == (TILE + 1, TILE + 1)
    assert opened(layer.tiles["2,1"]).shape[:2] == (5, 3)
    assert np.array_equal(left[:, -1], right[:, 0])


def test_blank_tiles_are_left_out():
    values = np.full((10, 2 * TILE), np.nan)
    values[:, -1] = 1
    (layer,) = encode_planes([plane(values)])
    assert list(layer.tiles) == ["1,0"]


@pytest.mark.parametrize("budget", [1e5, 2e4])
def test_planes_keep_to_the_budget(budget):
    values = np.random.default_rng(2).uniform(size=(3, 700, 700))
    layers = encode_planes([plane(one) for one in values], budget=budget)
    total = sum(len(tile) for layer in layers for tile in layer.tiles.values())
    assert total * 0.75 < 1.2 * budget


def test_a_plane_without_a_range_is_grey():
    one = np.full((4, 4), np.nan)
    one[2, 2] = 3.0
    made = plane_of("it", one, unit="")
    assert set(np.unique(grey_levels(one, low=made.low, high=made.high))) == {128}
    none = plane_of("it", np.full((4, 4), np.nan), unit="")
    assert np.isnan(none.low)
    assert encode_planes([none])[0].tiles == {}


def test_an_overlay_is_transparent_but_for_its_classes():
    colours = np.zeros((256, 4), dtype=int)
    colours[2] = (10, 20, 30, 200)
    layer = overlay_layer("it", np.array([[0, 2], [0, 0]]), colours)
    picture = opened(layer.tiles["0,0"])
    assert picture[1, 1].tolist() == [10, 20, 30, 200]
    assert picture[0, :, 3].tolist() == [0, 0]
    assert overlay_layer("it", np.zeros((3, 3), dtype=int), colours).tiles == {}


def test_a_large_plane_is_stretched_in_little_memory():
    values = np.linspace(0, 2, 3_000_000, dtype=np.float32).reshape(3000, 1000)
    tracemalloc.start()
    levels = grey_levels(values, low=0.0, high=2.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * values.size
    assert (np.diff(levels[:, 0].astype(int)) >= 0).all()
    assert (levels[0, 0], levels[-1, -1]) == (0, 255)
