"""A survey is what its file says, and a file that says something wrong is refused by name."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.sky.spectra import integrate_table
from psseg.survey.classes import class_of_code
from psseg.survey.survey import list_surveys, load_survey, parse_survey


@pytest.fixture(scope="module")
def change(lat):
    """Parse the shipped file after replacing a piece of text that it holds."""

    def parse(old, new):
        assert old in lat.text
        return parse_survey(lat.text.replace(old, new, 1), where="mine.toml")

    return parse


def test_the_lat_is_shipped(lat):
    assert "fermi-lat" in list_surveys()
    assert lat.name == "fermi-lat"
    assert lat.kind == "counts"
    assert lat.telescopes == ("GLAST", "FERMI")


def test_bands_follow_the_edges(lat):
    assert lat.n_bands == len(lat.instrument.psf) == 8
    assert lat.band_names[0] == "0.3162-0.5012 GeV"
    assert lat.band_names[-1] == "50.12-1995 GeV"


def test_ten_bins_a_decade_sum_into_the_bands(lat):
    exponents = 10 * np.log10(lat.energy_edges)
    assert exponents == pytest.approx(np.rint(exponents), abs=1e-5)


def test_a_survey_is_loaded_from_a_file(lat, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(lat.text.replace('"fermi-lat"', '"mine"', 1), "utf-8")
    mine = load_survey(path)
    assert mine.name == "mine"
    assert mine.populations == lat.populations


def test_a_survey_may_say_which_photons_it_is_for(lat, change):
    assert (lat.event_class, lat.event_type) == (128, 3)
    mine = change('kind = "counts"', 'kind = "counts"\nevent_class = 1024\nevent_type = 32')
    assert (mine.event_class, mine.event_type) == (1024, 32)
    with pytest.raises(PssegError, match=r"event_type in mine.toml must be a number, not 'PSF3'"):
        change('kind = "counts"', 'kind = "counts"\nevent_type = "PSF3"')


def test_a_survey_cannot_be_changed(lat):
    with pytest.raises(FrozenInstanceError):
        lat.pixel_scale = 0.05


@pytest.mark.parametrize("name", ["fermi", "fermi.toml", "nowhere/fermi-lat.toml"])
def test_a_survey_that_is_not_there(name):
    with pytest.raises(PssegError, match=f"no survey '{name}': want one of fermi-lat"):
        load_survey(name)


def test_a_folder_is_no_survey(tmp_path):
    with pytest.raises(PssegError, match="no survey"):
        load_survey(tmp_path)


def test_text_that_is_no_toml():
    with pytest.raises(PssegError, match=r"mine.toml: not a TOML file: Invalid value"):
        parse_survey("name = ", where="mine.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", r"unknown key 'titel' in mine.toml"),
        ('name = "fermi-lat"', "", r"missing key 'name' in mine.toml"),
        ("[labels]", "[label]", r"unknown key 'label' in mine.toml"),
        ("detectable_ts =", "ts =", r"unknown key 'ts' in mine.toml \[labels\]"),
        ("detectable_ts = 12.0", "", r"missing key 'detectable_ts' in mine.toml \[labels\]"),
        ("hard_share =", "hard =", r"unknown key 'hard' in mine.toml \[diffuse\]"),
        (
            "exposure_per_year =",
            "exposure =",
            r"unknown key 'exposure' in mine.toml \[instrument\]",
        ),
        (
            'code = "glc"',
            'kode = "glc"',
            r"unknown key 'kode' in mine.toml \[\[populations\]\] globular cluster",
        ),
    ],
)
def test_a_wrong_key_is_named(change, old, new, message):
    with pytest.raises(PssegError, match=message):
        change(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "counts"', 'kind = "photons"', "kind is 'photons', want 'counts'"),
        ("pixel_scale = 0.1", 'pixel_scale = "0.1"', "pixel_scale in mine.toml must be a number"),
        ("pixel_scale = 0.1", "pixel_scale = 0", "pixel_scale must be above 0 deg, not 0"),
        ('["GLAST", "FERMI"]', '"GLAST"', "telescopes in mine.toml must be a list of texts"),
        ("[0.316228,", "[0.6,", "energy_edges must be two or more numbers, positive and rising"),
        ("[0.316228,", "[0,", "energy_edges must be two or more numbers, positive and rising"),
        ("[0.316228, 0.501187,", "[0.501187,", "7 bands .* but 8 entries of .*instrument.psf"),
        ("radius = 0.15", "radius = 0", "want a positive radius"),
        ("invisible_ts = 5.0", "invisible_ts = 25", "0 < invisible_ts <= detectable_ts"),
        ("invisible_ts = 5.0", 'invisible_ts = "5"', r"invisible_ts in .*\[labels\] must be a num"),
    ],
)
def test_a_wrong_value_is_named(change, old, new, message):
    with pytest.raises(PssegError, match=message):
        change(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gas_energy = [0.313, ", "gas_energy = [", "gas_e2dnde must have 11 entries, as gas_en"),
        ("hard_e2dnde = [0.80, ", "hard_e2dnde = [", "hard_e2dnde must have 12 entries"),
        ("[10.0, 60.0, 135.0]", "[60.0, 135.0]", "every row of profile_intensity must have 2 ent"),
        ("[10.0, 60.0, 135.0]", "[60.0, 10.0, 135.0]", "profile_longitude must be two or more"),
        ("[10.0, 60.0, 135.0]", "[-10.0, 60.0, 135.0]", "numbers, not negative and rising"),
        ("isotropic_scatter = 0.15", "isotropic_scatter = []", "isotropic_scatter in .* a number"),
        ("structure_rms = [0.05, 0.6]", "structure_rms = 0.6", "structure_rms .* list of 2 numb"),
    ],
)
def test_diffuse_tables_must_fit_together(change, old, new, message):
    with pytest.raises(PssegError, match=message):
        change(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source_class = "blazar"', 'source_class = "agn"', "source_class is 'agn', want one of"),
        ('spectrum = "plec4"', 'spectrum = "plec"', "young pulsar: spectrum is 'plec', want one"),
        ("flux_slopes = [2.02, 3.2]", "flux_slopes = [2.02]", "one of flux_slopes more than of"),
        (
            "flux_slopes = [2.02, 3.2]",
            "flux_slopes = [1.0, 3.2]",
            "flux_slopes is exactly 1, which",
        ),
        ("flux_breaks = [2.1e-8]", "flux_breaks = [2e-5]", "flux_range with flux_breaks must be"),
        ("n_above = 177", "n_above = 0", "want n_above above 0"),
        ("n_above = 177", 'n_above = "many"', r"n_above in .*quasar must be a number, not 'many'"),
        ("reference_flux = 1e-9", "reference_flux = 1e-3", "reference_flux between 0 and 2e-06"),
        (
            "latitude_weights = [0.6, 0.4]",
            "latitude_weights = [0.6]",
            "one of latitude_weights per",
        ),
        ("latitude_weights = [0.6, 0.4]", "latitude_weights = [0.6, 0.1]", "with sum 1"),
        ("latitude_scales = [0.55, 5.0]", "latitude_scales = [0.55, -5]", "must not be negative"),
        ("extended_fraction = 0.67", "extended_fraction = 67", "must be 0 to 1, not 67"),
        ("index = [2.42, 0.22]", "index = 2.42", "index in .* must be a list of 2 numbers"),
    ],
)
def test_populations_are_checked(change, old, new, message):
    with pytest.raises(PssegError, match=message):
        change(old, new)


def test_populations_must_be_tables(lat):
    text = lat.text[: lat.text.index("[[populations]]")]
    with pytest.raises(PssegError, match=r"populations must be \[\[populations\]\] tables"):
        parse_survey('populations = "all"\n' + text)


def test_a_part_must_be_a_table(lat):
    text = lat.text.replace("[labels]", "[other]", 1)
    with pytest.raises(PssegError, match=r"survey \[labels\] must be a table"):
        parse_survey("labels = 3\n" + text.replace("[other]", "[[populations]]", 1))


def test_each_population_has_the_class_of_its_code(lat):
    for population in lat.populations:
        named = class_of_code(population.code)
        assert population.source_class == ("" if named is None else named.name.lower())


@pytest.mark.data
def test_isotropic_intensity_is_that_of_the_lat_collaboration_less_faint_blazars(lat, data_folder):
    path = data_folder / "lat" / "diffuse" / "iso_P8R3_SOURCE_V3_v1.txt"
    energy, intensity, _ = np.loadtxt(path, unpack=True)
    theirs = integrate_table(energy / 1e3, energy**2 * intensity / 1e3, lat.energy_edges)
    ours = integrate_table(
        lat.diffuse.isotropic_energy, lat.diffuse.isotropic_e2dnde, lat.energy_edges
    )
    # The rest of it is faint blazars, which are simulated (tests/sky/test_sources.py).
    assert ours / theirs == pytest.approx(0.74, abs=0.02)
