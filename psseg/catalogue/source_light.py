"""The light that measured sources add to the pixels of a counts map.

In: a table of measured sources and the map they are of. Out: the counts expected of them, band by
band.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.footprints import FAINT_EDGE, LARGEST_RADIUS, LEAST_RADIUS
from psseg.catalogue.positions import local_jacobian
from psseg.catalogue.scene import window_about
from psseg.catalogue.templates import Template, disc_template, point_template
from psseg.survey.survey import Survey
from psseg.tiles.places import nearest_pixels
from psseg.tiles.tile import Tile

__all__ = ["source_light"]

Floats = NDArray[np.float64]

FEWEST_COUNTS = 1e-9
"""Of a source in a band, and of the background in a pixel: fewer would divide by zero."""


def source_light(
    tile: Tile, background: NDArray[np.floating], measured: QTable, survey: Survey
) -> NDArray[np.float32]:
    """Give the counts that sources add to each pixel.

    Parameters
    ----------
    tile : Tile
        The map.
    background : ndarray (n_bands, n_y, n_x)
        Expected background counts: a source is followed until its light is a fiftieth of them.
    measured : QTable
        As `psseg.catalogue.measurement.measure_counts` gives it: X, Y, Counts_Band, Extension.
    survey : Survey
        PSF per band.

    Returns
    -------
    ndarray of float32 (n_present, n_y, n_x)
        In the bands that are present; masked pixels get light, too.
    """
    psf = tuple(np.array(survey.instrument.psf, dtype=object)[tile.bands_present])
    scale = round(tile.pixel_scale, 6)
    x, y = np.asarray(measured["X"]), np.asarray(measured["Y"])
    counts = np.asarray(measured["Counts_Band"])[:, tile.bands_present]
    rows, columns = nearest_pixels(x, y, tile.shape)
    below = np.nan_to_num(background[:, rows, columns].T[:, tile.bands_present].astype(float))
    jacobian = _jacobian(tile, x, y)
    light = np.zeros((len(psf), *tile.shape), np.float32)
    for k, radius in enumerate(measured["Extension"].to_value("deg").tolist()):
        template = disc_template(psf, scale, radius) if radius > 0 else point_template(psf, scale)
        reach = _reach(template, counts[k], below[k], jacobian[k])
        window = window_about(tile.shape, (int(rows[k]), int(columns[k])), reach)
        dy, dx = (np.arange(cut.start, cut.stop, dtype=float) for cut in window)
        fractions = template.fractions(dx - x[k], dy - y[k], jacobian[k])
        light[:, *window] += np.moveaxis(fractions * counts[k], -1, 0)
    return light


def _jacobian(tile: Tile, x: Floats, y: Floats) -> Floats:
    """Give the sky displacement per pixel, deg; square pixels where the map does not say."""
    jacobian = local_jacobian(tile.wcs, x, y)
    unknown = ~np.isfinite(jacobian).all(axis=(1, 2))
    jacobian[unknown] = tile.pixel_scale * np.diag([-1.0, 1.0])
    return jacobian


def _reach(template: Template, counts: Floats, below: Floats, jacobian: Floats) -> int:
    """Give how far a source is followed, pixels: in all bands as far as in the widest."""
    area = abs(np.linalg.det(jacobian))
    level = FAINT_EDGE * np.maximum(below, FEWEST_COUNTS) / np.maximum(counts, FEWEST_COUNTS)
    reach = template.radius_of_fraction(level / area).max() / np.sqrt(area)
    return int(np.clip(np.ceil(reach), LEAST_RADIUS, LARGEST_RADIUS))
