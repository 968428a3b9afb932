"""Simulated radio images, catalogued and compared with their truth, image by image.

In go a model and which images; out come the matched tables of all images, with the classes of the
Bayes classifier and of an astronomer's cuts beside the network's. Each image has its own stream of
random numbers, derived from the seed, the purpose and the image's number alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from psseg.errors import PssegError
from psseg.evaluation.matching import MatchedTables
from psseg.evaluation.radio_bayes import observe_truth, scripted_cuts
from psseg.evaluation.radio_field import RADIO_PROTOCOL, RadioProtocol
from psseg.evaluation.radio_matching import match_radio
from psseg.evaluation.radio_scores import RadioScores, score_radio_tables
from psseg.evaluation.skies import STREAMS, with_selection
from psseg.progress import Progress
from psseg.radio_classes import bayes_classes, leakage_spread
from psseg.sky.radio_reference import ReferenceImage, draw_reference
from psseg.sky.radio_simulation import (
    Observation,
    SimulatedImage,
    draw_observation,
    simulate_image,
)
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.continuum import ContinuumSurvey
from psseg.tiles.places import nearest_pixels

if TYPE_CHECKING:
    from psseg.catalogue.segment_map import SegmentMap
    from psseg.network.store import Model
    from psseg.tiles.radio_image import RadioImage

__all__ = [
    "ANY_SETUP",
    "CatalogueFunction",
    "RadioEvaluation",
    "RadioPlan",
    "RadioTables",
    "catalogue_radio_sky",
    "evaluate_radio",
]

ANY_SETUP = "any"
"""Name of the set-up for which every image is observed in a way of its own."""

RADIO = 0x726164
"""Key that keeps the random numbers of radio images apart from those of counts maps."""


@dataclass(frozen=True, kw_only=True)
class RadioTables(MatchedTables):
    """Matched tables of radio images, and what the images are like.

    Parameters
    ----------
    images : QTable
        One row per image: IMAGE, SETUP, and `psseg.likeness.IMAGE_STATISTICS` where they are known.
    """

    images: QTable


class Catalogued(Protocol):
    """What a catalogue function gives."""

    @property
    def table(self) -> QTable:
        """The sources, with the columns of a radio catalogue."""

    @property
    def segments(self) -> SegmentMap:
        """Their pixels."""

    @property
    def statistics(self) -> Mapping[str, float]:
        """What the image is like, by `psseg.likeness.IMAGE_STATISTICS`; empty where unknown."""


class CatalogueFunction(Protocol):
    """Makes a catalogue of an image, such as `psseg.image_catalogue.catalogue_image`."""

    def __call__(
        self, image: RadioImage, model: Model, *, keep_candidates: bool = False
    ) -> Catalogued:
        """Make the catalogue; with candidates, down to the lowest score."""


@dataclass(frozen=True, kw_only=True)
class RadioPlan:
    """Which images are simulated.

    Parameters
    ----------
    n_images : int
        Number of images; the set-ups take turns.
    shape : tuple of int
        Pixels of an image (n_y, n_x).
    seed : int
        Seed of all images.
    stream : str
        What the images are for, a key of `psseg.evaluation.skies.STREAMS`.
    setups : tuple of str
        Set-ups of the survey file, or "any".
    mix : str
        "physical" or "balanced" mix of source classes.
    """

    n_images: int
    shape: tuple[int, int]
    seed: int
    stream: str
    setups: tuple[str, ...] = (ANY_SETUP,)
    mix: str = "physical"

    def __post_init__(self) -> None:
        """Refuse a plan without images or set-ups."""
        if self.n_images < 1 or not self.setups:
            raise PssegError(
                f"want one image and one set-up or more, not {self.n_images} and {self.setups}"
            )

    def rng(self, number: int) -> np.random.Generator:
        """Give the random numbers of an image."""
        key = (STREAMS[self.stream], RADIO, number, self.mix == "balanced")
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def setup(self, number: int) -> str:
        """Give the set-up of an image."""
        return self.setups[number % len(self.setups)]

    def simulate(self, survey: ContinuumSurvey, number: int) -> tuple[SimulatedImage, Observation]:
        """Simulate an image."""
        rng, setup = self.rng(number), self.setup(number)
        observation = draw_observation(survey, rng, like=None if setup == ANY_SETUP else setup)
        simulated = simulate_image(
            survey, rng=rng, shape=self.shape, mix=self.mix, observation=observation
        )
        return simulated, observation


@dataclass(frozen=True, kw_only=True)
class RadioEvaluation:
    """Scores and the tables behind them.

    Parameters
    ----------
    scores : RadioScores
    tables : MatchedTables
        Every detection and every true source with what it was matched to.
    """

    scores: RadioScores
    tables: MatchedTables


def evaluate_radio(
    model: Model,
    *,
    seed: int,
    n_images: int = 16,
    shape: tuple[int, int] = (1024, 1024),
    setups: tuple[str, ...] = (ANY_SETUP,),
    mix: str = "physical",
    protocol: RadioProtocol = RADIO_PROTOCOL,
    catalogue: CatalogueFunction | None = None,
    bayes: bool = True,
    progress: bool = False,
) -> RadioEvaluation:
    """Score a model on simulated radio images it has never seen.

    Parameters
    ----------
    model : Model
        The network with its survey and calibration.
    seed : int
        Seed of the images; the random numbers are never those of a training or a calibration.
    n_images : int
        How many; the set-ups take turns.
    shape : tuple of int
        Pixels of an image (n_y, n_x).
    setups : tuple of str
        Set-ups of the survey file, such as "racs-mid"; "any" draws what the survey allows.
    mix : str
        "physical", or "balanced": classes equally frequent, for the class scores.
    protocol : RadioProtocol
        How detections and true sources are compared.
    catalogue : callable, optional
        What makes the catalogues; by default `psseg.image_catalogue.catalogue_image`.
    bayes : bool
        Also classify the true sources with the Bayes classifier and with cuts.
    progress : bool
        Show a progress bar.

    Returns
    -------
    RadioEvaluation
    """
    plan = RadioPlan(
        n_images=n_images, shape=shape, seed=seed, stream="evaluation", setups=setups, mix=mix
    )
    tables = catalogue_radio_sky(
        model, plan, protocol=protocol, catalogue=catalogue, bayes=bayes, progress=progress
    )
    settings = {
        "model": model.name,
        "sha256": model.sha256,
        "survey": model.survey.name,
        **{name: getattr(plan, name) for name in ("n_images", "seed", "mix")},
        "setups": list(setups),
        "shape": list(shape),
        "protocol": asdict(protocol),
    }
    prefix = "L" if mix == "balanced" else "P"
    scores = score_radio_tables(tables, prefix=prefix, settings=settings)
    return RadioEvaluation(scores=scores, tables=tables)


def catalogue_radio_sky(
    model: Model,
    plan: RadioPlan,
    *,
    protocol: RadioProtocol = RADIO_PROTOCOL,
    catalogue: CatalogueFunction | None = None,
    bayes: bool = False,
    progress: bool = False,
) -> RadioTables:
    """Simulate images, catalogue them down to the candidates, and match them with their truth.

    Parameters
    ----------
    model : Model
        The network with its survey and calibration.
    plan : RadioPlan
        Which images.
    protocol, catalogue, bayes, progress
        As for `evaluate_radio`.

    Returns
    -------
    RadioTables
        Detections hold every candidate, SELECTED those that pass the threshold, with IMAGE,
        SETUP, LEVER_ARM, and with `bayes` the classes B_* (Bayes) and C_* (cuts) of the true
        source of each.

    Raises
    ------
    PssegError
        If the model is not one of radio images.
    """
    survey = model.survey
    if not isinstance(survey, ContinuumSurvey):
        raise PssegError(f"model {model.name}: made for {survey.name}, want one of radio images")
    run = catalogue if catalogue is not None else _default_catalogue()
    done, images = [], []
    for number in Progress(range(plan.n_images), desc="images", unit="image", disable=not progress):
        simulated, observation = plan.simulate(survey, number)
        tables, statistics = _match(simulated, run, model, protocol)
        images.append({"IMAGE": number, "SETUP": plan.setup(number), **statistics})
        if bayes:
            _add_limits(tables, simulated, observation, survey, plan, number)
        for table in (tables.detections, tables.truths):
            table["IMAGE"] = np.full(len(table), number)
            table["SETUP"] = np.full(len(table), plan.setup(number), dtype="U16")
            table["LEVER_ARM"] = np.full(len(table), simulated.image.lever_arm)
        done.append(tables)
    return RadioTables(
        images=QTable(rows=images),
        detections=vstack([tables.detections for tables in done], metadata_conflicts="silent"),
        truths=vstack([tables.truths for tables in done], metadata_conflicts="silent"),
    )


def _default_catalogue() -> CatalogueFunction:
    """Import the main job when it is needed: a stand-in needs none of it."""
    from psseg.image_catalogue import catalogue_image

    return catalogue_image


def _match(
    simulated: SimulatedImage, run: CatalogueFunction, model: Model, protocol: RadioProtocol
) -> tuple[MatchedTables, Mapping[str, float]]:
    """Catalogue and match one image; give what it is like too."""
    result = run(simulated.image, model, keep_candidates=True)
    tables = match_radio(
        with_selection(result.table, model.calibration),
        simulated.truth,
        simulated.image,
        source_map=simulated.source_map,
        segments=result.segments.data,
        protocol=protocol,
    )
    return tables, result.statistics


def _add_limits(
    tables: MatchedTables,
    simulated: SimulatedImage,
    observation: Observation,
    survey: ContinuumSurvey,
    plan: RadioPlan,
    number: int,
) -> None:
    """Add what the Bayes classifier and the cuts make of the true sources."""
    rng = plan.rng(number).spawn(1)[0]
    beam = simulated.image.beams[0]
    measured = observe_truth(
        tables.truths,
        rng,
        rms=_noise_at_sources(simulated),
        frequency_ratio=observation.frequency_ratio,
        beam=(beam.major, beam.minor),
        leakage=leakage_spread(survey) if "V" in observation.stokes else 0.0,
    )
    taken = ReferenceImage(
        frequency=observation.frequencies[0],
        frequency_ratio=observation.frequency_ratio,
        pixel_scale=observation.pixel_scale,
        beam_pixels=observation.beam_pixels[:2],
        rms=observation.rms[0],
        galactic_latitude=observation.galactic_latitude,
    )
    reference = draw_reference(survey, rng, taken, priors=plan.mix)
    _add_classes(tables, "B", bayes_classes(measured, reference))
    _add_classes(tables, "C", scripted_cuts(measured))


def _noise_at_sources(simulated: SimulatedImage) -> NDArray[np.float64]:
    """Give the true rms of Stokes I, the other Stokes I and V at each true source, (n, 3)."""
    truth, image = simulated.truth, simulated.image
    pixels = nearest_pixels(truth["X"], truth["Y"], image.shape)
    noise = np.full((len(truth), 3), np.nan)
    for number, stokes in enumerate(image.stokes):
        noise[:, 2 if stokes == "V" else number] = simulated.rms[number, *pixels]
    return noise


def _add_classes(tables: MatchedTables, prefix: str, classes: NDArray[np.float64]) -> None:
    """Add class columns to the truth, and to the detections by their true row."""
    rows = np.asarray(tables.detections["TRUE_ROW"])
    # Row -1, no match, takes the last: not-a-number.
    padded = np.vstack([classes, np.full((1, classes.shape[1]), np.nan)])
    for number, name in enumerate(SOURCE_CLASSES):
        tables.truths[f"{prefix}_{name.upper()}"] = classes[:, number]
        tables.detections[f"{prefix}_{name.upper()}"] = padded[rows, number]
