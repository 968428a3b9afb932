"""Read an exposure, cube, map or HEALPix, at the pixels and in the bands of a tile."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import ICRS, Galactic, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from astropy_healpix import HEALPix
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from psseg.errors import PssegError, PssegWarning
from psseg.survey.survey import Survey
from psseg.tiles.bands import average_over_bands, format_energies, is_covered
from psseg.tiles.grid import is_cylindrical, rows_of_pixels
from psseg.tiles.headers import celestial_wcs, find_image, image_planes, open_fits
from psseg.tiles.tables import column_energies, column_names, column_values, find_table

__all__ = ["find_healpix", "healpix_of", "read_exposure"]

_INDEX_COLUMNS = ("PIX", "PIXEL", "HPX_INDEX")
_LEAST_EXPOSURE = 1e6  # cm2 s: that of the LAT in minutes; counts per pixel are fewer
_LEAST_WEIGHT = 1e-3  # of pixels that have a value, for an interpolation between them


def read_exposure(
    path: str | Path,
    tile_wcs: WCS,
    shape: tuple[int, int],
    survey: Survey,
    *,
    mask: NDArray[np.bool_] | None = None,
    bands: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Read the exposure at a tile's pixels.

    Parameters
    ----------
    path : str or pathlib.Path
        An exposure cube or map as gtexpcube2 writes it, in any projection or as HEALPix; cm2 s
        where the header gives no unit.
    tile_wcs : astropy.wcs.WCS
        Of the tile.
    shape : tuple of int
        Its rows and columns.
    survey : Survey
    mask : numpy.ndarray, shape (n_y, n_x), bool, optional
        True where no exposure is needed. The default is nowhere.
    bands : numpy.ndarray, shape (n_bands,), bool, optional
        Bands in which it is needed. The default is those the exposure covers.

    Returns
    -------
    numpy.ndarray, shape (n_bands, n_y, n_x), float32
        cm2 s; 0 in masked pixels and in bands that the exposure does not cover.

    Raises
    ------
    PssegError
        If the file holds no exposure, or it does not cover the map or a band that is needed.

    Warns
    -----
    PssegWarning
        If the exposure is one map without energies, taken for all bands.

    Notes
    -----
    Interpolated linearly on the sky and in log energy, and averaged over each band with an E^-2.4
    spectrum. A band is covered if the exposure's energies leave out less than a tenth of its
    expected photons; there the nearest energy stands in.
    """
    name = Path(path).name
    with open_fits(path) as hdus:
        given = _read(hdus, survey, name)
    _refuse_lacking_bands(given.covered, bands, survey.energy_edges, name)
    slack = float(np.max(proj_plane_pixel_scales(tile_wcs)))
    exposure = np.zeros((survey.n_bands, *shape), dtype=np.float32)
    for rows, x, y in rows_of_pixels(shape):
        coord = SkyCoord.from_pixel(x, y, tile_wcs)
        exposure[:, rows] = given.at(coord, slack=slack)
    exposure[~given.covered] = 0
    needed = np.ones(shape, bool) if mask is None else ~mask
    _refuse_uncovered(exposure[given.covered], needed, name)
    exposure[:, ~needed] = 0
    return exposure


def find_healpix(hdus: fits.HDUList) -> fits.BinTableHDU | None:
    """Give the first table that is a HEALPix map, or None."""
    maps = (
        hdu
        for hdu in hdus
        if str(hdu.header.get("PIXTYPE", "")).strip().upper() == "HEALPIX" or "NSIDE" in hdu.header
    )
    return next((hdu for hdu in maps if hasattr(hdu, "columns")), None)


def healpix_of(header: fits.Header, *, name: str) -> HEALPix:
    """Read a HEALPix map's pixelisation.

    Parameters
    ----------
    header : astropy.io.fits.Header
    name : str
        The file's name, for messages.

    Returns
    -------
    astropy_healpix.HEALPix
        Equatorial where the header names no frame, as gtbin and gtexpcube2 leave it.

    Raises
    ------
    PssegError
        If NSIDE is missing or wrong, or the frame is not known.
    """
    system = str(header.get("COORDSYS", "CEL")).strip().upper()
    if not system.startswith(("G", "C", "EQ")):
        raise PssegError(f"{name}: HEALPix COORDSYS is {system!r}, want GAL or CEL")
    frame = Galactic() if system.startswith("G") else ICRS()
    order = "nested" if str(header.get("ORDERING", "")).upper().startswith("NEST") else "ring"
    try:
        return HEALPix(nside=header["NSIDE"], order=order, frame=frame)
    except (KeyError, ValueError) as error:
        raise PssegError(f"{name}: HEALPix map without a usable NSIDE") from error


