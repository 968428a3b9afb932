"""Small networks with random weights: untrained ones hide what a layer does."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from psseg.network.unet import build_network


def _draw(weight: keras.Variable, rng: np.random.Generator) -> np.ndarray:
    if weight.name == "kernel":
        return rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
    if weight.name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 2, weight.shape)
    return rng.normal(0, 0.2, weight.shape)


def _drawn(network: keras.Model, *, seed: int) -> keras.Model:
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(_draw(weight, rng))
    return network


@pytest.fixture(scope="session")
def random_network() -> Callable[..., keras.Model]:
    """Build a network in which every weight differs from every other."""

    def build(*, n_bands=2, filters=2, depth=4, normalise=False, seed=1) -> keras.Model:
        network = build_network(n_bands=n_bands, filters=filters, depth=depth, normalise=normalise)
        return _drawn(network, seed=seed)

    return build


@pytest.fixture(scope="session")
def draw_weights() -> Callable[..., keras.Model]:
    """Give the function that draws every weight of a network anew."""
    return _drawn
