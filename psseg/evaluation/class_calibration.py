"""What makes class likelihoods mean what they say: temperature, bias and weights, fitted.

In go the class likelihoods of detections whose true class is known; out come the numbers with which
the true classes are as likely as can be.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from psseg.catalogue.probability import FAINTEST_CLASS

__all__ = ["fit_classes", "fit_combined_classes"]

Floats = NDArray[np.float64]

CLASS_RIDGE = 1.0
"""Spread of the prior on the class biases, on the logarithm of the temperature and on weights."""

FAIR_WEIGHTS = (0.5, 0.5)
"""Weights of network and measured numbers where nothing speaks for either."""


def fit_classes(
    probabilities: ArrayLike, priors: ArrayLike, true: ArrayLike
) -> tuple[float, tuple[float, ...]]:
    """Fit temperature and bias so that class probabilities with priors are as likely as can be.

    Parameters
    ----------
    probabilities : array_like, shape (n_sources, 3)
        Balanced class probabilities as the network gave them.
    priors : array_like, shape (n_sources, 3)
        Relative density of each class expected at each source; rows need not sum to one.
    true : array_like of int, shape (n_sources,)
        True class of each, 0 to 2.

    Returns
    -------
    temperature : float
    bias : tuple of 3 floats
        Of zero mean.

    Notes
    -----
    Minimises the negative log-likelihood of the true classes under the tempered, biased
    probabilities times the priors, that is, of what the catalogue's P_* columns claim for a sky
    with the physical mix of classes. A weak normal prior keeps both near 1 and 0 where there are
    few sources.
    """
    logits, prior_logits = _logarithm(probabilities), _logarithm(priors)
    best = _most_likely(
        lambda p: logits / np.exp(p[0]) + _centred(p[1:]) + prior_logits,
        np.zeros(1 + logits.shape[1]),
        true,
    )
    return float(np.exp(best[0])), _plain(_centred(best[1:]))


def fit_combined_classes(
    network: ArrayLike, measured: ArrayLike, true: ArrayLike
) -> tuple[float, ...]:
    """Fit the weights with which two class likelihoods are combined.

    Parameters
    ----------
    network, measured : array_like, shape (n_sources, 3)
        Class likelihoods from either.
    true : array_like of int, shape (n_sources,)
        True class of each, 0 to 2; all classes alike in number.

    Returns
    -------
    tuple of 5 floats
        For `psseg.catalogue.probability.combined_classes`; empty without sources.

    Notes
    -----
    As `fit_classes`; where there are few sources the weights are near a half each.
    """
    logits = np.stack([_logarithm(network), _logarithm(measured)])
    if not logits.size:
        return ()
    start = np.array([*FAIR_WEIGHTS, *np.zeros(logits.shape[2])])
    best = _most_likely(
        lambda p: np.tensordot(p[:2], logits, axes=1) + _centred(p[2:]), start, true
    )
    return *_plain(best[:2]), *_plain(_centred(best[2:]))


def _most_likely(logits: Callable[[Floats], Floats], start: Floats, true: ArrayLike) -> Floats:
    """Give the parameters that make the true classes most likely, with a prior around `start`."""
    truth = np.asarray(true, dtype=int)

    def loss(parameters: Floats) -> float:
        total = logits(parameters)
        likelihood = total[np.arange(len(truth)), truth] - np.logaddexp.reduce(total, axis=1)
        away = parameters - start
        return float(-likelihood.sum() + (away @ away) / (2 * CLASS_RIDGE**2))

    return np.asarray(minimize(loss, start, method="BFGS").x)


def _logarithm(probabilities: ArrayLike) -> Floats:
    return np.log(np.fmax(np.asarray(probabilities, dtype=float), FAINTEST_CLASS))


def _centred(bias: Floats) -> Floats:
    return np.asarray(bias - bias.mean())


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