@dataclass(frozen=True, kw_only=True)
class _ImageExposure:
    """Exposure on a pixel grid: `planes` is (n_bands, n_y, n_x), NaN where there is none."""

    planes: NDArray[np.float64]
    wcs: WCS
    covered: NDArray[np.bool_]

    def at(self, coord: SkyCoord, *, slack: float) -> NDArray[np.float64]:
        """Interpolate; a position up to half a pixel plus `slack` (deg) off the map is on it."""
        x, y = coord.to_pixel(self.wcs)
        n_y, n_x = self.planes.shape[1:]
        scale = proj_plane_pixel_scales(self.wcs)
        if is_cylindrical(self.wcs):
            period = 360 / scale[0]
            x = x - period * np.floor((x - (n_x - 1 - period) / 2) / period)
        off = ~np.isfinite(x + y)
        for place, n, width in ((x, n_x, scale[0]), (y, n_y, scale[1])):
            off |= np.abs(place - (n - 1) / 2) > n / 2 + slack / width
        place = np.array([np.where(off, 0, y), np.where(off, 0, x)])
        values = [_interpolate(plane, place) for plane in self.planes]
        return np.where(off, np.nan, values)


@dataclass(frozen=True, kw_only=True)
class _HealpixExposure:
    """Exposure in HEALPix pixels: `planes` is (n_bands, n_pixels), NaN where there is none."""

    planes: NDArray[np.float64]
    healpix: HEALPix
    covered: NDArray[np.bool_]

    def at(self, coord: SkyCoord, *, slack: float) -> NDArray[np.float64]:
        """Interpolate between the four nearest pixels; `slack` does not matter here."""
        there = coord.transform_to(self.healpix.frame)
        lon, lat = there.spherical.lon.ravel(), there.spherical.lat.ravel()
        pixels, weights = self.healpix.bilinear_interpolation_weights(lon, lat)
        values = [
            _weighted_mean(plane[pixels], weights).reshape(coord.shape) for plane in self.planes
        ]
        return np.array(values)


def _read(hdus: fits.HDUList, survey: Survey, name: str) -> _ImageExposure | _HealpixExposure:
    table, image = find_healpix(hdus), find_image(hdus)
    if table is not None:
        healpix = healpix_of(table.header, name=name)
        names = column_names(table)
        columns = [names[key] for key in names if key not in _INDEX_COLUMNS]
        weights, covered = _band_weights(hdus, table.header, len(columns), survey, name)
        planes = (_healpix_plane(table, column, healpix.npix, name) for column in columns)
        factor = _unit_factor(table.columns[columns[0]].unit, name)
        return _HealpixExposure(
            planes=_sum(planes, weights) * factor, healpix=healpix, covered=covered
        )
    if image is None:
        what = "neither an image nor a HEALPix map"
        if find_table(hdus, "EVENTS") is not None:
            what = "a photon list"
        raise PssegError(f"{name}: holds {what}; give an exposure cube (gtexpcube2)")
    _refuse_counts(hdus, image, name)
    wcs = celestial_wcs(image.header, name=name)
    n_planes = image.header["NAXIS3"] if image.header["NAXIS"] > 2 else 1
    weights, covered = _band_weights(hdus, image.header, n_planes, survey, name)
    all_planes = image_planes(image, bins=np.arange(n_planes))
    factor = _unit_factor(image.header.get("BUNIT"), name)
    return _ImageExposure(planes=_sum(all_planes, weights) * factor, wcs=wcs, covered=covered)


def _refuse_counts(hdus: fits.HDUList, image: fits.PrimaryHDU, name: str) -> None:
    """Refuse a counts cube: whole numbers, far fewer than an exposure has cm2 s."""
    if find_table(hdus, "EBOUNDS") is None or image.header.get("BUNIT"):
        return
    (plane,) = image_planes(image, bins=np.array([0]))
    values = plane[np.isfinite(plane)]
    if np.all(values < _LEAST_EXPOSURE) and np.all(values == np.rint(values)):
        raise PssegError(
            f"{name}: is a counts cube, not an exposure; give an exposure cube (gtexpcube2)"
        )


