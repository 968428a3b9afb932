"""Compare psseg with PyBDSF on the same simulated radio images.

    python benchmarks/radio_pybdsf.py --setup emu --setup vlass --images 2 --size 2048 --seed 1

Each image is written to FITS, catalogued by psseg and by PyBDSF (defaults, beam and frequency
given), and both catalogues are matched with the truth in the same way: fragments of a true source
count as neither real nor false, a source counts as swallowed where it lies within another
detection's ellipse. Given are completeness and reliability by peak S/N, psseg's completeness at
PyBDSF's reliability in the same bin, false detections near bright sources, merged neighbours, and
Mpix/s of image to catalogue (reading and writing left out for both).

PyBDSF: `pip install bdsf`, here or in an environment of its own whose Python is given with
`--bdsf-python`. Set OMP_NUM_THREADS=1 to give both one core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, vstack

if TYPE_CHECKING:
    from psseg.evaluation.matching import MatchedTables
    from psseg.network.store import Model
    from psseg.tiles.radio_image import RadioImage

NAMES = {
    "RA": "ra",
    "DEC": "dec",
    "E_RA": "e_ra",
    "E_DEC": "e_dec",
    "Total_flux": "int_flux",
    "E_Total_flux": "e_int_flux",
    "Peak_flux": "peak_flux",
    "Maj": "maj",
    "Min": "min",
    "PA": "pa",
    "Isl_rms": "rms_image",
}
"""PyBDSF's columns and ours."""

UNITS = {
    "int_flux": u.Jy,
    "e_int_flux": u.Jy,
    "peak_flux": u.Jy / u.beam,
    "rms_image": u.Jy / u.beam,
}


def find_with_pybdsf(image: Path, catalogue: Path) -> None:
    """Run PyBDSF on an image; print a line of JSON with the seconds it took.

    This runs in PyBDSF's own Python, which need not have psseg.
    """
    try:
        import bdsf
    except ImportError as error:
        sys.exit(f"PyBDSF cannot be imported ({error}): pip install bdsf, or --bdsf-python PYTHON")
    header = fits.getheader(image)
    start = time.perf_counter()
    found = bdsf.process_image(
        str(image),
        beam=(header["BMAJ"], header["BMIN"], header["BPA"]),
        frequency=header["RESTFRQ"],
        quiet=True,
        ncores=1,
    )
    seconds = time.perf_counter() - start
    if getattr(found, "nsrc", 0):
        found.write_catalog(outfile=str(catalogue), format="fits", catalog_type="srl", clobber=True)
    print(json.dumps({"seconds": seconds, "version": bdsf.__version__}))


