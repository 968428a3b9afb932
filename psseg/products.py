"""Writing products: all of a set or none, and never over somebody's work by accident.

In: the files to write and a function that writes each. Out: the files, complete. What psseg writes
goes to a hidden folder beside its destination first and is moved when the whole set is complete, so
that a run that is killed leaves no half-written file under a product's name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import string
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from psseg import __version__
from psseg.errors import PssegError

__all__ = [
    "append_image",
    "ascii_name",
    "check_writable",
    "image_hdu",
    "made_by",
    "map_stem",
    "name_of_ascii",
    "sha256_of",
    "write_together",
]

_STRIP = 256  # rows written at once: a multiple of 4, so that whole words are summed up
_BLOCK = 2880  # bytes
_IN_HEADERS = "".join(sign for sign in string.printable if sign.isprintable() and sign != "%")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_MAP_ENDINGS = (".gz", ".fz", ".bz2", ".fits", ".fit", ".fts")


def map_stem(path: str | Path, *, more: Sequence[str] = ()) -> str:
    """Give the name of a map without its folder and endings, as the products' names start with it.

    Parameters
    ----------
    path : str or Path
        The map.
    more : sequence of str
        Endings, lower case, to drop besides those of compressed files and FITS files.

    Returns
    -------
    str
        Endings count in upper and lower case.

    Examples
    --------
    >>> map_stem("maps/crab.counts.fits.gz"), map_stem("CRAB.FIT")
    ('crab.counts', 'CRAB')
    """
    stem = Path(path).name
    for ending in (*_MAP_ENDINGS, *more):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
    return stem


def sha256_of(path: str | Path) -> str:
    """Give the SHA-256 checksum of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ascii_name(name: str) -> str:
    """Write a file's name or path as FITS headers can hold it.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        What is not printable ASCII, and the percent sign, as ``%XX`` of its UTF-8.

    Examples
    --------
    >>> ascii_name("../été/crab 1.fits"), name_of_ascii("../%C3%A9t%C3%A9/crab 1.fits")
    ('../%C3%A9t%C3%A9/crab 1.fits', '../été/crab 1.fits')
    """
    return quote(name, safe=_IN_HEADERS, errors="surrogateescape")


def name_of_ascii(text: str) -> str:
    """Give the name or path that :func:`ascii_name` wrote."""
    return unquote(text, errors="surrogateescape")


def made_by() -> dict[str, str]:
    """Give the header cards that say which psseg made a product, and when (UTC).

    Returns
    -------
    dict of str to str
        CREATOR and DATE.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {"CREATOR": f"psseg {__version__}", "DATE": now}


def check_writable(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse, before any work is done, products that could not or should not be written.

    Parameters
    ----------
    paths : iterable of Path
        The files that the work will write; their folders need not exist yet.
    overwrite : bool
        Whether files that exist may be replaced.

    Raises
    ------
    PssegError
        If a file exists and `overwrite` is off, or if a file stands where a folder is wanted, or a
        folder that must not be written to.
    """
    for path in paths:
        if path.is_dir():
            raise PssegError(f"{path}: this is a folder; name a file")
        if path.exists() and not overwrite:
            raise PssegError(f"{path}: exists already; use --overwrite to replace it")
        standing = next(parent for parent in path.absolute().parents if parent.exists())
        if not standing.is_dir():
            raise PssegError(f"{standing}: this is a file; name a folder for the products")
        if not os.access(standing, os.W_OK | os.X_OK):
            raise PssegError(f"{standing}: psseg may not write there; name another folder")


def write_together(writers: Mapping[Path, Callable[[Path], object]]) -> None:
    """Write a set of files so that none is seen before all of them are complete.

    Parameters
    ----------
    writers : mapping of Path to callable
        Destination of each file, and the function that writes it to the path it is given. All
        destinations lie in one folder, which is made where it is missing. The order counts: the
        last file to appear is the last of the mapping.

    Raises
    ------
    PssegError
        If the folder cannot be made or written to.
    OSError
        If a file cannot be written; it is named where the disk is full.

    Notes
    -----
    Each file is written under its own name in a hidden folder ``.psseg-…`` in the destination's
    folder, hence on the same file system, where a move is atomic. A kill between two moves leaves
    complete files only, though not all of them; a kill before them leaves the hidden folder.
    """
    if not writers:
        return
    folder = next(iter(writers)).absolute().parent
    with _hidden_folder(folder) as hidden:
        staged = {path: hidden / path.name for path in writers}
        for path, write in writers.items():
            with _naming(path):
                write(staged[path])
        for path, complete in staged.items():
            os.replace(complete, path)


