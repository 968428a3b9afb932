from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psseg.evaluation.detection import (
    AUTOSOURCEID,
    ZONES,
    completeness_limits,
    flux_at_completeness,
    flux_scores,
    measured_flux_scores,
    position_scores,
    ts_scores,
)
from psseg.evaluation.matching import match_catalogue
from psseg.evaluation.statistics import share, threshold_for_purity

# Positions at the North Galactic Pole and in the plane.
POLE, PLANE = (192.86, 27.13), (266.42, -29.0)


@pytest.fixture
def two_skies(make_catalogue, make_truth):
    """Three true sources at the pole, two in the plane, one of each missed; two false ones."""
    ra = np.repeat([POLE[0], PLANE[0]], [3, 2])
    dec = np.repeat([POLE[1], PLANE[1]], [3, 2]) + np.array([0, 1, 2, 0, 1])
    truth = make_truth(ra, dec, flux=[1e-9, 5e-10, 3e-10, 9e-10, 1e-10], ts=[200, 100, 50, 30, 40])
    catalogue = make_catalogue(
        [*ra[[0, 1, 3]], POLE[0], PLANE[0]],
        [*dec[[0, 1, 3]], POLE[1] + 5, PLANE[1] + 5],
        flux=[1.1e-9, 4e-10, 8e-10, 3e-10, 9e-10],
        probability=[0.99, 0.9, 0.8, 0.7, 0.95],
    )
    catalogue["SELECTED"] = True
    return match_catalogue(catalogue, truth)


def cell(rows, zone, flux):
    return next(row for row in rows if row["zone"] == zone and row["flux_min"] == flux)


def test_completeness_and_purity_count_exactly(two_skies):
    rows = flux_scores(two_skies.detections, two_skies.truths)
    everywhere = cell(rows, "all", 2.34e-10)
    assert (everywhere["n_true"], everywhere["n_found"]) == (4, 3)
    assert (everywhere["n_detections"], everywhere["n_real"]) == (5, 3)
    assert everywhere["completeness"] == 0.75
    assert everywhere["purity"] == 0.6
    bright_pole = cell(rows, "|b|>20", 7.85e-10)
    assert (bright_pole["n_true"], bright_pole["n_found"]) == (1, 1)
    assert (bright_pole["n_detections"], bright_pole["n_real"]) == (1, 1)
    plane = cell(rows, "|b|<20", 4.28e-10)
    assert (plane["completeness"], plane["purity"]) == (1.0, 0.5)
    assert len(rows) == 9


def test_each_zone_has_its_own_rate_of_chance_matches(two_skies):
    detections = two_skies.detections
    low = np.abs(detections["GLAT"].value) < 20
    detections["CHANCE"] = np.where(low, 0.25, 0.0)
    detections["CHANCE"][0] = np.nan
    rows = flux_scores(detections, two_skies.truths)
    rates = {zone.name: cell(rows, zone.name, 2.34e-10)["chance_match_rate"] for zone in ZONES}
    assert rates == {"all": 0.125, "|b|>20": 0.0, "|b|<20": 0.25}
    assert cell(rows, "|b|>20", 7.85e-10)["chance_match_rate"] is None


def test_the_published_numbers_stand_beside_ours(two_skies):
    rows = flux_scores(two_skies.detections, two_skies.truths)
    assert cell(rows, "|b|<20", 7.85e-10)["autosourceid_completeness"] == 0.916
    assert set(AUTOSOURCEID) == {zone.name for zone in ZONES}


def test_nothing_to_count_is_none_not_zero(two_skies):
    rows = flux_scores(two_skies.detections[:0], two_skies.truths[:0])
    assert {row["completeness"] for row in rows} == {None}
    assert {row["purity"] for row in rows} == {None}


def test_completeness_by_ts_at_a_purity(two_skies):
    rows = ts_scores(two_skies.detections, two_skies.truths, purity=0.95)
    bright = next(row for row in rows if row["zone"] == "all" and row["ts_min"] == 144)
    assert bright["n_true"] == 1
    assert bright["completeness"] == bright["completeness_at_purity"] == 1
    assert bright["threshold_at_purity"] == 0.99
    faint = next(row for row in rows if row["zone"] == "all" and row["ts_min"] == 25)
    assert (faint["completeness"], faint["completeness_at_purity"]) == (1, 0)


