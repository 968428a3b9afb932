"""Sources as wholes: the sums of their Gaussians, or of their pixels where Gaussians do not do.

In: fitted components and the pixels of every segment. Out: position, flux and shape per segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.catalogue.array_rows import taken
from psseg.catalogue.positions import local_jacobian
from psseg.catalogue.radio_components import Components, Plane
from psseg.catalogue.radio_fitting import forced_fluxes
from psseg.catalogue.radio_shapes import SkyGaussians, combined
from psseg.catalogue.segment_pixels import SegmentPixels

__all__ = ["Totals", "plane_fluxes", "source_totals"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

MISFIT_SIGNIFICANCE = 5.0
MISFIT_SHARE = 0.1
"""Gaussians do not describe a source if they leave this share of its flux in the segment, and at
least 5 times the error of that flux."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """One row per source.

    Parameters
    ----------
    x, y : ndarray (n,)
        Centroids, pixels; NaN where a segment has no flux.
    gaussians : SkyGaussians
        Fluxes and moments.
    beam : ndarray (n, 2, 2)
        Covariance of the beam at each, deg2, order (east, north).
    shaped : ndarray of bool (n,)
        Whether its shape was measured; else it is the beam's.
    failed : ndarray of bool (n,)
        Whether it is no sum of Gaussians.
    """

    x: Floats
    y: Floats
    gaussians: SkyGaussians
    beam: Floats
    shaped: Bools
    failed: Bools


@dataclass(frozen=True, kw_only=True, eq=False)
class _Moments:
    """Of the pixels of each segment: flux (Jy) and its error, highest pixel, first and second."""

    x: Floats
    y: Floats
    covariance: Floats
    peak: Floats
    rms: Floats
    flux: Floats
    error: Floats


def source_totals(
    plane: Plane,
    wcs: WCS,
    pixels: SegmentPixels,
    components: Components,
    gaussians: SkyGaussians,
    segment: Integers,
    residual: NDArray[np.floating],
) -> Totals:
    """Add up the components of each source, and check them against its pixels.

    Parameters
    ----------
    plane : Plane
        The reference plane.
    wcs : astropy.wcs.WCS
        Celestial.
    pixels : SegmentPixels
        The segments.
    components, gaussians
        What was fitted, in pixels and on the sky.
    segment : ndarray of int (n_components,)
        Index of the segment of each component.
    residual : ndarray (n_pixels,)
        What the fit leaves in the pixels, Jy/beam.

    Returns
    -------
    Totals
        Where the fit leaves more than a tenth of the flux, and 5 times its error, in the segment,
        that is added to the components' flux, and the moments are those of the pixels.
    """
    n = pixels.n_segments
    good = np.flatnonzero(~components.failed)
    owner = segment[good]
    moments = _moments(plane, pixels)
    x0, y0 = moments.x.copy(), moments.y.copy()
    x0[owner[::-1]], y0[owner[::-1]] = components.x[good][::-1], components.y[good][::-1]
    to_sky = local_jacobian(wcs, x0, y0)
    step = np.stack([components.x[good] - x0[owner], components.y[good] - y0[owner]], axis=-1)
    position = (to_sky[owner] @ step[..., None])[..., 0]
    total = combined(replace(taken(gaussians, good), position=position), owner, n)
    left = pixels.sums(residual) / plane.area
    flux = np.nan_to_num(total.flux) + left
    missing = np.abs(left)
    misfit = (missing > MISFIT_SIGNIFICANCE * moments.error) & (missing > MISFIT_SHARE * flux)
    failed = misfit | ~np.isfinite(total.flux)
    shift = (np.linalg.inv(to_sky) @ np.nan_to_num(total.position)[..., None])[..., 0]
    several = np.bincount(owner, minlength=n) > 1
    return Totals(
        x=np.where(failed, moments.x, x0 + shift[:, 0]),
        y=np.where(failed, moments.y, y0 + shift[:, 1]),
        gaussians=_mixed(total, _of_pixels(moments, to_sky, flux), failed),
        beam=to_sky @ plane.beam @ to_sky.transpose(0, 2, 1),
        shaped=failed | several | (np.bincount(owner, components.free[good], n) > 0),
        failed=failed,
    )


def plane_fluxes(
    planes: Sequence[Plane],
    components: Components,
    segment: Integers,
    pixels: SegmentPixels,
    failed: Bools,
) -> tuple[Floats, Floats]:
    """Measure the sources in all planes alike: the shapes held, or the same pixels.

    Parameters
    ----------
    planes : sequence of Plane
        The reference plane first.
    components, segment, pixels
        As for `source_totals`.
    failed : ndarray of bool (n,)
        Sources that are no sums of Gaussians.

    Returns
    -------
    flux, error : ndarray (n_planes, n)
        Jy; NaN where a plane is blank.
    """
    n = pixels.n_segments
    good = ~components.failed
    flux, error = np.empty((2, len(planes), n))
    for k, plane in enumerate(planes):
        each, deviation = forced_fluxes(plane, planes[0], components)
        flux[k] = np.bincount(segment[good], each[good], n)
        error[k] = np.sqrt(np.bincount(segment[good], deviation[good] ** 2, n))
        if failed.any():
            moments = _moments(plane, pixels)
            flux[k] = np.where(failed, moments.flux, flux[k])
            error[k] = np.where(failed, moments.error, error[k])
    return flux, error


def _moments(plane: Plane, pixels: SegmentPixels) -> _Moments:
    """Measure pixels; those below the background have no weight in the moments."""
    signal = pixels.of(plane.data) - pixels.of(plane.mean)
    weight = np.fmax(signal, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = pixels.sums(weight)
        x = pixels.sums(weight * pixels.columns) / total
        y = pixels.sums(weight * pixels.rows) / total
        dx, dy = pixels.columns - x[pixels.owner], pixels.rows - y[pixels.owner]
        xx, xy, yy = (pixels.sums(weight * a) / total for a in (dx * dx, dx * dy, dy * dy))
        n_pixels = pixels.counts()
        rms = np.sqrt(pixels.sums(pixels.of(plane.rms) ** 2) / n_pixels)
    covariance = np.stack([xx, xy, xy, yy], axis=-1).reshape(-1, 2, 2)
    area = plane.area
    # The sum of n pixels of noise correlated as exp(-d^2 / 4) has the variance 2 n area rms^2.
    # Few pixels, all within a beam, err alike: n times as much as one of them.
    error = np.minimum(np.sqrt(2 * n_pixels / area), n_pixels / area) * rms
    return _Moments(
        x=x,
        y=y,
        covariance=covariance,
        peak=pixels.highest(signal),
        rms=rms,
        flux=pixels.sums(signal) / area,
        error=error,
    )


def _of_pixels(moments: _Moments, to_sky: Floats, flux: Floats) -> SkyGaussians:
    """Give pixels as if they were a Gaussian, with the errors of a peak of that size."""
    covariance = to_sky @ moments.covariance @ to_sky.transpose(0, 2, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = moments.error / np.abs(flux)
    return SkyGaussians(
        position=np.zeros((len(flux), 2)),
        position_covariance=covariance * relative[:, None, None] ** 2,
        covariance=covariance,
        shape_errors=np.full((len(flux), 4, 4), np.nan),
        peak=moments.peak,
        peak_error=moments.rms,
        flux=flux,
        flux_error=moments.error,
    )


def _mixed(one: SkyGaussians, other: SkyGaussians, where: Bools) -> SkyGaussians:
    """Take the other where told."""

    def mixed(here: Floats, there: Floats) -> Floats:
        return np.where(where.reshape(-1, *[1] * (here.ndim - 1)), there, here)

    names = [f.name for f in fields(one)]
    return SkyGaussians(**{name: mixed(getattr(one, name), getattr(other, name)) for name in names})
