from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psseg.catalogue.probability import (
    RAW_COEFFICIENTS,
    calibrated_classes,
    counts_evidence,
    detection_threshold,
    source_probability,
    zone_probability,
)
from psseg.errors import PssegError

scores = st.floats(0, 1)
significances = st.floats(0, 1e6)
weights = st.floats(0, 5)


def test_raw_coefficients_give_the_score_back():
    np.testing.assert_allclose(
        source_probability([0.1, 0.5, 0.97], [0, 25, 1e4], RAW_COEFFICIENTS), [0.1, 0.5, 0.97]
    )


@settings(deadline=None)
@given(scores, scores, significances, significances, st.floats(-5, 5), weights, weights)
def test_more_score_or_more_significance_is_never_less_probable(s1, s2, t1, t2, a, b, c):
    low, high = source_probability(
        [min(s1, s2), max(s1, s2)], [min(t1, t2), max(t1, t2)], (a, b, c)
    )
    assert 0 <= low <= high <= 1


def test_a_source_that_could_not_be_fitted_counts_as_insignificant():
    fitted, failed = source_probability([0.5, 0.5], [1.0, np.nan], (0.0, 1.0, 1.0))
    assert fitted == failed


@pytest.mark.parametrize(
    "coefficients", [(0.0, 1.0), (0.0, -1.0, 1.0), (0.0, 1.0, -0.1), (0.0, 1.0, 1.0, 1.0)]
)
def test_wrong_coefficients_are_refused(coefficients):
    with pytest.raises(PssegError, match="3 to 3 numbers, the second and third not negative"):
        source_probability([0.5], [25.0], coefficients)


def test_curvature_and_latitude_are_further_evidence():
    evidence = counts_evidence(
        [0.0, 0.6, np.nan, 9.0], [0.0, 0.0, np.nan, 1e3], [0.0, 0.0, -1.0, 90.0]
    )
    expected = [[0, 1], [0.6, 1], [0.1, np.exp(-1)], [0.1, 0]]
    np.testing.assert_allclose(evidence, expected, atol=1e-4)
    same = {"score": [0.5] * 2, "ts": [25.0] * 2, "evidence": evidence[:2]}
    assert np.ptp(source_probability(**same, coefficients=RAW_COEFFICIENTS)) == 0
    straight, curved = source_probability(**same, coefficients=(0, 1, 0, 2, -1))
    assert straight < curved


def test_each_zone_has_its_own_coefficients():
    low, high = (-1.0, 1.0, 0.0), (1.0, 1.0, 0.0)
    given = {"score": [0.5] * 3, "ts": [9.0] * 3, "glat": [-19.0, 20.0, -80.0]}
    both = zone_probability(**given, coefficients=(low, high), latitude_split=20.0)
    np.testing.assert_allclose(both, 1 / (1 + np.exp([1.0, -1.0, -1.0])))
    one = zone_probability(**given, coefficients=((), high), latitude_split=20.0)
    np.testing.assert_allclose(one, both[1])


def test_the_threshold_changes_at_the_split():
    limit = detection_threshold(
        [0.0, -19.9, 20.0, -80.0],
        thresholds={"low_latitude": 0.7, "high_latitude": 0.3},
        latitude_split=20.0,
    )
    assert limit.tolist() == [0.7, 0.7, 0.3, 0.3]


def test_temperature_flattens_and_keeps_the_order():
    raw = np.array([[0.2, 0.7, 0.1]])
    warm = calibrated_classes(raw, temperature=2.0, bias=(0.0, 0.0, 0.0))
    assert warm.sum() == pytest.approx(1)
    assert np.ptp(warm) < np.ptp(raw)
    assert warm.argsort().tolist() == raw.argsort().tolist()


def test_a_bias_multiplies_the_odds():
    even = calibrated_classes([[1 / 3, 1 / 3, 1 / 3]], temperature=1.0, bias=(np.log(2), 0.0, 0.0))
    np.testing.assert_allclose(even, [[0.5, 0.25, 0.25]])


def test_a_class_of_probability_zero_stays_finite():
    assert np.isfinite(calibrated_classes([[0, 0, 1]], temperature=0.5, bias=(0, 0, 0))).all()
