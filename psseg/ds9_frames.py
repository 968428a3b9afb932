"""What DS9 is given for each of its frames: a file, its grid, and how it is to look.

In: the products of a map. Out: frames, and the files that DS9 cannot do without: a cube's sum, the
colours of the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.stats import mad_std
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from psseg.errors import PssegError
from psseg.picture_levels import MASKED, NOISE_LEVELS
from psseg.product_folder import ProductSet, label_hdus
from psseg.products import image_hdu
from psseg.survey.classes import CLASS_NAMES, class_rgb
from psseg.tiles.headers import celestial_wcs, find_image, open_fits
from psseg.tiles.tables import column_names, column_values, find_table

__all__ = ["Frame", "class_frame", "map_frame", "summed_counts"]

PICTURE = (1200, 740)
"""Pixels that DS9's panels leave to the map in the window it opens, measured with DS9 8.4."""

SMOOTHING = 1.0
"""Sigma, pixels, of DS9's smoothing of counts: single photons become what the eye can follow."""

GREY_PERCENTILES = (30.0, 99.8)
"""Percentiles of the smoothed counts that are black and white: the lower one leaves the noise of
empty sky dark enough for coloured regions."""

THINNED = 1000
"""Pixels along a side from which the rms of a radio image is taken."""

DIMMED = 0.45
"""Brightness of the classes' colours in the class map, so that regions stand out from it."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One image in DS9: its file and WCS, and how it is shown.

    `wcs` is None where the sky coordinates are left to DS9.
    """

    file: str
    wcs: WCS | None
    shape: tuple[int, int]
    look: tuple[str, ...]

    @property
    def zoom(self) -> float:
        """Screen pixels per pixel when the whole image is shown."""
        return min(PICTURE[0] / self.shape[1], PICTURE[1] / self.shape[0])


def map_frame(
    product: ProductSet,
    sum_path: Path,
    files: dict[Path, bytes],
    rename: Callable[[Path], str],
    cube: bool,
) -> Frame:
    """Show the map: an image as it is, of counts the sum, which is added to the files."""
    assert product.map is not None
    if product.kind == "continuum":
        return _image_frame(product, rename)
    counts, wcs = summed_counts(product)
    look = ["-cmap", "grey", "-scale", "linear"]
    if cube:
        with open_fits(product.map, check=False) as hdus:
            extension = _extension(hdus)
        return Frame(
            file=rename(product.map) + extension,
            wcs=wcs,
            shape=counts.shape,
            look=(*look, "-scale", "mode", "99.5"),
        )
    files[sum_path] = _fits_bytes(image_hdu(counts.astype(np.float32), wcs, name="COUNTS"))
    smooth = ("-smooth", "function", "gaussian", "-smooth", "radius", "3")
    look += ["-scale", "limits", *(f"{level:.4g}" for level in _grey_levels(counts))]
    look += [*smooth, "-smooth", "sigma", str(SMOOTHING), "-smooth", "yes"]
    return Frame(file=rename(sum_path), wcs=wcs, shape=counts.shape, look=tuple(look))


def _grey_levels(counts: NDArray[np.float64]) -> tuple[float, float]:
    """Give the counts, smoothed as DS9 smooths them, that are shown black and white."""
    seen = np.isfinite(counts)
    smooth = gaussian_filter(np.where(seen, counts, 0.0), SMOOTHING)[seen]
    low, high = np.percentile(smooth, GREY_PERCENTILES) if smooth.size else (0.0, 0.0)
    return float(low), float(max(high, low + 1e-3))


def summed_counts(product: ProductSet) -> tuple[NDArray[np.float64], WCS]:
    """Sum a counts cube over energy, or bin a photon list on the pixels of the class map.

    Parameters
    ----------
    product : ProductSet
        With its map.

    Returns
    -------
    counts : numpy.ndarray, shape (n_y, n_x)
        NaN where the map is blank.
    wcs : astropy.wcs.WCS

    Raises
    ------
    PssegError
        If the map holds neither, or the class map is needed and is not there.
    """
    assert product.map is not None
    with open_fits(product.map, check=False) as hdus:
        image = find_image(hdus)
        if image is not None:
            planes = np.asarray(image.data, dtype=float)
            total = planes.reshape(-1, *planes.shape[-2:])
            blank = ~np.isfinite(total).any(axis=0)
            wcs = celestial_wcs(image.header, name=str(product.map))
            return np.where(blank, np.nan, np.nansum(total, axis=0)), wcs
        events = find_table(hdus, "EVENTS")
        columns = {} if events is None else column_names(events)
        if events is None or not {"RA", "DEC"} <= columns.keys():
            raise PssegError(f"{product.map}: holds neither an image nor a list of photons")
        ra, dec = (
            column_values(events, columns[name], name=str(product.map)) for name in ("RA", "DEC")
        )
    return _binned(SkyCoord(ra, dec, unit="deg"), product)


