"""What part of the sky and of the spectrum a photon selection kept, and which photons.

A selection is written in the header by the tool that made it (DSS keywords: ``DSTYPn``,
``DSVALn``). Where the header says nothing about the position, the photons themselves show which sky
was covered.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, SkyOffsetFrame
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from psseg.errors import PssegWarning
from psseg.survey.survey import Survey
from psseg.tiles.grid import rows_of_pixels
from psseg.tiles.lat_events import event_doubts, event_remarks

__all__ = [
    "Region",
    "Selection",
    "covered_by_photons",
    "outside",
    "read_selection",
    "warn_of_selection",
]

_FRAMES = {("RA", "DEC"): "fk5", ("L", "B"): "galactic", ("GLON", "GLAT"): "galactic"}
_GEV = {"KEV": 1e-6, "MEV": 1e-3, "GEV": 1.0, "TEV": 1e3}
_SHAPE = re.compile(r"(?P<shape>[a-z]+)\s*\((?P<values>[^()]*)\)", re.IGNORECASE)
_EVENTS = re.compile(
    r"BIT_MASK\(\s*EVENT_(?P<what>CLASS|TYPE)\s*,\s*(?P<mask>\d+)\s*,?(?P<release>[^()]*)\)", re.I
)
_WHOLE_SKY = 179.9  # deg; a wider circle is no cut: archive files carry CIRCLE(0,0,180)

IN_DISC = 20
"""Photons expected in the disc that must be empty for its sky to count as not covered: in the
sparsest part of the map, chance empties one such disc in 5e8."""

FEWEST_PHOTONS = 100  # fewer do not tell which sky was covered
SPARSEST = 0.98  # part of the covered area that is at least as dense as the disc assumes
_SAMPLE = 20_000  # pixels whose neighbours are counted


@dataclass(frozen=True, kw_only=True)
class Region:
    """A circle or box on the sky.

    Parameters
    ----------
    center : astropy.coordinates.SkyCoord
    radius : float
        deg; infinite for a box.
    width, height : float
        Full sides of a box, deg; infinite for a circle.
    angle : float
        Position angle of the box's height, deg.
    """

    center: SkyCoord
    radius: float = np.inf
    width: float = np.inf
    height: float = np.inf
    angle: float = 0.0

    def contains(self, coord: SkyCoord, *, margin: float = 0.0) -> NDArray[np.bool_]:
        """Tell which positions lie inside, at least `margin` (deg) from the edge."""
        if np.isfinite(self.radius):
            return coord.separation(self.center).deg <= self.radius - margin
        frame = SkyOffsetFrame(origin=self.center, rotation=self.angle * u.deg)
        offsets = coord.transform_to(frame)
        x = np.abs(offsets.lon.wrap_at(180 * u.deg).deg)
        y = np.abs(offsets.lat.deg)
        return (x <= self.width / 2 - margin) & (y <= self.height / 2 - margin)

    @property
    def reach(self) -> float:
        """Distance of its farthest point from the centre, deg."""
        return self.radius if np.isfinite(self.radius) else np.hypot(self.width, self.height) / 2


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a photon selection kept.

    Parameters
    ----------
    energy : tuple of float
        Range, GeV.
    regions : tuple of tuple of Region
        A position was kept if it lies in any region of every tuple.
    unknown : tuple of str
        Position cuts that are not understood.
    event_classes, event_types : tuple of int
        Masks of the LAT's event classes and types; a photon was kept if it fits all of them.
    zenith : float
        Largest angle from the zenith, deg; infinite where it was not cut.
    release : str
        Of the LAT's photons, such as "P8R3"; empty where the header does not say.
    """

    energy: tuple[float, float] = (0.0, np.inf)
    regions: tuple[tuple[Region, ...], ...] = ()
    unknown: tuple[str, ...] = ()
    event_classes: tuple[int, ...] = ()
    event_types: tuple[int, ...] = ()
    zenith: float = np.inf
    release: str = ""