@contextmanager
def _hidden_folder(folder: Path) -> Iterator[Path]:
    """Make a hidden folder in one that may be missing; after a failure, leave no empty ones."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            hidden = tempfile.TemporaryDirectory(prefix=".psseg-", dir=folder)
        except OSError as error:
            why = f"psseg cannot write there ({error.strerror}); name another folder"
            raise PssegError(f"{folder}: {why}") from error
        with hidden:
            yield Path(hidden.name)
    except BaseException:
        with suppress(OSError):
            for place in missing:
                place.rmdir()
        raise


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file that a full disk has no room for, which the libraries that write do not."""
    try:
        yield
    except OSError as error:
        cause: BaseException | None = error
        while cause is not None and getattr(cause, "errno", None) not in _DISK_FULL:
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        what = "no space left on the disk; free some, or name another folder"
        raise OSError(errno.ENOSPC, what, str(path)) from error


def image_hdu(
    data: np.ndarray, wcs: WCS, *, name: str, planes: Sequence[str] = ()
) -> fits.ImageHDU:
    """Make a FITS image that other programs can place on the sky.

    Parameters
    ----------
    data : numpy.ndarray, shape (n_y, n_x) or (n_planes, n_y, n_x)
        The pixels.
    wcs : astropy.wcs.WCS
        2-D celestial WCS.
    name : str
        EXTNAME.
    planes : sequence of str, length n_planes
        What each plane of a cube is, written as ``PLANE1``, ``PLANE2``, …

    Returns
    -------
    astropy.io.fits.ImageHDU
        A cube has a linear third axis that counts the planes from 1.
    """
    header = wcs.to_header()
    if data.ndim == 3:
        header["WCSAXES"] = 3
        header.update({"CTYPE3": "PLANE", "CRPIX3": 1.0, "CRVAL3": 1.0, "CDELT3": 1.0})
    for number, plane in enumerate(planes, 1):
        header[f"PLANE{number}"] = plane
    return fits.ImageHDU(data, header, name=name)


def append_image(path: Path, hdu: fits.ImageHDU, read: Callable[[slice], np.ndarray]) -> None:
    """Append an image to a FITS file, some rows at a time, so that it is never held in memory.

    Parameters
    ----------
    path : Path
        A FITS file.
    hdu : astropy.io.fits.ImageHDU
        Header, shape and type (of four bytes, or a single plane); its pixels are not looked at.
    read : callable
        Gives rows (a slice) of the image, shape (n_rows, n_x) or (n_planes, n_rows, n_x).

    Notes
    -----
    DATASUM is as the FITS standard 4.0, section 4.4.2.7, has it; there is no CHECKSUM.
    """
    header, dtype = hdu.header.copy(), hdu.data.dtype.newbyteorder(">")
    n_y, n_x = hdu.data.shape[-2:]
    header["DATASUM"] = (f"{0:010d}", "data unit checksum")
    total, size = 0, hdu.data.size * dtype.itemsize
    with path.open("r+b") as file:
        start = file.seek(0, os.SEEK_END)
        file.write(header.tostring().encode("ascii"))
        data = file.tell()
        for top in range(0, n_y, _STRIP):
            rows = slice(top, min(top + _STRIP, n_y))
            values = np.reshape(read(rows), (-1, rows.stop - top, n_x)).astype(dtype)
            for plane, strip in enumerate(values):
                file.seek(data + (plane * n_y + top) * n_x * dtype.itemsize)
                file.write(strip)
                total += _word_sum(strip)
        file.seek(data + size)
        file.write(bytes(-size % _BLOCK))
        header["DATASUM"] = f"{(total - 1) % 0xFFFFFFFF + 1 if total else 0:010d}"
        file.seek(start)
        file.write(header.tostring().encode("ascii"))


def _word_sum(strip: np.ndarray) -> int:
    """Sum of the bytes as 32-bit words, the last one filled up with zeros."""
    raw = strip.reshape(-1).view(np.uint8)
    whole = raw.size // 4 * 4
    rest = int.from_bytes(raw[whole:].tobytes().ljust(4, b"\0"), "big")
    return int(raw[:whole].view(">u4").sum(dtype=np.uint64)) + rest
