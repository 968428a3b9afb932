"""Bayesian association: against the published formulas, and calibrated on simulated skies."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from psseg.crossmatch.association import (
    AMBIGUOUS,
    SHARED,
    associate,
    candidate_pairs,
    class_factors,
    local_density,
)
from psseg.crossmatch.ellipses import ellipses_of_axes, ellipses_of_radius
from psseg.crossmatch.positions import radius_pairs

ARCSEC = 1 / 3600


def line(*arcsec):
    return SkyCoord(np.array(arcsec) * ARCSEC, np.zeros(len(arcsec)), unit="deg")


def associated(left, right, sigma, *, density=1.0, **options):
    errors = (ellipses_of_radius(np.full(len(c), sigma * ARCSEC)) for c in (left, right))
    ours, theirs = errors
    pairs = candidate_pairs(left, right, ours, theirs)
    return associate(pairs, ours, theirs, np.full(len(left), density), **options)


def test_the_bayes_factor_is_that_of_budavari_and_szalay():
    found = associated(line(0), line(3), 2.0)
    both = np.deg2rad(2 * ARCSEC) ** 2 * 2
    expected = 2 / both * np.exp(-(np.deg2rad(3 * ARCSEC) ** 2) / (2 * both))
    assert found.log_bayes_factor[0] == pytest.approx(np.log10(expected), rel=1e-6)


def test_the_posterior_is_that_of_nway():
    density, share = 500.0, 0.7
    found = associated(line(0), line(1, 4), 1.0, density=density, completeness=share)
    total = density * 4 * np.pi * np.rad2deg(1) ** 2
    weights = share / total * 10**found.log_bayes_factor
    none = 1 - share
    np.testing.assert_allclose(found.p_match, weights / (none + weights.sum()), rtol=1e-6)
    assert found.p_any[0] == pytest.approx(1 - none / (none + weights.sum()), rel=1e-6)
    np.testing.assert_allclose(found.p_relative, weights / weights.sum(), rtol=1e-6)


def test_the_best_is_the_nearest_and_rivals_are_flagged():
    found = associated(line(0, 100), line(1.0, -1.2, 100), 1.0)
    np.testing.assert_array_equal(found.best, [True, False, True])
    np.testing.assert_array_equal(found.flags, [AMBIGUOUS, 0])
    np.testing.assert_array_equal(found.n_candidates, [2, 1])


def test_a_counterpart_of_two_sources_is_flagged_for_both():
    found = associated(line(-1, 1), line(0.1), 1.0)
    np.testing.assert_array_equal(found.flags, [SHARED, SHARED])
    np.testing.assert_array_equal(found.right_best, [False, True])


def test_an_ellipse_prefers_what_lies_along_it():
    left = line(0)
    right = SkyCoord([3 * ARCSEC, 0], [0, 3 * ARCSEC], unit="deg")
    ours = ellipses_of_axes([3 * ARCSEC], [ARCSEC], [90.0])
    theirs = ellipses_of_radius(np.full(2, 0.1 * ARCSEC))
    found = associate(candidate_pairs(left, right, ours, theirs), ours, theirs, np.ones(1))
    np.testing.assert_array_equal(found.best, [True, False])


def test_exact_positions_agree_or_do_not():
    found = associated(line(0, 50), line(0, 50.01), 0.0)
    np.testing.assert_array_equal(found.pairs.left, [0])
    assert found.p_any[0] > 0.999


def test_a_catalogue_without_candidates_has_no_counterparts():
    found = associated(line(0), line(500), 1.0)
    np.testing.assert_array_equal(found.p_any, [0])
    assert len(found.best) == 0


def test_the_density_is_that_of_the_sky():
    rng = np.random.default_rng(2)
    sky = SkyCoord(
        rng.uniform(0, 360, 40_000), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 40_000))), unit="deg"
    )
    density = local_density(sky[:2000], sky)
    assert np.mean(1 / density) == pytest.approx(41_253 / 40_000, rel=0.1)
    assert np.isnan(local_density(sky[:3], sky[:0])).all()


def simulated(rng, number, *, share, crowding):
    """Give a sky on which this share of the sources has a counterpart, and who it is."""
    half = 2.0
    left = SkyCoord(
        rng.uniform(-half, half, number) % 360, rng.uniform(-half, half, number), unit="deg"
    )
    errors = ellipses_of_radius(rng.uniform(1, 3, number) * ARCSEC)
    has = rng.random(number) < share
    true = left[has].directional_offset_by(
        rng.uniform(0, 360, has.sum()) * u.deg,
        np.hypot(errors.major[has], ARCSEC) * rng.rayleigh(size=has.sum()) * u.deg,
    )
    field = int(crowding * (2 * half * 3600) ** 2 / (np.pi * 3**2))
    ra = np.r_[true.ra.deg, rng.uniform(-half, half, field) % 360]
    dec = np.r_[true.dec.deg, rng.uniform(-half, half, field)]
    partner = np.full(number, -1)
    partner[has] = np.arange(has.sum())
    return left, SkyCoord(ra, dec, unit="deg"), errors, partner


def test_probabilities_are_the_shares_that_are_right():
    rng = np.random.default_rng(8)
    left, right, ours, partner = simulated(rng, 6000, share=0.6, crowding=0.08)
    theirs = ellipses_of_radius(np.full(len(right), ARCSEC))
    pairs = candidate_pairs(left, right, ours, theirs)
    found = associate(pairs, ours, theirs, local_density(left, right))
    assert found.completeness == pytest.approx(0.6, abs=0.03)
    correct = partner[pairs.left] == pairs.right
    for low, high in ((0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        chosen = (found.p_match >= low) & (found.p_match <= high)
        assert chosen.sum() > 50
        assert correct[chosen].mean() == pytest.approx(found.p_match[chosen].mean(), abs=0.07)


def test_classes_count_as_the_ratio_to_their_mean():
    pairs = associated(line(0, 50), line(0.5, 50.5), 1.0).pairs
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7]])
    factor = class_factors(probabilities, np.array(["a", ""]), pairs, ("a", "b"))
    np.testing.assert_allclose(factor, [0.9 / 0.6, 1.0])


def tile(rng, number, half=4.5 / 60):
    return SkyCoord(*rng.uniform(-half, half, (2, number)), unit="deg")


@pytest.mark.parametrize(("number", "sigma"), [(24, 5.0), (24, 2.0), (10, 5.0), (60, 5.0)])
def test_few_unrelated_sources_of_a_small_field_have_no_counterparts(number, sigma):
    rng = np.random.default_rng(3)
    errors = ellipses_of_radius(np.full(number, sigma * ARCSEC))
    total = 0.0
    for _ in range(60):
        left, right = tile(rng, number), tile(rng, number)
        pairs = candidate_pairs(left, right, errors, errors)
        total += associate(pairs, errors, errors, local_density(left, right)).p_any.sum()
    assert total / (60 * number) < 0.1


def test_the_density_at_the_edge_of_a_field_is_that_inside():
    rng = np.random.default_rng(4)
    density = [local_density(tile(rng, 2000), tile(rng, 100)) for _ in range(20)]
    assert np.mean(1 / np.array(density)) == pytest.approx(0.0225 / 100, rel=0.1)
    edge = SkyCoord([4.5 / 60, 4.5 / 60], [0.0, 4.5 / 60], unit="deg")
    at_edge = [local_density(edge, tile(rng, 200)) for _ in range(200)]
    np.testing.assert_allclose(np.median(at_edge, axis=0), 200 / 0.0225, rtol=0.25)


def test_errors_that_are_not_known_spoil_no_other_probability():
    left, right = line(0, 50, 100), line(0.5, -1.0, 50, 100)
    ours = ellipses_of_radius(np.full(3, ARCSEC))
    theirs = ellipses_of_radius(np.array([1.0, np.nan, 1.0, np.nan]) * ARCSEC)
    pairs = radius_pairs(left, right, 2 * ARCSEC)
    found = associate(pairs, ours, theirs, np.full(3, 10.0), nearest=True)
    alone = associate(
        pairs[[0, 2]], ours, theirs, np.full(3, 10.0), completeness=found.completeness
    )
    np.testing.assert_array_equal(found.p_any[:2], alone.p_any[:2])
    assert np.isnan(found.p_any[2])
    assert 0 < found.completeness < 1
    np.testing.assert_array_equal(np.isfinite(found.p_match), [True, False, True, False])


def test_the_best_within_a_radius_is_the_nearest():
    left, right = line(0), line(2.0, 1.0, 1.5)
    ours = ellipses_of_radius([ARCSEC])
    theirs = ellipses_of_radius(np.array([0.1, 100.0, np.nan]) * ARCSEC)
    pairs = radius_pairs(left, right, 3 * ARCSEC)
    found = associate(pairs, ours, theirs, np.ones(1), nearest=True)
    np.testing.assert_array_equal(found.best, [False, True, False])