def read_selection(header: fits.Header) -> Selection:
    """Read what was cut away from DSS keywords.

    Parameters
    ----------
    header : astropy.io.fits.Header

    Returns
    -------
    Selection
        All of it where there are no such keywords. Circles of 180 deg cut nothing.

    Examples
    --------
    >>> header = fits.Header({"DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "1e4:2e6"})
    >>> read_selection(header).energy
    (10.0, 2000.0)
    """
    lowest, highest, zenith = 0.0, np.inf, np.inf
    release = str(header.get("PASS_VER", ""))
    regions: list[tuple[Region, ...]] = []
    unknown: list[str] = []
    events: dict[str, list[int]] = {"CLASS": [], "TYPE": []}
    for kind, unit, value in _cuts(header):
        if kind == "ENERGY":
            low, high = _energies(value, unit)
            lowest, highest = max(lowest, low), min(highest, high)
        elif kind == "ZENITH_ANGLE":
            zenith = min(zenith, _range(value)[1])
        elif match := _EVENTS.fullmatch(kind):
            events[match["what"].upper()].append(int(match["mask"]))
            release = release or match["release"]
        elif kind.startswith("POS"):
            shapes = _regions(kind, value)
            if not shapes:
                unknown.append(f"{kind} {value}")
            elif all(shape.reach < _WHOLE_SKY for shape in shapes):
                regions.append(shapes)
    return Selection(
        energy=(lowest, highest),
        regions=tuple(regions),
        unknown=tuple(unknown),
        event_classes=tuple(events["CLASS"]),
        event_types=tuple(events["TYPE"]),
        zenith=zenith,
        release=release.strip().upper(),
    )


def warn_of_selection(selection: Selection, survey: Survey, *, name: str) -> tuple[str, ...]:
    """Warn, and return the notes, if a selection is not understood or not that of the survey.

    Parameters
    ----------
    selection : Selection
    survey : Survey
        Its telescopes, event class and event type.
    name : str
        The file's name, for messages.

    Returns
    -------
    tuple of str
        One note each: of position cuts, of class, type and release of the photons, of the zenith
        angle. There is no warning of P8R2, which is much the same as P8R3.

    Notes
    -----
    Photons are doubted only where the header names an event class or type: whoever wrote that
    would have written a cut in zenith angle, too.
    """
    notes = tuple(_doubts(selection, survey))
    for note in notes:
        warnings.warn(f"{name}: {note}", PssegWarning, stacklevel=3)
    return (*notes, *event_remarks(selection, survey))


def outside(
    selection: Selection, wcs: WCS, shape: tuple[int, int], *, pixel_scale: float
) -> NDArray[np.bool_]:
    """Find pixels that are not wholly inside the selected regions.

    Parameters
    ----------
    selection : Selection
    wcs : astropy.wcs.WCS
    shape : tuple of int
        Rows and columns.
    pixel_scale : float
        Side of a pixel, deg.

    Returns
    -------
    numpy.ndarray, shape (n_y, n_x), bool
    """
    mask = np.zeros(shape, dtype=bool)
    if not selection.regions:
        return mask
    margin = pixel_scale / np.sqrt(2)
    for rows, x, y in rows_of_pixels(shape):
        coord = SkyCoord.from_pixel(x, y, wcs)
        for regions in selection.regions:
            inside = [region.contains(coord, margin=margin) for region in regions]
            mask[rows] |= ~np.any(inside, axis=0)
    return mask


def covered_by_photons(
    x: NDArray, y: NDArray, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], float]:
    """Find the part of a map that was covered, from the photons alone.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n_photons,)
        Pixel positions, on the map or beyond it.
    shape : tuple of int
        Rows and columns of the map.

    Returns
    -------
    covered : numpy.ndarray, shape (n_y, n_x), bool
        All True where there are too few photons to tell.
    radius : float
        Radius of the disc used, pixels; 0 where there are too few photons.

    Notes
    -----
    Sky is not covered where a disc fits that holds no photon, though it is so large that
    `IN_DISC` photons are expected in it even in the sparsest part of the map. That is the
    morphological closing of the pixels with photons by the disc: single empty pixels and small
    gaps stay covered. Between the outermost photons of an edge the disc reaches in, on average by a
    tenth of its radius (measured on Poisson skies of 0.03 to 1 photon per pixel: radius 23 to 4
    pixels). Sky that is sparser than 98 % of the covered area - a region of much lower exposure -
    may be taken as not covered.
    """
    everywhere = np.ones(shape, dtype=bool)
    pixels = _pixels_near(x, y, shape, margin=max(shape))
    if len(x) < FEWEST_PHOTONS or len(pixels) <= IN_DISC:
        return everywhere, 0.0
    radius = _disc_radius(pixels)
    if radius > max(shape) / 2:
        return everywhere, 0.0
    pad = int(np.ceil(2 * radius)) + 1
    empty = np.ones((shape[0] + 2 * pad, shape[1] + 2 * pad), dtype=bool)
    near = pixels[np.all((pixels >= -pad) & (pixels < np.array(shape) + pad), axis=1)]
    empty[near[:, 0] + pad, near[:, 1] + pad] = False
    if empty.all():
        return ~everywhere, radius
    disc_fits = distance_transform_edt(empty) > radius
    if not disc_fits.any():
        return everywhere, radius
    covered = distance_transform_edt(~disc_fits) > radius
    return covered[pad:-pad, pad:-pad], radius


