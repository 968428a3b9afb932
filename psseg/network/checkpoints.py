"""What a training leaves in its folder after every pass, so that it can be taken up again.

In: a network that is trained. Out: ``training.json``, the record of what was done, and the files
that it names, by the number of passes made. The record is renamed last and the files of the pass
before are removed after that: whenever the training is killed, there is a record with its files.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Collection
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from psseg import __version__
from psseg.errors import PssegError
from psseg.products import write_together
from psseg.survey.survey import AnySurvey

if TYPE_CHECKING:
    from psseg.network.training import TrainingSettings

__all__ = [
    "Keeper",
    "load_best",
    "load_checkpoint",
    "read_record",
    "restore_optimizer",
    "survey_sha256",
]

logger = logging.getLogger(__name__)

RECORD = "training.json"

FILES = {
    "best": "best-{:02d}.weights.h5",
    "optimizer": "optimizer-{:02d}.npz",
    "checkpoint": "checkpoint-{:02d}.keras",
}
"""What the record names, by the number of passes made."""

FORMER = {"optimizer": "optimizer.npz", "checkpoint": "checkpoint.keras"}
"""The same of a psseg that did not name them by it; its best weights are not always there."""

STORED = re.compile(r"(best|optimizer|checkpoint)(-\d\d+)?\.(weights\.h5|npz|keras)")


def survey_sha256(survey: AnySurvey) -> str:
    """Give the checksum by which a survey file is known again."""
    return hashlib.sha256(survey.text.encode()).hexdigest()


def read_record(folder: Path) -> dict[str, Any]:
    """Give the record of a training that can be resumed.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    dict
        ``files`` names its files by what they hold; ``best`` is None where no pass has a finite
        loss. Empty where there is no record, or a file of it is missing.
    """
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    best = None if record.get("best_loss") is None else "best.weights.h5"
    files = record.setdefault("files", FORMER | {"best": best})
    return record if all((folder / name).is_file() for name in files.values() if name) else {}


def load_checkpoint(folder: Path) -> keras.Model:
    """Load the network as the last pass left it, without its optimizer."""
    return keras.saving.load_model(_file(folder, "checkpoint"), compile=False)


def load_best(network: keras.Model, folder: Path) -> None:
    """Give a network the best weights of its kind; there are none where the training diverged."""
    if read_record(folder)["best_loss"] is None:
        raise PssegError(
            f"{folder}: the training diverged, no pass without normalisation has a finite "
            "validation loss; train in another folder with a lower learning_rate"
        )
    network.load_weights(_file(folder, "best"))


def restore_optimizer(network: keras.Model, folder: Path) -> None:
    """Give the optimizer of a compiled network the state that the last pass left it in."""
    network.optimizer.build(network.trainable_variables)
    with np.load(_file(folder, "optimizer")) as stored:
        for variable, name in zip(network.optimizer.variables, sorted(stored.files), strict=True):
            variable.assign(stored[name])


def _file(folder: Path, part: str) -> Path:
    return folder / read_record(folder)["files"][part]


class Keeper(keras.callbacks.Callback):
    """After every pass: a checkpoint, the best weights so far, and what was done.

    Parameters
    ----------
    folder : pathlib.Path
    survey : Survey or ContinuumSurvey
    settings : TrainingSettings
    """

    def __init__(self, folder: Path, survey: AnySurvey, settings: TrainingSettings) -> None:
        super().__init__()
        self._folder, self._survey, self._settings = folder, survey, settings
        self._before = read_record(folder)
        self._start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write everything a resumed training needs, the record last."""
        loss = (logs or {})["val_loss"]
        # Weights with and without normalisation do not compare: the best are of the last kind.
        turned = epoch == self._settings.turn
        best = None if turned else self._before.get("best_loss")
        better = loss < (np.inf if best is None else best)  # never where the loss is not a number
        seconds = self._before.get("seconds", 0.0) + time.monotonic() - self._start
        self._start = time.monotonic()
        files: dict[str, str | None] = {part: FILES[part].format(epoch + 1) for part in FILES}
        if not better:
            files["best"] = None if best is None else self._before["files"]["best"]
        self._before = {
            "survey": self._survey.name,
            "survey_sha256": survey_sha256(self._survey),
            "settings": asdict(self._settings),
            "epochs_done": epoch + 1,
            "best_loss": float(loss) if better else best,
            "seconds": round(seconds, 1),
            "versions": {name: version(name) for name in ("numpy", "keras")}
            | {"backend": keras.config.backend(), "psseg": __version__},
            "files": files,
        }
        self._write(better=better)
        logger.info("epoch %d of %d: loss %.4f", epoch + 1, self._settings.epochs, loss)

    def _write(self, *, better: bool) -> None:
        text, files = json.dumps(self._before, indent=2) + "\n", self._before["files"]
        writers = {
            files["optimizer"]: partial(_save_optimizer, self.model),
            files["checkpoint"]: self.model.save,
        }
        if better:
            writers[files["best"]] = self.model.save_weights
        writers[RECORD] = partial(Path.write_text, data=text, encoding="utf-8")
        write_together({self._folder / name: write for name, write in writers.items()})
        _remove_others(self._folder, files.values())


def _save_optimizer(network: keras.Model, path: Path) -> None:
    variables = enumerate(network.optimizer.variables)
    values = {f"{i:05d}": keras.ops.convert_to_numpy(variable.value) for i, variable in variables}
    np.savez(path, **values)


def _remove_others(folder: Path, names: Collection[str | None]) -> None:
    """Remove the files of passes that the record does not name."""
    for path in list(folder.iterdir()):
        if STORED.fullmatch(path.name) and path.name not in names:
            path.unlink()
