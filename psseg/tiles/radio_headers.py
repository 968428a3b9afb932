"""What the header of a radio image says of its pixels: unit, place on the sky, planes, beams.

Radio headers come from forty years of software. What is missing or wrong in them is repaired where
the right value is certain, with a note on every repair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from psseg.errors import PssegError
from psseg.tiles.beam import Beam
from psseg.tiles.headers import celestial_wcs
from psseg.tiles.radio_axes import PlaneHeader, read_planes
from psseg.tiles.radio_beams import read_beams

__all__ = ["ImageHeader", "beam_unit", "clean_header", "read_image_header", "sky_wcs"]

_SQUARE = 0.01  # relative difference of a pixel's sides
_EXACTLY_SQUARE = 1e-4
_SHORTEST_SIDE = 8  # pixels

_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e-3, "milli": 1e-3, "n": 1e-9, "nano": 1e-9} | dict.fromkeys(
    ("u", "µ", "μ", "micro"), 1e-6
)
_JANSKY = rf"({'|'.join(_PREFIXES)})(?:jy|janskys?)"
_BEAM = r"(?:beam|bm)"
_UNITS = [
    re.compile(pattern)
    for pattern in (rf"{_JANSKY}/{_BEAM}", rf"{_JANSKY}{_BEAM}-1", rf"{_BEAM}-1{_JANSKY}")
]

_TEXT = re.compile(r"CTYPE\d|CUNIT\d|BUNIT|RADE(CSYS|SYS)|STOKES|HISTORY")
_NUMBERS = re.compile(
    r"NAXIS\d?|BITPIX|BLANK|C(RVAL|RPIX|DELT|ROTA)\d|PC\d_\d|PC00\d00\d|CD\d_\d|PV\d_\d+|VELREF"
    r"|LONPOLE|LATPOLE|EQUINOX|EPOCH|BMAJ|BMIN|BPA|CLEANB(MJ|MN|PA)|OBSFREQ|REST(FRQ|FREQ)|FREQ"
    r"|[AB]P?_(ORDER|\d+_\d+)"
)
_INTEGERS = re.compile(r"NAXIS\d?|BITPIX|BLANK|VELREF|[AB]P?_ORDER")


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What one file holds.

    Parameters
    ----------
    name : str
        The file's name.
    shape : tuple of int
        Rows and columns.
    wcs : astropy.wcs.WCS
        Two celestial axes, with columns rising to the west where north is up.
    mirrored : bool
        Whether the file's columns must be reversed for that.
    unit : float
        Jy/beam per unit of the file.
    planes : tuple of PlaneHeader
    beams : tuple of Beam or None
        One per plane; None where the file has none.
    notes : tuple of str
        A line per repair.
    """

    name: str
    shape: tuple[int, int]
    wcs: WCS
    mirrored: bool
    unit: float
    planes: tuple[PlaneHeader, ...]
    beams: tuple[Beam | None, ...]
    notes: tuple[str, ...]


def read_image_header(hdus: fits.HDUList, image: fits.PrimaryHDU, *, name: str) -> ImageHeader:
    """Read all that is said of a radio image besides its pixels.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
        The open file: a table of beams may follow the image.
    image : astropy.io.fits.PrimaryHDU
        The HDU of the image, two or more axes.
    name : str
        The file's name, for messages.

    Returns
    -------
    ImageHeader

    Raises
    ------
    PssegError
        If the unit is not Jy/beam, the WCS is not celestial, the pixels are not square, or an axis
        is neither of sky nor Stokes nor frequency.

    Warns
    -----
    PssegWarning
        If a beam has no position angle.
    """
    notes: list[str] = []
    header = clean_header(image.header, name=name, notes=notes)
    unit = _read_unit(header, name, notes)
    wcs, mirrored = sky_wcs(header, name=name, notes=notes)
    shape = header["NAXIS2"], header["NAXIS1"]
    planes = read_planes(header, name=name, notes=notes)
    beams = read_beams(hdus, header, planes, wcs=wcs, shape=shape, name=name, notes=notes)
    return ImageHeader(
        name=name,
        shape=shape,
        wcs=wcs,
        mirrored=mirrored,
        unit=unit,
        planes=tuple(planes),
        beams=tuple(beams),
        notes=tuple(notes),
    )


def clean_header(header: fits.Header, *, name: str, notes: list[str]) -> fits.Header:
    """Copy the cards that psseg reads, each once and with a value of its kind.

    Parameters
    ----------
    header : astropy.io.fits.Header
        As it was written: with tabs, doubled cards, numbers in quotes, cards that are no FITS.
    name : str
        The file's name, for messages.
    notes : list of str
        Takes a line on an EQUINOX of 0, and on a BLANK of an image that is no integers.

    Returns
    -------
    astropy.io.fits.Header
    """
    clean = fits.Header()
    for key, value in _sound_cards(header):
        if key == "HISTORY" or key not in clean:
            clean.append((key, value), end=True)
    _drop_equinox(clean, name, notes)
    if clean["BITPIX"] < 0 and "BLANK" in clean:
        notes.append(f"{name}: BLANK ignored: only integer images have it")
    return clean


