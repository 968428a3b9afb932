"""Gaussians on the sky: fluxes, axes, position angles and their errors.

In: components in pixels and units of the beam. Out: one value per source or component, degrees and
Jy. A source of several components has the moments of their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psseg.catalogue.positions import principal_axes
from psseg.catalogue.radio_components import Components
from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = ["Ellipses", "SkyGaussians", "combined", "deconvolved", "ellipses", "on_sky"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

_ELEMENTS = np.array([[[1.0, 0], [0, 0]], [[0, 1], [1, 0]], [[0, 0], [0, 1]]])
"""How a symmetric matrix changes with its elements xx, xy and yy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SkyGaussians:
    """Gaussians with errors, in the plane that touches the sky at each.

    Parameters
    ----------
    position : ndarray (n, 2)
        Degrees east and north of the reference position of the source.
    position_covariance : ndarray (n, 2, 2)
        Deg2.
    covariance : ndarray (n, 2, 2)
        Of the Gaussian, deg2, order (east, north).
    shape_errors : ndarray (n, 4, 4)
        Covariance of the elements of `covariance`, order (ee, en, ne, nn).
    peak, peak_error : ndarray (n,)
        Jy/beam.
    flux, flux_error : ndarray (n,)
        Jy.
    """

    position: Floats
    position_covariance: Floats
    covariance: Floats
    shape_errors: Floats
    peak: Floats
    peak_error: Floats
    flux: Floats
    flux_error: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Ellipses:
    """Ellipses on the sky with errors.

    Parameters
    ----------
    major, minor : ndarray (n,)
        FWHM, deg.
    angle : ndarray (n,)
        Position angle of the major axis, deg east of north, 0 to 180.
    major_error, minor_error, angle_error : ndarray (n,)
        Deg; that of the angle is at most 90.
    """

    major: Floats
    minor: Floats
    angle: Floats
    major_error: Floats
    minor_error: Floats
    angle_error: Floats


def on_sky(components: Components, beam: Floats, jacobian: Floats) -> SkyGaussians:
    """Bring components from pixels to the sky.

    Parameters
    ----------
    components : Components
        As fitted.
    beam : ndarray (2, 2)
        Covariance of the beam, pixel2.
    jacobian : ndarray (n, 2, 2)
        As `psseg.catalogue.positions.local_jacobian` gives it.

    Returns
    -------
    SkyGaussians
        With positions relative to each component itself.

    Notes
    -----
    The flux of a Gaussian of peak A is A (det S / det B)^0.5 for covariances S of it and B of the
    beam, the ratio of their solid angles; errors are propagated with all covariances, as the
    errors of peak and size are correlated.
    """
    to_sky = jacobian @ np.linalg.cholesky(beam)
    inverse = np.linalg.inv(components.shape[:, [0, 1, 1, 2]].reshape(-1, 2, 2))
    changes = -(inverse[:, None] @ _ELEMENTS @ inverse[:, None])
    by_shape = to_sky[:, None] @ changes @ to_sky[:, None].transpose(0, 1, 3, 2)
    gradient = by_shape.reshape(-1, 3, 4)
    fitted = components.covariance
    shape_errors = gradient.transpose(0, 2, 1) @ fitted[:, 3:, 3:] @ gradient
    stretch = components.stretch()
    flux = components.amplitude * stretch
    # d ln flux = d ln amplitude - tr(P^-1 dP) / 2
    by_parameter = np.zeros((len(components), 6))
    by_parameter[:, 0] = components.rms * stretch
    by_parameter[:, 3:] = -0.5 * flux[:, None] * np.einsum("nij,kji->nk", inverse, _ELEMENTS)
    variance = np.einsum("ni,nij,nj->n", by_parameter, fitted, by_parameter)
    return SkyGaussians(
        position=np.zeros((len(components), 2)),
        position_covariance=to_sky @ fitted[:, 1:3, 1:3] @ to_sky.transpose(0, 2, 1),
        covariance=to_sky @ inverse @ to_sky.transpose(0, 2, 1),
        shape_errors=shape_errors,
        peak=components.amplitude,
        peak_error=np.sqrt(fitted[:, 0, 0]) * components.rms,
        flux=flux,
        flux_error=np.sqrt(variance),
    )


