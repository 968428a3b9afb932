"""Two points in place of one Gaussian, and two segments in place of one."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import FWHM, RMS, beam_covariance, beam_noise, discs, draw, make_image, measure_all

from psseg.catalogue.radio_flags import RadioFlag
from psseg.catalogue.segment_map import list_segments

STEP = 40


def grid(side):
    return (a.ravel() * STEP + STEP / 2.0 for a in np.meshgrid(np.arange(side), np.arange(side)))


def made(separation, peaks, *, side=8, seed=3, shapes=None):
    """An image of pairs, each pair in one segment; separation in beams, peaks in rms."""
    rng = np.random.default_rng(seed)
    shape = (side * STEP,) * 2
    x, y = grid(side)
    turn = rng.uniform(0, np.pi, len(x))
    half = separation * FWHM / 2 * np.stack([np.cos(turn), np.sin(turn)])
    plane = beam_noise(rng, shape, beam_covariance()) * RMS
    draw(plane, x - half[0], y - half[1], peaks[0] * RMS, beam_covariance())
    draw(plane, x + half[0], y + half[1], peaks[1] * RMS, beam_covariance())
    return make_image([plane]), discs(shape, x, y, 1.6 * FWHM)


@pytest.mark.parametrize(("separation", "peaks"), [(1.1, (30, 10)), (0.9, (20, 20))])
def test_a_neighbour_without_a_peak_of_its_own_becomes_a_source(separation, peaks):
    table, _, parted = measure_all(*made(separation, peaks))
    assert len(table) == parted.n_labels > 1.8 * 64
    assert (table["PARENT"] < 64).all()
    assert table["SEGMENT"].tolist() == list(range(1, len(table) + 1))
    both = np.isin(table["PARENT"], table["PARENT"][64:])
    brighter, fainter = table[:64][both[:64]], table[64:]
    assert (brighter["PARENT"] == np.sort(fainter["PARENT"])).all()
    assert (fainter["N_COMPONENTS"] == 1).all()
    assert (fainter["Flags"] & RadioFlag.BLENDED > 0).all()
    total = brighter["int_flux"].value.sum() + fainter["int_flux"].value.sum()
    assert total / len(fainter) == pytest.approx(sum(peaks) * RMS, rel=0.05)
    order = np.argsort(fainter["PARENT"])
    apart = np.hypot(*(np.asarray(brighter[a] - fainter[a][order]) for a in "XY"))
    assert np.median(apart) == pytest.approx(separation * FWHM, rel=0.1)


def test_one_extended_source_stays_one():
    shape = (8 * STEP,) * 2
    rng = np.random.default_rng(4)
    x, y = grid(8)
    plane = beam_noise(rng, shape, beam_covariance()) * RMS
    draw(plane, x, y, 30 * RMS, beam_covariance() * np.array([[2.2, 0], [0, 1]]))
    image, segments = make_image([plane]), discs(shape, x, y, 1.6 * FWHM)
    table, components, parted = measure_all(image, segments)
    assert len(table) == len(components) == 64
    np.testing.assert_array_equal(parted.data, segments.data)
    assert (table["Flags"] & RadioFlag.RESOLVED > 0).all()


def test_within_a_beam_two_points_are_two_sources_only_where_there_are_many():
    image, segments = made(0.9, (20, 20), side=4)
    wide = np.full((1000, 1000), np.nan, dtype=np.float32)
    rng = np.random.default_rng(5)
    wide[:] = beam_noise(rng, wide.shape, beam_covariance()) * RMS
    part = slice(0, image.shape[0]), slice(0, image.shape[1])
    wide[part] = image.planes[0]
    data = np.zeros(wide.shape, dtype=int)
    data[part] = segments.data
    crowded = measure_all(image, segments).sources
    sparse = measure_all(make_image([wide]), list_segments(data)).sources
    assert len(crowded) > 1.8 * 16
    assert len(sparse) <= 18


def test_neither_nothing_nor_a_single_source_is_parted():
    image, _ = made(1.1, (30, 10), side=2)
    nothing = list_segments(np.zeros(image.shape, dtype=int))
    assert [len(part) for part in measure_all(image, nothing)[:2]] == [0, 0]
