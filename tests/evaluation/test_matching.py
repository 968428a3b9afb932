from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from psseg.errors import PssegError
from psseg.evaluation.matching import (
    Footprint,
    Protocol,
    column,
    ellipse_distance,
    match_catalogue,
    match_one_to_one,
)


def sky(*points: tuple[float, float]) -> SkyCoord:
    return SkyCoord(np.array(points).reshape(-1, 2), unit="deg")


def match(detected: SkyCoord, truth: SkyCoord, rank: list[float], brightness: list[float]) -> list:
    return match_one_to_one(
        detected, truth, radius=0.3, detection_rank=rank, brightness=brightness
    ).tolist()


def square_footprint() -> Footprint:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [50.0, 0.0]
    wcs.wcs.crpix = [50.5, 50.5]
    wcs.wcs.cdelt = [-0.1, 0.1]
    return Footprint(wcs=wcs, mask=np.zeros((100, 100), dtype=bool), pixel_scale=0.1)


def test_the_brightest_source_in_reach_is_taken_not_the_nearest():
    truth = sky((10.0, 0.0), (10.25, 0.0))
    assert match(sky((10.01, 0.0)), truth, [1], [1.0, 2.0]) == [1]


def test_the_best_detection_picks_first_and_the_next_takes_what_is_left():
    truth = sky((10.0, 0.0), (10.2, 0.0))
    detected = sky((10.1, 0.0), (10.11, 0.0), (10.12, 0.0))
    assert match(detected, truth, [1.0, 3.0, 2.0], [5.0, 9.0]) == [-1, 1, 0]


def test_nothing_farther_than_the_radius_matches():
    assert match(sky((10.0, 0.0)), sky((10.301, 0.0)), [1], [1]) == [-1]
    assert match(sky((10.0, 0.0)), sky((10.299, 0.0)), [1], [1]) == [0]


def test_empty_tables_match_nothing():
    assert match(sky(), sky((1.0, 1.0)), [], [1]) == []
    assert match(sky((1.0, 1.0)), sky(), [1], []) == [-1]


points = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=25
)


@settings(deadline=None)
@given(points, points)
def test_a_match_is_one_to_one_and_within_reach(found, true):
    detected = sky(*((10 + 0.11 * x, 0.11 * y) for x, y, _ in found))
    truth = sky(*((10 + 0.11 * x, 0.11 * y) for x, y, _ in true))
    rows = np.array(match(detected, truth, [r for *_, r in found], [b for *_, b in true]))
    hits = rows[rows >= 0]
    assert len(set(hits)) == len(hits)
    assert (detected[rows >= 0].separation(truth[hits]).deg <= 0.3).all()
    # Nobody is left over who could still be paired.
    free = np.setdiff1d(np.arange(len(truth)), hits)
    for lonely in np.flatnonzero(rows < 0):
        assert (detected[lonely].separation(truth[free]).deg > 0.3).all()


@settings(deadline=None)
@given(points, points, st.randoms(use_true_random=False))
def test_the_order_of_the_tables_does_not_matter(found, true, random):
    found, true = list(dict.fromkeys(found)), list(dict.fromkeys(true))

    def pairs(found, true):
        detected = sky(*((10 + x / 10.1, y / 9.7) for x, y, _ in found))
        truth = sky(*((10 + x / 9.9, y / 10.3) for x, y, _ in true))
        rows = match(detected, truth, [r for *_, r in found], [b for *_, b in true])
        # Rows at one place with one rank are the same to the protocol: compare places.
        return sorted(
            (d[:2], true[row][:2]) for d, row in zip(found, rows, strict=True) if row >= 0
        )

    shuffled_found, shuffled_true = found.copy(), true.copy()
    random.shuffle(shuffled_found)
    random.shuffle(shuffled_true)
    assert pairs(found, true) == pairs(shuffled_found, shuffled_true)


def test_a_source_nobody_can_see_excuses_no_detection(make_catalogue, make_truth):
    tables = match_catalogue(make_catalogue([10.0], [0.0]), make_truth([10.0], [0.0], ts=8.9))
    assert not tables.detections["MATCHED"][0]
    assert not tables.truths["FOUND"][0]


def test_a_candidate_below_the_threshold_finds_nothing(make_catalogue, make_truth):
    catalogue = make_catalogue([10.0, 20.0], [0.0, 0.0])
    catalogue["SELECTED"] = [False, True]
    tables = match_catalogue(catalogue, make_truth([10.0, 20.0], [0.0, 0.0]))
    assert tables.detections["MATCHED"].tolist() == [True, True]
    assert tables.truths["FOUND"].tolist() == [False, True]
    assert np.isfinite(tables.truths["FOUND_PROB"]).all()


