"""The point-spread function conserves photons, and the shipped one is that of the LAT's tables."""

from __future__ import annotations

import runpy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from psseg.errors import PssegError
from psseg.survey.instrument import CountsInstrument, KingMixture

DERIVATION = Path(__file__).parents[2] / "docs" / "derivations" / "lat_response.py"

PSF_TABLE = {
    "core_fraction": 0.9,
    "core_sigma": 0.04,
    "core_gamma": 1.8,
    "tail_sigma": 0.4,
    "tail_gamma": 4.0,
}
TABLE = {
    "exposure_per_year": 4.46e10,
    "relative_exposure": [0.7, 1.0],
    "psf": [PSF_TABLE, {**PSF_TABLE, "core_sigma": 0.02}],
}

mixtures = st.builds(
    KingMixture,
    core_fraction=st.floats(0.0, 1.0),
    core_sigma=st.floats(0.02, 2.0),
    core_gamma=st.floats(1.3, 10.0),
    tail_sigma=st.floats(0.02, 2.0),
    tail_gamma=st.floats(1.3, 10.0),
)


@pytest.fixture
def psf() -> KingMixture:
    return KingMixture(**PSF_TABLE)


def square_containment(psf: KingMixture, side: float) -> float:
    """Containment of a square about the source: that of circles, averaged over direction."""
    angle = (np.arange(20_000) + 0.5) / 20_000 * np.pi / 4
    return float(psf.containment(side / 2 / np.cos(angle)).mean())


@pytest.mark.parametrize("radius", [0.01, 0.1, 0.5, 3.0])
def test_containment_is_the_integral_of_density(psf, radius):
    integral, _ = quad(lambda r: 2 * np.pi * r * psf.density(r), 0, radius, points=[radius / 10])

    assert psf.containment(radius) == pytest.approx(integral, rel=1e-6)


def test_containment_goes_from_zero_to_one(psf):
    assert psf.containment([0.0, 1e4]) == pytest.approx([0.0, 1.0], abs=1e-6)


@given(psf=mixtures, fraction=st.floats(0.01, 0.99))
def test_containment_radius_inverts_containment(psf, fraction):
    radius = psf.containment_radius(fraction)

    assert psf.containment(radius) == pytest.approx(fraction, rel=1e-6)


def test_containment_radius_of_a_single_king_function():
    psf = KingMixture(
        core_fraction=1.0, core_sigma=0.1, core_gamma=2.0, tail_sigma=0.1, tail_gamma=2.0
    )

    # 1 - (1 + r^2 / 4 s^2)^-1 = 1/2 at r = 2 s
    assert psf.containment_radius(0.5) == pytest.approx(0.2)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_containment_radius_refuses_what_is_no_fraction(psf, fraction):
    with pytest.raises(PssegError, match="containment fraction must be 0 to below 1"):
        psf.containment_radius(fraction)


@pytest.mark.parametrize("n", [1, 3, 11, 65])
@pytest.mark.parametrize("core_sigma", [0.02, 0.04, 0.3])
def test_kernel_sums_to_the_containment_of_its_square(core_sigma, n):
    psf = KingMixture(**{**PSF_TABLE, "core_sigma": core_sigma})

    kernel = psf.kernel(n, 0.1)

    assert kernel.shape == (n, n)
    assert kernel.sum() == pytest.approx(square_containment(psf, n * 0.1), rel=1e-3)


@pytest.mark.parametrize(("dx", "dy"), [(0.5, 0.5), (0.3, -0.2), (-0.5, 0.0), (0.11, 0.49)])
def test_kernel_holds_all_photons_wherever_in_the_pixel_the_source_is(dx, dy):
    psf = KingMixture(**{**PSF_TABLE, "core_sigma": 0.02})

    assert psf.kernel(201, 0.1, dx=dx, dy=dy).sum() == pytest.approx(1, abs=1e-3)


def test_kernel_follows_the_source():
    psf = KingMixture(
        core_fraction=0.8, core_sigma=0.1, core_gamma=6.0, tail_sigma=0.2, tail_gamma=8.0
    )
    y, x = np.mgrid[:41, :61]

    kernel = psf.kernel((41, 61), 0.1, dx=0.3, dy=-4.2)

    assert kernel.shape == (41, 61)
    assert (kernel * x).sum() / kernel.sum() == pytest.approx(30 + 0.3, abs=2e-3)
    assert (kernel * y).sum() / kernel.sum() == pytest.approx(20 - 4.2, abs=2e-3)


