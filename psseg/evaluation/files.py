"""The files of an evaluation: a catalogue and its truth come in, scores and figures go out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from psseg.evaluation.counts_file import evaluate_counts_file
from psseg.evaluation.plots import FIGURES, score_figures
from psseg.evaluation.radio_file import evaluate_radio_file
from psseg.evaluation.radio_skies import RadioEvaluation
from psseg.evaluation.radio_text import radio_markdown
from psseg.evaluation.run import Evaluation
from psseg.evaluation.sdc1 import Sdc1Evaluation, sdc1_markdown
from psseg.evaluation.text import markdown
from psseg.products import check_writable, write_together
from psseg.sky.radio_truth_file import is_radio_truth

__all__ = ["describe", "evaluate_file", "evaluation_paths", "write_evaluation"]

AnyEvaluation = Evaluation | RadioEvaluation | Sdc1Evaluation

TABLES = ("detections", "truths")
"""Tables that are written where asked."""


def evaluate_file(
    catalogue_path: str | Path, truth_path: str | Path
) -> Evaluation | RadioEvaluation:
    """Score a catalogue file against the truth file of its simulated sky, of whichever kind.

    Parameters
    ----------
    catalogue_path : str or Path
        A catalogue that psseg wrote; of a radio image, in FITS.
    truth_path : str or Path
        The ``_truth.fits`` of the sky.

    Returns
    -------
    Evaluation or RadioEvaluation
        By `psseg.evaluation.counts_file` or `psseg.evaluation.radio_file`.
    """
    evaluated = evaluate_radio_file if is_radio_truth(truth_path) else evaluate_counts_file
    return evaluated(catalogue_path, truth_path)


def describe(evaluation: AnyEvaluation) -> str:
    """Give the scores of an evaluation as Markdown tables."""
    if isinstance(evaluation, Evaluation):
        return markdown(evaluation.scores)
    if isinstance(evaluation, Sdc1Evaluation):
        return sdc1_markdown(evaluation.scores)
    return radio_markdown(evaluation.scores)


def evaluation_paths(folder: str | Path, *, figures: bool, tables: bool = False) -> list[Path]:
    """Name the files of an evaluation.

    Parameters
    ----------
    folder : str or Path
        Where they go.
    figures : bool
        Whether there are figures: of counts there are.
    tables : bool
        Whether the tables are written, too.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> [path.name for path in evaluation_paths("scores", figures=False, tables=True)]
    ['scores.json', 'scores.md', 'detections.fits', 'truths.fits']
    """
    names = ["scores.json", "scores.md"]
    names += [f"{name}.png" for name in FIGURES if figures]
    names += [f"{name}.fits" for name in TABLES if tables]
    return [Path(folder) / name for name in names]


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
    counts = isinstance(evaluation, Evaluation)
    tables = tables and not isinstance(evaluation, Sdc1Evaluation)
    paths = evaluation_paths(folder, figures=counts, tables=tables)
    check_writable(paths, overwrite=overwrite)
    writers = _writers(evaluation)
    write_together({path: writers[path.name] for path in paths})
    return paths


def _writers(evaluation: AnyEvaluation) -> dict[str, Callable[[Path], object]]:
    """Give what writes each file that an evaluation can have, by its name."""
    text = describe(evaluation)
    writers: dict[str, Callable[[Path], object]] = {
        "scores.json": evaluation.scores.write,
        "scores.md": partial(Path.write_text, data=text, encoding="utf-8"),
    }
    if isinstance(evaluation, Evaluation):
        figures = score_figures(evaluation.scores, evaluation.tables)
        writers |= {f"{name}.png": figure.savefig for name, figure in figures.items()}
    if not isinstance(evaluation, Sdc1Evaluation):
        writers |= {f"{name}.fits": getattr(evaluation.tables, name).write for name in TABLES}
    return writers
