"""How sources are fitted: the numbers that a survey may want otherwise."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FitSettings"]


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How sources are fitted.

    Parameters
    ----------
    background_error : float
        Expected relative error of the network's background, from node to node and, on top of
        that, of whole regions.
    background_spacing : float
        Distance between nodes, deg. On simulated skies with backgrounds wrong by 10 % over 1 deg,
        the errors of the counts below 1 GeV are right within 10 % with the defaults, and three
        times too small with nodes every 2 deg; where the background is right, the defaults cost
        3 % of the significance.
    background_length : float
        Size of these regions, deg. Without them, a background 10 % too low on the whole map gave
        faint sources 50 % more counts; with them, 10 %.
    leash : float
        Farthest a point source may be from the centroid of its segment, deg; a disc may be as far
        as a disc of the segment's area reaches.
    position_prior : float
        Expected error of that centroid along each axis, deg: a wide prior that keeps faint sources
        in place and does not matter for others.
    disc_radii : tuple of float
        Radii tried for extended sources, deg, rising.
    extension_ts : float
        A disc must be better than a point by this much.
    extension_minimum_ts : float
        Fainter sources are not tested, unless their segments look extended.
    second_source_ts : float
        Sources beside the first one of a segment need this TS; infinity looks for none.
    second_source_separation : float
        Least distance from a fitted source at which another one is looked for, deg.
    second_source_reach : float
        How far around the segments sources are looked for, deg.
    """

    background_error: float = 0.1
    background_spacing: float = 1.0
    background_length: float = 5.0
    leash: float = 0.3
    position_prior: float = 0.15
    disc_radii: tuple[float, ...] = (0.2, 0.3, 0.45, 0.65, 1.0, 1.5, 2.0)
    extension_ts: float = 16.0
    extension_minimum_ts: float = 25.0
    second_source_ts: float = 25.0
    second_source_separation: float = 0.15
    second_source_reach: float = 0.3
