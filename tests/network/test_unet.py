"""The network takes any size, sees no further than it says, and can be folded."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.network.unet import build_network, network_reach


def run(network, counts, present=None):
    """Give logits and background of (n, n_y, n_x, n_bands) counts."""
    counts = np.asarray(counts, np.float32)
    present = np.ones_like(counts) if present is None else np.asarray(present, np.float32)
    return [output.numpy() for output in network([counts, present], training=False)]


def photons(shape, *, mean=0.7, seed=1):
    return np.random.default_rng(seed).poisson(mean, shape)


@pytest.fixture(scope="module")
def network(random_network):
    return random_network()


@pytest.mark.parametrize("size", [(16, 16), (32, 80), (112, 48)])
def test_any_size_divisible_by_16_goes_through(network, size):
    logits, background = run(network, photons((2, *size, 2)))
    assert logits.shape == (2, *size, 4)
    assert background.shape == (2, *size, 2)


@pytest.mark.parametrize("depth", [1, 3])
def test_the_size_rule_is_the_same_for_shallow_networks(random_network, depth):
    logits, _ = run(random_network(depth=depth), photons((1, 16, 48, 2)))
    assert logits.shape == (1, 16, 48, 4)


@pytest.mark.parametrize("depth", [0, 5])
def test_a_depth_that_labelling_is_not_laid_out_for_is_refused(depth):
    with pytest.raises(PssegError, match=f"depth of the network is {depth}, want 1 to 4"):
        build_network(n_bands=2, depth=depth)


@pytest.mark.parametrize("mean", [0.0, 1e-3, 1.0, 1e5])
def test_the_background_is_positive_and_all_is_finite(network, mean):
    logits, background = run(network, photons((1, 32, 32, 2), mean=mean))
    assert np.isfinite(logits).all()
    assert np.isfinite(background).all()
    assert (background > 0).all()


def test_the_background_is_positive_where_nothing_was_observed(network):
    _, background = run(network, np.zeros((1, 32, 32, 2)), np.zeros((1, 32, 32, 2)))
    assert (background > 0).all()


def test_an_untrained_network_takes_the_mean_around_for_the_background():
    _, background = run(build_network(n_bands=1, filters=2), photons((1, 96, 96, 1), mean=20))
    np.testing.assert_allclose(background, 20, rtol=0.1)


def test_the_mean_around_is_that_of_observed_pixels():
    present = np.ones((1, 64, 64, 1))
    present[:, :, 8:] = 0
    _, background = run(build_network(n_bands=1, filters=2), np.full((1, 64, 64, 1), 20), present)
    np.testing.assert_allclose(background[:, :, :8], 20, rtol=0.1)


def test_counts_where_nothing_was_observed_do_not_matter(network):
    present = np.ones((1, 32, 32, 2))
    present[:, 10:20, 5:, 0] = 0
    counts = photons(present.shape)
    for one, other in zip(
        run(network, counts, present),
        run(network, counts + 1000 * (1 - present), present),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("axis", ["rows", "columns"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_pixel_matters_near_it_and_not_beyond_the_reach(random_network, depth, axis):
    reach = network_reach(depth)
    places = reach + 16 + np.arange(16)  # one for every place within a square of the pooling
    counts = np.repeat(photons((1, 16, 2 * reach + 48, 2)), 17, axis=0)
    counts[np.arange(16), 8, places] += 1000
    if axis == "rows":
        counts = counts.swapaxes(1, 2)
    for output in run(random_network(depth=depth, seed=3), counts):
        columns = output.swapaxes(1, 2) if axis == "rows" else output
        changed = np.abs(columns[:16] - columns[16:]).max(axis=(1, 3)) > 1e-5
        for place, there in zip(places, changed, strict=True):
            assert there[place - 2 : place + 3].all()
            assert np.abs(np.flatnonzero(there) - place).max() <= reach
