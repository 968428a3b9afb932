"""What each number of a counts catalogue means: confidence, energy range, exposure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_skies import SURVEY, YEARS, make_sky, power_law_shares
from measured_skies import in_order, measure

from psseg.catalogue.measurement import covers_flux

SHARES, COUNTS_PER_FLUX = power_law_shares()
EXPOSURE = SURVEY.instrument.band_exposure(YEARS)
X, Y = (a.ravel() for a in np.mgrid[16:60:30.2, 16:60:30.2])
COUNTS = 30_000


@pytest.fixture(scope="module")
def bright():
    """Four sources so bright that their fluxes are known to a per cent or two."""
    sky = make_sky(np.random.default_rng(21), x=X, y=Y, counts=[COUNTS] * 4, n=64)
    return in_order(measure(sky)[1], X, Y)


def test_the_ellipse_of_95_per_cent_is_that_of_68_per_cent_grown(bright):
    ratio = np.sqrt(np.log(0.05) / np.log(0.32))  # of a round Gaussian: 1.6214
    for axis in ("Major", "Minor"):
        large, small = (bright[f"Conf_{share}_Semi{axis}"].value for share in (95, 68))
        assert large / small == pytest.approx(np.full(4, ratio), rel=1e-4)
    assert bright["Conf_95_PosAng"].value.tolist() == bright["Conf_68_PosAng"].value.tolist()


def test_the_error_of_a_flux_is_that_of_the_counts_over_the_exposure(bright):
    errors = bright["Unc_Flux_Band"].to_value("cm-2 s-1") * EXPOSURE
    assert errors == pytest.approx(bright["Unc_Counts_Band"], rel=1e-5)
    assert (bright["Unc_Counts_Band"] > 0).all()


def test_flux1000_is_that_from_1_to_100_gev(bright):
    ratio = bright["FLUX1000"].to_value("cm-2 s-1") / (COUNTS / COUNTS_PER_FLUX)
    assert np.median(ratio) == pytest.approx(1, abs=0.025)  # 6 % of it lie above 10 GeV


def test_the_observed_flux_of_the_whole_range_is_more_than_that_above_1_gev(bright):
    true = (COUNTS * SHARES / EXPOSURE).sum()
    assert np.median(bright["Observed_Flux"].value) == pytest.approx(true, rel=0.05)
    assert (bright["Observed_Flux"] > 1.5 * bright["FLUX1000"]).all()


def test_the_observed_flux_is_that_of_all_bands_that_are_there():
    present = np.arange(8) >= 5
    sky = make_sky(
        np.random.default_rng(6), x=24.3, y=23.6, counts=200_000, n=48, bands_present=present
    )
    (source,) = measure(sky)[1]
    true = (200_000 * SHARES / EXPOSURE)[present].sum()
    observed = source["Observed_Flux"].to_value("cm-2 s-1")
    assert observed == pytest.approx(true, rel=0.1)
    # Three numbers describe the spectrum in three bands: it goes through all of them.
    assert observed == pytest.approx(np.nansum(source["Flux_Band"].value), rel=0.01)
    assert np.isnan(source["FLUX1000"])


@pytest.mark.parametrize(
    ("missing", "covered"), [((0, 1), True), ((7,), True), ((2,), False), ((3,), False)]
)
def test_flux1000_needs_every_band_from_1_to_5_gev(missing, covered):
    tile = make_sky(np.random.default_rng(6), x=[], y=[], counts=[], n=32).tile
    present = ~np.isin(np.arange(8), missing)
    assert covers_flux(SURVEY, replace(tile, bands_present=present)) is covered
