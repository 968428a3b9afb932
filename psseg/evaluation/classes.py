"""How often the class is right, and whether the probabilities mean what they say.

In go merged detections (see `psseg.evaluation.matching`) with the class probabilities P_* (with
priors) or L_* (balanced); out come plain rows: the confusion of classes, recall and precision, the
curve of pulsar precision against recall, and reliability diagrams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from psseg.evaluation.matching import column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.statistics import Row
from psseg.survey.classes import SOURCE_CLASSES

__all__ = [
    "AUTOSOURCEID_CLASSES",
    "assigned_classes",
    "class_scores",
    "probability_reliability",
    "pulsar_curve",
    "pulsar_operating_point",
    "reliability",
    "true_classes",
]

NO_CLASS = -1
FALSE_DETECTION = len(SOURCE_CLASSES)
"""Row of the confusion matrix for detections that are no source."""

AUTOSOURCEID_CLASSES = {
    "accuracy": 0.71,
    "pulsar_precision": 0.34,
    "pulsar_recall": 0.80,
    "macro_f1": 0.585,
}
"""AutoSourceID's classes AGN, pulsar and fake (Panes et al. 2021, A&A 656, A62)."""

ASKED = 0.6
"""Precision and recall that pulsars should reach together."""

RELIABILITY_BINS = 10
"""Equal bins of a probability between 0 and 1."""


def class_columns(table: QTable, prefix: str) -> NDArray[np.float64]:
    """Give the class probabilities of a table, shape (n_detections, 3), for prefix "P" or "L"."""
    names = [f"{prefix}_{name.upper()}" for name in SOURCE_CLASSES]
    return np.column_stack([column(table, name) for name in names])


def assigned_classes(table: QTable, prefix: str) -> NDArray[np.int64]:
    """Give the most probable class of each detection, 0 to 2, or -1 where none is given."""
    probabilities = class_columns(table, prefix)
    known = np.isfinite(probabilities).all(axis=1)
    best = np.argmax(np.nan_to_num(probabilities), axis=1)
    return np.where(known, best, NO_CLASS)


def true_classes(table: QTable) -> NDArray[np.int64]:
    """Give the true class of each detection: 0 to 2, 3 for a false one, -1 where truth has none."""
    names = np.char.lower(np.asarray(table["TRUE_CLASS"], dtype=str))
    index = np.full(len(table), NO_CLASS)
    for number, name in enumerate(SOURCE_CLASSES):
        index[names == name] = number
    index[~flag_column(table, "MATCHED")] = FALSE_DETECTION
    return index


def class_scores(detections: QTable, *, prefix: str) -> dict[str, Any]:
    """Score the classes of a catalogue.

    Parameters
    ----------
    detections : QTable
        Selected merged detections.
    prefix : str
        "P" for probabilities with the survey's priors, "L" for balanced ones.

    Returns
    -------
    dict
        `confusion`: one list per true class (and a last one for false detections) of how many were
        assigned to each class; `classes`: rows with recall (of the matched true sources of the
        class), precision (of the detections assigned to the class, false ones included), F1;
        `accuracy` of matched detections; `macro_f1`: mean F1 of the classes that occur.
    """
    true, assigned = true_classes(detections), assigned_classes(detections, prefix)
    usable = (true != NO_CLASS) & (assigned != NO_CLASS)
    confusion = np.zeros((len(SOURCE_CLASSES) + 1, len(SOURCE_CLASSES)), dtype=int)
    np.add.at(confusion, (true[usable], assigned[usable]), 1)
    rows = [_class_row(confusion, number) for number in range(len(SOURCE_CLASSES))]
    scored = [row["f1"] for row in rows if row["f1"] is not None]
    matched = confusion[:FALSE_DETECTION]
    return {
        "confusion": confusion.tolist(),
        "classes": rows,
        "accuracy": _ratio(np.trace(matched), matched.sum()),
        "macro_f1": float(np.mean(scored)) if scored else None,
    }


def pulsar_curve(detections: QTable, truths: QTable, *, prefix: str = "P") -> list[Row]:
    """Give precision and recall of pulsars against the threshold on their probability.

    Parameters
    ----------
    detections : QTable
        Selected merged detections.
    truths : QTable
        Merged truth, for the recall of all pulsars with a true TS above 25, found or not.
    prefix : str
        "P" or "L".

    Returns
    -------
    list of dict
        One row per threshold: precision counts false detections against us, but not what true
        sources without a class were taken for; recall is of the pulsars that were detected.
    """
    true = true_classes(detections)
    detections, true = detections[true != NO_CLASS], true[true != NO_CLASS]
    probability = class_columns(detections, prefix)[:, SOURCE_CLASSES.index("pulsar")]
    is_pulsar = true == SOURCE_CLASSES.index("pulsar")
    names = np.char.lower(np.asarray(truths["CLASS"], dtype=str))
    visible = int(((names == "pulsar") & (column(truths, "TS") >= 25)).sum())
    rows: list[Row] = []
    for threshold in np.linspace(0.02, 0.98, 49):
        chosen = probability >= threshold
        hits = int((chosen & is_pulsar).sum())
        rows.append(
            {
                "threshold": round(float(threshold), 3),
                "n": int(chosen.sum()),
                "precision": _ratio(hits, chosen.sum()),
                "recall": _ratio(hits, is_pulsar.sum()),
                "recall_of_visible": _ratio(hits, visible),
            }
        )
    return rows


