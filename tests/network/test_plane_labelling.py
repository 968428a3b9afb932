"""Labels of radio planes do not depend on how the image is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from psseg.network.plane_labelling import label_planes
from psseg.network.plane_unet import build_plane_network
from psseg.tiles.network_planes import NetworkPlanes

BEAM = (4.5, 4.0, 20.0)


@pytest.fixture(scope="module")
def model(stub, draw_weights):
    """Give a model for radio planes with random weights."""
    network = build_plane_network(n_planes=3, filters=2, depth=4, normalise=False)
    return replace(stub, network=draw_weights(network, seed=1))


@pytest.fixture(scope="module")
def planes():
    """Give planes of no round size, with a gap, and V missing."""
    rng = np.random.default_rng(2)
    mask = np.zeros((230, 330), bool)
    mask[100:170, 140:200] = True
    data = rng.normal(0, 3, (3, *mask.shape)).astype(np.float32)
    data[2] = 0
    data[:, mask] = 0
    return NetworkPlanes(
        data=data,
        present=np.array([True, True, False]),
        lever_arm=0.2,
        mask=mask,
        zoom=1.0,
    )


@pytest.fixture(scope="module")
def whole(planes, model):
    return label_planes(planes, model, beam_pixels=BEAM)


def test_probabilities_sum_to_one_where_there_are_data(planes, whole):
    assert whole.dtype == np.float32
    assert np.isnan(whole[:, planes.mask]).all()
    np.testing.assert_allclose(whole[:, ~planes.mask].sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("core", [48, 112])
def test_the_windows_do_not_show(planes, whole, model, core):
    cut = label_planes(planes, model, beam_pixels=BEAM, core=core)
    np.testing.assert_allclose(cut, whole, atol=2e-5)


def test_the_beam_and_the_lever_arm_matter(planes, whole, model):
    other_beam = label_planes(planes, model, beam_pixels=(9.0, 3.0, 70.0))
    other_arm = label_planes(replace(planes, lever_arm=1.5), model, beam_pixels=BEAM)
    for other in (other_beam, other_arm):
        assert np.nanmax(np.abs(other - whole)) > 1e-3
