"""Scores of radio catalogues as Markdown: what a network's card and a terminal show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psseg.evaluation.markdown_tables import (
    Columns,
    class_section,
    edge,
    fine,
    number,
    percent,
    plain,
    reliability_section,
    table_section,
)
from psseg.evaluation.radio_scores import RadioScores

__all__ = ["radio_markdown"]


SNR_EDGES: Columns = {"S/N from": ("snr_min", edge), "to": ("snr_max", edge)}
SNR_COLUMNS: Columns = {
    "set-up": ("setup", plain),
    **SNR_EDGES,
    "true": ("n_true", plain),
    "completeness": ("completeness", percent),
    "±": ("completeness_error", percent),
    "at 97 % reliability": ("completeness_at_reliability", percent),
    "detections": ("n_detections", plain),
    "reliability": ("reliability", percent),
    "± ": ("reliability_error", percent),
    "by chance": ("chance_match_rate", percent),
}
SPLIT_COLUMNS: Columns = {
    "sources": ("sample", plain),
    "found": ("n_found", plain),
    "split": ("n_split", plain),
    "merged": ("n_merged", plain),
    "blended within a beam": ("n_blended", plain),
}
NEIGHBOUR_COLUMNS: Columns = {
    "beams from": ("beams_min", edge),
    "to": ("beams_max", edge),
    "true": ("n_true", plain),
    "completeness": ("completeness", percent),
    "±": ("error", percent),
}
NEAR_COLUMNS: Columns = {
    "set-up": ("setup", plain),
    "detections": ("n_detections", plain),
    "false": ("n_false", plain),
    "near bright": ("n_near_bright", plain),
    "false near bright": ("n_false_near_bright", plain),
}
PLACE_COLUMNS: Columns = {
    "sources": ("sample", plain),
    **SNR_EDGES,
    "n": ("n", plain),
    "68 % within (beams)": ("r68_beams", fine),
    "median ra": ("median_ra", fine),
    "median dec": ("median_dec", fine),
    "median pull ra": ("median_pull_ra", number),
    "dec": ("median_pull_dec", number),
    "pull width ra": ("pull_width_ra", number),
    "dec ": ("pull_width_dec", number),
}
FLUX_COLUMNS: Columns = {
    "sources": ("sample", plain),
    **SNR_EDGES,
    "n": ("n", plain),
    "median": ("median_ratio", fine),
    "±": ("median_ratio_error", fine),
    "scatter": ("ratio_scatter", number),
    "median pull": ("median_pull_flux", number),
    "pull width": ("pull_width_flux", number),
}
CELL_COLUMNS: Columns = {
    "classifier": ("classifier", plain),
    "frequencies": ("frequencies", plain),
    **SNR_EDGES,
    "n": ("n", plain),
    "pulsars": ("n_pulsars", plain),
    "macro-F1": ("macro_f1", fine),
    "pulsar precision": ("pulsar_precision", percent),
    "recall": ("pulsar_recall", percent),
    "precision at recall 70 %": ("precision_at_recall", percent),
}


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
            sections.append(table_section(title, shown, columns))
    sections += [class_section(prefix, table) for prefix, table in scores.classes.items()]
    if scores.reliability:
        sections.append(reliability_section(scores.reliability))
    return "\n\n".join(sections) + "\n"


def _is_empty(row: Mapping[str, Any]) -> bool:
    """Say whether a row counts nothing at all."""
    return not any(row[key] for key in ("n", "n_true", "n_detections", "n_found") if key in row)


def _overview(scores: RadioScores) -> str:
    counts = scores.counts
    return (
        f"{counts['n_detections']} detections, of which {counts['n_fragments']} are fragments, "
        f"reliability {percent(counts['reliability'])} %; {counts['n_true_5_sigma']} true sources "
        "above 5 sigma; a position moved at random finds a match in "
        f"{percent(counts['chance_match_rate'])} % of the cases."
    )
