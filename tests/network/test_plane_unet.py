"""The network for radio planes takes any size, sees no further than it says, and what is there."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.network.context import N_CONTEXT
from psseg.network.plane_unet import build_plane_network, plane_network_size
from psseg.network.unet import network_reach


@pytest.fixture(scope="module")
def random_planes_network(draw_weights):
    """Give a function that builds a network with random weights."""

    def build(*, depth=4, seed=1):
        network = build_plane_network(n_planes=3, filters=2, depth=depth, normalise=False)
        return draw_weights(network, seed=seed)

    return build


def run(network, planes, *, present=None, context=None):
    """Give the logits of (n, n_y, n_x, 3) planes."""
    present = np.ones_like(planes) if present is None else present
    context = np.zeros((len(planes), N_CONTEXT)) if context is None else context
    inputs = [np.asarray(a, np.float32) for a in (planes, present, context)]
    return network(inputs, training=False).numpy()


def noise(shape, *, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("size", [(16, 16), (32, 80)])
def test_every_pixel_gets_a_label(random_planes_network, depth, size):
    assert run(random_planes_network(depth=depth), noise((2, *size, 3))).shape == (2, *size, 4)


@pytest.mark.parametrize("depth", [0, 5])
def test_a_depth_that_labelling_is_not_laid_out_for_is_refused(depth):
    with pytest.raises(PssegError, match=f"depth of the network is {depth}, want 1 to 4"):
        build_plane_network(n_planes=3, depth=depth)


def test_the_size_can_be_read_from_the_network():
    for size in ({"filters": 2, "depth": 1}, {"filters": 3, "depth": 4}):
        assert plane_network_size(build_plane_network(n_planes=3, **size)) == size


def test_planes_that_were_not_observed_do_not_matter(random_planes_network):
    planes, present = noise((1, 32, 32, 3)), np.ones((1, 32, 32, 3))
    present[..., 2] = 0
    network = random_planes_network()
    hidden = planes + 100 * (1 - present)
    seen = run(network, planes, present=present)
    np.testing.assert_array_equal(run(network, hidden, present=present), seen)
    assert np.abs(run(network, planes) - seen).max() > 1e-3


@pytest.mark.parametrize("number", range(N_CONTEXT))
def test_what_is_told_of_the_map_matters(random_planes_network, number):
    context = np.zeros((2, N_CONTEXT))
    context[1, number] = 1
    first, second = run(
        random_planes_network(), np.repeat(noise((1, 32, 32, 3)), 2, axis=0), context=context
    )
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_pixel_matters_near_it_and_not_beyond_the_reach(random_planes_network, depth):
    reach = network_reach(depth, pooled=False)
    places = reach + 16 + np.arange(16)  # one for every place within a square of the pooling
    planes = np.repeat(noise((1, 16, 2 * reach + 48, 3)), 17, axis=0)
    planes[np.arange(16), 8, places] += 1000
    logits = run(random_planes_network(depth=depth, seed=3), planes)
    changed = np.abs(logits[:16] - logits[16:]).max(axis=(1, 3)) > 1e-5
    for place, there in zip(places, changed, strict=True):
        assert there[place]
        squares = np.flatnonzero(there) // 16 * 16  # windows own whole ones
        assert (squares - place).max() <= reach
        assert (place - (squares + 15)).max() <= reach
