"""From segments of a radio image to sources: positions, fluxes, sizes, flags.

In: an image with its noise, and the segments. Out: one table with a row per segment and one with a
row per Gaussian.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.positions import local_jacobian
from psseg.catalogue.radio_blends import part_segments
from psseg.catalogue.radio_canvas import add_components
from psseg.catalogue.radio_components import Components, Plane
from psseg.catalogue.radio_fitting import fit_components
from psseg.catalogue.radio_flags import (
    RadioFlag,
    flag_sum,
    near_bright,
    near_negative,
    near_pixels,
)
from psseg.catalogue.radio_peaks import find_peaks, group_peaks
from psseg.catalogue.radio_shapes import SkyGaussians, deconvolved, ellipses, on_sky
from psseg.catalogue.radio_totals import Totals, plane_fluxes, source_totals
from psseg.catalogue.segment_map import SegmentMap
from psseg.catalogue.segment_pixels import SegmentPixels, at_edge, beside_others, list_pixels
from psseg.errors import PssegError
from psseg.tiles.beam import FWHM_PER_SIGMA
from psseg.tiles.noise import Noise
from psseg.tiles.radio_image import RadioImage

__all__ = ["ImageMeasurement", "measure_image"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

PER_BEAM = u.Jy / u.beam


class ImageMeasurement(NamedTuple):
    """What was measured in an image.

    Parameters
    ----------
    sources : QTable
        One row per segment in the order of the labels; columns are explained in
        `psseg.catalogue.radio_columns`, besides ``PARENT`` (index of the segment that it was found
        in), ``X``, ``Y`` (pixels), ``SOURCE_SCORE`` (highest source probability), and
        ``plane_flux``, ``e_plane_flux`` (n, 3): Stokes I, I at the other frequency, V. What cannot
        be known is NaN.
    components : QTable
        One row per Gaussian, in the order of the sources, the brightest of each first.
    segments : SegmentMap
        One per source: those that hold two sources are two.
    """

    sources: QTable
    components: QTable
    segments: SegmentMap


def measure_image(
    image: RadioImage,
    noise: Noise,
    segments: SegmentMap,
    source_probability: NDArray[np.floating],
    *,
    unlike_training: bool = False,
) -> ImageMeasurement:
    """Measure the sources of a radio image.

    Parameters
    ----------
    image : RadioImage
        The image; sources are measured in its reference plane.
    noise : Noise
        Noise and background of every plane.
    segments : SegmentMap
        Which pixels belong to which source.
    source_probability : ndarray (n_pixels,)
        Probability that a pixel belongs to any source, of each pixel of the segments.
    unlike_training : bool
        Whether to flag all sources as measured on an image unlike the training skies.

    Returns
    -------
    ImageMeasurement

    Raises
    ------
    PssegError
        If the arrays do not fit together.

    Notes
    -----
    A source is a sum of Gaussians, each a point or a free ellipse
    (`psseg.catalogue.radio_fitting.fit_components`). Two points 0.75 to 1.6 beams apart, with
    nothing else in their segment, are two sources (`psseg.catalogue.radio_blends`).
    Where Gaussians leave more than a tenth of the flux in the segment, that is added, and size and
    position are those of the pixels; a source without any sensible Gaussian is measured from its
    pixels alone. Both carry the flag ``FIT_FAILED``.

    Where there are further planes, fluxes in all of them are measured with the shapes held, and
    `psseg.catalogue.radio_ratios.add_ratios` gives the spectral index and V/I that follow.

    The beam is taken as constant over the image in pixels, at the angle of its middle.
    """
    _check(image, noise, segments, source_probability)
    planes = _planes(image, noise)
    reference = planes[0]
    pixels = list_pixels(segments)
    fitted, segment = _all_components(reference, pixels)
    pixels, segment, parent = part_segments(reference, pixels, fitted, segment)
    segments = _parted(segments, pixels)
    model = np.zeros(image.shape, dtype=np.float32)
    add_components(model, reference.whitening, fitted, ~fitted.failed)
    signal = pixels.of(reference.data) - pixels.of(reference.mean)
    residual = signal - pixels.of(model)
    jacobian = local_jacobian(image.wcs, fitted.x, fitted.y)
    gaussians = on_sky(fitted, reference.beam, jacobian)
    totals = source_totals(reference, image.wcs, pixels, fitted, gaussians, segment, residual)
    fluxes = _fluxes_by_plane(planes, fitted, segment, pixels, totals)
    x, y = _centroids(totals, source_probability, pixels)

    table = QTable({"SEGMENT": segments.labels, "PARENT": parent})
    table["N_PIXELS"] = pixels.counts().astype(np.int32)
    members = np.bincount(segment[~fitted.failed], minlength=pixels.n_segments)
    table["N_COMPONENTS"] = members.astype(np.int32)
    table["SOURCE_SCORE"] = pixels.highest(source_probability)
    table["X"], table["Y"] = x, y
    _add_positions(table, image, x, y, totals.gaussians)
    _add_shapes(table, totals.gaussians, totals.beam, shaped=totals.shaped)
    _add_noise(table, reference, x, y)
    table["SNR"] = (table["peak_flux"] / table["rms_image"]).to_value("")
    _add_residuals(table, pixels, residual)
    table["plane_flux"], table["e_plane_flux"] = (
        _by_plane(image, values) * u.Jy for values in fluxes
    )
    table["freq"] = np.full(len(table), image.frequencies[0]) * u.Hz
    blended = _fitted_with_others(fitted, segment, len(table))
    table["Flags"] = _flags(table, image, reference, segments, totals, blended)
    if unlike_training:
        table["Flags"] |= np.int32(RadioFlag.UNLIKE_TRAINING)
    labels = segments.labels[segment]
    components = _component_table(image, reference, fitted, gaussians, jacobian, labels)
    return ImageMeasurement(sources=table, components=components, segments=segments)


def _check(image: RadioImage, noise: Noise, segments: SegmentMap, probability: NDArray) -> None:
    wanted = {
        "noise.rms": (noise.rms.shape, image.planes.shape),
        "noise.mean": (noise.mean.shape, image.planes.shape),
        "segments": (segments.shape, image.shape),
        "source_probability": (probability.shape, segments.index.shape),
    }
    for name, (shape, want) in wanted.items():
        if shape != want:
            raise PssegError(f"{name}: want shape {want} to fit image and segments, got {shape}")


def _planes(image: RadioImage, noise: Noise) -> list[Plane]:
    rotation, scale = image.rotation, image.pixel_scale
    return [
        Plane(data=data, mean=mean, rms=rms, beam=beam.covariance(scale, rotation=rotation))
        for data, mean, rms, beam in zip(
            image.planes, noise.mean, noise.rms, image.beams, strict=True
        )
    ]


def _all_components(plane: Plane, pixels: SegmentPixels) -> tuple[Components, Integers]:
    """Fit all components; give them with the index of the segment of each."""
    whitening = plane.whitening
    peaks = find_peaks(plane.data, plane.mean, plane.rms, pixels, whitening)
    places = np.stack([peaks.columns, peaks.rows], axis=-1).astype(float)
    group = group_peaks(places, whitening)
    fitted, peak = fit_components(plane, places[:, 0], places[:, 1], group)
    return fitted, peaks.segment[peak]


def _parted(segments: SegmentMap, pixels: SegmentPixels) -> SegmentMap:
    """Give further segments the labels that follow."""
    further = pixels.owner - segments.n_labels + 1
    label = np.where(further > 0, segments.max_label + further, segments.label)
    return replace(segments, label=label.astype(np.int32))


def _fluxes_by_plane(
    planes: list[Plane],
    fitted: Components,
    segment: Integers,
    pixels: SegmentPixels,
    totals: Totals,
) -> tuple[Floats, Floats]:
    """Give fluxes and errors (n_planes, n), all measured alike; of one plane, those of the fit."""
    if len(planes) == 1:
        return totals.gaussians.flux[None], totals.gaussians.flux_error[None]
    return plane_fluxes(planes, fitted, segment, pixels, totals.failed)


def _centroids(
    totals: Totals, probability: NDArray[np.floating], pixels: SegmentPixels
) -> tuple[Floats, Floats]:
    """Give the positions, those of the probabilities where there is no flux at all."""
    if np.isfinite(totals.x).all():
        return totals.x, totals.y
    x, y = pixels.centroids(probability)
    lost = ~np.isfinite(totals.x)
    return np.where(lost, x, totals.x), np.where(lost, y, totals.y)


def _add_positions(
    table: QTable, image: RadioImage, x: Floats, y: Floats, gaussians: SkyGaussians
) -> None:
    sky = image.pixel_to_sky(x, y)
    table["ra"], table["dec"] = sky.ra.to(u.deg), sky.dec.to(u.deg)
    errors = np.sqrt(np.diagonal(gaussians.position_covariance, axis1=1, axis2=2))
    table["e_ra"], table["e_dec"] = errors[:, 0] * u.deg, errors[:, 1] * u.deg
    table["GLON"], table["GLAT"] = sky.galactic.l.to(u.deg), sky.galactic.b.to(u.deg)


def _add_shapes(table: QTable, gaussians: SkyGaussians, beam: Floats, *, shaped: Bools) -> None:
    table["peak_flux"] = gaussians.peak * PER_BEAM
    table["e_peak_flux"] = gaussians.peak_error * PER_BEAM
    table["int_flux"] = gaussians.flux * u.Jy
    table["e_int_flux"] = gaussians.flux_error * u.Jy
    seen = ellipses(gaussians.covariance, gaussians.shape_errors)
    table["maj"], table["min"], table["pa"] = (
        a * u.deg for a in (seen.major, seen.minor, seen.angle)
    )
    errors = {"e_maj": seen.major_error, "e_min": seen.minor_error, "e_pa": seen.angle_error}
    for name, error in errors.items():
        table[name] = np.where(shaped, error, np.nan) * u.deg
    intrinsic = deconvolved(gaussians.covariance, beam)
    for name, value in zip(("dc_maj", "dc_min", "dc_pa"), intrinsic, strict=True):
        table[name] = np.where(shaped, value, 0.0) * u.deg


def _add_noise(table: QTable, plane: Plane, x: Floats, y: Floats) -> None:
    table["rms_image"] = plane.at(plane.rms, x, y) * PER_BEAM
    table["mean_image"] = plane.at(plane.mean, x, y) * PER_BEAM


def _add_residuals(table: QTable, pixels: SegmentPixels, residual: NDArray[np.float32]) -> None:
    n_pixels = pixels.sums(np.isfinite(residual))
    n_pixels[n_pixels == 0] = np.nan
    mean = pixels.sums(residual) / n_pixels
    rms = np.sqrt(pixels.sums((residual - mean[pixels.owner]) ** 2) / n_pixels)
    table["resid_rms"], table["resid_mean"] = rms * PER_BEAM, mean * PER_BEAM


def _by_plane(image: RadioImage, values: Floats) -> Floats:
    """Give values (n_planes, n) as (n, 3): Stokes I, I at the other frequency, V; NaN if absent."""
    result = np.full((values.shape[1], 3), np.nan)
    result[:, 0] = values[0]
    if image.stokes[:2] == ("I", "I"):
        result[:, 1] = values[1]
    if image.stokes[-1] == "V":
        result[:, 2] = values[-1]
    return result


def _fitted_with_others(fitted: Components, segment: Integers, n: int) -> Bools:
    """Tell which segments share a group of components with another segment."""
    pairs = np.unique(np.stack([fitted.group, segment]), axis=1)
    shared = np.bincount(pairs[0])[pairs[0]] > 1 if pairs.size else np.zeros(0, dtype=bool)
    result = np.zeros(n, dtype=bool)
    result[pairs[1][shared]] = True
    return result


def _flags(
    table: QTable,
    image: RadioImage,
    plane: Plane,
    segments: SegmentMap,
    totals: Totals,
    blended: Bools,
) -> NDArray[np.int32]:
    x, y = np.asarray(table["X"]), np.asarray(table["Y"])
    fwhm = FWHM_PER_SIGMA * float(np.linalg.det(plane.beam) ** 0.25)
    raised: dict[RadioFlag, Bools | bool] = {
        RadioFlag.EDGE: at_edge(segments),
        RadioFlag.NEAR_BLANK: near_pixels(image.mask, x, y, fwhm),
        RadioFlag.BLENDED: blended | beside_others(segments),
        RadioFlag.FIT_FAILED: totals.failed,
        RadioFlag.MULTIPLE: np.asarray(table["N_COMPONENTS"]) > 1,
        RadioFlag.RESOLVED: np.asarray(table["dc_maj"].value) > 0,
        RadioFlag.NEAR_BRIGHT: near_bright(x, y, table["peak_flux"].value, fwhm),
        RadioFlag.NEGATIVE_NEIGHBOUR: near_negative(plane.data, plane.mean, plane.rms, x, y, fwhm),
        RadioFlag.PLANES_MISSING: image.stokes != ("I", "I", "V"),
    }
    return flag_sum(raised, len(table))


def _component_table(
    image: RadioImage,
    plane: Plane,
    fitted: Components,
    gaussians: SkyGaussians,
    jacobian: Floats,
    labels: NDArray[np.int32],
) -> QTable:
    table = QTable({"SEGMENT": labels})
    _add_positions(table, image, fitted.x, fitted.y, gaussians)
    beam = jacobian @ plane.beam @ jacobian.transpose(0, 2, 1)
    _add_shapes(table, gaussians, beam, shaped=fitted.free)
    _add_noise(table, plane, fitted.x, fitted.y)
    table = table[~fitted.failed]
    table = table[np.lexsort((-table["peak_flux"].value, table["SEGMENT"]))]
    first = np.searchsorted(table["SEGMENT"], table["SEGMENT"])
    table["COMPONENT"] = (np.arange(len(table)) - first + 1).astype(np.int32)
    return table
