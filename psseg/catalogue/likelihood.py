"""The Poisson likelihood of one band: counts that are not negative, background with a prior.

Expected counts are ``background + design @ parameters``; the first parameters are the sources'
counts, the others relative corrections of the background with a Gaussian prior around zero. The
logarithm of the likelihood (Cash 1979, ApJ 228, 939) is concave in them, so that scoring steps with
a line search always arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csc_array, csr_array

from psseg.catalogue.scene import scaled

__all__ = [
    "BandFit",
    "band_information",
    "conditional_ts",
    "count_variances",
    "fit_band",
    "information",
    "solve_symmetric",
]

Floats = NDArray[np.float64]

LARGEST_CORRECTION = 0.8
"""The background may change by this fraction at most, whatever its prior: it stays positive."""

STEPS_BY_ONE_MATRIX = 3
"""Scoring steps by the same information matrix: near the maximum it hardly changes, and to work it
out takes longer than all the rest of a step."""

RIDGE = 1e-9
"""Relative ridge: a column without data (a source in blank pixels) makes no matrix singular."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BandFit:
    """The best parameters of one band.

    Parameters
    ----------
    parameters : ndarray (n_sources + n_nodes,)
        Counts of the sources, then corrections of the background.
    expected : ndarray (n_pixels,)
        Expected counts.
    score : ndarray (n_sources + n_nodes,)
        Derivatives of the log-likelihood there: about 0, or negative at the bound.
    information : ndarray (n_sources + n_nodes, n_sources + n_nodes)
        Fisher information with the prior, of a few steps before.
    """

    parameters: Floats
    expected: Floats
    score: Floats
    information: Floats


def fit_band(
    counts: Floats,
    background: Floats,
    design: csc_array,
    *,
    start: Floats,
    prior: Floats,
    n_steps: int = 20,
    tolerance: float = 0.05,
) -> BandFit:
    """Maximise the likelihood of one band.

    Parameters
    ----------
    counts, background : ndarray (n_pixels,)
        Counts, and expected background, positive.
    design : csc_array (n_pixels, n_sources + n_nodes)
        Expected counts per unit of each parameter; zero in pixels that do not count.
    start : ndarray (n_sources + n_nodes,)
        Where to begin.
    prior : ndarray (n_nodes, n_nodes)
        Inverse covariance of the nodes.
    n_steps : int
        Steps at most.
    tolerance : float
        Done when no parameter moves by more than this many standard errors.

    Returns
    -------
    BandFit
    """
    is_source = np.arange(len(start)) < len(start) - len(prior)
    lower = np.where(is_source, 0.0, -LARGEST_CORRECTION)
    upper = np.where(is_source, np.inf, LARGEST_CORRECTION)
    parameters = np.clip(start, lower, upper)
    expected = background + design @ parameters
    value = _log_likelihood(counts, expected, prior, parameters)
    by_row = csr_array(design)
    held = np.zeros(0, dtype=bool)
    for turn in range(n_steps):
        if turn % STEPS_BY_ONE_MATRIX == 0:
            matrix, held = _with_prior(information(design, by_row, expected), prior), held[:0]
        score = _score(counts, expected, design, prior, parameters)
        free = ~((parameters <= lower) & (score <= 0)) & ~((parameters >= upper) & (score >= 0))
        step = np.zeros_like(parameters)
        if not np.array_equal(free, held):
            solve, held = _solver(matrix[np.ix_(free, free)]), free
        step[free] = solve(score[free])
        size = 1.0
        while True:
            trial = np.clip(parameters + size * step, lower, upper)
            trial_expected = background + design @ trial
            trial_value = _log_likelihood(counts, trial_expected, prior, trial)
            if trial_value >= value - 1e-9 * abs(value) or size < 1e-3:
                break
            size /= 2
        moved = np.abs(trial - parameters) * np.sqrt(np.diagonal(matrix))
        parameters, expected, value = trial, trial_expected, trial_value
        if moved.max(initial=0) < tolerance:
            break
    score = _score(counts, expected, design, prior, parameters)
    return BandFit(parameters=parameters, expected=expected, score=score, information=matrix)


def band_information(design: csc_array, expected: Floats, *, prior: Floats) -> Floats:
    """Give the Fisher information on the parameters of a band, with the prior.

    Parameters
    ----------
    design, expected, prior
        As for `fit_band`, and its result.

    Returns
    -------
    ndarray (n_sources + n_nodes, n_sources + n_nodes)
    """
    return _with_prior(information(design, csr_array(design), expected), prior)


