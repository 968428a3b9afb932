"""Evaluate and calibrate a model on simulated skies, or a catalogue against a given truth.

In go a model, or two tables; out come scores with the tables behind them, or a calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psseg.catalogue.probability import RAW_COEFFICIENTS
from psseg.errors import PssegError
from psseg.evaluation.calibration import (
    TARGETS,
    CalibrationTargets,
    fit_calibration,
    fit_residual_limit,
    fit_sources_range,
)
from psseg.evaluation.matching import (
    PROTOCOL,
    Footprint,
    MatchedTables,
    Protocol,
    match_catalogue,
)
from psseg.evaluation.scores import Scores, score_tables
from psseg.evaluation.skies import SkyPlan, catalogue_sky, survey_years
from psseg.network.store import Calibration
from psseg.sky.diffuse import DiffuseTemplates, read_templates
from psseg.survey.survey import counts_survey

if TYPE_CHECKING:
    from psseg.network.store import Model

__all__ = [
    "Evaluation",
    "calibrate",
    "evaluate",
    "evaluate_catalogue",
    "raw_calibration",
]

CALIBRATION_TILES = 96
"""Of 256² pixels: a sky and a half, some thousand detections in each zone of latitude."""

CANDIDATE_SCORE = 0.6
"""Score that the pixels of a candidate have. Of the candidates down to 0.5 on 24 tiles, an eighth
had less than this; of the 2494 detections above the thresholds 16, of which 4 were real."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores and the tables behind them.

    Parameters
    ----------
    scores : Scores
        Completeness, purity, positions, fluxes, classes, probabilities, background.
    tables : MatchedTables
        Every detection and every true source with what it was matched to.
    """

    scores: Scores
    tables: MatchedTables


def evaluate(
    model: Model,
    *,
    seed: int,
    n_tiles: int = 64,
    shape: tuple[int, int] = (256, 256),
    years: float | None = None,
    mix: str = "physical",
    protocol: Protocol = PROTOCOL,
    processes: int = 1,
    progress: bool = False,
    diffuse: str | Path | None = None,
    gas: str | Path | None = None,
) -> Evaluation:
    """Score a model on a simulated sky it has never seen.

    Parameters
    ----------
    model : Model
        The network with its survey and calibration.
    seed : int
        Seed of the sky; the random numbers are never those of a training or a calibration.
    n_tiles : int
        Tiles, in strata of equal area; 64 tiles of the default shape cover the sky once.
    shape : tuple of int
        Pixels of a tile (n_y, n_x).
    years : float, optional
        Exposure in years. The default is the 14 of 4FGL-DR4, or what the survey has nearest to it.
    mix : str
        "physical" or "balanced" mix of source classes.
    protocol : Protocol
        How detections and true sources are compared.
    processes : int
        Tiles done at the same time.
    progress : bool
        Show a progress bar.
    diffuse, gas : str or Path, optional
        Files of the Galactic emission and of gas that refines it, as
        `psseg.sky.diffuse.read_templates` reads them. The default draws the emission.

    Returns
    -------
    Evaluation

    Raises
    ------
    PssegError
        If a file cannot be read, or gas is given alone.
    """
    plan = SkyPlan(
        n_tiles=n_tiles,
        shape=shape,
        seed=seed,
        stream="evaluation",
        years=survey_years(model.survey) if years is None else years,
        mix=mix,
        simulation=_templates(model, diffuse, gas),
    )
    sky = catalogue_sky(model, plan, protocol=protocol, processes=processes, progress=progress)
    settings = {
        "model": model.name,
        "sha256": model.sha256,
        "survey": model.survey.name,
        **{name: getattr(plan, name) for name in ("n_tiles", "seed", "years", "mix")},
        "shape": list(shape),
        "simulation": {
            name: Path(path).name
            for name, path in (("diffuse", diffuse), ("gas", gas))
            if path is not None
        },
        "protocol": asdict(protocol),
    }
    scores = score_tables(sky.tables, backgrounds=sky.backgrounds, settings=settings)
    return Evaluation(scores=scores, tables=sky.tables)


def _templates(
    model: Model, diffuse: str | Path | None, gas: str | Path | None
) -> dict[str, DiffuseTemplates]:
    """Read the templates that were named, as an option of the simulator."""
    if diffuse is not None:
        return {"diffuse": read_templates(diffuse, counts_survey(model.survey), gas=gas)}
    if gas is not None:
        raise PssegError("gas refines a model of the emission: give diffuse, too")
    return {}


def evaluate_catalogue(
    catalogue: QTable,
    truth: QTable,
    *,
    protocol: Protocol = PROTOCOL,
    footprint: Footprint | None = None,
) -> Evaluation:
    """Score a catalogue against the truth of its sky.

    Parameters
    ----------
    catalogue : QTable
        A psseg catalogue; all of it counts as selected.
    truth : QTable
        Truth catalogue of the same sky, with the columns of a simulated one.
    protocol : Protocol
        How they are compared.
    footprint : Footprint or None
        The map's part of the sky. Without it no border is left out.

    Returns
    -------
    Evaluation
    """
    selected = catalogue.copy()
    selected["SELECTED"] = np.ones(len(catalogue), dtype=bool)
    tables = match_catalogue(selected, truth, protocol=protocol, footprint=footprint)
    settings = {"protocol": asdict(protocol), "border": int(footprint is not None)}
    return Evaluation(scores=score_tables(tables, settings=settings), tables=tables)


def calibrate(
    model: Model,
    *,
    seed: int,
    n_tiles: int = CALIBRATION_TILES,
    shape: tuple[int, int] = (256, 256),
    years: float | None = None,
    targets: CalibrationTargets = TARGETS,
    candidate_threshold: float = CANDIDATE_SCORE,
    protocol: Protocol = PROTOCOL,
    processes: int = 1,
    progress: bool = False,
    simulation: Mapping[str, Any] | None = None,
) -> Calibration:
    """Calibrate a model on a simulated sky with the physical mix of classes.

    Parameters
    ----------
    model : Model
        The network with its survey; its calibration is not used.
    seed : int
        Seed of the sky; the random numbers are never those of a training or an evaluation.
    n_tiles : int
        How many tiles the sky has.
    shape, years, protocol, processes, progress
        As for `evaluate`.
    targets : CalibrationTargets
        Purities to reach.
    candidate_threshold : float
        Peak score down to which segments are candidates, here and later.
    simulation : mapping or None
        Further options of the simulator, such as diffuse templates.

    Returns
    -------
    Calibration
    """
    raw = replace(model, calibration=raw_calibration(candidate_threshold))
    plan = SkyPlan(
        n_tiles=n_tiles,
        shape=shape,
        seed=seed,
        stream="calibration",
        years=survey_years(model.survey) if years is None else years,
        simulation=simulation or {},
    )
    sky = catalogue_sky(raw, plan, protocol=protocol, processes=processes, progress=progress)
    return fit_calibration(
        sky.tables.detections,
        candidate_threshold=candidate_threshold,
        targets=targets,
        residual_limit=fit_residual_limit(sky.backgrounds, model.survey.band_names),
        image_range=fit_sources_range(sky.backgrounds),
    )


def raw_calibration(candidate_threshold: float = CANDIDATE_SCORE) -> Calibration:
    """Give the calibration that changes nothing and keeps every candidate."""
    return Calibration(
        source_coefficients=RAW_COEFFICIENTS,
        candidate_threshold=candidate_threshold,
        thresholds={"low_latitude": 0.0, "high_latitude": 0.0},
        latitude_split=TARGETS.latitude_split,
        temperature=1.0,
        class_bias=(0.0, 0.0, 0.0),
        position_scale=1.0,
        position_floor=0.0,
    )
