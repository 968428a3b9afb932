"""A background under the sources of a radio image changes nothing but what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import FWHM, RMS, beam_covariance, beam_noise, draw, make_image, measure

from psseg.catalogue.radio_flags import RadioFlag
from psseg.catalogue.segment_map import list_segments

LEVEL = 5 * RMS
ALIKE = ("peak_flux", "int_flux", "e_int_flux", "X", "Y", "maj", "resid_mean", "resid_rms")


def scene():
    """Two points, and a flat square with a hole that no sum of Gaussians describes."""
    rng = np.random.default_rng(4)
    plane = beam_noise(rng, (90, 160), beam_covariance()) * RMS
    draw(plane, [20.3, 24.8], [20.1, 60.2], np.array([50, 20]) * RMS, beam_covariance())
    square = np.zeros(plane.shape, dtype=int)
    square[15:76, 70:151] = 3
    square[35:50, 100:115] = 0
    plane[square == 3] += 8 * RMS
    rows, columns = np.indices(plane.shape)
    for label, x, y in ((1, 20, 20), (2, 25, 60)):
        square[np.hypot(columns - x, rows - y) < FWHM] = label
    return plane, list_segments(square)


@pytest.fixture(scope="module")
def tables():
    """Sources and components without and with the background."""
    plane, segments = scene()
    return [measure(make_image([plane + level]), segments, mean=level) for level in (0.0, LEVEL)]


@pytest.mark.parametrize("name", ALIKE)
def test_sources_are_measured_above_the_background(tables, name):
    (without, _), (raised, _) = tables
    assert np.asarray(raised[name]) == pytest.approx(np.asarray(without[name]), rel=2e-3, abs=1e-6)


def test_the_three_are_what_they_should_be(tables):
    for sources, components in tables:
        failed = np.asarray(sources["Flags"]) & RadioFlag.FIT_FAILED > 0
        assert failed.tolist() == [False, False, True]  # measured from its pixels
        assert sources["peak_flux"].value[:2] == pytest.approx([50 * RMS, 20 * RMS], rel=0.15)
        assert len(components) >= 2


def test_the_background_itself_is_told(tables):
    for (sources, _), level in zip(tables, (0.0, LEVEL), strict=True):
        assert sources["mean_image"].value == pytest.approx([level] * 3)