def _binned(photons: SkyCoord, product: ProductSet) -> tuple[NDArray[np.float64], WCS]:
    if not product.labels.is_file():
        raise PssegError(f"{product.labels}: not found, and without it photons cannot be binned")
    wcs, shape = _grid_of_labels(product.labels)
    y, x = wcs.world_to_array_index(photons)
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    counts = np.zeros(shape)
    np.add.at(counts, (y[inside], x[inside]), 1.0)
    return counts, wcs


def _grid_of_labels(path: Path) -> tuple[WCS, tuple[int, int]]:
    with label_hdus(path) as hdus:
        header = hdus["CLASS_MAP"].header
        return celestial_wcs(header, name=str(path)), (header["NAXIS2"], header["NAXIS1"])


def _image_frame(product: ProductSet, rename: Callable[[Path], str]) -> Frame:
    """Show a radio image on the grid of its label map, whose header psseg has put in order."""
    assert product.map is not None
    with open_fits(product.map, check=False) as hdus:
        image = find_image(hdus)
        if image is None:
            raise PssegError(f"{product.map}: holds no image")
        shape = (image.header["NAXIS2"], image.header["NAXIS1"])
        rms = _rms_of_labels(product.labels) or _rms_of_image(image, shape)
        extension = _extension(hdus)
    wcs = None
    if product.labels.is_file():
        grid, labelled = _grid_of_labels(product.labels)
        wcs = grid if labelled == shape else None
    low, high = (f"{level * rms:.4g}" for level in NOISE_LEVELS) if rms else ("", "")
    levels = ("-scale", "limits", low, high) if rms else ("-scale", "mode", "minmax")
    look = ("-cmap", "grey", "-scale", "asinh", *levels)
    return Frame(file=rename(product.map) + extension, wcs=wcs, shape=shape, look=look)


def _extension(hdus: fits.HDUList) -> str:
    """Say which image psseg reads: of several in a file, DS9 shows the first by itself."""
    image = find_image(hdus)
    number = next((n for n, hdu in enumerate(hdus) if hdu is image), 0)
    return f"[{number}]" if number else ""


def _rms_of_labels(path: Path) -> float:
    """Give the median local rms of the first plane, 0 where it is not known."""
    if not path.is_file():
        return 0.0
    with open_fits(path, check=False) as hdus:
        if "RMS" not in hdus:
            return 0.0
        plane = hdus["RMS"].data[0]
    return _finite(np.median, plane)


def _rms_of_image(image: fits.PrimaryHDU, shape: tuple[int, int]) -> float:
    """Estimate the rms of a plane from its median absolute deviation."""
    plane = np.asarray(image.data).reshape(-1, *shape)[0]
    return _finite(mad_std, plane)


def _finite(measure: Callable[[NDArray], float], plane: NDArray) -> float:
    """Measure the pixels of a thinned-out plane that hold a number; 0 where none can be had."""
    step = -(-max(plane.shape) // THINNED)
    values = plane[::step, ::step].astype(float)
    values = values[np.isfinite(values)]
    measured = float(measure(values)) if values.size else 0.0
    return measured if np.isfinite(measured) else 0.0


def class_frame(
    product: ProductSet,
    colour_path: Path,
    files: dict[Path, bytes],
    rename: Callable[[Path], str],
) -> Frame:
    """Show the class map, one colour per class; masked pixels fall beyond the last one's."""
    wcs, shape = _grid_of_labels(product.labels)
    files[colour_path] = _colour_table().encode()
    limits = ("-scale", "limits", "-0.5", f"{len(CLASS_NAMES)}.5")
    look = ("-smooth", "no", "-cmap", "load", rename(colour_path), "-scale", "linear", *limits)
    return Frame(file=f"{rename(product.labels)}[CLASS_MAP]", wcs=wcs, shape=shape, look=look)


def _colour_table() -> str:
    """Give DS9's colour map of the class map: red, green, blue of each class, then of no data."""
    rows: Iterable[tuple[float, ...]] = [
        (0.0, 0.0, 0.0),
        *(tuple(DIMMED * part / 255 for part in class_rgb(name)) for name in CLASS_NAMES[1:]),
        MASKED,
    ]
    return "".join(" ".join(f"{value:.4f}" for value in row) + "\n" for row in rows)


def _fits_bytes(image: fits.ImageHDU) -> bytes:
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(image.data, image.header)]).writeto(buffer)
    return buffer.getvalue()
