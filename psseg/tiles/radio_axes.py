"""Which Stokes parameter and frequency each plane of a radio image has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from astropy import constants
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError

__all__ = ["PlaneHeader", "has_radio_axis", "is_radio", "read_planes"]

_STOKES = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -3: "RL", -4: "LR"} | {
    -5: "XX",
    -6: "YY",
    -7: "XY",
    -8: "YX",
}  # FITS standard 4.0, table 29
_FREQUENCY_CARDS = ("FREQ", "OBSFREQ", "RESTFRQ", "RESTFREQ")
_WAVELENGTHS = ("LAMBDA", "WAVE")
_UNITS = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "m": 1.0, "cm": 1e-2, "mm": 1e-3}
_RADIO_WINDOW = 1e6, 1e13  # Hz: what lies outside is no frequency of a radio image


@dataclass(frozen=True, kw_only=True)
class PlaneHeader:
    """One plane of a file.

    Parameters
    ----------
    channel, polarisation : int
        Where it lies along the frequency and the Stokes axis.
    index : tuple of int
        Where it lies along all axes before (y, x).
    stokes : str
        "I", "Q", "U", "V" or a correlation product.
    frequency : float
        Hz; NaN where unknown.
    """

    channel: int
    polarisation: int
    index: tuple[int, ...]
    stokes: str
    frequency: float


@dataclass(frozen=True)
class _Axis:
    """The third or a later axis: its number, its type and its length in the data."""

    number: int
    type: str
    length: int

    @property
    def is_stokes(self) -> bool:
        return self.type == "STOKES"

    @property
    def is_spectral(self) -> bool:
        return self.type.startswith("FREQ") or self.type.startswith(_WAVELENGTHS)


def has_radio_axis(header: fits.Header) -> bool:
    """Tell whether an image has a Stokes or a frequency axis, of whatever length."""
    return any(axis.is_stokes or axis.type.startswith("FREQ") for axis in _axes(header))


def is_radio(frequency: ArrayLike) -> NDArray[np.bool_]:
    """Tell which frequencies, Hz, are those of radio images; not-a-number is not."""
    low, high = _RADIO_WINDOW
    return (np.asarray(frequency) >= low) & (np.asarray(frequency) <= high)


def read_planes(header: fits.Header, *, name: str, notes: list[str]) -> list[PlaneHeader]:
    """Give the planes of an image.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Of an image of two or more axes, of which the first two are of the sky. Axes may be
        described that the data lack.
    name : str
        The file's name, for messages.
    notes : list of str
        Takes a line on every frequency that is no radio frequency.

    Returns
    -------
    list of PlaneHeader

    Raises
    ------
    PssegError
        If an axis longer than 1 is neither Stokes nor frequency.

    Notes
    -----
    The frequency is that of a FREQ (or wavelength) axis, else that of the first of the keywords
    FREQ, OBSFREQ, RESTFRQ, RESTFREQ that is a radio frequency; so, too, where an axis of length 1
    has none. Stokes is that of the STOKES axis or keyword, else I.
    """
    axes = list(_axes(header))
    for axis in axes:
        if axis.length > 1 and not (axis.is_stokes or axis.is_spectral):
            raise PssegError(
                f"{name}: axis {axis.number} (CTYPE{axis.number} = {axis.type!r}) has "
                f"{axis.length} planes; psseg knows only Stokes and frequency axes: give one plane"
            )
    spectral = next((axis for axis in axes if axis.is_spectral), None)
    polar = next((axis for axis in axes if axis.is_stokes), None)
    frequencies = _frequencies(header, spectral, name, notes)
    stokes = _stokes(header, polar)
    present = [axis for axis in reversed(axes) if axis.number <= header["NAXIS"]]
    planes = []
    for index in product(*(range(axis.length) for axis in present)):
        place = dict(zip(present, index, strict=True))
        channel = place.get(spectral, 0) if spectral else 0
        polarisation = place.get(polar, 0) if polar else 0
        planes.append(
            PlaneHeader(
                channel=channel,
                polarisation=polarisation,
                index=index,
                stokes=stokes[polarisation],
                frequency=frequencies[channel],
            )
        )
    return planes


def _axes(header: fits.Header) -> Iterator[_Axis]:
    """Give the axes after the second, also those that only the header knows."""
    for number in range(3, 10):
        present = number <= header["NAXIS"]
        if present or f"CTYPE{number}" in header:
            kind = str(header.get(f"CTYPE{number}", "")).strip().upper()
            yield _Axis(number, kind, header[f"NAXIS{number}"] if present else 1)


def _values(header: fits.Header, axis: _Axis) -> NDArray[np.float64]:
    """Give the world coordinates along an axis, in SI units."""
    value = float(header.get(f"CRVAL{axis.number}", 0.0))
    pixel = float(header.get(f"CRPIX{axis.number}", 1.0))
    step = _step(header, axis.number)
    unit = _UNITS.get(str(header.get(f"CUNIT{axis.number}", "")).strip().lower(), 1.0)
    values = value + (np.arange(1, axis.length + 1) - pixel) * step
    return np.asarray(values * unit, dtype=np.float64)


def _step(header: fits.Header, number: int) -> float:
    """Give the step along an axis: CDi_i, or CDELTi with the factor PCi_i, old or new form."""
    if f"CD{number}_{number}" in header:
        return float(header[f"CD{number}_{number}"])
    old = header.get(f"PC{number:03d}{number:03d}", 1.0)
    factor = header.get(f"PC{number}_{number}", old)
    return float(header.get(f"CDELT{number}", 1.0)) * float(factor)


def _stokes(header: fits.Header, axis: _Axis | None) -> list[str]:
    if axis is None:
        return [str(header.get("STOKES", "I")).strip().upper() or "I"]
    values = np.round(_values(header, axis)).astype(int)
    return [_STOKES.get(int(value), str(value)) for value in values]


def _frequencies(
    header: fits.Header, axis: _Axis | None, name: str, notes: list[str]
) -> list[float]:
    """Give the frequency of every channel, Hz; NaN where it cannot be."""
    keyword = _frequency_keyword(header)
    values = np.array([keyword]) if axis is None else _along(header, axis)
    sound = is_radio(values)
    if len(values) == 1 and not sound[0] and is_radio(keyword):
        notes.append(
            f"{name}: its frequency axis says {values[0]:g} Hz, that of no radio image; "
            f"{keyword:g} Hz is taken from a keyword"
        )
        return [keyword]
    wrong = values[~(sound | np.isnan(values))]
    if wrong.size:
        notes.append(
            f"{name}: its frequency, {wrong[0]:g} Hz, is none of a radio image, "
            "and taken as unknown"
        )
    return np.where(sound, values, np.nan).tolist()


def _along(header: fits.Header, axis: _Axis) -> NDArray[np.float64]:
    """Give the frequencies along a spectral axis, Hz."""
    values = _values(header, axis)
    if axis.type.startswith(_WAVELENGTHS):
        return constants.c.si.value / np.where(values > 0, values, np.nan)
    return values


def _frequency_keyword(header: fits.Header) -> float:
    """Give the first keyword that is a radio frequency, else the first; NaN without any."""
    found = [float(header[card]) for card in _FREQUENCY_CARDS if card in header]
    return next(filter(is_radio, found), (found or [np.nan])[0])
