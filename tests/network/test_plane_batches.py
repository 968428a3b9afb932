"""Radio tiles reach the network noisy, turned, and with a context that turns with them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from psseg.network.context import N_CONTEXT, map_context
from psseg.network.plane_batches import PlaneBatches
from psseg.sky.radio_training_set import RadioTrainingTiles
from psseg.survey.classes import IGNORED

SIDE = 64
BEAM = (9.0, 4.5, 30.0)


def beam_shaped_source(beam, side):
    """Give a bright source of the beam's shape in the middle; angles go from +y towards -x."""
    major, minor, angle = beam
    offset = np.arange(side) - (side - 1) / 2
    x, y = offset[None, :], offset[:, None]
    turn = np.radians(angle)
    along = -x * np.sin(turn) + y * np.cos(turn)
    across = x * np.cos(turn) + y * np.sin(turn)
    return 5000 * np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))


@pytest.fixture(scope="module")
def tiles():
    n = 6
    planes = np.zeros((n, SIDE, SIDE, 3), np.float16)
    planes[..., 0] = beam_shaped_source(BEAM, SIDE)
    mask = np.zeros((n, SIDE, SIDE), bool)
    mask[:, :5] = True
    present = np.tile([True, True, False], (n, 1))
    class_map = np.zeros((n, SIDE, SIDE), np.uint8)
    class_map[:, 30:34, 30:34] = 2
    return RadioTrainingTiles(
        planes=planes,
        beam=np.tile(np.float32(BEAM), (n, 1)),
        present=present,
        lever_arm=np.full(n, 0.4, np.float32),
        tilt_correlation=np.full(n, -0.5, np.float32),
        class_map=class_map,
        mask=mask,
    )


def beam_angle(image):
    """Measure cosine and sine of twice the angle of the brightest pixels' major axis."""
    y, x = np.nonzero(image > 0.3 * image.max())
    covariance = np.cov(np.stack([x, y]))
    double = np.arctan2(-2 * covariance[0, 1], covariance[1, 1] - covariance[0, 0])
    return np.cos(double), np.sin(double)


def test_the_context_turns_with_the_tile(tiles):
    batches = PlaneBatches(tiles, np.arange(6), batch_size=6, seed=2)
    seen = set()
    for _ in range(3):
        (planes, _, context), _ = batches[0]
        batches.on_epoch_end()
        for image, told in zip(planes[..., 0], context, strict=True):
            stretch = told[2]
            np.testing.assert_allclose(told[3:] / stretch, beam_angle(image), atol=0.12)
            seen.add(tuple(np.sign(told[3:]).tolist()))
    assert len(seen) == 4


def test_noise_is_fresh_on_every_pass_and_the_same_for_the_same_seed(tiles):
    first, again = (PlaneBatches(tiles, np.arange(6), seed=4) for _ in range(2))
    (before, *_), _ = first[0]
    np.testing.assert_array_equal(before, again[0][0][0])
    first.on_epoch_end()
    assert not np.array_equal(before, first[0][0][0])


def test_validation_batches_never_change(tiles):
    batches = PlaneBatches(tiles, np.arange(6), varied=False)
    (before, *_), classes = batches[0]
    batches.on_epoch_end()
    np.testing.assert_array_equal(before, batches[0][0][0])
    np.testing.assert_array_equal(classes[:, 30:34, 30:34], 2)


def test_what_was_not_observed_is_zero_and_ignored(tiles):
    (planes, present, _), classes = PlaneBatches(tiles, np.arange(6), varied=False)[0]
    assert not present[:, :5].any()
    assert not planes[:, :5].any()
    assert (classes[:, :5] == IGNORED).all()
    assert not present[..., 2].any()
    assert not planes[..., 2].any()
    assert present[:, 5:, :, :2].all()
    assert 0.8 < planes[:, 5:, :10, 1].std() < 1.2


def test_a_round_beam_of_typical_size_has_no_context_but_the_lever_arm():
    np.testing.assert_allclose(map_context((4.0, 4.0, 77.0), 0.3), [0.3, 0, 0, 0, 0], atol=1e-6)
    assert map_context((9.0, 4.5, 0.0), 0.0).shape == (N_CONTEXT,)


def test_a_resumed_training_goes_on_with_the_pass_it_would_have_made(tiles):
    training = PlaneBatches(tiles, np.arange(6), batch_size=4, seed=3)
    training.on_epoch_end()
    resumed = PlaneBatches(tiles, np.arange(6), batch_size=4, seed=3, first_epoch=1)
    assert len(training) == len(resumed) == 2
    for number in range(2):
        (inputs, classes), (again, classes_again) = training[number], resumed[number]
        for array, other in zip((*inputs, classes), (*again, classes_again), strict=True):
            np.testing.assert_array_equal(array, other)


def test_batches_do_not_change_by_accident(tiles):
    """Recorded: with other numbers, a training gives another network from the same seed.

    The noise comes from a Fourier transform, whose last digits are those of the machine.
    """
    class_map = np.random.default_rng(3).integers(0, 4, tiles.class_map.shape, np.uint8)
    training = PlaneBatches(
        replace(tiles, class_map=class_map), np.arange(6), batch_size=4, seed=5, first_epoch=2
    )
    training.on_epoch_end()
    (planes, present, context), classes = training[1]
    digest = hashlib.sha256(classes.tobytes() + present.tobytes())
    assert digest.hexdigest()[:16] == "a8aabbbdac2f9bf5"
    pixels = [[1.267880, -1.173812], [0.734463, 0.835693]]
    np.testing.assert_allclose(planes[:, 20, 20, :2], pixels, atol=1e-4)
    angles = [[-0.346574, -0.600283], [0.346574, -0.600283]]
    np.testing.assert_allclose(context[:, 3:], angles, atol=1e-4)
