"""Layers of radio images: their noise, and their beams where north is not up."""

from __future__ import annotations

import numpy as np
import pytest
from small_radio import ARCSEC, noise, point_sources, write_radio

from psseg.tiles.beam import Beam
from psseg.tiles.radio_files import _read_layers, read_radio_image
from psseg.tiles.radio_planes import layer_rms

NARROW = Beam(major=10 * ARCSEC, minor=7 * ARCSEC, angle=-25.0)
WIDE = Beam(major=20 * ARCSEC, minor=12 * ARCSEC, angle=65.0)
SHAPE = (81, 81)


def seen_with(beam, rotation):
    return point_sources(SHAPE, [(40, 40)], [0.5], beam, rotation=rotation) + noise(SHAPE, rms=1e-5)


@pytest.mark.parametrize("turn", [0.0, 40.0, -100.0])
def test_beams_are_widened_on_the_sky_wherever_north_is(tmp_path, turn):
    paths = [
        write_radio(
            tmp_path / f"{name}.fits", seen_with(beam, turn), beam=beam, CROTA2=turn, RESTFRQ=hertz
        )
        for name, beam, hertz in (("narrow", NARROW, 1e9), ("wide", WIDE, 2e9))
    ]
    found = read_radio_image(paths)
    assert found.rotation == pytest.approx(turn, abs=0.01)
    for beam, plane in zip(found.beams, found.planes, strict=True):
        assert (beam.major, beam.minor) == pytest.approx((WIDE.major, WIDE.minor), rel=1e-3)
        assert plane == pytest.approx(seen_with(WIDE, turn), abs=0.004)


def test_the_noise_of_a_layer_is_that_of_the_pixels_that_were_measured(tmp_path):
    values = noise((120, 160), rms=2e-3)
    values[:, 60:] = 0
    values[:20] = np.nan
    (layer,) = _read_layers(write_radio(tmp_path / "part.fits", values))
    assert layer_rms(layer) == pytest.approx(2e-3, rel=0.1)


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_a_layer_without_measurements_has_no_noise(tmp_path, fill):
    (layer,) = _read_layers(write_radio(tmp_path / "empty.fits", np.full(SHAPE, fill)))
    assert np.isnan(layer_rms(layer))