def run_pybdsf(image: RadioImage, folder: Path, python: str) -> tuple[QTable, float]:
    """Write an image, let PyBDSF catalogue it, and give its table with our names."""
    source, target = folder / "image.fits", folder / "image.srl.fits"
    target.unlink(missing_ok=True)
    write_reference_plane(image, source)
    done = subprocess.run(
        [python, __file__, "--find", str(source), str(target)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr.strip() or done.stdout.strip())
    record = json.loads(done.stdout.strip().splitlines()[-1])
    return read_pybdsf(target), record["seconds"]


def write_reference_plane(image: RadioImage, path: Path) -> None:
    header, beam = image.wcs.to_header(), image.beams[0]
    header.update({"BMAJ": beam.major, "BMIN": beam.minor, "BPA": beam.angle})
    header.update({"BUNIT": "Jy/beam", "RESTFRQ": image.frequencies[0]})
    fits.writeto(path, image.planes[0], header, overwrite=True)


def read_pybdsf(path: Path) -> QTable:
    """Read a source list; one without rows where PyBDSF wrote none."""
    table = QTable()
    written = QTable.read(path) if path.exists() else {name: [] for name in NAMES}
    for theirs, ours in NAMES.items():
        values = u.Quantity(written[theirs], copy=False).value
        table[ours] = np.asarray(values, dtype=float) * UNITS.get(ours, u.deg)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["SNR"] = (table["peak_flux"] / table["rms_image"]).value
    table["SOURCE_PROB"] = np.ones(len(table))
    return table


def run_psseg(image: RadioImage, model: Model) -> tuple[QTable, float]:
    from psseg.evaluation.skies import with_selection
    from psseg.image_catalogue import catalogue_image

    start = time.perf_counter()
    catalogue_image(image, model)
    seconds = time.perf_counter() - start
    candidates = catalogue_image(image, model, keep_candidates=True).table
    return with_selection(candidates, model.calibration), seconds


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run both on all images and score them."""
    from psseg.evaluation.radio_matching import match_radio
    from psseg.evaluation.radio_skies import RadioPlan
    from psseg.network.store import load_model

    model = load_model(options.model)
    plan = RadioPlan(
        n_images=options.images * len(options.setup),
        shape=(options.size, options.size),
        seed=options.seed,
        stream="evaluation",
        setups=tuple(options.setup),
    )
    run_psseg(plan.simulate(model.survey, plan.n_images)[0].image, model)  # start-up is not timed
    tables: dict[str, list[MatchedTables]] = {"psseg": [], "PyBDSF": []}
    seconds = {name: dict.fromkeys(options.setup, 0.0) for name in tables}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(plan.n_images):
            simulated, setup = plan.simulate(model.survey, number)[0], plan.setup(number)
            found = {
                "psseg": run_psseg(simulated.image, model),
                "PyBDSF": run_pybdsf(simulated.image, Path(folder), options.bdsf_python),
            }
            for name, (catalogue, time_taken) in found.items():
                matched = match_radio(
                    catalogue, simulated.truth, simulated.image, source_map=simulated.source_map
                )
                for table in (matched.detections, matched.truths):
                    table["SETUP"] = np.full(len(table), setup, dtype="U16")
                tables[name].append(matched)
                seconds[name][setup] += time_taken
            print(f"image {number + 1} of {plan.n_images} ({setup})", file=sys.stderr)
    pixels = options.images * options.size**2 / 1e6
    return {
        setup: score_setup(tables, setup)
        | {"mpix_per_second": {name: pixels / seconds[name][setup] for name in tables}}
        for setup in options.setup
    }


def score_setup(tables: dict[str, list[MatchedTables]], setup: str) -> dict[str, Any]:
    """Score both catalogues of a set-up, and psseg at PyBDSF's reliability, bin by bin."""
    from psseg.evaluation.radio_scores import score_radio_tables

    stacked = {name: stack(of, setup) for name, of in tables.items()}
    scores = {name: score_radio_tables(of) for name, of in stacked.items()}
    rows = []
    for ours, theirs in zip(scores["psseg"].by_snr, scores["PyBDSF"].by_snr, strict=True):
        rows.append(
            {
                "snr": (ours["snr_min"], ours["snr_max"]),
                "n_true": ours["n_true"],
                "psseg": ours["completeness"],
                "psseg_reliability": ours["reliability"],
                "PyBDSF": theirs["completeness"],
                "PyBDSF_reliability": theirs["reliability"],
                "psseg_at_equal": at_equal_reliability(stacked, (ours["snr_min"], ours["snr_max"])),
            }
        )
    return {
        "by_snr": rows,
        "near_bright": {name: of.near_bright[0] for name, of in scores.items()},
        "splits": {name: of.splits for name, of in scores.items()},
        "neighbours": {name: of.neighbours for name, of in scores.items()},
    }


def stack(tables: list[MatchedTables], setup: str) -> MatchedTables:
    from psseg.evaluation.matching import MatchedTables

    def chosen(name: str) -> QTable:
        parts = [getattr(of, name) for of in tables]
        return vstack([part for part in parts if len(part) and part["SETUP"][0] == setup])

    return MatchedTables(detections=chosen("detections"), truths=chosen("truths"))


def at_equal_reliability(
    tables: dict[str, MatchedTables], interval: tuple[Any, Any]
) -> float | None:
    """Give psseg's completeness in a bin with the threshold that is as reliable as PyBDSF there."""
    from psseg.evaluation.pairs import flag_column
    from psseg.evaluation.radio_rows import in_interval
    from psseg.evaluation.statistics import share, threshold_for_purity

    low, high = interval
    bin_ = (low, np.inf if high is None else high)

    def in_bin(table: QTable) -> QTable:
        whole = flag_column(table, "COUNTED") & ~flag_column(table, "FRAGMENT")
        return table[whole & in_interval(table["SNR"], bin_)]

    asked = share(in_bin(tables["PyBDSF"].detections)["MATCHED"])[0]
    ours = in_bin(tables["psseg"].detections)
    claimed = np.asarray(ours["SOURCE_PROB"])
    cut = threshold_for_purity(claimed, ours["MATCHED"], 1.0 if asked is None else asked)
    # Down to the bin's next detection, every threshold gives the same reliability there.
    excluded = np.inf if cut is None else claimed[claimed < cut].max(initial=-np.inf)
    truths = tables["psseg"].truths
    wanted = truths[flag_column(truths, "COUNTED") & in_interval(truths["SNR"], bin_)]
    return share(wanted["FOUND_PROB"] > excluded)[0]


def show(results: dict[str, Any]) -> None:
    def percent(value: float | None) -> str:
        return "    –" if value is None else f"{100 * value:5.1f}"

    for setup, result in results.items():
        speed = result["mpix_per_second"]
        print(f"\n{setup}: psseg {speed['psseg']:.2f} Mpix/s, PyBDSF {speed['PyBDSF']:.2f} Mpix/s")
        print("S/N          true | psseg: complete reliable | PyBDSF: complete reliable | psseg at")
        print(
            "                  |                          |                           | equal rel."
        )
        for row in result["by_snr"]:
            low, high = row["snr"]
            name = f"{low:g}-{high:g}" if high else f"> {low:g}"
            print(
                f"{name:8} {row['n_true']:8} |          {percent(row['psseg'])}    "
                f"{percent(row['psseg_reliability'])}  |           {percent(row['PyBDSF'])}    "
                f"{percent(row['PyBDSF_reliability'])}  | {percent(row['psseg_at_equal'])}"
            )
        for name, near in result["near_bright"].items():
            splits = result["splits"][name]
            merged = sum(row["n_merged"] for row in splits)
            split = sum(row["n_split"] for row in splits)
            beside = next(row for row in result["neighbours"][name] if row["beams_min"] == 1.0)
            print(
                f"{name}: {near['n_false']} false of {near['n_detections']}, "
                f"{near['n_false_near_bright']} of them near bright sources; "
                f"{merged} neighbours merged, {split} sources split; of {beside['n_true']} at 1 to "
                f"1.5 beams from a brighter one it found {percent(beside['completeness'])} %"
            )


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare psseg with PyBDSF on simulated images.")
    parser.add_argument("--model", default="radio", help="name or folder of the psseg model")
    parser.add_argument("--setup", action="append", help="set-up, repeatable; default all")
    parser.add_argument("--images", type=int, default=1, help="images per set-up")
    parser.add_argument("--size", type=int, default=1024, help="pixels along a side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bdsf-python", default=sys.executable, help="Python that has bdsf")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--find", nargs=2, type=Path, metavar=("IMAGE", "CATALOGUE"),
                        help="only run PyBDSF on one image")  # fmt: skip
    options = parser.parse_args(arguments)
    options.setup = options.setup or ["racs-mid", "emu", "vlass", "lotss"]
    return options


def main() -> None:
    options = parse()
    if options.find:
        find_with_pybdsf(*options.find)
        return
    results = compare(options)
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
