"""Time the cross-match of two large catalogues, and check its pairs against astropy and STILTS.

    python benchmarks/crossmatch_speed.py                 # a million against a million
    python benchmarks/crossmatch_speed.py --stilts        # the same, with STILTS' pairs too
    python benchmarks/crossmatch_speed.py --file 5000000  # the command, on files of 5 million rows

Half of the sources of the first catalogue are those of the second, moved by their errors of some
arcseconds; all else is random on the sky. Peak memory is that of the process, hence of all steps up
to the one it is printed with.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table

from psseg.crossmatch import crossmatch, make_sky_table
from psseg.crossmatch.ellipses import ErrorEllipses, ellipses_of_axes
from psseg.crossmatch.positions import Pairs, ellipse_pairs, error_pairs, radius_pairs

ARCSEC = 1 / 3600
RADIUS = 10.0
ONE_SIGMA = 1 - np.exp(-0.5)


def random_sky(rng: np.random.Generator, number: int) -> SkyCoord:
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, number)))
    return SkyCoord(rng.uniform(0, 360, number), dec, unit="deg")


def random_ellipses(rng: np.random.Generator, number: int) -> ErrorEllipses:
    major = rng.uniform(1, 4, number) * ARCSEC
    return ellipses_of_axes(major, major * rng.uniform(0.3, 1, number), rng.uniform(0, 180, number))


def catalogues(number: int) -> tuple[Table, Table]:
    rng = np.random.default_rng(1)
    right, left = random_sky(rng, number), random_sky(rng, number)
    errors = random_ellipses(rng, number), random_ellipses(rng, number)
    half = number // 2
    moved = right[:half].directional_offset_by(
        rng.uniform(0, 360, half) * u.deg,
        np.hypot(errors[0].major[:half], errors[1].major[:half]) * rng.rayleigh(size=half) * u.deg,
    )
    ra, dec = (np.r_[a, b[half:]] for a, b in ((moved.ra.deg, left.ra.deg),
                                             (moved.dec.deg, left.dec.deg)))  # fmt: skip
    return tuple(
        Table(
            {
                "id": np.arange(number), "ra": ra * u.deg, "dec": dec * u.deg,
                "err_maj": ellipses.major * u.deg, "err_min": ellipses.minor * u.deg,
                "err_pa": ellipses.angle * u.deg, "flux": np.ones(number) * u.Jy,
            }
        )
        for (ra, dec), ellipses in zip(
            ((ra, dec), (right.ra.deg, right.dec.deg)), errors, strict=True
        )
    )  # fmt: skip


def timed(what: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    start = time.perf_counter()
    result = function(*args, **options)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    size = f"{len(result):>8} pairs" if isinstance(result, Pairs) else ""
    print(f"{what:<34} {time.perf_counter() - start:7.1f} s  peak {memory:5.2f} GB  {size}")
    return result


def same(pairs: Pairs, left: Any, right: Any) -> str:
    ours = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    theirs = set(zip(np.asarray(left).tolist(), np.asarray(right).tolist(), strict=True))
    return "identical" if ours == theirs else f"{len(ours ^ theirs)} differ"


def stilts_pairs(folder: Path, matcher: str, values: str) -> tuple[Any, Any]:
    out = folder / "out.fits"
    subprocess.run(
        ["stilts", "tmatch2", f"in1={folder}/left.fits", f"in2={folder}/right.fits",
         f"matcher={matcher}", f"values1={values}", f"values2={values}", "params=5", "find=all",
         "join=1and2", "progress=none", f"out={out}"],
        check=True,
    )  # fmt: skip
    table = Table.read(out)
    return table["id_1"], table["id_2"]


def memory_match(number: int, *, with_stilts: bool) -> None:
    tables = catalogues(number)
    left, right = (make_sky_table(t, label=n, origin=n) for t, n in zip(tables, "ab", strict=True))
    print(f"{number} against {number} sources")
    match = timed("crossmatch, Bayes, with chance", crossmatch, left, right)
    print(f"  {match.n_matched} matched, {match.n_chance:.0f} by chance")
    coords, errors = (left.coords, right.coords), (left.ellipses, right.ellipses)
    near = timed(f"radius_pairs, {RADIUS} arcsec", radius_pairs, *coords, RADIUS * ARCSEC)
    sums = timed("error_pairs", error_pairs, *coords, *(e.major for e in errors))
    touching = timed("ellipse_pairs", ellipse_pairs, *coords, *errors, confidence=ONE_SIGMA)
    found = timed("astropy search_around_sky", search_around_sky, *coords, RADIUS * u.arcsec)
    print(f"  radius_pairs and astropy: {same(near, *found[:2])}")
    if with_stilts:
        with tempfile.TemporaryDirectory() as name:
            for table, stem in zip(tables, ("left", "right"), strict=True):
                table.write(Path(name) / f"{stem}.fits")
            axes = "err_maj*3600 err_min*3600 err_pa"
            for matcher, values, pairs in (
                ("skyerr", "ra dec err_maj*3600", sums), ("skyellipse", f"ra dec {axes}", touching),
            ):  # fmt: skip
                theirs = timed(f"STILTS {matcher}", stilts_pairs, Path(name), matcher, values)
                print(f"  psseg and {matcher}: {same(pairs, *theirs)}")


def file_match(number: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        for table, stem in zip(catalogues(number), ("left", "right"), strict=True):
            table.write(Path(name) / f"{stem}.fits")
        start = time.perf_counter()
        script = "import sys; from psseg.cli_match import crossmatch; crossmatch(sys.argv[1:])"
        paths = [f"{name}/{stem}.fits" for stem in ("left", "right", "out")]
        subprocess.run([sys.executable, "-c", script, *paths[:2], "-o", paths[2]], check=True)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
        print(f"{number} rows from file to file: {time.perf_counter() - start:.1f} s, "
              f"peak {memory:.2f} GB")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=1_000_000, help="sources in either catalogue")
    parser.add_argument("--stilts", action="store_true", help="check against STILTS, too")
    parser.add_argument("--file", type=int, metavar="N", help="time the command on N rows instead")
    given = parser.parse_args()
    if given.file:
        file_match(given.file)
    else:
        memory_match(given.n, with_stilts=given.stilts)
