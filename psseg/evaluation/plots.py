"""Figures of an evaluation: what is found, how pure, how well placed, and where it fails.

In go scores and the merged tables behind them; out come matplotlib figures, one per question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psseg.evaluation.detection import FLUX_THRESHOLDS, PHOTON_FLUX, TS_EDGES, ZONES
from psseg.evaluation.matching import MatchedTables, column
from psseg.evaluation.pairs import flag_column
from psseg.evaluation.scores import Scores
from psseg.evaluation.statistics import Row
from psseg.survey.classes import CLASS_COLOURS, SOURCE_CLASSES

__all__ = ["FIGURES", "score_figures"]

ZONE_COLOURS = {"all": "#000000", "|b|>20": "#0072B2", "|b|<20": "#D55E00"}
"""Okabe & Ito's palette."""

ZONE_MARKERS = {"all": "s", "|b|>20": "^", "|b|<20": "v"}
FLUX_LABEL = "S1, 1-100 GeV (cm$^{-2}$ s$^{-1}$)"
FEWEST_IN_BIN = 5
WIDTH_INCHES = 6.4
HEIGHT_INCHES = 4.4


def score_figures(scores: Scores, tables: MatchedTables) -> dict[str, Figure]:
    """Draw every figure of an evaluation.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.
    tables : MatchedTables
        Every detection and true source behind it.

    Returns
    -------
    dict
        Figure by name: those of `FIGURES`.
    """
    return {name: draw(scores, tables) for name, draw in FIGURES.items()}


def curve_figure(rows: Sequence[Row], value: str, number: str, x_label: str) -> Figure:
    """Draw completeness or purity against flux, one line per zone."""
    figure, axes = _figure()
    for zone in ZONES:
        chosen = [
            row
            for row in rows
            if row["zone"] == zone.name and _number(row, number) >= FEWEST_IN_BIN
        ]
        flux = [np.sqrt(_number(row, "flux_min") * _number(row, "flux_max")) for row in chosen]
        axes.errorbar(
            flux,
            [_number(row, value) for row in chosen],
            yerr=[_number(row, f"{value}_error") for row in chosen],
            color=ZONE_COLOURS[zone.name],
            marker=ZONE_MARKERS[zone.name],
            markersize=4,
            capsize=2,
            label=zone.name,
        )
    for threshold in FLUX_THRESHOLDS:
        axes.axvline(threshold, color="0.8", zorder=0)
    axes.axhline(0.9, color="0.8", linestyle=":", zorder=0)
    axes.set(xscale="log", xlabel=x_label, ylabel=value, ylim=(0, 1.02))
    axes.legend(title="sky", loc="lower right")
    return figure


def position_figure(detections: QTable) -> Figure:
    """Draw the offset of each matched detection against its true TS, and r68 and r95 by bin."""
    figure, axes = _figure()
    matched = detections[_flags(detections, "MATCHED", "SELECTED", "COUNTED")]
    ts, offset = column(matched, "TRUE_TS"), column(matched, "SEPARATION", u.deg)
    axes.plot(ts, np.fmax(offset, 1e-3), ".", color="0.75", markersize=2, zorder=0)
    edges = np.unique(np.concatenate([TS_EDGES[:-1], np.logspace(2.5, 5, 6)]))
    for fraction, colour in ((0.68, "#0072B2"), (0.95, "#D55E00")):
        points = list(_binned_quantiles(ts, offset, edges, fraction))
        axes.plot(*np.transpose(points or [(np.nan, np.nan)]), "o-", color=colour)
        axes.plot([], [], "o-", color=colour, label=f"r{100 * fraction:.0f}")
    axes.set(xscale="log", yscale="log", xlabel="true TS", ylabel="offset (deg)", ylim=(1e-3, 0.4))
    axes.legend()
    return figure


def confusion_figure(scores: Scores) -> Figure:
    """Draw the confusion of classes with priors: rows are the truth and sum to one."""
    figure, axes = _figure()
    counts = np.asarray(scores.classes["P"]["confusion"], dtype=float)
    shares = counts / np.fmax(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, col), value in np.ndenumerate(shares):
        axes.text(
            *(col, row),
            f"{counts[row, col]:.0f}\n{100 * value:.0f} %",
            ha="center",
            va="center",
            color="white" if value > 0.6 else "black",
        )
    axes.set_xticks(range(len(SOURCE_CLASSES)), SOURCE_CLASSES)
    axes.set_yticks(range(len(SOURCE_CLASSES) + 1), [*SOURCE_CLASSES, "false detection"])
    axes.set(xlabel="assigned class", ylabel="true class")
    return figure