def information(left: csc_array, right: csr_array, expected: Floats) -> Floats:
    """Give the Fisher information between two sets of parameters.

    Parameters
    ----------
    left : csc_array (n_pixels, n_left)
        Derivatives of the expected counts.
    right : csr_array (n_pixels, n_right)
        The same; row by row, so that the product needs no conversion.
    expected : ndarray (n_pixels,)
        Expected counts.

    Returns
    -------
    ndarray (n_left, n_right)
    """
    return (scaled(left, 1 / expected).T @ right).toarray()


def count_variances(matrix: Floats, n_sources: int) -> tuple[Floats, Floats]:
    """Give the variances of the sources' counts in a band.

    Parameters
    ----------
    matrix : ndarray (n_sources + n_nodes, n_sources + n_nodes)
        As `band_information` gives it.
    n_sources : int
        The sources come first.

    Returns
    -------
    free, held : ndarray (n_sources,)
        With all other parameters of the band free, and with them known.
    """
    own, mixed = matrix[:n_sources, :n_sources], matrix[n_sources:, :n_sources]
    if mixed.size:
        own = own - mixed.T @ solve_symmetric(matrix[n_sources:, n_sources:], mixed)
    free = np.diagonal(solve_symmetric(own, np.eye(n_sources)))
    held = 1 / np.maximum(np.diagonal(matrix)[:n_sources], np.finfo(float).tiny)
    return free, held


def conditional_ts(
    counts: Floats, expected: Floats, design: csc_array, amplitude: Floats
) -> Floats:
    """Give twice the log-likelihood each source adds, all else held as it is.

    Parameters
    ----------
    counts, expected : ndarray (n_pixels,)
        Counts, and expected counts with all sources.
    design : csc_array (n_pixels, n_sources or more)
        As for `fit_band`; the sources come first.
    amplitude : ndarray (n_sources,)
        Counts of the sources that `expected` holds.

    Returns
    -------
    ndarray (n_sources,)
    """
    n = len(amplitude)
    n_entries = design.indptr[n]
    owner = np.repeat(np.arange(n), np.diff(design.indptr[: n + 1]))
    own = design.data[:n_entries] * amplitude[owner]
    pixel = design.indices[:n_entries]
    gain = -counts[pixel] * np.log1p(-own / expected[pixel]) - own
    return np.bincount(owner, weights=2.0 * gain, minlength=n).astype(float)


def solve_symmetric(matrix: Floats, right: Floats) -> Floats:
    """Solve a symmetric system whose parameters may have very different scales, or no data.

    Parameters
    ----------
    matrix : ndarray (n, n)
        Positive semi-definite. A parameter without data has a row and column of zeros.
    right : ndarray (n,) or (n, m)
        Right-hand sides.

    Returns
    -------
    ndarray, of the shape of `right`
    """
    return _solver(matrix)(right)


def _solver(matrix: Floats) -> Callable[[Floats], Floats]:
    """Factorise a matrix once, to solve by it as `solve_symmetric` does."""
    diagonal = np.diagonal(matrix)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = matrix * scale * scale[:, None]
    scaled.flat[:: len(matrix) + 1] += RIDGE
    factor = cho_factor(scaled, overwrite_a=True, check_finite=False)

    def solve(right: Floats) -> Floats:
        columns = scale.reshape(-1, *([1] * (right.ndim - 1)))
        return columns * cho_solve(factor, columns * right, overwrite_b=True, check_finite=False)

    return solve


def _with_prior(matrix: Floats, prior: Floats) -> Floats:
    """Add the prior of the nodes, which come last, to an information matrix."""
    n_sources = len(matrix) - len(prior)
    matrix[n_sources:, n_sources:] += prior
    return matrix


def _score(
    counts: Floats, expected: Floats, design: csc_array, prior: Floats, parameters: Floats
) -> Floats:
    score = design.T @ (counts / expected - 1)
    n_sources = len(parameters) - len(prior)
    score[n_sources:] -= prior @ parameters[n_sources:]
    return score


def _log_likelihood(counts: Floats, expected: Floats, prior: Floats, parameters: Floats) -> float:
    nodes = parameters[len(parameters) - len(prior) :]
    poisson = float(counts @ np.log(expected) - expected.sum())
    return poisson - 0.5 * float(nodes @ prior @ nodes)
