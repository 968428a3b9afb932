"""How good a catalogue is against a truth: found, pure, well placed, rightly classed."""

from __future__ import annotations

from psseg.evaluation.calibration import CalibrationTargets
from psseg.evaluation.matching import Footprint, MatchedTables, Protocol
from psseg.evaluation.run import (
    Evaluation,
    calibrate,
    evaluate,
    evaluate_catalogue,
    write_evaluation,
)
from psseg.evaluation.scores import Scores
from psseg.evaluation.text import markdown

__all__ = [
    "CalibrationTargets",
    "Evaluation",
    "Footprint",
    "MatchedTables",
    "Protocol",
    "Scores",
    "calibrate",
    "evaluate",
    "evaluate_catalogue",
    "markdown",
    "write_evaluation",
]
