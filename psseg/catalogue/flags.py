"""Which sources need a second look: one bit each, decided from the map around them."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from psseg.catalogue.blocks import Measured
from psseg.catalogue.scene import window_about
from psseg.catalogue.segment_map import SegmentMap
from psseg.catalogue.segment_pixels import at_edge
from psseg.survey.survey import Survey
from psseg.tiles.places import nearest_pixels, unit_vectors
from psseg.tiles.tile import Tile

__all__ = ["FLAG_MEANINGS", "Flag", "blended_sources", "source_flags"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Flag(IntFlag):
    """Bits of the column ``Flags``."""

    EDGE = 1
    NEAR_MASK = 2
    BLENDED = 4
    FIT_FAILED = 8
    EXTENDED = 16
    ON_DIFFUSE = 32
    BANDS_MISSING = 64
    BANDS_SHARED = 128
    UNLIKE_TRAINING = 256


FLAG_MEANINGS = {
    Flag.EDGE: "the segment touches the edge of the map",
    Flag.NEAR_MASK: "blank pixels, or the edge of the map, close by",
    Flag.BLENDED: "a neighbour is too close for the PSF to tell the two apart cleanly",
    Flag.FIT_FAILED: "no counts or no position could be fitted: the segment's centroid is given, "
    "but counts, TS and flux are those of the fitted place, up to 0.3 deg away",
    Flag.EXTENDED: "larger than the PSF: measured as a disc",
    Flag.ON_DIFFUSE: "much fainter than the emission under it, or on a steep gradient of it",
    Flag.BANDS_MISSING: "the map lacks bands of the survey",
    Flag.BANDS_SHARED: "a band holds counts shared out from an input bin that straddles its edge",
    Flag.UNLIKE_TRAINING: "the map is unlike the skies the network was trained on",
}
"""One line per flag, for headers and help."""


MASK_DISTANCE = 0.5
"""Deg; blank pixels or an edge closer than this hide part of the core of the PSF above 1 GeV."""

BLEND_DISTANCE = 0.5
"""Deg; closer neighbours are blended whatever the band. A wide margin on the 0.3 deg at which label
discs, of a radius of 0.15 deg, touch."""

FAINT_RATIO = 0.1
"""Counts of a source over those of the background in the PSF's core, as in 4FGL's flag 4
(Abdollahi et al. 2020, ApJS 247, 33, table 5)."""

CORE_AREA = 1.0
"""Deg2; the background is counted within the 68 % radius, but at most over this, as there."""

STEEP_GRADIENT = 0.5
"""Relative change of the background over a degree: the Galactic plane's flanks reach 1."""

GRADIENT_RADIUS = 0.5
"""Deg around the source over which the gradient is taken."""


def source_flags(
    tile: Tile,
    background: NDArray[np.floating],
    segments: SegmentMap,
    survey: Survey,
    measured: Measured,
    *,
    unlike_training: bool,
) -> NDArray[np.int32]:
    """Give the flags that each source has whatever the others are: all but BLENDED.

    Parameters
    ----------
    tile : Tile
        The map.
    background : ndarray (n_bands, n_y, n_x)
        Expected background counts.
    segments : SegmentMap
        The segments, one per source.
    survey : Survey
        PSF per band.
    measured : Measured
        The sources.
    unlike_training : bool
        Whether the map is unlike the training skies.

    Returns
    -------
    ndarray of int32 (n_sources,)
        Sums of `psseg.catalogue.flags.Flag`.
    """
    everywhere = np.ones(len(measured.x), dtype=bool)
    raised = {
        Flag.EDGE: at_edge(segments),
        Flag.NEAR_MASK: _near_mask(tile, measured),
        Flag.FIT_FAILED: measured.failed,
        Flag.EXTENDED: measured.extension > 0,
        Flag.ON_DIFFUSE: _on_diffuse(tile, background, measured, _cores(survey)),
        Flag.BANDS_MISSING: everywhere & ~tile.bands_present.all(),
        Flag.BANDS_SHARED: everywhere & tile.bands_shared.any(),
        Flag.UNLIKE_TRAINING: everywhere & unlike_training,
    }
    flags = np.zeros(len(measured.x), dtype=np.int32)
    for flag, where in raised.items():
        flags[where] |= int(flag)
    return flags


