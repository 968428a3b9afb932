"""The true sources of a radio image, and which of them a position can be.

Distances are counted in beams, along the ellipse of the beam: 0.5 is its half maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from psseg.evaluation.matching import Footprint, column
from psseg.evaluation.pairs import assign_in_order, flag_column
from psseg.tiles.places import pixels_at

if TYPE_CHECKING:
    from psseg.tiles.radio_image import RadioImage

__all__ = [
    "RADIO_PROTOCOL",
    "RadioField",
    "RadioProtocol",
    "elliptical_distance",
    "radio_positions",
    "sky_offsets",
    "values_at",
]

Floats = NDArray[np.float64]

CROWDING_REACH = 3.0
"""Major axes of the beam within which neighbours count as light on a source: beyond, 4e-6 of it."""


@dataclass(frozen=True, kw_only=True)
class RadioProtocol:
    """How detections and true sources of a radio image are compared.

    Parameters
    ----------
    minimum_snr : float
        True sources whose peak over local rms is below this cannot be matched: a source nobody
        can see must not excuse a false detection.
    edge : float
        Sources closer than this to the edge of the image, or to blank pixels, are matched but not
        counted (beams).
    extended : float
        A true source larger than this is called extended (beams).
    merge_snr : float
        Two true sources this bright within one detection are a merge.
    bright_snr, bright_pixels : float
        "Near a bright source" is within so many pixels of one this bright.
    chance_shift : float
        How far detections are moved, along each axis, to count matches by chance (beams).
    """

    minimum_snr: float = 2.5
    edge: float = 2.0
    extended: float = 0.5
    merge_snr: float = 5.0
    bright_snr: float = 100.0
    bright_pixels: float = 40.0
    chance_shift: float = 7.0


RADIO_PROTOCOL = RadioProtocol()
"""The protocol of every published number."""


def sky_offsets(origin: SkyCoord, target: SkyCoord) -> Floats:
    """Give offsets on the sky towards east and north in degrees, shape (n, 2)."""
    east, north = origin.spherical_offsets_to(target)
    return np.stack([east.deg, north.deg], axis=-1)


def elliptical_distance(
    offsets: ArrayLike, major: ArrayLike, minor: ArrayLike, angle: ArrayLike
) -> Floats:
    """Give the length of offsets in units of an ellipse's full width in their direction.

    Parameters
    ----------
    offsets : array_like, shape (n, 2)
        Towards east and north.
    major, minor : array_like, shape (n,)
        Full axes of the ellipses, in the unit of the offsets.
    angle : array_like, shape (n,)
        Position angle of the major axis, deg, north through east.

    Returns
    -------
    ndarray, shape (n,)
        0.5 on the ellipse.

    Examples
    --------
    >>> elliptical_distance([[0.0, 1.0], [1.0, 0.0]], [4.0, 4.0], [2.0, 2.0], [0.0, 0.0])
    array([0.25, 0.5 ])
    """
    east, north = np.moveaxis(np.asarray(offsets, dtype=float), -1, 0)
    turn = np.deg2rad(np.asarray(angle, dtype=float))
    along = east * np.sin(turn) + north * np.cos(turn)
    across = east * np.cos(turn) - north * np.sin(turn)
    return np.hypot(along / np.asarray(major, dtype=float), across / np.asarray(minor, dtype=float))


def radio_positions(table: QTable) -> SkyCoord:
    """Give the positions of a table with the columns ra and dec."""
    ra, dec = column(table, "ra", u.deg), column(table, "dec", u.deg)
    return SkyCoord(np.atleast_1d(ra), np.atleast_1d(dec), unit="deg", frame="icrs")


class RadioField:
    """The true sources of an image, ready to be asked which of them a position can be."""

    def __init__(
        self,
        *,
        truth: QTable,
        image: RadioImage,
        source_map: NDArray[np.integer] | None,
        protocol: RadioProtocol,
    ) -> None:
        self.truth, self.image, self.protocol = truth, image, protocol
        self.source_map = source_map
        self.beam = image.beams[0]
        self.positions = radio_positions(truth)
        self.snr = column(truth, "SNR")
        self.extended = column(truth, "maj", u.deg) > protocol.extended * self.beam.major
        self.footprint = Footprint(wcs=image.wcs, mask=image.mask, pixel_scale=image.pixel_scale)

    def counted(self, coords: SkyCoord) -> NDArray[np.bool_]:
        """Say which positions lie farther from edge and blanks than the border."""
        if not len(coords):
            return np.zeros(0, dtype=bool)
        return self.footprint.margin(coords) > self.protocol.edge * self.beam.major

    def pixels(self, coords: SkyCoord) -> Floats:
        """Give pixel positions, shape (n, 2), order (x, y)."""
        return np.stack(coords.to_pixel(self.image.wcs), axis=-1).reshape(-1, 2)

    def near_bright(self, coords: SkyCoord) -> NDArray[np.bool_]:
        """Say which positions are near a bright source, the source's own centre left out."""
        bright = self.positions[self.snr > self.protocol.bright_snr]
        if not len(bright) or not len(coords):
            return np.zeros(len(coords), dtype=bool)
        distance, _ = KDTree(self.pixels(bright)).query(self.pixels(coords))
        half_beam = self.beam.major / self.image.pixel_scale / 2
        return (distance < self.protocol.bright_pixels) & (distance > half_beam)

    def crowding(self) -> Floats:
        """Give the light that others add where each true source is measured, in rms.

        Peaks over the noise, weighted by the square root of the beam's Gaussian.
        """
        pixels = self.pixels(self.positions)
        if not len(pixels):
            return np.zeros(0)
        reach = CROWDING_REACH * self.beam.major / self.image.pixel_scale
        one, two = KDTree(pixels).query_pairs(reach, output_type="ndarray").T
        one, two = np.concatenate([one, two]), np.concatenate([two, one])
        weight = np.exp(-2 * np.log(2) * self.beams_off(self.positions, one, two) ** 2)
        light = np.bincount(one, weights=self.snr[two] * weight, minlength=len(pixels))
        return light.astype(float)

    def beams_off(
        self, coords: SkyCoord, rows: NDArray[np.int64], truths: NDArray[np.int64]
    ) -> Floats:
        """Give the separations of pairs in beams, along the beam's ellipse."""
        offsets = sky_offsets(self.positions[truths], coords[rows])
        n, beam = len(offsets), self.beam
        ellipse = (np.full(n, value) for value in (beam.major, beam.minor, beam.angle))
        return elliptical_distance(offsets, *ellipse)

    def match(
        self, detected: SkyCoord, catalogue: QTable
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give each detection's true row, and the (detection, truth) pairs within reach."""
        rows, truths = self._pairs(detected)
        distance = self.beams_off(detected, rows, truths)
        far = distance > 0.5
        inside = ~far | self._within_extent(detected, rows, truths)
        rows, truths, far, distance = rows[inside], truths[inside], far[inside], distance[inside]
        selected = flag_column(catalogue, "SELECTED", default=True)[rows]
        brightness = np.nan_to_num(column(catalogue, "SNR"), nan=-np.inf)[rows]
        keys = (
            *(far, ~selected, -brightness, detected.ra.deg[rows], detected.dec.deg[rows]),
            *(-self.snr[truths], distance),
        )
        true_row = assign_in_order(
            rows, truths, keys=keys, n_rows=len(detected), n_candidates=len(self.truth)
        )
        return true_row, np.stack([rows, truths], axis=-1)

    def _pairs(self, detected: SkyCoord) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give every pair of a detection and a visible true source that may be within reach."""
        visible = np.flatnonzero(self.snr >= self.protocol.minimum_snr)
        none = np.zeros(0, dtype=int)
        if not len(visible) or not len(detected):
            return none, none
        reach = self._largest_reach()[visible] / self.image.pixel_scale
        tree = KDTree(self.pixels(detected))
        # A tenth more: the pixel scale is the image's mean.
        found = tree.query_ball_point(self.pixels(self.positions[visible]), 1.1 * reach)
        rows = np.array([row for group in found for row in group], dtype=int)
        truths = np.repeat(visible, [len(group) for group in found])
        if self.source_map is not None:
            mapped = self._mapped(detected)
            on_source = np.flatnonzero(np.isin(mapped, visible))
            rows = np.append(rows, on_source)
            truths = np.append(truths, mapped[on_source])
        pairs = np.unique(np.stack([rows, truths], axis=-1), axis=0)
        return pairs[:, 0], pairs[:, 1]

    def _largest_reach(self) -> Floats:
        """Give how far from a true source, deg, a detection of it may lie."""
        size = column(self.truth, "maj", u.deg)
        return np.hypot(self.beam.major, np.nan_to_num(size)) / 2

    def _mapped(self, coords: SkyCoord) -> NDArray[np.int64]:
        """Give the row of the true source that the source map holds at each position, or -1."""
        assert self.source_map is not None
        return values_at(self.source_map, self.pixels(coords)) - 1

    def _within_extent(
        self, coords: SkyCoord, rows: NDArray[np.int64], truths: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Say which pairs have their detection inside the extent of the true source."""
        if self.source_map is not None:
            return self._mapped(coords)[rows] == truths
        major, minor, angle = (
            np.nan_to_num(column(self.truth, name, u.deg))[truths] for name in ("maj", "min", "pa")
        )
        offsets = sky_offsets(self.positions[truths], coords[rows])
        wide = elliptical_distance(
            offsets, np.hypot(major, self.beam.major), np.hypot(minor, self.beam.major), angle
        )
        return (wide <= 0.5) & self.extended[truths]


def values_at(values: NDArray[np.integer], pixels: Floats) -> NDArray[np.int64]:
    """Look up a map at the nearest pixels; 0 outside it."""
    x, y = pixels.T
    rows, columns, inside = pixels_at(x, y, values.shape)
    return np.where(inside, values[rows, columns], 0).astype(int)