def beam_unit(text: str) -> float | None:
    """Give the size of a unit of flux density per beam.

    Parameters
    ----------
    text : str
        As in BUNIT, in any spelling and case.

    Returns
    -------
    float or None
        Jy/beam; None if the text is no such unit.

    Notes
    -----
    Case does not count, since old headers are upper case throughout: MJY/BEAM is mJy/beam.

    Examples
    --------
    >>> beam_unit("JY/BEAM"), beam_unit("beam-1 mJy"), beam_unit("uJy beam^-1"), beam_unit("K")
    (1.0, 0.001, 1e-06, None)
    """
    plain = re.sub(r"[\s^*{}().]", "", text.lower()).replace("per", "/")
    for pattern in _UNITS:
        if match := pattern.fullmatch(plain):
            return _PREFIXES[match[1]]
    return None


def sky_wcs(header: fits.Header, *, name: str, notes: list[str]) -> tuple[WCS, bool]:
    """Read the WCS of an image, with east to the left where north is up.

    Parameters
    ----------
    header : astropy.io.fits.Header
    name : str
        The file's name, for messages.
    notes : list of str
        Takes a line if columns are to be reversed, or pixels are not quite square.

    Returns
    -------
    wcs : astropy.wcs.WCS
    mirrored : bool
        Whether the WCS is that of the image with its columns reversed.

    Raises
    ------
    PssegError
        If there is no celestial WCS, the image is tiny, or its pixels are not square.
    """
    wcs = celestial_wcs(header, name=name)
    if min(header["NAXIS1"], header["NAXIS2"]) < _SHORTEST_SIDE:
        raise PssegError(
            f"{name}: the image has {header['NAXIS1']} x {header['NAXIS2']} pixels; psseg wants "
            f"{_SHORTEST_SIDE} a side at least"
        )
    _check_square(wcs, name, notes)
    mirrored = bool(np.linalg.det(wcs.pixel_scale_matrix) * (-1) ** wcs.wcs.lng > 0)
    if mirrored:
        notes.append(f"{name}: columns reversed, so that east is left where north is up")
        wcs = _mirror(wcs, header["NAXIS1"])
    return wcs, mirrored


def _sound_cards(header: fits.Header) -> Iterator[tuple[str, str | int | float]]:
    """Give the cards that matter and can be read."""
    for card in header.cards:
        try:
            key, raw = card.keyword.upper(), card.value
        except VerifyError:
            continue
        value = _value(key, raw) if _matters(key) else None
        if value is not None:
            yield key, value


def _matters(key: str) -> bool:
    return bool(_TEXT.fullmatch(key) or _NUMBERS.fullmatch(key))


def _value(key: str, value: object) -> str | int | float | None:
    """Give a card's value as text or number, whatever it is written as; None if it cannot be."""
    if _TEXT.fullmatch(key):
        text = re.sub(r"[^ -~]", " ", str(value)).strip()
        return text if key != "HISTORY" or "BMAJ" in text.upper() else None
    try:
        number = float(str(value).upper().replace("D", "E"))
    except ValueError:
        return None
    return int(number) if _INTEGERS.fullmatch(key) else number


def _drop_equinox(header: fits.Header, name: str, notes: list[str]) -> None:
    for key in ("EQUINOX", "EPOCH"):
        if key in header and header[key] <= 0:
            notes.append(f"{name}: {key} = {header[key]:g} ignored")
            del header[key]


def _read_unit(header: fits.Header, name: str, notes: list[str]) -> float:
    text = header.get("BUNIT", "")
    if not text:
        notes.append(f"{name}: no BUNIT: taken as Jy/beam")
        return 1.0
    unit = beam_unit(text)
    if unit is None:
        raise PssegError(
            f"{name}: its unit is {text!r}, want Jy/beam (or mJy/beam, uJy/beam): convert the "
            "image, or correct BUNIT"
        )
    return unit


def _check_square(wcs: WCS, name: str, notes: list[str]) -> None:
    width, height = proj_plane_pixel_scales(wcs) * 3600
    difference = abs(width / height - 1)
    if not difference <= _SQUARE:
        raise PssegError(
            f'{name}: its pixels are {width:.4g}" x {height:.4g}"; psseg wants square ones: '
            "resample the image"
        )
    if difference > _EXACTLY_SQUARE:
        notes.append(f"{name}: pixels {100 * difference:.2f} % off square are taken as square")


def _mirror(wcs: WCS, n_x: int) -> WCS:
    """Give the WCS of the image with its columns reversed."""
    mirrored = wcs.deepcopy()
    pc = mirrored.wcs.get_pc().copy()
    pc[[0, 1], [1, 0]] *= -1
    mirrored.wcs.pc = pc
    mirrored.wcs.cdelt = mirrored.wcs.cdelt * [-1, 1]
    mirrored.wcs.crpix = n_x + 1 - mirrored.wcs.crpix[0], mirrored.wcs.crpix[1]
    mirrored.wcs.set()
    return mirrored