def test_both_tables_say_what_was_matched_to_what(make_catalogue, make_truth):
    catalogue = make_catalogue([10.0, 20.0, 30.05], [0.0, 0.0, 0.0], flux=[1e-9, 2e-9, 3e-9])
    truth = make_truth([30.0, 10.1], [0.0, 0.0], flux=[4e-9, 5e-9], classes=["pulsar", "other"])
    tables = match_catalogue(catalogue, truth)
    assert tables.detections["TRUE_ROW"].tolist() == [1, -1, 0]
    assert tables.detections["TRUE_CLASS"].tolist() == ["other", "", "pulsar"]
    np.testing.assert_allclose(tables.detections["TRUE_FLUX1000"], [5e-9, np.nan, 4e-9])
    np.testing.assert_allclose(
        column(tables.detections, "SEPARATION", u.deg), [0.1, np.nan, 0.05], rtol=1e-6
    )
    np.testing.assert_allclose(tables.detections["ELLIPSE_DISTANCE"], [2, np.nan, 1], rtol=1e-6)
    np.testing.assert_allclose(tables.truths["FOUND_FLUX1000"], [3e-9, 1e-9])
    assert tables.truths["FOUND"].tolist() == [True, True]
    assert "MATCHED" not in catalogue.colnames


def test_the_border_counts_neither_for_nor_against(make_catalogue, make_truth):
    # The map ends at 45 and 55 degrees; the border is half a degree.
    inside, border, outside = 45.6, 45.4, 44.9
    catalogue = make_catalogue([inside, border, outside], [0.0, 1.0, 2.0])
    truth = make_truth([border, border, inside], [0.0, 1.0, 3.0])
    tables = match_catalogue(catalogue, truth, footprint=square_footprint())
    assert tables.detections["COUNTED"].tolist() == [True, False, False]
    assert tables.truths["COUNTED"].tolist() == [False, False, True]
    # The detection inside is excused by the source in the border.
    assert tables.detections["MATCHED"].tolist() == [True, True, False]


def test_masked_pixels_have_a_border_too():
    footprint = square_footprint()
    footprint.mask[50, 50] = True
    at_hole, near, far = footprint.wcs.pixel_to_world([50, 53, 70], [50, 50, 50])
    margin = footprint.margin(SkyCoord([at_hole, near, far]))
    np.testing.assert_allclose(margin, [0.0, 0.25, 1.95], atol=1e-9)


def test_moved_detections_show_the_rate_of_chance_matches(make_catalogue, make_truth):
    crowded = np.meshgrid(np.arange(48, 52.01, 0.2), np.arange(-2, 2.01, 0.2))
    truth = make_truth(crowded[0].ravel(), crowded[1].ravel())
    catalogue = make_catalogue([50.0], [0.0])
    assert match_catalogue(catalogue, truth).detections["CHANCE"][0] == 1
    assert match_catalogue(catalogue, truth[:1]).detections["CHANCE"][0] == 0


def test_an_ellipse_is_measured_along_its_axes(make_catalogue):
    catalogue = make_catalogue([10.0, 10.0], [0.0, 0.0])
    catalogue["Conf_68_SemiMajor"] = [0.2, 0.2] * u.deg
    catalogue["Conf_68_SemiMinor"] = [0.1, 0.1] * u.deg
    catalogue["Conf_68_PosAng"] = [90.0, 0.0] * u.deg
    east = sky((10.1, 0.0), (10.1, 0.0))
    distance = ellipse_distance(catalogue, sky((10.0, 0.0), (10.0, 0.0)), east)
    np.testing.assert_allclose(distance, [0.5, 1.0], rtol=1e-6)


def test_selected_detections_pick_before_candidates(make_catalogue, make_truth):
    catalogue = make_catalogue([10.0, 10.1], [0.0, 0.0], probability=[0.9, 0.5])
    catalogue["SELECTED"] = [False, True]
    tables = match_catalogue(catalogue, make_truth([10.05], [0.0]))
    assert tables.detections["MATCHED"].tolist() == [False, True]


def test_an_empty_catalogue_finds_nothing(make_catalogue, make_truth):
    tables = match_catalogue(make_catalogue([10.0], [0.0])[:0], make_truth([10.0], [0.0]))
    assert len(tables.detections) == 0
    assert "TRUE_CLASS" in tables.detections.colnames
    assert tables.truths["FOUND"].tolist() == [False]


def test_a_missing_column_is_named(make_catalogue, make_truth):
    catalogue = make_catalogue([10.0], [0.0])
    catalogue.remove_column("SOURCE_PROB")
    with pytest.raises(PssegError, match="catalogue: no column SOURCE_PROB"):
        match_catalogue(catalogue, make_truth([10.0], [0.0]), protocol=Protocol())
