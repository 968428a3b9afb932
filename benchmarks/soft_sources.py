"""Soft and hard sources of the Galactic ridge in maps that begin at 10 GeV: how many are found.

    python benchmarks/soft_sources.py [--model fermi-lat] [--tiles 30] [--seed 5]

Tiles of 256² pixels along the plane, physical mix, 14 years, bands above 10 GeV alone. Counted are
points within 1 deg of the plane, more than 0.6 deg from any brighter one, with an expected TS of 36
to 144 in these bands; soft ones have at least nine tenths of their expected counts in the lowest
band. On the ridge a soft source is harder to tell from gas. Purity is of all detections within 2
deg of the plane; networks are compared by what they find there at the same purity.
"""

from __future__ import annotations

import argparse
import os

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from missed_sources import brighter_neighbour

from psseg.evaluation.skies import SkyPlan, SkyTables, catalogue_sky
from psseg.evaluation.statistics import threshold_for_purity
from psseg.network.store import load_model
from psseg.survey.survey import Survey, counts_survey

SHAPE = (256, 256)
FIRST_EDGE = 9.9  # GeV
SOFT_SHARE = 0.9
TS_RANGE = (36.0, 144.0)
PURITIES = (0.95, 0.97)


class RidgePlan(SkyPlan):
    """Tiles side by side along the Galactic plane."""

    @property
    def centers(self) -> SkyCoord:
        """Centres of the tiles, at equal steps of longitude."""
        longitude = 360 / self.n_tiles * np.arange(self.n_tiles)
        return SkyCoord(longitude, np.zeros(self.n_tiles), unit="deg", frame="galactic")


def soft_share(sky: SkyTables, survey: Survey) -> np.ndarray:
    """Share of the lowest observed band in the expected counts of each true source."""
    observed = survey.energy_edges[:-1] > FIRST_EDGE
    flux = sky.tables.truths["Flux_Band"].to_value("cm-2 s-1")[:, observed]
    counts = flux * survey.instrument.band_exposure(1.0)[observed]
    return counts[:, 0] / counts.sum(axis=1)


def lines(sky: SkyTables, survey: Survey) -> list[str]:
    """Say what was found of the soft and the harder sources, and how pure all detections are."""
    truth, detections = sky.tables.truths, sky.tables.detections
    ts = np.asarray(truth["TS"])
    alone = brighter_neighbour(truth) > 0.6
    point = truth["Extension"].to_value(u.deg) == 0
    near = np.abs(truth["GLAT"].to_value(u.deg)) < 1
    chosen = near & alone & point & (ts > TS_RANGE[0]) & (ts < TS_RANGE[1])
    chosen &= np.asarray(truth["COUNTED"], bool)
    soft, found = soft_share(sky, survey) >= SOFT_SHARE, np.asarray(truth["FOUND"], bool)
    result = [
        f"{name}: {found[chosen & kind].sum()} of {(chosen & kind).sum()} found"
        for name, kind in (("soft", soft), ("harder", ~soft))
    ]
    ridge = detections[np.asarray(detections["COUNTED"], bool)]
    ridge = ridge[np.abs(ridge["GLAT"].to_value(u.deg)) < 2]
    own, real = (np.asarray(ridge[name], bool) for name in ("SELECTED", "MATCHED"))
    claimed = np.asarray(ridge["SOURCE_PROB"])
    shares = f"{real[own].sum()} of {own.sum()} detections at |b| < 2 deg"
    result.append(f"real: {shares}, {claimed[own].sum():.1f} claimed by SOURCE_PROB")
    for purity in PURITIES:
        threshold = threshold_for_purity(claimed, real, purity)
        count = 0 if threshold is None else np.count_nonzero(real & (claimed >= threshold))
        result.append(f"real at {100 * purity:.0f} % purity: {count}")
    return result


def main() -> None:
    """Simulate, catalogue and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fermi-lat")
    parser.add_argument("--tiles", type=int, default=30)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    model = load_model(options.model)
    survey = counts_survey(model.survey)
    plan = RidgePlan(
        n_tiles=options.tiles,
        shape=SHAPE,
        seed=options.seed,
        stream="evaluation",
        simulation={"bands_present": survey.energy_edges[:-1] > FIRST_EDGE},
    )
    sky = catalogue_sky(model, plan, processes=os.cpu_count() or 1, progress=True)
    print("\n".join(lines(sky, survey)))


if __name__ == "__main__":
    main()