def combined(gaussians: SkyGaussians, owner: Integers, n: int) -> SkyGaussians:
    """Add up the components of each source.

    Parameters
    ----------
    gaussians : SkyGaussians
        The components, positions relative to any one point of the source.
    owner : ndarray of int (n_components,)
        Index of the source of each.
    n : int
        Sources.

    Returns
    -------
    SkyGaussians
        One per source: summed flux, peak of the brightest, first and second moments of the sum;
        NaN for a source without components. Errors of different components count as independent.
    """
    flux = _sums(gaussians.flux, owner, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = gaussians.flux / flux[owner]
        relative = gaussians.flux_error / flux[owner]
    center = _sums(weight[:, None] * gaussians.position, owner, n)
    offset = gaussians.position - center[owner]
    outer = offset[:, :, None] * offset[:, None, :]
    covariance = _sums(weight[:, None, None] * (gaussians.covariance + outer), owner, n)
    squared, relative2 = weight[:, None, None] ** 2, relative[:, None, None] ** 2
    moved = squared * gaussians.position_covariance + relative2 * outer
    excess = (gaussians.covariance + outer - covariance[owner]).reshape(-1, 4)
    eye = np.eye(2)
    by_offset = np.einsum("ni,jk->nkij", offset, eye) + np.einsum("nj,ik->nkij", offset, eye)
    by_offset = by_offset.reshape(-1, 2, 4)
    shape = gaussians.shape_errors + (
        by_offset.transpose(0, 2, 1) @ gaussians.position_covariance @ by_offset
    )
    shape = squared * shape + relative2 * (excess[:, :, None] * excess[:, None, :])
    order = np.lexsort((gaussians.peak, owner))
    has = np.bincount(owner, minlength=n) > 0
    brightest = order[np.searchsorted(owner[order], np.flatnonzero(has), side="right") - 1]
    return SkyGaussians(
        position=_or_nan(center, has),
        position_covariance=_or_nan(_sums(moved, owner, n), has),
        covariance=_or_nan(covariance, has),
        shape_errors=_or_nan(_sums(shape, owner, n), has),
        peak=_spread(gaussians.peak[brightest], has),
        peak_error=_spread(gaussians.peak_error[brightest], has),
        flux=_or_nan(flux, has),
        flux_error=_or_nan(np.sqrt(_sums(gaussians.flux_error**2, owner, n)), has),
    )


def ellipses(covariance: Floats, shape_errors: Floats) -> Ellipses:
    """Give axes and position angles of Gaussians.

    Parameters
    ----------
    covariance : ndarray (n, 2, 2)
        Deg2, order (east, north); NaN where unknown.
    shape_errors : ndarray (n, 4, 4)
        As in `SkyGaussians`.

    Returns
    -------
    Ellipses
        An axis without extent has length 0.
    """
    axes = principal_axes(covariance)
    small, large, across, along = axes

    def error(one: Floats, other: Floats) -> Floats:
        direction = (one[:, :, None] * other[:, None, :]).reshape(-1, 4)
        return np.sqrt(np.einsum("ni,nij,nj->n", direction, shape_errors, direction))

    major, minor = (FWHM_PER_SIGMA * np.sqrt(np.maximum(value, 0)) for value in (large, small))
    with np.errstate(invalid="ignore", divide="ignore"):
        angle_error = np.rad2deg(error(along, across) / (large - small))
        return Ellipses(
            major=major,
            minor=minor,
            angle=axes.angle,
            major_error=error(along, along) * FWHM_PER_SIGMA**2 / (2 * major),
            minor_error=error(across, across) * FWHM_PER_SIGMA**2 / (2 * minor),
            angle_error=np.fmin(angle_error, 90.0),
        )


def deconvolved(covariance: Floats, beam: Floats) -> tuple[Floats, Floats, Floats]:
    """Take the beam off Gaussians.

    Parameters
    ----------
    covariance : ndarray (n, 2, 2)
        As seen, deg2, order (east, north).
    beam : ndarray (n, 2, 2)
        Of the beam there, deg2.

    Returns
    -------
    major, minor, angle : ndarray (n,)
        FWHM and position angle, deg; an axis no longer than the beam's is 0, and so is the angle of
        a source without extent.

    Notes
    -----
    Covariances of Gaussians add up under convolution: their difference is what is left.
    """
    # Rounding must not make a point of 1e-4 beams of an unresolved source.
    tiny = 1e-6 * np.trace(beam, axis1=1, axis2=2)
    axes = principal_axes(covariance - beam)
    small, large = (np.where(value > tiny, value, value * 0.0) for value in axes[:2])
    angle = np.where(large == 0, 0.0, axes.angle)
    return FWHM_PER_SIGMA * np.sqrt(large), FWHM_PER_SIGMA * np.sqrt(small), angle


def _sums(values: Floats, owner: Integers, n: int) -> Floats:
    result = np.zeros((n, *values.shape[1:]))
    np.add.at(result, owner, values)
    return result


def _or_nan(values: Floats, known: Bools) -> Floats:
    return np.where(known.reshape(-1, *[1] * (values.ndim - 1)), values, np.nan)


def _spread(values: Floats, where: Bools) -> Floats:
    result = np.full(len(where), np.nan)
    result[where] = values
    return result
