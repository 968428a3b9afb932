"""From a radio image to its catalogue: noise, labels, segments, sources, classes.

In: a radio image and a trained network. Out: the tables of sources and components, the label map
and the segmentation map, on the image's own pixels. A large image is worked on region by region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable, vstack
from threadpoolctl import threadpool_limits

from psseg.catalogue.attenuation import correct_fluxes
from psseg.catalogue.classification import apply_priors, class_scores
from psseg.catalogue.probability import calibrated_classes, combined_classes, source_probability
from psseg.catalogue.radio_association import associated_segments
from psseg.catalogue.radio_errors import calibrate_errors
from psseg.catalogue.radio_evidence import radio_evidence
from psseg.catalogue.radio_measurement import measure_image
from psseg.catalogue.radio_ratios import add_ratios
from psseg.catalogue.radio_table import build_radio_catalogue
from psseg.catalogue.segment_map import SegmentMap, list_segments
from psseg.catalogue.segmentation import find_segments
from psseg.image_labels import image_noise, label_region, regions_of, store_region
from psseg.likeness import image_statistics, tell_unlike, unlike_statistics
from psseg.network.store import Calibration, Model
from psseg.priors import class_priors
from psseg.radio_classes import leakage_spread, measured_classes
from psseg.survey.classes import CLASS_NAMES, SOURCE_CLASSES
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.network_planes import NetworkPlanes, beam_pixels, to_image_grid
from psseg.tiles.noise import NoiseMesh, measure_planes
from psseg.tiles.probability_map import ProbabilityMap
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.regions import Region, release_memory
from psseg.tiles.training_range import frequency_outside

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ImageCatalogue", "catalogue_image"]

CORE_RADIUS = 0.3
"""Radius, in FWHM, of the disc that stands for a point source where peaks are told apart."""

PROMINENCE = 0.02
"""Depth of the saddle between two sources. With a disc of 0.5 FWHM and 0.05, 28 instead of 39 %
were told apart at 1 to 1.5 beams and 1 % fewer found above S/N 7, no fewer in pieces."""

REACHED_SCORE = 0.125
"""Segments reach out to pixels of this score."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageCatalogue:
    """What a radio image was found to hold.

    Parameters
    ----------
    table, components : QTable
        The sources, and the Gaussians they are made of.
    segments : SegmentMap
        Which pixels belong to which source; labels are the catalogue's SEGMENT.
    class_probabilities : ProbabilityMap
        Background, pulsar, blazar, other of every pixel; NaN where blank.
    image : RadioImage
    noise : ImageNoise
        Local rms and mean.
    statistics : dict of str to float
        As :func:`psseg.likeness.image_statistics` gives them.
    """

    table: QTable
    components: QTable
    segments: SegmentMap
    class_probabilities: ProbabilityMap
    image: RadioImage
    noise: ImageNoise
    statistics: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """What the network found in a region.

    Parameters
    ----------
    region : Region
    segments : SegmentMap
        Of the region's window.
    probability : numpy.ndarray of float32, shape (n_pixels,)
        Of each pixel of the segments, to belong to a source.
    class_scores : numpy.ndarray, shape (n_segments, 3)
        What the network says of the classes, in the order of the labels.
    """

    region: Region
    segments: SegmentMap
    probability: NDArray[np.float32]
    class_scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """What was measured of all candidates.

    Parameters
    ----------
    table, components : QTable
        As :func:`psseg.catalogue.radio_measurement.measure_image` gives them; in pixels of the
        image.
    class_scores : numpy.ndarray, shape (n_sources, 3)
        What the network says of the classes.
    segments : SegmentMap
        Of the image; labels are the table's SEGMENT.
    """

    table: QTable
    components: QTable
    class_scores: NDArray[np.float64]
    segments: SegmentMap