def pulsar_figure(curve: Sequence[Row]) -> Figure:
    """Draw precision against recall of pulsars for all thresholds, with the goal and a rival."""
    figure, axes = _figure()
    points = [row for row in curve if row["precision"] is not None and row["recall"] is not None]
    recall, precision = ([_number(row, name) for row in points] for name in ("recall", "precision"))
    axes.plot(recall, precision, ".-", color=CLASS_COLOURS["pulsar"], label="psseg")
    axes.plot(0.80, 0.34, "k*", label="AutoSourceID 2021")
    axes.axhline(0.6, color="0.8", zorder=0)
    axes.axvline(0.6, color="0.8", zorder=0)
    axes.set(xlabel="recall of pulsars", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()
    return figure


def reliability_figure(scores: Scores) -> Figure:
    """Draw what came true against what was claimed, for the source and the class probabilities."""
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="0.8", zorder=0)
    colours = {"SOURCE_PROB": "#000000"} | {
        f"P_{name.upper()}": CLASS_COLOURS[name] for name in SOURCE_CLASSES
    }
    for name, colour in colours.items():
        bins = [row for row in scores.reliability[name]["bins"] if row["n"] >= FEWEST_IN_BIN]
        axes.plot(
            [row["mean_probability"] for row in bins],
            [row["came_true"] for row in bins],
            "o-",
            color=colour,
            label=name,
        )
    axes.set(xlabel="claimed probability", ylabel="came true", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    return figure


def failure_figure(tables: MatchedTables) -> Figure:
    """Draw missed true sources and false detections against latitude and flux."""
    figure = Figure(figsize=(2 * WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    truths = tables.truths[_flags(tables.truths, "COUNTED")]
    truths = truths[column(truths, "TS") >= TS_EDGES[0]]
    detections = tables.detections[_flags(tables.detections, "COUNTED", "SELECTED")]
    panels = (
        (left, truths, "FOUND", "found", "missed", "true sources of TS > 25"),
        (right, detections, "MATCHED", "true", "false", "detections"),
    )
    for axes, table, flag, good, bad, title in panels:
        fine = flag_column(table, flag)
        latitude = np.abs(column(table, "GLAT", u.deg))
        flux = column(table, "FLUX1000", PHOTON_FLUX)
        axes.plot(latitude[fine], flux[fine], ".", color="0.75", markersize=3, label=good)
        axes.plot(latitude[~fine], flux[~fine], "x", color="#D55E00", markersize=4, label=bad)
        axes.set(yscale="log", xlabel="|b| (deg)", title=f"{title}: {(~fine).sum()} {bad}")
        axes.legend(loc="upper right")
    left.set_ylabel(FLUX_LABEL)
    return figure


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
    return figure, figure.subplots()


def _number(row: Row, name: str) -> float:
    value = row[name]
    return np.nan if value is None else float(value)


def _flags(table: QTable, *names: str) -> np.ndarray:
    return np.logical_and.reduce([flag_column(table, name) for name in names])


def _binned_quantiles(
    x: np.ndarray, y: np.ndarray, edges: Sequence[float] | np.ndarray, fraction: float
) -> Iterator[tuple[float, float]]:
    """Give (median x, quantile of y) of every bin that holds enough."""
    for low, high in pairwise(edges):
        inside = (x >= low) & (x < high)
        if inside.sum() >= FEWEST_IN_BIN:
            yield float(np.median(x[inside])), float(np.quantile(y[inside], fraction))


FIGURES: dict[str, Callable[[Scores, MatchedTables], Figure]] = {
    "completeness": lambda scores, _: curve_figure(
        scores.curves, "completeness", "n_true", "true " + FLUX_LABEL
    ),
    "purity": lambda scores, _: curve_figure(
        scores.curves, "purity", "n_detections", "measured " + FLUX_LABEL
    ),
    "positions": lambda _, tables: position_figure(tables.detections),
    "classes": lambda scores, _: confusion_figure(scores),
    "pulsars": lambda scores, _: pulsar_figure(scores.pulsars["curve"]),
    "reliability": lambda scores, _: reliability_figure(scores),
    "failures": lambda _, tables: failure_figure(tables),
}
"""What draws each figure of an evaluation."""
