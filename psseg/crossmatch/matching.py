"""Matching two catalogues: candidates, probabilities, and how many of them are chance.

In: two :class:`~psseg.crossmatch.reference.SkyTable` and what a match is. Out: a :class:`Match`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from psseg.crossmatch.association import (
    REACH,
    Association,
    associate,
    candidate_pairs,
    class_factors,
    local_density,
)
from psseg.crossmatch.chance import ChanceRate, measure_chance
from psseg.crossmatch.columns import numbers
from psseg.crossmatch.ellipses import ErrorEllipses
from psseg.crossmatch.footprint import footprint_of
from psseg.crossmatch.positions import Pairs, ellipse_pairs, error_pairs, radius_pairs
from psseg.crossmatch.reference import SkyTable
from psseg.errors import PssegError, PssegWarning
from psseg.survey.classes import SOURCE_CLASSES

__all__ = ["METHODS", "Match", "MatchOptions", "crossmatch"]

METHODS = ("bayes", "ellipse", "error", "radius")
"""Ways to match: by probability; ellipses that touch; closer than the errors' sum, or a radius."""

SHIFT_REACHES = 4.0
"""Shift of the positions that measure chance, in units of the reach of a typical source."""

SHIFT_LIMITS = (20 / 3600, 3.0)
"""Least and largest shift in degrees."""

FIRM = 0.9
"""Probability that a class stands for where a catalogue gives a class but no probabilities."""


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """What a match is.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    confidence : float
        Share of positions inside the ellipses of ``ellipse`` and the radii of ``error``.
    radius : float or None
        Radius of ``radius``, arcsec.
    completeness : float or None
        Share of sources that have a counterpart in the reference; None fits it.
    minimum_probability : float
        Probability of having a counterpart from which ``bayes`` counts a source as matched.
    systematic : float
        Error (one standard deviation, arcsec) of the reference's frame against the catalogue's,
        added in quadrature.
    use_class : bool
        Whether the classes of both count.
    shift : float or None
        Shift of the positions that measure chance, degrees; None takes four times the reach of a
        typical source.
    """

    method: str = "bayes"
    confidence: float = 0.95
    radius: float | None = None
    completeness: float | None = None
    minimum_probability: float = 0.5
    systematic: float = 0.0
    use_class: bool = False
    shift: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise PssegError(f"method {self.method!r}: want one of {', '.join(METHODS)}")
        if (self.method == "radius") != (self.radius is not None):
            raise PssegError("the method radius, and no other, needs a radius in arcsec")


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """What matching two catalogues gave.

    Parameters
    ----------
    left, right : SkyTable
        The catalogues.
    options : MatchOptions
        What a match was.
    association : Association
        Candidates and probabilities.
    accepted : ndarray of bool, shape (n_pairs,)
        Pairs that count as matches: for ``bayes`` the best of sources that have a counterpart with
        the probability asked for, otherwise all.
    p_chance : ndarray, shape (n_left,)
        Share of shifted positions that find a match as good as that of the source.
    chance : ChanceRate
        What shifted positions found.
    """

    left: SkyTable
    right: SkyTable
    options: MatchOptions
    association: Association
    accepted: NDArray[np.bool_]
    p_chance: NDArray[np.float64]
    chance: ChanceRate

    @property
    def n_matched(self) -> int:
        """Number of left sources with a match."""
        return len(np.unique(self.association.pairs.left[self.accepted]))

    @property
    def n_chance(self) -> float:
        """Number of left sources that would have a match if all positions were wrong.

        Not-a-number where no shift keeps the positions in the reference's field.
        """
        return self.chance.expected(_threshold(self.options), np.ones(len(self.left), dtype=bool))


