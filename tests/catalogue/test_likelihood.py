"""Counts of a band: the maximum of the likelihood, within its bounds, with honest errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csc_array

from psseg.catalogue.likelihood import (
    band_information,
    conditional_ts,
    count_variances,
    fit_band,
    information,
    solve_symmetric,
)

PIXELS = np.arange(60.0)
PRIOR = np.eye(2) / 0.1**2


def profile(centre, width=3.0):
    shape = np.exp(-0.5 * ((PIXELS - centre) / width) ** 2)
    return shape / shape.sum()


def design(*centres, nodes=True):
    columns = [profile(centre) for centre in centres]
    if nodes:
        columns += [5 * (1 - PIXELS / 59), 5 * PIXELS / 59]
    return csc_array(np.stack(columns, axis=1))


def fit(counts, matrix, n_sources, **options):
    start = np.concatenate([np.ones(n_sources), np.zeros(matrix.shape[1] - n_sources)])
    options = {
        "prior": PRIOR[: len(start) - n_sources, : len(start) - n_sources],
        "start": start,
    } | options
    return fit_band(counts, np.full(60, 5.0), matrix, **options)


def test_the_fit_finds_the_maximum_that_a_general_minimiser_finds():
    rng = np.random.default_rng(4)
    matrix = design(20, 27)
    counts = rng.poisson(5 + matrix @ [80, 40, 0, 0]).astype(float)

    def minus_log_likelihood(parameters):
        expected = 5 + matrix @ parameters
        return expected.sum() - counts @ np.log(expected) + (parameters[2:] ** 2).sum() / 0.02

    bounds = [(0, None), (0, None), (-0.8, 0.8), (-0.8, 0.8)]
    best = minimize(minus_log_likelihood, [10, 10, 0, 0], bounds=bounds, tol=1e-12)
    found = fit(counts, matrix, 2, tolerance=1e-4)
    assert found.parameters == pytest.approx(best.x, abs=0.05)
    assert found.expected == pytest.approx(5 + matrix @ found.parameters)


def test_counts_are_not_negative_and_the_score_says_what_holds_them():
    found = fit(np.where(np.abs(PIXELS - 20) < 4, 1.0, 5.0), design(20), 1)
    assert found.parameters[0] == 0
    assert found.score[0] < -0.1


def test_counts_are_unbiased_and_their_errors_right():
    rng = np.random.default_rng(5)
    matrix = design(20, 26)
    pulls = []
    for _ in range(200):
        slope = rng.normal(0, 0.1, 2)
        counts = rng.poisson(5 + matrix @ [60, 100, *slope]).astype(float)
        found = fit(counts, matrix, 2)
        free, _ = count_variances(band_information(matrix, found.expected, prior=PRIOR), 2)
        pulls.append((found.parameters[:2] - [60, 100]) / np.sqrt(free))
    assert np.mean(pulls, axis=0) == pytest.approx([0, 0], abs=0.2)
    assert np.std(pulls, axis=0) == pytest.approx([1, 1], abs=0.12)


def test_a_neighbour_costs_certainty():
    expected = 5 + design(20, 23, nodes=False) @ [60, 60]
    free, held = count_variances(band_information(design(20, 23), expected, prior=PRIOR), 2)
    apart, _ = count_variances(band_information(design(20, 40), expected, prior=PRIOR), 2)
    assert np.all(free > held)
    assert free[0] > 2 * apart[0]


def test_ts_is_the_likelihood_ratio_without_the_source():
    rng = np.random.default_rng(6)
    matrix = design(20, 40, nodes=False)
    amplitude = np.array([30.0, 50.0])
    expected = 5 + matrix @ amplitude
    counts = rng.poisson(expected).astype(float)
    without = 5 + matrix @ [0, 50.0]
    ratio = 2 * (counts @ np.log(expected / without) - (expected - without).sum())
    assert conditional_ts(counts, expected, matrix, amplitude)[0] == pytest.approx(ratio)


def test_a_source_without_data_spoils_nothing():
    matrix = csc_array(np.stack([profile(20), np.zeros(60)], axis=1))
    found = fit(np.full(60, 6.0), matrix, 2)
    assert np.isfinite(found.parameters).all()
    assert np.isfinite(
        solve_symmetric(information(matrix, matrix, found.expected), np.ones(2))
    ).all()


def test_no_photon_at_all_gives_no_counts():
    found = fit(np.zeros(60), design(20, 30), 2)
    assert found.parameters[:2].tolist() == [0, 0]
