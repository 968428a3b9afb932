"""Positions, counts and spectra are right within the errors that are given."""

from __future__ import annotations

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from made_skies import BACKGROUND, INDEX, SURVEY, make_sky, power_law_shares, sky_wcs
from measured_skies import in_order, measure

from psseg.catalogue.blocks import FitSettings
from psseg.catalogue.flags import Flag
from psseg.catalogue.measurement import measure_counts
from psseg.catalogue.positions import RADIUS_68
from psseg.catalogue.segment_map import list_segments
from psseg.errors import PssegError

SHARES, COUNTS_PER_FLUX = power_law_shares()


@pytest.fixture(scope="module")
def truth():
    """Sixty-four sources of TS 20 to 1000, 1.5 deg apart."""
    rng = np.random.default_rng(11)
    y, x = (a.ravel() + rng.uniform(-3, 3, 64) for a in np.mgrid[10:130:15.0, 10:130:15.0])
    return x, y, np.exp(rng.uniform(np.log(250), np.log(2000), 64))


@pytest.fixture(scope="module")
def field(truth):
    """What is measured of them."""
    x, y, counts = truth
    rng = np.random.default_rng(12)
    sky = make_sky(rng, x=x, y=y, counts=counts, n=126, misplaced=0.5)
    return in_order(measure(sky)[1], x, y)


def sigma(table):
    """One-sigma position error per axis, pixels."""
    axes = table["Conf_68_SemiMajor"] * table["Conf_68_SemiMinor"]
    return np.sqrt(axes).to_value("deg") / RADIUS_68 / 0.1


def test_positions_are_unbiased_and_within_their_errors(field, truth):
    x, y, _ = truth
    pulls = np.stack([field["X"] - x, field["Y"] - y]) / sigma(field)
    assert np.abs(pulls.mean(axis=1)).max() < 0.35
    assert 0.8 < pulls.std() < 1.25
    assert np.mean((pulls**2).sum(axis=0) < 5.99) > 0.85
    assert np.quantile(np.hypot(field["X"] - x, field["Y"] - y), 0.68) < 0.35


def test_counts_per_band_are_unbiased_and_within_their_errors(field, truth):
    pulls = (field["Counts_Band"] - np.outer(truth[2], SHARES)) / field["Unc_Counts_Band"]
    assert np.abs(pulls.mean(axis=0)).max() < 0.45
    assert pulls.std(axis=0).max() < 1.35
    assert np.sum(field["Npred"]) == pytest.approx(truth[2].sum(), rel=0.05)


def test_spectra_and_fluxes_are_those_of_the_sky(field, truth):
    index = (field["PL_Index"] - INDEX) / field["Unc_PL_Index"]
    beta = field["LP_beta"] / field["Unc_LP_beta"]
    flux = truth[2] / COUNTS_PER_FLUX
    pull = (field["FLUX1000"].value - flux) / field["Unc_Flux1000"].value
    for values in (index, beta, pull):
        assert abs(values.mean()) < 0.5
        assert 0.7 < values.std() < 1.3
    assert field["FLUX1000"].unit == u.cm**-2 / u.s
    bands = field["Flux_Band"].value * SURVEY.instrument.band_exposure(10.0)
    assert bands == pytest.approx(field["Counts_Band"], rel=1e-5)


def test_the_test_statistic_grows_with_the_square_of_the_counts_and_adds_up(field, truth):
    faint, bright = truth[2] < 400, truth[2] > 1200
    assert np.median(field["Sqrt_TS"][bright]) > 2.5 * np.median(field["Sqrt_TS"][faint])
    in_bands = np.sqrt((field["Sqrt_TS_Band"] ** 2).sum(axis=1))
    assert np.all(field["Sqrt_TS"] < in_bands + 0.1)
    assert np.median(field["Sqrt_TS"] / in_bands) > 0.9


def test_sky_positions_are_those_of_the_pixels(field):
    expected = SkyCoord.from_pixel(field["X"], field["Y"], sky_wcs(126))
    icrs = SkyCoord(field["RAJ2000"], field["DEJ2000"], frame="icrs")
    galactic = SkyCoord(field["GLON"], field["GLAT"], frame="galactic")
    assert icrs.separation(expected).arcsec.max() < 0.01
    assert galactic.separation(expected).arcsec.max() < 0.01


def test_neighbours_at_six_tenths_of_a_degree_are_told_apart():
    rng = np.random.default_rng(7)
    x, y = np.array([40.2, 46.2]), np.array([50.1, 50.1])
    pairs = [
        in_order(measure(make_sky(rng, x=x, y=y, counts=[1500, 800], misplaced=0.3))[1], x, y)
        for _ in range(4)
    ]
    for table in pairs:
        assert np.hypot(table["X"] - x, table["Y"] - y).max() < 0.6
    mean = np.mean([table["Npred"] for table in pairs], axis=0)
    assert mean == pytest.approx([1500, 800], rel=0.15)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_background_that_is_wrong_by_a_tenth_hardly_matters(factor):
    rng = np.random.default_rng(8)
    sky = make_sky(rng, x=[30.3, 66.1], y=[33.0, 60.4], counts=[1000, 1000])
    wrong = replace(sky, background=sky.background * factor)
    table = in_order(measure(wrong)[1], [30.3, 66.1], [33.0, 60.4])
    assert table["Npred"] == pytest.approx([1000, 1000], rel=0.25)
    pulls = (table["Counts_Band"] - 1000 * SHARES) / table["Unc_Counts_Band"]
    assert np.abs(pulls).max() < 3.5


