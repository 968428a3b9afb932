"""Open FITS files, and read their images and where these lie on the sky.

What goes wrong with a file is said here, once, in one line that names it: not FITS, cut short,
damaged, no celestial WCS.
"""

from __future__ import annotations

import bz2
import gzip
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.io.fits.verify import VerifyError, VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, FITSFixedWarning, WcsError
from numpy.typing import NDArray

from psseg.errors import PssegError

__all__ = [
    "DAMAGED",
    "celestial_wcs",
    "find_image",
    "image_planes",
    "one_line",
    "open_fits",
    "telescope",
]

_Opener = Callable[..., Any]
_OPENERS: dict[bytes, _Opener] = {b"SIMPLE": open, b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
_UNREADABLE = (OSError, EOFError, zlib.error, VerifyError)
DAMAGED = (KeyError, AttributeError, TypeError, ValueError)
"""What astropy raises where a header lacks cards or does not fit its data."""

_CHUNK = 1 << 22  # bytes
_CELESTIAL = re.compile(r"RA|DEC|.LON|.LAT|..L[NT]-")  # FITS standard 4.0, table 22


@contextmanager
def open_fits(path: str | Path, *, check: bool = True) -> Iterator[fits.HDUList]:
    """Open a FITS file, plain or compressed, that is whole and readable.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.fits``, ``.fits.gz``, ``.fits.bz2`` or ``.fits.fz``; the content counts, not the name.
    check : bool
        Whether to look for a truncated end. A compressed file is read once more for that.

    Yields
    ------
    astropy.io.fits.HDUList
        Closed again at the end of the ``with`` block.

    Raises
    ------
    PssegError
        If the file does not exist, is not FITS, is cut short, or cannot be read.

    Notes
    -----
    Astropy only warns of a truncated file, and for a truncated ``.gz`` it silently forgets the
    HDUs behind the cut: hence the check here.
    """
    path = Path(path)
    opener = _opener(path)
    with _quiet(), opener(path, "rb") as file:
        try:
            if check:
                _check_complete(path, opener)
            hdus = _open_all(file)
        except PssegError:
            raise
        except (*_UNREADABLE, *DAMAGED) as error:
            raise _unreadable(path, opener, error) from error
        try:
            yield hdus
        except _UNREADABLE as error:
            raise _unreadable(path, opener, error) from error
        finally:
            hdus.close()


def telescope(hdus: fits.HDUList) -> str:
    """Give the first TELESCOP of a file, upper case; an empty string where there is none."""
    values = (str(hdu.header.get("TELESCOP", "")).strip().upper() for hdu in hdus)
    return next((value for value in values if value), "")


def find_image(hdus: fits.HDUList) -> fits.PrimaryHDU | None:
    """Give the first image on the sky, else the first one of at least two axes, or None."""
    images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
    return next(filter(_is_on_sky, images), next(iter(images), None))


def celestial_wcs(header: fits.Header, *, name: str) -> WCS:
    """Read the celestial WCS of the first two axes.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of an image of two or more axes.
    name : str
        The file's name, for messages.

    Returns
    -------
    astropy.wcs.WCS
        Two axes, nothing but projection, frame and linear transformation.

    Raises
    ------
    PssegError
        If the first two axes are no pair of celestial axes, or the WCS is wrong.
    """
    with _quiet():
        try:
            wcs = WCS(header, naxis=2)
            wcs.wcs.set()
        except (WcsError, ValueError) as error:
            raise PssegError(f"{name}: its WCS cannot be used: {one_line(error)}") from error
        if not wcs.has_celestial:
            axes = " and ".join(repr(str(axis)) for axis in wcs.wcs.ctype)
            raise PssegError(
                f"{name}: no celestial WCS (CTYPE1 and CTYPE2 are {axes}); "
                "psseg must know where the pixels lie on the sky"
            )
        if wcs.wcs.lng != 0:
            raise PssegError(
                f"{name}: its first axis is {wcs.wcs.ctype[0]}, the latitude; transpose the image"
            )
        if wcs.has_distortion:
            raise PssegError(f"{name}: its WCS has distortions, which psseg does not follow")
        return _plain(wcs)


def image_planes(image: fits.PrimaryHDU, *, bins: NDArray) -> Iterator[NDArray[np.float64]]:
    """Read some planes of an image one after the other.

    Parameters
    ----------
    image : astropy.io.fits.PrimaryHDU
        Two axes, or three of which the last is energy; further axes have length 1.
    bins : numpy.ndarray of int
        Which planes.

    Yields
    ------
    numpy.ndarray, shape (n_y, n_x), float64
        Native and scaled; NaN where blank.
    """
    extra = image.header["NAXIS"] - 3
    for number in bins:
        index = (0,) * extra + (int(number),) if extra >= 0 else (slice(None), slice(None))
        yield np.asarray(image.section[index], dtype=np.float64)


def _is_on_sky(image: fits.PrimaryHDU) -> bool:
    """Tell whether the first two axes say that they are of the sky."""
    axes = [str(image.header.get(card, "")).upper() for card in ("CTYPE1", "CTYPE2")]
    return all(_CELESTIAL.match(axis) for axis in axes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what astropy repairs in headers, and the truncation that is checked here."""
    with warnings.catch_warnings():
        for category in (FITSFixedWarning, VerifyWarning, u.UnitsWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "File may have been truncated", AstropyUserWarning)
        yield


def _opener(path: Path) -> _Opener:
    """Give the function that opens this file for reading its bytes, judging by its first ones."""
    if path.is_dir():
        raise PssegError(f"{path}: is a folder; give its files")
    if path.exists() and not path.is_file():
        raise PssegError(f"{path}: is a pipe or a device, which psseg does not read; give a file")
    try:
        with path.open("rb") as file:
            start = file.read(6)
    except FileNotFoundError:
        raise PssegError(f"{path}: no such file") from None
    except OSError as error:
        raise PssegError(f"{path}: cannot be opened: {error.strerror}") from error
    for magic, opener in _OPENERS.items():
        if start.startswith(magic):
            return opener
    what = "is empty" if not start else "is not a FITS file, whatever its name"
    raise PssegError(f"{path.name}: {what}; give a FITS map or photon list (.fits, .gz or .fz)")


def _check_complete(path: Path, opener: _Opener) -> None:
    """Refuse a file that ends before its last HDU does."""
    size = path.stat().st_size if opener is open else _length(path, opener)
    with opener(path, "rb") as file:
        hdus = fits.open(file, disable_image_compression=True)
        last = hdus[len(hdus) - 1]
        place = last.fileinfo()
        padded_end = place["datLoc"] + place["datSpan"]
        file.seek(min(padded_end, size))
        more = file.read(8) == b"XTENSION"  # a header that astropy could not read to its end
    if more or size < place["datLoc"] + last.size:
        raise _truncated(path)


def _open_all(file: Any) -> fits.HDUList:
    """Open a file and read every header, so that damaged ones show here.

    Astropy leaves a file open that it fails to read: hence a file that the caller closes.
    """
    hdus = fits.open(file)
    for hdu in hdus:
        getattr(hdu, "columns", None)
    return hdus


def _unreadable(path: Path, opener: _Opener, error: Exception) -> PssegError:
    if opener is not open and _ends_early(path, opener):
        return _truncated(path)
    what = "its headers are damaged" if isinstance(error, DAMAGED) else "cannot be read as FITS"
    return PssegError(f"{path.name}: {what}: {one_line(error)}")


def _truncated(path: Path) -> PssegError:
    return PssegError(f"{path.name}: the file is truncated; copy or download it again")


def _ends_early(path: Path, opener: _Opener) -> bool:
    """Tell whether a compressed file breaks off."""
    try:
        _length(path, opener)
    except _UNREADABLE as error:
        return isinstance(error, EOFError)
    return False


def _length(path: Path, opener: _Opener) -> int:
    """Count the bytes of a compressed file's content."""
    length = 0
    with opener(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            length += len(chunk)
    return length


def _plain(wcs: WCS) -> WCS:
    """Copy projection, frame and linear transformation; leave dates, sizes and old forms behind."""
    plain = WCS(naxis=2)
    old, new = wcs.wcs, plain.wcs
    new.ctype, new.cunit = list(old.ctype), list(old.cunit)
    new.crpix, new.crval = old.crpix, old.crval
    new.cdelt, new.pc = old.get_cdelt(), old.get_pc()
    new.set_pv(old.get_pv())
    new.lonpole, new.latpole = old.lonpole, old.latpole
    new.radesys = old.radesys
    if np.isfinite(old.equinox):
        new.equinox = old.equinox
    new.set()
    return cast(WCS, plain)


def one_line(error: BaseException) -> str:
    """Give an error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
