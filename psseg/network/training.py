"""Train a network for a survey: simulated tiles in, weights and a log out.

Training can be stopped and taken up again at any epoch. What it writes into its folder: ``tiles``
(simulated, some GB), ``training.csv`` (losses per epoch), ``training.json`` (seed, versions,
settings, wall time), and after the third epoch ``checkpoint-03.keras`` and ``optimizer-03.npz``, to
resume from, and ``best-03.weights.h5``, the best weights so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from psseg.errors import PssegError
from psseg.network.checkpoints import (
    Keeper,
    load_best,
    load_checkpoint,
    read_record,
    restore_optimizer,
    survey_sha256,
)
from psseg.network.forms import fold_normalisation
from psseg.network.recipes import Recipe, recipe_for
from psseg.progress import watched
from psseg.survey.survey import AnySurvey

__all__ = ["TrainingSettings", "default_settings", "train"]

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
        Processes that simulate. A script that calls this needs the usual
        ``if __name__ == "__main__":``, as they are started afresh.
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
        something would be overwritten, if the disk has no room for the tiles, or if the training
        diverged.
    """
    before = _begun(survey, folder, resume=resume)
    settings = _settled(settings, before, survey)
    done = before.get("epochs_done", 0)
    if done == settings.epochs:  # nothing is left to do, and the tiles may be gone
        network = load_checkpoint(folder)
    else:
        run = _prepared(survey, folder, settings, workers=workers, progress=progress)
        keras.utils.set_random_seed(settings.seed)
        network = _normalised_passes(run, done)
        _plain_passes(run, network, max(done, settings.turn))
    load_best(network, folder)
    return network


def _begun(survey: AnySurvey, folder: Path, *, resume: bool) -> Mapping[str, Any]:
    """Give the record of the training that is resumed; an empty one of a new training."""
    before = read_record(folder)
    if resume and not before:
        raise PssegError(f"{folder}: no checkpoint to resume from; train without --resume")
    if before and not resume:
        raise PssegError(f"{folder}: holds a training already; use --resume or another folder")
    if not resume and (folder / "model.json").exists():
        raise PssegError(f"{folder}: holds a model already; train in another folder")
    if before.get("survey_sha256", survey_sha256(survey)) != survey_sha256(survey):
        raise PssegError(
            f"{folder}: begun for another survey file than this {survey.name!r}: "
            "resume it with the file of then, or train in another folder"
        )
    return before


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


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A training: where, for what, how, and on which tiles."""

    folder: Path
    survey: AnySurvey
    settings: TrainingSettings
    recipe: Recipe
    tiles: Any
    progress: bool

    def build(self, *, normalise: bool) -> keras.Model:
        """Build the network."""
        settings = self.settings
        return self.recipe.build(
            filters=settings.filters, depth=settings.depth, normalise=normalise
        )

    def split(self, done: int) -> tuple[keras.utils.PyDataset, keras.utils.PyDataset]:
        """Give the batches to train and to validate on, after some passes."""
        n_validation = min(500, max(len(self.tiles) // 20, 1))
        index = np.arange(len(self.tiles))
        batches = partial(self.recipe.batches, self.tiles, batch_size=self.settings.batch_size)
        training = batches(index[n_validation:], seed=self.settings.seed, first_epoch=done)
        return training, batches(index[:n_validation], varied=False)

    def compile(self, network: keras.Model, *, steps: int, rate: float) -> None:
        """Give a network its losses and an optimizer whose rate warms up, then falls."""
        warm_up = max(steps // 50, 1)
        schedule = keras.optimizers.schedules.CosineDecay(
            rate / 20,
            max(steps - warm_up, 1),
            alpha=0.01,
            warmup_target=rate,
            warmup_steps=warm_up,
        )
        settings = self.settings
        losses, weights = self.recipe.losses(settings.source_weight, settings.background_weight)
        network.compile(
            optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
            loss=losses,
            loss_weights=weights,
            jit_compile=False,
        )

    def fit(
        self,
        network: keras.Model,
        training: keras.utils.PyDataset,
        validation: keras.utils.PyDataset,
        *,
        first: int,
        last: int,
    ) -> None:
        """Make the passes from `first` to before `last`."""
        log = keras.callbacks.CSVLogger(self.folder / "training.csv", append=first > 0)
        network.fit(
            training,
            validation_data=validation,
            epochs=last,
            initial_epoch=first,
            shuffle=False,  # the batches shuffle themselves, by seed and epoch
            callbacks=[Keeper(self.folder, self.survey, self.settings), log],
            verbose=int(self.progress and watched()),
        )


def _prepared(
    survey: AnySurvey, folder: Path, settings: TrainingSettings, *, workers: int, progress: bool
) -> _Run:
    """Simulate the tiles of a training, or open them."""
    recipe = recipe_for(survey)
    tiles = recipe.simulate(
        survey,
        folder / "tiles",
        n_tiles=settings.n_tiles,
        seed=settings.seed,
        workers=workers,
        progress=progress,
    )
    return _Run(
        folder=folder,
        survey=survey,
        settings=settings,
        recipe=recipe,
        tiles=tiles,
        progress=progress,
    )


def _normalised_passes(run: _Run, done: int) -> keras.Model:
    """Train with batch normalisation, then put it into the convolutions; both if still to do."""
    turn = run.settings.turn
    training, validation = run.split(done)
    network = load_checkpoint(run.folder) if done else run.build(normalise=True)
    if done > turn:
        return network
    if done < turn:
        steps = 2 * turn * len(training)
        run.compile(network, steps=steps, rate=run.settings.learning_rate)
        if done:
            restore_optimizer(network, run.folder)
        run.fit(network, training, validation, first=done, last=turn)
    _settle(network, run.split(turn)[0])
    return fold_normalisation(network, run.build(normalise=False))


def _plain_passes(run: _Run, network: keras.Model, done: int) -> None:
    """Train without normalisation to the end."""
    settings = run.settings
    training, validation = run.split(done)
    steps = (settings.epochs - settings.turn) * len(training)
    run.compile(network, steps=steps, rate=0.4 * settings.learning_rate)
    if done > settings.turn:
        restore_optimizer(network, run.folder)
    run.fit(network, training, validation, first=done, last=settings.epochs)


def _settle(network: keras.Model, training: keras.utils.PyDataset) -> None:
    """Measure the batch normalisation anew: running means lag behind weights that move."""
    layers = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for number in range(min(SETTLING_BATCHES, len(training))):
        for layer in layers:
            layer.momentum = number / (number + 1)
        network(list(training[number][0]), training=True)
