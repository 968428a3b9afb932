"""Fluxes are divided by the primary beam at their own frequency."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from made_images import make_image

from psseg.catalogue.attenuation import correct_fluxes
from psseg.catalogue.radio_ratios import add_ratios


def corrected(attenuation, frequencies=(1e9, 1.5e9, 1e9)):
    """One source of 0.6, 0.3 and 0.06 Jy where the attenuation is this, and its component."""
    image = make_image(np.zeros((3, 9, 9)), stokes=("I", "I", "V"), frequencies=frequencies)
    sources = QTable(
        {"X": [4.0], "Y": [4.0], "SEGMENT": [1], "int_flux": [0.6] * u.Jy}
        | {"plane_flux": [[0.6, 0.3, 0.06]] * u.Jy, "e_plane_flux": [[0.01, 0.01, 0.01]] * u.Jy}
    )
    components = QTable({"SEGMENT": [1], "int_flux": [0.6] * u.Jy})
    correct_fluxes(sources, components, np.full((9, 9), attenuation), image)
    return sources, components, image


def test_each_plane_has_the_attenuation_of_its_frequency():
    sources, components, image = corrected(0.5)
    for table in (sources, components):
        assert table["int_flux"][0].to_value("Jy") == pytest.approx(1.2)
    higher = 0.5 ** (1.5**2)
    assert sources["plane_flux"][0].to_value("Jy") == pytest.approx([1.2, 0.3 / higher, 0.12])
    assert sources["e_plane_flux"][0, 1].to_value("Jy") == pytest.approx(0.01 / higher)
    add_ratios(sources, image)
    assert sources["alpha"][0] == pytest.approx(np.log(0.3 / higher / 1.2) / np.log(1.5))
    assert sources["v_over_i"][0] == pytest.approx(0.1)


def test_where_the_beam_of_a_plane_is_too_low_its_flux_is_unknown():
    sources, _, image = corrected(0.2)
    assert np.isnan(sources["plane_flux"][0, 1])
    assert sources["plane_flux"][0, 2].to_value("Jy") == pytest.approx(0.3)
    add_ratios(sources, image)
    assert np.isnan(sources["alpha"][0])


def test_an_unknown_frequency_is_that_of_the_first_plane():
    sources, *_ = corrected(0.5, (np.nan, 1.5e9, np.nan))
    assert sources["plane_flux"][0].to_value("Jy") == pytest.approx([1.2, 0.6, 0.12])


def test_a_source_has_the_attenuation_of_its_own_row_and_column():
    image = make_image(np.zeros((1, 9, 12)))
    attenuation = np.ones((9, 12))
    attenuation[2, 7] = 0.5
    places = {"X": [7.2, 11.0], "Y": [1.9, 8.0], "SEGMENT": [4, 9]}
    sources = QTable(places | {"int_flux": [0.6, 0.3] * u.Jy})
    sources["plane_flux"] = sources["e_plane_flux"] = np.full((2, 3), 0.1) * u.Jy
    components = QTable({"SEGMENT": [9, 4, 4], "int_flux": [0.3, 0.4, 0.2] * u.Jy})
    correct_fluxes(sources, components, attenuation, image)
    assert sources["int_flux"].to_value("Jy") == pytest.approx([1.2, 0.3])
    assert components["int_flux"].to_value("Jy") == pytest.approx([0.3, 0.8, 0.4])
    assert sources["plane_flux"][:, 0].to_value("Jy") == pytest.approx([0.2, 0.1])
