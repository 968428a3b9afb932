"""A tile's arrays fit together, and windows hold the map's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from psseg.errors import PssegError
from psseg.tiles.tile import Tile, cut_window


def make_tile(shape=(2, 4, 6), projection="TAN", scale=0.1, **changes) -> Tile:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"GLON-{projection}", f"GLAT-{projection}"]
    wcs.wcs.crval = [30.0, -5.0] if projection != "CAR" else [30.0, 0.0]
    wcs.wcs.crpix = [(shape[-1] + 1) / 2, (shape[-2] + 1) / 2]
    wcs.wcs.cdelt = [-scale, scale]
    values = {
        "data": np.zeros(shape, dtype=np.float32),
        "wcs": wcs,
        "bands_present": np.ones(shape[0], dtype=bool),
        "mask": np.zeros(shape[1:], dtype=bool),
        **changes,
    }
    return Tile(**values)


def test_tile_describes_itself():
    tile = make_tile(name="crab")
    assert tile.shape == (4, 6)
    assert tile.n_bands == 2
    assert tile.pixel_scale == pytest.approx(0.1)
    assert tile.frame == "galactic"
    assert tile.exposure is None
    assert tile.bands_shared.tolist() == [False, False]
    assert tile.notes == ()


def test_tile_converts_to_native_float32():
    tile = make_tile(data=np.arange(48, dtype=">i4").reshape(2, 4, 6), mask=np.zeros((4, 6)))
    assert tile.data.dtype == np.dtype(np.float32)
    assert tile.data.dtype.isnative
    assert tile.mask.dtype == bool


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.zeros((4, 6))}, r"tile data: want \(n_bands, n_y, n_x\), got shape \(4, 6\)"),
        ({"mask": np.zeros((4, 5))}, r"tile mask: want shape \(4, 6\) .*, got \(4, 5\)"),
        ({"bands_present": np.ones(3)}, r"tile bands_present: want shape \(2,\)"),
        ({"bands_shared": np.ones(3)}, r"tile bands_shared: want shape \(2,\)"),
        ({"exposure": np.ones((4, 6))}, r"tile exposure: want shape \(2, 4, 6\)"),
        ({"data": np.full((2, 4, 6), np.nan)}, "tile data: blank pixels must be 0 and masked"),
        ({"wcs": WCS(naxis=2)}, "tile wcs: want two celestial axes"),
        ({"wcs": WCS(naxis=3)}, "tile wcs: want two celestial axes"),
    ],
)
def test_tile_refuses_arrays_that_do_not_fit(changes, message):
    with pytest.raises(PssegError, match=message):
        make_tile(**changes)


@given(
    x=st.floats(-20, 60),
    y=st.floats(-20, 60),
    projection=st.sampled_from(["TAN", "CAR", "ZEA", "ARC", "AIT", "MER", "SIN"]),
)
def test_pixel_to_sky_to_pixel(x, y, projection):
    tile = make_tile((1, 40, 40), projection=projection)
    there = tile.sky_to_pixel(tile.pixel_to_sky(x, y))
    assert np.allclose(there, (x, y), atol=1e-6)


def test_first_pixel_is_at_zero_and_frames_are_converted():
    tile = make_tile((1, 5, 5))
    center = SkyCoord(30.0, -5.0, unit="deg", frame="galactic")
    assert tile.pixel_to_sky(2, 2).separation(center).arcsec < 1e-3
    assert np.allclose(tile.sky_to_pixel(center.icrs), (2, 2), atol=1e-6)


@given(
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    corner=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    size=st.tuples(st.integers(0, 80), st.integers(0, 80)),
)
def test_windows_hold_the_map_and_the_fill(shape, corner, size):
    values = np.arange(shape[0] * shape[1]).reshape(shape)
    window = (corner[0], corner[0] + size[0], corner[1], corner[1] + size[1])
    cut = cut_window(values, window, fill=-1)
    rows, columns = np.mgrid[window[0] : window[1], window[2] : window[3]]
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    assert np.array_equal(cut, np.where(inside, rows * shape[1] + columns, -1))


def test_window_beside_the_map_is_all_fill():
    assert np.all(cut_window(np.zeros((2, 3, 3), bool), (5, 8, 5, 8), fill=True))
