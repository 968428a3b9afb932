"""Spectra through the bands give back what was put in, and never stumble over empty bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_skies import SURVEY, YEARS, power_law_shares
from scipy.integrate import quad

from psseg.catalogue.blocks import band_edges
from psseg.catalogue.spectra import BandCounts, fit_spectra, upper_errors
from psseg.errors import PssegError

BANDS = band_edges(SURVEY)
EXPOSURE = SURVEY.instrument.band_exposure(YEARS)


def measured(counts, background=0.0):
    counts = np.atleast_2d(np.asarray(counts, dtype=float))
    return BandCounts(best=counts, variance=counts + background, score=np.zeros(counts.shape))


def exposures(n):
    return np.broadcast_to(EXPOSURE, (n, len(EXPOSURE)))


def parabola(energy, index, beta):
    return energy ** -(index + beta * np.log(energy))


def band_counts(index, beta, flux):
    """Counts of a log-parabola with pivot 1 GeV and a flux from 1 to 100 GeV."""
    norm = flux / quad(parabola, 1, 100, args=(index, beta))[0]
    return EXPOSURE * [norm * quad(parabola, *band, args=(index, beta))[0] for band in BANDS]


@pytest.mark.parametrize(("index", "beta"), [(2.3, 0.15), (2.0, 0.5), (2.6, 0.0), (1.8, 0.05)])
def test_a_bright_source_gives_back_index_curvature_and_flux(index, beta):
    counts = measured(band_counts(index, beta, 1e-7))
    spectra = fit_spectra(counts, exposures(1), BANDS, curved=True)
    flux, error = spectra.photon_flux(1, 100)
    assert spectra.parameters[0, 1:] == pytest.approx([index, beta], abs=0.02)
    assert flux[0] == pytest.approx(1e-7, rel=0.01)
    assert error[0] == pytest.approx(1e-7 / np.sqrt(1e-7 * EXPOSURE[3]), rel=0.3)
    assert spectra.counts == pytest.approx(counts.best, rel=0.02, abs=1)


def test_errors_are_right_for_sources_of_a_hundred_counts():
    rng = np.random.default_rng(3)
    shares, _ = power_law_shares(2.2)
    below = np.array([300.0, 100, 30, 10, 3, 1, 0.3, 0.1])
    total = rng.poisson(150 * shares + below, (400, 8))
    counts = BandCounts(
        best=np.maximum(total - below, 0),
        variance=np.maximum(total, below),
        score=np.where(total < below, total / below - 1, 0),
    )
    spectra = fit_spectra(counts, exposures(400), BANDS, curved=False)
    pull = (spectra.parameters[:, 1] - 2.2) / np.sqrt(spectra.covariance[:, 1, 1])
    assert pull.mean() == pytest.approx(0, abs=0.25)
    assert 0.75 < pull.std() < 1.25


def test_the_flux_comes_from_present_bands_alone():
    counts = measured(band_counts(2.2, 0.1, 1e-7))
    some = np.array([False, True, True, True, True, False, False, False])
    part = BandCounts(
        best=counts.best[:, some], variance=counts.variance[:, some], score=counts.score[:, some]
    )
    spectra = fit_spectra(part, exposures(1)[:, some], BANDS[some], curved=True)
    assert spectra.photon_flux(1, 100)[0][0] == pytest.approx(1e-7, rel=0.03)


def test_an_unseen_source_has_a_finite_spectrum_and_hardly_any_counts():
    nothing = BandCounts(
        best=np.zeros((1, 8)), variance=np.full((1, 8), 4.0), score=np.full((1, 8), -0.3)
    )
    spectra = fit_spectra(nothing, exposures(1), BANDS, curved=True)
    assert np.isfinite(spectra.parameters).all()
    assert np.isfinite(spectra.covariance).all()
    assert spectra.counts.sum() < 0.5


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.floats(0, 1e5), min_size=8, max_size=8),
    background=st.floats(0.001, 1e4),
)
def test_no_counts_make_the_fit_stumble(counts, background):
    spectra = fit_spectra(measured(counts, background), exposures(1), BANDS, curved=True)
    flux, error = spectra.photon_flux(1, 100)
    assert np.isfinite([flux, error]).all()
    assert np.all(np.diagonal(spectra.covariance[0]) > 0)


def test_upward_errors_are_standard_errors_of_many_counts_and_one_of_none():
    assert upper_errors(measured([1e4], 2e4))[0, 0] == pytest.approx(np.sqrt(3e4), rel=0.01)
    assert upper_errors(measured([0.0]))[0, 0] == pytest.approx(1, abs=0.01)


def test_arrays_that_do_not_fit_together_are_refused():
    with pytest.raises(PssegError, match="do not fit together"):
        fit_spectra(measured([1.0, 2.0]), exposures(1), BANDS, curved=True)