def test_kernel_is_symmetric_about_a_centred_source(psf):
    kernel = psf.kernel(9, 0.1)

    assert np.allclose(kernel, kernel.T)
    assert np.allclose(kernel, kernel[::-1])


@pytest.mark.parametrize("shape", [4, 0, (5, 6)])
def test_kernel_refuses_a_shape_without_a_centre(psf, shape):
    with pytest.raises(PssegError, match="must be odd"):
        psf.kernel(shape, 0.1)


def test_kernel_refuses_a_pixel_without_size(psf):
    with pytest.raises(PssegError, match="pixel_scale must be a number above 0"):
        psf.kernel(5, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"core_fraction": 1.2}, "core_fraction must be a number 0 to 1, not 1.2"),
        ({"core_fraction": "most"}, "core_fraction in .* must be a number, not 'most'"),
        ({"core_sigma": 0.0}, "core_sigma must be a number above 0, not 0.0"),
        ({"tail_gamma": 1.0}, "tail_gamma must be a number above 1, not 1.0"),
        ({"tail_gamma": "steep"}, "tail_gamma in .* must be a number, not 'steep'"),
        ({"core_width": 0.1}, "unknown key 'core_width'"),
    ],
)
def test_psf_tables_are_checked(change, message):
    table = {**TABLE, "psf": [PSF_TABLE, {**PSF_TABLE, **change}]}

    with pytest.raises(PssegError, match=message) as error:
        CountsInstrument.from_table(table)
    assert "survey [[instrument.psf]] number 2" in str(error.value)


def test_instrument_from_its_table():
    instrument = CountsInstrument.from_table(TABLE)

    assert instrument.n_bands == 2
    assert instrument.psf[1].core_sigma == 0.02
    assert instrument.band_exposure(10) == pytest.approx([3.122e11, 4.46e11])
    assert instrument.years == (1.0, 20.0)


def test_instrument_cannot_be_changed():
    instrument = CountsInstrument.from_table(TABLE)

    with pytest.raises(ValueError, match="read-only"):
        instrument.relative_exposure[0] = 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exposure": 1.0}, r"unknown key 'exposure' in survey \[instrument\]"),
        (
            {"exposure_per_year": -1},
            r"survey \[instrument\]: exposure_per_year must be a number above 0",
        ),
        (
            {"relative_exposure": [1, 0]},
            "every relative_exposure must be a number above 0, not .*0",
        ),
        ({"relative_exposure": [1.0]}, r"relative_exposure has shape \(1,\) for 2 PSFs"),
        ({"relative_exposure": ["high", 1]}, "relative_exposure must be numbers"),
        ({"relative_exposure": [[1, 2], 1]}, "relative_exposure must be numbers"),
        ({"years": [5, 1]}, "years must be two positive numbers in rising order"),
        ({"variation": 1.0}, "variation in .* must be a list of 2 numbers"),
        ({"variation": [1.1, 1.4]}, "variation must lie on both sides of 1"),
        ({"variation": ["low", "high"]}, "variation in .* must be a list of 2 numbers"),
        ({"psf": PSF_TABLE}, r"psf must be \[\[instrument.psf\]\] tables"),
        ({"psf": [PSF_TABLE, {}]}, "missing key 'core_fraction' in .* number 2"),
    ],
)
def test_instrument_table_is_checked(change, message):
    with pytest.raises(PssegError, match=message):
        CountsInstrument.from_table({**TABLE, **change})


@pytest.mark.parametrize("key", TABLE)
def test_instrument_table_must_be_complete(key):
    table = {other: value for other, value in TABLE.items() if other != key}

    with pytest.raises(PssegError, match=rf"missing key '{key}' in survey \[instrument\]"):
        CountsInstrument.from_table(table)


def test_band_exposure_refuses_no_time():
    with pytest.raises(PssegError, match="years must be a number above 0"):
        CountsInstrument.from_table(TABLE).band_exposure(0)


def test_shipped_response_is_that_of_the_irf_tables(data_folder):
    from psseg.survey.survey import load_survey

    survey = load_survey("fermi-lat")
    derivation = runpy.run_path(str(DERIVATION))
    response = derivation["read_response"](data_folder / "lat" / "irfs")
    bands = list(pairwise(survey.energy_edges))

    radii = [psf.containment_radius(0.68) for psf in survey.instrument.psf]
    tables = [derivation["band_radius"](response, 0.68, *band) for band in bands]
    exposures = [derivation["relative_exposure"](response, *band) for band in bands]

    assert radii == pytest.approx(tables, rel=0.05)
    assert survey.instrument.relative_exposure == pytest.approx(exposures, rel=0.01)
