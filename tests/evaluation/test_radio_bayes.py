from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from radio_tables import sources_at
from scipy.stats import norm

from psseg.errors import PssegError
from psseg.evaluation.radio_bayes import observe_truth, scripted_cuts
from psseg.radio_classes import RadioFluxes, bayes_classes, leakage_spread
from psseg.sky.radio_reference import ReferenceImage, ReferenceSample, draw_reference
from psseg.sky.source_counts import class_densities
from psseg.survey.survey import load_survey

RATIO = 2.0
INDICES = ((-1.65, 0.3), (-0.1, 0.2), (-0.7, 0.2))
"""Mean and scatter of the spectral index of three made-up classes."""


def reference(rng, *, n=60_000, weights=(1.0, 1.0, 1.0), polarised=0.0, size=(0.0, 0.0, 0.0)):
    source_class = rng.integers(0, 3, n)
    mean, scatter = np.array(INDICES)[source_class].T
    circular = np.where(source_class == 0, polarised, 0.0) * rng.choice([-1, 1], n)
    return ReferenceSample(
        source_class=source_class,
        log_flux=np.sort(rng.uniform(-3, 3, n)),
        ratio=RATIO ** rng.normal(mean, scatter),
        v_over_i=circular,
        size=np.array(size)[source_class],
        weight=np.array(weights)[source_class],
        slope=0.0,
    )


def measured(first, second, circular=np.nan, *, error=1e-3, size=1.0, size_error=0.01):
    flux = np.column_stack(np.broadcast_arrays(first, second, circular)).astype(float)
    n = len(flux)
    return RadioFluxes(
        flux=flux,
        error=np.where(np.isfinite(flux), error, np.nan),
        frequency_ratio=RATIO,
        size=np.full(n, size),
        size_error=np.full(n, size_error),
    )


def exact_posterior(first, second, error, weights):
    """Integrate over the index of each class; over the flux with a flat prior, by hand."""
    alpha = np.linspace(-4, 2, 6001)
    ratio = RATIO**alpha
    variance = error**2 * (1 + ratio**2)
    off = second[:, None] - ratio * first[:, None]
    likelihood = np.exp(-(off**2) / (2 * variance)) / np.sqrt(variance)
    evidence = np.stack(
        [
            weight * (likelihood * norm.pdf(alpha, mean, scatter)).sum(axis=1)
            for (mean, scatter), weight in zip(INDICES, weights, strict=True)
        ],
        axis=-1,
    )
    return evidence / evidence.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.01, 0.2, 1.0)])
@pytest.mark.parametrize("error", [0.02, 0.1])
def test_the_posterior_of_a_spectral_index_is_the_analytic_one(weights, error):
    first, second = np.ones(11), RATIO ** np.linspace(-2.2, 0.3, 11)
    sample = reference(np.random.default_rng(1), n=150_000, weights=weights)
    found = bayes_classes(measured(first, second, error=error), sample, n_similar=150_000)
    expected = exact_posterior(first, second, np.hypot(error, 0.005), weights)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_the_prior_on_the_flux_favours_the_fainter_of_two_that_fit_alike():
    # Both spectra are 2 sigma off: with S^-8 the one that wants the lower flux wins.
    sample = ReferenceSample(
        source_class=np.array([0, 2]),
        log_flux=np.zeros(2),
        ratio=np.array([0.8, 1.2]),
        v_over_i=np.zeros(2),
        size=np.zeros(2),
        weight=np.ones(2),
        slope=8.0,
    )
    source = measured([1.0], [1.0], error=0.1)
    flat = bayes_classes(source, ReferenceSample(**{**vars(sample), "slope": 0.0}))
    assert bayes_classes(source, sample)[0, 2] > flat[0, 2] + 0.1


def test_without_a_second_frequency_or_polarisation_the_posterior_is_the_prior():
    sample = reference(np.random.default_rng(2), weights=(1.0, 2.0, 5.0))
    found = bayes_classes(measured([0.3, 1.0], np.nan), sample, n_similar=30_000)
    np.testing.assert_allclose(found, [[0.125, 0.25, 0.625]] * 2, atol=0.01)


