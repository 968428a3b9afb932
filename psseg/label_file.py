"""The label map as a FITS file: classes, their probabilities, segments, background."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from photutils.segmentation import SegmentationImage

from psseg.products import image_hdu
from psseg.survey.classes import CLASS_NAMES, IGNORED

if TYPE_CHECKING:
    from psseg.network.labelling import LabelMap

__all__ = ["class_map", "write_labels"]


def class_map(label_map: LabelMap) -> np.ndarray:
    """Give the most probable class of each pixel, from the map alone.

    Parameters
    ----------
    label_map : LabelMap
        Class probabilities, NaN where masked.

    Returns
    -------
    numpy.ndarray of uint8, shape (n_y, n_x)
        Values of :class:`~psseg.survey.classes.SourceClass`; 255 where masked.
    """
    probabilities = label_map.class_probabilities
    blank = ~np.isfinite(probabilities).all(axis=0)
    best = np.argmax(np.nan_to_num(probabilities), axis=0)
    return np.where(blank, IGNORED, best).astype(np.uint8)


def write_labels(
    path: str | Path,
    label_map: LabelMap,
    *,
    segments: SegmentationImage | None = None,
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
    segments : SegmentationImage, shape (n_y, n_x), optional
        Which pixels belong to which source; left out where sources were not looked for.
    band_names : sequence of str, length n_bands
        What the planes of the background are.
    header : astropy.io.fits.Header
        Provenance, for the primary HDU.

    Notes
    -----
    HDUs are ``CLASS_MAP``, ``CLASS_PROBABILITIES``, ``SEGMENTS`` and ``BACKGROUND``.
    """
    image = partial(image_hdu, wcs=label_map.wcs)
    classes = image(class_map(label_map), name="CLASS_MAP")
    for value, name in enumerate(CLASS_NAMES):
        classes.header[f"CLASS{value}"] = name
    classes.header["MASKED"] = (IGNORED, "value of pixels without data")
    probabilities = image(
        label_map.class_probabilities, name="CLASS_PROBABILITIES", planes=CLASS_NAMES
    )
    background = image(label_map.background, name="BACKGROUND", planes=band_names)
    background.header["BUNIT"] = "count"
    hdus = [fits.PrimaryHDU(header=header), classes, probabilities, background]
    if segments is not None:
        hdus.insert(3, image(segments.data.astype(np.int32), name="SEGMENTS"))
    fits.HDUList(hdus).writeto(path, checksum=True)
