"""How many tiles of 128 x 128 pixels and all bands the simulator makes per second and core.

    python simulator_speed.py [--tiles 60] [--mix balanced] [--survey fermi-lat]

One process; drawing the sources, the diffuse emission, the truth and the noise are included,
start-up (about a second, once per process) is not. `per_core_second` divides by processor time, so
that it holds where others use the machine too.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from psseg.sky.simulation import MIXES, simulate_tile
from psseg.survey.survey import load_survey


def tiles_per_second(
    survey_name: str, *, n_tiles: int, mix: str, seed: int = 0
) -> dict[str, float]:
    """Time the simulator by the clock on the wall and by processor time."""
    survey = load_survey(survey_name)
    rng = np.random.default_rng(seed)
    simulate_tile(survey, rng=rng, mix=mix)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(n_tiles):
        simulate_tile(survey, rng=rng, mix=mix)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {"per_second": n_tiles / wall, "per_core_second": n_tiles / processor}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--survey", default="fermi-lat")
    parser.add_argument("--tiles", type=int, default=60)
    parser.add_argument("--mix", choices=MIXES, nargs="+", default=list(MIXES))
    options = parser.parse_args()
    rates = {
        mix: tiles_per_second(options.survey, n_tiles=options.tiles, mix=mix) for mix in options.mix
    }
    print(json.dumps(rates, indent=1))


if __name__ == "__main__":
    main()
