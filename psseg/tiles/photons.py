"""Bin a list of photons into a tangent-plane map in the bands and pixels of a survey."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy_healpix import HEALPix
from numpy.typing import NDArray

from psseg.errors import PssegError
from psseg.products import map_stem
from psseg.survey.survey import Survey
from psseg.tiles import places
from psseg.tiles.bands import (
    band_coverage,
    format_energies,
    is_covered,
    photons_between,
)
from psseg.tiles.grid import warn_of_uneven_pixels
from psseg.tiles.selection import (
    Selection,
    covered_by_photons,
    outside,
    read_selection,
    warn_of_selection,
)
from psseg.tiles.tables import column_energies, column_names, column_values
from psseg.tiles.tile import Tile

__all__ = ["read_photons"]

WIDEST = 80.0
"""Widest field on one tangent plane, deg of the plane: at its edge, 35 deg from the middle, a pixel
covers 0.55 of its nominal solid angle."""

EXPECTED_TO_SEE = 30
"""Photons that an E^-2.4 spectrum must predict beyond the highest (or lowest) energy seen before
the list counts as cut off there. Chance alone leaves 1 on average; the steeper spectrum of the
Galactic plane (E^-2.7 above 3 GeV) makes it up to 8, more in unlucky lists."""

FEWEST_PHOTONS = 20  # fewer do not tell which energies were cut away

_REACH = 60.0  # deg from the middle; photons beyond are left alone: a tangent plane ends at 90
_NSIDE = 32  # HEALPix cells, 1.8 deg, that find the middle of the covered sky


@dataclass(frozen=True, kw_only=True)
class _Photons:
    """Photons in the frame of the tile: longitude and latitude in deg, energy in GeV."""

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    energy: NDArray[np.float64]
    frame: str

    def keep(self, which: NDArray[np.bool_]) -> _Photons:
        return _Photons(
            lon=self.lon[which], lat=self.lat[which], energy=self.energy[which], frame=self.frame
        )


def read_photons(
    events: fits.BinTableHDU,
    survey: Survey,
    *,
    name: str,
    center: SkyCoord | None = None,
    width: float | None = None,
) -> Tile:
    """Bin a photon list.

    Parameters
    ----------
    events : astropy.io.fits.BinTableHDU
        Columns RA, DEC (deg) and ENERGY (MeV where it gives no unit); L and B where it has them.
    survey : Survey
    name : str
        The file's name, for messages.
    center : astropy.coordinates.SkyCoord, optional
        Middle of the map; the default is the middle of the selection, or of the photons.
    width : float, optional
        Side of the map, deg; the default holds all of the selection, or all photons.

    Returns
    -------
    Tile
        Galactic where the list has L and B, else ICRS; tangent-plane projection.

    Raises
    ------
    PssegError
        If columns are missing, there are no photons in the bands and the field, or the field is
        too wide for one map.

    Warns
    -----
    PssegWarning
        If a position cut in the header is not understood, if the header says that photons are not
        those of the survey or not cut in zenith angle, or if pixels differ in area.

    Notes
    -----
    A band is absent if the header's energy selection leaves out a tenth or more of its expected
    photons, or if the photons themselves end where many more would be expected. Sky outside the
    header's position cuts is masked; without such cuts, sky without photons is
    (:func:`~psseg.tiles.selection.covered_by_photons`).
    """
    photons, dropped = _load(events, name)
    selection = read_selection(events.header)
    present = _bands_present(photons.energy, selection, survey.energy_edges, name)
    wcs, shape = _field(photons, selection, survey.pixel_scale, center, width, name)
    photons, x, y = _project(photons, wcs)
    data, outside_bands = _bin(photons, x, y, shape, survey.energy_edges, present)
    mask, mask_note = _mask(selection, x, y, wcs, shape, survey.pixel_scale)
    data[:, mask] = 0
    if not data.any():
        raise PssegError(
            f"{name}: no photons of the survey's energies in the field; "
            "check center and width, and the energies selected"
        )
    notes = (
        *dropped,
        *warn_of_selection(selection, survey, name=name),
        *mask_note,
        *_band_notes(present, outside_bands, survey.energy_edges),
        *warn_of_uneven_pixels(wcs, mask, survey.pixel_scale, name=name),
    )
    return Tile(
        data=data,
        wcs=wcs,
        bands_present=present,
        mask=mask,
        notes=notes,
        name=map_stem(name),
    )


def _load(events: fits.BinTableHDU, name: str) -> tuple[_Photons, tuple[str, ...]]:
    """Read positions and energies, and drop photons that lack one."""
    columns = column_names(events)
    missing = [column for column in ("RA", "DEC", "ENERGY") if column not in columns]
    if missing:
        raise PssegError(
            f"{name}: the EVENTS table has no column {', '.join(missing)}; "
            "psseg needs RA, DEC and ENERGY of every photon"
        )
    if not events.header["NAXIS2"]:
        raise PssegError(f"{name}: the photon list is empty; check the selection it was made with")
    galactic = {"L", "B"} <= columns.keys()
    lon, lat = ("L", "B") if galactic else ("RA", "DEC")
    photons = _Photons(
        lon=column_values(events, columns[lon], name=name),
        lat=column_values(events, columns[lat], name=name),
        energy=column_energies(events, "ENERGY", default="MeV", name=name),
        frame="galactic" if galactic else "icrs",
    )
    good = np.isfinite(photons.lon + photons.lat + photons.energy) & (photons.energy > 0)
    if not good.any():
        raise PssegError(f"{name}: no photon has a position and an energy")
    bad = np.count_nonzero(~good)
    notes = (f"{bad} photons without position or energy dropped",) if bad else ()
    return photons.keep(good), notes


def _bands_present(
    energy: NDArray, selection: Selection, edges: NDArray, name: str
) -> NDArray[np.bool_]:
    """Tell which bands neither the header nor the photons themselves say are cut away."""
    seen_low, seen_high = energy.min(), energy.max() * (1 + 1e-6)
    low, high = selection.energy
    if len(energy) >= FEWEST_PHOTONS:
        per_photon = len(energy) / photons_between(seen_low, seen_high)
        if photons_between(edges[0], seen_low) * per_photon > EXPECTED_TO_SEE:
            low = max(low, seen_low)
        if photons_between(seen_high, edges[-1]) * per_photon > EXPECTED_TO_SEE:
            high = min(high, seen_high)
    low, high = max(low, edges[0] / 10), min(high, edges[-1] * 10)
    covered = band_coverage(low, high, edges) if low < high else np.zeros(len(edges) - 1)
    present = is_covered(covered)
    if not present.any():
        raise PssegError(
            f"{name}: the photons ({format_energies([seen_low, seen_high])}) fill none of the "
            f"survey's bands ({format_energies(edges[[0, -1]])})"
        )
    return present


def _field(
    photons: _Photons,
    selection: Selection,
    pixel_scale: float,
    center: SkyCoord | None,
    width: float | None,
    name: str,
) -> tuple[WCS, tuple[int, int]]:
    """Lay the map: around `center` if given, `width` wide if given, else around everything."""
    if center is not None and not center.isscalar:
        raise PssegError(f"{name}: want one center of the field, got {center.shape[0]}")
    if width is not None and not width > 0:
        raise PssegError(f"{name}: want a positive width of the field, got {width:g} deg")
    middle = _region_center(selection) if center is None else center
    if middle is None:
        middle = _middle_of_photons(photons, name)
        middle = middle if width else _middle_of_box(photons, middle, pixel_scale)
    lon_lat = _lon_lat(middle.transform_to(photons.frame))
    if width is None:
        n_x, n_y = _pixels_to_hold(photons, lon_lat, pixel_scale)
    else:
        n_x = n_y = max(1, round(width / pixel_scale))
    if max(n_x, n_y) * pixel_scale > WIDEST:
        raise PssegError(
            f"{name}: a field of {max(n_x, n_y) * pixel_scale:.0f} deg is too wide for one map "
            f"(at most {WIDEST:g} deg); choose a part of it with center and width"
        )
    return _tangent_plane(lon_lat, (n_y, n_x), pixel_scale, photons.frame), (n_y, n_x)


def _region_center(selection: Selection) -> SkyCoord | None:
    """Give the centre of the smallest region that alone makes a cut."""
    single = [regions[0] for regions in selection.regions if len(regions) == 1]
    return min(single, key=lambda region: region.reach).center if single else None


def _middle_of_photons(photons: _Photons, name: str) -> SkyCoord:
    """Give the middle of the sky that holds photons, however many are where."""
    cells = HEALPix(nside=_NSIDE)
    occupied = np.unique(cells.lonlat_to_healpix(photons.lon * u.deg, photons.lat * u.deg))
    lon, lat = cells.healpix_to_lonlat(occupied)
    vectors = places.unit_vectors(lon.deg, lat.deg)
    middle = vectors.mean(axis=0)
    if np.any(vectors @ middle < np.cos(np.radians(_REACH)) * np.linalg.norm(middle)):
        raise PssegError(
            f"{name}: the photons cover too much sky for one map; choose a part of it with center "
            f"and width (at most {WIDEST:g} deg)"
        )
    return SkyCoord(*places.lon_lat(middle), unit="deg", frame=photons.frame)


def _middle_of_box(photons: _Photons, middle: SkyCoord, pixel_scale: float) -> SkyCoord:
    """Move a middle to that of the box around all photons."""
    for _ in range(3):  # the box changes a little with its tangent point
        wcs = _tangent_plane(_lon_lat(middle), (1, 1), pixel_scale, photons.frame)
        _, x, y = _project(photons, wcs)
        middle = SkyCoord.from_pixel((x.min() + x.max()) / 2, (y.min() + y.max()) / 2, wcs)
    return middle


def _pixels_to_hold(
    photons: _Photons, lon_lat: tuple[float, float], pixel_scale: float
) -> tuple[int, int]:
    """Count the columns and rows of a map around a position that holds all photons."""
    _, x, y = _project(photons, _tangent_plane(lon_lat, (1, 1), pixel_scale, photons.frame))
    n_x, n_y = (int(2 * np.abs(v).max(initial=0)) + 1 for v in (x, y))
    return n_x, n_y


def _tangent_plane(
    lon_lat: tuple[float, float], shape: tuple[int, int], pixel_scale: float, frame: str
) -> WCS:
    """Give the WCS of a tangent-plane map around a position."""
    axes = ("GLON", "GLAT") if frame == "galactic" else ("RA--", "DEC-")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis}-TAN" for axis in axes]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = lon_lat
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel_scale, pixel_scale]
    if frame != "galactic":
        wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs


def _project(photons: _Photons, wcs: WCS) -> tuple[_Photons, NDArray, NDArray]:
    """Give the photons that are not far from the tangent point, and their pixel positions."""
    middle = places.unit_vectors(*wcs.wcs.crval)
    least = np.cos(np.radians(_REACH))
    near = photons.keep(places.unit_vectors(photons.lon, photons.lat) @ middle > least)
    x, y = wcs.wcs_world2pix(near.lon, near.lat, 0)
    return near, x, y


def _bin(
    photons: _Photons,
    x: NDArray,
    y: NDArray,
    shape: tuple[int, int],
    edges: NDArray,
    present: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], int]:
    """Count photons per band and pixel; give also how many in the field are in no band."""
    row, column, inside = places.pixels_at(x, y, shape)
    band = np.searchsorted(edges, photons.energy, side="right") - 1
    in_band = (band >= 0) & (band < len(present))
    in_band[in_band] = present[band[in_band]]
    used = inside & in_band
    index = np.ravel_multi_index((band[used], row[used], column[used]), (len(present), *shape))
    counts = np.bincount(index, minlength=len(present) * shape[0] * shape[1])
    return (
        counts.reshape(len(present), *shape).astype(np.float32),
        int(np.count_nonzero(inside & ~in_band)),
    )


def _mask(
    selection: Selection,
    x: NDArray,
    y: NDArray,
    wcs: WCS,
    shape: tuple[int, int],
    pixel_scale: float,
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Mask what the header cuts away or, where it cuts nothing, sky that is plainly empty."""
    if selection.regions:
        mask = outside(selection, wcs, shape, pixel_scale=pixel_scale)
        return mask, (f"{np.count_nonzero(mask)} pixels outside the header's selection masked",)
    covered, radius = covered_by_photons(x, y, shape)
    if not radius:
        return ~covered, ("too few photons to tell which sky was covered: nothing masked",)
    note = (
        f"no position cut in the header: {np.count_nonzero(~covered)} pixels masked where a disc "
        f"of {radius * pixel_scale:.2g} deg holds no photon"
    )
    return ~covered, (note,)


def _band_notes(present: NDArray[np.bool_], outside_bands: int, edges: NDArray) -> Iterator[str]:
    if outside_bands:
        yield f"{outside_bands} photons of other energies dropped"
    if not present.all():
        absent = [format_energies(edges[band : band + 2]) for band in np.flatnonzero(~present)]
        yield f"bands absent: {', '.join(absent)}"


def _lon_lat(coord: SkyCoord) -> tuple[float, float]:
    return float(coord.spherical.lon.deg), float(coord.spherical.lat.deg)
