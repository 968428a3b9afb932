"""From a counts map to its catalogue: labels, segments, sources, classes.

In: a tile and a trained network. Out: the table of sources, the label map, the segmentation map.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from psseg.catalogue.classification import apply_priors, class_scores
from psseg.catalogue.counts_errors import calibrate_counts_errors
from psseg.catalogue.flags import Flag, blended_sources
from psseg.catalogue.measurement import covers_flux, measure_counts
from psseg.catalogue.probability import (
    calibrated_classes,
    counts_evidence,
    detection_threshold,
    zone_probability,
)
from psseg.catalogue.segment_map import SegmentMap
from psseg.catalogue.segmentation import find_segments
from psseg.catalogue.source_light import source_light
from psseg.catalogue.table import build_catalogue
from psseg.likeness import CountsLikeness, counts_likeness, tell_unchecked, tell_unlike
from psseg.network.store import Calibration, Model
from psseg.priors import class_priors
from psseg.survey.survey import Survey, counts_survey
from psseg.tiles.tile import Tile
from psseg.tiles.training_range import exposure_outside

if TYPE_CHECKING:
    from psseg.network.labelling import LabelMap

__all__ = ["CatalogueResult", "catalogue_tile", "label_tile"]


@dataclass(frozen=True, kw_only=True)
class CatalogueResult:
    """What a tile was found to hold.

    Parameters
    ----------
    table : QTable
        The catalogue.
    segments : SegmentMap, shape (n_y, n_x)
        Which pixels belong to which source; labels are the catalogue's SEGMENT.
    label_map : LabelMap
        Class probabilities and expected background.
    tile : Tile
        The map.
    likeness : CountsLikeness
        What tells whether it is like the training skies.
    """

    table: QTable
    segments: SegmentMap
    label_map: LabelMap
    tile: Tile
    likeness: CountsLikeness


def catalogue_tile(
    tile: Tile,
    model: Model,
    *,
    priors: str | Path = "physical",
    threshold: float | None = None,
    keep_candidates: bool = False,
    strict: bool = False,
    executor: Executor | None = None,
    progress: bool = False,
) -> CatalogueResult:
    """Make a catalogue of a tile.

    Parameters
    ----------
    tile : Tile
        The map; with its exposure, sources get fluxes.
    model : Model
        A trained network with its survey and calibration.
    priors : str or Path
        "physical", "balanced", or a file (:mod:`psseg.priors`).
    threshold : float, optional
        Smallest SOURCE_PROB that is kept. The default is the model's own, which depends on
        latitude.
    keep_candidates : bool
        Keep what the threshold would leave out, and the column SOURCE_SCORE (highest source
        probability that the network gave), for calibration and evaluation.
    strict : bool
        Refuse a map unlike the skies the network was trained on, instead of flagging it.
    executor : Executor, optional
        Fits parts of the map side by side (:func:`psseg.catalogue.blocks.fit_workers`).
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    CatalogueResult

    Raises
    ------
    PssegError
        If `priors` are none, or with `strict`.

    Warns
    -----
    PssegWarning
        If the map is unlike the training skies, or that cannot be told.
    """
    survey = counts_survey(model.survey)
    label_map = label_tile(tile, model, progress=progress)
    segments = _find_segments(tile, label_map, model)
    measured, segments = _measure(tile, label_map, segments, model, executor=executor)
    likeness = counts_likeness(
        tile, label_map, source_light(tile, label_map.background, measured, survey)
    )
    unlike = _check_likeness(tile, likeness, model, strict=strict)
    if not keep_candidates:
        keep = measured["SOURCE_PROB"] >= _limits(measured, model.calibration, threshold)
        segments, measured = segments.kept(segments.labels[keep]), measured[keep]
    _raise_flags(measured, survey, unlike_training=unlike)
    likelihoods = _class_likelihoods(label_map, segments, model.calibration)
    table = build_catalogue(
        measured,
        source_probability=measured["SOURCE_PROB"],
        likelihoods=likelihoods,
        probabilities=apply_priors(likelihoods, _priors(measured, tile, priors, model)),
    )
    if keep_candidates:
        table["SOURCE_SCORE"] = measured["SOURCE_SCORE"]
    return CatalogueResult(
        table=table, segments=segments, label_map=label_map, tile=tile, likeness=likeness
    )


def _find_segments(tile: Tile, label_map: LabelMap, model: Model) -> SegmentMap:
    return find_segments(
        label_map.source_probability,
        threshold=model.calibration.candidate_threshold,
        pixel_scale=tile.pixel_scale,
        psf_radius=counts_survey(model.survey).labels.radius,
        mask=tile.mask,
    )


def _measure(
    tile: Tile,
    label_map: LabelMap,
    segments: SegmentMap,
    model: Model,
    *,
    executor: Executor | None,
) -> tuple[QTable, SegmentMap]:
    """Measure all candidates; SOURCE_PROB says how probable it is that each is real."""
    calibration = model.calibration
    measured, segments = measure_counts(
        tile,
        label_map.background,
        label_map.class_probabilities,
        segments,
        counts_survey(model.survey),
        executor=executor,
    )
    calibrate_counts_errors(
        measured,
        calibration.errors,
        low_latitude_errors=calibration.low_latitude_errors,
        latitude_split=calibration.latitude_split,
    )
    glat = measured["GLAT"].to_value("deg")
    measured["SOURCE_PROB"] = zone_probability(
        measured["SOURCE_SCORE"],
        measured["Sqrt_TS"] ** 2,
        glat,
        coefficients=(calibration.low_latitude_coefficients, calibration.source_coefficients),
        latitude_split=calibration.latitude_split,
        evidence=counts_evidence(measured["LP_beta"], measured["Unc_LP_beta"], glat),
    )
    return measured, segments


def _class_likelihoods(
    label_map: LabelMap, segments: SegmentMap, calibration: Calibration
) -> np.ndarray:
    return calibrated_classes(
        class_scores(label_map.class_probabilities, segments),
        temperature=calibration.temperature,
        bias=calibration.class_bias,
    )


def _check_likeness(tile: Tile, likeness: CountsLikeness, model: Model, *, strict: bool) -> bool:
    """Tell whether a map is unlike the training skies: warn, or refuse it, also if not known."""
    calibration = model.calibration
    unlike = [
        *exposure_outside(tile, counts_survey(model.survey)),
        *likeness.unlike(
            calibration.residual_limit, calibration.image_range, model.survey.band_names
        ),
    ]
    if unlike:
        tell_unlike(tile.name, model.name, ", ".join(unlike), strict=strict)
    elif calibration.residual_limit and not likeness.is_known:
        tell_unchecked(tile.name, model.name, strict=strict)
    return bool(unlike)


def _raise_flags(measured: QTable, survey: Survey, *, unlike_training: bool) -> None:
    """Add the flags that depend on which sources are in the catalogue, and on all of them."""
    measured["Flags"][blended_sources(measured, survey)] |= int(Flag.BLENDED)
    if unlike_training:
        measured["Flags"] |= int(Flag.UNLIKE_TRAINING)


def _limits(measured: QTable, calibration: Calibration, threshold: float | None) -> np.ndarray:
    """Give the probability that each source needs."""
    if threshold is not None:
        return np.full(len(measured), threshold)
    return detection_threshold(
        measured["GLAT"].to_value("deg"),
        thresholds=calibration.thresholds,
        latitude_split=calibration.latitude_split,
    )


def _priors(measured: QTable, tile: Tile, priors: str | Path, model: Model) -> np.ndarray:
    """Give the priors, by the flux of 1-100 GeV or, where the map lacks that, in its bands."""
    survey = counts_survey(model.survey)
    whole = covers_flux(survey, tile)
    flux = measured["FLUX1000" if whole else "Observed_Flux"].to_value("cm-2 s-1")
    return class_priors(
        priors,
        survey,
        positions=SkyCoord(measured["RAJ2000"], measured["DEJ2000"]),
        flux=flux,
        bands=None if whole else tile.bands_present,
    )


def label_tile(tile: Tile, model: Model, *, progress: bool) -> LabelMap:
    """Label a tile; Keras is imported here at the earliest, so that wrong input is told at once."""
    from psseg.network.labelling import label

    return label(tile, model, progress=progress)
