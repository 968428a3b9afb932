"""Scores as Markdown: what a network's card and a terminal show.

In go `Scores`; out comes text, AutoSourceID's published numbers beside ours.
"""

from __future__ import annotations

from typing import Any

from psseg.evaluation.classes import AUTOSOURCEID_CLASSES
from psseg.evaluation.markdown_tables import (
    Columns,
    class_section,
    fine,
    flux,
    number,
    percent,
    plain,
    reliability_section,
    table_section,
)
from psseg.evaluation.scores import Scores
from psseg.evaluation.statistics import Row

__all__ = ["markdown"]

CUT_COLUMNS: Columns = {
    "sky": ("zone", plain),
    "S1 above": ("flux_min", flux),
    "true": ("n_true", plain),
    "TS > 25": ("visible", percent),
    "completeness": ("completeness", plain),
    "detections": ("n_detections", plain),
    "purity": ("purity", plain),
    "by chance": ("chance_match_rate", percent),
}
TS_COLUMNS: Columns = {
    "sky": ("zone", plain),
    "TS from": ("ts_min", plain),
    "to": ("ts_max", plain),
    "true": ("n_true", plain),
    "as cut": ("completeness", percent),
    "at 95 % purity": ("completeness_at_purity", percent),
}
LIMIT_COLUMNS: Columns = {
    "sky": ("zone", plain),
    "S1": ("flux", flux),
    "from": ("flux_low", flux),
    "to": ("flux_high", flux),
    "purity of all (%)": ("purity_of_all", percent),
    "purity above (%)": ("purity_above_flux", percent),
}
PLACE_COLUMNS: Columns = {
    "sample": ("sample", plain),
    "n": ("n", plain),
    "r68": ("r68", fine),
    "r95": ("r95", fine),
    "in the 68 % ellipse": ("coverage_68", percent),
    "in the 95 % ellipse": ("coverage_95", percent),
}
FLUX_COLUMNS: Columns = {
    "sky": ("sample", plain),
    "n": ("n", plain),
    "median": ("median_ratio", number),
    "scatter": ("ratio_scatter", number),
    "median pull": ("median_pull", number),
    "pull scatter": ("pull_scatter", number),
}
BACKGROUND_COLUMNS: Columns = {
    "sky": ("zone", plain),
    "band": ("band", plain),
    "bias": ("bias", percent),
    "scatter of tiles": ("tile_scatter", percent),
    "scatter of pixels": ("pixel_scatter", percent),
}


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
    cuts = [_beside(row) for row in scores.by_flux]
    sections = [_overview(scores)]
    sections += [
        table_section(title, rows, columns)
        for title, rows, columns in (
            ("Completeness and purity (%), AutoSourceID's in brackets", cuts, CUT_COLUMNS),
            ("Completeness (%) by true TS", scores.by_ts, TS_COLUMNS),
            ("90 % complete at", scores.limits, LIMIT_COLUMNS),
            (
                "Positions (deg) and coverage of the error ellipses (%)",
                *(scores.positions, PLACE_COLUMNS),
            ),
            ("Fluxes, measured over true", scores.fluxes, FLUX_COLUMNS),
        )
    ]
    sections += [class_section(prefix, table) for prefix, table in scores.classes.items()]
    if scores.pulsars["best"]:
        sections.append(_pulsars(scores.pulsars["best"]))
    sections.append(reliability_section(scores.reliability))
    title = "Expected background, predicted over true (%)"
    sections.append(table_section(title, scores.background, BACKGROUND_COLUMNS))
    return "\n\n".join(sections) + "\n"


def _overview(scores: Scores) -> str:
    counts = scores.counts
    return (
        f"{counts['n_detections']} detections, purity {percent(counts['purity'])} %; "
        f"{counts['n_true_visible']} true sources of TS > 25; a position moved at random finds a "
        f"match in {percent(counts['chance_match_rate'])} % of the cases."
    )


def _beside(row: Row) -> dict[str, Any]:
    """Write our numbers and AutoSourceID's into one cell each."""
    cells = {
        key: f"{percent(row[key])} ± {percent(row[f'{key}_error'])} "
        f"({percent(row[f'autosourceid_{key}'])})"
        for key in ("completeness", "purity")
    }
    return {**row, **cells}


def _pulsars(best: Row) -> str:
    return (
        f"Pulsars at P_PULSAR ≥ {best['threshold']}: precision {percent(best['precision'])} %,"
        f" recall {percent(best['recall'])} % (AutoSourceID "
        f"{percent(AUTOSOURCEID_CLASSES['pulsar_precision'])} / "
        f"{percent(AUTOSOURCEID_CLASSES['pulsar_recall'])} %)."
    )
