"""Photon spectra of sources and of diffuse emission, integrated over energy bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["band_fractions", "integrate_table", "log_parabola", "plec4"]

POINTS_PER_BAND = 8
"""Gauss-Legendre nodes per band in log energy; log-parabolae are then exact to 0.1 % in the
widest band, breaking pulsars, which hardly shine there, to 2 %."""

PLEC4_B = 2.0 / 3.0

_LEGENDRE = np.polynomial.legendre.leggauss(POINTS_PER_BAND)


def log_parabola(
    energy: np.ndarray, *, pivot: np.ndarray, index: np.ndarray, curvature: np.ndarray
) -> np.ndarray:
    """Log-parabola of unit height at the pivot.

    Parameters
    ----------
    energy : numpy.ndarray
        Same unit as `pivot`.
    pivot, index, curvature : numpy.ndarray
        E₀, α and β of ``dN/dE = (E/E₀)^-(α + β ln(E/E₀))`` (Abdollahi et al. 2020, ApJS 247, 33,
        eq. 2); broadcast against `energy`.

    Returns
    -------
    numpy.ndarray
        dN/dE relative to that at the pivot.

    Examples
    --------
    >>> round(float(log_parabola(10.0, pivot=1.0, index=2.0, curvature=0.0)), 6)
    0.01
    """
    log_ratio = np.log(energy / pivot)
    return np.exp(-(index + curvature * log_ratio) * log_ratio)


def plec4(
    energy: np.ndarray, *, pivot: np.ndarray, index: np.ndarray, curvature: np.ndarray
) -> np.ndarray:
    """Pulsar spectrum (PLEC4 with b = 2/3) of unit height at the pivot.

    Parameters
    ----------
    energy : numpy.ndarray
        Same unit as `pivot`.
    pivot, index, curvature : numpy.ndarray
        E₀, local photon index Γ_S and curvature d of
        ``dN/dE = (E/E₀)^(-Γ_S + d/b) exp[(d/b²)(1 - (E/E₀)^b)]`` (Smith et al. 2023, ApJ 958,
        191, eq. 15); broadcast against `energy`.

    Returns
    -------
    numpy.ndarray
        dN/dE relative to that at the pivot.
    """
    log_ratio = np.log(energy / pivot)
    cutoff = curvature / PLEC4_B**2 * -np.expm1(PLEC4_B * log_ratio)
    return np.exp((curvature / PLEC4_B - index) * log_ratio + cutoff)


def band_fractions(
    spectrum: str,
    edges: np.ndarray,
    *,
    pivot: np.ndarray,
    index: np.ndarray,
    curvature: np.ndarray,
    reference: tuple[float, float] = (1.0, 100.0),
) -> np.ndarray:
    """Photon flux of sources in each band over that in a reference range.

    Parameters
    ----------
    spectrum : str
        "log-parabola" or "plec4".
    edges : numpy.ndarray, shape (n_bands + 1,)
        Band edges, GeV.
    pivot, index, curvature : numpy.ndarray, shape (n_sources,)
        Spectral parameters; the pivot in GeV.
    reference : tuple of float
        Reference range, GeV.

    Returns
    -------
    numpy.ndarray, shape (n_sources, n_bands)
    """
    shape = {"log-parabola": log_parabola, "plec4": plec4}[spectrum]
    parameters = {"pivot": pivot[:, None], "index": index[:, None], "curvature": curvature[:, None]}
    ranges = np.append(np.stack([edges[:-1], edges[1:]], axis=1), [reference], axis=0)
    energy, weight = _nodes(ranges)
    dnde = shape(energy.ravel(), **parameters).reshape(len(pivot), *energy.shape)
    integral = (dnde * energy * weight).sum(axis=-1)
    return integral[:, :-1] / integral[:, -1:]


def integrate_table(
    energy: Sequence[float], e2dnde: Sequence[float], edges: np.ndarray, *, softening: float = 0.0
) -> np.ndarray:
    """Integrate a tabulated spectrum over bands, log-log between its points.

    Parameters
    ----------
    energy, e2dnde : sequence of float
        Table: energies, GeV, and E² dN/dE, GeV × flux unit.
    edges : numpy.ndarray, shape (n_bands + 1,)
        Band edges, GeV.
    softening : float
        Added to the photon index, about 2 GeV.

    Returns
    -------
    numpy.ndarray, shape (n_bands,)
        Photon flux or intensity per band.
    """
    nodes, weight = _nodes(np.stack([edges[:-1], edges[1:]], axis=1))
    log_value = np.interp(np.log(nodes), np.log(energy), np.log(e2dnde))
    dnde = np.exp(log_value) / nodes**2 * (nodes / 2.0) ** -softening
    return (dnde * nodes * weight).sum(axis=-1)


def _nodes(ranges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre energies and d(ln E) weights, each (n_ranges, POINTS_PER_BAND)."""
    x, w = _LEGENDRE
    low, high = np.log(ranges[:, :1]), np.log(ranges[:, 1:])
    half = (high - low) / 2
    return np.exp(low + half * (x + 1)), half * w
