from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from psseg.catalogue.probability import (
    calibrated_classes,
    combined_classes,
    counts_evidence,
    source_probability,
    zone_probability,
)
from psseg.errors import PssegError
from psseg.evaluation.calibration import (
    TARGETS,
    CalibrationTargets,
    _thresholds,
    fit_calibration,
    fit_flux_errors,
    fit_position_errors,
    fit_residual_limit,
    fit_sources_range,
)
from psseg.evaluation.class_calibration import fit_classes, fit_combined_classes
from psseg.evaluation.matching import match_catalogue
from psseg.evaluation.source_calibration import fit_source_probability, purity_threshold


def draw_detections(rng: np.random.Generator, n: int, coefficients: tuple[float, ...]):
    score = rng.uniform(0.05, 0.999, n)
    ts = rng.uniform(1, 15, n) ** 2
    return score, ts, rng.uniform(size=n) < source_probability(score, ts, coefficients)


def test_the_coefficients_that_made_a_sky_are_found_again():
    truth = (-3.0, 0.8, 1.1)
    fitted = fit_source_probability(*draw_detections(np.random.default_rng(3), 20_000, truth))
    np.testing.assert_allclose(fitted, truth, rtol=0.1)


def test_what_else_is_known_is_weighed_with_the_score():
    rng, truth = np.random.default_rng(5), (-3.0, 0.8, 1.1, 1.5, -0.7)
    score, ts, _ = draw_detections(rng, 20_000, truth[:3])
    evidence = counts_evidence(
        rng.normal(0.2, 0.4, 20_000), np.zeros(20_000), rng.uniform(-3, 3, 20_000)
    )
    probability = source_probability(score, ts, truth, evidence=evidence)
    real = rng.uniform(size=20_000) < probability
    fitted = fit_source_probability(score, ts, real, evidence=evidence)
    np.testing.assert_allclose(fitted, truth, rtol=0.15)


def test_a_useless_score_gets_no_weight_never_a_negative_one():
    rng = np.random.default_rng(4)
    score, ts, _ = draw_detections(rng, 4000, (0.0, 1.0, 0.0))
    _, of_score, of_ts = fit_source_probability(score, ts, rng.uniform(size=4000) < 1 - score)
    assert of_score == 0
    assert of_ts >= 0


def test_too_few_false_detections_are_refused():
    with pytest.raises(PssegError, match="100 true and 3 false detections"):
        fit_source_probability(np.full(103, 0.5), np.full(103, 25.0), np.arange(103) >= 3)


def test_the_purity_asked_for_is_reached_on_another_sky():
    coefficients = (-2.0, 1.0, 0.7)
    rng = np.random.default_rng(6)
    score, ts, real = draw_detections(rng, 20_000, coefficients)
    threshold = purity_threshold(source_probability(score, ts, coefficients), real, 0.97)
    score, ts, real = draw_detections(rng, 20_000, coefficients)
    kept = source_probability(score, ts, coefficients) >= threshold
    assert real[kept].mean() == pytest.approx(0.97, abs=0.01)


def test_an_unreachable_purity_gives_the_purest_and_says_so(caplog):
    rng = np.random.default_rng(7)
    threshold = purity_threshold(rng.uniform(size=500), rng.uniform(size=500) < 0.5, 0.99)
    assert 0 <= threshold <= 1
    assert "purity 0.990 is out of reach" in caplog.text


def test_without_detections_nothing_is_cut():
    assert purity_threshold([], [], 0.97) == 0


@pytest.mark.parametrize("n", [0, 15])
def test_a_zone_with_too_few_detections_has_the_threshold_of_all(n):
    rng = np.random.default_rng(9)
    probability = rng.uniform(size=500 + n)
    real = rng.uniform(size=500 + n) < probability
    glat = np.concatenate([np.full(500, 5.0), np.full(n, 50.0)])
    thresholds = _thresholds(probability, real, glat, replace(TARGETS, high_latitude_purity=0.9))
    assert thresholds["high_latitude"] == purity_threshold(probability, real, 0.9 + TARGETS.margin)


def test_overconfident_classes_are_tempered():
    rng = np.random.default_rng(8)
    n = 6000
    honest = rng.dirichlet([0.7, 0.7, 0.7], n)
    true = np.array([rng.choice(3, p=p) for p in honest])
    boasting = calibrated_classes(honest, temperature=0.5, bias=(0.5, -0.3, -0.2))
    temperature, bias = fit_classes(boasting, np.ones((n, 3)), true)
    assert temperature == pytest.approx(2.0, rel=0.1)
    np.testing.assert_allclose(bias, (-0.25, 0.15, 0.1), atol=0.05)


