"""Elliptical Gaussians fitted to many small cutouts at once.

In: stacked cutouts of the same pixels about each source, in units of the noise. Out: parameters and
their covariance. Coordinates are in units of the beam: its one-sigma ellipse is the unit circle, so
that a point source is exp(-r^2 / 2) whatever the beam.

A Gaussian has six parameters: amplitude, two coordinates of its centre, and three elements of the
symmetric matrix P (the inverse of its covariance): a exp(-(r - r0)' P (r - r0) / 2). P is the unit
matrix for a point source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "N_PARAMETERS",
    "fit_gaussians",
    "gaussians",
    "linear_amplitudes",
    "parameter_covariance",
    "shape_steps",
]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]

N_PARAMETERS = 6
POINT_PARAMETERS = 3

MAX_ITERATIONS = 15
"""Sources near the beam's shape need four; blends of four need ten."""

CHI2_TOLERANCE = 1e-3
"""A fit has converged when chi2 falls by less: parameters then move by 3 % of their errors."""

MAX_DAMPING = 1e5

MAX_SHIFT = 1.6
"""Sigma of the beam (0.7 of its FWHM) that a centre may move from where its peak was seen."""

SMALLEST_SIZE = 0.5
"""Sigma of the narrowest Gaussian, in those of the beam: noise makes peaks narrower than it."""

BLOCK = 1_500_000
"""Elements of the matrix of derivatives handled at a time: it stays in the cache."""


def gaussians(parameters: Floats, grid: Singles) -> Singles:
    """Give the values of Gaussians.

    Parameters
    ----------
    parameters : ndarray (..., 6)
        Amplitude, centre, and the elements xx, xy, yy of P.
    grid : ndarray (2, n_pixels)
        Where.

    Returns
    -------
    ndarray of float32 (..., n_pixels)
    """
    single = parameters.astype(np.float32)[..., None]
    return single[..., 0, :] * _exponentials(single, *_offsets(single, grid))


