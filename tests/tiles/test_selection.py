"""Header cuts are understood, and photons show which sky was covered."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from small_skies import sky_wcs

from psseg.tiles.selection import covered_by_photons, outside, read_selection

SHAPE = (200, 240)
COLUMNS, ROWS = np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0]))


def header(**cuts) -> fits.Header:
    cards = {"DSTYP1": "BIT_MASK(EVENT_CLASS,128,P8R2)", "DSUNI1": "DIMENSIONLESS", "DSVAL1": "1:1"}
    for number, (kind, value) in enumerate(cuts.items(), 2):
        names = {"pos": "POS(RA,DEC)", "pos2": "POS(RA,DEC)", "galactic": "POS(L,B)"}
        cards[f"DSTYP{number}"] = names.get(kind, "ENERGY")
        cards[f"DSUNI{number}"] = "MeV" if "energy" in kind else "deg"
        cards[f"DSVAL{number}"] = value
    return fits.Header(cards)


def test_no_keywords_cut_nothing():
    selection = read_selection(fits.Header())
    assert selection.energy == (0.0, np.inf)
    assert selection.regions == ()
    assert not outside(selection, sky_wcs(SHAPE), SHAPE, pixel_scale=0.1).any()


def test_energies_of_several_cuts_intersect():
    selection = read_selection(header(energy="100:300000", energy2="1000.0:2e6"))
    assert selection.energy == pytest.approx((1.0, 300.0))
    assert read_selection(header(energy="1000:INDEF")).energy == (1.0, np.inf)


@pytest.mark.parametrize("text", ["CIRCLE(266.4,-28.9,8)", "circle( 266.40, -28.90, 8.0 )"])
def test_circle(text):
    selection = read_selection(header(pos=text))
    ((circle,),) = selection.regions
    assert circle.radius == 8.0
    mask = outside(selection, sky_wcs(SHAPE, projection="TAN"), SHAPE, pixel_scale=0.1)
    distance = 0.1 * np.hypot(COLUMNS - 119.5, ROWS - 99.5)
    assert mask[distance > 8.1].all()
    assert not mask[distance < 7.8].any()


def test_box_and_union_and_intersection():
    wcs = sky_wcs(SHAPE, projection="TAN", center=(83.6, 22.0), frame="icrs")
    box = read_selection(header(pos="BOX(83.6,22.0,10,4)"))
    mask = outside(box, wcs, SHAPE, pixel_scale=0.1)
    x, y = 0.1 * np.abs(COLUMNS - 119.5), 0.1 * np.abs(ROWS - 99.5)
    assert np.mean(mask != ((x > 5) | (y > 2))) < 0.01
    two = read_selection(header(pos="CIRCLE(83.6,22,2),CIRCLE(83.6,25,2)"))
    assert not outside(two, wcs, SHAPE, pixel_scale=0.1)[[100, 130], 120].any()
    both = read_selection(header(pos="CIRCLE(83.6,22,2)", pos2="CIRCLE(83.6,25,2)"))
    mask = outside(both, wcs, SHAPE, pixel_scale=0.1)
    assert mask[[100, 130], 120].all()
    assert not mask[115, 120]


def test_turned_box():
    wcs = sky_wcs(SHAPE, projection="TAN", center=(83.6, 22.0), frame="icrs")
    box = read_selection(header(pos="BOX(83.6,22.0,10,4,90)"))
    mask = outside(box, wcs, SHAPE, pixel_scale=0.1)
    assert not mask[140, 120]
    assert mask[100, 160]


def test_galactic_positions():
    ((circle,),) = read_selection(header(galactic="CIRCLE(0,0,5)")).regions
    assert circle.center.icrs.ra.deg == pytest.approx(266.405, abs=1e-3)


def test_circle_around_everything_cuts_nothing():
    assert read_selection(header(pos="CIRCLE(0,0,180)")).regions == ()


@pytest.mark.parametrize(
    "text", ["POLYGON(1,2,3,4,5,6)", "circle(INDEF,INDEF,5)", "-circle(1,2,3)"]
)
def test_unknown_cuts_are_reported(text):
    selection = read_selection(header(pos=text))
    assert selection.regions == ()
    assert selection.unknown == (f"POS(RA,DEC) {text}",)


def photons_in(region, per_pixel, seed):
    rng = np.random.default_rng(seed)
    number = rng.poisson(per_pixel * SHAPE[0] * SHAPE[1])
    y, x = (rng.uniform(-0.5, n - 0.5, number) for n in SHAPE)
    inside = region[np.rint(y).astype(int), np.rint(x).astype(int)]
    return x[inside], y[inside]


@settings(max_examples=25, deadline=None)
@given(per_pixel=st.floats(0.05, 3.0), seed=st.integers(0, 999))
def test_covered_sky_is_found_from_its_photons(per_pixel, seed):
    region = (np.abs(COLUMNS - 120) < 80) & (np.abs(ROWS - 100) < 60)
    covered, radius = covered_by_photons(*photons_in(region, per_pixel, seed), SHAPE)
    assert radius > 1
    depth = distance_transform_edt(region)
    assert covered[depth > radius].all(), "empty pixels inside stay"
    beyond = distance_transform_edt(~region)
    assert not covered[beyond > 2].any(), "nothing is added beyond the edge"
    assert np.count_nonzero(region & ~covered) < 0.15 * np.count_nonzero(region)


def test_plainly_empty_hole_is_found():
    hole = np.hypot(COLUMNS - 120, ROWS - 100) < 40
    covered, radius = covered_by_photons(*photons_in(~hole, 0.2, 1), SHAPE)
    assert np.count_nonzero(hole & covered) < 0.02 * np.count_nonzero(hole)
    inside = np.pad(~hole, ((1, 1), (1, 1)))
    assert covered[distance_transform_edt(inside)[1:-1, 1:-1] > radius].all()


def test_bright_plane_does_not_hide_the_sparse_sky_beside_it():
    rng = np.random.default_rng(2)
    y = np.r_[rng.normal(100, 5, 40_000), rng.uniform(-0.5, 199.5, 5_000)]
    x = rng.uniform(-0.5, 239.5, y.size)
    covered, radius = covered_by_photons(x, y, SHAPE)
    edge = int(radius)
    assert covered[edge:-edge, edge:-edge].all()
    assert covered.mean() > 0.97


@pytest.mark.parametrize("number", [0, 1, 50, 99])
def test_few_photons_tell_nothing(number):
    rng = np.random.default_rng(2)
    covered, radius = covered_by_photons(*rng.uniform(0, 30, (2, number)), SHAPE)
    assert covered.all()
    assert radius == 0
