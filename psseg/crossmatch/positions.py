"""Which sources of two catalogues lie together on the sky.

In: two sets of positions, with error radii or ellipses. Out: :class:`Pairs`, the rows that match
under one of three criteria, the same whichever catalogue comes first:

- closer than a fixed radius (as :func:`astropy.coordinates.search_around_sky`),
- closer than the sum of their error radii (as the matcher ``skyerr`` of STILTS),
- error ellipses that touch (as the matcher ``skyellipse`` of STILTS).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from psseg.crossmatch.ellipses import ErrorEllipses
from psseg.errors import PssegError
from psseg.tiles import places

__all__ = [
    "Pairs",
    "ellipse_pairs",
    "error_pairs",
    "normalised_separation",
    "radius_pairs",
    "sky_order",
    "unit_vectors",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST_PAIRS = 100_000_000
"""More are refused: they take some 10 GB, and are a wrong unit rather than a match."""

N_PROBED = 1000
"""Sources from which the number of pairs is estimated before they are looked for."""

N_HALVINGS = 40
"""Of the interval in which the contact of two ellipses is sought: 1e-12, squared in the result."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Rows of two catalogues that lie together, in the order of the first, then of the second.

    Parameters
    ----------
    left, right : ndarray of int, shape (n_pairs,)
        Row in either catalogue.
    separation : ndarray, shape (n_pairs,)
        Degrees.
    left_angle, right_angle : ndarray, shape (n_pairs,)
        Position angle of the great circle from left to right, where it leaves the one and where it
        reaches the other, degrees.
    """

    left: Rows
    right: Rows
    separation: Floats
    left_angle: Floats
    right_angle: Floats

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, chosen: NDArray[np.bool_] | Rows) -> Pairs:
        """Give some of the pairs."""
        return Pairs(**{name: values[chosen] for name, values in vars(self).items()})


def unit_vectors(coords: SkyCoord) -> Floats:
    """Give the ICRS directions of positions as unit vectors, shape (n, 3)."""
    sky = coords.icrs
    return places.unit_vectors(np.atleast_1d(sky.ra.deg), np.atleast_1d(sky.dec.deg))


def sky_order(vectors: Floats) -> Rows:
    """Give the order in which directions that follow each other are neighbours on the sky.

    Parameters
    ----------
    vectors : ndarray, shape (n, 3)
        Unit vectors.

    Returns
    -------
    ndarray of int, shape (n,)
        Rows. Searches in this order find what they need in the processor's cache: the 25th of the
        neighbours of a million directions takes 3 s rather than 10.
    """
    return np.asarray(cKDTree(vectors, balanced_tree=False, compact_nodes=False).indices)


def radius_pairs(left: SkyCoord, right: SkyCoord, radius: float) -> Pairs:
    """Find all pairs closer than a radius.

    Parameters
    ----------
    left, right : SkyCoord, shape (n_left,) and (n_right,)
        Positions.
    radius : float
        Largest separation in degrees.

    Returns
    -------
    Pairs
    """
    return error_pairs(left, right, np.full(left.size, radius), np.zeros(right.size))


def error_pairs(
    left: SkyCoord, right: SkyCoord, left_radius: ArrayLike, right_radius: ArrayLike
) -> Pairs:
    """Find all pairs closer than the sum of their error radii.

    Parameters
    ----------
    left, right : SkyCoord, shape (n_left,) and (n_right,)
        Positions; sources without one (not-a-number) match nothing.
    left_radius, right_radius : array_like, shape (n_left,) and (n_right,)
        Degrees; sources without a radius match nothing.

    Returns
    -------
    Pairs

    Raises
    ------
    PssegError
        If there would be more pairs than memory can hold, which a wrong unit causes.

    Notes
    -----
    Sources are sorted by the size of their radius, in steps of two, and each pair of groups is
    searched with the largest sum of their radii: a few large errors do not make all others slow.
    """
    vectors = [unit_vectors(coords) for coords in (left, right)]
    radii = [np.asarray(r, dtype=float).ravel() for r in (left_radius, right_radius)]
    _refuse_too_many(vectors, radii)
    found = [_pairs_of_groups(vectors, radii, *groups) for groups in _groups(vectors, radii)]
    rows = np.concatenate([np.empty((0, 2), dtype=np.int64), *found])
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return _measured(vectors, rows[:, 0], rows[:, 1])


def ellipse_pairs(
    left: SkyCoord,
    right: SkyCoord,
    left_ellipses: ErrorEllipses,
    right_ellipses: ErrorEllipses,
    *,
    confidence: float,
) -> Pairs:
    """Find all pairs whose error ellipses touch or overlap.

    Parameters
    ----------
    left, right : SkyCoord, shape (n_left,) and (n_right,)
        Positions.
    left_ellipses, right_ellipses : ErrorEllipses
        Their errors; one of size 0 is a point.
    confidence : float
        Share of positions inside the ellipses.

    Returns
    -------
    Pairs

    Notes
    -----
    Two ellipses with covariance matrices A and B at a distance d overlap where the largest of
    λ(1 - λ) dᵀ[(1 - λ)A + λB]⁻¹d over 0 < λ < 1 is no more than 1 (Perram & Wertheim 1985, J.
    Comput. Phys. 58, 409). The plane is that of the great circle between the two, so that angles
    hold near the poles, where ``skyellipse`` takes north to be the same direction for both.
    """
    left_axes, right_axes = (
        ellipses.semi_axes(confidence) for ellipses in (left_ellipses, right_ellipses)
    )
    pairs = error_pairs(left, right, np.fmax(*left_axes), np.fmax(*right_axes))
    inner = np.fmin(*left_axes)[pairs.left] + np.fmin(*right_axes)[pairs.right]
    undecided = np.flatnonzero(pairs.separation > inner)
    contact = _contact(pairs[undecided], left_ellipses, right_ellipses)
    touching = np.ones(len(pairs), dtype=bool)
    touching[undecided] = contact <= -2 * np.log1p(-confidence)
    return pairs[touching]


def normalised_separation(
    pairs: Pairs, left: ErrorEllipses, right: ErrorEllipses
) -> tuple[Floats, Floats]:
    """Give separations in units of the errors of both catalogues together.

    Parameters
    ----------
    pairs : Pairs
        The pairs.
    left, right : ErrorEllipses
        Errors of all sources of either catalogue.

    Returns
    -------
    distance : ndarray, shape (n_pairs,)
        Separation over the error (one standard deviation) in its direction; 0 for two exact
        positions that agree, infinite for two that do not.
    area : ndarray, shape (n_pairs,)
        Root of the determinant of the summed covariances, deg².

    Notes
    -----
    De Ruiter et al. (1977, A&AS 28, 211), with covariances in the place of errors in two axes.
    """
    along, mixed, across = _summed(pairs, left, right)
    determinant = np.clip(along * across - mixed**2, 0, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = pairs.separation * np.sqrt(across / determinant)
    return np.where(pairs.separation == 0, 0.0, distance), np.sqrt(determinant)


def _summed(pairs: Pairs, left: ErrorEllipses, right: ErrorEllipses) -> tuple[Floats, ...]:
    """Add the covariances of each pair along the great circle between the two."""
    one = left[pairs.left].along(pairs.left_angle)
    other = right[pairs.right].along(pairs.right_angle)
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _contact(pairs: Pairs, left: ErrorEllipses, right: ErrorEllipses) -> Floats:
    """Give the contact function of each pair, squared standard deviations; bisects its slope."""
    one = np.array(left[pairs.left].along(pairs.left_angle))
    other = np.array(right[pairs.right].along(pairs.right_angle))
    low, high = np.zeros(len(pairs)), np.ones(len(pairs))
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        rising = _contact_slope(one, other, middle) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    middle = (low + high) / 2
    first, mixed, second = (1 - middle) * one + middle * other
    with np.errstate(divide="ignore", invalid="ignore"):
        value = pairs.separation**2 * middle * (1 - middle) * second / (first * second - mixed**2)
    return np.where(np.isnan(value), np.inf, value)


def _contact_slope(one: Floats, other: Floats, share: Floats) -> Floats:
    """Give the sign of the slope of λ(1 - λ) s/(f s - m²) in λ, times positive numbers."""
    first, mixed, second = (1 - share) * one + share * other
    d_first, d_mixed, d_second = other - one
    determinant = first * second - mixed**2
    d_determinant = d_first * second + first * d_second - 2 * mixed * d_mixed
    product = share * (1 - share)
    return (1 - 2 * share) * second * determinant + product * (
        d_second * determinant - second * d_determinant
    )


def _refuse_too_many(vectors: list[Floats], radii: list[Floats]) -> None:
    """Estimate the number of pairs from some sources and refuse one that memory cannot hold."""
    usable = [_usable(v, r) for v, r in zip(vectors, radii, strict=True)]
    if not all(len(rows) for rows in usable):
        return
    rng = np.random.default_rng(0)
    probed = rng.permutation(usable[0])[:N_PROBED]
    reach = _chord(radii[0][probed] + np.median(radii[1][usable[1]]))
    thin = max(1.0, len(usable[1]) / (100 * N_PROBED))
    kept = rng.permutation(usable[1])[: 100 * N_PROBED]
    tree = cKDTree(vectors[1][kept])
    counts = tree.query_ball_point(vectors[0][probed], reach, return_length=True)
    expected = counts.mean() * thin * len(usable[0])
    if expected > MOST_PAIRS:
        raise PssegError(
            f"cross-match: about {expected:.0e} pairs lie within the errors or the radius: are "
            "their units right? Give the unit of the errors, or a smaller radius"
        )


def _usable(vectors: Floats, radius: Floats) -> Rows:
    return np.flatnonzero(np.isfinite(vectors).all(axis=1) & np.isfinite(radius) & (radius >= 0))


def _groups(vectors: list[Floats], radii: list[Floats]) -> Iterator[tuple[Rows, Rows]]:
    """Give all pairs of groups of rows that have radii alike, each in the order of the sky."""
    usable = [_usable(v, r) for v, r in zip(vectors, radii, strict=True)]
    if not all(len(rows) for rows in usable):
        return
    typical = [float(np.median(r[rows])) for r, rows in zip(radii, usable, strict=True)]
    split = [
        _by_size(rows[sky_order(v[rows])], radius, floor)
        for v, rows, radius, floor in zip(vectors, usable, radii, reversed(typical), strict=True)
    ]
    for one in split[0]:
        for other in split[1]:
            yield one, other


def _by_size(rows: Rows, radius: Floats, floor: float) -> list[Rows]:
    """Split rows by the size of their radius; what is below a floor makes no difference."""
    size = np.fmax(radius[rows], max(floor, 1e-12))
    level = np.ceil(np.log2(size)).astype(int)
    return [rows[level == value] for value in np.unique(level)]


def _pairs_of_groups(
    vectors: list[Floats], radii: list[Floats], left: Rows, right: Rows
) -> NDArray[np.int64]:
    """Find the pairs of two groups, shape (n, 2)."""
    reach = _chord(radii[0][left].max() + radii[1][right].max())
    trees = [cKDTree(v[rows]) for v, rows in zip(vectors, (left, right), strict=True)]
    near = trees[0].sparse_distance_matrix(
        trees[1], float(reach) * (1 + 1e-12) + 1e-15, output_type="ndarray"
    )
    rows = np.column_stack([left[near["i"]], right[near["j"]]])
    separation = np.rad2deg(2 * np.arcsin(np.clip(near["v"] / 2, 0, 1)))
    return rows[separation <= radii[0][rows[:, 0]] + radii[1][rows[:, 1]]]


def _chord(angle: ArrayLike) -> Floats:
    """Give the chord of an angle in degrees."""
    return np.asarray(2 * np.sin(np.deg2rad(np.clip(angle, 0, 180)) / 2))


def _measured(vectors: list[Floats], left: Rows, right: Rows) -> Pairs:
    """Measure separations and position angles of pairs of rows."""
    one, other = vectors[0][left], vectors[1][right]
    step = other - one
    separation = 2 * np.arcsin(np.clip(np.sqrt(np.einsum("ij,ij->i", step, step)) / 2, 0, 1))
    return Pairs(
        left=left,
        right=right,
        separation=np.rad2deg(separation),
        left_angle=_position_angle(one, step),
        right_angle=_position_angle(other, step),
    )


def _position_angle(at: Floats, step: Floats) -> Floats:
    """Give the position angle of steps (vectors) as seen at unit vectors, degrees."""
    east = at[:, 0] * step[:, 1] - at[:, 1] * step[:, 0]
    plane = at[:, 0] * step[:, 0] + at[:, 1] * step[:, 1]
    north = step[:, 2] * np.hypot(at[:, 0], at[:, 1]) ** 2 - at[:, 2] * plane
    return np.rad2deg(np.arctan2(east, north)) % 360
