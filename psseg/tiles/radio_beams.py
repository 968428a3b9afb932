"""The beam of each plane of a radio image, from wherever its file says it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area, wcs_to_celestial_frame

from psseg.errors import PssegWarning
from psseg.tiles.beam import Beam, angle_towards_north, north_angle
from psseg.tiles.radio_axes import PlaneHeader

__all__ = ["IGNORED", "read_beams", "unusable"]

IGNORED = ", and is ignored"
"""How a note on a beam ends that cannot be that of the image."""

_Axes = tuple[float, float, float]
"""Major and minor axis, deg, and the angle as the header gives it, deg; NaN where it does not."""

_CARDS = (("BMAJ", "BMIN", "BPA"), ("CLEANBMJ", "CLEANBMN", "CLEANBPA"))
_NARROWEST = 0.9  # pixels; the narrowest of well-known surveys has 2.3
_NUMBER = r"\s*=?\s*([-+]?[\d.]+(?:[ED][-+]?\d+)?)"
_HISTORY = re.compile(rf"BMAJ{_NUMBER}\s+BMIN{_NUMBER}(?:\s+BPA{_NUMBER})?", re.IGNORECASE)
_ZENITHAL = ("SIN", "TAN", "ARC", "STG", "ZEA", "NCP")


def read_beams(
    hdus: fits.HDUList,
    header: fits.Header,
    planes: Sequence[PlaneHeader],
    *,
    wcs: WCS,
    shape: tuple[int, int],
    name: str,
    notes: list[str],
) -> list[Beam | None]:
    """Find the beam of each plane.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
        The open file: CASA and WSClean put a table of beams behind an image.
    header : astropy.io.fits.Header
        Of the image.
    planes : sequence of PlaneHeader
    wcs : astropy.wcs.WCS
        Two celestial axes.
    shape : tuple of int
        Rows and columns.
    name : str
        The file's name, for messages.
    notes : list of str
        Takes a line on every repair.

    Returns
    -------
    list of Beam or None
        One per plane; None where the file does not say.

    Warns
    -----
    PssegWarning
        If a beam that is no circle has no position angle.

    Notes
    -----
    The table of beams counts more than BMAJ, BMIN and BPA, and these more than AIPS's HISTORY. If
    it has beams of a single channel, or of a single polarisation, they are those of all. The angle
    of a header refers to the north of the header's frame at the reference pixel of a zenithal
    projection, as the synthesis of one field gives it, and in the middle of any other image. It is
    turned into one from ICRS north in the middle of the image, as `Beam` wants it.
    """
    table = _beam_table(hdus)
    single = _from_cards(header) or _from_history(header, name, notes)
    found = [table.get(place, single) for place in _places(table, planes)]
    turn = _turn(wcs, shape)
    pixel = float(np.sqrt(proj_plane_pixel_area(wcs)))
    beams: dict[_Axes | None, Beam | None] = {None: None}
    for axes in found:
        if axes is not None and axes not in beams:
            beams[axes] = _beam(axes, turn, pixel, shape, name, notes)
    return [beams[axes] for axes in found]


def unusable(major: float, minor: float, *, pixel: float, shape: tuple[int, int]) -> str:
    """Say what is wrong with a beam that cannot be that of an image.

    Parameters
    ----------
    major, minor : float
        Full widths at half maximum, deg.
    pixel : float
        Side of a pixel, deg.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    str
        Empty where nothing is wrong.

    Examples
    --------
    >>> unusable(2e-5, 1e-5, pixel=5e-4, shape=(300, 300))
    '0.072 x 0.036 arcsec, is 50 times smaller than a pixel (1.8 arcsec)'
    """
    size = " x ".join(dict.fromkeys(f"{3600 * width:.6g}" for width in (major, minor)))
    if major > max(shape) * pixel:
        return f"{size} arcsec, is larger than the image"
    if minor < _NARROWEST * pixel:
        times = f"{round(pixel / minor, 1):g} times"
        return f"{size} arcsec, is {times} smaller than a pixel ({3600 * pixel:.4g} arcsec)"
    return ""


def _usable(axes: Sequence[float]) -> _Axes | None:
    """Complete a beam that has a major axis at least; None where it has none."""
    major, minor, angle = (float(value) for value in axes)
    if not (np.isfinite(major) and major > 0):
        return None
    return major, minor if minor > 0 else np.inf, angle if np.isfinite(angle) else np.inf


def _from_cards(header: fits.Header) -> _Axes | None:
    for cards in _CARDS:
        if cards[0] in header:
            axes = _usable([header.get(card, np.nan) for card in cards])
            if axes is not None:
                return axes
    return None


def _from_history(header: fits.Header, name: str, notes: list[str]) -> _Axes | None:
    """Give the last beam with which AIPS says it cleaned."""
    lines = [str(line) for line in header.get("HISTORY", ())]
    for line in reversed(lines):
        if match := _HISTORY.search(line):
            numbers = [re.sub("[dD]", "E", text or "nan") for text in match.groups()]
            notes.append(f"{name}: beam from HISTORY: {' '.join(match.group().split())}")
            return _usable([float(number) for number in numbers])
    return None


def _beam_table(hdus: fits.HDUList) -> dict[tuple[int, int], _Axes | None]:
    """Read a CASAMBM table: the beam per channel and polarisation; empty without one."""
    tables = (hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and not hdu.is_image)
    for table in tables:
        columns = {column.name.upper(): column for column in table.columns}
        if {"BMAJ", "BMIN", "BPA"} <= columns.keys():
            rows = np.arange(len(table.data))
            channel = table.data["CHAN"] if "CHAN" in columns else rows
            polar = table.data["POL"] if "POL" in columns else np.zeros_like(rows)
            axes = [
                np.asarray(table.data[key], float) * u.Unit(columns[key].unit or "deg").to("deg")
                for key in ("BMAJ", "BMIN", "BPA")
            ]
            return {
                (int(channel[row]), int(polar[row])): _usable([axis[row] for axis in axes])
                for row in rows
            }
    return {}


def _places(
    table: dict[tuple[int, int], _Axes | None], planes: Sequence[PlaneHeader]
) -> list[tuple[int, int]]:
    """Give the channel and polarisation under which a table has the beam of each plane."""
    places = np.array([(plane.channel, plane.polarisation) for plane in planes])
    for axis in (0, 1):
        values = {place[axis] for place in table}
        if len(values) == 1:
            places[:, axis] = values.pop()
    return [(channel, polarisation) for channel, polarisation in places.tolist()]


def _beam(
    axes: _Axes, turn: float, pixel: float, shape: tuple[int, int], name: str, notes: list[str]
) -> Beam | None:
    """Make a beam of what a header says, with a line on what is wrong with it."""
    major, minor, angle = axes
    widths = sorted((major, minor if np.isfinite(minor) else major))
    if fault := unusable(widths[1], widths[0], pixel=pixel, shape=shape):
        notes.append(f"{name}: its beam, {fault}{IGNORED}")
        return None
    if not np.isfinite(minor):
        notes.append(f"{name}: no BMIN: the beam is taken as a circle")
        minor = major
    if minor > major:
        notes.append(f"{name}: BMIN exceeds BMAJ: exchanged, and BPA turned by 90 deg")
        major, minor, angle = minor, major, angle + 90
    if not np.isfinite(angle):
        if minor < major:
            text = f"{name}: no BPA: the beam's position angle is taken as 0"
            warnings.warn(text, PssegWarning, stacklevel=2)
            notes.append(text)
        angle = 0.0
    if minor == major:
        return Beam(major=major, minor=minor, angle=0.0)
    return Beam(major=major, minor=minor, angle=float((angle + turn + 90) % 180 - 90))


def _turn(wcs: WCS, shape: tuple[int, int]) -> float:
    """Give what turns a header's position angle into `Beam`'s, deg."""
    frame = wcs_to_celestial_frame(wcs)
    if wcs.wcs.ctype[0][-3:] in _ZENITHAL:
        longitude, latitude = wcs.wcs.crval[[wcs.wcs.lng, wcs.wcs.lat]]
        place = SkyCoord(longitude * u.deg, latitude * u.deg, frame=frame)
    else:
        place = SkyCoord.from_pixel((shape[1] - 1) / 2, (shape[0] - 1) / 2, wcs)
    return angle_towards_north(wcs, place) - north_angle(wcs, shape)
