"""Simulated tiles on disk: readable by other programs, and by psseg like an observer's."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from psseg.errors import PssegError
from psseg.sky.simulation import simulate_tile
from psseg.sky.tile_files import read_truth, write_simulated_tile
from psseg.survey.survey import load_survey
from psseg.tiles.readers import read_map, recognise_survey


@pytest.fixture(scope="module")
def survey():
    return load_survey("fermi-lat")


@pytest.fixture(scope="module")
def simulated(survey):
    center = SkyCoord(40.0, 10.0, unit="deg", frame="galactic")
    return simulate_tile(
        survey, rng=np.random.default_rng(3), shape=(48, 64), center=center, years=10.0
    )


@pytest.fixture(scope="module")
def files(survey, simulated, tmp_path_factory):
    return write_simulated_tile(simulated, tmp_path_factory.mktemp("sky"), "sky", survey)


def test_what_is_written_is_read_back(survey, simulated, files):
    tile = read_map(files.counts, survey, exposure=files.exposure)
    assert np.array_equal(tile.data, simulated.tile.data)
    assert tile.bands_present.all()
    assert not tile.bands_shared.any()
    assert not tile.mask.any()
    assert np.allclose(tile.exposure, simulated.tile.exposure, rtol=1e-3)
    corners = np.array([0.0, 63.0]), np.array([0.0, 47.0])
    separation = tile.pixel_to_sky(*corners).separation(simulated.tile.pixel_to_sky(*corners))
    assert separation.arcsec.max() < 0.1


def test_the_header_names_the_survey(survey, files):
    assert recognise_survey(files.counts) == survey.name


def test_the_cube_looks_like_one_of_gtbin(survey, files):
    with fits.open(files.counts, checksum=True) as hdus:
        assert hdus[0].header["BITPIX"] == 32
        assert hdus["EBOUNDS"].columns["E_MIN"].unit == "keV"
        assert np.allclose(hdus["EBOUNDS"].data["E_MIN"] / 1e6, survey.energy_edges[:-1])
        assert WCS(hdus[0].header).naxis == 3


def test_bands_that_are_not_there_are_not_written(survey, simulated, tmp_path):
    present = np.arange(survey.n_bands) >= 5
    tile = simulated.tile
    hard = type(tile)(
        data=np.where(present[:, None, None], tile.data, 0),
        wcs=tile.wcs,
        bands_present=present,
        mask=tile.mask,
        exposure=tile.exposure,
    )
    hard_sky = type(simulated)(**{**vars(simulated), "tile": hard})
    files = write_simulated_tile(hard_sky, tmp_path, "hard", survey)
    read = read_map(files.counts, survey, exposure=files.exposure)
    assert np.array_equal(read.bands_present, present)
    assert np.array_equal(read.data, hard.data)


def test_truth_is_read_back(simulated, files):
    truth = read_truth(files.truth)
    assert np.array_equal(truth.class_map, simulated.class_map)
    assert np.allclose(truth.background, simulated.background, rtol=1e-6)
    assert truth.table.colnames == simulated.truth.colnames
    assert np.allclose(truth.table["RAJ2000"].value, simulated.truth["RAJ2000"].value)
    assert list(truth.table["CLASS"]) == list(simulated.truth["CLASS"])
    x, y = truth.wcs.world_to_pixel_values(truth.table["GLON"], truth.table["GLAT"])
    assert np.allclose(x, simulated.truth["X"], atol=1e-6)
    assert np.allclose(y, simulated.truth["Y"], atol=1e-6)
    assert np.isclose(truth.pixel_scale, 0.1)


def test_no_tile_is_overwritten_by_accident(survey, simulated, files):
    with pytest.raises(PssegError, match="use --overwrite"):
        write_simulated_tile(simulated, files.counts.parent, "sky", survey)
    write_simulated_tile(simulated, files.counts.parent, "sky", survey, overwrite=True)


def test_what_is_no_truth_file_is_refused(files, tmp_path):
    with pytest.raises(PssegError, match="not a truth file of psseg simulate"):
        read_truth(files.counts)
    with pytest.raises(PssegError, match="no such file"):
        read_truth(tmp_path / "none.fits")