def blended_sources(table: QTable, survey: Survey) -> Bools:
    """Tell which sources of a table are too close to another one of it.

    Parameters
    ----------
    table : QTable
        Sources as `psseg.catalogue.measurement.measure_counts` gives them, those that count alone:
        RAJ2000, DEJ2000 and Sqrt_TS_Band.
    survey : Survey
        PSF per band.

    Returns
    -------
    ndarray of bool (n_sources,)
        Those to raise `Flag.BLENDED` for.
    """
    if len(table) < 2:
        return np.zeros(len(table), dtype=bool)
    unit = unit_vectors(table["RAJ2000"].to_value("deg"), table["DEJ2000"].to_value("deg"))
    chord, _ = KDTree(unit).query(unit, k=2)
    separation = np.rad2deg(2 * np.arcsin(chord[:, 1] / 2))
    decisive = np.argmax(np.nan_to_num(table["Sqrt_TS_Band"]), axis=1)
    return separation < np.maximum(_cores(survey)[decisive], BLEND_DISTANCE)


def _cores(survey: Survey) -> Floats:
    """Give the 68 % radius of the PSF in each band, deg (n_bands,)."""
    return np.array([psf.containment_radius(0.68) for psf in survey.instrument.psf])


def _decisive(measured: Measured) -> NDArray[np.intp]:
    """Give the band (of those present) that each source is best seen in."""
    return np.argmax(measured.band_ts, axis=1)


def _near_mask(tile: Tile, measured: Measured) -> Bools:
    blank = np.pad(tile.mask, 1, constant_values=True)  # nothing is known beyond the map either
    distance = distance_transform_edt(~blank)[1:-1, 1:-1] * tile.pixel_scale
    return distance[nearest_pixels(measured.x, measured.y, tile.shape)] < MASK_DISTANCE


def _on_diffuse(
    tile: Tile, background: NDArray[np.floating], measured: Measured, cores: Floats
) -> Bools:
    """Tell which sources are faint beside the emission under them, or on a steep gradient of it.

    Beside blank pixels the network's background dips: no gradient is taken there.
    """
    found = np.zeros(len(measured.x), dtype=bool)
    present = np.flatnonzero(tile.bands_present)
    reach = max(int(np.rint(GRADIENT_RADIUS / tile.pixel_scale)), 1)
    for k, number in enumerate(_decisive(measured)):
        band = present[number]
        row, column = round(measured.y[k]), round(measured.x[k])
        rows, columns = window_about(tile.shape, (row, column), reach)
        values = background[band, rows, columns].astype(float)
        blank = tile.mask[rows, columns]
        level, gradient = _level_and_gradient(np.where(blank, np.nan, values))
        area = min(np.pi * cores[band] ** 2, CORE_AREA) / tile.pixel_scale**2
        faint = 0.68 * measured.counts[k, number] < FAINT_RATIO * level * area
        steep = gradient / tile.pixel_scale > STEEP_GRADIENT * level
        found[k] = faint or (steep and not blank.any())
    return found


def _level_and_gradient(values: Floats) -> tuple[float, float]:
    """Give mean and steepest slope per pixel of a plane through the pixels that are no NaN."""
    good = np.isfinite(values)
    if not good.any():
        return 0.0, 0.0
    y, x = np.nonzero(good)
    plane = np.stack([np.ones(len(x)), x - x.mean(), y - y.mean()], axis=-1)
    mean, along_x, along_y = np.linalg.lstsq(plane, values[good], rcond=None)[0]
    return float(mean), float(np.hypot(along_x, along_y))
