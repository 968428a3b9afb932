"""Batches: new noise and orientation on every pass, truth and counts turned together."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from psseg.network.batches import TileBatches
from psseg.network.losses import ABSENT
from psseg.network.sample_batches import SampleBatches
from psseg.sky.training_set import TrainingTiles
from psseg.survey.classes import IGNORED

SIZE = 16
BRIGHT = 1e4  # expected counts of source pixels


@pytest.fixture(scope="module")
def tiles():
    """Give 40 tiles; where class 1 is there are counts, and the background tells the tile.

    The class map is an "L", unlike itself when turned or mirrored.
    """
    class_map = np.zeros((40, SIZE, SIZE), np.uint8)
    class_map[:, 2:14, 3] = class_map[:, 13, 3:10] = 1
    level = np.arange(1, 41)[:, None, None, None]
    shape = (40, SIZE, SIZE, 2)
    present = np.ones((40, 2), bool)
    present[::2, 1] = False
    return TrainingTiles(
        expected=np.broadcast_to(np.sqrt(BRIGHT) * class_map[..., None], shape).astype(np.float16),
        background=np.broadcast_to(np.sqrt(level), shape).astype(np.float16),
        class_map=class_map,
        present=present,
    )


def batches(tiles, *, n=40, **options):
    return TileBatches(tiles, np.arange(n), **{"batch_size": 8} | options)


def flat(one_pass):
    """Give counts, present, class map and background of all tiles of a pass."""
    parts = [[*inputs, *truth] for inputs, truth in (one_pass[i] for i in range(len(one_pass)))]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def tile_numbers(background):
    """Tell the tiles by their background."""
    return np.rint(background.max(axis=(1, 2, 3))).astype(int) - 1


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_shapes_and_types(tiles):
    (counts, present), (class_map, background) = batches(tiles)[0]
    for cube in (counts, present, background):
        assert cube.shape == (8, SIZE, SIZE, 2)
        assert cube.dtype == np.float32
    assert class_map.shape == (8, SIZE, SIZE)
    assert class_map.dtype == np.uint8


def test_a_pass_shows_every_tile_once(tiles):
    one_pass = batches(tiles, n=21)
    assert len(one_pass) == 3
    assert len(one_pass[2][1][0]) == 5
    assert sorted(tile_numbers(flat(one_pass)[3])) == list(range(21))


def test_every_pass_is_new(tiles):
    training = batches(tiles)
    first = flat(training)
    training.on_epoch_end()
    second = flat(training)
    assert not np.array_equal(tile_numbers(first[3]), tile_numbers(second[3]))
    by_tile = [one_pass[0][np.argsort(tile_numbers(one_pass[3]))] for one_pass in (first, second)]
    assert (by_tile[0] != by_tile[1]).any(axis=(1, 2, 3)).all()


def test_validation_is_always_the_same(tiles):
    validation = batches(tiles, varied=False)
    first = flat(validation)
    validation.on_epoch_end()
    assert same(first, flat(validation))
    assert tile_numbers(first[3]).tolist() == list(range(40))


def test_validation_tiles_lie_as_they_were_simulated(tiles):
    _, present, class_map, _ = flat(batches(tiles, varied=False))
    seen = present[..., 0] > 0
    assert np.array_equal(class_map[seen], tiles.class_map[seen])


def test_the_seed_decides_all(tiles):
    assert same(flat(batches(tiles, seed=5)), flat(batches(tiles, seed=5)))
    assert not same(flat(batches(tiles, seed=5)), flat(batches(tiles, seed=6)))


def test_batches_can_be_asked_for_in_any_order(tiles):
    training = batches(tiles)
    late = [*training[3][0], *training[3][1]]
    flat(training)
    assert same(late, [*training[3][0], *training[3][1]])


def test_a_resumed_training_goes_on_with_the_pass_it_would_have_made(tiles):
    training = batches(tiles)
    training.on_epoch_end()
    assert same(flat(training), flat(batches(tiles, first_epoch=1)))


def test_batches_do_not_change_by_accident(tiles):
    """Recorded: with another digest, a training gives another network from the same seed."""
    training = batches(tiles, n=37, first_epoch=3)
    training.on_epoch_end()
    digest = hashlib.sha256(b"".join(array.tobytes() for array in flat(training)))
    assert digest.hexdigest()[:16] == "2665db6bf943d4e8"


class Draws(SampleBatches):
    """Batches of the generator itself."""

    def _sample(self, i, rng):
        return (np.array(rng.bit_generator.state["state"]["state"], dtype=object),)

    @staticmethod
    def _arranged(states):
        return states, None


def test_order_and_batches_have_streams_of_their_own():
    index = np.arange(40)
    training = Draws(None, index, batch_size=20, seed=5)
    states = {training[number][0][0] for number in (0, 1)}
    training.on_epoch_end()
    states |= {training[number][0][0] for number in (0, 1)}
    assert len(states) == 4
    for seed in ([5], [5, 0], [5, 1], [5, 0, 1], [5, 1, 1]):
        rng = np.random.default_rng(seed)
        assert rng.bit_generator.state["state"]["state"] not in states
        assert not np.array_equal(rng.permutation(index), training._order)


def test_counts_and_truth_are_turned_and_mirrored_together(tiles):
    counts, present, class_map, background = flat(batches(tiles))
    seen = present[..., 0] > 0
    assert np.array_equal(counts[..., 0][seen] > 0, class_map[seen] == 1)
    assert np.array_equal(seen, background[..., 0] > 0)
    whole = class_map[seen.all(axis=(1, 2))]
    assert len(np.unique(whole, axis=0)) == 8


def test_noise_is_poisson(tiles):
    counts, present, class_map, _ = flat(batches(tiles))
    bright = counts[..., 0][(class_map == 1) & (present[..., 0] > 0)]
    assert bright.mean() == pytest.approx(BRIGHT, rel=0.01)
    assert bright.std() == pytest.approx(np.sqrt(BRIGHT), rel=0.15)


def test_absent_bands_hold_nothing_and_teach_nothing(tiles):
    counts, present, _, background = flat(batches(tiles))
    absent = ~tiles.present[tile_numbers(background), 1]
    assert absent.sum() == 20
    assert not counts[absent, ..., 1].any()
    assert not present[absent, ..., 1].any()
    assert (background[absent, ..., 1] == ABSENT).all()
    assert (present[~absent, ..., 1] == present[~absent, ..., 0]).all()


def test_some_tiles_have_gaps_and_these_are_ignored(tiles):
    counts, present, class_map, background = flat(batches(tiles))
    unseen = ~present.any(axis=-1)
    gaps = unseen.any(axis=(1, 2))
    assert 0 < gaps.mean() < 0.5
    assert (class_map[unseen] == IGNORED).all()
    assert (class_map[~unseen] != IGNORED).all()
    assert not counts[unseen].any()
    assert (background[unseen] == ABSENT).all()
