"""A file is read as what it is, and its survey recognised."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from small_skies import StandInSurvey

from psseg.errors import PssegError
from psseg.tiles import readers
from psseg.tiles.readers import read_map, recognise_survey


@pytest.fixture(autouse=True)
def surveys(monkeypatch):
    known = {
        "other": StandInSurvey(name="other", telescopes=("OTHER",)),
        "radio": StandInSurvey(name="radio", kind="continuum", telescopes=("GLAST",)),
        "fermi-lat": StandInSurvey(),
    }
    monkeypatch.setattr(readers, "list_surveys", lambda: tuple(known))
    monkeypatch.setattr(readers, "load_survey", known.__getitem__)


def test_survey_is_recognised_from_cubes_and_photons(cube, write_events):
    assert recognise_survey(cube) == "fermi-lat"
    assert recognise_survey(write_events([0.0], [0.0], [1.0])) == "fermi-lat"


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_cut_short_is_refused_where_its_end_would_name_the_survey(write_events, part):
    whole = write_events([0.0], [0.0], [1.0])
    content = gzip.compress(whole.read_bytes())
    cut = whole.with_name("cut.fits.gz")
    cut.write_bytes(content[: int(part * len(content))])
    with pytest.raises(PssegError, match=r"cut\.fits\.gz: the file is truncated"):
        recognise_survey(cut)


def test_survey_of_other_files_is_unknown(write_cube, write_exposure):
    counts = np.ones((38, 4, 4), dtype=np.int16)
    unknown = write_cube(counts, cards={"TELESCOP": "HESS"}, name="a.fits")
    assert recognise_survey(unknown) is None
    unnamed = write_cube(counts, cards={"TELESCOP": ""}, name="b.fits")
    assert recognise_survey(unnamed) is None
    exposure = write_exposure(np.ones((2, 4, 4)), [1, 10], cards={"TELESCOP": "GLAST"})
    assert recognise_survey(exposure) is None


def test_unreadable_file_has_no_survey(tmp_path):
    (tmp_path / "a.fits").write_text("no FITS")
    with pytest.raises(PssegError, match=r"a.fits: is not a FITS file"):
        recognise_survey(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (0.01, r"--width 0.01: a field of 1 pixel; want 1.6 deg \(16 pixels\) at least"),
        (1.5, r"--width 1.5: a field of 15 pixels; want 1.6 deg"),
        (0.0, "want a positive width of the field, got 0 deg"),
        (np.inf, "want a positive width of the field, got inf deg"),
        (np.nan, "want a positive width of the field, got nan deg"),
    ],
)
def test_a_width_that_is_no_field_is_refused(cube, write_events, survey, width, message):
    for path in (cube, write_events([0.0], [0.0], [1.0])):
        with pytest.raises(PssegError, match=rf"^{path.name}: {message}"):
            read_map(path, survey, width=width)


@pytest.mark.parametrize("center", [(40.0, 25.0), SkyCoord([0, 1], [0, 1], unit="deg")])
def test_a_center_that_is_no_place_is_refused(cube, survey, center):
    with pytest.raises(PssegError, match=r"^cube\.fits: want one SkyCoord as the center"):
        read_map(cube, survey, center=center, width=2.0)


def test_an_image_behind_another_one_is_read(cube, tmp_path, survey):
    with fits.open(cube) as hdus:
        counts = fits.ImageHDU(hdus[0].data, hdus[0].header)
        plain = fits.ImageHDU(np.ones((3, 4)), name="WEIGHTS")
        moved = fits.HDUList([fits.PrimaryHDU(), plain, counts, hdus["EBOUNDS"].copy()])
        moved.writeto(tmp_path / "moved.fits")
    assert recognise_survey(tmp_path / "moved.fits") == "fermi-lat"
    found = read_map(tmp_path / "moved.fits", survey)
    assert np.array_equal(found.data, read_map(cube, survey).data)


def test_text_file_is_refused(tmp_path, survey):
    (tmp_path / "a.fits").write_text("ra dec energy\n" * 100)
    with pytest.raises(PssegError, match=r"^a.fits: is not a FITS file, whatever its name; give"):
        read_map(tmp_path / "a.fits", survey)


def test_missing_file_is_refused(tmp_path, survey):
    with pytest.raises(PssegError, match=r"none.fits: no such file$"):
        read_map(tmp_path / "none.fits", survey)


def test_file_without_map_is_refused(tmp_path, survey):
    table = fits.BinTableHDU.from_columns([fits.Column("X", "E", array=[1.0])], name="PSF")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "psf.fits")
    with pytest.raises(PssegError, match=r"^psf.fits: holds neither a map nor a photon list"):
        read_map(tmp_path / "psf.fits", survey)


@pytest.mark.parametrize(
    ("nside", "message"), [(64, "0.92 deg are too coarse"), (1024, "0.057 deg are not read")]
)
def test_healpix_counts_are_refused(tmp_path, survey, nside, message):
    table = fits.BinTableHDU.from_columns([fits.Column("CHANNEL1", "D", array=[1.0])])
    table.header.update(PIXTYPE="HEALPIX", NSIDE=nside, ORDERING="RING")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "hpx.fits")
    with pytest.raises(PssegError, match=rf"^hpx.fits: HEALPix counts with pixels of {message}"):
        read_map(tmp_path / "hpx.fits", survey)


def test_exposure_is_read_for_the_bands_and_pixels_of_the_map(write_cube, write_exposure, survey):
    counts = np.ones((23, 6, 7), dtype=np.float32)
    counts[:, 2, 3] = np.nan
    cube = write_cube(counts, 10 ** np.arange(1.0, 3.31, 0.1))
    exposure = write_exposure(np.full((2, 6, 7), 3e11), [10.0, 2000.0])
    tile = read_map(cube, survey, exposure=exposure)
    assert tile.exposure.dtype == np.float32
    assert not tile.exposure[:5].any()
    assert not tile.exposure[:, 2, 3].any()
    assert np.allclose(tile.exposure[5:, ~tile.mask], 3e11)


def test_exposure_that_lacks_a_band_of_the_map_is_refused(cube, write_exposure, survey):
    exposure = write_exposure(np.full((2, 20, 30), 3e11), [10.0, 2000.0])
    message = r"^exposure.fits: the exposure does not cover the energies .* lacks 0.316-0.501 GeV"
    with pytest.raises(PssegError, match=message):
        read_map(cube, survey, exposure=exposure)


def test_exposure_that_does_not_cover_the_map_is_refused(cube, write_exposure, survey):
    exposure = write_exposure(np.full((2, 10, 30), 3e11), [0.3, 2000.0])
    message = r"^exposure.fits: the exposure does not cover the map: 40.0% of its pixels have none"
    with pytest.raises(PssegError, match=message):
        read_map(cube, survey, exposure=exposure)
