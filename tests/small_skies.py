"""What the small skies of the tests are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

EDGES = (0.316, 0.501, 1.0, 1.995, 5.01, 10.0, 19.95, 50.1, 1995.0)  # GeV
TEN_PER_DECADE = 10 ** np.arange(-0.5, 3.31, 0.1)  # GeV, 38 bins


@dataclass(frozen=True)
class StandInSurvey:
    """What readers use of a survey."""

    name: str = "fermi-lat"
    kind: str = "counts"
    telescopes: tuple[str, ...] = ("GLAST",)
    pixel_scale: float = 0.1
    energy_edges: np.ndarray = field(default_factory=lambda: np.array(EDGES))
    n_bands: int = len(EDGES) - 1
    event_class: int = 128
    event_type: int = 3


def sky_wcs(shape, *, projection="CAR", scale=0.1, center=(0.0, 0.0), frame="galactic") -> WCS:
    """WCS of a map with its reference point in the middle."""
    axes = ("GLON", "GLAT") if frame == "galactic" else ("RA--", "DEC-")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis}-{projection}" for axis in axes]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = center
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-scale, scale]
    wcs.wcs.set()
    return wcs


def ebounds(edges_gev) -> fits.BinTableHDU:
    """EBOUNDS table in keV, as gtbin writes it."""
    edges = np.asarray(edges_gev) * 1e6
    columns = [
        fits.Column("CHANNEL", "I", array=np.arange(1, len(edges))),
        fits.Column("E_MIN", "1E", unit="keV", array=edges[:-1]),
        fits.Column("E_MAX", "1E", unit="keV", array=edges[1:]),
    ]
    return fits.BinTableHDU.from_columns(columns, name="EBOUNDS")


def draw_energies(rng, number, low=0.32, high=1990.0) -> np.ndarray:
    """Energies of an E^-2.4 spectrum, GeV."""
    ends = np.array([low, high]) ** -1.4
    return (ends[0] + rng.random(number) * (ends[1] - ends[0])) ** (-1 / 1.4)