def test_an_unreachable_purity_finds_nothing(two_skies):
    false_only = two_skies.detections[~two_skies.detections["MATCHED"]]
    rows = ts_scores(false_only, two_skies.truths)
    assert {row["threshold_at_purity"] for row in rows} == {None}
    assert {row["completeness_at_purity"] for row in rows} <= {0.0, None}


def test_equal_probabilities_are_cut_together():
    assert threshold_for_purity([0.9, 0.5, 0.5], [True, True, False], 0.9) == 0.9
    assert threshold_for_purity([0.5, 0.5], [True, False], 0.9) is None
    assert threshold_for_purity([], [], 0.9) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1),
    st.floats(0.1, 1.0),
)
def test_the_threshold_gives_the_purity_and_no_lower_one_does(detections, purity):
    probability = np.array([p for p, _ in detections])
    real = np.array([r for _, r in detections])
    threshold = threshold_for_purity(probability, real, purity)
    pure = [t for t in np.unique(probability) if real[probability >= t].mean() >= purity]
    assert threshold == (min(pure) if pure else None)


def test_the_completeness_limit_of_a_step_is_the_step():
    flux = np.logspace(-10, -8, 401)
    limit = flux_at_completeness(flux, flux > 5e-10, 0.9)
    assert limit == pytest.approx(5e-10, rel=0.02)
    assert flux_at_completeness(flux, np.zeros(401, dtype=bool), 0.9) is None
    assert flux_at_completeness([], [], 0.9) is None


def test_one_miss_at_the_bright_end_does_not_move_the_limit_there():
    flux = np.logspace(-10, -8, 401)
    found = flux > 5e-10
    found[390] = False
    assert flux_at_completeness(flux, found, 0.9) == pytest.approx(5e-10, rel=0.1)


def test_limits_carry_the_purity_of_what_is_above(two_skies):
    rows = completeness_limits(
        two_skies.detections, two_skies.truths, rng=np.random.default_rng(1), n_resamples=20
    )
    pole = next(row for row in rows if row["zone"] == "|b|>20")
    assert pole["flux"] == 5e-10
    assert pole["purity_above_flux"] == 1
    assert pole["purity_of_all"] == pytest.approx(2 / 3)
    assert pole["flux_low"] <= pole["flux"] <= pole["flux_high"]


def test_a_share_has_an_error_even_when_all_hit():
    value, error = share([True] * 50)
    assert value == 1
    assert 0 < error < 0.02
    assert share([]) == (None, None)


def test_gaussian_offsets_fill_their_ellipses(make_catalogue, make_truth):
    rng = np.random.default_rng(5)
    n, sigma = 3000, 0.03
    ra, dec = np.meshgrid(np.arange(60) * 2.0, np.arange(-25, 25) * 1.0)
    ra, dec = ra.ravel()[:n], dec.ravel()[:n]
    truth = make_truth(ra, dec)
    catalogue = make_catalogue(
        ra + rng.normal(0, sigma, n) / np.cos(np.radians(dec)),
        dec + rng.normal(0, sigma, n),
        error_68=sigma * np.sqrt(-2 * np.log(0.32)),
    )
    row = position_scores(match_catalogue(catalogue, truth).detections)[0]
    assert row["n"] == n
    assert row["r68"] == pytest.approx(1.51 * sigma, rel=0.05)
    assert row["r95"] == pytest.approx(2.448 * sigma, rel=0.05)
    assert row["coverage_68"] == pytest.approx(0.68, abs=0.03)
    assert row["coverage_95"] == pytest.approx(0.95, abs=0.015)


def test_flux_ratios_and_pulls(two_skies):
    row = measured_flux_scores(two_skies.detections)[0]
    assert row["n"] == 3
    assert row["median_ratio"] == pytest.approx(8 / 9)
    assert row["median_pull"] == pytest.approx((8e-10 - 9e-10) / 8e-11)
