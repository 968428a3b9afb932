"""Exposures of any grid arrive at the tile's pixels and bands."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy_healpix import HEALPix
from scipy.integrate import quad
from small_skies import EDGES, sky_wcs

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.exposure import read_exposure

SHAPE = (20, 30)
ENERGIES = np.geomspace(0.3, 2000, 20)


def gradient(coord) -> np.ndarray:
    """An exposure that changes over the sky, cm2 s."""
    return 3e11 * (1 + 0.2 * coord.galactic.cartesian.z.value)


def positions(wcs, shape) -> SkyCoord:
    y, x = np.indices(shape)
    return SkyCoord.from_pixel(x, y, wcs)


def test_exposure_is_interpolated_on_the_sky(write_exposure, survey):
    wide = sky_wcs((40, 60), projection="AIT", scale=0.5, frame="icrs", center=(266.4, -29.0))
    plane = gradient(positions(wide, (40, 60)))
    path = write_exposure(np.stack([plane] * 20), ENERGIES, wcs=wide)
    tile_wcs = sky_wcs(SHAPE, projection="TAN")
    exposure = read_exposure(path, tile_wcs, SHAPE, survey)
    assert exposure.shape == (8, *SHAPE)
    assert exposure.dtype == np.float32
    assert np.allclose(exposure, gradient(positions(tile_wcs, SHAPE)), rtol=1e-4)


def test_exposure_is_averaged_over_bands(write_exposure, survey):
    planes = 1e11 * np.log(ENERGIES / 0.1)[:, None, None] * np.ones(SHAPE)
    exposure = read_exposure(write_exposure(planes, ENERGIES), sky_wcs(SHAPE), SHAPE, survey)
    for band, (low, high) in enumerate(pairwise(EDGES)):
        mean = quad(lambda e: np.log(e / 0.1) * e**-2.4, low, high)[0]
        mean /= quad(lambda e: e**-2.4, low, high)[0]
        assert exposure[band, 0, 0] == pytest.approx(1e11 * mean, rel=1e-3)


@pytest.mark.parametrize("frame", ["", "GAL", "CEL"])
@pytest.mark.parametrize("order", ["RING", "NESTED"])
def test_healpix_exposure(tmp_path, survey, frame, order):
    sky = HEALPix(nside=32, order=order.lower())
    lon, lat = sky.healpix_to_lonlat(np.arange(sky.npix))
    coord = SkyCoord(lon, lat, frame="galactic" if frame == "GAL" else "icrs")
    columns = [fits.Column(f"ENERGY{i}", "D", array=gradient(coord)) for i in (1, 2)]
    table = fits.BinTableHDU.from_columns(columns, name="HPXEXPOSURES")
    table.header.update(PIXTYPE="HEALPIX", NSIDE=32, ORDERING=order)
    if frame:
        table.header["COORDSYS"] = frame
    column = fits.Column("Energy", "D", array=[300.0, 2e6])
    energies = fits.BinTableHDU.from_columns([column], name="ENERGIES")
    fits.HDUList([fits.PrimaryHDU(), table, energies]).writeto(tmp_path / "hpx.fits")
    tile_wcs = sky_wcs(SHAPE, projection="TAN", center=(120.0, 40.0))
    exposure = read_exposure(tmp_path / "hpx.fits", tile_wcs, SHAPE, survey)
    assert np.allclose(exposure, gradient(positions(tile_wcs, SHAPE)), rtol=1e-3)


def test_partial_healpix_exposure_must_cover_the_map(tmp_path, survey):
    sky = HEALPix(nside=32, order="ring")
    near = sky.cone_search_lonlat(*_lonlat(83.6, 22.0), radius=5 * _DEG)
    columns = [
        fits.Column("PIX", "J", array=near),
        fits.Column("ENERGY1", "D", array=np.full(len(near), 2e11)),
        fits.Column("ENERGY2", "D", array=np.full(len(near), 2e11)),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(PIXTYPE="HEALPIX", NSIDE=32, ORDERING="RING", INDXSCHM="EXPLICIT")
    column = fits.Column("Energy", "D", array=[300.0, 2e6])
    energies = fits.BinTableHDU.from_columns([column], name="ENERGIES")
    fits.HDUList([fits.PrimaryHDU(), table, energies]).writeto(tmp_path / "hpx.fits")
    near_wcs = sky_wcs(SHAPE, projection="TAN", center=(83.6, 22.0), frame="icrs")
    assert np.allclose(read_exposure(tmp_path / "hpx.fits", near_wcs, SHAPE, survey), 2e11)
    far_wcs = sky_wcs(SHAPE, projection="TAN", center=(183.6, 22.0), frame="icrs")
    with pytest.raises(PssegError, match=r"hpx.fits: the exposure does not cover the map: 100.0%"):
        read_exposure(tmp_path / "hpx.fits", far_wcs, SHAPE, survey)


_DEG = SkyCoord(0, 0, unit="deg").ra.unit


def _lonlat(lon, lat):
    return lon * _DEG, lat * _DEG


@pytest.mark.parametrize("center", [(0.0, 0.0), (180.0, 0.0), (90.0, 0.0)])
def test_all_sky_exposure_wraps_around(write_exposure, survey, center):
    wide = sky_wcs((90, 180), scale=2.0, center=center)
    path = write_exposure(np.full((2, 90, 180), 1e11), [0.3, 2000], wcs=wide)
    for longitude in (0.0, 90.0, 179.5, 270.0):
        tile_wcs = sky_wcs(SHAPE, projection="TAN", center=(longitude, 30.0))
        assert np.allclose(read_exposure(path, tile_wcs, SHAPE, survey), 1e11)


def test_log_energy_axis_stands_in_for_the_table(write_exposure, survey):
    step = np.log(2000 / 0.3) / 19
    cards = {"CTYPE3": "log_Energy", "CRVAL3": np.log(300.0), "CRPIX3": 1, "CDELT3": step}
    planes = 1e11 * np.log(ENERGIES / 0.1)[:, None, None] * np.ones(SHAPE)
    from_table = write_exposure(planes, ENERGIES, name="table.fits")
    from_axis = write_exposure(planes, None, cards=cards, name="axis.fits")
    wanted = read_exposure(from_table, sky_wcs(SHAPE), SHAPE, survey)
    assert np.allclose(read_exposure(from_axis, sky_wcs(SHAPE), SHAPE, survey), wanted, rtol=1e-4)


def test_single_map_serves_all_bands_with_a_warning(write_exposure, survey):
    path = write_exposure(np.full(SHAPE, 2e11), None)
    with pytest.warns(PssegWarning, match=r"exposure.fits: one exposure map without energies"):
        exposure = read_exposure(path, sky_wcs(SHAPE), SHAPE, survey)
    assert np.allclose(exposure, 2e11)


@pytest.mark.parametrize(("unit", "factor"), [("cm2 s", 1), ("m2 s", 1e4), ("cm^2 s", 1), ("", 1)])
def test_units(write_exposure, survey, unit, factor):
    path = write_exposure(np.full((2, *SHAPE), 2e7), [0.3, 2000], cards={"BUNIT": unit})
    assert np.allclose(read_exposure(path, sky_wcs(SHAPE), SHAPE, survey), factor * 2e7)


def test_wrong_unit_is_refused(write_exposure, survey):
    path = write_exposure(np.full((2, *SHAPE), 2e7), [0.3, 2000], cards={"BUNIT": "Jy"})
    with pytest.raises(PssegError, match=r"exposure.fits: unit is 'Jy'; an exposure is in cm2 s"):
        read_exposure(path, sky_wcs(SHAPE), SHAPE, survey)


def test_energies_beyond_a_band_leave_it_empty(write_exposure, survey):
    path = write_exposure(np.full((3, *SHAPE), 2e11), [10, 50, 500])
    exposure = read_exposure(path, sky_wcs(SHAPE), SHAPE, survey)
    assert not exposure[:5].any()
    assert np.allclose(exposure[5:], 2e11)


@pytest.mark.parametrize(
    ("planes", "energies", "message"),
    [
        (np.full((2, *SHAPE), 1e11), None, "no ENERGIES table, so the energies of the exposure"),
        (np.full((2, *SHAPE), 1e11), [1, 2, 3], "2 exposure planes but 3 energies"),
        (np.full((2, *SHAPE), 1e11), [2, 1], "not positive and rising"),
        (np.full((2, *SHAPE), 1e11), [1, 1.1], "does not cover the energies of the map: it lacks"),
        (
            np.zeros((2, *SHAPE)),
            [0.3, 2000],
            "does not cover the map: 100.0% of its",
        ),
        (np.full((2, *SHAPE), np.nan), [0.3, 2000], "does not cover the map: 100.0%"),
    ],
)
def test_what_is_no_exposure_is_refused(write_exposure, survey, planes, energies, message):
    path = write_exposure(planes, energies)
    with pytest.raises(PssegError, match=rf"^exposure.fits: .*{message}"):
        read_exposure(path, sky_wcs(SHAPE), SHAPE, survey)


def test_exposure_may_be_missing_where_the_map_is_masked(write_exposure, survey):
    planes = np.full((2, *SHAPE), 1e11)
    planes[:, :8] = 0
    path = write_exposure(planes, [0.3, 2000])
    with pytest.raises(PssegError, match=r"does not cover the map: 40.0%"):
        read_exposure(path, sky_wcs(SHAPE), SHAPE, survey)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:8] = True
    exposure = read_exposure(path, sky_wcs(SHAPE), SHAPE, survey, mask=mask)
    assert not exposure[:, :8].any()
    assert np.allclose(exposure[:, 8:], 1e11)


def test_file_without_exposure_is_refused(tmp_path, survey):
    fits.PrimaryHDU().writeto(tmp_path / "a.fits")
    with pytest.raises(PssegError, match=r"^a.fits: holds neither an image nor a HEALPix map; "):
        read_exposure(tmp_path / "a.fits", sky_wcs(SHAPE), SHAPE, survey)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_counts_are_no_exposure(write_cube, survey, kind):
    counts = np.random.default_rng(1).poisson(2.0, (38, *SHAPE)).astype(kind)
    with pytest.raises(PssegError, match=r"^cube.fits: is a counts cube, not an exposure; give"):
        read_exposure(write_cube(counts), sky_wcs(SHAPE), SHAPE, survey)


def test_photons_are_no_exposure(write_events, survey):
    with pytest.raises(PssegError, match=r"^events.fits: holds a photon list; give an exposure"):
        read_exposure(write_events([0.0], [0.0], [1.0]), sky_wcs(SHAPE), SHAPE, survey)
