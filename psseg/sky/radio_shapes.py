"""Shapes of radio sources as Gaussian components: discs, double radio galaxies, jets.

Every shape is drawn with largest angular size 1 in a frame of its own, the axis of the source and
what is across it, and then scaled, turned and put in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from psseg.survey.radio_populations import SHAPES

__all__ = ["Components", "draw_components"]

SMALLEST_SHAPE = 1.0
"""Pixels: smaller sources are single Gaussians, whatever they are, for no beam shows more."""

CORE_INDEX = 0.6
"""A core's spectral index less that of the rest: -0.1 against -0.7 (T-RECS)."""

DISC_SHARES = (0.206, 0.794)
DISC_WIDTHS = (0.442, 1.211)
"""Two Gaussians fitted to an exponential disc; FWHM over twice the half-light radius."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """Gaussian components of n sources.

    Parameters
    ----------
    source : numpy.ndarray of int, shape (m,)
        Index of the source, rising.
    dx, dy : numpy.ndarray, shape (m,)
        Offset from the source's position, pixels.
    share : numpy.ndarray, shape (m,)
        Part of the source's flux; adds up to 1.
    index_offset : numpy.ndarray, shape (m,)
        Spectral index less that of the source; its mean, weighted with `share`, is 0.
    major, minor : numpy.ndarray, shape (m,)
        FWHM, pixels; 0 for a point.
    angle : numpy.ndarray, shape (m,)
        Of the major axis, deg in 0-180, from +y towards -x.
    """

    source: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    share: np.ndarray
    index_offset: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    angle: np.ndarray


def draw_components(
    shape: np.ndarray, size: np.ndarray, angle: np.ndarray, rng: np.random.Generator
) -> Components:
    """Draw the components of sources.

    Parameters
    ----------
    shape : numpy.ndarray of int, shape (n,)
        Index into :data:`psseg.survey.radio_populations.SHAPES`.
    size : numpy.ndarray, shape (n,)
        Largest angular size, pixels: FWHM of a compact source, twice the half-light radius of a
        disc, from end to end of all others. Below one pixel every source that is no point is a
        single Gaussian.
    angle : numpy.ndarray, shape (n,)
        Of the source's axis, deg from +y towards -x.
    rng : numpy.random.Generator

    Returns
    -------
    Components
        At least one per source.
    """
    drawn = np.where((size < SMALLEST_SHAPE) & (shape != _POINT), _COMPACT, shape)
    parts = []
    for number in np.unique(drawn):
        chosen = np.flatnonzero(drawn == number)
        template = _TEMPLATES[SHAPES[number]](len(chosen), rng)
        parts.append(_place(template, chosen, size[chosen], angle[chosen]))
    return _join(parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Template:
    """Components of n sources of largest size 1, each array (n, k) or (k,)."""

    along: np.ndarray
    across: np.ndarray
    share: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    turn: np.ndarray  # deg, of the component's major axis against the source's
    has_core: bool = False  # the first component is the core


def _place(
    template: _Template, source: np.ndarray, size: np.ndarray, angle: np.ndarray
) -> Components:
    n_components = template.share.shape[-1]
    share = np.broadcast_to(template.share, (len(source), n_components))
    sine, cosine = np.sin(np.radians(angle))[:, None], np.cos(np.radians(angle))[:, None]
    scale = size[:, None]
    placed = {
        "source": np.repeat(source, n_components),
        "dx": scale * (-sine * template.along - cosine * template.across),
        "dy": scale * (cosine * template.along - sine * template.across),
        "share": share,
        "index_offset": _index_offsets(share, template.has_core),
        "major": scale * template.major,
        "minor": scale * template.minor,
        "angle": (angle[:, None] + template.turn) % 180,
    }
    return Components(**{name: values.ravel() for name, values in placed.items()})


def _index_offsets(share: np.ndarray, has_core: bool) -> np.ndarray:
    """Offsets that leave the index of the whole source as it is."""
    if not has_core:
        return np.zeros(share.shape)
    offsets = np.repeat(-CORE_INDEX * share[:, :1], share.shape[1], axis=1)
    offsets[:, 0] += CORE_INDEX
    return offsets


def _join(parts: list[Components]) -> Components:
    if not parts:
        return Components(
            source=np.zeros(0, dtype=int),
            **{name: np.zeros(0) for name in Components.__dataclass_fields__ if name != "source"},
        )
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Components.__dataclass_fields__
    }
    order = np.argsort(joined["source"], kind="stable")
    return Components(**{name: values[order] for name, values in joined.items()})


def _columns(*columns: np.ndarray | float, n: int) -> np.ndarray:
    """Stack columns, each (n,) or one number, to (n, k)."""
    stacked = np.empty((n, len(columns)))
    for number, column in enumerate(columns):
        stacked[:, number] = column
    return stacked


def _point(n: int, rng: np.random.Generator) -> _Template:
    zero = np.zeros(1)
    return _Template(
        along=zero, across=zero, share=np.ones(1), major=zero, minor=zero, turn=zero
    )  # fmt: skip


def _compact(n: int, rng: np.random.Generator) -> _Template:
    """Draw single Gaussians; their median axis ratio is near the 0.59 of T-RECS's AGN."""
    zero = np.zeros(1)
    minor = rng.uniform(0.2, 1.0, (n, 1))
    return _Template(
        along=zero, across=zero, share=np.ones(1), major=np.ones(1), minor=minor, turn=zero
    )


