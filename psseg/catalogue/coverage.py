"""The area of sky that was searched, as a multi-order coverage map (MOC).

In: which pixels of a map were searched. Out: the HEALPix cells whose centres lie in them, as the
IVOA's standard has it (Fernique et al. 2022, MOC 2.0), and its FITS file, which Aladin, TOPCAT and
DS9 show and with which other catalogues are cut to the same area.

Needs mocpy.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from astropy_healpix import HEALPix, nside_to_pixel_resolution
from numpy.typing import NDArray

from psseg.errors import PssegError

if TYPE_CHECKING:
    from mocpy import MOC

__all__ = ["check_mocpy", "searched_area", "write_coverage"]

FINENESS = 2.0
"""Cells per pixel side at least, where `MOST_CELLS` allows it: the edge is then true to a quarter
of a pixel."""

MOST_CELLS = 2**24
"""Of the finest order, in the whole area: a bound on memory and time."""

DEEPEST = 24
"""Finest order used, cells of 0.01 arcsec: finer than any map here."""

COARSER = 4
"""Orders between the cells that are tried and the blocks they come in."""

AT_ONCE = 2**20
"""Cells whose places are computed together."""


def check_mocpy() -> None:
    """Raise PssegError where mocpy is not installed."""
    if find_spec("mocpy") is None:
        raise PssegError("MOC needs mocpy, not found here: pip install 'psseg[formats]'")


def searched_area(searched: NDArray[np.bool_], wcs: WCS) -> MOC:
    """Give the area of the pixels that were searched.

    Parameters
    ----------
    searched : ndarray of bool (n_y, n_x)
        False where a map is blank.
    wcs : WCS
        Of the map, celestial.

    Returns
    -------
    mocpy.MOC
        ICRS. Its order is the first whose cells are at most half a pixel wide, or that has as many
        cells as memory allows.

    Raises
    ------
    PssegError
        If mocpy is not installed.
    """
    check_mocpy()
    from mocpy import MOC

    order = _order(searched, wcs)
    rows, columns = np.nonzero(searched)
    if not len(rows):
        return MOC.new_empty(order)
    blocks = _blocks(rows, columns, wcs, max(order - COARSER, 0))
    per_block = 4 ** min(COARSER, order)
    within = [
        cells[_in_searched(cells, order, searched, wcs)]
        for start in range(0, len(blocks), max(AT_ONCE // per_block, 1))
        for cells in [_children(blocks[start : start + max(AT_ONCE // per_block, 1)], per_block)]
    ]
    cells = np.concatenate(within).astype(np.uint64)
    depth = np.full(len(cells), order, dtype=np.uint8)
    return MOC.from_healpix_cells(cells, depth, max_depth=order)


def write_coverage(path: str | Path, searched: NDArray[np.bool_], wcs: WCS) -> None:
    """Write the area of the pixels that were searched as a FITS MOC.

    Parameters
    ----------
    path : str or Path
        The file.
    searched, wcs
        As for `searched_area`.
    """
    searched_area(searched, wcs).save(str(path), format="fits")


def _order(searched: NDArray[np.bool_], wcs: WCS) -> int:
    """Give the order whose cells are fine enough, and not too many."""
    scale = proj_plane_pixel_scales(wcs).min()
    sizes = nside_to_pixel_resolution(2 ** np.arange(DEEPEST + 1)).to_value("deg")
    fine = int(np.argmax(sizes <= scale / FINENESS)) if sizes[-1] <= scale / FINENESS else DEEPEST
    area = float(np.count_nonzero(searched)) * np.prod(proj_plane_pixel_scales(wcs))
    while fine > 0 and area / sizes[fine] ** 2 > MOST_CELLS:
        fine -= 1
    return fine


def _blocks(
    rows: NDArray[np.intp], columns: NDArray[np.intp], wcs: WCS, order: int
) -> NDArray[np.int64]:
    """Give the cells of an order that any searched pixel may touch."""
    healpix = HEALPix(nside=2**order, order="nested", frame=ICRS())
    found = []
    for part in (slice(k, k + AT_ONCE) for k in range(0, len(rows), AT_ONCE)):
        sky = _sky(wcs, columns[part], rows[part])
        on_sky = np.isfinite(sky.ra.deg) & np.isfinite(sky.dec.deg)
        found.append(np.unique(healpix.skycoord_to_healpix(sky[on_sky])))
    cells = np.unique(np.concatenate(found))
    with np.errstate(invalid="ignore"):  # cells at corners of the base cells have no eighth one
        around = np.unique(np.concatenate([cells, healpix.neighbours(cells).ravel()]))
    return around[around >= 0]


def _children(blocks: NDArray[np.int64], per_block: int) -> NDArray[np.int64]:
    return (blocks[:, None] * per_block + np.arange(per_block)).ravel()


def _in_searched(
    cells: NDArray[np.int64], order: int, searched: NDArray[np.bool_], wcs: WCS
) -> NDArray[np.bool_]:
    """Tell which cells have their centre in a searched pixel."""
    healpix = HEALPix(nside=2**order, order="nested", frame=ICRS())
    sky = healpix.healpix_to_skycoord(cells)
    x, y = (np.asarray(value, dtype=float) for value in wcs.world_to_pixel(sky))
    # The far side of the sky has pixels too in some projections: they lead back elsewhere.
    n_y, n_x = searched.shape
    with np.errstate(invalid="ignore"):
        inside = (x >= -0.5) & (x < n_x - 0.5) & (y >= -0.5) & (y < n_y - 0.5)
    column, row = (np.rint(value[inside]).astype(int) for value in (x, y))
    column, row = np.clip(column, 0, n_x - 1), np.clip(row, 0, n_y - 1)
    kept = searched[row, column]
    if kept.any():
        there = _sky(wcs, x[inside][kept], y[inside][kept])
        kept[kept] = there.separation(sky[inside][kept]) < 1e-3 * u.deg
    result = np.zeros(len(cells), dtype=bool)
    result[inside] = kept
    return result


def _sky(wcs: WCS, x: NDArray[np.generic], y: NDArray[np.generic]) -> SkyCoord:
    return wcs.pixel_to_world(x, y).icrs
