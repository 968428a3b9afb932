"""From a survey to a model that can be used: train, store, calibrate."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from psseg.evaluation import calibrate, calibrate_radio
from psseg.evaluation.run import raw_calibration
from psseg.network.store import Calibration, Model, load_model, save_model
from psseg.survey.survey import AnySurvey

if TYPE_CHECKING:
    from psseg.network.training import TrainingSettings

__all__ = ["train_model"]

logger = logging.getLogger(__name__)


def train_model(
    survey: AnySurvey,
    folder: str | Path,
    *,
    settings: TrainingSettings | None = None,
    resume: bool = False,
    calibration_tiles: int | None = None,
    processes: int = 2,
    progress: bool = False,
) -> Model:
    """Train a network, store it as a model, and calibrate it on simulated skies.

    Parameters
    ----------
    survey : Survey or ContinuumSurvey
        What to train for.
    folder : str or Path
        Becomes the model's folder.
    settings : TrainingSettings, optional
        Tiles, epochs, seed and the network's size. The default trains as the shipped model was,
        or goes on with the settings of the training that is resumed.
    resume : bool
        Go on where an earlier training in this folder stopped.
    calibration_tiles : int, optional
        Simulated tiles of 256² pixels, or images of 1024², to calibrate on. The default is that of
        `psseg.evaluation.calibrate` or `psseg.evaluation.calibrate_radio`.
    processes : int
        Processes that simulate tiles, and calibrate on counts; images are calibrated on in one. A
        script that calls this needs the usual ``if __name__ == "__main__":``, as they are started
        afresh.
    progress : bool
        Whether to draw progress bars.

    Returns
    -------
    Model
        Stored and calibrated.

    Raises
    ------
    PssegError
        If the training cannot begin or go on (:func:`psseg.network.training.train`), or too few
        detections were found to calibrate on: resume it with more `calibration_tiles`.
    """
    from psseg.network.training import train

    folder = Path(folder)
    network = train(
        survey, folder, settings=settings, resume=resume, workers=processes, progress=progress
    )
    record = json.loads((folder / "training.json").read_text("utf-8"))
    record.pop("files", None)
    store = partial(save_model, network, survey, name=folder.absolute().name, training=record)
    logger.info("%s: trained in %.0f s; calibrating", folder, record["seconds"])
    # The folder becomes a model when all is done: without thresholds everything would pass them.
    with TemporaryDirectory(prefix=".uncalibrated-", dir=folder) as raw:
        store(Path(raw), calibration=raw_calibration())
        calibration = _calibrated(
            load_model(raw),
            seed=record["settings"]["seed"],
            tiles=calibration_tiles,
            processes=processes,
            progress=progress,
        )
    store(folder, calibration=calibration)
    _tell_of_tiles(folder / "tiles")
    return load_model(folder)


def _tell_of_tiles(folder: Path) -> None:
    """Say that the tiles have served, which are most of what a training leaves."""
    if size := sum(path.stat().st_size for path in folder.glob("*.npy")):
        logger.warning("%s (%.1f GB) is no longer needed and may be deleted", folder, size / 1e9)


def _calibrated(
    model: Model, *, seed: int, tiles: int | None, processes: int, progress: bool
) -> Calibration:
    """Calibrate on simulated skies of the model's kind."""
    is_radio = model.survey.kind == "continuum"
    number: dict[str, Any] = {"n_images" if is_radio else "n_tiles": tiles} if tiles else {}
    if is_radio:
        return calibrate_radio(model, seed=seed, progress=progress, **number)
    return calibrate(model, seed=seed, processes=processes, progress=progress, **number)