def pulsar_operating_point(curve: list[Row]) -> Row | None:
    """Choose from the curve the best F1 with precision and recall of 0.6, or else the nearest.

    Returns
    -------
    dict or None
        The row with its `f1` and `reached`; where 0.6 is not reached in both, the row whose
        smaller value is largest. None where there is no pulsar.
    """

    def numbers(row: Row) -> tuple[float, float]:
        return float(row["precision"] or 0.0), float(row["recall"] or 0.0)

    points = [
        {**row, "f1": _f1(*numbers(row)), "reached": int(min(numbers(row)) >= ASKED)}
        for row in curve
        if row["precision"] is not None and row["recall"] is not None
    ]
    if not points:
        return None
    reached = [point for point in points if point["reached"]]
    if reached:
        return max(reached, key=lambda point: point["f1"] or 0.0)
    return max(points, key=lambda point: min(numbers(point)))


def reliability(probability: ArrayLike, outcome: ArrayLike) -> dict[str, Any]:
    """Compare probabilities with what came true.

    Parameters
    ----------
    probability : array_like, shape (n,)
        Claimed probabilities; not-a-number is left out.
    outcome : array_like of bool, shape (n,)
        What happened.

    Returns
    -------
    dict
        `bins`: rows with the mean probability and the share that came true; `calibration_error`:
        their mean absolute difference weighted by number; `brier`: mean squared error of the
        probability (Brier 1950, MWR 78, 1).
    """
    claimed, happened = np.asarray(probability, dtype=float), np.asarray(outcome, dtype=bool)
    known = np.isfinite(claimed)
    claimed, happened = claimed[known], happened[known]
    which = np.clip((claimed * RELIABILITY_BINS).astype(int), 0, RELIABILITY_BINS - 1)
    rows: list[Row] = []
    for number in range(RELIABILITY_BINS):
        here = which == number
        rows.append(
            {
                "low": number / RELIABILITY_BINS,
                "high": (number + 1) / RELIABILITY_BINS,
                "n": int(here.sum()),
                "mean_probability": float(claimed[here].mean()) if here.any() else None,
                "came_true": float(happened[here].mean()) if here.any() else None,
            }
        )
    gaps = [
        int(row["n"] or 0) * abs(float(row["mean_probability"]) - float(row["came_true"]))
        for row in rows
        if row["mean_probability"] is not None and row["came_true"] is not None
    ]
    return {
        "n": len(claimed),
        "bins": rows,
        "calibration_error": sum(gaps) / len(claimed) if len(claimed) else None,
        "brier": float(np.mean((claimed - happened) ** 2)) if len(claimed) else None,
    }


def probability_reliability(candidates: QTable) -> dict[str, Any]:
    """Check every probability of a catalogue: SOURCE_PROB on candidates, classes on true sources.

    Parameters
    ----------
    candidates : QTable
        Merged detections before the cut, with SELECTED.

    Returns
    -------
    dict
        One reliability per column.
    """
    checks = {
        "SOURCE_PROB": reliability(column(candidates, "SOURCE_PROB"), candidates["MATCHED"]),
    }
    true = true_classes(candidates)
    known = flag_column(candidates, "SELECTED") & (true != NO_CLASS) & (true != FALSE_DETECTION)
    for prefix in ("P", "L"):
        probabilities = class_columns(candidates, prefix)
        for number, name in enumerate(SOURCE_CLASSES):
            checks[f"{prefix}_{name.upper()}"] = reliability(
                probabilities[known, number], true[known] == number
            )
    return checks


def _class_row(confusion: NDArray[np.int64], number: int) -> dict[str, Any]:
    """Recall, precision and F1 of one class from the confusion matrix."""
    hits = confusion[number, number]
    recall = _ratio(hits, confusion[number].sum())
    precision = _ratio(hits, confusion[:, number].sum())
    return {
        "class": SOURCE_CLASSES[number],
        "n_true": int(confusion[number].sum()),
        "n_assigned": int(confusion[:, number].sum()),
        "recall": recall,
        "precision": precision,
        "f1": None if recall is None else _f1(precision or 0.0, recall),
    }


def _ratio(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None


def _f1(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
