"""Which counterpart a source has, and whether it has one: Bayesian association.

In: pairs of two catalogues with their errors. Out: for each pair a Bayes factor and the probability
that this is the counterpart, for each source the probability that any is.

The Bayes factor is that of Budavári & Szalay (2008, ApJ 679, 301) for small errors, with elliptical
errors as in Pineau et al. (2017, A&A 597, A89); priors and the names of the results are those of
NWAY (Salvato et al. 2018, MNRAS 473, 4937).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from psseg.crossmatch.ellipses import ErrorEllipses
from psseg.crossmatch.footprint import Footprint, footprint_of
from psseg.crossmatch.positions import (
    Pairs,
    error_pairs,
    normalised_separation,
    sky_order,
    unit_vectors,
)

__all__ = [
    "AMBIGUOUS",
    "SHARED",
    "Association",
    "associate",
    "candidate_pairs",
    "class_factors",
    "local_density",
]

Floats = NDArray[np.float64]

AMBIGUOUS = 1
"""Flag of a source whose second counterpart is over half as probable as its best."""

SHARED = 2
"""Flag of a source whose best counterpart is the best of another source, too."""

REACH = 5.0
"""Separation, in standard deviations of both errors together, up to which a source of the
reference is a candidate: 4e-6 of true counterparts lie beyond."""

N_NEIGHBOURS = 25
"""Sources of the reference from which its local density is measured: to 20 %."""

EXACT = 0.0001 / 3600
"""Least error (deg) of a position in a probability: a Gaussian needs a width."""

MOST_STEPS = 200
"""Of the fit of the share of sources that have a counterpart."""

AMBIGUOUS_RATIO = 0.5
"""Probability, over that of the best, from which a second candidate makes a source ambiguous; that
of NWAY's match_flag 2."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Association:
    """The candidates of each source of the left catalogue, and what they are worth.

    Parameters
    ----------
    pairs : Pairs
        Candidates.
    normalised : ndarray, shape (n_pairs,)
        Separation in standard deviations of both errors together.
    log_bayes_factor : ndarray, shape (n_pairs,)
        Decimal logarithm: one source over two, from positions alone.
    p_match : ndarray, shape (n_pairs,)
        Probability that this candidate is the counterpart.
    p_relative : ndarray, shape (n_pairs,)
        The same, given that one of the candidates is (NWAY's p_i).
    best, right_best : ndarray of bool, shape (n_pairs,)
        Whether the candidate is the best of its left, or of its right source.
    p_any : ndarray, shape (n_left,)
        Probability that a source has a counterpart.
    n_candidates : ndarray of int, shape (n_left,)
        Number of candidates.
    flags : ndarray of int, shape (n_left,)
        Sum of `AMBIGUOUS` and `SHARED`.
    completeness : float
        Share of left sources that have a counterpart, the prior.
    """

    pairs: Pairs
    normalised: Floats
    log_bayes_factor: Floats
    p_match: Floats
    p_relative: Floats
    best: NDArray[np.bool_]
    right_best: NDArray[np.bool_]
    p_any: Floats
    n_candidates: NDArray[np.int64]
    flags: NDArray[np.int64]
    completeness: float


def candidate_pairs(
    left: SkyCoord, right: SkyCoord, left_ellipses: ErrorEllipses, right_ellipses: ErrorEllipses
) -> Pairs:
    """Find all pairs closer than `REACH` standard deviations of both errors together.

    Parameters
    ----------
    left, right : SkyCoord, shape (n_left,) and (n_right,)
        Positions.
    left_ellipses, right_ellipses : ErrorEllipses
        Their errors.

    Returns
    -------
    Pairs
    """
    ours, theirs = (ellipses.at_least(EXACT) for ellipses in (left_ellipses, right_ellipses))
    radii = (REACH * np.fmax(e.major, e.minor) for e in (ours, theirs))
    pairs = error_pairs(left, right, *radii)
    return pairs[normalised_separation(pairs, ours, theirs)[0] <= REACH]


def local_density(at: SkyCoord, reference: SkyCoord, footprint: Footprint | None = None) -> Floats:
    """Give the density of a reference catalogue around positions.

    Parameters
    ----------
    at : SkyCoord, shape (n,)
        Positions.
    reference : SkyCoord, shape (n_reference,)
        Positions of the catalogue.
    footprint : Footprint or None
        What the catalogue covers; without it, as its own positions tell, and `at` if they are few.

    Returns
    -------
    ndarray, shape (n,)
        Sources per square degree, from the distance of the `N_NEIGHBOURS`-th nearest and the part
        of that circle inside the footprint. Where there are fewer, their number over its area.
    """
    vectors, sources = unit_vectors(at), unit_vectors(reference)
    sources = sources[np.isfinite(sources).all(axis=1)]
    density = np.full(len(vectors), np.nan)
    placed = np.isfinite(vectors).all(axis=1)
    if len(sources) == 0 or not placed.any():
        return density
    footprint = footprint or footprint_of(reference, at)
    if len(sources) < N_NEIGHBOURS:
        density[placed] = len(sources) / footprint.area
        return density
    rows = np.flatnonzero(placed)
    rows = rows[sky_order(vectors[rows])]
    vectors = vectors[rows]
    chord = cKDTree(sources).query(vectors, k=[N_NEIGHBOURS])[0][:, 0]
    inside = footprint.share_inside(vectors, chord)
    area = inside * np.pi * np.fmax(chord, 1e-12) ** 2  # of a cap, steradian: exact for chords
    density[rows] = (N_NEIGHBOURS - 1) / area * np.deg2rad(1.0) ** 2
    return density


