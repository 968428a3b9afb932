"""Real maps of the Galactic centre above 10 GeV: cube, photons and exposures agree."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.readers import read_map, recognise_survey

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def field(data_folder):
    folder = data_folder / "lat" / "gc_3fhl"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist")
    return lambda what: folder / f"fermi-3fhl-gc-{what}.fits.gz"


@pytest.fixture(scope="module")
def cube(field, lat):
    with pytest.warns(PssegWarning, match=r"energy bins straddle the band edges at 19.95, 50.12"):
        return read_map(field("counts-cube"), lat, exposure=field("exposure-cube"))


@pytest.fixture(scope="module")
def photons(field, lat):
    return read_map(field("events"), lat, exposure=field("exposure-cube"))


def test_survey_is_recognised(field):
    assert recognise_survey(field("counts-cube")) == "fermi-lat"
    assert recognise_survey(field("events")) == "fermi-lat"
    assert recognise_survey(field("psf-cube")) is None


def test_counts_cube(cube, field):
    assert cube.shape == (100, 200)
    assert cube.bands_present.tolist() == [False] * 5 + [True] * 3
    assert cube.bands_shared.tolist() == [False] * 5 + [True] * 3
    assert cube.pixel_scale == pytest.approx(0.1)
    assert not cube.mask.any()
    assert cube.data.sum() == pytest.approx(fits.getdata(field("counts-cube")).sum(), rel=1e-5)
    assert any("band 50.12-1995 GeV misses 3.4%" in note for note in cube.notes)


def test_photons(photons):
    assert photons.shape == (102, 203)
    assert photons.bands_present.tolist() == [False] * 5 + [True] * 3
    assert photons.data.sum() == pytest.approx(32_843, abs=30)


def test_photons_mask_follows_the_field(photons):
    y, x = np.indices(photons.shape)
    coord = photons.pixel_to_sky(x, y)
    beyond = np.maximum(np.abs(coord.l.wrap_at("180d").deg) - 10, np.abs(coord.b.deg) - 5)
    assert photons.mask[beyond > 0.15].all()
    assert np.count_nonzero(photons.mask[beyond < -0.1]) < 20
    assert not photons.mask[beyond < -0.5].any()


def test_photons_and_cube_agree_where_they_overlap(cube, photons):
    cube_bands, photon_bands = (tile.data.sum(axis=(1, 2))[5:] for tile in (cube, photons))
    assert cube_bands[:2] == pytest.approx(photon_bands[:2], rel=0.005)
    assert cube_bands[2] == pytest.approx(photon_bands[2], rel=0.05)  # the cube ends at 500 GeV
    coarse = [_in_cells(tile) for tile in (cube, photons)]
    assert np.corrcoef(*coarse)[0, 1] > 0.98


def _in_cells(tile):
    """Sum counts in cells of 0.5 deg of Galactic coordinates, inside |b| < 4, |l| < 9 deg."""
    y, x = np.indices(tile.shape)
    coord = tile.pixel_to_sky(x, y)
    edges = np.arange(-4, 4.1, 0.5), np.arange(-9, 9.1, 0.5)
    lon = coord.l.wrap_at("180d").deg.ravel()
    weights = tile.data.sum(axis=0).ravel()
    return np.histogram2d(coord.b.deg.ravel(), lon, bins=edges, weights=weights)[0].ravel()


def test_exposure(cube, photons):
    for tile in (cube, photons):
        used = tile.exposure[5:][:, ~tile.mask]
        assert not tile.exposure[:5].any()
        assert 3.1e11 < used.min() < used.max() < 3.4e11
    assert cube.exposure[5, 50, 100] == pytest.approx(photons.exposure[5, 51, 101], rel=1e-3)


def test_all_sky_healpix_exposure_agrees(cube, data_folder, lat, field):
    path = data_folder / "lat" / "allsky_3fhl" / "fermi_3fhl_exposure_cube_hpx.fits.gz"
    tile = read_map(field("events"), lat, exposure=path)
    assert np.median(tile.exposure[5:], axis=(1, 2)) == pytest.approx(
        np.median(cube.exposure[5:], axis=(1, 2)), rel=0.02
    )


@pytest.mark.parametrize(
    ("folder", "name", "message"),
    [
        ("gc_3fhl", "fermi-3fhl-gc-background-cube", r"no whole numbers of photons .* model map"),
        ("gc_3fhl", "fermi-3fhl-gc-exposure-cube", r"no EBOUNDS table"),
        ("gc_3fhl", "fermi-3fhl-gc-psf-cube", r"holds neither a map nor a photon list"),
        ("allsky_3fhl", "fermi_3fhl_counts_cube_hpx", r"HEALPix counts .* 0.92 deg are too coarse"),
    ],
)
def test_what_is_no_counts_map_is_refused(data_folder, lat, folder, name, message):
    path = data_folder / "lat" / folder / f"{name}.fits.gz"
    with pytest.raises(PssegError, match=rf"^{name}.fits.gz: .*{message}"):
        read_map(path, lat)