def test_circular_polarisation_of_either_sign_tells_a_pulsar():
    sample = reference(np.random.default_rng(3), polarised=0.2)
    found = bayes_classes(measured(1.0, np.nan, [0.2, -0.2, 0.0], error=0.05), sample)
    likely = norm.pdf([0.2, -0.2, 0.0], 0.2, 0.05) + norm.pdf([0.2, -0.2, 0.0], -0.2, 0.05)
    other = 2 * norm.pdf([0.2, -0.2, 0.0], 0.0, 0.05)
    expected = likely / (likely + 2 * other)
    np.testing.assert_allclose(found[:, 0], expected, atol=0.02)


def test_a_resolved_source_is_of_the_class_that_is_resolved():
    sample = reference(np.random.default_rng(4), size=(0.0, 0.0, 1.0))
    wide = measured([1.0, 1.0], np.nan, size=np.sqrt(2.0), size_error=0.05)
    np.testing.assert_allclose(bayes_classes(wide, sample)[:, 2], 1.0, atol=1e-6)


def test_only_reference_sources_of_similar_flux_count():
    rng = np.random.default_rng(5)
    sample = reference(rng)
    faint = sample.log_flux < 0
    source_class = np.where(faint, 0, 2)
    changed = ReferenceSample(**{**vars(sample), "source_class": source_class})
    found = bayes_classes(measured(np.exp([-2.0, 2.0]), np.nan, error=0.01), changed)
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0, 1]])


def test_many_sources_are_classified_as_each_alone():
    rng = np.random.default_rng(6)
    sample = reference(rng, n=5000)
    first, second = np.exp(rng.uniform(-1, 1, 1201)), rng.uniform(0.2, 1.5, 1201)
    together = bayes_classes(measured(first, second, error=0.05), sample, n_similar=500)
    for row in (0, 700, 1200):
        alone = bayes_classes(
            measured(first[row : row + 1], second[row : row + 1], error=0.05), sample, n_similar=500
        )
        np.testing.assert_allclose(together[row], alone[0])


def test_a_reference_out_of_order_is_refused():
    sample = reference(np.random.default_rng(7), n=100)
    with pytest.raises(PssegError, match="log_flux must rise"):
        ReferenceSample(**{**vars(sample), "log_flux": sample.log_flux[::-1]})


def test_cuts_take_steep_or_polarised_for_pulsars_and_flat_points_for_blazars():
    alpha = np.array([-1.5, -0.7, -0.2, -0.7, -0.7, np.nan])
    circular = [0.0, 0.0, 0.0, 0.06, 0.04, -0.5]
    found = scripted_cuts(measured(1.0, RATIO**alpha, circular))
    assert found.argmax(axis=1).tolist() == [0, 2, 1, 0, 2, 0]
    assert scripted_cuts(measured([1.0], RATIO**-0.2, size=1.5)).tolist() == [[0, 0, 1]]
    assert scripted_cuts(measured([1.0], np.nan)).tolist() == [[0, 0, 1]]
    noisy = measured([1.0], RATIO**-0.7, 0.06, error=0.02)
    assert scripted_cuts(noisy).tolist() == [[0, 0, 1]]


def test_measured_truth_scatters_about_it_by_the_errors():
    truth = sources_at(np.full((20_000, 2), 150.0), snr=20.0, size=10.0)
    truth["v_over_i"] = np.full(len(truth), 0.1)
    beam = (10 / 3600, 10 / 3600)
    rms = np.tile([1.0, 2.0, 0.5], (len(truth), 1))
    seen = observe_truth(truth, np.random.default_rng(8), rms=rms, frequency_ratio=RATIO, beam=beam)
    area = np.sqrt(2 * 1.01)  # beams: major axis as wide as the beam, minor a tenth of it
    expected = np.array([20.0, 20 * RATIO**-0.7, 2.0])
    np.testing.assert_allclose(seen.flux.mean(axis=0), expected, atol=0.05)
    np.testing.assert_allclose(seen.flux.std(axis=0), np.sqrt(area) * rms[0], rtol=0.03)
    np.testing.assert_allclose(seen.error[0], np.sqrt(area) * rms[0])
    np.testing.assert_allclose(seen.size.mean(), np.sqrt(2), atol=0.005)
    np.testing.assert_allclose(seen.size.std(), np.sqrt(2) / 20, rtol=0.03)


