"""From a radio image to its catalogue: noise, labels, segments, sources, classes.

In: a radio image and a trained network. Out: the tables of sources and components, the label map
and the segmentation map, on the image's own pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from photutils.segmentation import SegmentationImage
from threadpoolctl import threadpool_limits

from psseg.catalogue.classification import apply_priors, class_scores
from psseg.catalogue.probability import calibrated_classes, source_probability
from psseg.catalogue.radio_measurement import measure_image
from psseg.catalogue.radio_table import build_radio_catalogue
from psseg.catalogue.segmentation import find_segments, kept_segments
from psseg.network.store import Model
from psseg.priors import class_priors
from psseg.tiles.network_planes import NetworkPlanes, network_planes, to_image_grid
from psseg.tiles.noise import Noise, estimate_noise
from psseg.tiles.radio_image import RadioImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ImageCatalogue", "catalogue_image", "describe_image", "label_image"]

ATTENUATED = (
    *("peak_flux", "e_peak_flux", "int_flux", "e_int_flux"),
    *("rms_image", "mean_image", "resid_rms", "resid_mean"),
)
"""Columns that the primary beam attenuates."""

CORE_RADIUS = 0.5
"""Radius, in FWHM, of the disc that stands for a point source where peaks are told apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageCatalogue:
    """What a radio image was found to hold.

    Parameters
    ----------
    table, components : QTable
        The sources, and the Gaussians they are made of.
    segments : SegmentationImage, shape (n_y, n_x)
        Which pixels belong to which source; labels are the catalogue's SEGMENT.
    class_probabilities : numpy.ndarray of float32, shape (4, n_y, n_x)
        Background, pulsar, blazar, other; NaN where blank.
    image : RadioImage
    noise : Noise
        Local rms and mean.
    """

    table: QTable
    components: QTable
    segments: SegmentationImage
    class_probabilities: NDArray[np.float32]
    image: RadioImage
    noise: Noise


def catalogue_image(
    image: RadioImage,
    model: Model,
    *,
    priors: str | Path = "physical",
    threshold: float | None = None,
    attenuation: NDArray[np.floating] | None = None,
    keep_candidates: bool = False,
    progress: bool = False,
) -> ImageCatalogue:
    """Make a catalogue of a radio image.

    Parameters
    ----------
    image : RadioImage
    model : Model
        A trained network with its survey and calibration.
    priors : str or Path
        "physical", "balanced", or a file (:mod:`psseg.priors`).
    threshold : float, optional
        Smallest SOURCE_PROB that is kept. The default is the model's own.
    attenuation : numpy.ndarray, shape (n_y, n_x), optional
        Of the primary beam, 0 to 1: fluxes are divided by it. NaN where it is too small.
    keep_candidates : bool
        Keep what the threshold would leave out, and the columns SOURCE_SCORE, X and Y, for
        calibration and evaluation.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    ImageCatalogue

    Notes
    -----
    The noise is estimated twice: first with bright pixels clipped, then with the segments left
    out, so that sources do not raise their own noise.
    """
    planes = network_planes(image, estimate_noise(image))
    probabilities = _label_planes(image, planes, model, progress=progress)
    found = _find_segments(image, planes, probabilities, model)
    on_image = to_image_grid(probabilities, planes, image.shape)
    segments = _on_image(found, planes, image)
    likelihoods = _class_likelihoods(probabilities, found, model)
    likelihoods = likelihoods[np.isin(found.labels, segments.labels)]
    noise = estimate_noise(image, sources=segments.data > 0)
    with threadpool_limits(limits=1, user_api="blas"):
        measured, components = measure_image(image, noise, segments, 1 - on_image[0])
    if attenuation is not None:
        _correct_fluxes(measured, components, attenuation)
    calibration = model.calibration
    probability = source_probability(
        measured["SOURCE_SCORE"], np.square(measured["SNR"]), calibration.source_coefficients
    )
    table, components = build_radio_catalogue(
        measured,
        components,
        source_probability=probability,
        likelihoods=likelihoods,
        probabilities=apply_priors(likelihoods, _priors(measured, image, priors, model)),
    )
    if keep_candidates:
        for name in ("SOURCE_SCORE", "X", "Y"):
            table[name] = measured[name]
    else:
        limit = calibration.thresholds["high_latitude"] if threshold is None else threshold
        keep = probability >= limit
        table, segments = table[keep], kept_segments(segments, keep)
        components = components[np.isin(components["Source_Name"], table["Source_Name"])]
    return ImageCatalogue(
        table=table,
        components=components,
        segments=segments,
        class_probabilities=on_image,
        image=image,
        noise=noise,
    )


