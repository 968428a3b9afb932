"""Which detection is which true source: the one-to-one protocol.

In go a catalogue and the truth of the same sky; out come the two tables again, each row with what
it was matched to. The detections, the surest first, each take the brightest unmatched true source
within 0.3 degrees (the protocol of Panes et al. 2021, A&A 656, A62). A source near the edge of the
map is only partly seen: detections and true sources there can be matched but are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import QTable
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from psseg.evaluation.pairs import (
    UNMATCHED,
    assign_in_order,
    chance_share,
    flag_column,
    placed,
    require_columns,
    true_classes_of,
)
from psseg.tiles.places import pixels_at

__all__ = [
    "PROTOCOL",
    "Footprint",
    "MatchedTables",
    "Protocol",
    "column",
    "ellipse_distance",
    "match_catalogue",
    "match_one_to_one",
    "positions",
]

NEEDED_IN_CATALOGUE = ("RAJ2000", "DEJ2000", "GLAT", "SOURCE_PROB", "Sqrt_TS", "FLUX1000")
NEEDED_IN_TRUTH = ("RAJ2000", "DEJ2000", "GLAT", "CLASS", "FLUX1000", "TS")

CHANCE_ANGLES = (45.0, 135.0, 225.0, 315.0)
"""Position angles (deg) to which detections are moved to count chance matches."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How detections and true sources are compared.

    Parameters
    ----------
    radius : float
        Largest separation of a match in degrees.
    minimum_ts : float
        True sources whose expected (Asimov) TS is below this cannot be matched: a source nobody
        can see must not excuse a false detection.
    edge : float
        Sources closer than this to the edge of the map, or to pixels without data, are matched
        but not counted (deg).
    chance_shift : float
        How far detections are moved to count matches by chance (deg).
    """

    radius: float = 0.3
    minimum_ts: float = 9.0
    edge: float = 0.5
    chance_shift: float = 1.0


PROTOCOL = Protocol()
"""The protocol of every published number."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """The part of the sky a map covers.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial WCS of the map.
    mask : ndarray of bool, shape (n_y, n_x)
        True where there is no data.
    pixel_scale : float
        Pixel size in degrees.
    """

    wcs: WCS
    mask: NDArray[np.bool_]
    pixel_scale: float

    def margin(self, coords: SkyCoord) -> NDArray[np.float64]:
        """Give the distance in degrees to the nearest edge or masked pixel; 0 outside the map."""
        depth = distance_transform_edt(~np.pad(self.mask, 1, constant_values=True))[1:-1, 1:-1]
        x, y = coords.to_pixel(self.wcs)
        rows, columns, inside = pixels_at(x, y, self.mask.shape)
        pixels = np.where(inside, depth[rows, columns], 0)
        return np.clip(pixels - 0.5, 0, None) * self.pixel_scale


@dataclass(frozen=True, kw_only=True)
class MatchedTables:
    """A catalogue and a truth with what each row was matched to.

    Parameters
    ----------
    detections : QTable
        The catalogue with `COUNTED`, `MATCHED`, `SEPARATION`, `ELLIPSE_DISTANCE` (separation over
        the 68 % ellipse in its direction), `CHANCE` (share of moved positions that found a match),
        `TRUE_ROW`, `TRUE_CLASS`, `TRUE_FLUX1000`, `TRUE_TS`, `TRUE_EXTENSION`.
    truths : QTable
        The truth with `COUNTED`, `FOUND` (matched by a detection that the catalogue holds),
        `FOUND_PROB` and `FOUND_FLUX1000` of the detection or candidate, `SEPARATION`.
    """

    detections: QTable
    truths: QTable


def column(table: QTable, name: str, unit: u.UnitBase | str | None = None) -> NDArray[np.float64]:
    """Give a column as plain numbers in a unit; masked entries become not-a-number."""
    values = table[name]
    if isinstance(values, u.Quantity):
        values = values.to_value(unit if unit is not None else values.unit)
    if hasattr(values, "filled"):
        values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    return np.asarray(values, dtype=float)


def positions(table: QTable) -> SkyCoord:
    """Give the positions of a table with the columns RAJ2000 and DEJ2000."""
    ra, dec = column(table, "RAJ2000", u.deg), column(table, "DEJ2000", u.deg)
    return SkyCoord(np.atleast_1d(ra), np.atleast_1d(dec), unit="deg", frame="icrs")


def match_one_to_one(
    detected: SkyCoord,
    truth: SkyCoord,
    *,
    radius: float,
    detection_rank: ArrayLike,
    brightness: ArrayLike,
) -> NDArray[np.int64]:
    """Let each detection, the best first, take the brightest free true source within a radius.

    Parameters
    ----------
    detected : SkyCoord, shape (n_detections,)
        Positions of the detections.
    truth : SkyCoord, shape (n_true,)
        Positions of the true sources.
    radius : float
        Largest separation in degrees.
    detection_rank : array_like, shape (n_detections,)
        The higher, the earlier a detection takes its pick.
    brightness : array_like, shape (n_true,)
        The higher, the earlier a true source is picked.

    Returns
    -------
    ndarray of int, shape (n_detections,)
        Row of the true source, or -1. No row is given twice.

    Notes
    -----
    Equal ranks are settled by position, equal brightness by separation, so that the answer does
    not depend on the order of the tables.

    Examples
    --------
    >>> sky = SkyCoord([10.0, 10.2], [0.0, 0.0], unit="deg")
    >>> match_one_to_one(sky[:1], sky, radius=0.3, detection_rank=[1.0], brightness=[1.0, 5.0])
    array([1])
    """
    if len(detected) == 0 or len(truth) == 0:
        return np.full(len(detected), UNMATCHED)
    rows, candidates, separation, _ = search_around_sky(detected, truth, radius * u.deg)
    keys = (
        -np.asarray(detection_rank, dtype=float)[rows],
        *(detected.ra.deg[rows], detected.dec.deg[rows]),
        -np.asarray(brightness, dtype=float)[candidates],
        separation.deg,
    )
    return assign_in_order(
        rows, candidates, keys=keys, n_rows=len(detected), n_candidates=len(truth)
    )


def ellipse_distance(catalogue: QTable, detected: SkyCoord, truth: SkyCoord) -> NDArray[np.float64]:
    """Give the offset of each true position in units of the detection's 68 % error ellipse.

    Parameters
    ----------
    catalogue : QTable
        Rows with Conf_68_SemiMajor, Conf_68_SemiMinor and Conf_68_PosAng (east of north).
    detected, truth : SkyCoord, shape (n_sources,)
        Position of each detection and of the true source it was matched to.

    Returns
    -------
    ndarray, shape (n_sources,)
        1 on the 68 % ellipse; not-a-number where the catalogue gives no ellipse.
    """
    if "Conf_68_SemiMajor" not in catalogue.colnames:
        return np.full(len(catalogue), np.nan)
    along, across = (column(catalogue, f"Conf_68_Semi{axis}", u.deg) for axis in ("Major", "Minor"))
    turn = detected.position_angle(truth).rad - column(catalogue, "Conf_68_PosAng", u.rad)
    offset = detected.separation(truth).deg
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.hypot(offset * np.cos(turn) / along, offset * np.sin(turn) / across)


def match_catalogue(
    catalogue: QTable,
    truth: QTable,
    *,
    protocol: Protocol = PROTOCOL,
    footprint: Footprint | None = None,
) -> MatchedTables:
    """Match a catalogue with the truth of its sky and keep, row by row, what came of it.

    Parameters
    ----------
    catalogue : QTable
        Detections with the columns of a psseg catalogue.
    truth : QTable
        True sources with the columns of a simulated truth catalogue.
    protocol : Protocol
        Radius, least TS of a true source, border.
    footprint : Footprint or None
        The map's part of the sky, for the border; None counts every row.

    Returns
    -------
    MatchedTables

    Raises
    ------
    PssegError
        If a table lacks a needed column.
    """
    require_columns(catalogue, NEEDED_IN_CATALOGUE, "catalogue")
    require_columns(truth, NEEDED_IN_TRUTH, "truth catalogue")
    detected, true_positions = positions(catalogue), positions(truth)
    visible = np.flatnonzero(column(truth, "TS") >= protocol.minimum_ts)
    rank = _rank_of(catalogue)
    flux = column(truth, "FLUX1000")

    def true_rows(coords: SkyCoord, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        picks = match_one_to_one(
            coords[chosen],
            true_positions[visible],
            radius=protocol.radius,
            detection_rank=rank[chosen],
            brightness=flux[visible],
        )
        rows = np.full(len(coords), UNMATCHED)
        rows[chosen] = np.where(picks == UNMATCHED, UNMATCHED, np.append(visible, -1)[picks])
        return rows

    true_row = true_rows(detected, np.ones(len(catalogue), dtype=bool))
    tables = _with_matches(catalogue, truth, true_row)
    tables.detections["COUNTED"] = _counted(detected, protocol, footprint)
    tables.truths["COUNTED"] = _counted(true_positions, protocol, footprint)

    def moves() -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        for angle in CHANCE_ANGLES:
            moved = detected.directional_offset_by(angle * u.deg, protocol.chance_shift * u.deg)
            inside = _counted(moved, protocol, footprint)
            yield inside, true_rows(moved, inside) != UNMATCHED

    tables.detections["CHANCE"] = chance_share(len(catalogue), moves())
    return tables


def _with_matches(catalogue: QTable, truth: QTable, true_row: NDArray[np.int64]) -> MatchedTables:
    """Copy both tables and add the columns that say what was matched to what."""
    detections, truths = catalogue.copy(), truth.copy()
    matched = true_row != UNMATCHED
    hit, source = np.flatnonzero(matched), true_row[matched]
    detected, true_positions = positions(catalogue)[hit], positions(truth)[source]
    offset = detected.separation(true_positions).deg if len(hit) else np.zeros(0)
    distance = ellipse_distance(catalogue[hit], detected, true_positions) if len(hit) else offset
    detections["MATCHED"] = matched
    detections["TRUE_ROW"] = true_row
    detections["SEPARATION"] = placed(offset, hit, len(catalogue)) * u.deg
    detections["ELLIPSE_DISTANCE"] = placed(distance, hit, len(catalogue))
    for name in ("FLUX1000", "TS", "Extension"):
        values = column(truth, name)[source] if name in truth.colnames else np.zeros(len(hit))
        detections[f"TRUE_{name.upper()}"] = placed(values, hit, len(catalogue))
    detections["TRUE_CLASS"] = true_classes_of(truth, source, hit, len(catalogue))
    selected = flag_column(catalogue, "SELECTED", default=True)
    truths["FOUND"] = np.isin(np.arange(len(truth)), source[selected[hit]])
    truths["SEPARATION"] = placed(offset, source, len(truth)) * u.deg
    truths["FOUND_PROB"] = placed(column(catalogue, "SOURCE_PROB")[hit], source, len(truth))
    truths["FOUND_FLUX1000"] = placed(column(catalogue, "FLUX1000")[hit], source, len(truth))
    return MatchedTables(detections=detections, truths=truths)


def _counted(
    coords: SkyCoord, protocol: Protocol, footprint: Footprint | None
) -> NDArray[np.bool_]:
    """Say which positions lie farther from the map's edge than the border."""
    if footprint is None:
        return np.ones(len(coords), dtype=bool)
    return footprint.margin(coords) > protocol.edge


def _rank_of(catalogue: QTable) -> NDArray[np.int64]:
    """Rank detections by probability, then significance; equals share a rank."""
    keys = [column(catalogue, "SOURCE_PROB"), column(catalogue, "Sqrt_TS")]
    if "SELECTED" in catalogue.colnames:
        keys.insert(0, column(catalogue, "SELECTED"))
    stacked = np.nan_to_num(np.column_stack(keys), nan=-np.inf)
    return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)
