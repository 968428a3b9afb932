"""How much fainter the primary beam of the antennas makes what lies away from the pointing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from psseg.errors import PssegError
from psseg.tiles.headers import find_image, open_fits
from psseg.tiles.radio_axes import read_planes
from psseg.tiles.radio_headers import clean_header, sky_wcs
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.radio_planes import Grid, Pixels, read_blocks

__all__ = ["LEAST_ATTENUATION", "attenuation_at", "read_primary_beam"]

LEAST_ATTENUATION = 0.05
"""Below it nothing is corrected: the image there is noise, and the beam's model not good enough."""

_MOST = 1.05  # above 1, for rounding and for beams normalised beside the maximum


def read_primary_beam(path: str | Path, image: RadioImage) -> NDArray[np.float32]:
    """Read the primary beam that an image was not corrected for.

    Parameters
    ----------
    path : str or pathlib.Path
        FITS image of the attenuation, 1 at the pointing, with a celestial WCS; further axes may be
        there, of which the first plane is taken. It is interpolated where its pixels are others.
    image : RadioImage

    Returns
    -------
    numpy.ndarray, shape (n_y, n_x), float32
        Attenuation on the image's pixels, at most 1: divide fluxes by it. NaN where it is below
        `LEAST_ATTENUATION`, blank or unknown.

    Raises
    ------
    PssegError
        If the file is no FITS image with a celestial WCS, holds no numbers between 0 and 1, or does
        not cover the image.
    """
    path = Path(path)
    with _pixels(path) as pixels:
        attenuation = _on_grid(pixels, Grid(wcs=image.wcs, shape=image.shape))
    return _checked(attenuation, path.name)


def attenuation_at(path: str | Path, places: SkyCoord) -> NDArray[np.float64]:
    """Read the primary beam at places on the sky.

    Parameters
    ----------
    path : str or pathlib.Path
        As for `read_primary_beam`.
    places : SkyCoord, shape (n,)

    Returns
    -------
    numpy.ndarray, shape (n,)
        Attenuation, interpolated linearly; NaN where it is too small, blank or unknown.

    Raises
    ------
    PssegError
        As `read_primary_beam` does.
    """
    path = Path(path)
    with _pixels(path) as pixels:
        attenuation = _checked(_on_grid(pixels, pixels.grid), path.name)
        x, y = pixels.grid.wcs.world_to_pixel(places)
    return map_coordinates(attenuation.astype(float), [y, x], order=1, cval=np.nan)


@contextmanager
def _pixels(path: Path) -> Iterator[Pixels]:
    """Open a primary beam."""
    with open_fits(path) as hdus:
        found = find_image(hdus)
        if found is None:
            raise PssegError(f"{path.name}: no image in it; psseg wants a primary beam (FITS)")
        header = clean_header(found.header, name=path.name, notes=[])
        wcs, mirrored = sky_wcs(header, name=path.name, notes=[])
        yield Pixels(
            image=found,
            index=read_planes(header, name=path.name, notes=[])[0].index,
            grid=Grid(wcs=wcs, shape=(header["NAXIS2"], header["NAXIS1"])),
            mirrored=mirrored,
        )


def _on_grid(pixels: Pixels, grid: Grid) -> NDArray[np.float32]:
    attenuation = np.full(grid.shape, np.nan, dtype=np.float32)
    for block, values in read_blocks(pixels, grid):
        attenuation[block] = values
    return attenuation


def _checked(attenuation: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    if np.isnan(attenuation).all():
        raise PssegError(f"{name}: the primary beam does not cover the image")
    highest = np.nanmax(attenuation)
    if not LEAST_ATTENUATION <= highest <= _MOST:
        raise PssegError(
            f"{name}: its highest value is {highest:.3g} on the image; a primary beam is an "
            "attenuation between 0 and 1"
        )
    attenuation[attenuation < LEAST_ATTENUATION] = np.nan
    return np.minimum(attenuation, 1)