def test_classes_are_fitted_together_with_the_priors():
    rng = np.random.default_rng(9)
    n = 6000
    true = rng.choice(3, p=[0.05, 0.9, 0.05], size=n)
    balanced = rng.dirichlet([1, 1, 1], n)
    balanced[np.arange(n), true] += 1
    balanced /= balanced.sum(axis=1, keepdims=True)
    _, with_priors = fit_classes(balanced, np.tile([0.05, 0.9, 0.05], (n, 1)), true)
    np.testing.assert_allclose(with_priors, 0, atol=0.3)


def test_independent_evidence_is_added_and_noise_has_no_weight():
    rng = np.random.default_rng(10)
    n = 6000
    true = rng.choice(3, size=n)
    one, other, noise = (rng.normal(size=(n, 3)) for _ in range(3))
    one[np.arange(n), true] += 1
    other[np.arange(n), true] += 1
    # The likelihood ratio of N(1, 1) and N(0, 1) is exp(x - 1/2).
    one, other, noise = (np.exp(x) / np.exp(x).sum(axis=1)[:, None] for x in (one, other, noise))
    weights = fit_combined_classes(one, other, true)
    np.testing.assert_allclose(weights, (1, 1, 0, 0, 0), atol=0.1)
    np.testing.assert_allclose(fit_combined_classes(one, noise, true)[:2], (1, 0), atol=0.1)
    both = combined_classes(one, other, weights)
    assert np.mean(both.argmax(axis=1) == true) > np.mean(one.argmax(axis=1) == true) + 0.05


def test_no_sources_leave_the_classes_as_they_are():
    assert fit_combined_classes(np.zeros((0, 3)), np.zeros((0, 3)), []) == ()
    assert fit_classes(np.zeros((0, 3)), np.zeros((0, 3)), []) == (1.0, (0.0, 0.0, 0.0))


def test_understated_position_errors_are_scaled_and_floored():
    rng = np.random.default_rng(10)
    sigma = np.logspace(-2.5, -1, 8000)
    stated = 1.51 * sigma / 1.3
    actual = np.hypot(sigma, 0.015)
    offset = np.hypot(*rng.normal(0, actual, (2, 8000)))
    scale, floor = fit_position_errors(offset, stated, 1 / sigma)
    assert scale == pytest.approx(1.3, abs=0.1)
    assert floor == pytest.approx(0.015, abs=0.003)
    assert np.mean(offset <= np.hypot(scale * stated, 1.51 * floor)) == pytest.approx(
        0.68, abs=0.02
    )


def test_understated_flux_errors_are_scaled_and_floored():
    rng = np.random.default_rng(11)
    sigma = np.logspace(-2.7, -0.7, 8000)
    actual = np.hypot(1.2 * sigma, 0.012)
    scale, floor = fit_flux_errors(rng.normal(0, actual), sigma, 1 / sigma)
    assert scale == pytest.approx(1.2, abs=0.06)
    assert floor == pytest.approx(0.012, abs=0.002)


def test_few_positions_leave_the_errors_as_they_are():
    assert fit_position_errors([0.1], [0.1], [5.0]) == (1.0, 0.0)


def test_a_whole_calibration(make_catalogue, make_truth):
    rng = np.random.default_rng(11)
    ra, dec = (axis.ravel() for axis in np.meshgrid(np.arange(0, 360, 6), np.arange(-60, 61, 6)))
    n = len(ra)
    score, ts, real = draw_detections(rng, n, (-2.0, 1.0, 0.7))
    offset = rng.normal(0, 0.03, (2, n))
    truth = make_truth(ra, dec, ts=np.where(real, 100, 1))
    catalogue = make_catalogue(
        ra + offset[0] / np.cos(np.radians(dec)),
        dec + offset[1],
        probability=score,
        sqrt_ts=np.sqrt(ts),
    )
    tables = match_catalogue(catalogue, truth)
    targets = CalibrationTargets(high_latitude_purity=0.98, low_latitude_purity=0.9)
    calibration = fit_calibration(tables.detections, candidate_threshold=0.05, targets=targets)
    assert calibration.candidate_threshold == 0.05
    assert calibration.thresholds["high_latitude"] > calibration.thresholds["low_latitude"]
    glat = catalogue["GLAT"].to_value("deg")
    probability = zone_probability(
        score,
        ts,
        glat,
        coefficients=(calibration.low_latitude_coefficients, calibration.source_coefficients),
        latitude_split=calibration.latitude_split,
        evidence=counts_evidence(catalogue["LP_beta"], catalogue["Unc_LP_beta"], glat),
    )
    high = np.abs(catalogue["GLAT"]) >= 20 * u.deg
    kept = high & (probability >= calibration.thresholds["high_latitude"])
    assert real[kept].mean() >= 0.98
    # Every source is stated with a 68 % radius of 0.05 deg and scattered by 0.03 deg per axis.
    scale, floor = calibration.position_scale, calibration.position_floor
    assert np.hypot(scale * 0.05, 1.51 * floor) == pytest.approx(1.51 * 0.03, rel=0.15)


