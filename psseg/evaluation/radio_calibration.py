"""What a trained radio network's numbers mean: threshold and probabilities.

In goes a model; out comes a `Calibration`, with the fields that every model has. Detection is
calibrated on images with the physical mix of sources, classes on balanced ones: in the physical
mix a pulsar is one source in ten thousand. One threshold holds at all latitudes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from psseg.catalogue.positions import RADIUS_68
from psseg.catalogue.probability import source_probability
from psseg.evaluation.calibration import fit_flux_errors, fit_position_errors
from psseg.evaluation.class_calibration import fit_classes, fit_combined_classes
from psseg.evaluation.classes import FALSE_DETECTION, NO_CLASS, class_columns, true_classes
from psseg.evaluation.matching import column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.radio_field import RADIO_PROTOCOL, RadioProtocol
from psseg.evaluation.radio_rows import RELIABILITY
from psseg.evaluation.radio_skies import (
    ANY_SETUP,
    CatalogueFunction,
    RadioPlan,
    catalogue_radio_sky,
)
from psseg.evaluation.run import raw_calibration
from psseg.evaluation.source_calibration import fit_source_probability, purity_threshold
from psseg.likeness import IMAGE_STATISTICS
from psseg.network.store import Calibration

if TYPE_CHECKING:
    from psseg.network.store import Model

__all__ = ["calibrate_radio", "fit_image_range", "fit_radio_calibration"]

MARGIN = 0.005
"""Added to the asked reliability: a threshold tuned on some images does a little worse on the next.
"""

CANDIDATE_SCORE = 0.4
"""Score of the brightest pixel of a candidate. With 0.25 there were 44 more among 20 400 real
detections, and in images with few sources almost twice as many candidates."""

RANGE_MARGIN = 0.2
"""How far beyond the range of the simulated images another may lie, as a share of that range: a few
dozen images do not show the last of it."""

RATIOS = ("correlation", "depth")
"""Statistics that are factors on what is expected."""

FEWEST_ALONE = 200
"""Sources of images with one plane that are enough to calibrate their classes by."""

CALIBRATION_IMAGES = 48
"""Of 1024² pixels and of each mix: some ten thousand detections, most of them in few images."""

SHAPED_SNR = 10.0
"""Above it an extended source is more than noise: its shape decides on the error of its flux."""

ONE_SIGMA = 0.683
"""Share of the offsets that are smaller than their errors, if these are right."""

CLASS_SNR = 4.0
"""Peak S/N from which sources were labelled in training, and have a class to calibrate."""


def calibrate_radio(
    model: Model,
    *,
    seed: int,
    n_images: int = CALIBRATION_IMAGES,
    shape: tuple[int, int] = (1024, 1024),
    setups: tuple[str, ...] = (ANY_SETUP,),
    reliability: float = RELIABILITY,
    candidate_threshold: float = CANDIDATE_SCORE,
    protocol: RadioProtocol = RADIO_PROTOCOL,
    catalogue: CatalogueFunction | None = None,
    progress: bool = False,
) -> Calibration:
    """Calibrate a model on simulated radio images, half of them physical, half balanced.

    Parameters
    ----------
    model : Model
        The network with its survey; its calibration is not used.
    seed : int
        Seed of the images; the random numbers are never those of a training or an evaluation.
    n_images : int
        Images of each mix.
    shape, setups, protocol, catalogue, progress
        As for `psseg.evaluation.radio_skies.evaluate_radio`.
    reliability : float
        Share of true sources among the detections to reach.
    candidate_threshold : float
        Peak score down to which segments are candidates, here and later.

    Returns
    -------
    Calibration

    Raises
    ------
    PssegError
        If there are too few true or false detections to fit anything.
    """
    raw = replace(model, calibration=raw_calibration(candidate_threshold))
    detections, images = {}, []
    for mix in ("physical", "balanced"):
        plan = RadioPlan(
            n_images=n_images, shape=shape, seed=seed, stream="calibration", setups=setups, mix=mix
        )
        tables = catalogue_radio_sky(
            raw, plan, protocol=protocol, catalogue=catalogue, progress=progress
        )
        detections[mix] = tables.detections
        images.append(tables.images)
    return fit_radio_calibration(
        detections["physical"],
        detections["balanced"],
        candidate_threshold=candidate_threshold,
        reliability=reliability,
        image_range=fit_image_range(vstack(images)),
    )


def fit_radio_calibration(
    physical: QTable,
    balanced: QTable,
    *,
    candidate_threshold: float,
    reliability: float = RELIABILITY,
    image_range: tuple[tuple[float, float], ...] = (),
) -> Calibration:
    """Fit every number of a calibration.

    Parameters
    ----------
    physical, balanced : QTable
        Matched detections, candidates included, of images with either mix of sources, made with
        an uncalibrated model; their SOURCE_PROB is the network's peak score as it came. EVIDENCE,
        if there is any, counts beside it.
    candidate_threshold : float
        Score down to which they were made.
    reliability : float
        Share of true sources among the detections to reach.
    image_range : tuple of (float, float)
        From `fit_image_range`.

    Returns
    -------
    Calibration
        The squared S/N stands where counts maps have the test statistic. Both thresholds are the
        same; the floor of the position errors is in beams.

    Raises
    ------
    PssegError
        If there are too few true or false detections to fit anything.
    """
    counted = _whole(physical)
    real = flag_column(counted, "MATCHED")
    score, ts = column(counted, "SOURCE_PROB"), column(counted, "SNR") ** 2
    evidence = counted["EVIDENCE"] if "EVIDENCE" in counted.colnames else None
    coefficients = fit_source_probability(score, ts, real, evidence=evidence)
    probability = source_probability(score, ts, coefficients, evidence=evidence)
    threshold = purity_threshold(probability, real, min(reliability + MARGIN, 1.0))
    temperature, bias, weights = _fit_balanced_classes(_whole(balanced))
    position_errors, flux_errors = _fit_errors(counted[real & (probability >= threshold)])
    return Calibration(
        source_coefficients=coefficients,
        candidate_threshold=candidate_threshold,
        thresholds={"low_latitude": threshold, "high_latitude": threshold},
        latitude_split=0.0,
        temperature=temperature,
        class_bias=bias,
        measured_weights=weights,
        position_scale=position_errors[0],
        position_floor=position_errors[1],
        flux_scale=flux_errors[0],
        flux_floor=flux_errors[1],
        resolved_flux_floor=flux_errors[2],
        image_range=image_range,
    )


def fit_image_range(images: QTable) -> tuple[tuple[float, float], ...]:
    """Give the range outside which an image is unlike the simulated ones.

    Parameters
    ----------
    images : QTable
        One row per image, with columns named as `psseg.likeness.IMAGE_STATISTICS`, not-a-number
        where an image says nothing.

    Returns
    -------
    tuple of (float, float)
        Least and largest value of each statistic, widened on either side by a fifth of their
        distance; of those that are ratios, of the distance of their logarithms. Empty where one of
        them was never measured.
    """
    limits = []
    for name in IMAGE_STATISTICS:
        values = column(images, name) if name in images.colnames else np.array([])
        values = values[np.isfinite(values)]
        if not len(values):
            return ()
        limits.append(_widened(values, ratio=name in RATIOS))
    return tuple(limits)


def _widened(values: NDArray[np.float64], *, ratio: bool) -> tuple[float, float]:
    """Give the range of values with a margin."""
    if ratio:
        low, high = _widened(np.log(values), ratio=False)
        return float(np.exp(low)), float(np.exp(high))
    low, high = float(values.min()), float(values.max())
    margin = RANGE_MARGIN * (high - low)
    return low - margin, high + margin


def _whole(detections: QTable) -> QTable:
    """Keep the counted detections that are no fragments: those are neither true nor false."""
    counted = flag_column(detections, "COUNTED")
    return detections[counted & ~flag_column(detections, "FRAGMENT")]


def _fit_errors(
    detections: QTable,
) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Fit scale and floor of the errors of positions and fluxes, and the floor of resolved fluxes.

    On points first. Those with a faint neighbour in the beam are among them: nobody can tell them
    from others. Such blends make tails, so that only the 68 % share is asked for.
    """
    point = ~flag_column(detections, "TRUE_EXTENDED")
    snr, beams_off = column(detections, "SNR"), column(detections, "BEAMS_OFF")
    beam = column(detections, "SEPARATION", u.deg) / beams_off
    e_ra, e_dec = (column(detections, name, u.deg) for name in ("e_ra", "e_dec"))
    axes = RADIUS_68 * np.hypot(e_ra, e_dec) / np.sqrt(2) / beam
    positions = fit_position_errors(beams_off[point], axes[point], snr[point], tails=False)
    flux = column(detections, "int_flux", u.Jy)
    error = column(detections, "e_int_flux", u.Jy) / flux
    offset = 1 - column(detections, "TRUE_INT_FLUX", u.Jy) / flux
    scale, floor = fit_flux_errors(offset[point], error[point], snr[point])
    large = ~point & (column(detections, "dc_maj", u.deg) > 0) & (snr > SHAPED_SNR)
    further = _further_floor(offset[large], np.hypot(scale * error[large], floor))
    return positions, (scale, floor, further)


def _further_floor(offset: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    """Give what is added in quadrature so that 68 % of the offsets are within their errors."""
    if not len(offset):
        return 0.0
    floors = np.linspace(0, 1, 201)
    shares = (np.abs(offset) < np.hypot(error, floors[:, None])).mean(axis=1)
    return float(np.interp(ONE_SIGMA, shares, floors))


def _fit_balanced_classes(
    detections: QTable,
) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """Fit how classes are made where each is as frequent as any other.

    Temperature and bias are for images of one plane, the weights for those of several.
    """
    true, scores = true_classes(detections), class_columns(detections, "L")
    known = (true != NO_CLASS) & (true != FALSE_DETECTION) & np.isfinite(scores).all(axis=1)
    known &= column(detections, "TRUE_SNR") >= CLASS_SNR
    numbers = class_columns(detections, "M")
    several = known & np.isfinite(numbers).all(axis=1)
    alone = known & ~several
    if np.count_nonzero(alone) < FEWEST_ALONE:
        alone = known
    temperature, bias = fit_classes(scores[alone], np.ones_like(scores[alone]), true[alone])
    weights = fit_combined_classes(scores[several], numbers[several], true[several])
    return temperature, bias, weights
