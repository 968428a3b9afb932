"""The label map as a FITS file: classes, their probabilities, segments, background."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from psseg.catalogue.segment_map import SegmentMap
from psseg.products import append_image, image_hdu
from psseg.survey.classes import CLASS_NAMES, IGNORED
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.probability_map import ProbabilityMap
from psseg.tiles.radio_image import RadioImage

if TYPE_CHECKING:
    from psseg.network.labelling import LabelMap

__all__ = ["class_map", "plane_names", "write_image_labels", "write_labels"]


def class_map(probabilities: np.ndarray) -> np.ndarray:
    """Give the most probable class of each pixel, from the map alone.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (4, n_y, n_x)
        Class probabilities, NaN where masked.

    Returns
    -------
    numpy.ndarray of uint8, shape (n_y, n_x)
        Values of :class:`~psseg.survey.classes.SourceClass`; 255 where masked.
    """
    blank = ~np.isfinite(probabilities).all(axis=0)
    best = np.argmax(np.nan_to_num(probabilities), axis=0)
    return np.where(blank, IGNORED, best).astype(np.uint8)


def write_labels(
    path: str | Path,
    label_map: LabelMap,
    *,
    segments: SegmentMap | None = None,
    band_names: Sequence[str],
    header: fits.Header,
) -> None:
    """Write a label map.

    Parameters
    ----------
    path : str or Path
        The file.
    label_map : LabelMap
        Class probabilities, expected background and their WCS.
    segments : SegmentMap, shape (n_y, n_x), optional
        Which pixels belong to which source; left out where sources were not looked for.
    band_names : sequence of str, length n_bands
        What the planes of the background are.
    header : astropy.io.fits.Header
        Provenance, for the primary HDU.

    Notes
    -----
    HDUs are ``CLASS_MAP``, ``CLASS_PROBABILITIES``, ``SEGMENTS`` and ``BACKGROUND``.
    """
    background = image_hdu(
        label_map.background, name="BACKGROUND", planes=band_names, wcs=label_map.wcs
    )
    background.header["BUNIT"] = "count"
    hdus = _label_hdus(label_map.class_probabilities, segments, label_map.wcs)
    fits.HDUList([fits.PrimaryHDU(header=header), *hdus, background]).writeto(path, checksum=True)


def write_image_labels(
    path: str | Path,
    class_probabilities: ProbabilityMap,
    image: RadioImage,
    noise: ImageNoise,
    *,
    segments: SegmentMap | None = None,
    header: fits.Header,
) -> None:
    """Write the label map of a radio image, some rows at a time.

    Parameters
    ----------
    path : str or Path
        The file.
    class_probabilities : ProbabilityMap
        On the image's pixels, NaN where blank.
    image : RadioImage
    noise : ImageNoise
        Local rms and mean of each plane.
    segments : SegmentMap, optional
        Which pixels belong to which source; left out where sources were not looked for.
    header : astropy.io.fits.Header
        Provenance, for the primary HDU.

    Notes
    -----
    HDUs are ``CLASS_MAP``, ``CLASS_PROBABILITIES``, ``SEGMENTS``, ``RMS`` and ``MEAN``.
    """
    path, names = Path(path), plane_names(image)
    hdu = partial(_image_of_zeros, wcs=image.wcs)
    fits.PrimaryHDU(header=header).writeto(path, checksum=True)
    classes = hdu(np.uint8, image.shape, name="CLASS_MAP")
    _name_classes(classes)
    append_image(path, classes, lambda rows: class_map(class_probabilities.rows(rows)))
    append_image(
        path,
        hdu(
            np.float32,
            (len(CLASS_NAMES), *image.shape),
            name="CLASS_PROBABILITIES",
            planes=CLASS_NAMES,
        ),
        class_probabilities.rows,
    )
    if segments is not None:
        append_image(path, hdu(np.int32, image.shape, name="SEGMENTS"), segments.rows)
    for name in ("RMS", "MEAN"):
        maps = hdu(np.float32, image.planes.shape, name=name, planes=names)
        maps.header["BUNIT"] = "Jy/beam"
        append_image(path, maps, partial(_noise_rows, noise, name.lower()))


def plane_names(image: RadioImage) -> list[str]:
    """Name the planes of a radio image after Stokes parameter and frequency.

    Parameters
    ----------
    image : RadioImage

    Returns
    -------
    list of str
    """
    return [
        f"Stokes {stokes}" + (f" {frequency / 1e6:.6g} MHz" if np.isfinite(frequency) else "")
        for stokes, frequency in zip(image.stokes, image.frequencies, strict=True)
    ]


def _image_of_zeros(dtype: type, shape: tuple[int, ...], **more: Any) -> fits.ImageHDU:
    """Give an HDU whose pixels take no memory."""
    return image_hdu(np.broadcast_to(dtype(0), shape), **more)


def _noise_rows(noise: ImageNoise, name: str, rows: slice) -> np.ndarray:
    return getattr(noise.part(rows), name)


def _name_classes(classes: fits.ImageHDU) -> None:
    for value, name in enumerate(CLASS_NAMES):
        classes.header[f"CLASS{value}"] = name
    classes.header["MASKED"] = (IGNORED, "value of pixels without data")


def _label_hdus(
    class_probabilities: np.ndarray, segments: SegmentMap | None, wcs: WCS
) -> list[fits.ImageHDU]:
    """Class map, class probabilities and, if there are any, segments."""
    image = partial(image_hdu, wcs=wcs)
    classes = image(class_map(class_probabilities), name="CLASS_MAP")
    _name_classes(classes)
    hdus = [classes, image(class_probabilities, name="CLASS_PROBABILITIES", planes=CLASS_NAMES)]
    if segments is not None:
        hdus.append(image(segments.data, name="SEGMENTS"))
    return hdus