def catalogue_image(
    image: RadioImage,
    model: Model,
    *,
    priors: str | Path = "physical",
    threshold: float | None = None,
    attenuation: NDArray[np.floating] | None = None,
    keep_candidates: bool = False,
    strict: bool = False,
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
        Of the primary beam at the frequency of the reference plane, 0 to 1: fluxes are divided by
        it, those of the other planes by what it is at their frequencies. NaN where it is too small.
    keep_candidates : bool
        Keep what the threshold would leave out, and for calibration and evaluation the columns
        SOURCE_SCORE, EVIDENCE, X, Y, and M_*, what the measured numbers say of the classes.
    strict : bool
        Refuse an image unlike those the network was trained on, instead of flagging it.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    ImageCatalogue

    Raises
    ------
    PssegError
        If `priors` are none, or with `strict`.

    Warns
    -----
    PssegWarning
        If the image is unlike those of the training.

    Notes
    -----
    The noise is estimated twice: first with bright pixels clipped, then with the segments left
    out, so that sources do not raise their own noise.

    Of an image of more than 24 Mpix one region is worked on at a time (`psseg.tiles.regions`): the
    memory is that of the image, a byte per pixel, and one region. A source larger than the regions
    overlap, 384 pixels, may be cut where they meet; it then has the flag EDGE.
    """
    class_probabilities = ProbabilityMap((len(CLASS_NAMES), *image.shape))
    searched = _searched(image, model, class_probabilities, progress=progress)
    noise, statistics = _without_sources(image, searched)
    unlike = [
        *frequency_outside(image, model.survey),
        *unlike_statistics(statistics, model.calibration.image_range),
    ]
    if unlike:
        tell_unlike(image.name, model.name, ", ".join(unlike), strict=strict)
    with threadpool_limits(limits=1, user_api="blas"):
        measured = _measure(image, noise, searched, unlike_training=bool(unlike))
    if attenuation is not None:
        correct_fluxes(measured.table, measured.components, attenuation, image)
    add_ratios(measured.table, image, leakage=leakage_spread(model.survey))
    numbers = measured_classes(measured.table, image, model.survey)
    likelihoods = _class_likelihoods(measured.class_scores, numbers, model.calibration)
    evidence, probability = _calibrated(measured, image, model.calibration)
    table, components = build_radio_catalogue(
        measured.table,
        measured.components,
        source_probability=probability,
        likelihoods=likelihoods,
        probabilities=apply_priors(likelihoods, _priors(measured.table, image, priors, model)),
    )
    segments = measured.segments
    if keep_candidates:
        _add_candidates(table, measured.table, evidence, numbers)
    else:
        limit = model.calibration.thresholds["high_latitude"] if threshold is None else threshold
        keep = probability >= limit
        table, segments = table[keep], segments.kept(measured.table["SEGMENT"][keep])
        components = components[np.isin(components["Source_Name"], table["Source_Name"])]
    return ImageCatalogue(
        table=table,
        components=components,
        segments=segments,
        class_probabilities=class_probabilities,
        image=image,
        noise=noise,
        statistics=statistics,
    )


def _searched(
    image: RadioImage, model: Model, class_probabilities: ProbabilityMap, *, progress: bool
) -> list[_Found]:
    """Label all regions and find their segments; the probabilities go into their map."""
    meshes = measure_planes(image)
    return [
        _search(image, region, meshes, model, class_probabilities, progress=progress)
        for region in regions_of(image, progress=progress)
    ]


def _search(
    image: RadioImage,
    region: Region,
    meshes: Sequence[NoiseMesh],
    model: Model,
    class_probabilities: ProbabilityMap,
    *,
    progress: bool,
) -> _Found:
    """Label a region and find its segments."""
    part, planes, probabilities = label_region(image, region, meshes, model, progress=progress)
    found = _find_segments(part, planes, probabilities, model)
    scores = class_scores(probabilities, found)
    segments = _on_image(found, planes, part.shape)
    background = store_region(probabilities, planes, part, region, class_probabilities)[0]
    return _Found(
        region=region,
        segments=segments,
        probability=1 - background.reshape(-1)[segments.index],
        class_scores=scores[np.isin(found.labels, segments.labels)],
    )


def _without_sources(
    image: RadioImage, searched: Sequence[_Found]
) -> tuple[ImageNoise, dict[str, float]]:
    """Give the noise that the pixels outside all segments have, and what they are like."""
    sources = np.zeros(image.shape, dtype=bool)
    for found in searched:
        sources[found.region.core] = found.segments.inside()[found.region.inner]
    noise = image_noise(image, measure_planes(image, sources=sources))
    return noise, image_statistics(image, noise, sources)


def _measure(
    image: RadioImage, noise: ImageNoise, searched: list[_Found], *, unlike_training: bool
) -> _Measured:
    """Measure each region's own sources.

    What was found in a region goes from the list once it is measured, for the memory.
    """
    sources, components, scores, maps = [], [], [], []
    offset = 0
    while searched:
        found = searched.pop(0)
        region = found.region
        measured, fitted, parted = measure_image(
            region.cut(image),
            noise.part(*region.window),
            found.segments,
            found.probability,
            unlike_training=unlike_training,
        )
        own = region.owns(np.asarray(measured["X"]), np.asarray(measured["Y"]))
        measured = measured[own]
        fitted = fitted[np.isin(fitted["SEGMENT"], measured["SEGMENT"])]
        maps.append((parted.kept(measured["SEGMENT"]), region.corner, offset))
        for table in (measured, fitted):
            table["SEGMENT"] += np.int32(offset)
        measured["Y"] += region.corner[0]
        measured["X"] += region.corner[1]
        offset += parted.max_label
        sources.append(measured)
        components.append(fitted)
        scores.append(found.class_scores[measured["PARENT"]])
        release_memory()
    joined = SegmentMap.joined(image.shape, maps)
    release_memory()
    return _Measured(
        table=vstack(sources),
        components=vstack(components),
        class_scores=np.concatenate(scores),
        segments=joined,
    )


def _find_segments(
    image: RadioImage, planes: NetworkPlanes, probabilities: NDArray[np.float32], model: Model
) -> SegmentMap:
    """Group pixels on the network's grid, in units of its pixels, and the pieces of one source."""
    major, minor, _ = beam_pixels(image, planes)
    source_probability = 1 - probabilities[0]
    threshold = model.calibration.candidate_threshold
    segments = find_segments(
        source_probability,
        threshold=threshold,
        grow=min(REACHED_SCORE / threshold, 1.0),
        pixel_scale=1.0,
        psf_radius=CORE_RADIUS * np.sqrt(major * minor),
        mask=planes.mask,
        prominence=PROMINENCE,
    )
    return associated_segments(segments, image, planes, source_probability)


def _on_image(found: SegmentMap, planes: NetworkPlanes, shape: tuple[int, int]) -> SegmentMap:
    """Bring segments from the network's grid to the image's; small ones may get lost."""
    if planes.zoom == 1:
        return found
    return list_segments(to_image_grid(found.data, planes, shape))


def _class_likelihoods(
    scores: NDArray[np.float64], numbers: NDArray[np.float64] | None, calibration: Calibration
) -> NDArray[np.float64]:
    """Give the class likelihoods from what the network says, and the measured numbers if any."""
    if numbers is not None and calibration.measured_weights:
        return combined_classes(scores, numbers, calibration.measured_weights)
    return calibrated_classes(
        scores, temperature=calibration.temperature, bias=calibration.class_bias
    )


def _calibrated(
    measured: _Measured, image: RadioImage, calibration: Calibration
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Calibrate the errors in place; give the evidence and the probability to be real."""
    for table in (measured.table, measured.components):
        calibrate_errors(
            table,
            image.beams[0],
            position_scale=calibration.position_scale,
            position_floor=calibration.position_floor,
            flux_scale=calibration.flux_scale,
            flux_floor=calibration.flux_floor,
            resolved_flux_floor=calibration.resolved_flux_floor,
        )
    evidence = radio_evidence(measured.table, image)
    probability = source_probability(
        measured.table["SOURCE_SCORE"],
        np.square(measured.table["SNR"]),
        calibration.source_coefficients,
        evidence=evidence,
    )
    return evidence, probability


def _add_candidates(
    table: QTable,
    measured: QTable,
    evidence: NDArray[np.float64],
    numbers: NDArray[np.float64] | None,
) -> None:
    """Add the columns that calibration and evaluation want of candidates."""
    for name in ("SOURCE_SCORE", "X", "Y"):
        table[name] = measured[name]
    table["EVIDENCE"] = evidence
    for number, name in enumerate(SOURCE_CLASSES):
        table[f"M_{name.upper()}"] = np.nan if numbers is None else numbers[:, number]


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
