"""What a perfect finder could reach: the fit is told where every true source is.

    python benchmarks/attainable.py [--model fermi-lat] [--tiles 64] [--seed 2]

The tiles of `psseg evaluate --seed 2` within 20 deg of the Galactic plane. One segment of a pixel
is put on each true source of expected TS above 16, no other; positions, counts and background are
then fitted as always. Counted is which sources end with a fitted TS above 25, less than 0.3 deg
from where they are: with the background that the network predicts, and with the true one. What is
missing is lost in the fit, among neighbours and in emission: finding more candidates cannot bring
it back. Expected TS is that of a source whose neighbours and background are known.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
from astropy.table import QTable, vstack

from psseg.catalogue.fit_settings import FitSettings
from psseg.catalogue.measurement import measure_counts
from psseg.catalogue.segment_map import SegmentMap, list_segments
from psseg.evaluation.detection import FLUX_THRESHOLDS
from psseg.evaluation.matching import PROTOCOL, Footprint, match_catalogue
from psseg.evaluation.skies import SkyPlan
from psseg.network.labelling import label
from psseg.network.store import load_model
from psseg.sky.simulation import SimulatedTile
from psseg.survey.survey import Survey, counts_survey

TOLD_TS, NEEDED_TS = 16.0, 25.0
LATITUDES = (0.0, 2.0, 5.0, 20.0)
SHAPE = (256, 256)


def told(simulated: SimulatedTile) -> SegmentMap:
    """Give a segment of one pixel per true source that could be seen."""
    truth = simulated.truth[np.asarray(simulated.truth["TS"]) > TOLD_TS]
    labels = np.zeros(simulated.tile.shape, dtype=np.int32)
    rows, columns = (np.rint(np.asarray(truth[name])).astype(int) for name in "YX")
    inside = (rows >= 0) & (rows < labels.shape[0]) & (columns >= 0) & (columns < labels.shape[1])
    labels[rows[inside], columns[inside]] = 1 + np.arange(inside.sum())
    return list_segments(labels)


def reached(simulated: SimulatedTile, background: np.ndarray, survey: Survey) -> QTable:
    """Give the true sources of a tile, FOUND where the fit gives them the TS that is needed."""
    tile = simulated.tile
    classes = np.full((4, *tile.shape), 0.25, dtype=np.float32)
    alone = FitSettings(second_source_ts=np.inf)
    table, _ = measure_counts(tile, background, classes, told(simulated), survey, settings=alone)
    table = table[np.asarray(table["Sqrt_TS"]) > np.sqrt(NEEDED_TS)]
    table["SOURCE_PROB"] = 1 - 1 / np.asarray(table["Sqrt_TS"])
    footprint = Footprint(wcs=tile.wcs, mask=tile.mask, pixel_scale=tile.pixel_scale)
    return match_catalogue(table, simulated.truth, protocol=PROTOCOL, footprint=footprint).truths


def tile_truths(plan: SkyPlan, model_name: str, number: int) -> tuple[QTable, QTable]:
    """Simulate a tile and say what is reached with the network's background and the true one."""
    model = load_model(model_name)
    survey = counts_survey(model.survey)
    simulated = plan.simulated(survey, number)
    predicted = label(simulated.tile, model).background
    return tuple(reached(simulated, b, survey) for b in (predicted, simulated.background))


def shares(truth: QTable) -> str:
    """Lines of a table: per latitude and flux, expected to be visible, and reached."""
    found, counted = (np.asarray(truth[name], dtype=bool) for name in ("FOUND", "COUNTED"))
    visible = np.asarray(truth["TS"]) > NEEDED_TS
    latitude = np.abs(truth["GLAT"].to_value("deg"))
    flux = truth["FLUX1000"].to_value("cm-2 s-1")
    lines = []
    for low, high in (*pairwise(LATITUDES), (LATITUDES[0], LATITUDES[-1])):
        zone = counted & (latitude >= low) & (latitude < high)
        cells = []
        for limit in FLUX_THRESHOLDS:
            own = zone & (flux > limit)
            cells.append(f"{own.sum()}: {visible[own].mean():.3f} {found[own].mean():.3f}")
        lines.append(f"| {low:g}-{high:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Do all tiles near the plane and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fermi-lat")
    parser.add_argument("--tiles", type=int, default=64)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    plan = SkyPlan(n_tiles=options.tiles, shape=SHAPE, seed=options.seed, stream="evaluation")
    near = np.flatnonzero(np.abs(plan.centers.b.deg) < LATITUDES[-1]) + 1
    work = partial(tile_truths, plan, options.model)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        done = list(pool.map(work, near.tolist()))
    for name, truths in zip(("the network's", "the true"), zip(*done, strict=True), strict=True):
        print(f"With {name} background: number, share of expected TS > 25, share reached")
        print("| b | " + " | ".join(f"> {limit:.3g}" for limit in FLUX_THRESHOLDS) + " |")
        print(shares(vstack(truths, metadata_conflicts="silent")))


if __name__ == "__main__":
    main()
