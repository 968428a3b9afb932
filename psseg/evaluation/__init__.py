"""How good a catalogue is against a truth: found, pure, well placed, rightly classed."""

from __future__ import annotations

from psseg.evaluation.calibration import CalibrationTargets
from psseg.evaluation.counts_file import evaluate_counts_file
from psseg.evaluation.files import describe, evaluate_file, evaluation_paths, write_evaluation
from psseg.evaluation.matching import Footprint, MatchedTables, Protocol
from psseg.evaluation.radio_calibration import calibrate_radio
from psseg.evaluation.radio_file import evaluate_radio_file
from psseg.evaluation.radio_skies import RadioEvaluation, evaluate_radio
from psseg.evaluation.run import Evaluation, calibrate, evaluate, evaluate_catalogue
from psseg.evaluation.scores import Scores
from psseg.evaluation.sdc1 import Sdc1Evaluation, evaluate_sdc1
from psseg.evaluation.text import markdown

__all__ = [
    "CalibrationTargets",
    "Evaluation",
    "Footprint",
    "MatchedTables",
    "Protocol",
    "RadioEvaluation",
    "Scores",
    "Sdc1Evaluation",
    "calibrate",
    "calibrate_radio",
    "describe",
    "evaluate",
    "evaluate_catalogue",
    "evaluate_counts_file",
    "evaluate_file",
    "evaluate_radio",
    "evaluate_radio_file",
    "evaluate_sdc1",
    "evaluation_paths",
    "markdown",
    "write_evaluation",
]
