"""From a network's score and a test statistic to the probability that a source is real.

In go the peak score of a segment (the network's source probability at its brightest pixel), the
test statistic of the fitted source and further evidence: for maps of counts the curvature of its
spectrum and its latitude, for radio images that of `psseg.catalogue.radio_evidence`; out comes a
calibrated probability, and the threshold it has to pass at its latitude. The coefficients belong to
a trained network: `psseg.evaluation` fits them on a simulated sky whose truth is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from psseg.errors import PssegError

__all__ = [
    "RAW_COEFFICIENTS",
    "calibrated_classes",
    "combined_classes",
    "counts_evidence",
    "detection_threshold",
    "source_features",
    "source_probability",
    "zone_probability",
]

RAW_COEFFICIENTS = (0.0, 1.0, 0.0)
"""Coefficients that give the score back as it came."""

SCORE_MARGIN = 1e-4
"""Scores are kept this far from 0 and 1: beyond it float32 softmax outputs carry no information."""

MINIMUM_TS = 1.0
"""Test statistics below this count as this: a fit without improvement says no less than one."""

TYPICAL_CURVATURE, CURVATURE_SPREAD = 0.1, 0.3
"""Mean and spread of what is expected of a source whose curvature is not measured: with few bands
or few photons the fitted one is mostly noise."""

RIDGE_HEIGHT = 1.0
"""Deg; how fast the Galactic ridge falls with latitude, in sources as in diffuse emission."""

FAINTEST_CLASS = 1e-6
"""Class probabilities below this count as this before their logarithm is taken."""


def source_features(
    score: ArrayLike, ts: ArrayLike, evidence: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Give the numbers the probability is linear in: 1, logit of the score, log of the TS, further.

    Parameters
    ----------
    score : array_like, shape (n_sources,)
        Peak score of each segment, 0 to 1.
    ts : array_like, shape (n_sources,)
        Test statistic of each source; values below 1 and not-a-number count as 1.
    evidence : array_like, shape (n_sources, n_further), optional
        What else is known, as from `counts_evidence`.

    Returns
    -------
    ndarray, shape (n_sources, 3 + n_further)
        One row per source.
    """
    clipped = np.clip(np.asarray(score, dtype=float), SCORE_MARGIN, 1 - SCORE_MARGIN)
    significance = np.fmax(np.asarray(ts, dtype=float), MINIMUM_TS)
    features = np.stack([np.ones_like(clipped), logit(clipped), np.log(significance)], axis=-1)
    return features if evidence is None else np.hstack([features, np.asarray(evidence, float)])


def counts_evidence(curvature: ArrayLike, error: ArrayLike, glat: ArrayLike) -> NDArray[np.float64]:
    r"""Give what tells sources from wrongly predicted diffuse emission in a map of counts.

    That emission has a spectrum without much curvature; pulsars, remnants and the many sources
    without association that crowd the plane have one. And on the ridge of the plane there are more
    sources: the same score and TS mean more there.

    Parameters
    ----------
    curvature, error : array_like, shape (n_sources,)
        Of the log-parabola (LP_beta and Unc_LP_beta); not-a-number where there is none.
    glat : array_like, shape (n_sources,)
        Galactic latitude in degrees.

    Returns
    -------
    ndarray, shape (n_sources, 2)
        Curvature, drawn towards a typical one as its error demands; and a number that falls from 1
        on the plane as exp(-\|b\| / 1 deg).

    Examples
    --------
    >>> counts_evidence([0.5, 0.5], [0.0, 0.3], [0.0, 0.0])
    array([[0.5, 1. ],
           [0.3, 1. ]])
    """
    measured, variance = np.asarray(curvature, dtype=float), np.square(np.asarray(error, float))
    trust = CURVATURE_SPREAD**2 / (CURVATURE_SPREAD**2 + variance)
    shift = np.nan_to_num(trust * (measured - TYPICAL_CURVATURE))
    ridge = np.exp(-np.abs(np.asarray(glat, dtype=float)) / RIDGE_HEIGHT)
    return np.stack([TYPICAL_CURVATURE + shift, ridge], axis=-1)


