"""A simulated sky, catalogued and compared with its truth, tile by tile.

In go a model and how many tiles of which size; out come the merged tables of all tiles. The tiles'
centres lie in strata of equal area, so that together they stand for the whole sky. Each tile has
its own stream of random numbers, derived from the seed, the purpose and the tile's number alone:
the same tiles come out however many processes share the work, and no training sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, vstack

from psseg.catalogue.probability import detection_threshold
from psseg.errors import PssegError
from psseg.evaluation.matching import (
    PROTOCOL,
    Footprint,
    MatchedTables,
    Protocol,
    column,
    match_catalogue,
)
from psseg.network.store import load_model
from psseg.pipeline import CatalogueResult, catalogue_tile
from psseg.progress import Progress
from psseg.sky.simulation import SimulatedTile, simulate_tile
from psseg.survey.survey import AnySurvey, Survey, counts_survey

if TYPE_CHECKING:
    from psseg.network.store import Calibration, Model

__all__ = ["STREAMS", "SkyPlan", "SkyTables", "catalogue_sky", "sky_centers", "survey_years"]

STREAMS = {"evaluation": 0x65766C, "calibration": 0x63616C}
"""Keys that keep the random numbers of evaluation, calibration and training apart."""

USUAL_YEARS = 14.0
"""Of data in 4FGL-DR4 (Ballet et al. 2023, arXiv:2307.12546)."""

GOLDEN_TURN = 360.0 * (3.0 - np.sqrt(5.0)) / 2.0
"""Step in longitude from one stratum to the next, deg: spreads points evenly over the sphere
(Swinbank & Purser 2006, QJRMS 132, 1769)."""


@dataclass(frozen=True, kw_only=True)
class SkyPlan:
    """Which sky is simulated.

    Parameters
    ----------
    n_tiles : int
        Number of tiles.
    shape : tuple of int
        Pixels of a tile (n_y, n_x).
    seed : int
        Seed of the sky.
    stream : str
        What the sky is for, a key of `STREAMS`.
    years : float
        Exposure in years.
    mix : str
        "physical" or "balanced" mix of source classes.
    simulation : mapping
        Further options of `psseg.sky.simulation.simulate_tile`, such as a diffuse template.
    """

    n_tiles: int
    shape: tuple[int, int]
    seed: int
    stream: str
    years: float = USUAL_YEARS
    mix: str = "physical"
    simulation: Mapping[str, Any] = field(default_factory=dict)

    def rng(self, number: int) -> np.random.Generator:
        """Give the random numbers of a tile; number 0 is kept for the layout of the sky."""
        key = (STREAMS[self.stream], number)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    @property
    def centers(self) -> SkyCoord:
        """Centres of the tiles."""
        return sky_centers(self.n_tiles, rng=self.rng(0))

    def simulated(self, survey: Survey, number: int) -> SimulatedTile:
        """Simulate a tile; their numbers begin with 1."""
        return simulate_tile(
            survey,
            rng=self.rng(number),
            shape=self.shape,
            mix=self.mix,
            center=self.centers[number - 1],
            years=self.years,
            **self.simulation,
        )


@dataclass(frozen=True, kw_only=True)
class SkyTables:
    """What came of a sky.

    Parameters
    ----------
    tables : MatchedTables
        Merged detections (TILE, SELECTED and the columns of `MatchedTables`) and merged truth.
    backgrounds : QTable
        One row per tile and band: TILE, GLAT, BAND, PREDICTED and EXPECTED counts over the tile,
        SCATTER (rms of predicted over expected, pixel by pixel), RESIDUAL (squared residuals over
        those expected), SOURCES (share of the pixels given to sources); the last two as
        `psseg.likeness.CountsLikeness` has them.
    """

    tables: MatchedTables
    backgrounds: QTable


def survey_years(survey: AnySurvey) -> float:
    """Give the exposure of 4FGL-DR4, 14 years, or what a survey's range has nearest to it."""
    return float(np.clip(USUAL_YEARS, *counts_survey(survey).instrument.years))


def sky_centers(n_tiles: int, *, rng: np.random.Generator) -> SkyCoord:
    """Spread tile centres over the sky, one in each of `n_tiles` strata of equal area in sin b.

    Parameters
    ----------
    n_tiles : int
        How many.
    rng : numpy.random.Generator
        Draws the latitude within each stratum and the longitude of the first.

    Returns
    -------
    SkyCoord, shape (n_tiles,)
        Galactic. Every point of the sky is as likely as any other.
    """
    edges = np.linspace(-1, 1, n_tiles + 1)
    sin_b = rng.uniform(edges[:-1], edges[1:])
    longitude = (rng.uniform(0, 360) + GOLDEN_TURN * np.arange(n_tiles)) % 360
    return SkyCoord(longitude, np.degrees(np.arcsin(sin_b)), unit="deg", frame="galactic")


