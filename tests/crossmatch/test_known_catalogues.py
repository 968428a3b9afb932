"""Published catalogues against each other: counts and pairs that are known."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from psseg.crossmatch import (
    ColumnChoice,
    MatchOptions,
    crossmatch,
    make_sky_table,
    read_reference,
)
from psseg.crossmatch.ellipses import sigmas_of
from psseg.errors import PssegWarning

pytestmark = pytest.mark.data

INSIDE_R95 = MatchOptions(method="error", confidence=0.95)

BAT_ERROR = 112
"""Standard deviation in arcsec of a typical BAT position, known to 4 arcmin at 90 % (Oh et al.
2018, ApJS 235, 4)."""


def read(path, **choice):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PssegWarning)  # of missing errors and units
        return read_reference(path, ColumnChoice(**choice))


@pytest.fixture(scope="module")
def lat_sources(data_folder):
    return read(data_folder / "lat" / "catalogues" / "gll_psc_v35.fit.gz")


@pytest.fixture(scope="module")
def lat_circles(data_folder):
    """Give them with circles of 0.2 degrees for the extended ones, which have no r95."""
    sigma = 0.2 * 3600 / sigmas_of(0.95)
    path = data_folder / "lat" / "catalogues" / "gll_psc_v35.fit.gz"
    return read(path, missing=str(sigma))


@pytest.mark.parametrize(
    ("name", "label", "rows", "inside", "by_chance"),
    [
        ("BZCAT.csv", "BZCAT", 3561, 1701, 16),
        ("3HSPR_V2.fits", "3HSP", 2055, 1082, 16),
        ("rfc_2015a_cat.key.gz", "RFC", 9120, 2105, 68),
        ("ATNF_v1.54.fits.gz", "ATNF", 2535, 262, 41),
        ("presto_psr_catalog.txt.gz", "ATNF", 4303, 419, 63),
    ],
)
def test_counterparts_inside_r95(data_folder, lat_circles, name, label, rows, inside, by_chance):
    path = data_folder / "xmatch" / name
    exact = read(path, error="0")
    assert (exact.label, len(exact)) == (label, rows)
    match = crossmatch(lat_circles, exact, replace(INSIDE_R95, shift=5.0))
    assert match.n_matched == pytest.approx(inside, abs=1)
    assert match.n_chance == pytest.approx(by_chance, abs=2 * np.sqrt(by_chance))


def test_association_finds_more_blazars_than_a_radius_at_no_more_chance(data_folder, lat_sources):
    blazars = read(data_folder / "xmatch" / "BZCAT.csv")
    match = crossmatch(lat_sources, blazars)
    assert match.n_matched > 1750
    assert match.n_chance < 0.02 * match.n_matched
    found = match.association
    left = found.pairs.left[match.accepted]
    classes = lat_sources.classes()[left]
    known = classes != ""
    assert np.mean(classes[known] == "blazar") > 0.97  # which the match did not look at


def test_the_published_bat_pairs_are_recovered(data_folder, lat_sources):
    table = Table.read(data_folder / "xmatch" / "tsuji_bat_x_lat_crossmatch.csv")
    choice = {"unit": "deg", "error": str(BAT_ERROR)}
    bat = make_sky_table(
        table, label="BAT", origin="bat", choice=ColumnChoice(ra="bat_ra", dec="bat_dec", **choice)
    )
    lat = make_sky_table(
        table,
        label="LAT",
        origin="lat",
        choice=ColumnChoice(ra="fermi_ra", dec="fermi_dec", **choice),
    )
    reach = float(table["separation"].max()) * 3600 + 1
    every = crossmatch(bat, lat, MatchOptions(method="radius", radius=reach)).association.pairs
    assert {(row, row) for row in range(len(table))} <= set(
        zip(every.left, every.right, strict=True)
    )

    published, distance, _ = lat.coords.match_to_catalog_sky(lat_sources.coords)
    still_there = distance.deg < 0.01
    match = crossmatch(bat, lat_sources)
    found = match.association
    partner = np.full(len(bat), -1)
    partner[found.pairs.left[match.accepted]] = found.pairs.right[match.accepted]
    assert still_there.sum() >= 154
    assert np.sum((partner == published)[still_there]) >= 0.95 * still_there.sum()


def test_counterparts_of_4lac_lie_on_their_radio_components(data_folder):
    components = read(data_folder / "radio" / "racs_SB38959_RACS_1357-18_aegean_comp.fits")
    blazars = read(data_folder / "lat" / "catalogues" / "table_4LAC_h.fits")
    assert (components.label, blazars.label) == ("Aegean", "4LAC")
    near = crossmatch(blazars, components, MatchOptions(method="radius", radius=5.0))
    assert near.n_matched == 6
    assert near.association.pairs.separation[near.association.best].max() * 3600 < 1.7
    in_field = MatchOptions(systematic=1.0, completeness=0.9)  # of a sky of which this is a tile
    associated = crossmatch(blazars, components, in_field)
    assert associated.n_matched == 6