def test_the_zones_of_a_sky_are_calibrated_apart(make_catalogue, make_truth):
    rng = np.random.default_rng(12)
    ra, dec = (axis.ravel() for axis in np.meshgrid(np.arange(0, 360, 3), np.arange(-81, 82, 3)))
    n = len(ra)
    score, ts = rng.uniform(0.05, 0.999, n), rng.uniform(1, 15, n) ** 2
    catalogue = make_catalogue(ra, dec, probability=score, sqrt_ts=np.sqrt(ts))
    low, high = (-1.0, 1.5, 0.1), (-4.0, 0.3, 1.5)
    real = rng.uniform(size=n) < zone_probability(
        score,
        ts,
        catalogue["GLAT"].to_value("deg"),
        coefficients=(low, high),
        latitude_split=20.0,
    )
    truth = make_truth(ra, dec, ts=np.where(real, 100, 1))
    found = fit_calibration(match_catalogue(catalogue, truth).detections, candidate_threshold=0.05)
    np.testing.assert_allclose(found.low_latitude_coefficients[1:3], low[1:], atol=0.25)
    np.testing.assert_allclose(found.source_coefficients[1:3], high[1:], atol=0.25)


def test_flux_errors_are_calibrated_apart_near_the_plane(make_catalogue, make_truth):
    rng = np.random.default_rng(13)
    ra, dec = (axis.ravel() for axis in np.meshgrid(np.arange(0, 360, 3), np.arange(-81, 82, 3)))
    score = rng.uniform(0.05, 0.999, len(ra))
    catalogue = make_catalogue(ra, dec, probability=score)
    low = np.abs(catalogue["GLAT"].to_value("deg")) < 20
    # Fluxes have errors of 10 %, but are scattered by 20 % near the plane.
    ratio = 1 - rng.normal(0, np.where(low, 0.2, 0.1))
    ts = np.where(rng.uniform(size=len(ra)) < score, 100, 1)
    truth = make_truth(ra, dec, flux=1e-9 * ratio, ts=ts)
    found = fit_calibration(match_catalogue(catalogue, truth).detections, candidate_threshold=0.05)
    for (_, _, scale, floor), expected in (
        (found.errors, 0.1),
        (found.low_latitude_errors, 0.2),
    ):
        assert np.hypot(scale * 0.1, floor) == pytest.approx(expected, rel=0.12)


def test_a_map_may_lie_a_little_beyond_the_simulated_skies(caplog):
    backgrounds = QTable({"BAND": ["a", "a", "b", "b"], "RESIDUAL": [1.0, 2.0, 4.0, np.nan]})
    np.testing.assert_allclose(fit_residual_limit(backgrounds, ("a", "b")), [2.5, 5.0])
    assert caplog.text == ""
    backgrounds["SOURCES"] = [0.02, 0.02, 0.05, 0.05]
    assert fit_sources_range(backgrounds) == ((0.0, 0.125),)


def test_a_band_without_residuals_has_the_largest_limit_and_is_named(caplog):
    backgrounds = QTable({"BAND": ["a", "b", "c"], "RESIDUAL": [2.0, 4.0, np.nan]})
    np.testing.assert_allclose(fit_residual_limit(backgrounds, ("a", "b", "c")), [2.5, 5.0, 5.0])
    assert "no tile has residuals at ['c']" in caplog.text
    assert fit_residual_limit(backgrounds[2:], ("a", "b", "c")) == ()
