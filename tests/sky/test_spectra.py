"""Spectra: formulae against their published properties, integrals against calculus."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from psseg.sky.spectra import PLEC4_B, band_fractions, integrate_table, log_parabola, plec4

EDGES = np.array([1.0, 2.0, 5.0, 20.0, 100.0])  # GeV; together the reference range

indices = st.floats(0.5, 4.0)
curvatures = st.floats(0.0, 1.5)
pivots = st.floats(0.3, 10.0)


def power_law(index, *, low, high):
    """Integral of E^-index."""
    return (low ** (1 - index) - high ** (1 - index)) / (index - 1)


def local_index(shape, energy, **parameters):
    step = np.array([0.999, 1.001])
    dnde = shape(energy * step, **parameters)
    return -np.diff(np.log(dnde))[0] / np.diff(np.log(step))[0]


def fractions(spectrum, edges, *, pivot=1.0, index=2.0, curvature=0.0):
    return band_fractions(
        spectrum,
        np.asarray(edges),
        pivot=np.array([pivot]),
        index=np.array([index]),
        curvature=np.array([curvature]),
    )[0]


@pytest.mark.parametrize("shape", [log_parabola, plec4])
@given(pivot=pivots, index=indices, curvature=curvatures)
def test_height_and_index_at_the_pivot(shape, pivot, index, curvature):
    parameters = {"pivot": pivot, "index": index, "curvature": curvature}
    assert shape(pivot, **parameters) == 1
    assert local_index(shape, pivot, **parameters) == pytest.approx(index, abs=1e-5)


def test_log_parabola_steepens_by_two_beta_per_e_fold():
    parameters = {"pivot": 1.0, "index": 2.0, "curvature": 0.1}
    assert local_index(log_parabola, np.e, **parameters) == pytest.approx(2.2, abs=1e-6)


@given(pivot=pivots, index=st.floats(1.0, 2.5), d=st.floats(0.4, 1.5))
def test_plec4_peaks_where_the_pulsar_catalogue_says(pivot, index, d):
    # E^2 dN/dE peaks at E0 [1 + (b/d) (2 - Gamma)]^(1/b), where the local index is 2.
    peak = pivot * (1 + PLEC4_B / d * (2 - index)) ** (1 / PLEC4_B)
    found = local_index(plec4, peak, pivot=pivot, index=index, curvature=d)
    assert found == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize("index", [1.5, 2.0001, 2.4, 3.5])
def test_band_fractions_of_a_power_law(index):
    edges = np.array([0.3, 1.0, 10.0, 50.0, 2000.0])
    expected = [power_law(index, low=a, high=b) for a, b in pairwise(edges)]
    expected = np.array(expected) / power_law(index, low=1.0, high=100.0)
    assert fractions("log-parabola", edges, index=index) == pytest.approx(expected, rel=1e-3)


@given(pivot=pivots, index=indices, curvature=st.floats(0, 0.4), split=st.floats(1.1, 90.0))
def test_adjacent_bands_add_up(pivot, index, curvature, split):
    parameters = {"pivot": pivot, "index": index, "curvature": curvature}
    parts = fractions("log-parabola", [1.0, split, 100.0], **parameters)
    assert parts.sum() == pytest.approx(1, rel=2e-3)


@given(pivot=pivots, index=st.floats(1.0, 3.0), d=st.floats(0.2, 1.2))
def test_bands_that_make_up_the_reference_range_hold_all_of_it(pivot, index, d):
    parts = fractions("plec4", EDGES, pivot=pivot, index=index, curvature=d)
    assert np.all(parts >= 0)
    assert parts.sum() == pytest.approx(1, rel=5e-3)


def test_a_curved_spectrum_is_softer_at_the_ends():
    straight = fractions("log-parabola", EDGES, pivot=5.0)
    curved = fractions("log-parabola", EDGES, pivot=5.0, curvature=0.3)
    assert curved[-1] / curved[1] < straight[-1] / straight[1]
    assert curved[0] / curved[1] < straight[0] / straight[1]


@pytest.mark.parametrize("index", [1.5, 2.0001, 2.7])
def test_table_of_a_power_law(index):
    energy = np.geomspace(0.1, 3000, 12)
    bands = integrate_table(energy, energy ** (2 - index), EDGES)
    expected = [power_law(index, low=a, high=b) for a, b in pairwise(EDGES)]
    assert bands == pytest.approx(expected, rel=1e-5)


def test_softening_turns_the_table_about_two_gev():
    energy = np.geomspace(0.1, 3000, 12)
    softened = integrate_table(energy, energy**-0.4, EDGES, softening=0.3)
    steeper = integrate_table(energy, energy**-0.7, EDGES)
    assert softened == pytest.approx(steeper * 2.0**0.3, rel=1e-6)


def test_beyond_its_ends_a_table_goes_on_as_e_to_the_minus_two():
    bands = integrate_table([1.0, 10.0], [1.0, 1.0], np.array([10.0, 100.0]))
    assert bands == pytest.approx([power_law(2.0, low=10, high=100)], rel=1e-3)


@pytest.mark.data
@pytest.mark.parametrize(
    ("kind", "shape", "prefix", "names"),
    [
        ("LogParabola", log_parabola, "LP", ("LP_Index", "LP_beta")),
        ("PLSuperExpCutoff", plec4, "PLEC", ("PLEC_IndexS", "PLEC_ExpfactorS")),
    ],
)
def test_parameters_of_4fgl_give_its_fluxes(data_folder, kind, shape, prefix, names):
    table = fits.getdata(data_folder / "lat" / "catalogues" / "gll_psc_v35.fit.gz", 1)
    table = table[table["SpectrumType"] == kind]
    if shape is plec4:  # the brightest pulsars have a free b
        table = table[np.abs(table["PLEC_Exp_Index"] - PLEC4_B) < 1e-3]
    table = table[:400]
    energy = np.geomspace(1, 100, 1001)  # GeV; densities are per MeV
    index, curvature = (np.asarray(table[name], float)[:, None] for name in names)
    pivot = np.asarray(table["Pivot_Energy"], float)[:, None] / 1e3
    dnde = shape(energy, pivot=pivot, index=index, curvature=curvature)
    dnde *= np.asarray(table[f"{prefix}_Flux_Density"], float)[:, None] * 1e3
    flux = np.trapezoid(dnde * energy, np.log(energy), axis=1)
    assert np.percentile(np.abs(flux / table["Flux1000"] - 1), 95) < 2e-3
