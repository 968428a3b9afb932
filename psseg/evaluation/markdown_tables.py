"""Tables of scores in Markdown: how rows and numbers are shown, and what all evaluations show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from psseg.survey.classes import SOURCE_CLASSES

__all__ = [
    "Columns",
    "class_section",
    "edge",
    "fine",
    "flux",
    "markdown_table",
    "number",
    "percent",
    "plain",
    "reliability_section",
    "table_section",
]

Columns = Mapping[str, tuple[str, Callable[[Any], str]]]
"""Heading to the key of the rows and the function that shows its value."""

NOTHING = "–"
"""What is shown where nothing can be said."""


def markdown_table(rows: Iterable[Mapping[str, Any]], columns: Columns) -> str:
    """Draw rows as a Markdown table; what a row lacks is shown as what is None.

    Parameters
    ----------
    rows : iterable of mapping
        The rows.
    columns : mapping
        Heading to (key of the rows, function that formats the value).

    Returns
    -------
    str
    """
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        cells = (show(row.get(key)) for key, show in columns.values())
        lines.append("| " + " | ".join(cells).replace("|b|", "\\|b\\|") + " |")
    return "\n".join(lines)


def table_section(title: str, rows: Iterable[Mapping[str, Any]], columns: Columns) -> str:
    """Give a table under its title."""
    return f"**{title}**\n\n{markdown_table(rows, columns)}"


def percent(value: Any) -> str:
    """Show a share in percent."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def number(value: Any) -> str:
    """Show two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def fine(value: Any) -> str:
    """Show three decimals."""
    return NOTHING if value is None else f"{value:.3f}"


def flux(value: Any) -> str:
    """Show a power of ten."""
    return NOTHING if value is None else f"{value:.2e}"


def edge(value: Any) -> str:
    """Show as few digits as will do."""
    return NOTHING if value is None else f"{value:g}"


def plain(value: Any) -> str:
    """Show a value as it is."""
    return NOTHING if value is None else str(value)


def class_section(prefix: str, table: Mapping[str, Any]) -> str:
    """Draw a confusion matrix with recall, precision and F1 of each class.

    Parameters
    ----------
    prefix : str
        "P" for probabilities with the survey's priors, "L" for balanced ones.
    table : mapping
        As `psseg.evaluation.classes.class_scores` gives it.

    Returns
    -------
    str
    """
    scored = {row["class"]: row for row in table["classes"]}
    rows = [
        {"true": true, **dict(zip(SOURCE_CLASSES, line, strict=True)), **scored.get(true, {})}
        for true, line in zip((*SOURCE_CLASSES, "false"), table["confusion"], strict=True)
    ]
    columns: Columns = {
        "true": ("true", plain),
        **{f"as {label}": (label, plain) for label in SOURCE_CLASSES},
        **{key: (key, percent) for key in ("recall", "precision", "f1")},
    }
    name = {"P": "with priors", "L": "balanced"}[prefix]
    return (
        f"**Classes, {name}** (accuracy {percent(table['accuracy'])} %, "
        f"macro-F1 {number(table['macro_f1'])})\n\n{markdown_table(rows, columns)}"
    )


def reliability_section(checks: Mapping[str, Any]) -> str:
    """Draw how well each probability of `psseg.evaluation.classes` comes true."""
    return table_section(
        "Probabilities: what is claimed and what comes true",
        [{"column": name, **check} for name, check in checks.items()],
        {
            "column": ("column", plain),
            "n": ("n", plain),
            "mean difference (%)": ("calibration_error", percent),
            "Brier": ("brier", fine),
        },
    )
