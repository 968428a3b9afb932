"""What the header of an exposure says: units, energies, and which pixels it lists."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy_healpix import HEALPix
from small_skies import ebounds, sky_wcs

from psseg.tiles.exposure import read_exposure

SHAPE = (20, 30)
EDGES = np.geomspace(0.1, 5000, 9)  # GeV: bins so wide that their means differ
MEANS = np.sqrt(EDGES[:-1] * EDGES[1:])
RISING = 1e11 * np.log(MEANS / 0.05)[:, None, None] * np.ones(SHAPE)


def in_bands(path, survey):
    return read_exposure(path, sky_wcs(SHAPE), SHAPE, survey)[:, 0, 0]


@pytest.mark.parametrize("unit", ["keV", None])
def test_bins_of_energy_stand_at_their_geometric_means(tmp_path, write_exposure, survey, unit):
    wanted = in_bands(write_exposure(RISING, MEANS), survey)
    table = ebounds(EDGES)
    for name in ("E_MIN", "E_MAX"):
        table.columns[name].unit = unit
    header = sky_wcs(SHAPE).to_header()
    hdus = fits.HDUList([fits.PrimaryHDU(RISING.astype(np.float32), header), table])
    hdus.writeto(tmp_path / "bins.fits")
    assert in_bands(tmp_path / "bins.fits", survey) == pytest.approx(wanted, rel=1e-4)
    assert (np.diff(wanted) > 0.1 * wanted[0]).all()


@pytest.mark.parametrize("pixel", [1, 3])
def test_the_energy_axis_has_a_reference_pixel(write_exposure, survey, pixel):
    wanted = in_bands(write_exposure(RISING, MEANS, name="table.fits"), survey)
    cards = {
        "CTYPE3": "log_Energy",
        "CRPIX3": pixel,
        "CRVAL3": np.log(MEANS[pixel - 1] * 1e3),
        "CDELT3": np.log(MEANS[1] / MEANS[0]),
    }
    path = write_exposure(RISING, None, cards=cards, name="axis.fits")
    assert in_bands(path, survey) == pytest.approx(wanted, rel=1e-4)


HEALPIX = HEALPix(nside=32, order="ring")
NUMBERS = 1e11 + 1e7 * np.arange(HEALPIX.npix)


def write_healpix(path, values, unit=None, **cards):
    columns = [fits.Column(f"ENERGY{i}", "D", unit=unit, array=values) for i in (1, 2)]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(PIXTYPE="HEALPIX", NSIDE=32, ORDERING="RING", COORDSYS="GAL", **cards)
    column = fits.Column("Energy", "D", array=[200.0, 2e6])
    energies = fits.BinTableHDU.from_columns([column], name="ENERGIES")
    fits.HDUList([fits.PrimaryHDU(), table, energies]).writeto(path)
    return path


def of_healpix(path, survey):
    wcs = sky_wcs(SHAPE, projection="TAN", center=(120.0, 40.0))
    return read_exposure(path, wcs, SHAPE, survey)


@pytest.mark.parametrize(("unit", "factor"), [(None, 1), ("cm2 s", 1), ("m2 s", 1e4)])
def test_healpix_columns_have_a_unit(tmp_path, survey, unit, factor):
    path = write_healpix(tmp_path / "hpx.fits", np.full(HEALPIX.npix, 2e7), unit)
    assert of_healpix(path, survey) == pytest.approx(np.full((8, *SHAPE), factor * 2e7), rel=1e-6)


def test_a_healpix_map_may_begin_at_any_pixel(tmp_path, survey):
    first = HEALPIX.npix // 10
    whole = write_healpix(tmp_path / "whole.fits", NUMBERS)
    part = write_healpix(tmp_path / "part.fits", NUMBERS[first:-first], FIRSTPIX=first)
    assert of_healpix(part, survey) == pytest.approx(of_healpix(whole, survey), rel=1e-6)
