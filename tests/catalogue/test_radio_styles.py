"""Each column of another source finder's style holds what that finder means by its name."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from made_catalogues import radio_catalogue, radio_components

from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS
from psseg.catalogue.radio_styles import STYLES, own_style, styled

MEANINGS = {
    "pybdsf": """
        RA ra deg; E_RA e_ra deg; DEC dec deg; E_DEC e_dec deg; Total_flux int_flux Jy;
        E_Total_flux e_int_flux Jy; Peak_flux peak_flux Jy/beam; E_Peak_flux e_peak_flux Jy/beam;
        Maj maj deg; E_Maj e_maj deg; Min min deg; E_Min e_min deg; PA pa deg; E_PA e_pa deg;
        DC_Maj dc_maj deg; DC_Min dc_min deg; DC_PA dc_pa deg; Isl_rms rms_image Jy/beam;
        Isl_mean mean_image Jy/beam; Resid_Isl_rms resid_rms Jy/beam;
        Resid_Isl_mean resid_mean Jy/beam; Isl_id SEGMENT -""",
    "casda": """
        component_name Source_Name -; island_id SEGMENT -; ra_deg_cont ra deg; dec_deg_cont dec deg;
        ra_err e_ra arcsec; dec_err e_dec arcsec; freq freq MHz; flux_peak peak_flux mJy/beam;
        flux_peak_err e_peak_flux mJy/beam; flux_int int_flux mJy; flux_int_err e_int_flux mJy;
        maj_axis maj arcsec; min_axis min arcsec; pos_ang pa deg; maj_axis_err e_maj arcsec;
        min_axis_err e_min arcsec; pos_ang_err e_pa deg; maj_axis_deconv dc_maj arcsec;
        min_axis_deconv dc_min arcsec; pos_ang_deconv dc_pa deg; spectral_index alpha -;
        spectral_index_err e_alpha -; rms_image rms_image mJy/beam;
        rms_fit_gauss resid_rms mJy/beam""",
    "aegean": """
        island SEGMENT -; background mean_image Jy/beam; local_rms rms_image Jy/beam; ra ra deg;
        err_ra e_ra deg; dec dec deg; err_dec e_dec deg; peak_flux peak_flux Jy/beam;
        err_peak_flux e_peak_flux Jy/beam; int_flux int_flux Jy; err_int_flux e_int_flux Jy;
        a maj arcsec; err_a e_maj arcsec; b min arcsec; err_b e_min arcsec; pa pa deg;
        err_pa e_pa deg; residual_mean resid_mean Jy/beam; residual_std resid_rms Jy/beam;
        flags Flags -""",
}
"""Name there, name in psseg, and unit, as the finders' documents have them."""

SIZES = {"Jy": 1.0, "Jy/beam": 1.0, "mJy": 1e3, "mJy/beam": 1e3, "deg": 1.0, "arcsec": 3600.0}
SIZES |= {"MHz": 1e-6, "-": 1}


def meanings(style):
    return [entry.split() for entry in MEANINGS[style].split(";")]


@pytest.fixture(scope="module")
def catalogue():
    """Five sources, no two columns of which are alike."""
    return radio_catalogue(5)


@pytest.mark.parametrize("style", MEANINGS)
def test_every_column_holds_what_its_name_means(catalogue, style):
    made = styled(catalogue, style)
    named = {there: own for there, own, _ in meanings(style)}
    assert {own: there for there, own in named.items()} == {
        own: there for own, (there, _) in STYLES[style].items()
    }
    for there, own, unit in meanings(style):
        column, origin = made[there], catalogue[own]
        if unit != "-":
            assert column.unit == u.Unit(unit), there
            np.testing.assert_allclose(column.value, origin.value * SIZES[unit], rtol=1e-6)
        else:
            assert not getattr(column, "unit", None), there
            np.testing.assert_array_equal(column, origin)
    for own in set(catalogue.colnames) - set(named.values()):
        np.testing.assert_array_equal(made[own], catalogue[own])


@pytest.mark.parametrize("style", MEANINGS)
def test_components_have_the_same_names_and_units(style):
    components = radio_components(5)
    made = styled(components, style)
    for there, own, unit in meanings(style):
        if own in components.colnames and unit != "-":
            expected = components[own].value * SIZES[unit]
            np.testing.assert_allclose(made[there].to_value(unit), expected, rtol=1e-6)


@pytest.mark.parametrize("style", MEANINGS)
def test_a_style_can_be_taken_off_again(catalogue, style):
    for table, columns in (
        (catalogue, RADIO_COLUMNS), (radio_components(5), COMPONENT_COLUMNS),
    ):  # fmt: skip
        back = own_style(styled(table, style), columns)
        assert back.colnames == table.colnames
        for name in table.colnames:
            found, wanted = (getattr(one[name], "value", one[name]) for one in (back, table))
            if table[name].dtype.kind == "f":
                np.testing.assert_allclose(found, wanted, rtol=1e-6)
                assert getattr(back[name], "unit", None) == getattr(table[name], "unit", None)
            else:
                np.testing.assert_array_equal(found, wanted)