def fit_gaussians(
    values: Singles, weights: Singles, grid: Singles, start: Floats, free: Bools, *, largest: float
) -> tuple[Floats, Bools]:
    """Fit sums of Gaussians by least squares, after Levenberg and Marquardt.

    Parameters
    ----------
    values : ndarray of float32 (n, n_pixels)
        In units of the noise.
    weights : ndarray of float32 (n, n_pixels)
        Weight of each squared residual; 0 where blank.
    grid : ndarray (2, n_pixels)
        Of the pixels, in units of the beam.
    start : ndarray (n, k, 6)
        Parameters of the k Gaussians of each cutout to start from.
    free : ndarray of bool (n, k)
        Whether the shape is fitted too; else it stays what it was.
    largest : float
        Sigma of the largest Gaussian allowed, in units of the beam.

    Returns
    -------
    parameters : ndarray (n, k, 6)
    converged : ndarray of bool (n,)

    Notes
    -----
    Centres stay within 0.7 beams of their start, sizes between half a beam and `largest`. The
    number of iterations is bounded, so the time grows with the number of pixels alone.
    """
    n_columns = start.shape[1] * (N_PARAMETERS if free.any() else POINT_PARAMETERS)
    step = max(BLOCK // (values.shape[1] * n_columns), 1)
    fitted, converged = start.astype(float), np.zeros(len(start), dtype=bool)
    for first in range(0, len(start), step):
        part = slice(first, first + step)
        fitted[part], converged[part] = _fit_block(
            values[part], weights[part], grid, fitted[part], free[part], largest
        )
    return fitted, converged


def parameter_covariance(
    weights: Singles, grid: Singles, parameters: Floats, free: Bools, correlation: Singles
) -> Floats:
    """Give the covariance of fitted parameters under correlated noise.

    Parameters
    ----------
    weights, grid, parameters, free
        As for `fit_gaussians`, with the parameters found.
    correlation : ndarray of float32 (n_pixels, n_pixels)
        Of the noise.

    Returns
    -------
    ndarray (n, k, 6, 6)
        Zero in the rows and columns of what was not fitted; NaN where nothing can be said.

    Notes
    -----
    A^-1 (J'W C W J) A^-1 with A = J'WJ: exact to first order for any weights. For one free
    Gaussian, equal weights and round beams it agrees with Condon (1997, PASP 109, 166), eqs. 21
    and 41: with his exponents 3/2 and 3/2 for the amplitude; with 5/2 and 1/2 for the axes within
    5 % above 1.5 beams, and 1.22 times larger than his for a point source. For the centre he takes
    5/2 and 1/2 too; in a fit with equal weights they are 3/2 and 1/2, an error 2**0.5 times larger
    for a point source (Refregier & Brown 1998, astro-ph/9803279, treat the general case). The
    weights of `psseg.catalogue.radio_components` bring it back to within 6 % of Condon's.
    """
    n, k = free.shape
    result = np.empty((n, k, N_PARAMETERS, N_PARAMETERS))
    step = max(BLOCK // (weights.shape[1] * k * N_PARAMETERS), 1)
    for first in range(0, n, step):
        part = slice(first, first + step)
        result[part] = _own_blocks(
            *_curvature_and_noise(weights[part], grid, parameters[part], free[part], correlation)
        )
    return result


def shape_steps(
    values: Singles, weights: Singles, grid: Singles, parameters: Floats, correlation: Singles
) -> tuple[Floats, Floats]:
    """Give how the shapes of Gaussians would change if they were free: one step of a fit.

    Parameters
    ----------
    values, weights, grid, parameters, correlation
        As for `fit_gaussians` and `parameter_covariance`.

    Returns
    -------
    steps : ndarray (n, k, 3)
        Change of the elements of P.
    covariance : ndarray (n, k, 3, 3)
        Of the steps, if the present shape is right.
    """
    n, k, _ = parameters.shape
    steps, covariance = np.empty((n, k, 3)), np.empty((n, k, 3, 3))
    block = max(BLOCK // (weights.shape[1] * k * N_PARAMETERS), 1)
    free = np.ones((n, k), dtype=bool)
    for first in range(0, n, block):
        part = slice(first, first + block)
        derivatives, model = _derivatives(parameters[part], grid, free[part], N_PARAMETERS)
        pull = _product(derivatives, (weights[part] * (values[part] - model))[..., None])[..., 0]
        curvature, noise, fixed = _curvature_and_noise(
            weights[part], grid, parameters[part], free[part], correlation
        )
        moved = _solved(curvature, pull).reshape(-1, k, N_PARAMETERS)
        steps[part] = moved[..., POINT_PARAMETERS:]
        blocks = _own_blocks(curvature, noise, fixed)
        covariance[part] = blocks[..., POINT_PARAMETERS:, POINT_PARAMETERS:]
    return steps, covariance


def linear_amplitudes(
    values: Singles, weights: Singles, grid: Singles, parameters: Floats, correlation: Singles
) -> tuple[Floats, Floats]:
    """Fit the amplitudes of Gaussians whose centres and shapes are known.

    Parameters
    ----------
    values, weights, grid, correlation
        As for `fit_gaussians` and `parameter_covariance`.
    parameters : ndarray (n, k, 6)
        The amplitudes in them do not matter.

    Returns
    -------
    amplitudes, errors : ndarray (n, k)
        In units of the noise; NaN where there are no pixels.
    """
    unit = np.concatenate([np.ones_like(parameters[..., :1]), parameters[..., 1:]], axis=-1)
    shapes = gaussians(unit, grid).transpose(0, 2, 1)
    weighted = shapes * weights[..., None]
    curvature = _product(shapes, weighted)
    pull = _product(weighted, values[..., None])[..., 0]
    inverse = _inverted(curvature)
    variance = inverse @ _product(weighted, correlation @ weighted) @ inverse
    errors = np.sqrt(np.maximum(np.diagonal(variance, axis1=1, axis2=2), 0))
    return (inverse @ pull[..., None])[..., 0], errors


def _offsets(parameters: Singles, grid: Singles) -> tuple[Singles, Singles]:
    return grid[0] - parameters[..., 1, :], grid[1] - parameters[..., 2, :]


def _exponentials(parameters: Singles, u: Singles, v: Singles) -> Singles:
    xx, xy, yy = (-0.5 * parameters[..., i, :] for i in (3, 4, 5))
    return np.exp(u * (xx * u + 2 * xy * v) + yy * v * v)


def _derivatives(parameters: Floats, grid: Singles, free: Bools, m: int) -> tuple[Singles, Singles]:
    """Give derivatives (n, n_pixels, k * m) with m = 3 or 6, and the model (n, n_pixels)."""
    n, k, _ = parameters.shape
    single = parameters.astype(np.float32)[..., None]
    u, v = _offsets(single, grid)
    shape = _exponentials(single, u, v)
    values = single[..., 0, :] * shape
    result = np.empty((n, k, m, grid.shape[1]), dtype=np.float32)
    result[:, :, 0] = shape
    result[:, :, 1] = values * (single[..., 3, :] * u + single[..., 4, :] * v)
    result[:, :, 2] = values * (single[..., 4, :] * u + single[..., 5, :] * v)
    if m == N_PARAMETERS:
        to_shape = values * (-0.5 * free.astype(np.float32)[..., None])
        result[:, :, 3] = to_shape * u * u
        result[:, :, 4] = to_shape * (2 * u * v)
        result[:, :, 5] = to_shape * v * v
    return result.reshape(n, k * m, -1).transpose(0, 2, 1), values.sum(axis=1)


def _product(left: Singles, right: Singles) -> Floats:
    """Give left' right for every cutout."""
    return np.matmul(left.transpose(0, 2, 1), right).astype(float)


def _fit_block(
    values: Singles, weights: Singles, grid: Singles, start: Floats, free: Bools, largest: float
) -> tuple[Floats, Bools]:
    parameters, converged = start.copy(), np.zeros(len(start), dtype=bool)
    damping = np.full(len(start), 1e-3)
    m = N_PARAMETERS if free.any() else POINT_PARAMETERS
    derivatives, model = _derivatives(parameters, grid, free, m)
    chi2 = _chi2(values, weights, model)
    active = np.arange(len(start))
    for _ in range(MAX_ITERATIONS):
        weight = weights[active]
        weighted = derivatives * weight[..., None]
        curvature = _product(derivatives, weighted)
        pull = _product(weighted, (values[active] - model)[..., None])[..., 0]
        trial = _bounded(
            parameters[active] + _step(curvature, pull, damping[active], start.shape[1]),
            start[active],
            free[active],
            largest,
        )
        new_derivatives, new_model = _derivatives(trial, grid, free[active], m)
        new_chi2 = _chi2(values[active], weight, new_model)
        gain = chi2[active] - new_chi2
        better = gain >= 0
        parameters[active[better]] = trial[better]
        chi2[active[better]] = new_chi2[better]
        damping[active] *= np.where(better, 0.1, 10.0)
        small = np.abs(gain) < CHI2_TOLERANCE + 1e-6 * new_chi2
        converged[active[small]] = True
        going = ~small & (damping[active] < MAX_DAMPING)
        if not going.any():
            break
        keep = better[going]
        derivatives = np.where(keep[:, None, None], new_derivatives[going], derivatives[going])
        model = np.where(keep[:, None], new_model[going], model[going])
        active = active[going]
    return parameters, converged


def _chi2(values: Singles, weights: Singles, model: Singles) -> Floats:
    return np.einsum("ij,ij,ij->i", weights, values - model, values - model).astype(float)


def _step(curvature: Floats, pull: Floats, damping: Floats, k: int) -> Floats:
    """Give the damped step of all parameters, (n, k, 6), zero for what is not fitted."""
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    extra = damping[:, None] * diagonal + (diagonal <= 0)
    damped = curvature + extra[..., None] * np.eye(curvature.shape[-1])
    step = _solved(damped, pull).reshape(len(pull), k, -1)
    return np.concatenate([step, np.zeros((*step.shape[:2], N_PARAMETERS - step.shape[2]))], -1)


def _solved(matrix: Floats, vector: Floats) -> Floats:
    return (_inverted(matrix) @ vector[..., None])[..., 0]


def _inverted(matrix: Floats) -> Floats:
    """Invert symmetric matrices, scaled to a diagonal of ones; NaN where one is singular."""
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)
    good = np.asarray(np.isfinite(matrix).all(axis=(1, 2)) & (diagonal > 0).all(axis=1))
    scale = 1 / np.sqrt(np.where(good[:, None], diagonal, 1.0))
    scaled = matrix * scale[:, :, None] * scale[:, None, :]
    identity = np.eye(matrix.shape[-1])
    # Two Gaussians in the same place are told apart by nothing: the ridge keeps the step finite.
    inverse = np.linalg.inv(np.where(good[:, None, None], scaled, identity) + 1e-7 * identity)
    inverse[~good] = np.nan
    return inverse * scale[:, :, None] * scale[:, None, :]


def _bounded(parameters: Floats, start: Floats, free: Bools, largest: float) -> Floats:
    centre = start[..., 1:3]
    parameters[..., 1:3] = np.clip(parameters[..., 1:3], centre - MAX_SHIFT, centre + MAX_SHIFT)
    bad = ~np.isfinite(parameters).all(axis=(1, 2))
    parameters[bad] = start[bad]
    if free.any():
        parameters[..., 3:][free] = _bounded_shapes(parameters[..., 3:][free], largest)
    return parameters


def _bounded_shapes(shape: Floats, largest: float) -> Floats:
    """Keep the eigenvalues of P within the sizes allowed."""
    xx, xy, yy = shape.T
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    radius = np.hypot(half, xy)
    low, high = (
        np.clip(middle + sign * radius, largest**-2, SMALLEST_SIZE**-2) for sign in (-1, 1)
    )
    scale = np.where(radius > 0, (high - low) / 2 / np.maximum(radius, 1e-30), 0.0)
    middle = (low + high) / 2
    return np.stack([middle + half * scale, xy * scale, middle - half * scale], axis=-1)


def _curvature_and_noise(
    weights: Singles, grid: Singles, parameters: Floats, free: Bools, correlation: Singles
) -> tuple[Floats, Floats, int]:
    """Give J'WJ, J'W C W J and k."""
    m = N_PARAMETERS if free.any() else POINT_PARAMETERS
    derivatives, _ = _derivatives(parameters, grid, free, m)
    weighted = derivatives * weights[..., None]
    curvature = _product(derivatives, weighted)
    noise = _product(weighted, np.matmul(correlation, weighted))
    return curvature, noise, free.shape[1]


def _own_blocks(curvature: Floats, noise: Floats, k: int) -> Floats:
    """Give each Gaussian's own covariance, (n, k, 6, 6), neighbours of the cutout included."""
    m = curvature.shape[-1] // k
    held = np.diagonal(curvature, axis1=1, axis2=2) <= 0
    inverse = _inverted(curvature + held[..., None] * np.eye(k * m))
    full = (inverse @ noise @ inverse).reshape(-1, k, m, k, m)
    result = np.zeros((len(curvature), k, N_PARAMETERS, N_PARAMETERS))
    for i in range(k):
        result[:, i, :m, :m] = full[:, i, :, i]
    # Rounding, where two Gaussians are in the same place.
    result[(np.diagonal(result, axis1=2, axis2=3) < 0).any(axis=-1)] = np.nan
    return result
