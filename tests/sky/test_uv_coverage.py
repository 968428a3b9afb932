"""Where arrays measure: nowhere beyond what their beam allows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from psseg.sky.uv_coverage import draw_coverage, grid_errors


@pytest.mark.parametrize("snapshot", [False, True])
def test_no_baseline_is_longer_than_the_beam_allows(snapshot):
    rng = np.random.default_rng(5)
    coverage = draw_coverage(rng, snapshot=snapshot)
    assert np.hypot(coverage.u, coverage.v).max() == pytest.approx(1)
    sampling, errors = grid_errors((128, 128), (4.0, 4.0, 0.0), coverage, rng)
    v, u = np.meshgrid(fft.fftfreq(128), fft.rfftfreq(128), indexing="ij")
    outside = np.hypot(u, v) > 1.12 * 0.8 / 4.0 + 0.01
    assert not np.abs(sampling[outside]).any()
    assert not np.abs(errors[outside]).any()
    assert np.count_nonzero(sampling) > 100