def _disc(n: int, rng: np.random.Generator) -> _Template:
    """Draw exponential discs, a fifth as thick as wide, seen from anywhere."""
    zero = np.zeros(2)
    ratio = np.sqrt(0.04 + 0.96 * rng.uniform(0, 1, (n, 1)) ** 2)
    width = np.array(DISC_WIDTHS)
    return _Template(
        along=zero, across=zero, share=np.array(DISC_SHARES), major=width, minor=ratio * width,
        turn=zero,
    )  # fmt: skip


def _core_jet(n: int, rng: np.random.Generator) -> _Template:
    """Draw cores with 58 to 90 % of the flux (T-RECS) and fading one-sided jets."""
    core = rng.uniform(0.58, 0.90, n)
    bend = np.radians(rng.normal(0, 15, n))
    return _Template(
        along=_columns(0, 0.3, 0.3 + 0.45 * np.cos(bend), n=n),
        across=_columns(0, 0, 0.45 * np.sin(bend), n=n),
        share=_columns(core, 0.65 * (1 - core), 0.35 * (1 - core), n=n),
        major=np.array([0.0, 0.4, 0.5]),
        minor=np.array([0.0, 0.08, 0.2]),
        turn=_columns(0, 0, np.degrees(bend), n=n),
        has_core=True,
    )


def _fri(n: int, rng: np.random.Generator) -> _Template:
    """Draw double jets whose brightest spots are 0.17 ± 0.11 of the size apart (T-RECS)."""
    core = rng.uniform(0.03, 0.25, n)
    left, right = _sides(core, rng)
    spot = np.clip(rng.normal(0.17, 0.11, n), 0.08, 0.4) / 2
    inner = rng.uniform(0.45, 0.65, n)
    return _Template(
        along=_columns(0, spot, 0.28, -spot, -0.28, n=n),
        across=_columns(0, 0, rng.normal(0, 0.04, n), 0, rng.normal(0, 0.04, n), n=n),
        share=_columns(
            core, left * inner, left * (1 - inner), right * inner, right * (1 - inner), n=n
        ),
        major=_columns(0, 2 * spot, 0.42, 2 * spot, 0.42, n=n),
        minor=np.array([0.0, 0.07, 0.2, 0.07, 0.2]),
        turn=np.zeros(5),
        has_core=True,
    )


def _frii(n: int, rng: np.random.Generator) -> _Template:
    """Draw weak cores and lobes, brightest 0.62 ± 0.18 of the size apart (T-RECS).

    Cores of 0.3 to 9 % of the flux, lobes 0.1 to 0.3 of the size wide that reach to the ends.
    """
    core = np.exp(rng.uniform(np.log(0.003), np.log(0.09), n))
    left, right = _sides(core, rng)
    spot = np.clip(rng.normal(0.62, 0.18, n), 0.3, 0.9) / 2
    arm = rng.uniform(0.85, 1.15, n)  # the arms are not equally long
    width = rng.uniform(0.1, 0.3, n)
    hot = rng.uniform(0.4, 0.7, n)
    return _Template(
        along=_columns(0, arm * spot, 0.3 * arm, -spot / arm, -0.3 / arm, n=n),
        across=np.zeros(5),
        share=_columns(core, left * hot, left * (1 - hot), right * hot, right * (1 - hot), n=n),
        major=_columns(0, 0.5 * width, 0.4, 0.5 * width, 0.4, n=n),
        minor=_columns(0, 0.4 * width, 0.8 * width, 0.4 * width, 0.8 * width, n=n),
        turn=np.zeros(5),
        has_core=True,
    )


def _bent(n: int, rng: np.random.Generator) -> _Template:
    """Draw two tails from a core, 60 to 150 deg apart; the size is the distance of their ends."""
    core = rng.uniform(0.03, 0.2, n)
    left, right = _sides(core, rng)
    half = np.radians(rng.uniform(30, 75, n))
    reach = 1 / (2 * np.sin(half))
    inner = rng.uniform(0.4, 0.65, n)
    along, across = reach * np.cos(half), reach * np.sin(half)
    turn = np.degrees(half)
    return _Template(
        along=_columns(0, 0.25 * along, 0.7 * along, 0.25 * along, 0.7 * along, n=n),
        across=_columns(0, 0.25 * across, 0.7 * across, -0.25 * across, -0.7 * across, n=n),
        share=_columns(
            core, left * inner, left * (1 - inner), right * inner, right * (1 - inner), n=n
        ),
        major=_columns(0, 0.4 * reach, 0.55 * reach, 0.4 * reach, 0.55 * reach, n=n),
        minor=_columns(0, 0.08, 0.17, 0.08, 0.17, n=n),
        turn=_columns(0, turn, turn, -turn, -turn, n=n),
        has_core=True,
    )


def _sides(core: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Flux of the two sides, one at most about twice the other."""
    left = rng.uniform(0.35, 0.65, len(core)) * (1 - core)
    return left, 1 - core - left


_TEMPLATES: dict[str, Callable[[int, np.random.Generator], _Template]] = {
    "point": _point,
    "compact": _compact,
    "disc": _disc,
    "core-jet": _core_jet,
    "fri": _fri,
    "frii": _frii,
    "bent": _bent,
}
_POINT, _COMPACT = SHAPES.index("point"), SHAPES.index("compact")