def test_leakage_moves_all_of_an_image_alike_and_widens_the_error():
    truth = sources_at(np.full((50, 2), 150.0), snr=1000.0)
    rms = np.tile([1.0, np.nan, 1e-3], (50, 1))
    seen = observe_truth(
        truth,
        np.random.default_rng(9),
        rms=rms,
        frequency_ratio=np.nan,
        beam=(10 / 3600, 10 / 3600),
        leakage=0.01,
    )
    share = seen.flux[:, 2] / 1000
    assert np.abs(share).min() > 1e-3
    np.testing.assert_allclose(share, share[0], rtol=1e-2)
    np.testing.assert_allclose(seen.error[:, 2], 10.0, rtol=0.01)
    assert np.isnan(seen.flux[:, 1]).all()


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


def reference_of(survey, priors, *, latitude=45.0, seed=10, **options):
    taken = ReferenceImage(
        frequency=9e8,
        pixel_scale=2.5 / 3600,
        beam_pixels=(6.0, 6.0),
        rms=3e-5,
        galactic_latitude=latitude,
        **{"frequency_ratio": 1.5} | options,
    )
    rng = np.random.default_rng(seed)
    return draw_reference(survey, rng, taken, priors=priors, n_sources=6000)


def test_a_balanced_reference_has_every_class_as_often_and_steep_pulsars(radio):
    sample = reference_of(radio, "balanced")
    shares = np.bincount(sample.source_class, minlength=3) / len(sample.source_class)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    assert (sample.weight == 1).all()
    alpha = [np.median(np.log(sample.ratio[sample.source_class == k])) for k in range(3)]
    np.testing.assert_allclose(np.array(alpha) / np.log(1.5), [-1.65, -0.1, -0.6], atol=0.15)
    assert sample.size[sample.source_class == 0].max() < 1e-6
    assert sample.size[sample.source_class == 2].max() > 1


def test_a_physical_reference_weighs_classes_as_the_sky_does(radio):
    """Its mean weights are the class densities of the survey, in the plane and away from it."""
    flux = 1e-3
    for latitude in (2.0, 60.0):
        sample = reference_of(radio, "physical", latitude=latitude)
        near = np.abs(sample.log_flux - np.log(flux)) < 0.4
        # A class has a third of the sample, so sums of weights go as densities.
        found = np.bincount(sample.source_class[near], sample.weight[near], 3)
        expected = class_densities(radio, np.array([flux]), 9e8, latitude)[0]
        ratio = found / found[2] / (expected / expected[2])
        np.testing.assert_allclose(ratio, 1.0, rtol=0.3)


@pytest.mark.parametrize("frequency_ratio", [1.5, np.nan])
def test_stokes_v_of_a_reference_goes_with_the_spectrum_of_each_source(radio, frequency_ratio):
    ratio = reference_of(radio, "balanced").ratio
    first, other = (
        reference_of(radio, "balanced", frequency_ratio=frequency_ratio, v_frequency_ratio=one)
        for one in (1.0, 1.5)
    )
    np.testing.assert_allclose(other.v_over_i, first.v_over_i * ratio)
    np.testing.assert_array_equal(other.ratio, first.ratio)


def test_priors_that_are_neither_are_refused(radio):
    with pytest.raises(PssegError, match="want 'balanced' or 'physical', not 'flat'"):
        reference_of(radio, "flat")


def test_the_spread_of_leakage_lies_in_the_survey_s_range(radio):
    low, high = radio.artefacts.leakage
    assert low < leakage_spread(radio) < 2 * high
    even = replace(radio, artefacts=replace(radio.artefacts, leakage=(high, high)))
    growth = 1 + radio.artefacts.leakage_growth / 2
    assert leakage_spread(even) == pytest.approx(growth * high)
    assert leakage_spread(load_survey("fermi-lat")) == 0


def test_physical_priors_make_few_pulsars_of_unpolarised_flat_sources(radio):
    point = measured([1e-3], 1e-3 * 1.5**-0.7, 0.0, error=3e-5, size_error=0.03)
    point = RadioFluxes(**{**vars(point), "frequency_ratio": 1.5})
    physical = bayes_classes(point, reference_of(radio, "physical"), n_similar=2000)[0]
    balanced = bayes_classes(point, reference_of(radio, "balanced"), n_similar=2000)[0]
    assert physical[0] < 0.01 < balanced[0]
