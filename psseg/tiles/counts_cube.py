"""Read a counts cube, as gtbin writes it, into the bands and pixels of a survey."""

from __future__ import annotations

import warnings

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from numpy.typing import NDArray

from psseg.errors import PssegError, PssegWarning
from psseg.products import map_stem
from psseg.survey.survey import Survey
from psseg.tiles.bands import BandShares, share_bins
from psseg.tiles.field import Field, choose_field
from psseg.tiles.grid import Regrid, off_sky, plan_regrid, warn_of_uneven_pixels
from psseg.tiles.headers import celestial_wcs, image_planes
from psseg.tiles.selection import outside, read_selection, warn_of_selection
from psseg.tiles.tables import energy_bins
from psseg.tiles.tile import Tile

__all__ = ["read_counts_cube"]

_FRACTION = 1e-3  # of one photon, or of the brightest pixel if that is less: rounding errors
_SEED = 20080804  # of photons' places within their pixels, so that a map always reads the same


def read_counts_cube(
    hdus: fits.HDUList,
    image: fits.PrimaryHDU,
    survey: Survey,
    *,
    name: str,
    center: SkyCoord | None = None,
    width: float | None = None,
) -> Tile:
    """Read a counts cube.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
        The open file.
    image : astropy.io.fits.PrimaryHDU
        Its HDU that holds the counts, ``(n_bins, n_y, n_x)``.
    survey : Survey
    name : str
        The file's name, for messages.
    center : astropy.coordinates.SkyCoord, optional
        Middle of the field to cut out; the default is the middle of the map.
    width : float, optional
        Side of that field, deg; the default is the whole map.

    Returns
    -------
    Tile

    Raises
    ------
    PssegError
        If the image is no counts cube, has no celestial WCS or no energies, if its pixels or energy
        bins are too coarse for the survey, or if it holds no counts.

    Warns
    -----
    PssegWarning
        If energy bins had to be shared, photons moved within their pixels, or pixels differ in
        area; if a position cut in the header is not understood, or the header says that photons are
        not those of the survey or not cut in zenith angle.

    Notes
    -----
    The cube is read plane by plane: memory is that of the tile and one plane.
    """
    wcs = celestial_wcs(image.header, name=name)
    n_bins, n_y, n_x = _cube_shape(image.header, name)
    selection = read_selection(image.header)
    low, high = energy_bins(hdus, n_bins=n_bins, name=name)
    bands = share_bins(low, high, survey.energy_edges, selected=selection.energy, name=name)
    grid, scale = plan_regrid(wcs, (n_y, n_x), survey.pixel_scale, name=name), survey.pixel_scale
    field = choose_field(
        grid.wcs, grid.shape, center=center, width=width, pixel_scale=scale, name=name
    )
    data, blank = _sum_into_bands(image, bands, grid, field, name)
    mask = blank | off_sky(field.wcs, blank.shape)
    mask |= outside(selection, field.wcs, mask.shape, pixel_scale=scale)
    data[:, mask] = 0
    _refuse_empty(data, mask, name)
    notes = (*_warn_of_sharing(bands, name), *bands.notes, *_warn_of_moving(grid, name))
    notes += (*warn_of_selection(selection, survey, name=name), *field.notes)
    notes += _count_notes(blank, mask)
    return Tile(
        data=data,
        wcs=field.wcs,
        bands_present=bands.present,
        bands_shared=bands.shared,
        mask=mask,
        notes=(*notes, *warn_of_uneven_pixels(field.wcs, mask, scale, name=name)),
        name=map_stem(name),
    )


def _cube_shape(header: fits.Header, name: str) -> tuple[int, int, int]:
    lengths = [header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1)]
    while len(lengths) > 3 and lengths[0] == 1:
        lengths = lengths[1:]
    if len(lengths) == 2:
        raise PssegError(
            f"{name}: the image has no energy axis ({lengths[1]} x {lengths[0]} pixels); psseg "
            "needs counts per energy band: give a counts cube (gtbin, algorithm CCUBE)"
        )
    if len(lengths) != 3:
        raise PssegError(f"{name}: the image has {len(lengths)} axes, want two of sky and energy")
    return lengths[0], lengths[1], lengths[2]


def _sum_into_bands(
    image: fits.PrimaryHDU, bands: BandShares, grid: Regrid, field: Field, name: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Sum the planes into bands; give counts and blank pixels of the field."""
    data = np.zeros((len(bands.present), *field.shape), dtype=np.float32)
    blank = np.zeros(field.shape, dtype=bool)
    rng = np.random.default_rng(_SEED)
    bins = np.flatnonzero(bands.weights.any(axis=0))
    for number, plane in zip(bins, image_planes(image, bins=bins), strict=True):
        missing = ~np.isfinite(plane)
        if missing.any():
            plane[missing] = 0
            blank |= field.cut(grid.mask(missing))
        counts = field.cut(grid.counts(_whole_counts(plane, name), rng=rng))
        for band in np.flatnonzero(bands.weights[:, number]):
            data[band] += bands.weights[band, number] * counts
    return data, blank


def _whole_counts(plane: NDArray, name: str) -> NDArray:
    """Check that a plane holds counts, and rid it of rounding errors."""
    if plane.min() < 0:
        raise PssegError(
            f"{name}: negative values (down to {plane.min():.3g}): this looks like a flux or "
            "residual map; give the counts"
        )
    counts = np.rint(plane)
    broken = np.abs(plane - counts) > _FRACTION * min(1.0, plane.max())
    if broken.any():
        raise PssegError(
            f"{name}: the values are no whole numbers of photons (such as "
            f"{plane[broken][0]:.4g}): this looks like a flux or model map; give the counts"
        )
    return counts


def _refuse_empty(data: NDArray, mask: NDArray[np.bool_], name: str) -> None:
    if mask.all():
        raise PssegError(f"{name}: every pixel is blank or outside the selection; nothing to do")
    if not data.any():
        raise PssegError(f"{name}: all counts are zero; check the selection it was made with")


def _warn_of_sharing(bands: BandShares, name: str) -> tuple[str, ...]:
    if not bands.shared.any():
        return ()
    edges = ", ".join(f"{edge:.4g}" for edge in bands.straddled)
    note = (
        f"energy bins straddle the band edges at {edges} GeV: their counts are shared in "
        f"proportion to an E^-2.4 spectrum, and {bands.shared.sum()} bands hold no whole numbers"
    )
    warnings.warn(f"{name}: {note}", PssegWarning, stacklevel=3)
    return (note,)


def _warn_of_moving(grid: Regrid, name: str) -> tuple[str, ...]:
    if not grid.sums:
        warnings.warn(f"{name}: {grid.notes[0]}", PssegWarning, stacklevel=3)
    return grid.notes


def _count_notes(blank: NDArray[np.bool_], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    off = np.count_nonzero(mask & ~blank)
    notes = {
        "blank (NaN) pixels masked": np.count_nonzero(blank),
        "pixels off the sky or outside the header's selection masked": off,
    }
    return tuple(f"{number} {text}" for text, number in notes.items() if number)