def catalogue_sky(
    model: Model,
    plan: SkyPlan,
    *,
    protocol: Protocol = PROTOCOL,
    processes: int = 1,
    progress: bool = False,
) -> SkyTables:
    """Simulate a sky, catalogue it down to the candidates, and match it with its truth.

    Parameters
    ----------
    model : Model
        The network with its survey and calibration.
    plan : SkyPlan
        The sky.
    protocol : Protocol
        How detections and true sources are compared.
    processes : int
        Tiles done at the same time; above 1 each process loads the model from its folder.
    progress : bool
        Show a progress bar.

    Returns
    -------
    SkyTables
        Detections hold every candidate, SELECTED those that pass the thresholds.
    """
    if plan.n_tiles < 1 or processes < 1:
        raise PssegError(
            f"n_tiles and processes must be 1 or more, not {plan.n_tiles} and {processes}"
        )
    done = list(
        Progress(
            _tiles(model, plan, protocol, processes),
            total=plan.n_tiles,
            desc="tiles",
            unit="tile",
            disable=not progress,
        )
    )
    return SkyTables(
        tables=MatchedTables(
            detections=vstack(
                [tile.tables.detections for tile in done], metadata_conflicts="silent"
            ),
            truths=vstack([tile.tables.truths for tile in done], metadata_conflicts="silent"),
        ),
        backgrounds=vstack([tile.backgrounds for tile in done], metadata_conflicts="silent"),
    )


def _tiles(model: Model, plan: SkyPlan, protocol: Protocol, processes: int) -> Iterator[SkyTables]:
    """Do the tiles, here or in other processes, and give them in order."""
    numbers = range(1, plan.n_tiles + 1)
    if processes == 1:
        yield from map(partial(_tile, model, plan, protocol), numbers)
        return
    # A forked TensorFlow hangs: the processes start anew.
    with ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_load_worker_model,
        initargs=(model.folder, model.calibration),
    ) as pool:
        yield from pool.map(partial(_tile_of_worker, plan, protocol), numbers)


_worker_models: list[Model] = []


def _load_worker_model(folder: Path, calibration: Calibration) -> None:
    """Load the model once per process."""
    _worker_models[:] = [replace(load_model(folder), calibration=calibration)]


def _tile_of_worker(plan: SkyPlan, protocol: Protocol, number: int) -> SkyTables:
    return _tile(_worker_models[0], plan, protocol, number)


def _tile(model: Model, plan: SkyPlan, protocol: Protocol, number: int) -> SkyTables:
    """Simulate, catalogue and match one tile."""
    simulated = plan.simulated(counts_survey(model.survey), number)
    result = catalogue_tile(simulated.tile, model, keep_candidates=True)
    tables = match_catalogue(
        with_selection(result.table, model.calibration),
        simulated.truth,
        protocol=protocol,
        footprint=Footprint(
            wcs=simulated.tile.wcs,
            mask=simulated.tile.mask,
            pixel_scale=simulated.tile.pixel_scale,
        ),
    )
    backgrounds = _background_rows(simulated, result, model.survey.band_names)
    for table in (tables.detections, tables.truths, backgrounds):
        table["TILE"] = np.full(len(table), number)
    return SkyTables(tables=tables, backgrounds=backgrounds)


def with_selection(catalogue: QTable, calibration: Calibration) -> QTable:
    """Add SELECTED to a catalogue of candidates: which of them pass the thresholds."""
    limit = detection_threshold(
        column(catalogue, "GLAT", u.deg),
        thresholds=calibration.thresholds,
        latitude_split=calibration.latitude_split,
    )
    selected = catalogue.copy()
    selected["SELECTED"] = column(catalogue, "SOURCE_PROB") >= limit
    return selected


def _background_rows(
    simulated: SimulatedTile, result: CatalogueResult, bands: tuple[str, ...]
) -> QTable:
    """Compare the predicted background with the simulated one, band by band."""
    predicted = np.asarray(result.label_map.background, dtype=float)
    expected = np.asarray(simulated.background, dtype=float)
    known = np.isfinite(predicted) & (expected > 0) & ~simulated.tile.mask
    ratio = np.divide(predicted, expected, where=known, out=np.full(expected.shape, np.nan))
    predicted, expected = np.where(known, predicted, 0), np.where(known, expected, 0)
    present = np.asarray(simulated.tile.bands_present, dtype=bool)
    n_y, n_x = simulated.tile.shape
    middle = simulated.tile.pixel_to_sky((n_x - 1) / 2, (n_y - 1) / 2)
    return QTable(
        {
            "GLAT": np.full(present.sum(), middle.galactic.b.deg) * u.deg,
            "BAND": np.asarray(bands)[present],
            "PREDICTED": predicted.sum(axis=(1, 2))[present],
            "EXPECTED": expected.sum(axis=(1, 2))[present],
            "SCATTER": np.nanstd(ratio[present], axis=(1, 2)),
            "RESIDUAL": result.likeness.residuals[present],
            "SOURCES": np.full(present.sum(), result.likeness.sources),
        }
    )