def crossmatch(left: SkyTable, right: SkyTable, options: MatchOptions | None = None) -> Match:
    """Match two catalogues on the sky.

    Parameters
    ----------
    left : SkyTable
        The catalogue whose sources look for counterparts.
    right : SkyTable
        The reference.
    options : MatchOptions, optional
        What a match is.

    Returns
    -------
    Match

    Warns
    -----
    PssegWarning
        If classes are to be used and a catalogue has none.
    """
    options = options or MatchOptions()
    errors = left.ellipses, right.ellipses.widened(options.systematic / 3600)
    classes = _class_evidence(left, right) if options.use_class else None
    footprint = footprint_of(right.coords, left.coords)

    def weigh(coords: SkyCoord, rows: NDArray[np.int64], share: float | None) -> Association:
        ellipses = errors[0][rows]
        pairs = _pairs(coords, right.coords, ellipses, errors[1], options)
        factor = None
        if classes is not None:
            factor = class_factors(classes[0][rows], classes[1], pairs, SOURCE_CLASSES)
        density = np.ones(len(rows))
        searched = np.unique(pairs.left)
        density[searched] = local_density(coords[searched], right.coords, footprint)
        return associate(
            pairs, ellipses, errors[1], density, completeness=share, factor=factor,
            nearest=options.method == "radius",
        )  # fmt: skip

    everything = np.arange(len(left))
    found = weigh(left.coords, everything, options.completeness)

    def score(coords: SkyCoord, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return _scores(weigh(coords, rows, found.completeness), options)

    shift = options.shift or _shift(found, errors, options)
    least = None if options.shift else shift / SHIFT_REACHES
    chance = measure_chance(score, left.coords, shift=shift, least=least, footprint=footprint)
    scores = _scores(found, options)
    accepted = np.ones(len(found.pairs), dtype=bool)
    if options.method == "bayes":
        accepted = found.best & (scores[found.pairs.left] >= options.minimum_probability)
    return Match(
        left=left, right=right, options=options, association=found, accepted=accepted,
        p_chance=chance.above(scores), chance=chance,
    )  # fmt: skip


def _pairs(
    left: SkyCoord,
    right: SkyCoord,
    left_errors: ErrorEllipses,
    right_errors: ErrorEllipses,
    options: MatchOptions,
) -> Pairs:
    if options.method == "radius":
        return radius_pairs(left, right, (options.radius or 0.0) / 3600)
    if options.method == "error":
        radii = (np.fmax(*e.semi_axes(options.confidence)) for e in (left_errors, right_errors))
        return error_pairs(left, right, *radii)
    if options.method == "ellipse":
        confidence = options.confidence
        return ellipse_pairs(left, right, left_errors, right_errors, confidence=confidence)
    return candidate_pairs(left, right, left_errors, right_errors)


def _scores(association: Association, options: MatchOptions) -> NDArray[np.float64]:
    """Give what decides on a match: a probability, or whether there is a candidate."""
    if options.method == "bayes":
        return association.p_any
    return (association.n_candidates > 0).astype(float)


def _threshold(options: MatchOptions) -> float:
    return options.minimum_probability if options.method == "bayes" else 1.0


def _shift(
    found: Association, errors: tuple[ErrorEllipses, ErrorEllipses], options: MatchOptions
) -> float:
    """Give a shift beyond the reach of nearly all sources."""
    reach = (options.radius or 0.0) / 3600
    for ellipses in errors:
        sizes = ellipses.major[ellipses.known]
        reach += REACH * float(np.quantile(sizes, 0.75)) if len(sizes) else 0.0
    return float(np.clip(SHIFT_REACHES * reach, *SHIFT_LIMITS))


def _class_evidence(
    left: SkyTable, right: SkyTable
) -> tuple[NDArray[np.float64], NDArray[np.str_]] | None:
    """Give class probabilities of the left sources and classes of the right ones, if both exist."""
    theirs = right.classes()
    names = [f"P_{name.upper()}" for name in SOURCE_CLASSES]
    if all(name in left.table.colnames for name in names):
        ours = np.column_stack([numbers(left.table, name) for name in names])
    else:
        own = left.classes()
        ours = np.where(own[:, None] == np.array(SOURCE_CLASSES), FIRM, (1 - FIRM) / 2)
        ours[own == ""] = np.nan
    if not (np.isfinite(ours).any() and (theirs != "").any()):
        lacking = left.origin if (theirs != "").any() else right.origin
        warnings.warn(
            f"{lacking}: has no classes; the match is by positions alone", PssegWarning, 3
        )
        return None
    return ours, theirs