@pytest.mark.parametrize("radius", [0.4, 0.8])
def test_an_extended_source_is_measured_as_a_disc(radius):
    sky = make_sky(np.random.default_rng(9), x=48.3, y=47.6, counts=6000, radius=radius)
    table = measure(sky)[1]
    assert table["Extension"].value == pytest.approx([radius], rel=0.3)
    assert table["Npred"] == pytest.approx([6000], rel=0.1)
    assert np.hypot(table["X"] - 48.3, table["Y"] - 47.6)[0] < 0.8


def test_a_disc_is_found_where_it_is_though_its_segment_lies_to_one_side():
    sky = make_sky(np.random.default_rng(9), x=44.0, y=48.0, counts=6000, radius=0.6)
    label = np.roll(sky.class_probabilities, 5, axis=2)
    table = measure(replace(sky, class_probabilities=label))[1]
    assert table["Extension"].value == pytest.approx([0.6], rel=0.3)
    assert np.hypot(table["X"] - 44, table["Y"] - 48)[0] < 0.8
    assert not (table["Flags"] & Flag.FIT_FAILED).any()


def test_a_bright_point_source_is_no_disc():
    table = measure(make_sky(np.random.default_rng(3), x=48.3, y=47.6, counts=30_000))[1]
    assert table["Extension"].value.tolist() == [0.0]


def test_turning_the_sky_turns_the_catalogue():
    rng = np.random.default_rng(2)
    sky = make_sky(rng, x=[30.2, 60.8], y=[35.4, 58.6], counts=[900, 1500], wcs=sky_wcs(96))
    turned_tile = replace(
        sky.tile,
        data=np.rot90(sky.tile.data, axes=(1, 2)),
        exposure=np.rot90(sky.tile.exposure, axes=(1, 2)),
        wcs=sky_wcs(96, turned=90),
    )
    turned = replace(
        sky,
        tile=turned_tile,
        background=np.rot90(sky.background, axes=(1, 2)),
        class_probabilities=np.rot90(sky.class_probabilities, axes=(1, 2)),
    )
    one = in_order(measure(sky)[1], [30.2, 60.8], [35.4, 58.6])
    other = measure(turned)[1]
    places = [SkyCoord(t["RAJ2000"], t["DEJ2000"], frame="icrs") for t in (one, other)]
    nearest, separation, _ = places[0].match_to_catalog_sky(places[1])
    other = other[nearest]
    assert separation.arcsec.max() < 5
    turn = one["Conf_95_PosAng"].value - other["Conf_95_PosAng"].value
    assert np.abs((turn + 90) % 180 - 90).max() < 5
    for name in ("Npred", "Sqrt_TS", "PL_Index"):
        assert np.asarray(other[name]) == pytest.approx(np.asarray(one[name]), rel=0.01)


def test_the_frame_of_the_map_does_not_matter():
    rng_state = 5
    tables = []
    for frame in ("galactic", "icrs"):
        rng = np.random.default_rng(rng_state)
        sky = make_sky(rng, x=50.0, y=40.0, counts=800, wcs=sky_wcs(96, frame=frame))
        tables.append(measure(sky)[1])
    galactic, equatorial = tables
    assert equatorial["Npred"] == pytest.approx(galactic["Npred"], rel=1e-3)
    north = SkyCoord.from_pixel(50.0, 41.0, sky_wcs(96)).icrs
    centre = SkyCoord.from_pixel(50.0, 40.0, sky_wcs(96)).icrs
    north_angle = centre.position_angle(north).deg
    in_map = (galactic["Conf_68_PosAng"].value - north_angle) % 180
    drift = equatorial["Conf_68_PosAng"].value - in_map
    assert np.abs((drift + 90) % 180 - 90).max() < 2


def test_absent_bands_are_nan_and_the_rest_is_measured():
    present = np.arange(8) >= 5
    sky = make_sky(np.random.default_rng(6), x=48.3, y=47.6, counts=20_000, bands_present=present)
    table = measure(sky)[1]
    for name in ("Flux_Band", "Unc_Flux_Band", "Sqrt_TS_Band", "Counts_Band"):
        assert np.isfinite(np.asarray(table[name])[0]).tolist() == present.tolist()
    assert np.isnan(table["FLUX1000"].value).all()
    assert table["PL_Index"] == pytest.approx([INDEX], abs=0.3)
    assert table["Sqrt_TS"][0] > 20


def test_without_exposure_there_are_counts_and_indices_but_no_fluxes():
    sky = make_sky(np.random.default_rng(6), x=48.3, y=47.6, counts=2000, exposure=False)
    table = measure(sky)[1]
    assert np.isnan(table["FLUX1000"].value).all()
    assert np.isnan(table["Flux_Band"].value).all()
    assert table["Npred"] == pytest.approx([2000], rel=0.1)
    assert table["PL_Index"] == pytest.approx([INDEX], abs=0.15)


