"""The scores of a network on a sky whose truth is known.

In go the merged tables of all tiles; out comes a `Scores`: plain numbers only, so that it is kept
as JSON beside the network, compared between trials and printed in its card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import QTable

from psseg.evaluation.classes import (
    class_scores,
    probability_reliability,
    pulsar_curve,
    pulsar_operating_point,
)
from psseg.evaluation.detection import (
    ZONES,
    completeness_limits,
    flux_curves,
    flux_scores,
    measured_flux_scores,
    position_scores,
    ts_scores,
)
from psseg.evaluation.matching import MatchedTables, column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.statistics import JsonScores, Row, known_mean, share

__all__ = ["Scores", "background_scores", "score_tables"]

BOOTSTRAP_SEED = 20_210_656
"""Seed of the error bars, so that the same tables give the same scores."""


@dataclass(frozen=True, kw_only=True)
class Scores(JsonScores):
    """What an evaluation found; every value can be held by JSON, None where nothing can be said.

    Parameters
    ----------
    settings : dict
        What was evaluated and how: model, hash, seed, tiles, shape, years, protocol.
    counts : dict
        Numbers of true sources and detections counted, purity, and the rate of chance matches.
    by_flux, by_ts, limits, curves : list of dict
        Completeness and purity; see `psseg.evaluation.detection`.
    positions, fluxes : list of dict
        Offsets, ellipse coverage, flux ratios and pulls of matched detections.
    classes : dict
        By prefix "P" and "L": confusion, recall, precision, F1; see `psseg.evaluation.classes`.
    pulsars : dict
        `curve` and the `best` point on it.
    reliability : dict
        Per probability column: what was claimed and what came true.
    background : list of dict
        Bias and scatter of the expected background per zone and band.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    counts: Row
    by_flux: list[Row]
    by_ts: list[Row]
    limits: list[Row]
    curves: list[Row]
    positions: list[Row]
    fluxes: list[Row]
    classes: dict[str, Any]
    pulsars: dict[str, Any]
    reliability: dict[str, Any]
    background: list[Row] = field(default_factory=list)


def score_tables(
    tables: MatchedTables,
    *,
    backgrounds: QTable | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Scores:
    """Score merged tables of any number of tiles.

    Parameters
    ----------
    tables : MatchedTables
        Merged detections (with SELECTED: what the catalogue holds; the rest are candidates below
        the threshold) and merged truth, with COUNTED.
    backgrounds : QTable or None
        One row per tile and band: GLAT, BAND, PREDICTED and EXPECTED counts, SCATTER.
    settings : mapping or None
        Written into the scores.

    Returns
    -------
    Scores
    """
    candidates = tables.detections[flag_column(tables.detections, "COUNTED")]
    truths = tables.truths[flag_column(tables.truths, "COUNTED")]
    detections = candidates[flag_column(candidates, "SELECTED")]
    curve = pulsar_curve(detections, truths)
    return Scores(
        settings=dict(settings or {}),
        counts=_counts(detections, truths, len(candidates)),
        by_flux=flux_scores(detections, truths),
        by_ts=ts_scores(candidates, truths),
        limits=completeness_limits(detections, truths, rng=np.random.default_rng(BOOTSTRAP_SEED)),
        curves=flux_curves(detections, truths),
        positions=position_scores(detections),
        fluxes=measured_flux_scores(detections),
        classes={prefix: class_scores(detections, prefix=prefix) for prefix in ("P", "L")},
        pulsars={"curve": curve, "best": pulsar_operating_point(curve)},
        reliability=probability_reliability(candidates),
        background=[] if backgrounds is None else background_scores(backgrounds),
    )


def background_scores(backgrounds: QTable) -> list[Row]:
    """Score the expected background: bias of its sum, its scatter from tile to tile and by pixel.

    Parameters
    ----------
    backgrounds : QTable
        One row per tile and band: GLAT, BAND, PREDICTED and EXPECTED counts (sums over the tile),
        SCATTER (rms over pixels of predicted over expected).

    Returns
    -------
    list of dict
        One row per zone and band.
    """
    rows: list[Row] = []
    bands = np.asarray(backgrounds["BAND"], dtype=str)
    for zone in ZONES:
        for band in dict.fromkeys(bands.tolist()):
            chosen = zone.of(backgrounds[bands == band])
            predicted, expected = column(chosen, "PREDICTED"), column(chosen, "EXPECTED")
            some = len(chosen) > 0 and expected.sum() > 0
            rows.append(
                {
                    "zone": zone.name,
                    "band": band,
                    "n_tiles": len(chosen),
                    "bias": float(predicted.sum() / expected.sum() - 1) if some else None,
                    "tile_scatter": float(np.std(predicted / expected)) if some else None,
                    "pixel_scatter": float(np.mean(column(chosen, "SCATTER"))) if some else None,
                }
            )
    return rows


def _counts(detections: QTable, truths: QTable, n_candidates: int) -> Row:
    """Overall numbers of an evaluation."""
    purity, purity_error = share(detections["MATCHED"])
    return {
        "n_true": len(truths),
        "n_true_visible": int((column(truths, "TS") >= 25).sum()),
        "n_candidates": n_candidates,
        "n_detections": len(detections),
        "n_real": int(np.sum(flag_column(detections, "MATCHED"))),
        "purity": purity,
        "purity_error": purity_error,
        "chance_match_rate": known_mean(column(detections, "CHANCE")),
    }
