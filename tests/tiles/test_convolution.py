"""Convolution with a Gaussian adds covariances, and leaves blank pixels blank."""

from __future__ import annotations

import numpy as np
import pytest
from small_radio import ARCSEC, measured_beam, point_sources

from psseg.tiles.beam import Beam
from psseg.tiles.convolution import convolve


@pytest.mark.parametrize("width", [0.5, 3.0, 12.0])
def test_convolution_adds_covariances_and_keeps_the_sum(width):
    beam = Beam(major=14 * ARCSEC, minor=10 * ARCSEC, angle=20)
    image = point_sources((121, 121), [(60, 60)], [1.0], beam)
    kernel = Beam(major=width * ARCSEC, minor=width * ARCSEC / 2, angle=20)
    smooth = convolve(image, kernel.covariance(2 * ARCSEC), reach=20)
    major, minor, angle = measured_beam(smooth)
    assert major == pytest.approx(np.hypot(14, width), rel=2e-3)
    assert minor == pytest.approx(np.hypot(10, width / 2), rel=2e-3)
    assert angle == pytest.approx(20, abs=0.1)
    assert smooth.sum() == pytest.approx(image.sum(), rel=1e-3)


def test_convolution_leaves_blanks_and_does_not_darken_their_shores():
    values = np.ones((60, 80), np.float32)
    values[:20] = np.nan
    smooth = convolve(values, 9 * np.eye(2), reach=14)
    assert np.array_equal(np.isnan(smooth), np.isnan(values))
    assert np.nanmin(smooth) == pytest.approx(1, abs=1e-4)
