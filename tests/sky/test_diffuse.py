"""Diffuse emission: the drawn family about its mean, templates as they are given, and reality."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from astropy.coordinates import ICRS, Galactic, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy_healpix import HEALPix
from hypothesis import given, settings
from hypothesis import strategies as st

from psseg.errors import PssegError
from psseg.sky.diffuse import (
    DiffuseTemplates,
    GasStructure,
    cut_templates,
    draw_diffuse,
    galactic_profile,
    read_templates,
)
from psseg.sky.geometry import TileGeometry, random_centre
from psseg.sky.spectra import integrate_table
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
DIFFUSE = SURVEY.diffuse
PROFILE_BANDS = slice(3, 6)  # 2-20 GeV, as the profile
STEP = 2.0  # deg, of the small emission models made here


def tile(glon=30.0, glat=20.0, side=64):
    return TileGeometry(glon=glon, glat=glat, shape=(side, side), pixel_scale=0.1)


def profile_at(glon, glat):
    return float(galactic_profile(DIFFUSE, np.array([[glon]]), np.array([[glat]]))[0, 0])


def band_isotropic():
    return integrate_table(DIFFUSE.isotropic_energy, DIFFUSE.isotropic_e2dnde, SURVEY.energy_edges)


# --- the smooth profile ----------------------------------------------------------------------


def test_the_profile_goes_through_its_nodes():
    for row, latitude in enumerate(DIFFUSE.profile_latitude):
        for column, longitude in enumerate(DIFFUSE.profile_longitude):
            expected = DIFFUSE.profile_intensity[row][column]
            assert profile_at(longitude, latitude) == pytest.approx(expected)


def test_between_nodes_the_profile_is_a_geometric_mean():
    # (10, 7.5) and (10, 15): 3.7e-6 and 1.85e-6
    assert profile_at(10.0, 11.25) == pytest.approx(np.sqrt(3.7e-6 * 1.85e-6))


def test_beyond_the_nodes_the_profile_goes_on_flat():
    assert profile_at(0.0, 90.0) == pytest.approx(2.1e-7)
    assert profile_at(180.0, 0.0) == pytest.approx(5.4e-6)


@given(glon=st.floats(0, 360), glat=st.floats(-90, 90))
def test_the_profile_is_symmetric_and_falls_from_the_plane(glon, glat):
    here = profile_at(glon, glat)
    assert profile_at(-glon, -glat) == pytest.approx(here)
    assert here <= profile_at(glon, 0.0) * (1 + 1e-9)


# --- the drawn family ------------------------------------------------------------------------


def mean_intensity(glon, glat, n=60):
    """Mean over draws and over the middle of the tile, per band; and the same without isotropic."""
    rng, geometry = np.random.default_rng(1), tile(glon, glat, side=16)
    total, galactic = np.zeros(8), np.zeros(8)
    for _ in range(n):
        sky = draw_diffuse(SURVEY, geometry, rng)
        means = sky.templates[:, 32:48, 32:48].mean(axis=(1, 2))
        total += means @ sky.spectra / n
        galactic += means[:-1] @ sky.spectra[:-1] / n
    return total, galactic


@pytest.mark.parametrize("place", [(100.0, 60.0), (180.0, 30.0)])
def test_drawn_skies_scatter_about_the_profile(place):
    _, galactic = mean_intensity(*place)
    # mean of a log-normal; 60 draws with a scatter of 0.25 and structure of up to 0.6
    expected = profile_at(*place) * np.exp(DIFFUSE.profile_scatter**2 / 2)
    assert galactic[PROFILE_BANDS].sum() == pytest.approx(expected, rel=0.12)


def test_drawn_isotropic_background_scatters_about_its_table():
    total, galactic = mean_intensity(100.0, 60.0)
    assert total - galactic == pytest.approx(band_isotropic(), rel=0.12)


def test_a_drawn_sky_is_positive_and_finite():
    sky = draw_diffuse(SURVEY, tile(0.0, 0.0), np.random.default_rng(2))
    assert sky.templates.shape == (5, 128, 128)
    assert sky.spectra.shape == (5, 8)
    assert np.all(sky.templates >= 0)
    assert np.all(np.isfinite(sky.templates))
    assert np.all(sky.spectra > 0)


def test_galactic_spectra_are_normalised_where_the_profile_is():
    straight = replace(SURVEY, diffuse=replace(DIFFUSE, spectrum_scatter=0.0))
    sky = draw_diffuse(straight, tile(), np.random.default_rng(3))
    # The three bands are 1.995-19.95 GeV; the profile 2-20.
    assert sky.spectra[:-1, PROFILE_BANDS].sum(axis=1) == pytest.approx(1, abs=0.01)


def test_tilting_a_spectrum_hardly_moves_its_level():
    tilted = replace(SURVEY, diffuse=replace(DIFFUSE, spectrum_scatter=0.08))
    rng = np.random.default_rng(4)
    spectra = np.array([draw_diffuse(tilted, tile(), rng).spectra[:-1] for _ in range(10)])
    assert spectra[..., PROFILE_BANDS].sum(axis=-1) == pytest.approx(1, abs=0.4)
    assert np.ptp(np.log(spectra[:, 0, 0] / spectra[:, 0, 6])) > 0.2


def test_gas_has_structure_down_to_the_pixel():
    clumpy = replace(SURVEY, diffuse=replace(DIFFUSE, structure_rms=(0.5, 0.5)))
    smooth = replace(SURVEY, diffuse=replace(DIFFUSE, structure_rms=(1e-9, 1e-9)))
    high = tile(100.0, 80.0)  # where the profile itself hardly changes
    rough, flat = (
        draw_diffuse(survey, high, np.random.default_rng(4)).templates[0]
        for survey in (clumpy, smooth)
    )
    assert np.log(rough / flat).std() == pytest.approx(0.5, rel=0.02)
    assert np.mean(rough / flat) == pytest.approx(1, abs=0.15)
    assert np.abs(np.diff(np.log(rough / flat), axis=1)).mean() > 0.01


def test_skies_differ_and_the_seed_decides():
    first, again, other = (
        draw_diffuse(SURVEY, tile(), np.random.default_rng(seed)).templates for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first[0], other[0], rtol=0.01)


# --- templates -------------------------------------------------------------------------------


def make_model(values):
    """Emission model with one value per band, times a map (n_latitude, n_longitude)."""
    values = np.broadcast_to(values, (90, 180))
    intensity = np.arange(1.0, 9.0)[:, None, None] * values
    return DiffuseTemplates(intensity=intensity, step=(STEP, STEP))


def latitude_map():
    """Map that says where it is: 100 plus the latitude, deg."""
    return (100 + (np.arange(90) - 44.5) * STEP)[:, None]


def longitude_map():
    """Map that falls with longitude from 180 to -180 deg, as the columns do."""
    return 500 - (89.5 - np.arange(180)) * STEP


def galactic_part(sky):
    return np.tensordot(sky.spectra[:-1], sky.templates[:-1], axes=(0, 0))


@settings(max_examples=20)
@given(glon=st.floats(0, 359.9), glat=st.floats(-85, 85))
def test_a_constant_model_stays_constant(glon, glat):
    cut = galactic_part(cut_templates(make_model(3.0), SURVEY, tile(glon, glat, side=16)))
    assert np.allclose(cut, 3.0 * np.arange(1, 9)[:, None, None], rtol=1e-6)


@settings(max_examples=20)
@given(glon=st.floats(0, 359.9), glat=st.floats(-80, 80))
def test_a_model_is_cut_at_the_right_latitude(glon, glat):
    geometry = tile(glon, glat, side=16)
    y, x = np.mgrid[:80, :80]
    _, latitude = geometry.to_galactic(x.ravel(), y.ravel())
    cut = cut_templates(make_model(latitude_map()), SURVEY, geometry).templates[0]
    assert np.allclose(cut.ravel(), 100 + latitude, atol=1e-3, rtol=0)


@pytest.mark.parametrize("glon", [0.0, 0.01, 90.0, 270.0, 359.0])
def test_a_model_is_cut_at_the_right_longitude(glon):
    geometry = tile(glon, 0.0, side=16)
    y, x = np.mgrid[:80, :80]
    longitude, _ = geometry.to_galactic(x.ravel(), y.ravel())
    cut = cut_templates(make_model(longitude_map()), SURVEY, geometry).templates[0]
    assert np.allclose(cut.ravel(), 500 - ((longitude + 180) % 360 - 180), atol=1e-3, rtol=0)


def test_a_model_is_whole_where_its_columns_end():
    values = np.cos(np.radians((89.5 - np.arange(180)) * STEP))
    cut = cut_templates(make_model(2 + values), SURVEY, tile(180.0, 0.0, side=16)).templates[0]
    assert cut[40] == pytest.approx(1.0, abs=0.01)


def test_the_isotropic_background_is_added():
    cut = cut_templates(make_model(1.0), SURVEY, tile())
    assert np.all(cut.templates[-1] == 1)
    assert cut.spectra[-1] == pytest.approx(band_isotropic())


def test_gas_structure_multiplies_every_band():
    gas = np.where(np.arange(12 * 16**2) % 2 == 0, 1.5, 0.5)
    gas = GasStructure(values=gas, healpix=HEALPix(nside=16, frame=Galactic()))
    model = replace(make_model(2.0), gas=gas)
    cut = galactic_part(cut_templates(model, SURVEY, tile()))
    structure = cut[0] / 2.0
    assert structure.min() >= 0.5 - 1e-6
    assert structure.max() <= 1.5 + 1e-6
    assert structure.std() > 0.05
    assert np.allclose(cut[7], 8 * cut[0], rtol=1e-5)


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def write_model(tmp_path):
    """Write a power-law emission model, E^-2.5 with 1e-9 per MeV at 1 GeV; returns its path."""

    def write(*, energies=True, n_planes=8, **cards):
        energy = np.geomspace(50, 1e6, 8)  # MeV
        plane = np.ones((90, 180), np.float32)
        cube = 1e-9 * (energy / 1e3)[:n_planes, None, None] ** -2.5 * plane
        header = fits.Header()
        header.update(
            {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CDELT1": -STEP, "CDELT2": STEP}
            | {"CRVAL1": 0.0, "CRVAL2": 0.0, "CRPIX1": 90.5, "CRPIX2": 45.5}
            | cards
        )
        hdus = fits.HDUList([fits.PrimaryHDU(cube.astype(np.float32), header)])
        if energies:
            column = fits.Column("Energy", "D", unit="MeV", array=energy)
            hdus.append(fits.BinTableHDU.from_columns([column], name="ENERGIES"))
        hdus.writeto(tmp_path / "model.fits")
        return tmp_path / "model.fits"

    return write


def test_a_power_law_is_integrated_over_the_bands(write_model):
    model = read_templates(write_model(), SURVEY)
    edges = SURVEY.energy_edges  # GeV; 1e-6 per GeV at 1 GeV
    expected = 1e-6 * -np.diff(edges**-1.5) / 1.5
    assert model.intensity.shape == (8, 90, 180)
    assert model.step == (STEP, STEP)
    assert model.intensity[:, 10, 20] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energies": False}, "model.fits: no map cube with a table ENERGIES"),
        ({"n_planes": 7}, "model.fits: 8 energies for 7 planes"),
        ({"CDELT1": -1.0}, "want the whole sky in Galactic plate carrée .* over 180 and 180 deg"),
        ({"CTYPE1": "RA---CAR"}, "want the whole sky .* got RA---CAR and GLAT-CAR"),
        ({"CRVAL1": 180.0}, "plate carrée about l = 0"),
    ],
)
def test_what_is_no_emission_model_is_refused(write_model, changes, message):
    with pytest.raises(PssegError, match=message):
        read_templates(write_model(**changes), SURVEY)


def test_files_that_cannot_be_read_are_refused(write_model, tmp_path):
    (tmp_path / "text.fits").write_text("no map")
    with pytest.raises(PssegError, match=r"text.fits: is not a FITS file"):
        read_templates(tmp_path / "text.fits", SURVEY)
    with pytest.raises(PssegError, match=r"none.fits: no such file"):
        read_templates(write_model(), SURVEY, gas=tmp_path / "none.fits")


def write_healpix(path, values, **cards):
    column = fits.Column("I", "E", array=np.asarray(values, np.float32))
    table = fits.BinTableHDU.from_columns([column])
    table.header.update(cards)
    table.writeto(path)
    return path


def test_gas_is_read_relative_to_its_neighbourhood(write_model, tmp_path):
    column = np.full(12 * 8**2, 1e21)
    column[100] *= 2
    path = write_healpix(tmp_path / "h.fits", column)
    gas = read_templates(write_model(), SURVEY, gas=path).gas.values
    assert gas[100] == pytest.approx(2 / (10 / 9))  # nine pixels, one of them twice as dense
    assert np.median(gas) == pytest.approx(1)
    assert gas.min() == pytest.approx(9 / 10)


@pytest.mark.parametrize(
    ("cards", "order", "frame"),
    [
        ({}, "ring", Galactic()),
        ({"NSIDE": 32}, "ring", Galactic()),
        ({"NSIDE": 32, "ORDERING": "NESTED", "COORDSYS": "G"}, "nested", Galactic()),
        ({"NSIDE": 32, "ORDERING": "RING", "COORDSYS": "C"}, "ring", ICRS()),
        ({"NSIDE": 32, "ORDERING": "NEST", "COORDSYS": "CEL"}, "nested", ICRS()),
    ],
)
def test_gas_lies_where_its_header_says(write_model, tmp_path, cards, order, frame):
    healpix = HEALPix(nside=32, order=order, frame=frame)
    cloud = SkyCoord(30.0, 20.0, unit="deg", frame="galactic")
    pixels = healpix.healpix_to_skycoord(np.arange(healpix.npix))
    column = 1e21 * np.where(pixels.separation(cloud).deg < 1.2, 3.0, 1.0)
    path = write_healpix(tmp_path / "h.fits", column, **cards)
    model = read_templates(write_model(), SURVEY, gas=path)
    cut = cut_templates(model, SURVEY, tile(30.0, 20.0)).templates[0]
    brightest = np.unravel_index(np.argmax(cut), cut.shape)
    assert np.hypot(*np.subtract(brightest, 63.5)) < 15  # a pixel of the map is 1.8 deg wide
    assert cut.max() > 1.5 * np.median(cut)


def test_gas_in_a_frame_that_is_not_known_is_refused(write_model, tmp_path):
    path = write_healpix(tmp_path / "h.fits", np.ones(12 * 8**2), COORDSYS="E")
    with pytest.raises(PssegError, match=r"h.fits: HEALPix COORDSYS is 'E', want GAL or CEL"):
        read_templates(write_model(), SURVEY, gas=path)


def test_gas_that_covers_no_whole_sky_is_refused(write_model, tmp_path):
    path = write_healpix(tmp_path / "h.fits", np.ones(100))
    with pytest.raises(PssegError, match=r"h.fits: no positive HEALPix map of the whole sky"):
        read_templates(write_model(), SURVEY, gas=path)


# --- reality ---------------------------------------------------------------------------------

LATITUDES = [0, 2, 5, 10, 20, 30, 45, 60, 90]
# 573 weeks of data, 2-20 GeV, 4FGL sources masked, ph cm-2 s-1 sr-1, by |b|, for |l| < 30,
# |l| > 90, and all longitudes
MEASURED = {
    (0, 30): [2.5e-5, 7.7e-6, 3.9e-6, 2.0e-6, 1.3e-6, 9.0e-7, 5.5e-7, 3.8e-7],
    (90, 180): [4.9e-6, 3.7e-6, 2.1e-6, 1.2e-6, 6.6e-7, 5.2e-7, 3.9e-7, 3.4e-7],
    (0, 180): [9.7e-6, 4.7e-6, 2.4e-6, 1.3e-6, 8.1e-7, 6.0e-7, 4.3e-7, 3.5e-7],
}


def family_mean(low, high, longitudes):
    """Mean of the drawn skies at low < |b| < high, 2-20 GeV, Galactic and isotropic."""
    sin_b = np.linspace(*np.sin(np.radians([low, high])), 201)
    longitude, latitude = np.meshgrid(np.linspace(*longitudes, 181), np.degrees(np.arcsin(sin_b)))
    galactic = galactic_profile(DIFFUSE, longitude, latitude).mean()
    isotropic = integrate_table(
        DIFFUSE.isotropic_energy, DIFFUSE.isotropic_e2dnde, np.array([2.0, 20.0])
    )[0]
    return galactic * np.exp(DIFFUSE.profile_scatter**2 / 2) + isotropic * np.exp(
        DIFFUSE.isotropic_scatter**2 / 2
    )


@pytest.mark.parametrize("longitudes", MEASURED)
def test_intensity_against_latitude_is_that_of_the_data(longitudes):
    bins = pairwise(LATITUDES)
    ours = np.array([family_mean(low, high, longitudes) for low, high in bins])
    ratio = ours / MEASURED[longitudes]
    # In the lowest bin the measurement masks the plane's sources, and much of the plane with them.
    assert ratio[1:] == pytest.approx(1, abs=0.25)
    assert ratio[0] == pytest.approx(1, abs=0.35)


def drawn_spectrum(low, high, n=400):
    """Mean Galactic intensity of drawn skies at low < b < high, per band, over that at 2-20 GeV."""
    rng, total = np.random.default_rng(6), np.zeros(8)
    for _ in range(n):
        sky = draw_diffuse(SURVEY, tile(*random_centre(rng, latitude=(low, high)), side=16), rng)
        total += sky.templates[:-1, 32:48, 32:48].mean(axis=(1, 2)) @ sky.spectra[:-1]
    return total / total[PROFILE_BANDS].sum()


@pytest.fixture(scope="module")
def lat_model(data_folder):
    path = data_folder / "lat" / "diffuse" / "gll_iem_v07_lowres_240x131.fits.gz"
    gas = data_folder / "gas" / "h1_nh_HI4PI_healpix_lowres.fits.gz"
    return read_templates(path, SURVEY, gas=gas)


def model_latitudes(model):
    n = model.intensity.shape[1]
    return np.abs(np.arange(n) - (n - 1) / 2) * model.step[1]


@pytest.mark.data
def test_the_model_of_the_lat_lies_where_the_galaxy_is(lat_model, data_folder):
    planes = lat_model.intensity[PROFILE_BANDS].sum(axis=0)
    brightest = planes.mean(axis=1).argmax()
    assert model_latitudes(lat_model)[brightest] == 0
    # The header's CRPIX2 is half a pixel off; with 66 instead, b = 0 is the same row.
    path = data_folder / "lat" / "diffuse" / "gll_iem_v07_lowres_240x131.fits.gz"
    header = fits.getheader(path)
    header["CRPIX2"] = 66.0
    _, row = WCS(header, naxis=2).wcs_world2pix(0.0, 0.0, 0)
    assert row == brightest


@pytest.mark.data
@pytest.mark.parametrize(
    ("low", "high"), [(0, 5), (5, 10), (10, 20), (20, 30), (30, 45), (45, 60), (60, 90)]
)
def test_intensity_against_latitude_is_that_of_the_lat_model(lat_model, low, high):
    latitude = model_latitudes(lat_model)
    there = (latitude >= low) & (latitude < high)
    weight = np.cos(np.radians(latitude[there]))
    galactic = lat_model.intensity[PROFILE_BANDS, there].sum(axis=0).mean(axis=1)
    theirs = np.average(galactic, weights=weight) + 1.73e-7  # measured isotropic, 2-20 GeV
    assert family_mean(low, high, (0, 180)) == pytest.approx(theirs, rel=0.25)


@pytest.mark.data
@pytest.mark.parametrize(("low", "high"), [(0, 90), (0, 3), (3, 10), (10, 30), (30, 50), (50, 90)])
def test_mean_galactic_spectrum_is_that_of_the_lat_model(lat_model, low, high):
    latitude = model_latitudes(lat_model)
    there = (latitude >= low) & (latitude < high)
    weight = np.cos(np.radians(latitude[there]))
    theirs = np.average(lat_model.intensity[:, there].mean(axis=2), axis=1, weights=weight)
    ratio = drawn_spectrum(low, high) / (theirs / theirs[PROFILE_BANDS].sum())
    assert ratio[:-1] == pytest.approx(1, abs=0.1)  # up to 50 GeV
    assert ratio[-1] == pytest.approx(1, abs=0.2)


@pytest.mark.data
def test_real_gas_has_structure(lat_model):
    assert np.median(lat_model.gas.values) == pytest.approx(1, abs=0.02)
    assert 0.03 < lat_model.gas.values.std() < 0.3
    near_plane = cut_templates(lat_model, SURVEY, tile(30.0, 5.0))
    assert np.all(near_plane.templates > 0)