def label_image(
    image: RadioImage, model: Model, *, progress: bool = False
) -> tuple[NDArray[np.float32], Noise]:
    """Label a radio image.

    Parameters
    ----------
    image, model, progress
        As for :func:`catalogue_image`.

    Returns
    -------
    class_probabilities : numpy.ndarray of float32, shape (4, n_y, n_x)
        Background, pulsar, blazar, other; NaN where blank.
    noise : Noise
        Local rms and mean, bright pixels clipped.
    """
    noise = estimate_noise(image)
    planes = network_planes(image, noise)
    probabilities = _label_planes(image, planes, model, progress=progress)
    return to_image_grid(probabilities, planes, image.shape), noise


def describe_image(image: RadioImage, noise: Noise) -> QTable:
    """Give what a catalogue should say about its image.

    Parameters
    ----------
    image : RadioImage
    noise : Noise

    Returns
    -------
    QTable
        One row per plane: Stokes parameter, frequency, beam, median of the local rms.
    """
    axes = {
        f"BEAM_{name.upper()}": [getattr(beam, name) for beam in image.beams] * u.deg
        for name in ("major", "minor", "angle")
    }
    rms = [np.nanmedian(plane) for plane in noise.rms] * u.Jy
    return QTable(
        {"STOKES": list(image.stokes), "FREQ": image.frequencies * u.Hz, **axes, "RMS": rms},
        meta={"NAME": image.name},
    )


def _label_planes(
    image: RadioImage, planes: NetworkPlanes, model: Model, *, progress: bool
) -> NDArray[np.float32]:
    """Give the class probabilities of the network's pixels, (4, m_y, m_x).

    Keras is imported here at the earliest, so that wrong input is told at once.
    """
    from psseg.network.plane_labelling import label_planes

    return label_planes(planes, model, beam_pixels=_beam_pixels(image, planes), progress=progress)


def _beam_pixels(image: RadioImage, planes: NetworkPlanes) -> tuple[float, float, float]:
    """Beam of the reference plane on the network's grid; its angle from +y towards -x."""
    beam, scale = image.beams[0], planes.zoom / image.pixel_scale
    return beam.major * scale, beam.minor * scale, beam.angle + image.rotation


def _find_segments(
    image: RadioImage, planes: NetworkPlanes, probabilities: NDArray[np.float32], model: Model
) -> SegmentationImage:
    """Group pixels on the network's grid, in units of its pixels."""
    major, minor, _ = _beam_pixels(image, planes)
    return find_segments(
        1 - probabilities[0],
        threshold=model.calibration.candidate_threshold,
        pixel_scale=1.0,
        psf_radius=CORE_RADIUS * np.sqrt(major * minor),
        mask=planes.mask,
    )


def _on_image(
    segments: SegmentationImage, planes: NetworkPlanes, image: RadioImage
) -> SegmentationImage:
    return SegmentationImage(to_image_grid(segments.data, planes, image.shape).astype(np.int32))


def _class_likelihoods(
    probabilities: NDArray[np.float32], segments: SegmentationImage, model: Model
) -> NDArray[np.float64]:
    calibration = model.calibration
    return calibrated_classes(
        class_scores(probabilities, segments),
        temperature=calibration.temperature,
        bias=calibration.class_bias,
    )


def _priors(
    measured: QTable, image: RadioImage, priors: str | Path, model: Model
) -> NDArray[np.float64]:
    return class_priors(
        priors,
        model.survey,
        positions=SkyCoord(measured["ra"], measured["dec"]),
        flux=measured["int_flux"].to_value("Jy"),
        frequency=image.frequencies[0],
    )


def _correct_fluxes(sources: QTable, components: QTable, attenuation: NDArray[np.floating]) -> None:
    """Divide fluxes, their errors and the noise by the attenuation at each source."""
    n_y, n_x = attenuation.shape
    rows, columns = (
        np.clip(np.rint(sources[name]).astype(int), 0, n - 1)
        for name, n in (("Y", n_y), ("X", n_x))
    )
    of_source = attenuation[rows, columns].astype(float)
    of_segment = dict(zip(sources["SEGMENT"].tolist(), of_source.tolist(), strict=True))
    of_component = np.array([of_segment[label] for label in components["SEGMENT"].tolist()])
    for table, factor in ((sources, of_source), (components, of_component)):
        for name in ATTENUATED:
            if name in table.colnames:
                table[name] = table[name] / factor
