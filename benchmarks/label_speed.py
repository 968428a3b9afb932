"""How fast a map is labelled, and how long a map takes from start to catalogue.

    python label_speed.py [--model fermi-lat]

Three numbers: millions of pixels per second when a map of 1024 x 1024 pixels and all bands is
labelled (after one small map to warm up); wall time and peak memory of `psseg catalogue` on a map
of 256 x 256 pixels, with exposure, as a command of its own, start-up included; wall time of
`psseg --help`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from psseg.network.labelling import label
from psseg.network.store import load_model
from psseg.sky.simulation import simulate_tile
from psseg.sky.tile_files import TileFiles, write_simulated_tile
from psseg.survey.survey import load_survey

COMMAND = (sys.executable, "-m", "psseg")
CENTER = SkyCoord(40.0, 10.0, unit="deg", frame="galactic")
YEARS = 14.0
LARGE, SMALL, TINY = (1024, 1024), (256, 256), (128, 128)


def megapixels_per_second(model_name: str, *, repeats: int = 3) -> float:
    """Time the labelling of a large map; the fastest of a few, since others use the machine too."""
    model = load_model(model_name)
    rng = np.random.default_rng(0)
    tiny, large = (
        simulate_tile(model.survey, rng=rng, shape=shape, center=CENTER, years=YEARS).tile
        for shape in (TINY, LARGE)
    )
    label(tiny, model)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        label(large, model)
        times.append(time.perf_counter() - start)
    return LARGE[0] * LARGE[1] / 1e6 / min(times)


def write_map(folder: Path, survey_name: str) -> TileFiles:
    """Simulate the map of 256 x 256 pixels and write it."""
    survey = load_survey(survey_name)
    rng = np.random.default_rng(1)
    simulated = simulate_tile(survey, rng=rng, shape=SMALL, center=CENTER, years=YEARS)
    return write_simulated_tile(simulated, folder, "speed", survey)


def run_command(*words: str | Path) -> tuple[float, float]:
    """Run psseg; give its wall time in seconds and the peak memory of all commands so far, GB."""
    start = time.perf_counter()
    subprocess.run([*COMMAND, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return wall, peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fermi-lat", help="name or folder of a model")
    parser.add_argument("--survey", default="fermi-lat")
    options = parser.parse_args()
    help_seconds, _ = run_command("--help")
    with tempfile.TemporaryDirectory() as folder:
        files = write_map(Path(folder), options.survey)
        words = ("catalogue", files.counts, "--exposure", files.exposure, "-o", folder)
        seconds, peak = run_command(*words, "--model", options.model)
    numbers = {
        "help_seconds": help_seconds,
        "catalogue_seconds": seconds,
        "catalogue_peak_gigabytes": peak,
        "label_megapixels_per_second": megapixels_per_second(options.model),
    }
    print(json.dumps({name: round(value, 3) for name, value in numbers.items()}, indent=1))


if __name__ == "__main__":
    main()
