"""The coverage map holds the pixels that were searched, and no others."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from made_images import radio_wcs
from made_skies import sky_wcs

from psseg.catalogue import coverage
from psseg.catalogue.coverage import searched_area, write_coverage
from psseg.errors import PssegError

mocpy = pytest.importorskip("mocpy")

MAPS = {
    "radio, SIN": radio_wcs((80, 100), center=(150.0, -30.0), rotation=20.0),
    "radio at the pole": radio_wcs((80, 100), center=(10.0, 89.99)),
    "radio over 0h": radio_wcs((80, 100), center=(0.0, 5.0)),
    "LAT, galactic": sky_wcs(100, center=(0.0, 0.0)),
    "LAT, CAR": sky_wcs(100, projection="CAR", center=(120.0, 0.0)),
}


def pixels_in(moc, wcs, shape):
    y, x = np.indices(shape)
    sky = wcs.pixel_to_world(x, y).icrs
    return moc.contains_lonlat(sky.ra, sky.dec)


def with_hole(shape):
    searched = np.ones(shape, dtype=bool)
    searched[20:50, 30:60] = False
    searched[:, :3] = False
    return searched


@pytest.mark.parametrize("wcs", MAPS.values(), ids=MAPS)
def test_searched_pixels_are_in_it_and_masked_ones_are_not(wcs):
    searched = with_hole((80, 100))
    moc = searched_area(searched, wcs)
    inside = pixels_in(moc, wcs, searched.shape)
    assert np.array_equal(inside, searched)


@pytest.mark.parametrize("wcs", MAPS.values(), ids=MAPS)
def test_its_area_is_that_of_the_pixels(wcs):
    searched = with_hole((80, 100))
    moc = searched_area(searched, wcs)
    y, x = np.indices((81, 101)) - 0.5
    corner = wcs.pixel_to_world(x, y).cartesian.xyz.value
    side = [np.diff(corner, axis=axis) for axis in (1, 2)]
    area = np.linalg.norm(np.cross(side[0][:, :, :-1], side[1][:, :-1], axis=0), axis=0)
    assert moc.sky_fraction * 4 * np.pi == pytest.approx(area[searched].sum(), rel=0.01)


def test_nothing_beyond_the_map_is_in_it():
    wcs = sky_wcs(100, center=(0.0, 0.0))
    moc = searched_area(np.ones((100, 100), bool), wcs)
    beyond = SkyCoord([6.0, -6.0, 180.0, 0.0], [0.0, 0.0, 0.0, 6.0], unit="deg", frame="galactic")
    assert not moc.contains_lonlat(beyond.icrs.ra, beyond.icrs.dec).any()


def test_a_map_of_the_whole_sky_has_no_blank_corners():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["GLON-AIT", "GLAT-AIT"], [0.0, 0.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [90.5, 45.5], [-2.0, 2.0]
    moc = searched_area(np.ones((90, 180), bool), wcs)
    assert moc.sky_fraction == pytest.approx(1, abs=0.01)


def test_nothing_searched_is_an_empty_area(tmp_path):
    write_coverage(tmp_path / "moc.fits", np.zeros((20, 20), bool), radio_wcs((20, 20)))
    assert mocpy.MOC.load(str(tmp_path / "moc.fits"), "fits").empty()


def test_memory_bounds_the_order(monkeypatch):
    wcs, searched = radio_wcs((64, 64)), np.ones((64, 64), bool)
    fine = searched_area(searched, wcs)
    monkeypatch.setattr(coverage, "MOST_CELLS", 2000)
    coarse = searched_area(searched, wcs)
    assert coarse.max_order < fine.max_order
    assert coarse.sky_fraction == pytest.approx(fine.sky_fraction, rel=0.05)


def test_the_file_is_a_fits_moc(tmp_path):
    wcs, searched = radio_wcs((40, 50)), with_hole((40, 50))
    write_coverage(tmp_path / "moc.fits", searched, wcs)
    header = fits.getheader(tmp_path / "moc.fits", 1)
    assert (header["MOCVERS"], header["COORDSYS"], header["MOCDIM"]) == ("2.0", "C", "SPACE")
    back = mocpy.MOC.load(str(tmp_path / "moc.fits"), "fits")
    assert back == searched_area(searched, wcs)
    centre = wcs.pixel_to_world(10, 10)
    assert back.contains_lonlat(centre.ra, centre.dec)[0]
    assert not back.contains_lonlat(centre.ra, centre.dec + 1 * u.deg)[0]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("psseg.catalogue.coverage.find_spec", lambda name: None)
    with pytest.raises(PssegError, match="MOC needs mocpy"):
        searched_area(np.ones((5, 5), bool), radio_wcs((5, 5)))
