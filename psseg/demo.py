"""A first look at psseg: simulate a small sky, catalogue it, compare with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from psseg.evaluation import Evaluation, MatchedTables, evaluate_counts_file
from psseg.evaluation.detection import TS_EDGES
from psseg.evaluation.pairs import flag_column
from psseg.network.store import load_model
from psseg.pipeline import Products, catalogue
from psseg.product_folder import product_paths
from psseg.products import check_writable
from psseg.sky.simulation import simulate_tile
from psseg.sky.tile_files import TileFiles, tile_files, write_simulated_tile
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.survey import counts_survey

__all__ = ["Demo", "comparison_table", "run_demo"]

STEM = "sky"
CENTER = SkyCoord(40.0, 10.0, unit="deg", frame="galactic")
"""Near enough to the plane for pulsars and diffuse emission, far enough to see sources well."""

SHAPE = (256, 256)
YEARS = 14.0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the demo made.

    Parameters
    ----------
    sky : TileFiles
        The simulated counts cube, its exposure and its truth.
    products : Products
        What psseg made of them.
    evaluation : Evaluation
        How that compares with the truth.
    """

    sky: TileFiles
    products: Products
    evaluation: Evaluation


def run_demo(
    folder: str | Path,
    *,
    model: str | Path,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = False,
    command: str = "",
) -> Demo:
    """Simulate a small sky, catalogue it as a user would, and compare with the truth.

    Parameters
    ----------
    folder : str or Path
        Where all files go; made where it is missing.
    model : str or Path
        The trained network; its survey is simulated.
    seed : int
        Another seed is another sky.
    overwrite : bool
        Whether files that exist may be replaced.
    progress : bool
        Whether to draw progress bars.
    command : str
        Written into the catalogue.

    Returns
    -------
    Demo
    """
    files = tile_files(folder, STEM)
    check_writable(
        [*vars(files).values(), *product_paths(files.counts, folder).all], overwrite=overwrite
    )
    network = load_model(model)
    survey = counts_survey(network.survey)
    simulated = simulate_tile(
        survey, rng=np.random.default_rng(seed), shape=SHAPE, center=CENTER, years=YEARS
    )
    write_simulated_tile(simulated, folder, STEM, survey, overwrite=overwrite)
    products = catalogue(
        files.counts,
        folder,
        model=network,
        exposure=files.exposure,
        overwrite=overwrite,
        progress=progress,
        command=command,
    )
    evaluation = evaluate_counts_file(products.paths.catalogue, files.truth)
    return Demo(sky=files, products=products, evaluation=evaluation)


def comparison_table(tables: MatchedTables) -> list[str]:
    """Say in a few lines how a catalogue compares with the truth.

    Parameters
    ----------
    tables : MatchedTables
        Catalogue and truth, matched.

    Returns
    -------
    list of str
        Found and true sources by true TS, the right classes among the found ones, and how many
        detections are no source.
    """
    truths = tables.truths[flag_column(tables.truths, "COUNTED")]
    detections = tables.detections[flag_column(tables.detections, "COUNTED")]
    real = flag_column(detections, "MATCHED")
    lines = [f"{'true sources':<24}{'found':>7}{'true':>7}"]
    lines += _found_by_ts(np.asarray(truths["TS"], float), flag_column(truths, "FOUND"))
    lines += ["", f"{'found, true class':<24}{'right':>7}{'found':>7}"]
    lines += _right_classes(
        np.asarray(detections["CLASS"]).astype(str)[real],
        np.asarray(detections["TRUE_CLASS"]).astype(str)[real],
    )
    lines += ["", f"{np.count_nonzero(~real)} of {len(detections)} detections are no true source"]
    return lines


def _found_by_ts(ts: np.ndarray, found: np.ndarray) -> list[str]:
    lines = []
    for low, high in pairwise(TS_EDGES):
        inside = (ts >= low) & (ts < high)
        name = f"TS {low:g}-{high:g}" if np.isfinite(high) else f"TS above {low:g}"
        lines.append(f"{name:<24}{np.count_nonzero(found[inside]):>7}{inside.sum():>7}")
    return lines


def _right_classes(given: np.ndarray, true: np.ndarray) -> list[str]:
    lines = []
    for name in SOURCE_CLASSES:
        right = np.count_nonzero((given == name) & (true == name))
        lines.append(f"{name:<24}{right:>7}{np.count_nonzero(true == name):>7}")
    return lines
