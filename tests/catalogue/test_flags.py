"""Each flag is raised where it should be, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_skies import BACKGROUND, SURVEY, make_sky
from measured_skies import in_order, measure

from psseg.catalogue.flags import FLAG_MEANINGS, Flag, blended_sources

X, Y = np.array([30.0, 66.0]), np.array([48.0, 48.0])


def flags(sky, x=X, y=Y, **options):
    """Flags of the sources at x, y."""
    return [Flag(value) for value in in_order(measure(sky, **options)[1], x, y)["Flags"].tolist()]


def sky(**options):
    options = {"x": X, "y": Y, "counts": [3000, 3000]} | options
    return make_sky(np.random.default_rng(1), **options)


def test_ordinary_sources_have_no_flag():
    assert flags(sky()) == [Flag(0), Flag(0)]


def test_a_segment_at_the_edge():
    x = np.array([1.0, 66.0])
    assert flags(sky(x=x), x=x) == [Flag.EDGE | Flag.NEAR_MASK, Flag(0)]


@pytest.mark.parametrize(("x", "raised"), [(3.0, Flag.NEAR_MASK), (6.0, Flag(0))])
def test_the_edge_of_the_map_close_by(x, raised):
    y = np.array([48.0, 92.0])
    x = np.array([x, 66.0])
    assert flags(sky(x=x, y=y), x=x, y=y) == [raised, Flag.NEAR_MASK]


def test_blank_pixels_close_by():
    mask = np.zeros((96, 96), bool)
    mask[:, :27] = True
    assert flags(sky(mask=mask)) == [Flag.NEAR_MASK, Flag(0)]


def test_neighbours_of_the_same_table_are_blended():
    x = np.array([30.0, 34.9, 66.0])
    y = np.full(3, 48.0)
    measured = in_order(measure(sky(x=x, y=y, counts=[3000] * 3))[1], x, y)
    assert blended_sources(measured, SURVEY).tolist() == [True, True, False]
    assert not blended_sources(measured[1:], SURVEY).any()
    assert not blended_sources(measured[:1], SURVEY).any()
    measured["Sqrt_TS_Band"][0] = np.nan  # of a fit that failed
    assert blended_sources(measured, SURVEY).tolist() == [True, True, False]


def test_a_soft_source_is_blended_within_its_wide_psf():
    x = np.array([30.0, 38.0])
    soft, hard = (
        in_order(measure(sky(x=x, counts=[9000] * 2, index=index))[1], x, Y) for index in (5.0, 1.5)
    )
    assert blended_sources(soft, SURVEY).all()
    assert not blended_sources(hard, SURVEY).any()


def test_an_extended_source():
    extended = sky(x=[48.0], y=[48.0], counts=[8000], radius=0.5)
    assert flags(extended, [48.0], [48.0]) == [Flag.EXTENDED]


def test_a_fit_without_counts_fails_and_gives_the_centroid():
    nothing = sky(counts=[0, 3000])
    hole = nothing.tile.data.copy()
    hole[:, 38:58, 20:40] = 0
    nothing = replace(nothing, tile=replace(nothing.tile, data=hole))
    table = in_order(measure(nothing)[1], X, Y)
    assert Flag.FIT_FAILED in Flag(int(table["Flags"][0]))
    assert table["X"][0] == pytest.approx(30, abs=0.1)
    assert np.isnan(table["Conf_95_SemiMajor"][0])
    assert Flag(int(table["Flags"][1])) == Flag(0)


def test_a_faint_source_on_bright_emission():
    faint = sky(background=60 * BACKGROUND, counts=[6000, 40_000], index=3.5)
    assert flags(faint) == [Flag.ON_DIFFUSE, Flag(0)]


def test_a_source_on_a_steep_gradient():
    level = BACKGROUND * np.exp(-np.abs(np.arange(96) - 24) / 8)
    assert flags(sky(background=np.maximum(level, 0.2 * BACKGROUND))) == [Flag.ON_DIFFUSE, Flag(0)]


def test_beside_blank_pixels_no_gradient_is_taken():
    """A network's background dips there, on a flat sky."""
    mask = np.zeros((96, 96), bool)
    mask[:, :28] = True
    flat = sky(mask=mask)
    dipping = flat.background * np.clip((np.arange(96) - 26) / 12, 0.2, 1).astype(np.float32)
    dipping[:, mask] = np.nan
    assert flags(replace(flat, background=dipping)) == [Flag.NEAR_MASK, Flag(0)]
    steep = replace(flat, background=dipping, tile=replace(flat.tile, mask=np.zeros_like(mask)))
    assert Flag.ON_DIFFUSE in flags(steep)[0]


def test_bands_missing_and_shared_and_a_strange_map():
    present = np.arange(8) > 0
    assert flags(sky(bands_present=present)) == [Flag.BANDS_MISSING] * 2
    assert flags(sky(bands_shared=np.arange(8) == 3)) == [Flag.BANDS_SHARED] * 2
    assert flags(sky(), unlike_training=True) == [Flag.UNLIKE_TRAINING] * 2


def test_every_flag_is_one_bit_and_has_a_meaning():
    assert set(FLAG_MEANINGS) == set(Flag)
    assert all(flag.value.bit_count() == 1 for flag in Flag)
