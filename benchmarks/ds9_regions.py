"""How long DS9 takes to load the region file of a large catalogue.

In: how many sources. Out: seconds to write the file and, with DS9 and a screen (``DISPLAY``, or
``xvfb-run``), to load it on a map of 2048 by 2048 pixels.

Usage: xvfb-run -a python benchmarks/ds9_regions.py [SOURCES]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from psseg.catalogue.map_regions import map_regions
from psseg.catalogue.source_shapes import SourceShapes, region_text
from psseg.survey.classes import SOURCE_CLASSES

SIDE = 2048
PIXEL = 2 / 3600  # deg


def main() -> None:
    """Make a map and a catalogue; time both kinds of region files."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(1)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval, wcs.wcs.crpix = (50.0, -30.0), (SIDE / 2, SIDE / 2)
    wcs.wcs.cdelt = [-PIXEL, PIXEL]
    sky = wcs.pixel_to_world(*rng.uniform(0, SIDE - 1, (2, n)))
    shapes = SourceShapes(
        names=np.array([f"PSSEG J{k:06d}" for k in range(n)]),
        classes=np.resize(SOURCE_CLASSES, n),
        ra=sky.ra.deg,
        dec=sky.dec.deg,
        major=np.full(n, 3 * PIXEL),
        minor=np.full(n, 2 * PIXEL),
        angle=rng.uniform(0, 180, n),
        dashed=np.zeros(n, dtype=bool),
    )
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "map.fits"
        fits.PrimaryHDU(rng.normal(size=(SIDE, SIDE)).astype(np.float32), wcs.to_header()).writeto(
            image
        )
        print(f"{'DS9 without regions':<22} {_seconds(image):6.1f} s")
        for name, make in (
            ("sky coordinates", lambda: region_text(shapes)),
            ("pixels, with markers", lambda: _on_map(shapes, wcs)),
        ):
            start = time.perf_counter()
            text = make()
            written = time.perf_counter() - start
            path = Path(folder) / "regions.reg"
            path.write_text(text)
            loaded = _seconds(image, "-regions", "showtext", "no", "-regions", "load", str(path))
            lines = text.count("\n") - 3
            print(f"{name:<22} {loaded:6.1f} s for {lines} regions; written in {written:.1f} s")


def _on_map(shapes: SourceShapes, wcs: WCS) -> str:
    made = map_regions(
        shapes, wcs, shape=(SIDE, SIDE), zoom=0.36, significance=np.arange(len(shapes.ra))
    )
    return made.sources + made.names


def _seconds(*arguments: str | Path) -> float:
    """Time DS9 from its start to its end, with the regions drawn once."""
    start = time.perf_counter()
    subprocess.run(["ds9", *map(str, arguments), "-zoom", "to", "fit", "-exit"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
