"""A network says the same in every form."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from psseg.network.forms import fold_normalisation, quick_form
from psseg.network.plane_unet import build_plane_network
from psseg.network.unet import build_network, u_net

SIZES = [(2, 2), (3, 4)]


def draw(shape, *, seed=0):
    return np.random.default_rng(seed).poisson(3, shape).astype(np.float32)


def outputs(network, inputs):
    found = network.predict_on_batch(inputs)
    return found if isinstance(found, list) else [found]


def assert_same(one, other, inputs, **tolerance):
    for first, second in zip(outputs(one, inputs), outputs(other, inputs), strict=True):
        np.testing.assert_allclose(second, first, **tolerance)


@pytest.mark.parametrize(("filters", "depth"), SIZES)
def test_folding_the_normalisation_changes_nothing(random_network, filters, depth):
    network = random_network(filters=filters, depth=depth, normalise=True)
    folded = build_network(n_bands=2, filters=filters, depth=depth, normalise=False)
    fold_normalisation(network, folded)
    assert not any("normalisation" in layer.name for layer in folded.layers)
    counts = draw((2, 48, 32, 2))
    assert_same(network, folded, [counts, np.ones_like(counts)], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("filters", "depth"), SIZES)
def test_the_quick_form_of_a_counts_network_says_the_same(random_network, filters, depth):
    network = random_network(filters=filters, depth=depth)
    quick = quick_form(network)
    assert not any(isinstance(layer, keras.layers.Concatenate) for layer in quick.layers[-20:])
    counts, present = draw((2, 48, 32, 2)), draw((2, 48, 32, 2), seed=1) > 1
    assert_same(network, quick, [counts, present], rtol=1e-4, atol=1e-5)


def test_the_quick_form_of_a_plane_network_says_the_same(draw_weights):
    network = build_plane_network(n_planes=3, filters=2, depth=3, normalise=False)
    draw_weights(network, seed=1)
    planes, context = draw((2, 48, 32, 3)) - 3, draw((2, network.inputs[2].shape[-1]))
    inputs = [planes, np.ones_like(planes), context]
    assert_same(network, quick_form(network), inputs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("taken", [(0,), (0, 2), (0, 1, 2)])
def test_planes_that_were_not_observed_can_be_left_out(draw_weights, taken):
    network = build_plane_network(n_planes=3, filters=2, depth=3, normalise=False)
    draw_weights(network, seed=1)
    planes, context = draw((2, 48, 32, 3)) - 3, draw((2, network.inputs[2].shape[-1]))
    present = np.zeros_like(planes)
    present[..., list(taken)] = draw((2, 48, 32, 1), seed=2) > 1
    seen = [array[..., list(taken)] for array in (planes, present)]
    whole = network.predict_on_batch([planes, present, context])
    found = quick_form(network, taken).predict_on_batch([*seen, context])
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)


def test_a_normalised_network_stays_as_it_is(random_network):
    network = random_network(normalise=True)
    assert quick_form(network) is network


def test_a_plane_network_from_the_full_resolution_down_stays_as_it_is():
    planes = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(2, 3, padding="same", name="down0a")(planes)
    features = u_net(first, [2, 2], normalise=False, quick=False)
    network = keras.Model(planes, keras.layers.Conv2D(4, 1)(features))
    assert quick_form(network) is network


def test_a_network_of_another_kind_stays_as_it_is():
    tensor = keras.Input((8, 8, 1))
    network = keras.Model(tensor, keras.layers.Conv2D(4, 1)(tensor))
    assert quick_form(network) is network
