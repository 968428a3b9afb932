"""Files that are no FITS, or not whole, are refused in one line; others open quietly."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from psseg.errors import PssegError
from psseg.tiles.headers import (
    celestial_wcs,
    find_image,
    image_planes,
    open_fits,
    telescope,
)


@pytest.fixture
def long_file(tmp_path) -> Path:
    """An image and two tables, so that the file can be cut in each of them."""
    rng = np.random.default_rng(3)
    tables = [
        fits.BinTableHDU.from_columns([fits.Column("X", "E", array=rng.random(5000))], name=name)
        for name in ("EBOUNDS", "GTI")
    ]
    hdus = fits.HDUList([fits.PrimaryHDU(rng.poisson(1.0, (4, 30, 40)).astype("i4")), *tables])
    hdus.writeto(tmp_path / "long.fits")
    return tmp_path / "long.fits"


def test_whole_files_open(long_file):
    content = long_file.read_bytes()
    Path(f"{long_file}.gz").write_bytes(gzip.compress(content))
    Path(f"{long_file}.bz2").write_bytes(bz2.compress(content))
    for ending in ("", ".gz", ".bz2"):
        with open_fits(f"{long_file}{ending}") as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "EBOUNDS", "GTI"]


@pytest.mark.parametrize(("part", "check"), [(0.02, True), (0.02, False), (0.5, True), (0.9, True)])
def test_compressed_files_that_break_off_are_said_to_be_truncated(long_file, part, check):
    content = gzip.compress(long_file.read_bytes())
    broken = long_file.with_name("broken.fits.gz")
    broken.write_bytes(content[: int(part * len(content))])
    message = "broken.fits.gz: the file is truncated; copy or download it again"
    with pytest.raises(PssegError, match=message), open_fits(broken, check=check):
        pass


@pytest.mark.parametrize("part", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("how", ["plain", "cut after compression", "cut before compression"])
def test_truncated_files_are_refused(long_file, part, how):
    content = long_file.read_bytes()
    if how == "cut after compression":
        content = gzip.compress(content)
    content = content[: int(part * len(content))]
    if how == "cut before compression":
        content = gzip.compress(content)
    broken = long_file.with_name("broken.fits")
    broken.write_bytes(content)
    message = r"broken\.fits: (the file is truncated; copy or download it again|cannot be read)"
    with pytest.raises(PssegError, match=message), open_fits(broken):
        pass


def test_file_cut_within_a_later_header_is_refused(long_file):
    with fits.open(long_file) as hdus:
        place = hdus[2].fileinfo()["hdrLoc"] + 400
    broken = long_file.with_name("broken.fits")
    broken.write_bytes(long_file.read_bytes()[:place])
    with pytest.raises(PssegError, match=r"broken.fits: the file is truncated"), open_fits(broken):
        pass


def test_missing_padding_at_the_end_does_no_harm(long_file):
    with fits.open(long_file) as hdus:
        end = hdus[2].fileinfo()["datLoc"] + hdus[2].size
    short = long_file.with_name("short.fits")
    short.write_bytes(long_file.read_bytes()[:end])
    with open_fits(short) as hdus:
        assert len(hdus) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"energy ra dec\n1 2 3\n" * 100, "map.fits: is not a FITS file, whatever its name"),
        (b"", "map.fits: is empty; give a FITS map"),
        (b"SIMPLE  = nonsense" + b" " * 5000, "map.fits: cannot be read as FITS"),
        (b"\x1f\x8b\x08\x00nonsense" * 9, "map.fits: cannot be read as FITS"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "map.fits").write_bytes(content)
    with pytest.raises(PssegError, match=message), open_fits(tmp_path / "map.fits"):
        pass


@pytest.mark.parametrize("card", [b"NAXIS1  =", b"BITPIX  =", b"TFORM1  ="])
def test_damaged_headers_are_refused(long_file, card):
    content = long_file.read_bytes().replace(card, b"XXXXXXX =")
    (long_file.with_name("damaged.fits")).write_bytes(content)
    message = r"damaged.fits: (its headers are damaged|cannot be read|the file is truncated)"
    with pytest.raises(PssegError, match=message), open_fits(long_file.with_name("damaged.fits")):
        pass


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(PssegError, match=r"none.fits: no such file$"):
        open_fits(tmp_path / "none.fits").__enter__()
    with pytest.raises(PssegError, match=rf"{tmp_path}: is a folder; give its files"):
        open_fits(tmp_path).__enter__()


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PssegError, match=r"pipe: is a pipe or a device.*; give a file"):
        open_fits(tmp_path / "pipe").__enter__()


def test_the_first_image_on_the_sky_is_found():
    plain = fits.ImageHDU(np.ones((10, 20)), name="WEIGHTS")
    sky = fits.ImageHDU(
        np.ones((10, 20)), fits.Header({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"})
    )
    table = fits.BinTableHDU(name="T")
    assert find_image(fits.HDUList([fits.PrimaryHDU(), plain, table, sky, sky.copy()])) is sky
    assert find_image(fits.HDUList([fits.PrimaryHDU(), plain, table])) is plain
    assert find_image(fits.HDUList([fits.PrimaryHDU(), table])) is None


def test_telescope_is_found_in_any_header():
    table = fits.BinTableHDU(name="EVENTS")
    table.header["TELESCOP"] = "glast"
    assert telescope(fits.HDUList([fits.PrimaryHDU(), table])) == "GLAST"
    assert telescope(fits.HDUList([fits.PrimaryHDU()])) == ""


def test_wcs_keeps_rotation_and_old_forms():
    header = fits.Header()
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=10.0, CRVAL2=20.0)
    header.update(CRPIX1=5.0, CRPIX2=6.0, CDELT1=-0.1, CDELT2=0.1, CROTA2=30.0)
    header.update(RADECSYS="FK5", EQUINOX=2000.0)
    wcs = celestial_wcs(header, name="a.fits")
    assert wcs.wcs.radesys == "FK5"
    ra, dec = wcs.wcs_pix2world(4.0, 6.0, 0)
    turned = np.degrees(np.arctan2((10 - ra) * np.cos(np.radians(dec)), dec - 20))
    assert turned == pytest.approx(30.0, abs=0.01)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({}, r"a.fits: no celestial WCS \(CTYPE1 and CTYPE2 are '' and ''\)"),
        ({"CTYPE1": "RA---TAN", "CTYPE2": "FREQ"}, "a.fits: "),
        ({"CTYPE1": "RA---TAN", "CTYPE2": "GLAT-TAN"}, "a.fits: its WCS cannot be used"),
    ],
)
def test_wcs_that_is_not_celestial_is_refused(cards, message):
    with pytest.raises(PssegError, match=message):
        celestial_wcs(fits.Header(cards), name="a.fits")


@pytest.mark.parametrize("extra", [(), (1,)])
@pytest.mark.parametrize("kind", ["int16", "uint16", ">f4", "compressed"])
def test_planes_are_native_and_scaled(tmp_path, extra, kind):
    counts = np.random.default_rng(2).poisson(300, (*extra, 3, 20, 30))
    if kind == "compressed":
        hdu = fits.CompImageHDU(counts.astype("i4"), compression_type="RICE_1")
    else:
        hdu = fits.PrimaryHDU(counts.astype(kind))
    fits.HDUList([fits.PrimaryHDU(), hdu] if kind == "compressed" else [hdu]).writeto(
        tmp_path / "a.fits"
    )
    with open_fits(tmp_path / "a.fits") as hdus:
        planes = list(image_planes(find_image(hdus), bins=np.array([0, 2])))
    assert np.array_equal(planes, counts.reshape(3, 20, 30)[[0, 2]])
    assert planes[0].dtype == np.float64


def test_blank_integers_are_nan(tmp_path):
    hdu = fits.PrimaryHDU(np.arange(12, dtype="i2").reshape(1, 3, 4))
    hdu.header["BLANK"] = 5
    hdu.writeto(tmp_path / "a.fits")
    with open_fits(tmp_path / "a.fits") as hdus:
        (plane,) = image_planes(find_image(hdus), bins=np.array([0]))
    assert np.argwhere(np.isnan(plane)).tolist() == [[1, 1]]


def test_invalid_blank_of_a_float_image_is_ignored(tmp_path):
    hdu = fits.PrimaryHDU(np.ones((2, 3, 4), dtype="f4"))
    hdu.header["BLANK"] = 5
    hdu.writeto(tmp_path / "a.fits", output_verify="ignore")
    with open_fits(tmp_path / "a.fits") as hdus:
        assert find_image(hdus).section[0].sum() == 12
