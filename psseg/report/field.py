"""The map of a report: its planes, the label map, and what they are called.

In: the products of a map and, where it can be found, the map. Out: planes and classes on the pixels
of the label map.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from psseg.ds9_frames import summed_counts
from psseg.errors import PssegError, PssegWarning
from psseg.label_file import plane_names
from psseg.picture_levels import GREY_PERCENTILES, NOISE_LEVELS, SMOOTHING
from psseg.product_folder import ProductSet, label_hdus
from psseg.report.layers import Plane
from psseg.survey.survey import Survey, counts_survey, load_survey
from psseg.tiles.beam import Beam
from psseg.tiles.places import pixels_at
from psseg.tiles.radio_files import read_radio_image
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.readers import read_map
from psseg.tiles.tile import Tile

__all__ = ["Field", "plane_of", "read_field"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A map and its label map.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two celestial axes.
    planes : tuple of Plane
        What was seen first, then what was derived from it.
    classes : numpy.ndarray of uint8, shape (n_y, n_x)
        Values of `psseg.survey.classes.SourceClass`, 255 where masked.
    segments : numpy.ndarray of int32, shape (n_y, n_x)
        The catalogue's SEGMENT, 0 elsewhere.
    notes : tuple of str
        What is missing, and why.
    """

    wcs: WCS
    planes: tuple[Plane, ...]
    classes: NDArray[np.uint8]
    segments: NDArray[np.int32]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.classes.shape[0], self.classes.shape[1]

    @property
    def pixel_scale(self) -> float:
        """Side of a square of a pixel's area at the reference pixel, deg."""
        return float(np.sqrt(proj_plane_pixel_area(self.wcs)))


def read_field(products: ProductSet) -> Field:
    """Read the label map of a set of products, and the map it was made of.

    Parameters
    ----------
    products : ProductSet
        Where they are.

    Returns
    -------
    Field
        Without the map's planes where it is not found, or is not on the pixels of the label map;
        ``notes`` says so.

    Raises
    ------
    PssegError
        If there is no label map, or it is not whole.

    Warns
    -----
    PssegWarning
        Where the map is missing or cannot be shown.
    """
    if not products.labels.is_file():
        raise PssegError(
            f"{products.labels}: no label map beside the catalogue; make it again with "
            "psseg catalogue"
        )
    with label_hdus(products.labels) as hdus:
        return _field(hdus, products)


def plane_of(
    name: str,
    values: NDArray[np.floating],
    *,
    unit: str,
    limits: tuple[float, float] | None = None,
) -> Plane:
    """Make a plane; its grey levels run over the percentiles `GREY_PERCENTILES` unless given.

    Parameters
    ----------
    name, unit : str
        What it shows.
    values : numpy.ndarray, shape (n_y, n_x)
        NaN where there are no data.
    limits : tuple of float, optional
        Values shown black and white.

    Returns
    -------
    Plane
        NaN limits where no pixel has data.
    """
    if limits is None or not np.isfinite(limits).all():
        seen = values[np.isfinite(values)]
        shown = np.percentile(seen, GREY_PERCENTILES, overwrite_input=True) if seen.size else ()
        limits = tuple(shown) or (np.nan, np.nan)
    low, high = (float(limit) for limit in limits)
    return Plane(name=name, unit=unit, values=values, low=low, high=high)


def _field(hdus: fits.HDUList, products: ProductSet) -> Field:
    classes = np.array(hdus["CLASS_MAP"].data, dtype=np.uint8)
    wcs = WCS(hdus["CLASS_MAP"].header).celestial
    segments = (
        np.array(hdus["SEGMENTS"].data, dtype=np.int32)
        if "SEGMENTS" in hdus
        else np.zeros(classes.shape, dtype=np.int32)
    )
    read = _counts_planes if products.kind == "counts" else _radio_planes
    planes: list[Plane] = []
    notes: list[str] = []
    if products.map is None:
        notes.append(
            "The map itself was not found: only the label map is shown. Name the map with "
            "psseg report --map"
        )
        _warn(f"{products.catalogue}: its map is not found and not shown; name it with --map")
    else:
        try:
            planes = read(products, hdus, wcs, classes.shape)
        except PssegError as error:
            notes.append(f"The map itself could not be shown: {error}")
            _warn(f"report without its map: {error}")
    return Field(
        wcs=wcs,
        planes=(*planes, *_label_planes(hdus)),
        classes=classes,
        segments=segments,
        notes=tuple(notes),
    )


def _warn(message: str) -> None:
    warnings.warn(message, PssegWarning, stacklevel=4)


