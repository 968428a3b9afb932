"""What training needs to know of each kind of survey: its tiles, batches, network and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from psseg.network.batches import TileBatches
from psseg.network.losses import background_loss, source_weighted
from psseg.network.plane_batches import PlaneBatches
from psseg.network.plane_unet import build_plane_network
from psseg.network.sample_batches import SampleBatches
from psseg.network.unet import build_network
from psseg.sky.radio_training_set import simulate_radio_training_tiles
from psseg.sky.training_set import simulate_training_tiles
from psseg.survey.survey import AnySurvey

__all__ = ["Recipe", "recipe_for"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network for one kind of survey is trained.

    Parameters
    ----------
    simulate : callable
        Simulates the tiles to disk.
    batches : type
        Of the data set that reads them.
    build : callable
        Builds the network, from ``filters``, ``depth`` and ``normalise``.
    losses : callable
        Gives losses and their weights, from the weight of source pixels and that of the background.
    defaults : mapping
        Settings that differ from those of :class:`~psseg.network.training.TrainingSettings`.
    """

    simulate: Callable[..., Any]
    batches: type[SampleBatches]
    build: Callable[..., keras.Model]
    losses: Callable[[float, float], tuple[list[Any], list[float]]]
    defaults: Mapping[str, Any]


def recipe_for(survey: AnySurvey) -> Recipe:
    """Give the recipe for a survey: of counts, or of the radio continuum."""
    if survey.kind == "counts":
        return Recipe(
            simulate=simulate_training_tiles,
            batches=TileBatches,
            build=lambda **size: build_network(n_bands=survey.n_bands, **size),
            losses=_two_losses,
            defaults={"n_tiles": 16000, "epochs": 10, "background_weight": 3.0},
        )
    return Recipe(
        simulate=simulate_radio_training_tiles,
        batches=PlaneBatches,
        build=lambda **size: build_plane_network(n_planes=survey.n_bands, **size),
        losses=_class_loss,
        defaults={},
    )


def _two_losses(source_weight: float, background_weight: float) -> tuple[list[Any], list[float]]:
    return [source_weighted(source_weight), background_loss], [1.0, background_weight]


def _class_loss(source_weight: float, background_weight: float) -> tuple[list[Any], list[float]]:
    """Leave the background out, which the network for radio planes does not give."""
    return [source_weighted(source_weight)], [1.0]
