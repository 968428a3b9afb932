"""Small skies in FITS files: counts cubes, photon lists and exposures, whole or broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from small_skies import TEN_PER_DECADE, StandInSurvey, ebounds, sky_wcs


@pytest.fixture
def survey() -> StandInSurvey:
    return StandInSurvey()


@pytest.fixture
def write_cube(tmp_path) -> Callable[..., Path]:
    """Write a counts cube; returns its path."""

    def write(counts, edges=TEN_PER_DECADE, *, wcs=None, cards=None, name="cube.fits") -> Path:
        counts = np.asarray(counts)
        header = (sky_wcs(counts.shape[-2:]) if wcs is None else wcs).to_header()
        header["TELESCOP"] = "GLAST"
        header.update(cards or {})
        hdus = fits.HDUList([fits.PrimaryHDU(counts, header)])
        if edges is not None:
            hdus.append(ebounds(edges))
        hdus.writeto(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def cube(write_cube) -> Path:
    """A sound cube of 20 x 30 pixels in 38 bins."""
    rng = np.random.default_rng(1)
    return write_cube(rng.poisson(2.0, (38, 20, 30)).astype(np.int32))


@pytest.fixture
def write_events(tmp_path) -> Callable[..., Path]:
    """Write a photon list from Galactic (or, with ``galactic=False``, equatorial) positions."""

    def write(lon, lat, energy, *, galactic=True, cards=None, name="events.fits") -> Path:
        coord = SkyCoord(lon, lat, unit="deg", frame="galactic" if galactic else "icrs")
        columns = [
            fits.Column("ENERGY", "E", unit="MeV", array=np.asarray(energy) * 1e3),
            fits.Column("RA", "D", unit="deg", array=coord.icrs.ra.deg),
            fits.Column("DEC", "D", unit="deg", array=coord.icrs.dec.deg),
        ]
        if galactic:
            columns += [
                fits.Column("L", "D", unit="deg", array=coord.l.deg),
                fits.Column("B", "D", unit="deg", array=coord.b.deg),
            ]
        table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
        table.header["TELESCOP"] = "GLAST"
        table.header.update(cards or {})
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def write_exposure(tmp_path) -> Callable[..., Path]:
    """Write an exposure cube with an ENERGIES table in MeV without a unit, as gtexpcube2 does."""

    def write(planes, energies_gev, *, wcs=None, cards=None, name="exposure.fits") -> Path:
        planes = np.asarray(planes, dtype=np.float32)
        header = (sky_wcs(planes.shape[-2:]) if wcs is None else wcs).to_header()
        header.update(cards or {})
        hdus = fits.HDUList([fits.PrimaryHDU(planes, header)])
        if energies_gev is not None:
            column = fits.Column("Energy", "D", array=np.asarray(energies_gev) * 1e3)
            hdus.append(fits.BinTableHDU.from_columns([column], name="ENERGIES"))
        hdus.writeto(tmp_path / name)
        return tmp_path / name

    return write
