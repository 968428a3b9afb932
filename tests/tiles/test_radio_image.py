"""A radio image guards what its parts must have in common."""

from __future__ import annotations

import numpy as np
import pytest
from small_radio import CIRCLE, small_wcs

from psseg.errors import PssegError
from psseg.tiles.radio_image import RadioImage


def image(**changes):
    parts = {
        "planes": np.zeros((3, 60, 80), np.float32),
        "stokes": ("I", "I", "V"),
        "frequencies": (1e9, 2e9, 1e9),
        "beams": (CIRCLE,) * 3,
        "wcs": small_wcs(),
        "mask": np.zeros((60, 80), bool),
    }
    return RadioImage(**parts | changes)


def test_what_an_image_says_of_itself():
    found = image()
    assert (found.n_planes, found.shape) == (3, (60, 80))
    assert found.pixel_scale == pytest.approx(2 / 3600)
    assert found.lever_arm == pytest.approx(np.log(2))
    assert found.rotation == pytest.approx(0, abs=0.01)


def test_scale_and_rotation_are_those_of_its_middle():
    far = image(wcs=small_wcs(CRVAL2=-90.0, CRPIX1=-20000.0, CRPIX2=30.5))
    away = far.pixel_to_sky(39.5, 29.5).separation(far.pixel_to_sky(-20001.0, 29.5))
    assert 11 < away.deg < 12
    assert far.pixel_scale == pytest.approx(2 / 3600 / np.sqrt(np.cos(away.rad)), rel=1e-6)
    assert abs(far.rotation) == pytest.approx(90, abs=0.01)


def test_planes_become_float32():
    assert image(planes=np.zeros((3, 60, 80))).planes.dtype == np.float32


def test_the_lever_arm_is_zero_where_a_frequency_is_missing():
    assert image(frequencies=(1e9, np.nan, 1e9)).lever_arm == 0
    assert image(frequencies=(np.nan, 1e9, 1e9)).lever_arm == 0


def test_frequencies_within_a_thousandth_are_one():
    assert image(frequencies=(1e9, 1.0009e9, 1e9)).lever_arm == 0
    assert image(frequencies=(1e9, 1.002e9, 1e9)).lever_arm == pytest.approx(0.002, rel=1e-2)


def test_the_frequencies_of_all_planes_over_the_first():
    assert image(frequencies=(1e9, 2e9, 1.5e9)).frequency_ratios.tolist() == [1, 2, 1.5]
    assert image(frequencies=(1e9, np.nan, 1.0009e9)).frequency_ratios.tolist() == [1, 1, 1]
    two = {"planes": np.zeros((2, 60, 80)), "stokes": ("I", "V"), "beams": (CIRCLE,) * 2}
    assert image(**two, frequencies=(1e9, 3e9)).frequency_ratios.tolist() == [1, 1, 3]


def test_stokes_v_is_no_lever():
    one = image(
        planes=np.zeros((2, 60, 80)),
        stokes=("I", "V"),
        frequencies=(1e9, 2e9),
        beams=(CIRCLE,) * 2,
    )
    assert one.lever_arm == 0


def test_positions_are_icrs():
    sky = image().pixel_to_sky([39.5, 0], [29.5, 0])
    assert sky.frame.name == "icrs"
    assert (sky.ra.deg[0], sky.dec.deg[0]) == pytest.approx((150, -30))
    assert sky.ra.deg[1] > 150


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"planes": np.zeros((60, 80))}, r"radio planes: want \(n, n_y, n_x\)"),
        ({"stokes": ("V", "I", "I")}, r"radio stokes: .* got \(V, I, I\)"),
        ({"frequencies": (1e9,)}, "radio frequencies: want one per plane, 3; got 1"),
        ({"beams": (CIRCLE,)}, "radio beams: want one per plane, 3; got 1"),
        ({"mask": np.zeros((6, 8), bool)}, r"radio mask: want shape \(60, 80\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(PssegError, match=message):
        image(**changes)