def class_factors(
    probabilities: Floats, right_classes: NDArray[np.str_], pairs: Pairs, names: tuple[str, ...]
) -> Floats:
    """Give how much more probable a pair is for the class of its counterpart.

    Parameters
    ----------
    probabilities : ndarray, shape (n_left, n_classes)
        Class probabilities of the left sources.
    right_classes : ndarray of str, shape (n_right,)
        Class of the right sources; one that is not among the names says nothing.
    pairs : Pairs
        The pairs.
    names : tuple of str
        The classes.

    Returns
    -------
    ndarray, shape (n_pairs,)
        Probability of the class over its mean in the left catalogue.
    """
    relative = probabilities / np.fmax(np.nanmean(probabilities, axis=0), 1e-6)
    factor = np.ones(len(pairs))
    for place, name in enumerate(names):
        chosen = right_classes[pairs.right] == name
        factor[chosen] = relative[pairs.left[chosen], place]
    return np.nan_to_num(factor, nan=1.0)


def associate(
    pairs: Pairs,
    left_ellipses: ErrorEllipses,
    right_ellipses: ErrorEllipses,
    density: Floats,
    *,
    completeness: float | None = None,
    factor: Floats | None = None,
    nearest: bool = False,
) -> Association:
    """Weigh the candidates of each source against each other and against chance.

    Parameters
    ----------
    pairs : Pairs
        Candidates, ordered by the left row.
    left_ellipses, right_ellipses : ErrorEllipses
        Errors of all sources of either catalogue.
    density : ndarray, shape (n_left,)
        Density of the right catalogue at each left source, per square degree.
    completeness : float or None
        Share of left sources that have a counterpart in the right catalogue; None fits it.
    factor : ndarray, shape (n_pairs,), or None
        What else is known for or against each pair, as a ratio of probabilities.
    nearest : bool
        Whether the best candidate is the nearest, not the most probable.

    Returns
    -------
    Association
        A pair with an error that is not known has no probability (not-a-number) and counts for
        nothing in those of others; a source with such pairs alone has none either.

    Notes
    -----
    With the density ρ of the reference and the summed covariance C of a pair at the normalised
    distance r, a counterpart is w = exp(-r²/2) / (2π √|C| ρ) times as probable where it is as by
    chance; 4πρw (in steradian) is the Bayes factor of Budavári & Szalay. The probability that j is
    the counterpart is c wⱼ / (1 - c + c Σ w), with the share c of sources that have one. The fit of
    c sets it to the mean of p_any until it stays, with one source more of either kind.
    """
    ours, theirs = (ellipses.at_least(EXACT) for ellipses in (left_ellipses, right_ellipses))
    distance, area = normalised_separation(pairs, ours, theirs)
    log_peak = -(distance**2) / 2 - np.log(2 * np.pi * area)
    n_left = len(left_ellipses)
    weight = np.exp(log_peak) / np.fmax(density[pairs.left], 1e-30)
    weight = weight if factor is None else weight * factor
    known = np.isfinite(weight)
    n_known = np.bincount(pairs.left[known], minlength=n_left)
    n_candidates = np.bincount(pairs.left, minlength=n_left)
    sums = np.bincount(pairs.left, weights=np.where(known, weight, 0.0), minlength=n_left)
    total = np.where((n_known == 0) & (n_candidates > 0), np.nan, sums).astype(float)
    share = _fitted_share(total[np.isfinite(total)]) if completeness is None else completeness
    p_any = _p_any(total, share)
    relative = weight / np.fmax(total[pairs.left], 1e-300)
    rank = log_peak if factor is None else log_peak + np.log(np.fmax(factor, 1e-300))
    rank = -pairs.separation if nearest else rank
    best, right_best = (_largest(rows, rank) for rows in (pairs.left, pairs.right))
    whole_sky = np.rad2deg(np.rad2deg(4 * np.pi))
    return Association(
        pairs=pairs,
        normalised=distance,
        log_bayes_factor=(log_peak + np.log(whole_sky)) / np.log(10),
        p_match=relative * p_any[pairs.left],
        p_relative=relative,
        best=best,
        right_best=right_best,
        p_any=p_any,
        n_candidates=n_candidates,
        flags=_flags(pairs, relative, best, n_left),
        completeness=share,
    )


def _p_any(total: Floats, share: float) -> Floats:
    return share * total / (1 - share + share * total)


def _fitted_share(total: Floats) -> float:
    """Give the share of sources with a counterpart, of which p_any has the mean."""
    share = 0.5
    for _ in range(MOST_STEPS):
        last, share = share, float((_p_any(total, share).sum() + 1) / (len(total) + 2))
        if abs(share - last) < 1e-5:
            break
    return share


def _largest(rows: NDArray[np.int64], rank: Floats) -> NDArray[np.bool_]:
    """Mark, for each row, the pair of the highest rank; the first of equals."""
    order = np.lexsort((-rank, rows))
    first = np.r_[True, np.diff(rows[order]) != 0][: len(rows)]
    marked = np.zeros(len(rows), dtype=bool)
    marked[order[first]] = True
    return marked


def _flags(
    pairs: Pairs, relative: Floats, best: NDArray[np.bool_], n_left: int
) -> NDArray[np.int64]:
    """Sum the flags of each left source."""
    top = np.zeros(n_left)
    top[pairs.left[best]] = relative[best]
    rival = ~best & (relative > AMBIGUOUS_RATIO * top[pairs.left])
    flags = np.zeros(n_left, dtype=np.int64)
    flags[np.unique(pairs.left[rival])] |= AMBIGUOUS
    taken = pairs.right[best]
    _, place, times = np.unique(taken, return_inverse=True, return_counts=True)
    flags[pairs.left[best][times[place] > 1]] |= SHARED
    return flags
