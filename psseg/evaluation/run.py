"""Evaluate and calibrate a model on simulated skies, or a catalogue against a given truth.

In go a model, or two tables; out come scores with the tables behind them, or a calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psseg.catalogue.probability import RAW_COEFFICIENTS
from psseg.evaluation.calibration import (
    TARGETS,
    CalibrationTargets,
    fit_calibration,
    fit_residual_limit,
)
from psseg.evaluation.matching import (
    PROTOCOL,
    Footprint,
    MatchedTables,
    Protocol,
    match_catalogue,
)
from psseg.evaluation.plots import score_figures
from psseg.evaluation.radio_skies import RadioEvaluation
from psseg.evaluation.radio_text import radio_markdown
from psseg.evaluation.scores import Scores, score_tables
from psseg.evaluation.sdc1 import Sdc1Evaluation, sdc1_markdown
from psseg.evaluation.skies import SkyPlan, catalogue_sky, survey_years
from psseg.evaluation.text import markdown
from psseg.network.store import Calibration
from psseg.products import check_writable, write_together

if TYPE_CHECKING:
    from psseg.network.store import Model

__all__ = [
    "Evaluation",
    "calibrate",
    "describe",
    "evaluate",
    "evaluate_catalogue",
    "raw_calibration",
    "write_evaluation",
]

CANDIDATE_SCORE = 0.5
"""Score that the pixels of a candidate have. Of 6000 detections that passed the thresholds of the
first calibrated network, two had a peak below this; 0.25 would make half as many segments more, all
of which are fitted."""


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


AnyEvaluation = Evaluation | RadioEvaluation | Sdc1Evaluation


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
    simulation: Mapping[str, Any] | None = None,
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
    simulation : mapping or None
        Further options of the simulator, such as a diffuse template.

    Returns
    -------
    Evaluation
    """
    plan = SkyPlan(
        n_tiles=n_tiles,
        shape=shape,
        seed=seed,
        stream="evaluation",
        years=survey_years(model.survey) if years is None else years,
        mix=mix,
        simulation=simulation or {},
    )
    sky = catalogue_sky(model, plan, protocol=protocol, processes=processes, progress=progress)
    settings = {
        "model": model.name,
        "sha256": model.sha256,
        "survey": model.survey.name,
        **{name: getattr(plan, name) for name in ("n_tiles", "seed", "years", "mix")},
        "shape": list(shape),
        "simulation": sorted(plan.simulation),
        "protocol": asdict(protocol),
    }
    scores = score_tables(sky.tables, backgrounds=sky.backgrounds, settings=settings)
    return Evaluation(scores=scores, tables=sky.tables)


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
    n_tiles: int = 64,
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
    n_tiles, shape, years, protocol, processes, progress, simulation
        As for `evaluate`.
    targets : CalibrationTargets
        Purities to reach.
    candidate_threshold : float
        Peak score down to which segments are candidates, here and later.

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


def describe(evaluation: AnyEvaluation) -> str:
    """Give the scores of an evaluation as Markdown tables."""
    if isinstance(evaluation, Evaluation):
        return markdown(evaluation.scores)
    if isinstance(evaluation, Sdc1Evaluation):
        return sdc1_markdown(evaluation.scores)
    return radio_markdown(evaluation.scores)


def write_evaluation(
    evaluation: AnyEvaluation,
    folder: str | Path,
    *,
    tables: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write scores.json, scores.md and the figures, and the tables behind them where asked.

    Parameters
    ----------
    evaluation : Evaluation, RadioEvaluation or Sdc1Evaluation
        What `evaluate`, `evaluate_radio` or `evaluate_sdc1` gave; of counts with figures.
    folder : str or Path
        Where to; it is made where it is missing.
    tables : bool
        Also write detections.fits and truths.fits, every row with its match; not of the challenge.
    overwrite : bool
        Whether files that exist may be replaced.

    Returns
    -------
    list of Path
        The files, complete.
    """
    folder = Path(folder)
    text = describe(evaluation)
    writers: dict[Path, Callable[[Path], object]] = {
        folder / "scores.json": evaluation.scores.write,
        folder / "scores.md": partial(Path.write_text, data=text, encoding="utf-8"),
    }
    if isinstance(evaluation, Evaluation):
        for name, figure in score_figures(evaluation.scores, evaluation.tables).items():
            writers[folder / f"{name}.png"] = figure.savefig
    if tables and not isinstance(evaluation, Sdc1Evaluation):
        for name in ("detections", "truths"):
            writers[folder / f"{name}.fits"] = getattr(evaluation.tables, name).write
    check_writable(writers, overwrite=overwrite)
    write_together(writers)
    return list(writers)
