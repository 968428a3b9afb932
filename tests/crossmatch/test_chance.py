"""Chance matches, measured on shifted positions."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from psseg.crossmatch import (
    ColumnChoice,
    MatchOptions,
    compare,
    crossmatch,
    joined,
    make_sky_table,
)
from psseg.crossmatch.chance import measure_chance
from psseg.crossmatch.joins import match_header
from psseg.crossmatch.positions import radius_pairs
from psseg.crossmatch.table_files import table_writer
from psseg.errors import PssegWarning


def square(rng, number, half=3.0):
    return SkyCoord(
        rng.uniform(-half, half, number) % 360, rng.uniform(-half, half, number), unit="deg"
    )


def test_the_rate_is_that_of_a_random_sky():
    rng = np.random.default_rng(4)
    field, sources, radius = square(rng, 20_000, half=5.0), square(rng, 2000), 60 / 3600

    def score(coords, rows):
        return np.isin(np.arange(len(rows)), radius_pairs(coords, field, radius).left) * 1.0

    chance = measure_chance(score, sources, shift=0.2)
    density = 20_000 / 100
    assert chance.above(1.0) == pytest.approx(1 - np.exp(-density * np.pi * radius**2), rel=0.05)
    assert chance.above(0.0) == 1


def test_shifts_are_as_far_as_asked_and_go_all_around():
    center = SkyCoord([100.0], [40.0], unit="deg")
    seen = []

    def score(coords, rows):
        seen.append((coords.separation(center[rows]).deg[0], center.position_angle(coords).deg[0]))
        return np.zeros(len(rows))

    measure_chance(score, center, shift=0.5)
    distances, angles = np.array(seen).T
    assert distances.min() == pytest.approx(0.5)
    assert np.histogram(angles, bins=4, range=(0, 360))[0].min() == 8


def test_nothing_to_shift_gives_no_rate():
    chance = measure_chance(lambda c, r: np.zeros(len(r)), SkyCoord([], [], unit="deg"), shift=1.0)
    assert np.isnan(chance.above(0.5))


def tile(rng, number, sigma=5.0):
    """Give sources spread evenly over 9 arcmin."""
    half = 4.5 / 60
    table = Table({
        "ra": (150 + rng.uniform(-half, half, number)) * u.deg,
        "dec": rng.uniform(-half, half, number) * u.deg,
        "pos_err": np.full(number, sigma) * u.arcsec,
    })  # fmt: skip
    return make_sky_table(table, label="tile", origin="tile.fits")


@pytest.mark.parametrize(
    "options",
    [{"method": "radius", "radius": 10.0}, {"method": "error"}, {"minimum_probability": 0.2}],
)
def test_unrelated_sources_of_a_small_field_are_all_expected(options):
    rng = np.random.default_rng(11)
    matches = [
        crossmatch(tile(rng, 800), tile(rng, 400), MatchOptions(**{"completeness": 0.3} | options))
        for _ in range(4)
    ]
    found, told = (sum(getattr(m, n) for m in matches) for n in ("n_matched", "n_chance"))
    assert found > 50
    assert told == pytest.approx(found, abs=4 * np.sqrt(found))


def test_pairs_of_unrelated_catalogues_are_all_expected():
    rng = np.random.default_rng(12)
    pairs = [compare(tile(rng, 300, 2.0), tile(rng, 300, 2.0)) for _ in range(4)]
    found, told = sum(len(c.pairs) for c in pairs), sum(c.n_chance for c in pairs)
    assert told == pytest.approx(found, abs=4 * np.sqrt(found))


def test_the_shift_is_shortened_to_stay_in_the_field():
    rng = np.random.default_rng(13)
    match = crossmatch(tile(rng, 100, 15.0), tile(rng, 100, 15.0))
    assert match.chance.shift == pytest.approx(2 * 5 * 15 / 3600 * 2)
    assert np.isfinite(match.n_chance)


def test_a_field_as_small_as_the_errors_tells_no_chance(tmp_path):
    rng = np.random.default_rng(14)
    with pytest.warns(PssegWarning, match="leave the reference's field"):
        match = crossmatch(tile(rng, 100, 60.0), tile(rng, 100, 60.0))
    assert np.isnan(match.n_chance)
    path = tmp_path / "m.fits"
    table_writer(joined([match]), match_header([match], "best"), path)(path)
    assert "NCHANCE" not in fits.getheader(path, 1)


def test_sources_outside_the_reference_expect_nothing():
    rng = np.random.default_rng(15)
    theirs = tile(rng, 400)
    wide = Table({"ra": rng.uniform(145, 155, 4000), "dec": rng.uniform(-5, 5, 4000)})
    ours = make_sky_table(
        wide, label="wide", origin="wide", choice=ColumnChoice(unit="deg", error="5")
    )
    match = crossmatch(ours, theirs, MatchOptions(method="radius", radius=20.0))
    rate = 1 - np.exp(-400 * np.pi * 20**2 / 540**2)
    inside = (np.abs(wide["ra"] - 150) < 0.075) & (np.abs(wide["dec"]) < 0.075)
    assert match.n_chance == pytest.approx(rate * np.count_nonzero(inside), abs=1)
