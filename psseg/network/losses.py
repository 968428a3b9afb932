"""What training minimises: class cross-entropy, and the Poisson deviance of the background."""

from __future__ import annotations

from functools import partial

import keras
from keras import ops

from psseg.survey.classes import IGNORED

__all__ = ["ABSENT", "background_loss", "class_loss", "source_weighted"]

ABSENT = -1.0
"""Value of the background truth where a band was not observed."""


def class_loss(
    class_map: keras.KerasTensor, logits: keras.KerasTensor, *, source_weight: float = 1.0
) -> keras.KerasTensor:
    """Mean cross-entropy over the pixels that are not ignored.

    Parameters
    ----------
    class_map : tensor, shape (n, n_y, n_x)
        Classes, 255 where ignored.
    logits : tensor, shape (n, n_y, n_x, 4)
    source_weight : float
        Weight of a source pixel, that of a background pixel being 1.

    Returns
    -------
    tensor, scalar
    """
    class_map = ops.cast(class_map, "int32")
    counted = ops.not_equal(class_map, IGNORED)
    target = ops.where(counted, class_map, 0)
    entropy = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
    weight = ops.where(target > 0, source_weight, 1.0) * ops.cast(counted, entropy.dtype)
    return ops.sum(entropy * weight) / (ops.sum(ops.cast(counted, entropy.dtype)) + 1.0)


def source_weighted(source_weight: float) -> partial:
    """Give :func:`class_loss` with its source weight fixed."""
    loss = partial(class_loss, source_weight=source_weight)
    loss.__name__ = "class_loss"  # type: ignore[attr-defined]
    return loss


def background_loss(
    background: keras.KerasTensor, predicted: keras.KerasTensor
) -> keras.KerasTensor:
    """Poisson deviance per expected count, each band of each tile having the same say.

    ``t ln(t/p) - t + p``, whose minimum over p is the mean of t: an unbiased background.

    Parameters
    ----------
    background : tensor, shape (n, n_y, n_x, n_bands)
        True expected counts, negative where absent.
    predicted : tensor, shape (n, n_y, n_x, n_bands)
        Positive.

    Returns
    -------
    tensor, scalar
    """
    there = ops.cast(background >= 0, predicted.dtype)
    true = ops.maximum(background, 1e-6)
    deviance = (true * ops.log(true / (predicted + 1e-6)) - true + predicted) * there
    level = ops.sum(true * there, axis=(1, 2)) + 1e-3
    observed = ops.cast(ops.sum(there, axis=(1, 2)) > 0, predicted.dtype)
    return ops.sum(ops.sum(deviance, axis=(1, 2)) / level) / (ops.sum(observed) + 1e-3)
