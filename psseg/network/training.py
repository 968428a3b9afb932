"""Train a network for a survey: simulated tiles in, weights and a log out.

Training can be stopped and taken up again at any epoch. What it writes into its folder:
``training.csv`` (losses per epoch), ``training.json`` (seed, versions, settings, wall time),
``checkpoint.keras`` (to resume from) and the best weights so far.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from psseg import __version__
from psseg.errors import PssegError
from psseg.network.forms import fold_normalisation
from psseg.network.recipes import Recipe, recipe_for
from psseg.products import write_together
from psseg.progress import watched
from psseg.survey.survey import AnySurvey

__all__ = ["TrainingSettings", "default_settings", "train"]

logger = logging.getLogger(__name__)

SETTLING_BATCHES = 60
"""Over which normalisation is measured anew: a thousand tiles."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that shapes a training besides the survey.

    Parameters
    ----------
    n_tiles : int
        Simulated tiles, 128² pixels each, at least 2; 5 % of them, at most 500, are kept for
        validation.
    epochs : int
        Passes over them.
    normalised_epochs : int
        How many of the first passes, at most all but one, have batch normalisation. It makes the
        start fast; but tiles from the plane and from the poles are so unlike that the network
        comes to rely on what is in its batch. So the normalisation is then measured anew, put
        into the convolutions, and training goes on without.
    batch_size : int
    filters, depth : int
        Of the U-Net; depth is 1 to 4.
    learning_rate : float
        Highest rate of AdamW; warmed up over 2 % of the steps, then falling as a cosine, to half
        of it in the normalised passes; 0.4 times as high at first, falling to nothing, after.
    source_weight : float
        Weight of a source pixel in the class loss.
    background_weight : float
        Weight of the background loss.
    seed : int
    """

    n_tiles: int = 10000
    epochs: int = 8
    normalised_epochs: int = 3
    batch_size: int = 16
    filters: int = 16
    depth: int = 4
    learning_rate: float = 2e-3
    source_weight: float = 3.0
    background_weight: float = 1.0
    seed: int = 1

    @property
    def turn(self) -> int:
        """Passes after which normalisation ends."""
        return min(self.normalised_epochs, self.epochs - 1)


def default_settings(survey: AnySurvey, **given: Any) -> TrainingSettings:
    """Give the settings with which the shipped model of such a survey was trained.

    Parameters
    ----------
    survey : Survey or ContinuumSurvey
    **given
        Settings that shall differ.

    Returns
    -------
    TrainingSettings
    """
    return TrainingSettings(**{**recipe_for(survey).defaults, **given})


def train(
    survey: AnySurvey,
    folder: Path,
    *,
    settings: TrainingSettings | None = None,
    resume: bool = False,
    workers: int = 2,
    progress: bool = False,
) -> keras.Model:
    """Train a network on simulated tiles.

    Parameters
    ----------
    survey : Survey or ContinuumSurvey
    folder : pathlib.Path
        Where everything goes; the simulated tiles go into its ``tiles``.
    settings : TrainingSettings, optional
        The default is :func:`default_settings`; on resuming, what the training was begun with.
    resume : bool
        Go on where an earlier training in this folder stopped.
    workers : int
        Processes that simulate.
    progress : bool
        Show bars.

    Returns
    -------
    keras.Model
        The network with its best weights.

    Raises
    ------
    PssegError
        If there is nothing to resume, if it was begun with other settings or for another survey, if
        something would be overwritten, or if the training diverged.
    """
    checkpoint = folder / "checkpoint.keras"
    if resume and not checkpoint.is_file():
        raise PssegError(f"{folder}: no checkpoint to resume from; train without --resume")
    if not resume and checkpoint.exists():
        raise PssegError(f"{folder}: holds a training already; use --resume or another folder")
    if not resume and (folder / "model.json").exists():
        raise PssegError(f"{folder}: holds a model already; train in another folder")
    before = json.loads((folder / "training.json").read_text("utf-8")) if resume else {}
    if before.get("survey_sha256", _sha256(survey)) != _sha256(survey):
        raise PssegError(
            f"{folder}: begun for another survey file than this {survey.name!r}: "
            "resume it with the file of then, or train in another folder"
        )
    settings = _settled(settings, before, survey)
    recipe = recipe_for(survey)
    tiles = recipe.simulate(
        survey,
        folder / "tiles",
        n_tiles=settings.n_tiles,
        seed=settings.seed,
        workers=workers,
        progress=progress,
    )
    keras.utils.set_random_seed(settings.seed)
    done = before.get("epochs_done", 0)
    build = partial(recipe.build, filters=settings.filters, depth=settings.depth)
    split, prepare = partial(_split, recipe, tiles, settings), partial(_compile, recipe, settings)
    training, validation = split(done)
    network = (
        keras.saving.load_model(checkpoint, compile=False) if resume else build(normalise=True)
    )
    fit = partial(_fit, folder=folder, survey=survey, settings=settings, progress=progress)
    turn = settings.turn
    if done < turn:
        prepare(network, steps=2 * turn * len(training), rate=settings.learning_rate)
        if done:
            _restore_optimizer(network, folder)
        fit(network, training, validation, first=done, last=turn)
        done = turn
    training, validation = split(done)
    if done == turn:
        _settle(network, training)
        network = fold_normalisation(network, build(normalise=False))
    steps = (settings.epochs - turn) * len(training)
    prepare(network, steps=steps, rate=0.4 * settings.learning_rate)
    if done > turn:
        _restore_optimizer(network, folder)
    fit(network, training, validation, first=done, last=settings.epochs)
    _load_best(network, folder)
    return network


def _sha256(survey: AnySurvey) -> str:
    return hashlib.sha256(survey.text.encode()).hexdigest()


def _load_best(network: keras.Model, folder: Path) -> None:
    """Give a network the best weights of its kind; there are none where the training diverged."""
    if json.loads((folder / "training.json").read_text("utf-8"))["best_loss"] is None:
        raise PssegError(
            f"{folder}: the training diverged, no pass without normalisation has a finite "
            "validation loss; train in another folder with a lower learning_rate"
        )
    network.load_weights(folder / "best.weights.h5")


def _fit(
    network: keras.Model,
    training: keras.utils.PyDataset,
    validation: keras.utils.PyDataset,
    *,
    first: int,
    last: int,
    folder: Path,
    survey: AnySurvey,
    settings: TrainingSettings,
    progress: bool,
) -> None:
    log = keras.callbacks.CSVLogger(folder / "training.csv", append=first > 0)
    network.fit(
        training,
        validation_data=validation,
        epochs=last,
        initial_epoch=first,
        shuffle=False,  # the batches shuffle themselves, by seed and epoch
        callbacks=[_Keeper(folder, survey, settings), log],
        verbose=int(progress and watched()),
    )


def _settle(network: keras.Model, training: keras.utils.PyDataset) -> None:
    """Measure the batch normalisation anew: running means lag behind weights that move."""
    layers = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for number in range(min(SETTLING_BATCHES, len(training))):
        for layer in layers:
            layer.momentum = number / (number + 1)
        network(list(training[number][0]), training=True)


def _settled(
    settings: TrainingSettings | None, before: Mapping[str, Any], survey: AnySurvey
) -> TrainingSettings:
    """Give the settings of a new training or of one begun before, which must not change."""
    new = settings or default_settings(survey)
    begun = TrainingSettings(**before["settings"]) if before else new
    if begun.n_tiles < 2:
        raise PssegError("n_tiles is below 2: one tile is to train on, one to validate on")
    now = asdict(settings or begun)
    changed = [f"{key}={value}" for key, value in asdict(begun).items() if now[key] != value]
    if changed:
        was = ", ".join(changed)
        raise PssegError(f"this training was begun with {was}: resume it with the same")
    return begun


def _split(
    recipe: Recipe, tiles: Any, settings: TrainingSettings, done: int
) -> tuple[keras.utils.PyDataset, keras.utils.PyDataset]:
    n_validation = min(500, max(len(tiles) // 20, 1))
    index, size = np.arange(len(tiles)), settings.batch_size
    training = recipe.batches(
        tiles, index[n_validation:], batch_size=size, seed=settings.seed, first_epoch=done
    )
    validation = recipe.batches(tiles, index[:n_validation], batch_size=size, varied=False)
    return training, validation


def _compile(
    recipe: Recipe, settings: TrainingSettings, network: keras.Model, *, steps: int, rate: float
) -> None:
    warm_up = max(steps // 50, 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20,
        max(steps - warm_up, 1),
        alpha=0.01,
        warmup_target=rate,
        warmup_steps=warm_up,
    )
    losses, weights = recipe.losses(settings.source_weight, settings.background_weight)
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
        loss=losses,
        loss_weights=weights,
        jit_compile=False,
    )


def _restore_optimizer(network: keras.Model, folder: Path) -> None:
    network.optimizer.build(network.trainable_variables)
    with np.load(folder / "optimizer.npz") as stored:
        for variable, name in zip(network.optimizer.variables, sorted(stored.files), strict=True):
            variable.assign(stored[name])


class _Keeper(keras.callbacks.Callback):
    """After every epoch: a checkpoint, the best weights so far, and what was done."""

    def __init__(self, folder: Path, survey: AnySurvey, settings: TrainingSettings) -> None:
        super().__init__()
        self._folder, self._survey, self._settings = folder, survey, settings
        record = folder / "training.json"
        self._before = json.loads(record.read_text("utf-8")) if record.is_file() else {}
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
        self._before = {
            "survey": self._survey.name,
            "survey_sha256": _sha256(self._survey),
            "settings": asdict(self._settings),
            "epochs_done": epoch + 1,
            "best_loss": float(loss) if better else best,
            "seconds": round(seconds, 1),
            "versions": {name: version(name) for name in ("numpy", "keras")}
            | {"backend": keras.config.backend(), "psseg": __version__},
        }
        text = json.dumps(self._before, indent=2) + "\n"
        writers = {
            "best.weights.h5": self.model.save_weights,
            "optimizer.npz": partial(_save_optimizer, self.model),
            "checkpoint.keras": self.model.save,
            "training.json": lambda path: path.write_text(text, "utf-8"),
        }
        if not better:
            del writers["best.weights.h5"]
        write_together({self._folder / name: write for name, write in writers.items()})
        logger.info("epoch %d of %d: loss %.4f", epoch + 1, self._settings.epochs, loss)


def _save_optimizer(network: keras.Model, path: Path) -> None:
    variables = enumerate(network.optimizer.variables)
    values = {f"{i:05d}": keras.ops.convert_to_numpy(variable.value) for i, variable in variables}
    np.savez(path, **values)
