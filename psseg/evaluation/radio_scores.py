"""The scores of a radio catalogue whose truth is known.

In go the matched tables of `psseg.evaluation.radio_matching`, of one image or many; out comes a
`RadioScores`: plain numbers only, so that it is kept as JSON beside the network and printed.

Completeness is asked of true peak S/N, reliability of measured peak S/N. Only rows with COUNTED
enter. A fragment - a further detection of a source that has one already - is neither real nor
false: it is counted as a split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.evaluation.classes import class_scores, probability_reliability, pulsar_curve
from psseg.evaluation.matching import MatchedTables, column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.radio_rows import (
    Interval,
    flux_rows,
    in_interval,
    named_bounds,
    near_bright_rows,
    neighbour_rows,
    position_rows,
    snr_rows,
    split_rows,
)
from psseg.evaluation.statistics import JsonScores, Row, known_mean, share

__all__ = ["CLASS_SNR_BINS", "LEVER_BINS", "RadioScores", "class_cells", "score_radio_tables"]

CLASS_SNR_BINS: tuple[Interval, ...] = ((5.0, 10.0), (10.0, 20.0), (20.0, np.inf), (0.0, np.inf))
LEVER_BINS: tuple[tuple[str, Interval], ...] = (
    ("one frequency", (0.0, 1e-6)),
    ("ratio below 1.5", (1e-6, float(np.log(1.5)))),
    ("ratio from 1.5", (float(np.log(1.5)), np.inf)),
    ("all", (0.0, np.inf)),
)
"""Ratio of the two frequencies: by name, the range of its logarithm."""

PULSAR_RECALL = 0.7
"""Recall at which the precision of pulsars is given."""

CLASSIFIERS = {"B": "Bayes", "C": "cuts"}
"""Prefixes of the class columns with which the network is compared: the Bayes classifier and an
astronomer's cuts (see `psseg.evaluation.radio_bayes`)."""