def _band_weights(
    hdus: fits.HDUList, header: fits.Header, n_planes: int, survey: Survey, name: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give what each plane contributes to each band, and which bands the planes cover."""
    if n_planes == 1:
        warnings.warn(
            f"{name}: one exposure map without energies: taken for all bands; fluxes are better "
            "with an exposure cube (gtexpcube2)",
            PssegWarning,
            stacklevel=4,
        )
        return np.ones((survey.n_bands, 1)), np.ones(survey.n_bands, dtype=bool)
    energies = _plane_energies(hdus, header, name)
    if len(energies) != n_planes:
        raise PssegError(f"{name}: {n_planes} exposure planes but {len(energies)} energies")
    if not (np.all(energies > 0) and np.all(np.diff(energies) > 0)):
        raise PssegError(f"{name}: the energies of the exposure planes are not positive and rising")
    weights, coverage = average_over_bands(energies, survey.energy_edges)
    return weights, is_covered(coverage)


def _plane_energies(hdus: fits.HDUList, header: fits.Header, name: str) -> NDArray[np.float64]:
    """Find the energies of the planes, GeV.

    Exposure cubes give them in an ENERGIES table that names no unit: MeV. Their third axis, if it
    is one of energy at all, is the natural logarithm of MeV.
    """
    table = find_table(hdus, "ENERGIES")
    if table is not None:
        return column_energies(table, table.columns.names[0] or "", default="MeV", name=name)
    table = find_table(hdus, "EBOUNDS")
    if table is not None:
        low = column_energies(table, "E_MIN", default="keV", name=name)
        return np.sqrt(low * column_energies(table, "E_MAX", default="keV", name=name))
    if str(header.get("CTYPE3", "")).strip().lower() == "log_energy":
        steps = np.arange(1, header["NAXIS3"] + 1) - header.get("CRPIX3", 1.0)
        return np.exp(header["CRVAL3"] + steps * header["CDELT3"]) * 1e-3
    raise PssegError(
        f"{name}: no ENERGIES table, so the energies of the exposure planes are unknown; give an "
        "exposure cube as gtexpcube2 writes it"
    )


def _sum(planes: Iterable[NDArray], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average planes over bands; NaN where any plane of the band has no exposure."""
    total: NDArray | float = 0.0
    for plane, weight in zip(planes, weights.T, strict=True):
        good = np.where(np.isfinite(plane) & (plane > 0), plane, np.nan)
        total = total + np.array([w * good if w else np.zeros_like(good) for w in weight])
    return np.asarray(total)


def _healpix_plane(
    table: fits.BinTableHDU, column: str, n_pixels: int, name: str
) -> NDArray[np.float64]:
    """Read one map; NaN in pixels it does not list."""
    values = column_values(table, column, name=name)
    index = next((c for key, c in column_names(table).items() if key in _INDEX_COLUMNS), None)
    if index is None:
        pixels = np.arange(len(values)) + int(table.header.get("FIRSTPIX", 0))
    else:
        pixels = column_values(table, index, name=name).astype(int)
    plane = np.full(n_pixels, np.nan)
    if pixels.size and not 0 <= pixels.min() <= pixels.max() < n_pixels:
        raise PssegError(f"{name}: the HEALPix pixels do not fit NSIDE, which has {n_pixels}")
    plane[pixels] = values
    return plane


def _unit_factor(text: str | None, name: str) -> float:
    """Give what turns the file's unit into cm2 s; none given means cm2 s."""
    if not text or not text.strip():
        return 1.0
    unit = u.Unit(text, parse_strict="silent")
    if isinstance(unit, u.UnrecognizedUnit):
        return 1.0
    try:
        return unit.to("cm2 s")
    except u.UnitConversionError as error:
        raise PssegError(f"{name}: unit is {text!r}; an exposure is in cm2 s") from error


def _interpolate(plane: NDArray, place: NDArray) -> NDArray[np.float64]:
    """Interpolate linearly between the pixels that have a value."""
    good = np.isfinite(plane)
    options = {"order": 1, "mode": "nearest"}
    if good.all():
        return map_coordinates(plane, place, **options)
    weight = map_coordinates(good.astype(float), place, **options)
    value = map_coordinates(np.where(good, plane, 0.0), place, **options)
    return np.divide(value, weight, out=np.full_like(value, np.nan), where=weight > _LEAST_WEIGHT)


def _weighted_mean(values: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Average (4, n) values, leaving out NaN."""
    good = np.isfinite(values)
    weight = np.sum(weights * good, axis=0)
    total = np.sum(weights * np.where(good, values, 0.0), axis=0)
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > _LEAST_WEIGHT)


def _refuse_lacking_bands(
    covered: NDArray[np.bool_], bands: NDArray[np.bool_] | None, edges: NDArray, name: str
) -> None:
    if bands is None:
        bands = np.full(len(covered), not covered.any())
    lacking = np.flatnonzero(bands & ~covered)
    if lacking.size:
        names = ", ".join(format_energies(edges[band : band + 2]) for band in lacking)
        raise PssegError(
            f"{name}: the exposure does not cover the energies of the map: it lacks {names}; "
            "compute it for the energies of the map"
        )


def _refuse_uncovered(exposure: NDArray, needed: NDArray[np.bool_], name: str) -> None:
    missing = needed & ~np.all(np.isfinite(exposure) & (exposure > 0), axis=0)
    if missing.any():
        share = np.count_nonzero(missing) / np.count_nonzero(needed)
        raise PssegError(
            f"{name}: the exposure does not cover the map: {share:.1%} of its pixels have none; "
            "compute the exposure for the whole field"
        )
