"""Which detection of a radio image is which true source: one to one, the brightest first.

In go a catalogue and the truth of the same image; out come the two tables again, each row with
what it was matched to. A detection matches a true source within half a beam of it, or else within
its extent. A second detection of the same source is a fragment: no false detection, but counted as
a split. Sources near the edge of the image can be matched but are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.spatial import KDTree

from psseg.evaluation.matching import MatchedTables, column
from psseg.evaluation.pairs import (
    UNMATCHED,
    chance_share,
    flag_column,
    placed,
    require_columns,
    true_classes_of,
)
from psseg.evaluation.radio_field import (
    RADIO_PROTOCOL,
    RadioField,
    RadioProtocol,
    elliptical_distance,
    radio_positions,
    sky_offsets,
    values_at,
)

if TYPE_CHECKING:
    from psseg.tiles.radio_image import RadioImage

__all__ = ["match_radio"]

Floats = NDArray[np.float64]

NEEDED_IN_CATALOGUE = ("ra", "dec", "SNR", "SOURCE_PROB")
NEEDED_IN_TRUTH = ("ra", "dec", "CLASS", "SNR", "int_flux", "peak_flux", "maj", "min", "pa")

CARRIED = {
    **{"ra": u.deg, "dec": u.deg, "maj": u.deg, "int_flux": u.Jy, "peak_flux": u.Jy / u.beam},
    **{"SNR": None, "alpha": None, "v_over_i": None},
}
"""Columns of the truth that detections carry as TRUE_*, and their units; those there are."""

NEIGHBOURS = 6
"""How many sources about each are searched for a brighter one, itself included."""

CHANCE_SHIFTS = ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0))
"""Directions in which detections are moved to count chance matches."""


def match_radio(
    catalogue: QTable,
    truth: QTable,
    image: RadioImage,
    *,
    source_map: NDArray[np.integer] | None = None,
    segments: NDArray[np.integer] | None = None,
    protocol: RadioProtocol = RADIO_PROTOCOL,
) -> MatchedTables:
    """Match the catalogue of a radio image with its truth and keep, row by row, what came of it.

    Parameters
    ----------
    catalogue : QTable
        Detections with ra, dec, SNR and SOURCE_PROB; maj, min, pa and SEGMENT where known, and
        SELECTED where the catalogue holds candidates below its threshold.
    truth : QTable
        True sources: ra, dec, CLASS, SNR, int_flux, peak_flux, and the intrinsic maj, min, pa.
    image : RadioImage
        The image: its beam, WCS and mask.
    source_map : ndarray of int, shape (n_y, n_x), optional
        Extent of the true sources: row in the truth plus one, 0 for none. Without it the extent
        is the half-maximum ellipse of size and beam in quadrature.
    segments : ndarray of int, shape (n_y, n_x), optional
        Extent of the detections: their SEGMENT. Without it, it is their ellipse of twice the
        fitted axes.
    protocol : RadioProtocol
        Borders between match and no match.

    Returns
    -------
    MatchedTables
        Detections with COUNTED, MATCHED, TRUE_ROW, SEPARATION, BEAMS_OFF (separation in beams),
        FRAGMENT (a further detection of a matched source), N_WITHIN (true sources of `merge_snr`
        in it), NEAR_BRIGHT, CHANCE (share of moved positions that found a match), TRUE_CLASS,
        TRUE_EXTENDED, TRUE_CROWDING (light of other true sources on it, in rms), and the truth's
        numbers as TRUE_RA and so on. Truths with COUNTED, FOUND
        (by a selected detection), FOUND_PROB (also below the threshold), N_DETECTIONS
        (fragments included), MERGED, MERGED_BEAMS (from the source the detection went to),
        NEIGHBOUR_BEAMS (to the nearest brighter source of `merge_snr`), EXTENDED, NEAR_BRIGHT.

    Raises
    ------
    PssegError
        If a table lacks a needed column.

    Notes
    -----
    Two passes. In the first, pairs closer than half a beam; in the second, detections within the
    extent of a source that nobody took. In each the brightest detection picks first, the selected
    before the rest, and takes the brightest source. A point source within a large one thus keeps
    its own detection.
    """
    require_columns(catalogue, NEEDED_IN_CATALOGUE, "catalogue")
    require_columns(truth, NEEDED_IN_TRUTH, "truth catalogue")
    field = RadioField(truth=truth, image=image, source_map=source_map, protocol=protocol)
    detected = radio_positions(catalogue)
    true_row, reached = field.match(detected, catalogue)
    detections = _detections(catalogue, field, true_row, reached)
    truths = _truths(truth, field, detections, reached)
    _note_merges(detections, truths, field, segments)
    detections["CHANCE"] = _chance(catalogue, field)
    return MatchedTables(detections=detections, truths=truths)


def _detections(
    catalogue: QTable, field: RadioField, true_row: NDArray[np.int64], reached: NDArray[np.int64]
) -> QTable:
    """Copy the catalogue and say what each detection was matched to."""
    detections, detected = catalogue.copy(), radio_positions(catalogue)
    matched = true_row != UNMATCHED
    hit, source = np.flatnonzero(matched), true_row[matched]
    truth, n = field.truth, len(catalogue)
    detections["MATCHED"], detections["TRUE_ROW"] = matched, true_row
    taken = np.isin(reached[:, 1], source)
    fragment = np.zeros(n, dtype=bool)
    fragment[reached[taken, 0]] = True
    detections["FRAGMENT"] = fragment & ~matched
    offsets = detected[hit].separation(field.positions[source]).deg if len(hit) else []
    detections["SEPARATION"] = placed(offsets, hit, n) * u.deg
    beams = field.beams_off(detected, hit, source) if len(hit) else np.zeros(0)
    detections["BEAMS_OFF"] = placed(beams, hit, n)
    for name, unit in CARRIED.items():
        if name in truth.colnames:
            values = placed(column(truth, name, unit)[source], hit, n)
            detections[f"TRUE_{name.upper()}"] = values if unit is None else values * unit
    detections["TRUE_CLASS"] = true_classes_of(truth, source, hit, n)
    extended = np.zeros(n, dtype=bool)
    extended[hit] = field.extended[source]
    detections["TRUE_EXTENDED"] = extended
    detections["TRUE_CROWDING"] = placed(field.crowding()[source], hit, n)
    detections["COUNTED"] = field.counted(detected)
    detections["NEAR_BRIGHT"] = field.near_bright(detected)
    return detections


def _truths(
    truth: QTable, field: RadioField, detections: QTable, reached: NDArray[np.int64]
) -> QTable:
    """Copy the truth and say which sources were found."""
    truths, matched = truth.copy(), flag_column(detections, "MATCHED")
    source, hit = np.asarray(detections["TRUE_ROW"])[matched], np.flatnonzero(matched)
    selected = flag_column(detections, "SELECTED", default=True)
    found = np.zeros(len(truth), dtype=bool)
    found[source] = selected[hit]
    probability = np.full(len(truth), np.nan)
    probability[source] = column(detections, "SOURCE_PROB")[hit]
    truths["FOUND"], truths["FOUND_PROB"] = found, probability
    own = matched[reached[:, 0]] & (
        np.asarray(detections["TRUE_ROW"])[reached[:, 0]] == reached[:, 1]
    )
    counts = selected[reached[:, 0]] & (own | flag_column(detections, "FRAGMENT")[reached[:, 0]])
    truths["N_DETECTIONS"] = np.bincount(reached[counts, 1], minlength=len(truth))
    truths["EXTENDED"] = field.extended
    truths["COUNTED"] = field.counted(field.positions)
    truths["NEAR_BRIGHT"] = field.near_bright(field.positions)
    truths["NEIGHBOUR_BEAMS"] = _neighbours(field)
    return truths


def _neighbours(field: RadioField) -> Floats:
    """Give each true source's distance, in beams, to the nearest brighter one; few are looked at.

    Sources with `NEIGHBOURS` fainter ones nearer than the first brighter one stay without.
    """
    nearest = np.full(len(field.truth), np.nan)
    bright = np.flatnonzero(field.snr >= field.protocol.merge_snr)
    if len(bright) < 2:
        return nearest
    pixels = field.pixels(field.positions[bright])
    _, places = KDTree(pixels).query(pixels, k=min(NEIGHBOURS, len(bright)))
    for neighbour in bright[places.T[1:]]:
        away = field.beams_off(field.positions, bright, neighbour)
        brighter = field.snr[neighbour] > field.snr[bright]
        nearest[bright] = np.fmin(nearest[bright], np.where(brighter, away, np.nan))
    return nearest


def _note_merges(
    detections: QTable,
    truths: QTable,
    field: RadioField,
    segments: NDArray[np.integer] | None,
) -> None:
    """Add which bright true sources went under in the detection of another."""
    rows, sources = _holders(detections, field, segments)
    detections["N_WITHIN"] = np.bincount(rows, minlength=len(detections))
    missed = ~flag_column(truths, "FOUND")[sources]
    partner = np.asarray(detections["TRUE_ROW"])[rows]
    merged = missed & (partner != UNMATCHED)
    distance = np.full(len(truths), np.nan)
    if merged.any():
        away = field.beams_off(field.positions, sources[merged], partner[merged])
        np.fmin.at(distance, sources[merged], away)
    truths["MERGED"], truths["MERGED_BEAMS"] = np.isfinite(distance), distance


def _holders(
    detections: QTable, field: RadioField, segments: NDArray[np.integer] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the pairs of a selected detection and a bright true source within it."""
    bright = np.flatnonzero(field.snr >= field.protocol.merge_snr)
    rows = np.flatnonzero(flag_column(detections, "SELECTED", default=True))
    if segments is not None:
        label = values_at(segments, field.pixels(field.positions[bright]))
        held, place = np.nonzero(np.asarray(detections["SEGMENT"])[rows, None] == label[None, :])
        return rows[held], bright[place]
    coords = radio_positions(detections)
    axes = _fitted_axes(detections, field)
    tree = KDTree(field.pixels(field.positions[bright])) if len(bright) else None
    if tree is None or not len(rows):
        return rows[:0], bright[:0]
    reach = 1.1 * axes[0][rows] / field.image.pixel_scale
    found = tree.query_ball_point(field.pixels(coords[rows]), reach)
    rows = np.repeat(rows, [len(group) for group in found])
    sources = bright[np.array([place for group in found for place in group], dtype=int)]
    offsets = sky_offsets(coords[rows], field.positions[sources])
    inside = elliptical_distance(offsets, *(axis[rows] for axis in axes)) <= 1.0
    return rows[inside], sources[inside]


