"""The radio survey is what its file says, and a file that says something wrong is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.survey import load_survey, parse_survey


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


@pytest.fixture(scope="module")
def change(radio):
    """Parse the shipped file after replacing a piece of text that it holds."""

    def parse(old, new):
        assert old in radio.text
        return parse_survey(radio.text.replace(old, new, 1), where="mine.toml")

    return parse


def test_the_radio_survey_is_shipped(radio):
    assert isinstance(radio, ContinuumSurvey)
    assert (radio.name, radio.kind) == ("radio", "continuum")
    assert "ASKAP" in radio.telescopes
    assert all(name == name.upper() for name in radio.telescopes)


def test_the_network_sees_three_planes(radio):
    assert radio.n_bands == 3
    assert radio.band_names == ("Stokes I", "spectral tilt", "Stokes V")


def test_populations_of_all_classes(radio):
    codes = {p.code: p.source_class for p in radio.populations}
    assert codes == {
        "psr": "pulsar",
        "fsrq": "blazar",
        "bll": "blazar",
        "ssagn": "other",
        "sfg": "other",
        "gps": "other",
        "fcore": "other",
        "star": "other",
    }


@pytest.mark.parametrize("source_class", SOURCE_CLASSES)
def test_every_population_has_a_fair_part_of_its_class(radio, source_class):
    weights = [p.balanced_weight for p in radio.populations if p.source_class == source_class]
    assert sum(weights) == pytest.approx(1)
    assert min(weights) > 0.05


def test_set_ups_are_those_of_the_surveys(radio):
    assert set(radio.setups) == {"racs-mid", "emu", "vlass", "lotss"}
    levers = {name: np.log(s.second_frequency / s.frequency) for name, s in radio.setups.items()}
    expected = {"racs-mid": 0.105, "emu": 0.187, "vlass": 0.336, "lotss": 0.223}
    assert levers == pytest.approx(expected, abs=1e-3)


def test_set_ups_are_within_what_is_drawn(radio):
    for setup in radio.setups.values():
        beam = np.sqrt(setup.beam[0] * setup.beam[1])
        low, high = radio.instrument.beam_pixels
        assert low <= beam / setup.pixel_scale <= high
        assert radio.instrument.beam_size[0] <= beam <= radio.instrument.beam_size[1]
        assert radio.instrument.frequency[0] <= setup.frequency <= radio.instrument.frequency[1]
        lever = np.log(setup.second_frequency / setup.frequency)
        assert radio.instrument.lever_arm[0] <= lever <= radio.instrument.lever_arm[1]


def test_a_survey_cannot_be_changed(radio):
    with pytest.raises(FrozenInstanceError):
        radio.reference_frequency = 1e9
    with pytest.raises(TypeError):
        radio.setups["mine"] = radio.setups["emu"]


def test_a_number_can_be_changed_in_the_file(change):
    mine = change("detectable_snr = 4.0", "detectable_snr = 5")
    assert mine.labels.detectable_snr == 5
    assert "detectable_snr = 5" in mine.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", r"unknown key 'titel' in mine.toml"),
        ('title = "', '# "', r"missing key 'title' in mine.toml"),
        ("[balanced]", "[balance]", r"unknown key 'balance' in mine.toml"),
        ("reference_frequency = 1.4e9", 'reference_frequency = "L"', "reference_frequency in mine"),
        ("reference_frequency = 1.4e9", "reference_frequency = 0", "reference_frequency must be"),
        ("detectable_snr", "snr", r"unknown key 'snr' in mine.toml \[labels\]"),
        ("invisible_snr = 2.5", "invisible_snr = 4.5", r"mine.toml \[labels\]: want 0 < invis"),
        ("peak_level = 0.3", "peak_level = 1.0", "peak_level between 0 and 1"),
        ("axis_ratio = [0.5, 1.0]", "axis_ratio = [0.5, 1.1]", "axis_ratio must not exceed 1"),
        ("lever_arm = [0.05, 2.3]", "lever_arm = [2.3, 0.05]", r"\[instrument\]: lever_arm must"),
        ("lever_arm = [0.05, 2.3]", "lever_arm = 1.0", "lever_arm in mine.toml"),
        ("stokes_v = 0.5", "stokes_v = 1.5", "stokes_v must be 0 to 1, not 1.5"),
        ("[setups.emu]", "[setups.emu]\nname = 'EMU'", r"unknown key 'name' .*\[setups.emu\]"),
        ("beam = [11.2, 9.3]", "beam = [9.3, 11.2]", r"\[setups.racs-mid\]: beam must be major"),
        ("rms = 3.5e-5", "rms = 0", r"\[setups.emu\]: rms must be above 0"),
        ("snapshot_fraction = 0.12", "snapshot_fraction = -1", r"snapshot_fraction must be 0 to 1"),
        ("diffuse_rms = [0.2, 4.0]", "diffuse_rms = [4.0]", r"diffuse_rms in mine.toml \[artef"),
        ("faint_slopes = [2.2, 1.5]", "faint_slopes = [2.2]", "one of faint_slopes for each"),
        ("bright_flux = 0.3", "bright_flux = 30.0", r"\[counts\]: faintest_flux, faint_fl"),
        ("snr = [2.5, 3000.0]", "snr = [3000.0, 2.5]", r"\[balanced\]: snr must be two or more"),
        ("slope = 1.7", "slope = 1", "slope other than 1"),
    ],
)
def test_a_wrong_table_is_refused_by_name(change, old, new, message):
    with pytest.raises(PssegError, match=message):
        change(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('code = "psr"', 'kode = "psr"', r"unknown key 'kode' in .*\[\[populations\]\] pulsar"),
        ('source_class = "pulsar"', 'source_class = "magnetar"', "pulsar: source_class is 'magn"),
        ("index = [-1.65, 0.65]", "index = -1.65", r"index in mine.toml .* pulsar must be a list"),
        ("index = [-1.65, 0.65]", "index = [-5, 0.65]", "want the mean index within index_range"),
        ('shapes = ["disc"]', 'shapes = ["spiral"]', "unknown shape 'spiral', want point"),
        ("shape_weights = [0.8, 0.2]", "shape_weights = [0.8]", "one of shape_weights per entry"),
        ("circular = [0.0, 0.11, 0.5]", "circular = [0.6, 0.1, 0.5]", "circular must be mean"),
        ("balanced_weight = 1.0", "balanced_weight = -1.0", "balanced_weight must not be neg"),
        ("balanced_weight = 1.0", "balanced_weight = 0.0", "no pulsar has a balanced_weight"),
        ("[populations.galactic]", "[populations.plane]", "unknown key 'plane'"),
        ("latitude_edges = [0.0, 5.0", "latitude_edges = [1.0, 5.0", "must rise from 0 to 90"),
        ("number_above = [0.093, 0.016", "number_above = [0.093", "one number above 0 per inter"),
        ("flux_range = [3.0e-6, 1.5]", "flux_range = [3.0e-2, 1.5]", "flux_range with flux_br"),
        ("0.001, 0.001, 0.003,", "0.002, 0.001, 0.003,", "shares at 1e-06 Jy add up to 1.001"),
        ("0.001, 0.001, 0.003,", "0.001, 0.003,", "share must have 13 entries, as share_fluxes"),
        ("0.001, 0.001, 0.003,", "-0.001, 0.001, 0.003,", "every share must be 0 to 1"),
    ],
)
def test_a_wrong_population_is_refused_by_name(change, old, new, message):
    with pytest.raises(PssegError, match=message):
        change(old, new)


def test_a_population_needs_one_kind_of_counts(change):
    with pytest.raises(PssegError, match=r"want either share or \[populations.galactic\]"):
        change("balanced_weight = 1.0", "balanced_weight = 1.0\nshare = [1.0]")


def test_populations_must_be_tables(radio):
    text = radio.text[: radio.text.index("[[populations]]")]
    with pytest.raises(PssegError, match="populations must be"):
        parse_survey(f"populations = [1]\n{text}", where="mine.toml")
