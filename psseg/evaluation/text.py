"""Scores as Markdown: what a network's card and a terminal show.

In go `Scores`; out comes text, AutoSourceID's published numbers beside ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psseg.evaluation.classes import AUTOSOURCEID_CLASSES
from psseg.evaluation.detection import Row
from psseg.evaluation.scores import Scores
from psseg.survey.classes import SOURCE_CLASSES

__all__ = ["markdown", "markdown_table"]


def markdown(scores: Scores) -> str:
    """Give the scores as Markdown.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.

    Returns
    -------
    str
        One line of overview and a table for each question.
    """
    return "\n\n".join(section(scores) for section in SECTIONS) + "\n"


def markdown_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, tuple[str, Callable[[Any], str]]],
) -> str:
    """Draw rows as a Markdown table.

    Parameters
    ----------
    rows : sequence of mapping
        The rows.
    columns : mapping
        Heading to (key of the rows, function that formats the value).
    """
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        cells = (show(row[key]) for key, show in columns.values())
        lines.append("| " + " | ".join(cells).replace("|b|", "\\|b\\|") + " |")
    return "\n".join(lines)


def _percent(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _degrees(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


def _flux(value: Any) -> str:
    return "–" if value is None else f"{value:.2e}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.2f}"


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)


def _overview(scores: Scores) -> str:
    counts = scores.counts
    return (
        f"{counts['n_detections']} detections, purity {_percent(counts['purity'])} %; "
        f"{counts['n_true_visible']} true sources of TS > 25; a position moved at random finds a "
        f"match in {_percent(counts['chance_match_rate'])} % of the cases."
    )


def _flux_section(scores: Scores) -> str:
    return "**Completeness and purity (%), AutoSourceID's in brackets**\n\n" + markdown_table(
        [_beside(row) for row in scores.by_flux],
        {
            "sky": ("zone", _plain),
            "S1 above": ("flux_min", _flux),
            "true": ("n_true", _plain),
            "TS > 25": ("visible", _percent),
            "completeness": ("completeness", _plain),
            "detections": ("n_detections", _plain),
            "purity": ("purity", _plain),
        },
    )


def _beside(row: Row) -> dict[str, Any]:
    """Write our numbers and AutoSourceID's into one cell each."""
    cells = {
        key: f"{_percent(row[key])} ± {_percent(row[f'{key}_error'])} "
        f"({_percent(row[f'autosourceid_{key}'])})"
        for key in ("completeness", "purity")
    }
    return {**row, **cells}


def _ts_section(scores: Scores) -> str:
    return "**Completeness (%) by true TS**\n\n" + markdown_table(
        scores.by_ts,
        {
            "sky": ("zone", _plain),
            "TS from": ("ts_min", _plain),
            "to": ("ts_max", _plain),
            "true": ("n_true", _plain),
            "as cut": ("completeness", _percent),
            "at 95 % purity": ("completeness_at_purity", _percent),
        },
    )


def _limit_section(scores: Scores) -> str:
    return "**90 % complete at**\n\n" + markdown_table(
        scores.limits,
        {
            "sky": ("zone", _plain),
            "S1": ("flux", _flux),
            "from": ("flux_low", _flux),
            "to": ("flux_high", _flux),
            "purity of all (%)": ("purity_of_all", _percent),
            "purity above (%)": ("purity_above_flux", _percent),
        },
    )


def _position_section(scores: Scores) -> str:
    return "**Positions (deg) and coverage of the error ellipses (%)**\n\n" + markdown_table(
        scores.positions,
        {
            "sample": ("sample", _plain),
            "n": ("n", _plain),
            "r68": ("r68", _degrees),
            "r95": ("r95", _degrees),
            "in the 68 % ellipse": ("coverage_68", _percent),
            "in the 95 % ellipse": ("coverage_95", _percent),
        },
    )


def _measured_flux_section(scores: Scores) -> str:
    return "**Fluxes, measured over true**\n\n" + markdown_table(
        scores.fluxes,
        {
            "sky": ("sample", _plain),
            "n": ("n", _plain),
            "median": ("median_ratio", _number),
            "scatter": ("ratio_scatter", _number),
            "median pull": ("median_pull", _number),
            "pull scatter": ("pull_scatter", _number),
        },
    )


def _class_section(scores: Scores) -> str:
    texts = []
    for prefix, name in (("P", "with priors"), ("L", "balanced")):
        classes = scores.classes[prefix]
        rows = [
            {"true": true, **dict(zip(SOURCE_CLASSES, line, strict=True))}
            for true, line in zip((*SOURCE_CLASSES, "false"), classes["confusion"], strict=True)
        ]
        for row, line in zip(rows, classes["classes"], strict=False):
            row.update(recall=line["recall"], precision=line["precision"], f1=line["f1"])
        counts = {f"as {label}": (label, _plain) for label in SOURCE_CLASSES}
        shares = {key: (key, _percent) for key in ("recall", "precision", "f1")}
        table = markdown_table(
            [{"recall": None, "precision": None, "f1": None, **row} for row in rows],
            {"true": ("true", _plain), **counts, **shares},
        )
        texts.append(
            f"**Classes, {name}** (accuracy {_percent(classes['accuracy'])} %, "
            f"macro-F1 {_number(classes['macro_f1'])})\n\n{table}"
        )
    best = scores.pulsars["best"]
    if best:
        texts.append(
            f"Pulsars at P_PULSAR ≥ {best['threshold']}: precision {_percent(best['precision'])} %,"
            f" recall {_percent(best['recall'])} % (AutoSourceID "
            f"{_percent(AUTOSOURCEID_CLASSES['pulsar_precision'])} / "
            f"{_percent(AUTOSOURCEID_CLASSES['pulsar_recall'])} %)."
        )
    return "\n\n".join(texts)


def _reliability_section(scores: Scores) -> str:
    rows = [{"column": name, **check} for name, check in scores.reliability.items()]
    return "**Probabilities: what is claimed and what comes true**\n\n" + markdown_table(
        rows,
        {
            "column": ("column", _plain),
            "n": ("n", _plain),
            "mean difference (%)": ("calibration_error", _percent),
            "Brier": ("brier", _degrees),
        },
    )


def _background_section(scores: Scores) -> str:
    return "**Expected background, predicted over true (%)**\n\n" + markdown_table(
        scores.background,
        {
            "sky": ("zone", _plain),
            "band": ("band", _plain),
            "bias": ("bias", _percent),
            "scatter of tiles": ("tile_scatter", _percent),
            "scatter of pixels": ("pixel_scatter", _percent),
        },
    )


SECTIONS: tuple[Callable[[Scores], str], ...] = (
    _overview,
    _flux_section,
    _ts_section,
    _limit_section,
    _position_section,
    _measured_flux_section,
    _class_section,
    _reliability_section,
    _background_section,
)
"""What the Markdown report holds, in order."""
