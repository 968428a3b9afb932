"""Every option of a match and of a comparison does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from psseg.crossmatch import MatchOptions, compare, crossmatch, make_sky_table

ARCSEC = 1 / 3600
NUMBER = 60


def catalogue(offset, *, error=1.0, label="cat"):
    """Give sources 0.1 deg apart, moved to the north by arcseconds."""
    number = np.arange(NUMBER)
    table = Table({
        "ra": (40 + number % 20 / 10) * u.deg,
        "dec": (number // 20 / 10 + np.broadcast_to(offset, NUMBER) * ARCSEC) * u.deg,
        "pos_err": np.full(NUMBER, error) * u.arcsec,
    })  # fmt: skip
    return make_sky_table(table, label=label, origin=f"{label}.fits")


@pytest.fixture(scope="module")
def pair():
    """Give two catalogues whose sources agree less and less."""
    return catalogue(0.0), catalogue(np.linspace(0, 8, NUMBER), label="ref")


def test_what_is_probable_enough_is_a_match(pair):
    numbers = []
    for least in (0.1, 0.5, 0.99):
        match = crossmatch(*pair, MatchOptions(minimum_probability=least, completeness=0.5))
        numbers.append(match.n_matched)
        assert match.n_matched == np.sum(match.association.p_any >= least)
    assert NUMBER > numbers[0] > numbers[1] > numbers[2] > 0


@pytest.mark.parametrize("shift", [0.05, 0.3])
def test_chance_is_measured_as_far_away_as_asked(pair, shift):
    assert crossmatch(*pair, MatchOptions(shift=shift)).chance.shift == shift


def test_without_a_shift_it_follows_from_the_errors(pair):
    shifts = [
        crossmatch(catalogue(0.0, error=error), pair[1]).chance.shift for error in (5.0, 10.0)
    ]
    assert shifts[0] < shifts[1] < 0.3


@pytest.mark.parametrize("method", ["bayes", "error", "ellipse"])
def test_a_systematic_error_widens_a_match(method):
    ours, theirs = catalogue(0.0, error=0.1), catalogue(4.0, error=0.1)
    for systematic, matched in ((0.0, 0), (4.0, NUMBER)):
        options = MatchOptions(method=method, systematic=systematic)
        assert crossmatch(ours, theirs, options).n_matched == matched


def test_a_systematic_error_widens_a_comparison():
    ours, theirs = catalogue(0.0, error=0.1), catalogue(4.0, error=0.1)
    assert len(compare(ours, theirs).pairs) == 0
    found = compare(ours, theirs, systematic=3.0)
    assert len(found.pairs) == NUMBER
    expected = 4 / np.sqrt(0.1**2 + 0.1**2 + 3**2)
    np.testing.assert_allclose(found.normalised, expected, rtol=1e-3)