def _counts_planes(
    products: ProductSet, hdus: fits.HDUList, wcs: WCS, shape: tuple[int, int]
) -> list[Plane]:
    """All bands together, and each; a little smoothed, as in the picture."""
    assert products.map is not None
    path, survey = products.map, _survey_of(hdus)
    if survey is None:
        return [_sum_of_all(products, wcs, shape)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PssegWarning)  # told when the catalogue was made
        tile = read_map(path, survey)
        if not _same_pixels(tile, wcs, shape):
            width = max(shape) * float(np.sqrt(proj_plane_pixel_area(wcs)))
            tile = read_map(path, survey, center=_middle(wcs, shape), width=width)
    counts, mask = tile.data, tile.mask
    if not _same_pixels(tile, wcs, shape):
        counts, mask = _sampled(tile.data, tile.mask, tile.wcs, wcs, shape)
    if mask.all():
        raise PssegError(f"{path.name}: lies elsewhere on the sky than the label map")
    present = np.flatnonzero(tile.bands_present)
    pictures = [("All bands", counts.sum(axis=0))]
    pictures += [(survey.band_names[band], counts[band]) for band in present]
    return [
        plane_of(name, np.where(mask, np.nan, gaussian_filter(band, SMOOTHING)), unit="counts")
        for name, band in pictures[: None if len(present) > 1 else 1]
    ]


def _survey_of(hdus: fits.HDUList) -> Survey | None:
    """Give the survey of a label map; None if psseg has none of its name with these bands."""
    try:
        survey = counts_survey(load_survey(str(hdus[0].header.get("SURVEY", ""))))
    except PssegError:
        return None
    if "BACKGROUND" not in hdus:
        return survey
    bands = tuple(hdus["BACKGROUND"].header["PLANE*"].values())
    return survey if bands == survey.band_names else None


def _sum_of_all(products: ProductSet, wcs: WCS, shape: tuple[int, int]) -> Plane:
    """Sum over all energies of the map: bands of a survey that psseg does not have are not told."""
    counts, own = summed_counts(products)
    blank = ~np.isfinite(counts)
    seen, mask = _sampled(np.where(blank, 0, counts)[None], blank, own, wcs, shape)
    smooth = np.where(mask, np.nan, gaussian_filter(seen[0], SMOOTHING))
    return plane_of("All energies", smooth, unit="counts")


def _sampled(
    planes: NDArray[np.floating],
    mask: NDArray[np.bool_],
    own: WCS,
    wcs: WCS,
    shape: tuple[int, int],
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Give counts and mask of the nearest pixels: in place to half a pixel, for looking only."""
    rows, columns = np.indices(shape)
    x, y = SkyCoord.from_pixel(columns, rows, wcs).to_pixel(own)
    rows, columns, inside = pixels_at(x, y, mask.shape)
    return np.where(inside, planes[:, rows, columns], 0), ~inside | mask[rows, columns]


def _radio_planes(
    products: ProductSet, hdus: fits.HDUList, wcs: WCS, shape: tuple[int, int]
) -> list[Plane]:
    """Read the planes; grey levels are in units of the local rms, as in the picture."""
    assert products.map is not None
    path = products.map
    try:
        image = read_radio_image([path])
    except PssegError:
        any_beam = Beam(major=1e-9, minor=1e-9, angle=0.0)  # the pixels are shown as they are
        image = read_radio_image([path], beam=any_beam)
    if not _same_pixels(image, wcs, shape):
        raise PssegError(f"{path.name}: its pixels are not those of the label map")
    level = _median(hdus["RMS"].data) if "RMS" in hdus else np.nan
    limits = (NOISE_LEVELS[0] * level, NOISE_LEVELS[1] * level)
    return [
        plane_of(name, plane, unit="Jy/beam", limits=limits)
        for name, plane in zip(plane_names(image), image.planes, strict=True)
    ]


def _label_planes(hdus: fits.HDUList) -> list[Plane]:
    """Source probability, and what is known of the background."""
    source = 1 - np.asarray(hdus["CLASS_PROBABILITIES"].data[0], dtype=np.float32)
    planes = [plane_of("Probability of a source", source, unit="", limits=(0.0, 1.0))]
    if "BACKGROUND" in hdus:
        background = np.asarray(hdus["BACKGROUND"].data, dtype=np.float32).sum(axis=0)
        planes.append(plane_of("Expected background", background, unit="counts"))
    if "RMS" in hdus:
        rms = np.asarray(hdus["RMS"].data.reshape(-1, *source.shape)[0], dtype=np.float32)
        planes.append(plane_of("Local rms", rms, unit="Jy/beam"))
    return planes


def _median(values: NDArray[np.floating]) -> float:
    seen = values[np.isfinite(values)]
    return float(np.median(seen, overwrite_input=True)) if seen.size else np.nan


def _same_pixels(tile: Tile | RadioImage, wcs: WCS, shape: tuple[int, int]) -> bool:
    """Whether the map's corner pixels lie where those of the label map do, within half a pixel."""
    if tile.shape != shape:
        return False
    x, y = np.array([0, shape[1] - 1, 0]), np.array([0, 0, shape[0] - 1])
    here = SkyCoord.from_pixel(x, y, wcs).icrs
    apart = tile.pixel_to_sky(x, y).icrs.separation(here)
    return bool(np.all(~(apart > 0.5 * tile.pixel_scale * u.deg)))


def _middle(wcs: WCS, shape: tuple[int, int]) -> SkyCoord:
    return SkyCoord.from_pixel((shape[1] - 1) / 2, (shape[0] - 1) / 2, wcs)
