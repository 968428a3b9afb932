"""How energy bins, photon lists and exposures of any binning fill the bands of a survey.

Everywhere here a band's content is weighed by the photons expected in it from a power law: what
part of a band a map covers, how a bin that straddles a band edge is shared, and how an exposure is
averaged over a band.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError

__all__ = [
    "PHOTON_INDEX",
    "BandShares",
    "average_over_bands",
    "band_coverage",
    "format_energies",
    "is_covered",
    "photons_between",
    "share_bins",
]

PHOTON_INDEX = 2.4
"""Index of the photon spectrum that shares bins and averages exposures: between the diffuse
emission of the Galaxy (about 2.7 above 3 GeV) and the sources (2.0 to 2.5)."""

EQUAL_EDGES = 0.01  # edges within this fraction count as equal
MOST_MISSING = 0.1  # a band that misses less than this part of its photons is present
MOST_BORROWED = 0.5  # a band that takes more than this part from straddling bins is not filled

FEWEST_BANDS = 3
"""Bands that must remain where others are too coarsely binned: a curved spectrum needs three."""


@dataclass(frozen=True, kw_only=True)
class BandShares:
    """How the energy bins of a cube fill the bands of a survey.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_bands, n_bins)
        Part of each bin's counts that goes to each band; all 0 for absent bands.
    present, shared : numpy.ndarray, shape (n_bands,), bool
        Bands that are filled; those that take a part of a straddling bin.
    straddled : numpy.ndarray
        Band edges that lie within a bin, GeV.
    notes : tuple of str
        What is missing or left out.
    """

    weights: NDArray[np.float64]
    present: NDArray[np.bool_]
    shared: NDArray[np.bool_]
    straddled: NDArray[np.float64]
    notes: tuple[str, ...]


def photons_between(low: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
    """Integrate E^-2.4 between two energies, up to a constant; 0 where low is not below high."""
    slope = 1 - PHOTON_INDEX
    low, high = np.asarray(low, float), np.asarray(high, float)
    return np.where(low < high, low**slope - np.maximum(low, high) ** slope, 0.0)


def band_coverage(low: ArrayLike, high: ArrayLike, edges: NDArray) -> NDArray[np.float64]:
    """Give the part of each band's expected photons that lies within some energy ranges.

    Parameters
    ----------
    low, high : float or array_like, shape (n_ranges,)
        Ranges that do not overlap, GeV.
    edges : numpy.ndarray, shape (n_bands + 1,)
        Band edges, GeV.

    Returns
    -------
    numpy.ndarray, shape (n_bands,)
        0 to 1.

    Examples
    --------
    >>> band_coverage(1.0, 500.0, np.array([0.5, 1.0, 50.0, 2000.0])).round(3)
    array([0.   , 1.   , 0.966])
    """
    overlap = _overlap(*_snapped(low, high, edges), edges).sum(axis=1)
    return overlap / photons_between(edges[:-1], edges[1:])


def is_covered(coverage: NDArray) -> NDArray[np.bool_]:
    """Tell which bands miss so little of their expected photons that they count as present."""
    return coverage > 1 - MOST_MISSING


def share_bins(
    low: NDArray,
    high: NDArray,
    edges: NDArray,
    *,
    selected: tuple[float, float] = (0.0, np.inf),
    name: str,
) -> BandShares:
    """Find how energy bins sum into bands.

    Parameters
    ----------
    low, high : numpy.ndarray, shape (n_bins,)
        Edges of the bins, GeV.
    edges : numpy.ndarray, shape (n_bands + 1,)
        Band edges, GeV.
    selected : tuple of float
        Energies that were not cut away before the photons were binned, GeV. The default is all.
    name : str
        The file's name, for messages.

    Returns
    -------
    BandShares

    Raises
    ------
    PssegError
        If no band is covered, or the bins are too coarse: a covered band would take more than half
        of its expected counts from bins that straddle its edges. At either end of the bands such a
        band counts as absent, as long as three remain.

    Notes
    -----
    Edges within 1 % count as equal. A straddling bin is shared in proportion to an E^-2.4 photon
    spectrum. A band is present if it misses less than a tenth of the photons such a spectrum puts
    into it: a cube that ends at 500 GeV still fills a band from 50 GeV to 2 TeV.
    """
    start, end = _cut_to(selected, low, high)
    used = end - start > EQUAL_EDGES * (high - low)
    if not used.any():
        raise PssegError(
            f"{name}: its energies ({format_energies([low[0], high[-1]])}) lie outside the energy "
            f"selection of its header ({format_energies(selected)})"
        )
    shares = _share(*_snapped(start[used], end[used], edges), edges, name)
    weights = np.zeros((len(edges) - 1, len(low)))
    weights[:, used] = shares.weights
    if used.all() and np.array_equal(start, low) and np.array_equal(end, high):
        return shares
    kept = format_energies([start[used].min(), end[used].max()])
    note = f"the header's energy selection leaves {kept}: other energies are empty"
    return replace(shares, weights=weights, notes=(note, *shares.notes))


def _share(low: NDArray, high: NDArray, edges: NDArray, name: str) -> BandShares:
    """Sum bins into bands; bins whose edges are almost those of bands have these very edges."""
    overlap = _overlap(low, high, edges)
    in_band = photons_between(edges[:-1], edges[1:])
    coverage = overlap.sum(axis=1) / in_band
    covered = is_covered(coverage)
    if not covered.any():
        raise PssegError(
            f"{name}: its energies ({format_energies([low[0], high[-1]])}) fill none of the "
            f"survey's bands (edges at {_listed(edges)} GeV)"
        )
    inside = (low >= edges[:-1, None]) & (high <= edges[1:, None])
    parts = np.where(inside, 1.0, overlap / photons_between(low, high)) * covered[:, None]
    split = (parts > 0) & (parts < 1)
    coarse = np.sum(np.where(split, overlap, 0.0), axis=1) / in_band > MOST_BORROWED
    why = _coarse_bins(coarse, split, low, high, edges)
    present = _without_coarse_ends(covered, coarse)
    if why and (np.any(coarse & present) or np.count_nonzero(present) < FEWEST_BANDS):
        raise PssegError(f"{name}: energy bins too coarse for the bands: {why}")
    parts, split = parts * present[:, None], split & present[:, None]
    used = edges[np.append(present, False) | np.insert(present, 0, False)]
    straddled = used[np.any((low < used[:, None]) & (used[:, None] < high), axis=1)]
    return BandShares(
        weights=parts,
        present=present,
        shared=np.any(split, axis=1),
        straddled=straddled,
        notes=_notes(parts, coverage, present, why, low, high, edges),
    )


def _cut_to(
    selected: tuple[float, float], low: NDArray, high: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut bins to the energies that were selected; edges within 1 % stay where they are."""
    start = np.where(low * (1 + EQUAL_EDGES) < selected[0], selected[0], low)
    end = np.where(high > selected[1] * (1 + EQUAL_EDGES), selected[1], high)
    return start, end


