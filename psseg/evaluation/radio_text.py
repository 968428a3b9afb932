"""Scores of radio catalogues as Markdown: what a network's card and a terminal show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from psseg.evaluation.radio_scores import RadioScores
from psseg.evaluation.text import markdown_table
from psseg.survey.classes import SOURCE_CLASSES

__all__ = ["radio_markdown"]


def radio_markdown(scores: RadioScores) -> str:
    """Give the scores as Markdown.

    Parameters
    ----------
    scores : RadioScores
        What an evaluation found.

    Returns
    -------
    str
        One line of overview and a table for each question that has an answer.
    """
    sections = [_overview(scores)]
    for title, rows, columns in (
        ("Completeness and reliability (%) by peak S/N", scores.by_snr, SNR_COLUMNS),
        ("Sources in pieces and sources swallowed", scores.splits, SPLIT_COLUMNS),
        ("Completeness (%) beside a brighter source", scores.neighbours, NEIGHBOUR_COLUMNS),
        ("False detections near bright sources", scores.near_bright, NEAR_COLUMNS),
        ("Positions of point sources (arcsec) and their pulls", scores.positions, PLACE_COLUMNS),
        ("Integrated flux, measured over true", scores.fluxes, FLUX_COLUMNS),
        ("Classes of matched sources", scores.class_cells, CELL_COLUMNS),
    ):
        shown = [row for row in rows if not _is_empty(row)]
        if shown:
            sections.append(f"**{title}**\n\n{markdown_table(shown, columns)}")
    sections += [_confusion(prefix, table) for prefix, table in scores.classes.items()]
    if scores.reliability:
        sections.append(_reliability(scores.reliability))
    return "\n\n".join(sections) + "\n"


def _percent(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.2f}"


def _fine(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)


def _edge(value: Any) -> str:
    return "–" if value is None else f"{value:g}"


Columns = Mapping[str, tuple[str, Callable[[Any], str]]]

SNR_EDGES: Columns = {"S/N from": ("snr_min", _edge), "to": ("snr_max", _edge)}
SNR_COLUMNS: Columns = {
    "set-up": ("setup", _plain),
    **SNR_EDGES,
    "true": ("n_true", _plain),
    "completeness": ("completeness", _percent),
    "±": ("completeness_error", _percent),
    "at 97 % reliability": ("completeness_at_reliability", _percent),
    "detections": ("n_detections", _plain),
    "reliability": ("reliability", _percent),
    "± ": ("reliability_error", _percent),
}
SPLIT_COLUMNS: Columns = {
    "sources": ("sample", _plain),
    "found": ("n_found", _plain),
    "split": ("n_split", _plain),
    "merged": ("n_merged", _plain),
    "blended within a beam": ("n_blended", _plain),
}
NEIGHBOUR_COLUMNS: Columns = {
    "beams from": ("beams_min", _edge),
    "to": ("beams_max", _edge),
    "true": ("n_true", _plain),
    "completeness": ("completeness", _percent),
    "±": ("error", _percent),
}
NEAR_COLUMNS: Columns = {
    "set-up": ("setup", _plain),
    "detections": ("n_detections", _plain),
    "false": ("n_false", _plain),
    "near bright": ("n_near_bright", _plain),
    "false near bright": ("n_false_near_bright", _plain),
}
PLACE_COLUMNS: Columns = {
    "sources": ("sample", _plain),
    **SNR_EDGES,
    "n": ("n", _plain),
    "68 % within (beams)": ("r68_beams", _fine),
    "median ra": ("median_ra", _fine),
    "median dec": ("median_dec", _fine),
    "median pull ra": ("median_pull_ra", _number),
    "dec": ("median_pull_dec", _number),
    "pull width ra": ("pull_width_ra", _number),
    "dec ": ("pull_width_dec", _number),
}
FLUX_COLUMNS: Columns = {
    "sources": ("sample", _plain),
    **SNR_EDGES,
    "n": ("n", _plain),
    "median": ("median_ratio", _fine),
    "±": ("median_ratio_error", _fine),
    "scatter": ("ratio_scatter", _number),
    "median pull": ("median_pull_flux", _number),
    "pull width": ("pull_width_flux", _number),
}
CELL_COLUMNS: Columns = {
    "classifier": ("classifier", _plain),
    "frequencies": ("frequencies", _plain),
    **SNR_EDGES,
    "n": ("n", _plain),
    "pulsars": ("n_pulsars", _plain),
    "macro-F1": ("macro_f1", _fine),
    "pulsar precision": ("pulsar_precision", _percent),
    "recall": ("pulsar_recall", _percent),
    "precision at recall 70 %": ("precision_at_recall", _percent),
}


def _is_empty(row: Mapping[str, Any]) -> bool:
    """Say whether a row counts nothing at all."""
    return not any(row[key] for key in ("n", "n_true", "n_detections", "n_found") if key in row)


def _overview(scores: RadioScores) -> str:
    counts = scores.counts
    return (
        f"{counts['n_detections']} detections, of which {counts['n_fragments']} are fragments, "
        f"reliability {_percent(counts['reliability'])} %; {counts['n_true_5_sigma']} true sources "
        "above 5 sigma; a position moved at random finds a match in "
        f"{_percent(counts['chance_match_rate'])} % of the cases."
    )


def _confusion(prefix: str, table: Mapping[str, Any]) -> str:
    """Draw a confusion matrix with recall, precision and F1 of each class."""
    name = {"P": "with priors", "L": "balanced"}[prefix]
    scored = {row["class"]: row for row in table["classes"]}
    rows = [
        {
            "true": true,
            **dict(zip(SOURCE_CLASSES, line, strict=True)),
            **{key: scored.get(true, {}).get(key) for key in ("recall", "precision", "f1")},
        }
        for true, line in zip((*SOURCE_CLASSES, "false"), table["confusion"], strict=True)
    ]
    columns: Columns = {
        "true": ("true", _plain),
        **{f"as {label}": (label, _plain) for label in SOURCE_CLASSES},
        **{key: (key, _percent) for key in ("recall", "precision", "f1")},
    }
    return (
        f"**Classes, {name}** (accuracy {_percent(table['accuracy'])} %, "
        f"macro-F1 {_number(table['macro_f1'])})\n\n{markdown_table(rows, columns)}"
    )


def _reliability(checks: Mapping[str, Any]) -> str:
    return "**Probabilities: what is claimed and what comes true**\n\n" + markdown_table(
        [{"column": name, **check} for name, check in checks.items()],
        {
            "column": ("column", _plain),
            "n": ("n", _plain),
            "mean difference (%)": ("calibration_error", _percent),
            "Brier": ("brier", _fine),
        },
    )
