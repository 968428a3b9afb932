"""Photon lists become maps; what was not selected is masked or absent."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from small_skies import draw_energies

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.readers import read_map

CIRCLE = {"DSTYP1": "POS(RA,DEC)", "DSUNI1": "deg", "DSVAL1": "CIRCLE(83.63,22.01,5)"}


def box_of_photons(
    number=20_000, lon=(-10.0, 10.0), lat=(-5.0, 5.0), low=0.32, high=1990.0, seed=0
):
    """Photons spread evenly over a box in longitude and latitude."""
    rng = np.random.default_rng(seed)
    sines = np.sin(np.radians(lat))
    return (
        rng.uniform(*lon, number),
        np.degrees(np.arcsin(rng.uniform(*sines, number))),
        draw_energies(rng, number, low=low, high=high),
    )


def cone_of_photons(center, radius, number=5000, seed=0):
    """Photons spread evenly over a circle around a SkyCoord; returned in its frame."""
    rng = np.random.default_rng(seed)
    distance = np.degrees(np.arccos(rng.uniform(np.cos(np.radians(radius)), 1, number)))
    there = center.directional_offset_by(rng.uniform(0, 360, number) * 1.0 * _DEG, distance * _DEG)
    lon, lat = there.spherical.lon.deg, there.spherical.lat.deg
    return lon, lat, draw_energies(rng, number)


_DEG = SkyCoord(0, 0, unit="deg").ra.unit


def test_box_of_photons_becomes_a_map_around_them(write_events, survey):
    tile = read_map(write_events(*box_of_photons()), survey)
    assert tile.frame == "galactic"
    assert str(tile.wcs.wcs.ctype[0]) == "GLON-TAN"
    assert tile.pixel_scale == pytest.approx(0.1)
    assert tile.shape == (102, 203)  # tan(10 deg), tan(5 deg) / cos(10 deg)
    middle = tile.pixel_to_sky(101, 50.5)
    assert middle.separation(SkyCoord(0, 0, unit="deg", frame="galactic")).deg < 0.1
    assert tile.data.sum() == pytest.approx(20_000, rel=0.002)
    assert np.array_equal(tile.data, np.rint(tile.data))
    assert tile.bands_present.all()
    assert not tile.bands_shared.any()
    assert tile.name == "events"


def test_sky_outside_the_box_is_masked_and_nothing_inside(write_events, survey):
    tile = read_map(write_events(*box_of_photons()), survey)
    y, x = np.indices(tile.shape)
    coord = tile.pixel_to_sky(x, y)
    beyond = np.maximum(np.abs(coord.l.wrap_at("180d").deg) - 10, np.abs(coord.b.deg) - 5)
    assert tile.mask[beyond > 0.15].all()
    assert not tile.mask[beyond < -0.5].any()
    assert np.mean(tile.mask[beyond < -0.1]) < 0.01
    assert not tile.data[:, tile.mask].any()
    assert any(note.startswith("no position cut in the header") for note in tile.notes)


def test_photon_falls_into_its_pixel_and_band(write_events, survey):
    lon, lat = [10.0, 10.2, 10.0, 10.0], [20.0, 20.0, 20.3, 20.0]
    path = write_events(lon, lat, [0.4, 0.7, 12.0, 5000.0])
    center = SkyCoord(10.0, 20.0, unit="deg", frame="galactic")
    tile = read_map(path, survey, center=center.icrs, width=1.7)
    assert tile.shape == (17, 17)
    assert np.argwhere(tile.data).tolist() == [[0, 8, 8], [1, 8, 6], [5, 11, 8]]
    assert "1 photons of other energies dropped" in tile.notes
    assert not tile.mask.any()
    assert any(note.startswith("too few photons to tell") for note in tile.notes)


def test_list_without_galactic_columns_is_binned_equatorially(write_events, survey):
    center = SkyCoord(83.63, 22.01, unit="deg")
    lon, lat, energy = cone_of_photons(center, 3.0)
    tile = read_map(write_events(lon, lat, energy, galactic=False), survey)
    assert tile.frame == "icrs"
    assert str(tile.wcs.wcs.ctype[0]) == "RA---TAN"
    y, x = np.array(tile.shape) / 2 - 0.5
    assert tile.pixel_to_sky(x, y).separation(center).deg < 0.2
    assert tile.data.sum() == pytest.approx(5000, rel=0.01)


def test_cone_of_the_header_is_masked(write_events, survey):
    center = SkyCoord(83.63, 22.01, unit="deg")
    lon, lat, energy = cone_of_photons(center.galactic, 5.0)
    tile = read_map(write_events(lon, lat, energy, cards=CIRCLE), survey)
    y, x = np.indices(tile.shape)
    distance = tile.pixel_to_sky(x, y).separation(center).deg
    assert tile.mask[distance > 5.0].all()
    assert not tile.mask[distance < 4.9].any()
    assert abs(tile.shape[0] - 101) <= 2
    assert abs(tile.shape[1] - 101) <= 2


def test_field_beside_the_cone_is_partly_masked(write_events, survey):
    center = SkyCoord(83.63, 22.01, unit="deg")
    path = write_events(*cone_of_photons(center.galactic, 5.0), cards=CIRCLE)
    tile = read_map(path, survey, center=SkyCoord(83.63, 27.01, unit="deg"), width=6.0)
    assert tile.shape == (60, 60)
    assert 0.5 < tile.mask.mean() < 0.7


def test_unknown_cut_is_reported_and_the_photons_asked(write_events, survey):
    cards = {"DSTYP1": "POS(RA,DEC)", "DSVAL1": "POLYGON(1,2,3,4,5,6)"}
    path = write_events(*box_of_photons(), cards=cards)
    with pytest.warns(PssegWarning, match=r"events.fits: position cut not understood .*POLYGON"):
        tile = read_map(path, survey)
    assert 0.005 < tile.mask.mean() < 0.03


def test_photons_that_are_not_the_surveys_are_told(write_events, survey):
    cards = {"DSTYP1": "BIT_MASK(EVENT_TYPE,4,P8R3)", "DSVAL1": "1:1"}
    cards |= {"DSTYP2": "ZENITH_ANGLE", "DSUNI2": "deg", "DSVAL2": "0:180"}
    with pytest.warns(PssegWarning) as caught:
        tile = read_map(write_events(*box_of_photons(), cards=cards), survey)
    told = [str(warning.message) for warning in caught]
    assert told[0].startswith("events.fits: photons of event type 4; fermi-lat is for event class")
    assert told[1].startswith("events.fits: zenith angles up to 180 deg")
    assert all(text.removeprefix("events.fits: ") in tile.notes for text in told)


def test_sparse_photons_leave_their_empty_pixels_unmasked(write_events, survey):
    lon, lat, energy = box_of_photons(2000, low=10.0)  # 0.1 photon per pixel
    tile = read_map(write_events(lon, lat, energy), survey)
    y, x = np.indices(tile.shape)
    coord = tile.pixel_to_sky(x, y)
    deep = (np.abs(coord.l.wrap_at("180d").deg) < 8.5) & (np.abs(coord.b.deg) < 3.5)
    assert np.mean(tile.data.sum(axis=0)[deep] == 0) > 0.85
    assert not tile.mask[deep].any()


@pytest.mark.parametrize("low", [10.0, 1.0])
def test_bands_below_the_photons_are_absent(write_events, survey, low):
    tile = read_map(write_events(*box_of_photons(5000, low=low)), survey)
    assert tile.bands_present.tolist() == [edge >= low for edge in survey.energy_edges[:-1]]


def test_bands_outside_the_header_selection_are_absent(write_events, survey):
    cards = {"DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "1000:50000"}
    tile = read_map(write_events(*box_of_photons(), cards=cards), survey)
    assert tile.bands_present.tolist() == [False] * 2 + [True] * 5 + [False]
    assert not tile.data[[0, 1, 7]].any()
    assert any(note.startswith("bands absent: 0.316-0.501 GeV, 0.501") for note in tile.notes)


def test_top_band_that_ends_early_is_present(write_events, survey):
    cards = {"DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "300:500000"}
    assert read_map(write_events(*box_of_photons(), cards=cards), survey).bands_present.all()


def test_few_photons_do_not_make_the_top_band_absent(write_events, survey):
    lon, lat, energy = box_of_photons(300)
    tile = read_map(write_events(lon, lat, np.minimum(energy, 30.0)), survey)
    assert tile.bands_present.all()


def test_photons_across_zero_longitude_and_at_the_pole(write_events, survey):
    pole = SkyCoord(0, 90, unit="deg", frame="galactic")
    tile = read_map(write_events(*cone_of_photons(pole, 4.0), name="pole.fits"), survey)
    assert abs(tile.shape[0] - 80) <= 2
    assert abs(tile.shape[1] - 80) <= 2
    assert tile.data.sum() == pytest.approx(5000, rel=0.01)


def test_wide_fields_must_be_chosen(write_events, survey):
    path = write_events(*box_of_photons(20_000, (0, 360), (-90, 90)))
    with pytest.raises(PssegError, match=r"^events.fits: the photons cover too much sky for one"):
        read_map(path, survey)
    center = SkyCoord(0, 0, unit="deg", frame="galactic")
    with pytest.raises(PssegError, match=r"^events.fits: a field of .* deg is too wide for one"):
        read_map(path, survey, center=center)
    with pytest.raises(PssegError, match=r"^events.fits: a field of 90 deg is too wide for one"):
        read_map(path, survey, center=center, width=90.0)
    with pytest.raises(PssegError, match=r"^events.fits: want a positive width"):
        read_map(path, survey, center=center, width=-1.0)
    tile = read_map(path, survey, center=center, width=20.0)
    assert tile.shape == (200, 200)
    assert tile.data.sum() == pytest.approx(20_000 * 400 / 41253, rel=0.2)


def test_wide_tangent_planes_are_reported(write_events, survey):
    path = write_events(*box_of_photons(20_000, (0, 360), (-90, 90)))
    center = SkyCoord(0, 0, unit="deg", frame="galactic")
    with pytest.warns(PssegWarning, match=r"events.fits: pixels cover 0.4\d* to 1 of the survey"):
        read_map(path, survey, center=center, width=70.0)


def test_photons_without_position_or_energy_are_dropped(write_events, survey):
    lon, lat, energy = box_of_photons(500)
    energy[:3] = np.nan
    assert (
        "3 photons without position or energy dropped"
        in read_map(write_events(lon, lat, energy), survey).notes
    )


def test_empty_list_is_refused(write_events, survey):
    path = write_events([], [], [])
    with pytest.raises(PssegError, match=r"^events.fits: the photon list is empty; check the"):
        read_map(path, survey)


def test_list_beside_the_bands_is_refused(write_events, survey):
    lon, lat, energy = box_of_photons(low=0.03, high=0.2)
    message = r"^events.fits: the photons \(0.03-0.2 GeV\) fill none of the survey's bands"
    with pytest.raises(PssegError, match=message):
        read_map(write_events(lon, lat, energy), survey)


def test_field_without_photons_is_refused(write_events, survey):
    path = write_events(*box_of_photons(500))
    center = SkyCoord(120, 50, unit="deg", frame="galactic")
    with pytest.raises(PssegError, match=r"^events.fits: no photons of the survey's energies in"):
        read_map(path, survey, center=center, width=5.0)


def test_field_outside_the_selection_is_refused(write_events, survey):
    path = write_events(*box_of_photons(500), cards=CIRCLE)
    center = SkyCoord(0, 0, unit="deg", frame="galactic")
    with pytest.raises(PssegError, match=r"^events.fits: no photons of the survey's energies in"):
        read_map(path, survey, center=center, width=5.0)


def test_missing_columns_are_named(tmp_path, survey):
    columns = [fits.Column("RA", "D", array=[1.0]), fits.Column("TIME", "D", array=[1.0])]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "events.fits")
    with pytest.raises(PssegError, match=r"^events.fits: the EVENTS table has no column DEC, ENER"):
        read_map(tmp_path / "events.fits", survey)