def _without_coarse_ends(covered: NDArray[np.bool_], coarse: NDArray[np.bool_]) -> NDArray:
    """Tell which bands are left when coarse ones below and above all others go."""
    fine = covered & ~coarse
    after_first = np.logical_or.accumulate(fine)
    before_last = np.logical_or.accumulate(fine[::-1])[::-1]
    return covered & after_first & before_last


def average_over_bands(
    energies: NDArray, edges: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find how values given at some energies average over bands, weighted with E^-2.4.

    Parameters
    ----------
    energies : numpy.ndarray, shape (n_energies,)
        Rising, GeV.
    edges : numpy.ndarray, shape (n_bands + 1,)
        Band edges, GeV.

    Returns
    -------
    weights : numpy.ndarray, shape (n_bands, n_energies)
        ``weights @ values`` is the average of the values, interpolated linearly in log energy and
        constant beyond the first and last energy.
    coverage : numpy.ndarray, shape (n_bands,)
        Part of each band's expected photons between the first and the last energy.

    Examples
    --------
    >>> weights, coverage = average_over_bands(np.array([1.0, 10.0]), np.array([1.0, 10.0]))
    >>> weights.round(2), coverage
    (array([[0.73, 0.27]]), array([1.]))
    """
    identity = np.eye(len(energies))
    weights = np.empty((len(edges) - 1, len(energies)))
    for band, (low, high) in enumerate(pairwise(edges)):
        steps = np.geomspace(low, high, 401)  # 400 steps: weights exact to 1e-4
        photons = photons_between(steps[:-1], steps[1:])
        middle = np.log(np.sqrt(steps[:-1] * steps[1:]))
        hats = np.array([np.interp(middle, np.log(energies), row) for row in identity])
        weights[band] = hats @ photons / photons.sum()
    return weights, band_coverage(energies[0], energies[-1], edges)


def format_energies(energies: ArrayLike) -> str:
    """Write a range of energies as ``"10-500 GeV"``.

    Examples
    --------
    >>> format_energies([1.0, 1.995262])
    '1-1.995 GeV'
    """
    low, high = np.asarray(energies, float)
    return f"{low:.4g}-{high:.4g} GeV"


def _snapped(
    low: ArrayLike, high: ArrayLike, edges: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move the bin edge nearest to each band edge onto it, where it is within 1 %."""
    low, high = np.array(low, float, ndmin=1), np.array(high, float, ndmin=1)
    for edge in edges:
        start, end = _nearest(low, edge), _nearest(high, edge)
        if _equal(low[start], edge) and edge < high[start]:  # no bin vanishes, however narrow
            low[start] = edge
        if _equal(high[end], edge) and edge > low[end]:
            high[end] = edge
    return low, high


def _nearest(values: NDArray[np.float64], edge: float) -> int:
    return int(np.argmin(np.abs(np.log(values / edge))))


def _equal(value: float, edge: float) -> bool:
    return bool(abs(value / edge - 1) <= EQUAL_EDGES)


def _overlap(low: NDArray, high: NDArray, edges: NDArray) -> NDArray[np.float64]:
    """Give the expected photons, up to a constant, of each bin within each band."""
    return photons_between(
        np.maximum(low, edges[:-1, None]),
        np.minimum(high, edges[1:, None]),
    )


def _coarse_bins(
    coarse: NDArray, split: NDArray, low: NDArray, high: NDArray, edges: NDArray
) -> str:
    """Say which bins are too coarse for which bands, and what to do; nothing where none are."""
    bad = np.flatnonzero(coarse)
    if not bad.size:
        return ""
    bins = np.flatnonzero(split[bad].any(axis=0))
    too_coarse = ", ".join(format_energies([low[i], high[i]]) for i in bins)
    bands = ", ".join(format_energies(edges[band : band + 2]) for band in bad)
    return (
        f"{too_coarse} would have to be shared out to fill more than half of {bands}; "
        f"use bins with edges at {_listed(np.unique([edges[bad], edges[bad + 1]]))} GeV"
    )


def _notes(
    parts: NDArray,
    coverage: NDArray,
    present: NDArray,
    coarse: str,
    low: NDArray,
    high: NDArray,
    edges: NDArray,
) -> tuple[str, ...]:
    notes = [
        f"band {format_energies(edges[b : b + 2])} misses {1 - coverage[b]:.1%} of its expected "
        "counts: the map does not cover all of its energies"
        for b in np.flatnonzero(present & (coverage < 0.999))
    ]
    absent = [format_energies(edges[b : b + 2]) for b in np.flatnonzero(~present)]
    if absent:
        notes.append(f"bands absent: {', '.join(absent)}")
    if coarse:
        notes.append(f"bands absent because energy bins are too coarse for them: {coarse}")
    unused = np.flatnonzero(~parts.any(axis=0))
    if unused.size:
        ranges = ", ".join(format_energies([low[i], high[i]]) for i in unused)
        notes.append(f"energy bins not used: {ranges}")
    return tuple(notes)


def _listed(energies: NDArray) -> str:
    return ", ".join(f"{energy:.4g}" for energy in energies)
