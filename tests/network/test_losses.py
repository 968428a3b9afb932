"""Losses by hand: four classes alike cost ln 4, and the background's best guess is the mean."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.network.losses import ABSENT, background_loss, class_loss, source_weighted
from psseg.survey.classes import IGNORED, SourceClass

LN4 = np.log(4)
MARGIN = 2e-3  # the smallest numbers that keep the losses from dividing by zero


def classes(*rows):
    return np.array([rows], np.uint8)


def undecided(class_map):
    return np.zeros((*class_map.shape, 4), np.float32)


def deviance(true, predicted):
    """Loss of one tile; arguments (n_y, n_x, n_bands)."""
    true, predicted = (np.array([array], np.float32) for array in (true, predicted))
    return float(background_loss(true, predicted))


def test_an_undecided_network_pays_ln_4_for_every_pixel():
    truth = classes([0, 1], [2, 3])
    assert float(class_loss(truth, undecided(truth))) == pytest.approx(4 * LN4 / 5)


def test_a_sure_network_pays_nothing_when_right_and_much_when_wrong():
    truth = classes([0, 1], [2, 3])
    right = 30 * np.eye(4, dtype=np.float32)[truth]
    assert float(class_loss(truth, right)) == pytest.approx(0, abs=1e-6)
    assert float(class_loss(truth, np.roll(right, 1, axis=-1))) == pytest.approx(30 * 4 / 5)


def test_source_pixels_weigh_more():
    truth = classes([SourceClass.BACKGROUND, SourceClass.BLAZAR])
    loss = source_weighted(3.0)
    assert float(loss(truth, undecided(truth))) == pytest.approx((1 + 3) * LN4 / 3)
    assert loss.__name__ == "class_loss"


def test_ignored_pixels_have_no_influence():
    truth = classes([0, 2, IGNORED, IGNORED])
    logits = undecided(truth)
    logits[:, :, 2:] = [50.0, -50.0, 1e4, 3.0]
    seen = classes([0, 2])
    assert float(class_loss(truth, logits)) == pytest.approx(
        float(class_loss(seen, undecided(seen)))
    )


def test_a_batch_without_any_pixel_costs_nothing():
    truth = classes([IGNORED, IGNORED])
    assert float(class_loss(truth, undecided(truth))) == 0


def test_the_deviance_by_hand():
    by_hand = (np.log(1 / 2) - 1 + 2 + 3 * np.log(3 / 2) - 3 + 2) / 4
    assert deviance([[[1.0], [3.0]]], [[[2.0], [2.0]]]) == pytest.approx(by_hand, rel=MARGIN)


def test_the_right_background_costs_nothing_and_any_other_more():
    truth = np.array([[[0.01], [2.0], [300.0]]])
    assert deviance(truth, truth) == pytest.approx(0, abs=1e-4)
    assert min(deviance(truth, truth * factor) for factor in (0.9, 1.1)) > 1e-3


def test_the_best_constant_is_the_mean():
    truth = np.random.default_rng(1).exponential(2.0, (8, 8, 1))
    factors = np.arange(0.8, 1.2, 0.01)
    losses = [deviance(truth, np.full_like(truth, truth.mean() * f)) for f in factors]
    assert factors[np.argmin(losses)] == pytest.approx(1, abs=0.006)


def test_bands_have_the_same_say_whatever_their_counts():
    faint = np.random.default_rng(1).uniform(0.5, 1.5, (8, 8, 1))
    both = np.concatenate([faint, 1000 * faint], axis=-1)
    assert deviance(both, 1.3 * both) == pytest.approx(deviance(faint, 1.3 * faint), rel=MARGIN)


def test_absent_bands_have_no_influence():
    seen = np.random.default_rng(1).uniform(1, 2, (4, 4, 1))
    truth = np.concatenate([seen, np.full_like(seen, ABSENT)], axis=-1)
    guess = np.concatenate([1.5 * seen, np.full_like(seen, 1e4)], axis=-1)
    assert deviance(truth, guess) == pytest.approx(deviance(seen, 1.5 * seen))


def test_absent_pixels_have_no_influence():
    truth = np.array([[[2.0], [ABSENT]]])
    guesses = [deviance(truth, [[[3.0], [guess]]]) for guess in (1e-3, 1e3)]
    assert guesses[0] == guesses[1] == pytest.approx(deviance([[[2.0]]], [[[3.0]]]))


@pytest.mark.parametrize("value", [0.0, ABSENT])
def test_nothing_expected_or_nothing_observed_stays_finite(value):
    assert np.isfinite(deviance(np.full((2, 2, 1), value), np.full((2, 2, 1), 0.1)))