def test_masked_pixels_hold_no_information():
    mask = np.zeros((96, 96), bool)
    mask[:, 51:] = True
    sky = make_sky(np.random.default_rng(6), x=48.3, y=47.6, counts=3000, mask=mask)
    blank = replace(
        sky,
        class_probabilities=np.where(mask, np.nan, sky.class_probabilities),
        background=np.where(mask, np.nan, sky.background),
    )
    table = in_order(measure(blank)[1], [48.3], [47.6])
    assert table["Npred"] == pytest.approx([3000], rel=0.15)
    assert np.hypot(table["X"] - 48.3, table["Y"] - 47.6)[0] < 5 * sigma(table)[0]


def test_where_there_is_nothing_no_source_runs_away():
    sky = make_sky(np.random.default_rng(4), x=48, y=48, counts=0)
    table = measure(sky)[1]
    assert np.hypot(table["X"] - 48, table["Y"] - 48)[0] < 3.1
    assert table["Sqrt_TS"][0] < 4


def test_a_large_map_is_fitted_in_blocks_without_seams(monkeypatch, field, truth):
    x, y, counts = truth
    monkeypatch.setattr("psseg.catalogue.blocks.BLOCK", 70)
    rng = np.random.default_rng(12)
    sky = make_sky(rng, x=x, y=y, counts=counts, n=126, misplaced=0.5)
    table = in_order(measure(sky)[1], x, y)
    assert np.hypot(table["X"] - field["X"], table["Y"] - field["Y"]).max() < 0.1
    difference = np.abs(table["Counts_Band"] - field["Counts_Band"]) / field["Unc_Counts_Band"]
    assert difference.max() < 1.5
    assert np.quantile(difference, 0.98) < 0.6
    assert np.median(difference) < 0.02


def test_nothing_found_gives_a_table_without_rows():
    sky = make_sky(np.random.default_rng(4), x=[], y=[], counts=[])
    segments, table = measure(sky)
    full = measure(make_sky(np.random.default_rng(4), x=48, y=48, counts=900))[1]
    assert segments.n_labels == 0
    assert len(table) == 0
    assert table.colnames == full.colnames
    assert table["Flux_Band"].shape == (0, 8)


def test_wrong_shapes_are_named():
    sky = make_sky(np.random.default_rng(4), x=[], y=[], counts=[], n=32)
    segments = list_segments(np.zeros((32, 32), dtype=int))
    good = [sky.tile, sky.background, sky.class_probabilities, segments, SURVEY]
    for number, bad, message in (
        (1, sky.background[:7], r"background: want shape \(8, 32, 32\)"),
        (2, sky.class_probabilities[:3], r"class_probabilities: want shape \(4, 32, 32\)"),
        (3, list_segments(np.zeros((3, 3), dtype=int)), r"segments: want shape \(32, 32\)"),
    ):
        arguments = [*good[:number], bad, *good[number + 1 :]]
        with pytest.raises(PssegError, match=message):
            measure_counts(*arguments)


def test_a_tile_without_bands_is_refused():
    sky = make_sky(
        np.random.default_rng(4), x=[], y=[], counts=[], n=32, bands_present=np.zeros(8, bool)
    )
    with pytest.raises(PssegError, match="no band of the survey is present"):
        measure(sky)


def test_a_narrow_leash_holds():
    sky = make_sky(np.random.default_rng(5), x=48.0, y=48.0, counts=3000)
    label = np.roll(sky.class_probabilities, 4, axis=2)
    settings = FitSettings(leash=0.2, second_source_ts=np.inf)
    table = measure(replace(sky, class_probabilities=label), settings=settings)[1]
    assert np.hypot(table["X"] - 52, table["Y"] - 48)[0] < 0.1
    assert np.isnan(table["Conf_68_SemiMajor"].value).all()


def test_a_gradient_under_the_source_is_part_of_the_background():
    slope = BACKGROUND * np.linspace(0.3, 3, 96)
    sky = make_sky(np.random.default_rng(5), x=60.3, y=40.2, counts=1500, background=slope)
    table = measure(sky)[1]
    assert np.hypot(table["X"] - 60.3, table["Y"] - 40.2)[0] < 4 * sigma(table)[0]
    assert table["Npred"] == pytest.approx([1500], rel=0.2)


def test_a_source_fitted_beyond_the_rim_has_the_exposure_there():
    mask = np.zeros((96, 96), bool)
    mask[:, 50:] = True
    sky = make_sky(np.random.default_rng(6), x=51.0, y=47.6, counts=4000, mask=mask)
    exposure = np.where(mask, 0, sky.tile.exposure)
    sky = replace(sky, tile=replace(sky.tile, exposure=exposure))
    table = measure(sky)[1]
    assert table["X"][0] > 49.5
    assert np.isfinite(table["FLUX1000"].value).all()
    assert (table["Flux_Band"].value > 0).any(axis=1).all()
