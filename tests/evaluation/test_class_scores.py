from __future__ import annotations

import numpy as np
import pytest

from psseg.evaluation.classes import (
    class_scores,
    probability_reliability,
    pulsar_curve,
    pulsar_operating_point,
    reliability,
)
from psseg.evaluation.matching import match_catalogue


@pytest.fixture
def classified(make_catalogue, make_truth):
    """Three blazars, two pulsars, one false detection, one source without a class."""
    ra = 10.0 + np.arange(7)
    true = ["blazar", "blazar", "blazar", "pulsar", "pulsar", "", ""]
    ours = ["blazar", "blazar", "pulsar", "pulsar", "other", "other", "pulsar"]
    truth = make_truth(ra, np.zeros(7), classes=true, ts=[100] * 5 + [1, 100])
    catalogue = make_catalogue(ra, np.zeros(7), classes=ours)
    catalogue["SELECTED"] = True
    return match_catalogue(catalogue, truth)


def test_the_confusion_counts_exactly(classified):
    scores = class_scores(classified.detections, prefix="P")
    # Columns pulsar, blazar, other; rows the same and false detections.
    assert scores["confusion"] == [[1, 0, 1], [1, 2, 0], [0, 0, 0], [0, 0, 1]]
    pulsar, blazar, other = scores["classes"]
    assert (pulsar["recall"], pulsar["precision"], pulsar["f1"]) == (0.5, 0.5, 0.5)
    assert (blazar["recall"], blazar["precision"]) == (pytest.approx(2 / 3), 1.0)
    assert (other["recall"], other["precision"], other["f1"]) == (None, 0.0, None)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["macro_f1"] == pytest.approx((0.5 + 0.8) / 2)


def test_detections_without_probabilities_have_no_class(classified):
    classified.detections["P_PULSAR"] = np.nan
    assert np.sum(class_scores(classified.detections, prefix="P")["confusion"]) == 0
    assert class_scores(classified.detections, prefix="P")["macro_f1"] is None


def test_pulsar_precision_counts_false_detections(make_catalogue, make_truth):
    ra = 10.0 + np.arange(4)
    catalogue = make_catalogue(ra, np.zeros(4), classes=["pulsar", "pulsar", "pulsar", "blazar"])
    catalogue["P_PULSAR"] = [0.9, 0.7, 0.5, 0.1]
    truth = make_truth(ra, np.zeros(4), classes="pulsar", ts=[100, 100, 1, 100])
    tables = match_catalogue(catalogue, truth)
    curve = pulsar_curve(tables.detections, tables.truths)
    at_half = next(row for row in curve if row["threshold"] == 0.5)
    assert at_half["n"] == 3
    assert at_half["precision"] == pytest.approx(2 / 3)
    assert at_half["recall"] == pytest.approx(2 / 3)
    best = pulsar_operating_point(curve)
    assert best["reached"] == 1
    assert (best["precision"], best["recall"]) == (0.75, 1.0)


def test_pulsar_precision_leaves_out_sources_without_a_class(classified):
    curve = pulsar_curve(classified.detections, classified.truths)
    at_half = next(row for row in curve if row["threshold"] == 0.5)
    assert (at_half["n"], at_half["precision"], at_half["recall"]) == (2, 0.5, 0.5)


def test_the_nearest_point_is_given_where_the_goal_is_missed():
    rows = [
        {"threshold": 0.2, "precision": 0.3, "recall": 0.9},
        {"threshold": 0.5, "precision": 0.5, "recall": 0.5},
        {"threshold": 0.9, "precision": None, "recall": 0.0},
    ]
    best = pulsar_operating_point(rows)
    assert (best["threshold"], best["reached"]) == (0.5, 0)
    assert pulsar_operating_point([]) is None


def test_honest_probabilities_are_reliable():
    rng = np.random.default_rng(2)
    probability = rng.uniform(size=20_000)
    honest = reliability(probability, rng.uniform(size=20_000) < probability)
    boasting = reliability(probability, rng.uniform(size=20_000) < probability**3)
    assert honest["calibration_error"] < 0.02
    assert boasting["calibration_error"] > 0.2
    assert honest["brier"] == pytest.approx(1 / 6, abs=0.01)
    assert sum(row["n"] for row in honest["bins"]) == 20_000


def test_probabilities_of_exactly_one_fall_into_the_last_bin():
    assert reliability([1.0], [True])["bins"][-1]["n"] == 1
    assert reliability([], [])["calibration_error"] is None


def test_every_probability_is_checked(classified):
    checks = probability_reliability(classified.detections)
    assert checks["SOURCE_PROB"]["n"] == 7
    # Five of the seven are real and have a true class.
    assert checks["P_PULSAR"]["n"] == checks["L_OTHER"]["n"] == 5