def _doubts(selection: Selection, survey: Survey) -> Iterator[str]:
    if selection.unknown:
        yield f"position cut not understood and ignored: {'; '.join(selection.unknown)}"
    yield from event_doubts(selection, survey)


def _disc_radius(pixels: NDArray[np.int_]) -> float:
    """Find the disc that holds `IN_DISC` pixels with photons in the sparsest part of the map."""
    every = max(1, len(pixels) // _SAMPLE)
    distance = KDTree(pixels).query(pixels[::every], k=[IN_DISC + 1])[0].ravel()
    area = np.sort(distance) ** 2
    place = np.searchsorted(np.cumsum(area), SPARSEST * area.sum())
    return float(np.sqrt(area[min(place, len(area) - 1)]))


def _pixels_near(
    x: NDArray, y: NDArray, shape: tuple[int, int], *, margin: int
) -> NDArray[np.int_]:
    """Give the (y, x) of all pixels that hold photons, on the map or close to it."""
    pixels = np.stack([np.rint(y), np.rint(x)], axis=-1)
    near = np.all((pixels >= -margin) & (pixels < np.array(shape) + margin), axis=1)
    return np.unique(pixels[near].astype(int), axis=0)


def _cuts(header: fits.Header) -> list[tuple[str, str, str]]:
    """List type, unit and value of all cuts of a header."""
    numbers = [key[5:] for key in header if re.fullmatch(r"DSTYP\d+", key)]

    def text(key: str) -> str:
        return str(header.get(key, "")).strip()

    return [(text(f"DSTYP{n}"), text(f"DSUNI{n}"), text(f"DSVAL{n}")) for n in numbers]


def _energies(value: str, unit: str) -> tuple[float, float]:
    """Read ``"100:300000"``; an end that is no number cuts nothing."""
    low, high = _range(value)
    factor = _GEV.get(unit.upper(), 1e-3)
    return low * factor, high * factor


def _range(value: str) -> tuple[float, float]:
    low, _, high = value.partition(":")
    return _number(low, 0.0), _number(high, np.inf)


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _regions(kind: str, value: str) -> tuple[Region, ...]:
    """Read ``"CIRCLE(83.63,22.01,15)"`` and the like; nothing where any part is not understood."""
    axes = tuple(kind.upper().removeprefix("POS").strip("() ").replace(" ", "").split(","))
    frame = _FRAMES.get(axes)  # type: ignore[arg-type]
    found = [_region(match, frame) for match in _SHAPE.finditer(value)] if frame else []
    if not found or _SHAPE.sub("", value).strip(" ,"):
        return ()
    return tuple(region for region in found if region) if all(found) else ()


def _region(match: re.Match[str], frame: str | None) -> Region | None:
    numbers = [_number(text, np.nan) for text in match["values"].split(",")]
    if not np.all(np.isfinite(numbers)):
        return None
    shape = match["shape"].lower()
    if shape == "circle" and len(numbers) == 3:
        return Region(center=_position(numbers, frame), radius=numbers[2])
    if shape == "box" and len(numbers) in (4, 5):
        lon, lat, width, height, angle = (*numbers, 0.0)[:5]
        center = _position([lon, lat], frame)
        return Region(center=center, width=width, height=height, angle=angle)
    return None


def _position(numbers: list[float], frame: str | None) -> SkyCoord:
    return SkyCoord(numbers[0], numbers[1], unit="deg", frame=frame)
