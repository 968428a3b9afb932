"""Labels do not depend on how a map is cut, nor on what was not observed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from small_skies import sky_wcs

from psseg.errors import PssegError
from psseg.network import labelling
from psseg.network.labelling import label
from psseg.tiles.tile import Tile

TO_ROUNDING = 2e-5
LARGE, CORE = (300, 410), 64
"""A map that cores of this size cut in both directions."""


@pytest.fixture(scope="module")
def model(stub, random_network):
    """Give a model whose random weights let a pixel feel what lies far from it."""
    return replace(stub, network=random_network(n_bands=8))


def random_tile(shape, *, seed=1, **options):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0, 5, (8, -(-shape[0] // 8), -(-shape[1] // 8)))
    mean = mean.repeat(8, axis=1).repeat(8, axis=2)[:, : shape[0], : shape[1]]
    return Tile(
        data=rng.poisson(mean),
        wcs=sky_wcs(shape),
        **{"bands_present": np.ones(8, bool), "mask": np.zeros(shape, bool)} | options,
    )


@pytest.fixture(scope="module")
def large():
    """Give a map wider than a window, of no round size, with a gap."""
    mask = np.zeros(LARGE, bool)
    mask[100:170, 140:200] = True
    return random_tile(mask.shape, mask=mask)


@pytest.fixture(scope="module")
def whole(large, model):
    """Label the large map in one window."""
    return label(large, model)


@pytest.fixture(scope="module")
def small():
    return random_tile((37, 41))


def difference(one, other):
    """Give the largest difference, in probability or as a share of the background."""
    ratio = one.background / other.background
    return max(
        np.nanmax(np.abs(one.class_probabilities - other.class_probabilities)),
        np.nanmax(np.abs(ratio - 1)),
    )


def test_the_cuts_leave_no_trace(large, whole, model):
    cut = label(large, model, core=CORE)
    assert difference(cut, whole) < TO_ROUNDING


def test_with_less_halo_they_would(large, whole, model, monkeypatch):
    monkeypatch.setattr(labelling, "network_reach", lambda: 16)
    assert difference(label(large, model, core=CORE), whole) > 100 * TO_ROUNDING


@given(
    n=st.integers(1, 5000),
    core=st.integers(1, 100).map(lambda k: 16 * k),
    halo=st.sampled_from([16, 128]),
)
def test_windows_own_every_pixel_once_and_see_its_surroundings(n, core, halo):
    spans = labelling._spans(n, core=core, halo=halo)
    (_, (first, _)), (_, (_, end)) = spans[0], spans[-1]
    assert (first, end) == (-16, -(-n // 16) * 16 + 16)  # the map and its empty frame
    assert [x for owned, _ in spans for x in range(n)[owned]] == list(range(n))
    for owned, (start, stop) in spans:
        assert start % 16 == 0
        assert start == first or owned.start - start >= halo
        assert stop == end or stop - owned.stop >= halo
    lengths = {stop - start for _, (start, stop) in spans}
    assert len(lengths) == 1
    assert lengths.pop() <= core + 2 * halo


def test_the_large_map_is_cut_in_both_directions():
    assert all(len(labelling._spans(n, core=CORE, halo=128)) > 1 for n in LARGE)


def test_labels_are_what_the_network_says(model):
    mask = np.zeros((37, 41), bool)
    mask[5:12, 20:30] = True
    present = np.arange(8) > 1
    tile = random_tile(mask.shape, mask=mask, bands_present=present)
    frame = [(0, 0), (16, 27), (16, 23)]  # 16 pixels around a multiple of 16
    observed = np.pad(present[:, None, None] & ~mask, frame)
    counts = np.pad(tile.data, frame) * observed
    logits, background = model.network(
        [np.moveaxis(cube, 0, -1)[None].astype(np.float32) for cube in (counts, observed)]
    )
    inner = (slice(None), slice(16, 53), slice(16, 57))
    probabilities = np.moveaxis(softmax(logits.numpy()[0], axis=-1), -1, 0)[inner]
    expected = np.moveaxis(background.numpy()[0], -1, 0)[inner]
    labels = label(tile, model)
    np.testing.assert_allclose(
        labels.class_probabilities[:, ~mask], probabilities[:, ~mask], atol=TO_ROUNDING
    )
    np.testing.assert_allclose(
        labels.background[present][:, ~mask], expected[present][:, ~mask], rtol=TO_ROUNDING
    )


def test_shapes_and_sums(large, whole):
    assert whole.class_probabilities.shape == (4, *LARGE)
    assert whole.background.shape == (8, *LARGE)
    assert whole.class_probabilities.dtype == whole.background.dtype == np.float32
    seen = ~large.mask
    np.testing.assert_allclose(whole.class_probabilities[:, seen].sum(axis=0), 1, atol=1e-5)
    assert (whole.background[:, seen] > 0).all()
    assert whole.wcs is large.wcs


def test_masked_pixels_stay_blank(large, whole):
    np.testing.assert_array_equal(np.isnan(whole.source_probability), large.mask)
    assert np.isnan(whole.background[:, large.mask]).all()
    np.testing.assert_array_equal(whole.mask, large.mask)


def test_masked_pixels_do_not_matter(small, model):
    mask = np.zeros(small.shape, bool)
    mask[10:20, :15] = True
    empty, full = (
        label(replace(small, data=np.where(mask, counts, small.data), mask=mask), model)
        for counts in (0, 500)
    )
    np.testing.assert_array_equal(empty.class_probabilities, full.class_probabilities)
    np.testing.assert_array_equal(empty.background, full.background)


def test_absent_bands_are_blank_and_do_not_matter(small, model):
    present = np.arange(8) > 2
    empty, full = (
        label(
            replace(
                small,
                data=np.where(present[:, None, None], small.data, counts),
                bands_present=present,
            ),
            model,
        )
        for counts in (0, 500)
    )
    assert np.isnan(full.background[:3]).all()
    assert np.isfinite(full.background[3:]).all()
    assert np.isfinite(full.class_probabilities).all()
    np.testing.assert_array_equal(empty.class_probabilities, full.class_probabilities)
    np.testing.assert_array_equal(empty.background[3:], full.background[3:])


def test_a_map_smaller_than_a_square_of_the_pooling(model):
    labels = label(random_tile((1, 3)), model)
    assert np.isfinite(labels.class_probabilities).all()


@pytest.mark.parametrize("core", [0, 8, 100])
def test_a_core_off_the_grid_is_refused(small, model, core):
    with pytest.raises(PssegError, match=f"core is {core} pixels, want a multiple of 16"):
        label(small, model, core=core)
