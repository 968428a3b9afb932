"""What a source is: class likelihoods from the pixels of its segment, and Bayes' rule.

In: class probabilities per pixel. Out: one row per source, a column per source class in the order
of `psseg.survey.classes.SOURCE_CLASSES`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.probability import FAINTEST_CLASS, calibrated_classes
from psseg.catalogue.segment_map import SegmentMap
from psseg.catalogue.segment_pixels import list_pixels
from psseg.errors import PssegError
from psseg.survey.classes import CLASS_NAMES, SOURCE_CLASSES

__all__ = ["apply_priors", "class_scores"]

Floats = NDArray[np.float64]

CORE = 0.5
"""Pixels of at least this share of the segment's highest source probability say what it is."""


def class_scores(class_probabilities: NDArray[np.floating], segments: SegmentMap) -> Floats:
    """Give the class likelihoods of each segment.

    The mean of the pixels' log-probabilities, weighted by their source probability: pixels that
    are sure of a class count, which a mean of probabilities would average away.

    Parameters
    ----------
    class_probabilities : ndarray (4, n_y, n_x)
        Probabilities of background and the source classes; NaN where blank.
    segments : SegmentMap
        The segments.

    Returns
    -------
    ndarray (n_segments, 3)
        Rows sum to 1, in the order of the labels.

    Raises
    ------
    PssegError
        If the shapes do not fit together.
    """
    if class_probabilities.shape != (len(CLASS_NAMES), *segments.shape):
        raise PssegError(
            f"class_probabilities: want shape {(len(CLASS_NAMES), *segments.shape)}, "
            f"got {class_probabilities.shape}"
        )
    if not segments.n_labels:
        return np.zeros((0, len(SOURCE_CLASSES)))
    pixels = list_pixels(segments)
    background, *classes = (pixels.of(plane).astype(float) for plane in class_probabilities)
    source = np.nan_to_num(1 - background)
    weight = np.where(source >= CORE * pixels.highest(source)[pixels.owner], source, 0.0)
    total = pixels.sums(weight)
    sums = [pixels.sums(weight * np.log(np.fmax(p, FAINTEST_CLASS))) for p in classes]
    means = np.exp(np.transpose(sums) / total[:, None])
    return calibrated_classes(means, temperature=1.0, bias=(0.0, 0.0, 0.0))


def apply_priors(likelihoods: ArrayLike, priors: ArrayLike) -> Floats:
    """Multiply class likelihoods by priors and normalise.

    Parameters
    ----------
    likelihoods : array_like (n_sources, 3)
        As `class_scores` gives them.
    priors : array_like (n_sources, 3) or (3,)
        Expected relative density of each class; any scale, not negative.

    Returns
    -------
    ndarray (n_sources, 3)
        Rows sum to 1; where no class is possible, the likelihoods are given back.

    Raises
    ------
    PssegError
        If a prior is negative or not finite.

    Examples
    --------
    >>> apply_priors([[0.5, 0.25, 0.25]], [1, 2, 0])
    array([[0.5, 0.5, 0. ]])
    """
    likelihoods, priors = np.asarray(likelihoods, dtype=float), np.asarray(priors, dtype=float)
    if not (np.isfinite(priors).all() and (priors >= 0).all()):
        raise PssegError("priors: want finite numbers, not negative")
    product = likelihoods * priors
    total = product.sum(axis=-1, keepdims=True)
    possible = total > 0
    return np.where(possible, product / np.where(possible, total, 1), likelihoods)