@dataclass(frozen=True, kw_only=True)
class RadioScores(JsonScores):
    """What an evaluation of radio images found; None where nothing can be said.

    Parameters
    ----------
    settings : dict
        What was evaluated and how.
    counts : dict
        Numbers of true sources and detections counted, reliability, rate of chance matches.
    by_snr : list of dict
        Completeness and reliability by bin of peak S/N, for all images and for each set-up.
    splits, neighbours, near_bright : list of dict
        True sources in pieces or swallowed, found beside a brighter one; false detections around
        bright sources.
    positions, fluxes : list of dict
        Offsets, flux ratios and pulls of matched detections.
    classes : dict
        By prefix "P" and "L": confusion, recall, precision, F1; see `psseg.evaluation.classes`.
    class_cells : list of dict
        Network, Bayes classifier and cuts side by side, by S/N and frequency ratio.
    reliability : dict
        Per probability column: what was claimed and what came true.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    counts: Row
    by_snr: list[Row]
    splits: list[Row]
    neighbours: list[Row]
    near_bright: list[Row]
    positions: list[Row]
    fluxes: list[Row]
    classes: dict[str, Any]
    class_cells: list[Row]
    reliability: dict[str, Any]


def score_radio_tables(
    tables: MatchedTables, *, prefix: str = "L", settings: Mapping[str, Any] | None = None
) -> RadioScores:
    """Score matched tables of any number of radio images.

    Parameters
    ----------
    tables : MatchedTables
        From `psseg.evaluation.radio_matching.match_radio`, stacked. Detections may have SELECTED
        (what the catalogue holds; the rest are candidates), SETUP and LEVER_ARM, and class
        probabilities by the prefixes of `CLASSIFIERS`.
    prefix : str
        "L" or "P": which of the network's probabilities `class_cells` compares with the others.
    settings : mapping or None
        Written into the scores.

    Returns
    -------
    RadioScores
    """
    candidates, truths = _counted(tables.detections), _counted(tables.truths)
    detections = candidates[flag_column(candidates, "SELECTED", default=True)]
    with_classes = {"P_PULSAR", "L_PULSAR"} <= set(candidates.colnames)
    return RadioScores(
        settings=dict(settings or {}),
        counts=_counts(detections, truths, len(candidates)),
        by_snr=snr_rows(candidates, truths),
        splits=split_rows(truths),
        neighbours=neighbour_rows(truths),
        near_bright=near_bright_rows(detections),
        positions=position_rows(detections),
        fluxes=flux_rows(detections),
        classes=_class_tables(detections) if with_classes else {},
        class_cells=class_cells(detections, prefix=prefix) if with_classes else [],
        reliability=_reliability(candidates) if with_classes else {},
    )


def class_cells(detections: QTable, *, prefix: str = "L") -> list[Row]:
    """Compare classifiers on the matched detections, by S/N and ratio of the frequencies.

    Parameters
    ----------
    detections : QTable
        Counted rows; every classifier of `CLASSIFIERS` whose columns are there is scored.
    prefix : str
        Of the network's probabilities: "L" (balanced), or "P" (with priors).

    Returns
    -------
    list of dict
        One row per classifier, bin of true S/N and of frequency ratio: macro-F1, pulsar precision
        and recall of the most probable class, and the best precision with a recall of 0.7 at any
        threshold on the pulsar probability.
    """
    matched = detections[flag_column(detections, "MATCHED")]
    lever, snr = _lever_arm(matched), column(matched, "TRUE_SNR")
    # The curve's recall of all visible pulsars is not asked for here.
    no_truths = QTable({"CLASS": np.zeros(0, dtype="U8"), "TS": np.zeros(0)})
    rows: list[Row] = []
    for columns, classifier in ((prefix, "catalogue"), *CLASSIFIERS.items()):
        if f"{columns}_PULSAR" not in matched.colnames:
            continue
        for name, levers in LEVER_BINS:
            for interval in CLASS_SNR_BINS:
                inside = in_interval(lever, levers) & in_interval(snr, interval)
                scores = class_scores(matched[inside], prefix=columns)
                pulsars = scores["classes"][0]
                curve = pulsar_curve(matched[inside], no_truths, prefix=columns)
                rows.append(
                    {
                        "classifier": classifier,
                        "frequencies": name,
                        **named_bounds("snr", interval),
                        "n": int(inside.sum()),
                        "n_pulsars": pulsars["n_true"],
                        "macro_f1": scores["macro_f1"],
                        "pulsar_precision": pulsars["precision"],
                        "pulsar_recall": pulsars["recall"],
                        "precision_at_recall": _precision_at_recall(curve),
                    }
                )
    return rows


def _precision_at_recall(curve: Sequence[Row]) -> float | None:
    """Best precision of a curve where the recall is high enough."""
    reached = [
        float(row["precision"])
        for row in curve
        if row["precision"] is not None and float(row["recall"] or 0) >= PULSAR_RECALL
    ]
    return max(reached, default=None)


def _counts(detections: QTable, truths: QTable, n_candidates: int) -> Row:
    """Overall numbers of an evaluation."""
    whole = ~flag_column(detections, "FRAGMENT")
    reliability, error = share(flag_column(detections, "MATCHED")[whole])
    return {
        "n_true": len(truths),
        "n_true_5_sigma": int((column(truths, "SNR") >= 5).sum()),
        "n_candidates": n_candidates,
        "n_detections": len(detections),
        "n_real": int(flag_column(detections, "MATCHED").sum()),
        "n_fragments": int((~whole).sum()),
        "reliability": reliability,
        "reliability_error": error,
        "chance_match_rate": known_mean(column(detections, "CHANCE")),
    }


def _class_tables(detections: QTable) -> dict[str, Any]:
    """Score the classes of everything but fragments, which have no true class of their own."""
    whole = detections[~flag_column(detections, "FRAGMENT")]
    return {prefix: class_scores(whole, prefix=prefix) for prefix in ("P", "L")}


def _reliability(candidates: QTable) -> dict[str, Any]:
    """Check every probability on all candidates but fragments."""
    whole = candidates[~flag_column(candidates, "FRAGMENT")]
    whole["SELECTED"] = flag_column(whole, "SELECTED", default=True)
    return probability_reliability(whole)


def _counted(table: QTable) -> QTable:
    return table[flag_column(table, "COUNTED")]


def _lever_arm(table: QTable) -> NDArray[np.float64]:
    """Give the logarithm of the frequency ratio of each row; 0 where the table does not say."""
    if "LEVER_ARM" not in table.colnames:
        return np.zeros(len(table))
    return column(table, "LEVER_ARM")
