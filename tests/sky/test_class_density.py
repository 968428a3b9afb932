"""The priors: how many sources of each class there are at a place and flux."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from psseg.sky.class_density import class_density
from psseg.sky.sources import draw_band_fractions, number_above, sky_density
from psseg.survey.classes import SOURCE_CLASSES, class_of_code
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
POPULATIONS = {p.code: p for p in SURVEY.populations}


def test_priors_are_the_counts_at_a_place():
    glon, glat = np.array([20.0, 150.0]), np.array([0.5, 70.0])
    density = class_density(SURVEY, glon=glon, glat=glat)
    pulsars = [POPULATIONS["psr"], POPULATIONS["msp"]]
    expected = sum(number_above(p, 3e-10) * sky_density(p, glon, glat) for p in pulsars)
    assert density.shape == (2, 3)
    assert density[:, 0] == pytest.approx(expected)


def test_priors_with_flux_are_its_derivative():
    flux, step = np.array([3e-10, 2e-9]), 1e-4
    where = {"glon": np.array([40.0, 40.0]), "glat": np.array([30.0, 30.0])}
    density = class_density(SURVEY, flux=flux, **where)
    blazars = [p for p in SURVEY.populations if p.source_class == "blazar"]
    per_ln = sum(number_above(p, flux * (1 - step)) - number_above(p, flux * (1 + step))
                 for p in blazars) / (2 * step)  # fmt: skip
    assert density[:, 1] == pytest.approx(per_ln / (4 * np.pi), rel=0.05)


def test_priors_where_there_is_no_flux():
    where = {"glon": np.array([40.0, 40.0]), "glat": np.array([5.0, 5.0])}
    with_gaps = class_density(SURVEY, flux=np.array([np.nan, 1e-9]), **where)
    assert with_gaps[0] == pytest.approx(class_density(SURVEY, **where)[0])


def test_below_the_faintest_of_a_population_its_density_stays():
    where = {"glon": np.full(3, 30.0), "glat": np.full(3, 0.5)}
    density = class_density(SURVEY, flux=np.array([1.3e-10, 8e-11, 4e-11]), **where)
    assert np.all(density[1:, 2] > 0.7 * density[0, 2])


@given(glon=st.floats(0, 360), glat=st.floats(-90, 90), log_flux=st.floats(-14, -4))
def test_no_class_is_ever_impossible(glon, glat, log_flux):
    where = {"glon": np.array([glon]), "glat": np.array([glat])}
    density = class_density(SURVEY, flux=np.array([10**log_flux]), **where)
    assert np.all(np.isfinite(density) & (density > 0))


def test_blazars_rule_the_high_latitudes_alone():
    density = class_density(SURVEY, glon=np.array([15.0, 15.0]), glat=np.array([0.0, 60.0]))
    assert density[0, 1] < 0.2 * density[0].sum()
    assert density[1, 1] > 0.8 * density[1].sum()


# --- fluxes above 10 GeV alone ---------------------------------------------------------------

UPPER = SURVEY.energy_edges[:-1] > 9.9


def test_in_the_upper_bands_priors_are_what_populations_show_there():
    rng = np.random.default_rng(1)
    glon, glat = np.array([30.0]), np.array([15.0])
    flux, width, expected = 3e-11, 0.2, np.zeros(3)
    for population in SURVEY.populations:
        if not population.source_class:
            continue
        grid = np.geomspace(*population.flux_range, 400)
        between = -np.diff(number_above(population, grid))
        middle = np.sqrt(grid[1:] * grid[:-1])
        shares = draw_band_fractions(population, SURVEY.energy_edges, 2000, rng)[:, UPPER].sum(1)
        near = np.abs(np.log(middle[:, None] * shares / flux)) < width
        number = (between[:, None] * near).sum() / 2000 / (2 * width)
        column = SOURCE_CLASSES.index(population.source_class)
        expected[column] += number * sky_density(population, glon, glat)[0]
    density = class_density(SURVEY, glon=glon, glat=glat, flux=np.array([flux]), bands=UPPER)
    assert density[0] == pytest.approx(expected, rel=0.2)


def test_pulsars_are_rarer_above_10_gev():
    where = {"glon": np.array([40.0]), "glat": np.array([30.0])}
    whole = class_density(SURVEY, **where)[0]
    upper = class_density(SURVEY, bands=UPPER, **where)[0]
    assert upper[0] / upper.sum() < 0.4 * whole[0] / whole.sum()


@pytest.mark.data
@pytest.mark.parametrize(("latitudes", "tolerance"), [((10, 90), 0.03), ((0, 10), 0.06)])
@pytest.mark.parametrize("with_flux", [True, False])
def test_priors_above_10_gev_are_the_shares_of_3fhl(data_folder, latitudes, tolerance, with_flux):
    table = fits.getdata(data_folder / "lat" / "catalogues" / "gll_psch_v13.fit.gz", 1)
    classes = np.array([int(class_of_code(code.strip()) or 0) for code in table["CLASS"]])
    low, high = latitudes
    glat = np.abs(table["GLAT"])
    table = table[zone := (classes > 0) & (glat >= low) & (glat < high)]
    density = class_density(
        SURVEY,
        glon=table["GLON"].astype(float),
        glat=table["GLAT"].astype(float),
        flux=table["Flux"].astype(float) if with_flux else None,
        bands=UPPER,
    )
    shares = (density / density.sum(axis=1, keepdims=True)).mean(axis=0)
    assert shares == pytest.approx([np.mean(classes[zone] == n) for n in (1, 2, 3)], abs=tolerance)
