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
from psseg.tiles.radio_image import SAME_FREQUENCY, RadioImage
from psseg.tiles.radio_planes import Grid, Pixels, read_blocks

__all__ = ["LEAST_ATTENUATION", "attenuation_at", "read_primary_beam", "scaled_attenuation"]

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
        Attenuation on the image's pixels at the frequency of its reference plane, at most 1: divide
        fluxes by it. NaN where it is below `LEAST_ATTENUATION`, blank or unknown.

    Raises
    ------
    PssegError
        If the file is no FITS image with a celestial WCS, holds no numbers between 0 and 1, or does
        not cover the image.
    """
    path = Path(path)
    with _opened(path) as (pixels, frequency):
        attenuation = _on_grid(pixels, Grid(wcs=image.wcs, shape=image.shape))
        checked = _checked(attenuation, pixels, path.name)
    return scaled_attenuation(checked, image.frequencies[0] / frequency)


def scaled_attenuation(
    attenuation: NDArray[np.floating], frequency_ratio: float
) -> NDArray[np.floating]:
    r"""Bring the attenuation of a primary beam to another frequency.

    Parameters
    ----------
    attenuation : numpy.ndarray, any shape
        0 to 1.
    frequency_ratio : float
        The other frequency over that of `attenuation`; not-a-number where unknown, which is taken
        as 1, as is a difference below `SAME_FREQUENCY`.

    Returns
    -------
    numpy.ndarray, same shape
        NaN where it is below `LEAST_ATTENUATION`.

    Notes
    -----
    Exact for a Gaussian main lobe whose width goes as the wavelength, :math:`A(\nu) =
    A_0^{(\nu / \nu_0)^2}`; others come near it. At a frequency higher by half, the main lobe of a
    uniform disc (Airy) is 1 % lower than that where A was 0.8 and 14 % where it was 0.5; that of a
    cosine-tapered field, as of MeerKAT (Mauch et al. 2020, ApJ 888, 61), 1 and 11 %.

    Examples
    --------
    >>> scaled_attenuation(np.array([1.0, 0.5, 0.4]), 2.0)
    array([1.    , 0.0625,    nan])
    """
    squared = frequency_ratio**2 if abs(frequency_ratio - 1) > SAME_FREQUENCY else 1.0
    scaled = attenuation**squared
    return np.where(scaled < LEAST_ATTENUATION, np.nan, scaled).astype(attenuation.dtype)


def attenuation_at(
    path: str | Path, places: SkyCoord, *, frequency: float = np.nan
) -> NDArray[np.float64]:
    """Read the primary beam at places on the sky.

    Parameters
    ----------
    path : str or pathlib.Path
        As for `read_primary_beam`.
    places : SkyCoord, shape (n,)
    frequency : float
        Hz, at which the attenuation is wanted; the default is that of the file.

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
    with _opened(path) as (pixels, own):
        attenuation = _checked(_on_grid(pixels, pixels.grid), pixels, path.name)
        x, y = pixels.grid.wcs.world_to_pixel(places)
    found = map_coordinates(attenuation.astype(float), [y, x], order=1, cval=np.nan)
    return scaled_attenuation(found, frequency / own).astype(float)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Pixels, float]]:
    """Open a primary beam; give its pixels and its frequency, NaN where unknown."""
    with open_fits(path) as hdus:
        found = find_image(hdus)
        if found is None:
            raise PssegError(f"{path.name}: no image in it; psseg wants a primary beam (FITS)")
        header = clean_header(found.header, name=path.name, notes=[])
        wcs, mirrored = sky_wcs(header, name=path.name, notes=[])
        plane = read_planes(header, name=path.name, notes=[])[0]
        pixels = Pixels(
            image=found,
            index=plane.index,
            grid=Grid(wcs=wcs, shape=(header["NAXIS2"], header["NAXIS1"])),
            mirrored=mirrored,
        )
        yield pixels, plane.frequency


def _on_grid(pixels: Pixels, grid: Grid) -> NDArray[np.float32]:
    attenuation = np.full(grid.shape, np.nan, dtype=np.float32)
    for block, values in read_blocks(pixels, grid):
        attenuation[block] = values
    return attenuation


def _checked(attenuation: NDArray[np.float32], pixels: Pixels, name: str) -> NDArray[np.float32]:
    unit = str(pixels.image.header.get("BUNIT", ""))
    if np.isnan(attenuation).all():
        raise PssegError(f"{name}: the primary beam does not cover the image")
    lowest, highest = np.nanmin(attenuation), np.nanmax(attenuation)
    # The unit alone says nothing: primary beams may carry that of the image they were made for.
    if lowest < 0 and unit.lower().startswith("jy"):
        raise PssegError(
            f"{name}: an image in {unit} with values below 0; a primary beam is an attenuation "
            "between 0 and 1"
        )
    if not LEAST_ATTENUATION <= highest <= _MOST:
        raise PssegError(
            f"{name}: its highest value is {highest:.3g} on the image; a primary beam is an "
            "attenuation between 0 and 1"
        )
    attenuation[attenuation < LEAST_ATTENUATION] = np.nan
    return np.minimum(attenuation, 1)