def _fitted_axes(detections: QTable, field: RadioField) -> tuple[Floats, Floats, Floats]:
    """Give the fitted FWHM and angle of detections, deg; the beam's where there are none."""
    fallback = (field.beam.major, field.beam.minor, field.beam.angle)
    names = ("maj", "min", "pa")
    if not set(names) <= set(detections.colnames):
        major, minor, angle = (np.full(len(detections), value) for value in fallback)
        return major, minor, angle
    values = [column(detections, name, u.deg) for name in names]
    known = np.isfinite(values).all(axis=0) & (values[1] > 0)
    major, minor, angle = (
        np.where(known, value, other) for value, other in zip(values, fallback, strict=True)
    )
    return major, minor, angle


def _chance(catalogue: QTable, field: RadioField) -> Floats:
    """Give the share of moved positions at which each detection would have found a match."""
    shift = field.protocol.chance_shift * field.beam.major / field.image.pixel_scale
    here = field.pixels(radio_positions(catalogue))

    def moves() -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        for direction in CHANCE_SHIFTS:
            moved = field.image.pixel_to_sky(*(here + shift * np.asarray(direction)).T)
            true_row, _ = field.match(moved, catalogue)
            yield field.counted(moved), true_row != UNMATCHED

    return chance_share(len(catalogue), moves())
