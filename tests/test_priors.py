"""How common each class is: from the survey, alike, or as the user says."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from psseg.errors import PssegError
from psseg.priors import class_priors, read_priors

PULSAR, BLAZAR, OTHER = range(3)

GOOD = """
latitude = [0, 5, 20, 90]
pulsar = [3, 1, 0.3]
blazar = [1, 3, 10]
other = [4, 1, 0.2]
"""


@pytest.fixture
def positions():
    return SkyCoord([0.0, 120.0, 200.0], [0.5, -12.0, 80.0], unit="deg", frame="galactic").icrs


def test_balanced_priors_are_equal(lat, positions):
    assert np.allclose(class_priors("balanced", lat, positions=positions), 1 / 3)


def test_physical_priors_follow_the_sky(lat, positions):
    shares = class_priors("physical", lat, positions=positions)
    assert np.allclose(shares.sum(axis=1), 1)
    assert shares[2, BLAZAR] > 0.9
    assert shares[0, BLAZAR] < 0.5
    assert shares[0, PULSAR] > shares[2, PULSAR]


def test_a_bright_source_in_the_plane_is_less_likely_a_blazar(lat, positions):
    faint, bright = (
        class_priors("physical", lat, positions=positions, flux=np.full(3, flux))
        for flux in (3e-10, 3e-8)
    )
    assert bright[0, BLAZAR] < faint[0, BLAZAR]


def test_a_file_replaces_them_by_latitude(lat, positions, tmp_path):
    path = tmp_path / "priors.toml"
    path.write_text(GOOD)
    shares = class_priors(path, lat, positions=positions)
    assert np.allclose(shares[0], np.array([3, 1, 4]) / 8)
    assert np.allclose(shares[1], np.array([1, 3, 1]) / 5)
    assert np.allclose(shares[2], np.array([0.3, 10, 0.2]) / 10.5)


def test_one_number_per_class_is_enough(lat, positions, tmp_path):
    path = tmp_path / "priors.toml"
    path.write_text("pulsar = 1\nblazar = 2\nother = 1\n")
    assert np.allclose(class_priors(path, lat, positions=positions), [0.25, 0.5, 0.25])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "quasar = 1\n", "unknown key 'quasar'"),
        ("pulsar = 1\nblazar = 1\n", "lack 'other'"),
        (GOOD.replace("[0, 5, 20, 90]", "[0, 20, 5, 90]"), "must rise from 0 to 90"),
        (GOOD.replace("[3, 1, 0.3]", "[3, 1]"), "'pulsar' must be 3 number"),
        (GOOD.replace("[3, 1, 0.3]", "[3, 1, 0]"), "'pulsar' must be 3 number"),
        (GOOD.replace("[3, 1, 0.3]", "[3, 1, nan]"), "'pulsar' must be 3 number"),
        (GOOD.replace("[3, 1, 0.3]", "[3, 1, inf]"), "'pulsar' must be 3 number"),
        (GOOD.replace("[0, 5, 20, 90]", "[0, nan, 20, 90]"), "must rise from 0 to 90"),
        (GOOD.replace("[3, 1, 0.3]", "'many'"), "'pulsar' must be numbers"),
        ("pulsar = ", "not a TOML file of priors"),
    ],
)
def test_what_is_no_priors_file_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "priors.toml"
    path.write_text(text)
    with pytest.raises(PssegError, match=message) as caught:
        read_priors(path)
    assert "priors.toml" in str(caught.value)


def test_a_word_that_is_neither_is_taken_for_a_missing_file(lat, positions):
    with pytest.raises(PssegError, match="want 'physical', 'balanced' or a TOML file"):
        class_priors("physcal", lat, positions=positions)
