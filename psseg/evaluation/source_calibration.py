"""What makes `SOURCE_PROB` mean what it says: its coefficients, and thresholds for a purity.

In go score, test statistic and what else is known of detections, and which of them are real; out
come the numbers of `psseg.catalogue.probability`.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from psseg.catalogue.probability import source_features
from psseg.errors import PssegError
from psseg.evaluation.statistics import threshold_for_purity

__all__ = ["FEWEST_DETECTIONS", "fit_source_probability", "fit_zones", "purity_threshold"]

logger = logging.getLogger(__name__)

FEWEST_DETECTIONS = 20
"""Fewer true or false detections than this say nothing."""

RIDGE = 1e-5
"""Weight of the pull towards the raw score: it only decides where the data do not."""


def fit_source_probability(
    score: ArrayLike, ts: ArrayLike, real: ArrayLike, *, evidence: ArrayLike | None = None
) -> tuple[float, ...]:
    """Fit the probability that a detection is real by logistic regression on all that is known.

    Parameters
    ----------
    score, ts : array_like, shape (n_detections,)
        Peak score and test statistic.
    real : array_like of bool, shape (n_detections,)
        Whether each is a true source.
    evidence : array_like, shape (n_detections, n_further), optional
        What else is known, as from `psseg.catalogue.probability.counts_evidence`.

    Returns
    -------
    tuple of 3 + n_further floats
        Coefficients for `psseg.catalogue.probability.source_probability`; the weights of the score
        and of the TS are not negative.

    Raises
    ------
    PssegError
        If there are fewer than twenty true or twenty false detections.
    """
    outcome = np.asarray(real, dtype=bool)
    if min(outcome.sum(), (~outcome).sum()) < FEWEST_DETECTIONS:
        raise PssegError(
            f"calibration: {outcome.sum()} true and {(~outcome).sum()} false detections, "
            f"{FEWEST_DETECTIONS} of each are needed; calibrate on more tiles, as psseg train "
            "--resume --calibration-tiles does"
        )
    features = source_features(score, ts, evidence)
    n_further = features.shape[1] - 3
    start = np.array([0.0, 1.0, 0.0] + [0.0] * n_further)

    def loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        linear = features @ coefficients
        pull = coefficients - start
        value = np.mean(np.logaddexp(0, linear) - outcome * linear) + RIDGE * pull @ pull / 2
        slope = features.T @ (expit(linear) - outcome) / len(outcome) + RIDGE * pull
        return float(value), slope

    bounds = [(None, None), (0, None), (0, None)] + [(None, None)] * n_further
    fit = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return tuple(float(value) for value in fit.x)


def fit_zones(
    score: NDArray[np.float64],
    ts: NDArray[np.float64],
    real: NDArray[np.bool_],
    evidence: NDArray[np.float64],
    low: NDArray[np.bool_],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit the detections of low and of high latitudes.

    Parameters
    ----------
    score, ts, real, evidence
        As for `fit_source_probability`.
    low : ndarray of bool, shape (n_detections,)
        Which of them are at low latitudes.

    Returns
    -------
    low, high : tuple of floats
        Coefficients; a zone with few true or false detections takes those of all.

    Raises
    ------
    PssegError
        If all detections together are too few.
    """
    everywhere = fit_source_probability(score, ts, real, evidence=evidence)

    def fitted(zone: NDArray[np.bool_]) -> tuple[float, ...]:
        if min(np.sum(zone & real), np.sum(zone & ~real)) < FEWEST_DETECTIONS:
            return everywhere
        return fit_source_probability(score[zone], ts[zone], real[zone], evidence=evidence[zone])

    return fitted(low), fitted(~low)


def purity_threshold(probability: ArrayLike, real: ArrayLike, purity: float) -> float:
    """Give the threshold for a purity, or where it is out of reach the purest there is.

    Parameters
    ----------
    probability : array_like, shape (n_detections,)
        Calibrated probability.
    real : array_like of bool, shape (n_detections,)
        Whether each is a true source.
    purity : float
        Share of true sources asked for.

    Returns
    -------
    float
        0 where there are no detections: nothing speaks against any.
    """
    claimed, flags = np.asarray(probability, dtype=float), np.asarray(real, dtype=bool)
    if not len(claimed):
        return 0.0
    threshold = threshold_for_purity(claimed, flags, purity)
    if threshold is not None and (claimed >= threshold).sum() >= FEWEST_DETECTIONS:
        return threshold
    best = max(_purities_with_enough(claimed, flags), default=(0.0, float(claimed.max())))
    logger.warning("purity %.3f is out of reach: %.3f at the best threshold", purity, best[0])
    return best[1]


def _purities_with_enough(
    probability: NDArray[np.float64], real: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Give (purity, threshold) for every threshold that leaves enough detections to judge."""
    order = np.argsort(-probability, kind="stable")
    purity = np.cumsum(real[order]) / np.arange(1, len(order) + 1)
    return [
        (float(purity[last]), float(probability[order[last]]))
        for last in range(FEWEST_DETECTIONS - 1, len(order))
    ]
