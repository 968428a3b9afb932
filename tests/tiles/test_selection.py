"""Header cuts are understood, and photons show which sky was covered."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from small_skies import StandInSurvey, sky_wcs

from psseg.errors import PssegWarning
from psseg.tiles.selection import (
    covered_by_photons,
    outside,
    read_selection,
    warn_of_selection,
)

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


def lat_header(event_class=128, event_type=3, zenith="0:90", version="P8R3"):
    """DSS keywords as the LAT's tools write them; None leaves one out."""
    cuts = [
        (event_class and f"BIT_MASK(EVENT_CLASS,{event_class},{version})", "DIMENSIONLESS", "1:1"),
        ("TIME", "s", "TABLE"),
        (event_type and f"BIT_MASK(EVENT_TYPE,{event_type},{version})", "DIMENSIONLESS", "1:1"),
        ("ENERGY", "MeV", "100:500000"),
        (zenith and "ZENITH_ANGLE", "deg", zenith),
    ]
    found = fits.Header()
    for number, words in enumerate((cut for cut in cuts if cut[0]), 1):
        for key, word in zip(("DSTYP", "DSUNI", "DSVAL"), words, strict=True):
            found[f"{key}{number}"] = word
    return found


def test_photons_and_zenith_angles_are_read():
    selection = read_selection(lat_header(zenith="0.0:100"))
    assert selection.event_classes == (128,)
    assert selection.event_types == (3,)
    assert selection.zenith == 100.0
    assert read_selection(fits.Header()).zenith == np.inf


@pytest.mark.parametrize(
    "cuts",
    [
        {},
        {"zenith": "0:105"},
        {"event_type": None},
        {"event_type": 60},  # PSF0 to PSF3 are all photons, too
        {"event_class": None, "event_type": None, "zenith": None},
    ],
)
def test_the_photons_of_the_survey_are_not_remarked_on(cuts):
    assert warn_of_selection(read_selection(lat_header(**cuts)), StandInSurvey(), name="a") == ()


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        ({"event_class": 1024}, "a.fits: photons of event class 1024; fermi-lat is for event class "
         "128, event type 3: others have another PSF or background than its network knows"),
        ({"event_type": 32}, "a.fits: photons of event type 32; fermi-lat"),
        ({"event_class": 2, "event_type": 1}, "photons of event class 2 and event type 1; "),
        ({"zenith": None}, "a.fits: no cut in zenith angle: the Earth's limb is among the photons; "
         "select zmax=90 with gtselect"),
        ({"version": "P7REP"}, "a.fits: photons of P7REP, not of Pass 8: they have another PSF"),
        ({"zenith": "0:180"}, "a.fits: zenith angles up to 180 deg: the Earth's limb"),
    ],
)  # fmt: skip
def test_other_photons_are_told(cuts, message):
    selection = read_selection(lat_header(**cuts))
    with pytest.warns(PssegWarning, match=message):
        (note,) = warn_of_selection(selection, StandInSurvey(), name="a.fits")
    assert note in message or message.removeprefix("a.fits: ") in note
    other = StandInSurvey(telescopes=("OTHER",))
    assert warn_of_selection(selection, other, name="a.fits") == ()


@pytest.mark.parametrize("where", ["DSTYP1", "PASS_VER"])
def test_photons_of_p8r2_are_noted_and_not_warned_of(where):
    header = lat_header(version="P8R2" if where == "DSTYP1" else "")
    if where == "PASS_VER":
        header["PASS_VER"] = "P8R2"
    (note,) = warn_of_selection(read_selection(header), StandInSurvey(), name="a.fits")
    assert note == "photons of P8R2, taken as P8R3: PSF and effective area agree within 1 %"


def test_a_survey_may_be_of_other_photons():
    survey = StandInSurvey(event_class=1024, event_type=32)
    selection = read_selection(lat_header(event_class=1024, event_type=32))
    assert warn_of_selection(selection, survey, name="a.fits") == ()
    with pytest.warns(PssegWarning, match="photons of event class 128 and event type 3; "):
        warn_of_selection(read_selection(lat_header()), survey, name="a.fits")


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
