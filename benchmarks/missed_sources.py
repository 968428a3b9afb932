"""Which bright sources are missed: by latitude, extension and distance to a brighter neighbour.

psseg evaluate --model fermi-lat --seed 2 --tables -o scores
python benchmarks/missed_sources.py scores/truths.fits
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable

LATITUDES = (0.0, 2.0, 5.0, 20.0, 90.0)


def brighter_neighbour(truth: QTable, *, minimum_ts: float = 25.0) -> np.ndarray:
    """Distance of each source to the nearest brighter one of its tile, deg, (n_sources,)."""
    position = SkyCoord(truth["RAJ2000"], truth["DEJ2000"])
    tile, ts = np.asarray(truth["TILE"]), np.asarray(truth["TS"])
    nearest = np.full(len(truth), np.inf)
    for number in np.unique(tile):
        rows = np.flatnonzero((tile == number) & (ts > minimum_ts))
        distance = position[rows][:, None].separation(position[rows]).deg
        distance[ts[rows][None, :] <= ts[rows][:, None]] = np.inf
        nearest[rows] = distance.min(axis=1)
    return nearest


def missed_table(truth: QTable, *, flux: float) -> str:
    """Share found per latitude: all, isolated points, points near a brighter one, extended."""
    found, counted = (np.asarray(truth[name], bool) for name in ("FOUND", "COUNTED"))
    bright = counted & (truth["FLUX1000"].to_value("cm-2 s-1") > flux)
    latitude = np.abs(truth["GLAT"].to_value(u.deg))
    point = truth["Extension"].to_value(u.deg) == 0
    near = brighter_neighbour(truth)
    lines = ["| b | all | points > 0.6 deg | points < 0.4 deg | extended |", "|---" * 5 + "|"]
    for low, high in pairwise(LATITUDES):
        zone = bright & (latitude >= low) & (latitude < high)
        samples = (zone, zone & point & (near > 0.6), zone & point & (near < 0.4), zone & ~point)
        cells = [f"{found[s].sum()} of {s.sum()}" for s in samples]
        lines.append(f"| {low:g}-{high:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read the table of true sources and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truths", type=Path)
    parser.add_argument("--flux", type=float, default=7.85e-10, help="cm-2 s-1, 1-100 GeV")
    options = parser.parse_args()
    print(missed_table(QTable.read(options.truths), flux=options.flux))


if __name__ == "__main__":
    main()
