"""All products of a set or none, and nothing overwritten by accident."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from psseg.errors import PssegError
from psseg.products import (
    append_image,
    ascii_name,
    check_writable,
    image_hdu,
    map_stem,
    name_of_ascii,
    sha256_of,
    write_together,
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("crab.fits", "crab"),
        ("maps/crab.fit", "crab"),
        ("crab.fits.gz", "crab"),
        ("crab.v2.fits.fz", "crab.v2"),
        ("crab.fits.bz2", "crab"),
        ("crab.fts", "crab"),
        ("CRAB.FITS.GZ", "CRAB"),
        ("crab.counts", "crab.counts"),
        ("crab", "crab"),
    ],
)
def test_stem_drops_only_the_endings_of_maps(name, stem):
    assert map_stem(name) == stem


@pytest.mark.parametrize(
    "name", ["../crab 1.fits", "été/Čounts ∆.fits", "100%.fits", "a%41", "\udcff"]
)
def test_any_name_is_written_in_ascii_and_read_back(name):
    written = ascii_name(name)
    assert written.isascii()
    assert written.isprintable()
    assert name_of_ascii(written) == name
    assert (written == name) is (name == "../crab 1.fits")


def test_checksum_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"counts")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"counts").hexdigest()


def test_an_existing_product_is_refused_unless_overwriting(tmp_path):
    product = tmp_path / "a.fits"
    product.write_text("mine")
    with pytest.raises(PssegError, match=r"a\.fits: exists already; use --overwrite"):
        check_writable([product], overwrite=False)
    check_writable([product], overwrite=True)
    check_writable([tmp_path / "new" / "b.fits"], overwrite=False)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(PssegError, match="this is a file; name a folder"):
        check_writable([tmp_path / "out" / "a.fits"], overwrite=True)
    with pytest.raises(PssegError, match="this is a folder; name a file"):
        check_writable([tmp_path], overwrite=True)


def test_products_appear_together(tmp_path):
    first, second = tmp_path / "out" / "a.txt", tmp_path / "out" / "b.txt"

    def write_second(path):
        assert not first.exists()
        path.write_text("b")

    write_together({first: lambda path: path.write_text("a"), second: write_second})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path, error):
    old = tmp_path / "a.txt"
    old.write_text("old")

    def fail(path):
        path.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_together({old: lambda path: path.write_text("new"), tmp_path / "b.txt": fail})
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert old.read_text() == "old"


def test_a_folder_that_was_made_for_nothing_is_taken_away(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        write_together({tmp_path / "new" / "out" / "a.txt": fail})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with pytest.raises(OSError, match="broken"):
        write_together({tmp_path / "old" / "a.txt": fail})
    assert list((tmp_path / "old").iterdir()) == []


def test_a_full_disk_is_told_with_the_file(tmp_path):
    def fail(path):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise OSError("Not enough space on disk: requested 8000") from None  # as astropy does

    with pytest.raises(OSError, match="no space left on the disk; free some") as caught:
        write_together({tmp_path / "a.fits": fail})
    assert caught.value.filename == str(tmp_path / "a.fits")


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    message = r"out: psseg cannot write there \(No such file or directory\); name another folder"
    for step in ("pathlib.Path.mkdir", "tempfile.TemporaryDirectory"):
        with monkeypatch.context() as patched:
            patched.setattr(step, fail)
            with pytest.raises(PssegError, match=message):
                write_together({tmp_path / "out" / "a.fits": lambda path: path.touch()})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_leave_to_write_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PssegError, match="psseg may not write there; name another folder"):
        check_writable([tmp_path / "out" / "a.fits"], overwrite=False)


KILLED = """
import sys, time
from pathlib import Path
from psseg.products import write_together

def hang(path):
    path.write_text("half")
    Path(sys.argv[1], "reached").touch()
    time.sleep(60)

out = Path(sys.argv[1], "out")
write_together({out / "a.txt": lambda path: path.write_text("whole"), out / "b.txt": hang})
"""


def test_a_killed_run_leaves_no_product(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    deadline = time.monotonic() + 60
    while not (tmp_path / "reached").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / "reached").exists()
    assert [path for path in (tmp_path / "out").iterdir() if path.name[0] != "."] == []


def test_a_cube_keeps_the_celestial_axes_and_names_its_planes():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval = [10.0, 20.0]
    wcs.wcs.cdelt = [-0.1, 0.1]
    hdu = image_hdu(np.zeros((2, 4, 5), dtype=np.float32), wcs, name="CUBE", planes=("a", "b"))
    assert (hdu.name, hdu.header["PLANE1"], hdu.header["PLANE2"]) == ("CUBE", "a", "b")
    read = WCS(hdu.header)
    assert read.naxis == 3
    assert np.allclose(read.celestial.wcs_pix2world(3, 2, 0), wcs.wcs_pix2world(3, 2, 0))
    assert np.allclose(read.wcs_pix2world(3, 2, 1, 0)[2], 2.0)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("u1", (517, 33)), ("f4", (3, 517, 33)), ("i4", (517, 33)), ("f4", (256, 8))],
)
def test_an_image_appended_in_strips_is_whole(tmp_path, dtype, shape):
    data = np.random.default_rng(1).integers(0, 250, shape).astype(dtype)
    path = tmp_path / "map.fits"
    fits.PrimaryHDU().writeto(path)
    hdu = image_hdu(np.broadcast_to(data.dtype.type(0), shape), WCS(naxis=2), name="MAP")
    for _ in range(2):
        append_image(path, hdu, lambda rows: data[..., rows, :])
    with fits.open(path, checksum=True) as hdus:  # a wrong sum is a warning, hence an error
        assert [image.name for image in hdus[1:]] == ["MAP", "MAP"]
        for image in hdus[1:]:
            np.testing.assert_array_equal(image.data, data)
            assert int(image.header["DATASUM"]) > 0
    assert path.stat().st_size % 2880 == 0