def source_probability(
    score: ArrayLike,
    ts: ArrayLike,
    coefficients: Sequence[float],
    *,
    evidence: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Give the calibrated probability that a detection is a real source.

    Parameters
    ----------
    score : array_like, shape (n_sources,)
        Peak score of each segment, 0 to 1.
    ts : array_like, shape (n_sources,)
        Test statistic of each source.
    coefficients : sequence of 3 or more floats
        Offset, weight of logit(score), weight of log(TS), weights of the evidence, or as many of
        them as there are. Those of score and TS are not negative, so that a higher score or a
        higher TS never lowers the probability.
    evidence : array_like, shape (n_sources, n_further), optional
        What else is known, as from `counts_evidence`.

    Returns
    -------
    ndarray, shape (n_sources,)
        Probability, 0 to 1.

    Raises
    ------
    PssegError
        If there are not as many coefficients or a weight is negative.

    Examples
    --------
    >>> source_probability([0.5], [25.0], RAW_COEFFICIENTS)
    array([0.5])
    """
    features = source_features(score, ts, evidence)
    if not 3 <= len(coefficients) <= features.shape[-1] or min(coefficients[1:3]) < 0:
        raise PssegError(
            f"source coefficients must be 3 to {features.shape[-1]} numbers, the second and third "
            f"not negative, not {tuple(coefficients)}: calibrate the model anew"
        )
    weights = np.asarray(coefficients, dtype=float)
    return expit(features[..., : len(weights)] @ weights)


def zone_probability(
    score: ArrayLike,
    ts: ArrayLike,
    glat: ArrayLike,
    *,
    coefficients: tuple[Sequence[float], Sequence[float]],
    latitude_split: float,
    evidence: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Give the same probability with coefficients that depend on latitude.

    Far from the plane the background is well known and the TS says most; near it the TS is that of
    diffuse emission often enough, and the network's score says more.

    Parameters
    ----------
    score, ts, evidence
        As for `source_probability`.
    glat : array_like, shape (n_sources,)
        Galactic latitude in degrees.
    coefficients : pair of sequences of floats
        Those below and those from `latitude_split` on; where the first are none, the second hold
        everywhere.
    latitude_split : float
        \|b\| in degrees.

    Returns
    -------
    ndarray, shape (n_sources,)
        Probability, 0 to 1.
    """
    low, high = coefficients
    far = source_probability(score, ts, high, evidence=evidence)
    if not len(low):
        return far
    near = source_probability(score, ts, low, evidence=evidence)
    return np.where(_is_high(glat, latitude_split), far, near)


def detection_threshold(
    glat: ArrayLike, *, thresholds: Mapping[str, float], latitude_split: float
) -> NDArray[np.float64]:
    r"""Give the probability a detection needs at its Galactic latitude.

    Parameters
    ----------
    glat : array_like, shape (n_sources,)
        Galactic latitude in degrees.
    thresholds : mapping
        ``"low_latitude"`` and ``"high_latitude"``: the two thresholds.
    latitude_split : float
        \|b\| in degrees from which the high-latitude threshold holds.

    Returns
    -------
    ndarray, shape (n_sources,)

    Examples
    --------
    >>> limits = {"low_latitude": 0.6, "high_latitude": 0.4}
    >>> detection_threshold([-3.0, 50.0], thresholds=limits, latitude_split=20.0)
    array([0.6, 0.4])
    """
    high = _is_high(glat, latitude_split)
    return np.where(high, thresholds["high_latitude"], thresholds["low_latitude"])


def _is_high(glat: ArrayLike, latitude_split: float) -> NDArray[np.bool_]:
    return np.abs(np.asarray(glat, dtype=float)) >= latitude_split


def calibrated_classes(
    probabilities: ArrayLike, *, temperature: float, bias: Sequence[float]
) -> NDArray[np.float64]:
    """Calibrate class probabilities: temper their logarithms, add a bias, normalise to one.

    Parameters
    ----------
    probabilities : array_like, shape (n_sources, n_classes)
        Class probabilities as the network gave them; rows need not sum to one.
    temperature : float
        Above 1 makes the network less certain (Guo et al. 2017, ICML, arXiv:1706.04599).
    bias : sequence of n_classes floats
        Added to the tempered logarithm of each class.

    Returns
    -------
    ndarray, shape (n_sources, n_classes)
        Rows sum to one.

    Examples
    --------
    >>> calibrated_classes([[0.1, 0.7, 0.2]], temperature=1.0, bias=(0.0, 0.0, 0.0))
    array([[0.1, 0.7, 0.2]])
    """
    logits = np.log(np.fmax(np.asarray(probabilities, dtype=float), FAINTEST_CLASS))
    tempered = logits / temperature + np.asarray(bias, dtype=float)
    weights = np.exp(tempered - tempered.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def combined_classes(
    network: ArrayLike, measured: ArrayLike, weights: Sequence[float]
) -> NDArray[np.float64]:
    """Combine what the network and what the measured numbers say of the classes.

    Parameters
    ----------
    network, measured : array_like, shape (n_sources, n_classes)
        Class likelihoods from either.
    weights : sequence of 2 + n_classes floats
        Weight of the logarithms of the one, of the other, and a bias for each class. Both have
        seen the same image, so that the weights of two that are each calibrated sum to about one.

    Returns
    -------
    ndarray, shape (n_sources, n_classes)
        Rows sum to one.

    Examples
    --------
    >>> combined_classes([[0.1, 0.8, 0.1]], [[0.8, 0.1, 0.1]], (0.0, 1.0, 0.0, 0.0, 0.0))
    array([[0.8, 0.1, 0.1]])
    """
    of_network, of_measured, *bias = weights
    faintest = np.fmax(np.asarray(network, dtype=float), FAINTEST_CLASS)
    logits = of_network * np.log(faintest) + of_measured * np.log(np.asarray(measured, dtype=float))
    return calibrated_classes(np.exp(logits), temperature=1.0, bias=bias)
