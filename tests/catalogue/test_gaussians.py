"""Fits of Gaussians find what was drawn, with errors that are those of correlated noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.catalogue.fit_windows import make_window
from psseg.catalogue.gaussians import (
    fit_gaussians,
    gaussians,
    linear_amplitudes,
    parameter_covariance,
    shape_steps,
)

WHITENING = np.eye(2) / 1.9  # a round beam of 4.5 pixels FWHM
WINDOW = make_window(WHITENING, radius=3.0)
WIDE = make_window(WHITENING, radius=12.0)


def flat(n, window=WINDOW):
    return np.ones((n, window.n_pixels), dtype=np.float32)


def parameters(rows):
    return np.array(rows, dtype=float).reshape(-1, 1, 6)


def test_a_window_is_the_ellipse_of_the_beam():
    whitening = np.linalg.inv(np.diag([3.0, 1.5]))
    window = make_window(whitening, radius=2.0)
    assert window.n_pixels == pytest.approx(np.pi * 4 * 4.5, rel=0.1)
    assert np.abs(window.columns).max() == 6
    assert np.abs(window.rows).max() == 3
    assert np.hypot(*window.grid).max() <= 2
    sparse = make_window(whitening, radius=2.0, stride=3)
    assert set(sparse.columns % 3) == set(sparse.rows % 3) == {0}
    assert ((sparse.rows == 0) & (sparse.columns == 0)).any()


@given(
    u=st.floats(-0.8, 0.8),
    v=st.floats(-0.8, 0.8),
    amplitude=st.floats(5, 1e4),
    sizes=st.tuples(st.floats(0.8, 1.8), st.floats(0.8, 1.8)),
    angle=st.floats(0, np.pi),
)
def test_a_gaussian_without_noise_is_found(u, v, amplitude, sizes, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = turn @ np.diag(np.array(sizes) ** -2.0) @ turn.T
    truth = parameters([[amplitude, u, v, shape[0, 0], shape[0, 1], shape[1, 1]]])
    start = parameters([[0.8 * amplitude, 0, 0, 1, 0, 1]])
    values = gaussians(truth, WINDOW.grid).sum(axis=1)
    free = np.ones((1, 1), dtype=bool)
    found, converged = fit_gaussians(values, flat(1), WINDOW.grid, start, free, largest=3)
    assert converged.all()
    scale = [amplitude, 1, 1, 1, 1, 1]
    assert (found - truth)[0, 0] / scale == pytest.approx(np.zeros(6), abs=0.02 + 0.5 / amplitude)


def test_two_gaussians_are_fitted_together():
    truth = np.array([[[50, -1, 0, 1, 0, 1], [30, 1.2, 0.3, 1, 0, 1]]], dtype=float)
    start = truth + np.array([[5, 0.2, -0.2, 0, 0, 0], [-5, -0.2, 0.2, 0, 0, 0]])
    values = gaussians(truth, WINDOW.grid).sum(axis=1)
    held = np.zeros((1, 2), dtype=bool)
    found, converged = fit_gaussians(values, flat(1), WINDOW.grid, start, held, largest=2)
    assert converged.all()
    assert found == pytest.approx(truth, abs=0.05)


def test_shapes_that_are_held_stay_and_those_free_stay_in_bounds():
    narrow = gaussians(parameters([[100, 0, 0, 9, 0, 9]]), WINDOW.grid)[:, 0]
    wide = gaussians(parameters([[100, 0, 0, 0.01, 0, 0.01]]), WINDOW.grid)[:, 0]
    values, start = np.concatenate([narrow, wide]), parameters([[100, 0, 0, 1, 0, 1]] * 2)
    held, _ = fit_gaussians(values, flat(2), WINDOW.grid, start, np.zeros((2, 1), bool), largest=2)
    assert (held[..., 3:] == [1, 0, 1]).all()
    free, _ = fit_gaussians(values, flat(2), WINDOW.grid, start, np.ones((2, 1), bool), largest=2)
    sizes = free[:, 0, [3, 5]] ** -0.5
    assert sizes == pytest.approx(np.array([[0.5, 0.5], [2, 2]]))


def test_blank_cutouts_do_not_spoil_others():
    truth = parameters([[40, 0.1, 0.1, 1, 0, 1]] * 2)
    values, weights = gaussians(truth, WINDOW.grid)[:, 0], flat(2)
    values[0], weights[0] = 0, 0
    start, held = parameters([[30, 0, 0, 1, 0, 1]] * 2), np.zeros((2, 1), dtype=bool)
    found, _ = fit_gaussians(values, weights, WINDOW.grid, start, held, largest=2)
    assert found[1] == pytest.approx(truth[1], abs=0.02)
    covariance = parameter_covariance(weights, WINDOW.grid, truth, held, WINDOW.correlation())
    assert np.isfinite(covariance[1]).all()


@pytest.mark.parametrize("size", [1.0, 1.5, 2.5])
def test_errors_are_those_of_condon(size):
    """Equal weights, a free Gaussian: 1997, PASP 109, 166, eqs. 21 and 41, amplitude and axes."""
    snr = 50.0
    truth = parameters([[snr, 0, 0, size**-2, 0, size**-2]])
    free = np.ones((1, 1), dtype=bool)
    covariance = parameter_covariance(flat(1, WIDE), WIDE.grid, truth, free, WIDE.correlation())
    errors = np.sqrt(np.diagonal(covariance[0, 0]))

    def rho(major, minor):
        return np.sqrt(size**2 / 4 * (1 + size**-2) ** (major + minor)) * snr

    assert errors[0] / snr == pytest.approx(np.sqrt(2) / rho(1.5, 1.5), rel=0.02)
    # His form for the axes is that of large sources: exact errors are larger near the beam's size.
    axis = errors[3] * size**2 / 2 / (np.sqrt(2) / rho(2.5, 0.5))
    assert 0.99 < axis < (1.23 if size == 1 else 1.06)
    # The centre: exponents 3/2 and 1/2, not 5/2 and 1/2.
    assert errors[1] / size == pytest.approx(np.sqrt(2) / rho(1.5, 0.5), rel=0.02)


def test_one_step_tells_that_a_source_is_larger_than_the_beam():
    truth = parameters([[50, 0, 0, 0.8, 0, 0.95]])
    values = gaussians(truth, WINDOW.grid)[:, 0]
    point = parameters([[48, 0, 0, 1, 0, 1]])
    step, covariance = shape_steps(values, flat(1), WINDOW.grid, point, WINDOW.correlation())
    assert step[0, 0] == pytest.approx([-0.2, 0, -0.05], abs=0.05)
    assert 0.01 < np.sqrt(covariance[0, 0, 0, 0]) < 0.2


def test_amplitudes_of_known_shapes():
    truth = np.array([[[50, -1, 0, 1, 0, 1], [-30, 1.2, 0.3, 0.5, 0.1, 0.8]]], dtype=float)
    values = gaussians(truth, WINDOW.grid).sum(axis=1)
    found, errors = linear_amplitudes(values, flat(1), WINDOW.grid, truth, WINDOW.correlation())
    assert found == pytest.approx(np.array([[50, -30]]), rel=1e-3)
    assert ((errors > 0.8) & (errors < 2.5)).all()
