"""Measure how fast a radio image becomes a catalogue, and in how much memory.

    python benchmarks/radio_speed.py --size 4096 --side 12000 --bdsf-python PYTHON

Simulates a crowded field (EMU-like) and a sparse one (VLASS-like), writes their Stokes I to FITS
and catalogues each in a process of its own. Given are Mpix/s from image to catalogue in memory
(reading, writing and the start of the program left out), the seconds and the CPU seconds of the
whole of `psseg catalogue`, and its peak memory. With `--side`, copies of the crowded field, side by
side, make a large image, and its memory is measured too. With `--bdsf-python`, PyBDSF (one core,
defaults, beam and frequency given) is run on the same images.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from radio_pybdsf import run_pybdsf, write_reference_plane

if TYPE_CHECKING:
    from psseg.tiles.radio_image import RadioImage

FIELDS = {"crowded": "emu", "sparse": "vlass"}


def measure(path: Path, model: str) -> dict[str, float]:
    """Catalogue an image once in memory, and once from file to files."""
    runs = [
        subprocess.run(
            [sys.executable, __file__, "--run", kind, str(path), "--model", model],
            capture_output=True,
            text=True,
            check=False,
        )
        for kind in ("memory", "files")
    ]
    for run in runs:
        if run.returncode:
            sys.exit(run.stderr.strip())
    in_memory, files = (json.loads(run.stdout.strip().splitlines()[-1]) for run in runs)
    return {
        "n_sources": in_memory["n_sources"],
        "seconds": in_memory["seconds"],
        "cpu_seconds": in_memory["cpu_seconds"],
        "command_seconds": files["seconds"],
        "command_cpu_seconds": files["cpu_seconds"],
        "peak_mib": files["peak_mib"],
    }


def run(kind: str, path: Path, model_name: str) -> dict[str, float]:
    """Catalogue an image here; give sources, seconds and the peak memory of this process, MiB."""
    start, start_cpu = time.perf_counter(), cpu_seconds()
    from psseg.network.store import load_model
    from psseg.pipeline import catalogue, catalogue_image
    from psseg.tiles.radio_files import read_radio_image

    if kind == "files":
        with tempfile.TemporaryDirectory() as folder:
            found = catalogue(path, folder, model=model_name).result
    else:
        model, image = load_model(model_name), read_radio_image([path])
        start, start_cpu = time.perf_counter(), cpu_seconds()
        found = catalogue_image(image, model)
    return {
        "n_sources": len(found.table),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": cpu_seconds() - start_cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def simulate(setup: str, options: argparse.Namespace) -> RadioImage:
    from psseg.evaluation.radio_skies import RadioPlan
    from psseg.survey.survey import load_survey

    plan = RadioPlan(
        n_images=1,
        shape=(options.size, options.size),
        seed=options.seed,
        stream="evaluation",
        setups=(setup,),
    )
    return plan.simulate(load_survey("radio"), 0)[0].image


def side_by_side(image: RadioImage, side: int) -> RadioImage:
    """Repeat an image, every other copy mirrored, until it has the side asked for."""
    n = -(-side // image.shape[0])
    plane = np.pad(image.planes[0], (0, (n - 1) * image.shape[0]), mode="symmetric")
    plane = plane[:side, :side]
    return replace(image, planes=plane[None], stokes=("I",), mask=np.isnan(plane),
                   frequencies=image.frequencies[:1], beams=image.beams[:1])  # fmt: skip


def compare(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.fits"
        for field, setup in FIELDS.items():
            image = simulate(setup, options)
            write_reference_plane(image, path)
            results[f"{field} ({setup}-like)"] = row = measure(path, options.model)
            row["mpix"] = image.planes[0].size / 1e6
            if options.bdsf_python:
                row["bdsf_seconds"] = run_pybdsf(image, Path(folder), options.bdsf_python)[1]
            if options.side and field == "crowded":
                large = side_by_side(image, options.side)
                write_reference_plane(large, path)
                results[f"large, {field}"] = measure(path, options.model) | {
                    "mpix": large.planes[0].size / 1e6
                }
    return results


def show(results: dict[str, dict[str, Any]]) -> None:
    print("field                   Mpix sources  Mpix/s  CPU s | whole command: s  CPU s  peak MiB")
    for name, row in results.items():
        speed = row["mpix"] / row["seconds"]
        print(
            f"{name:22} {row['mpix']:5.1f} {row['n_sources']:7}  {speed:6.2f} "
            f"{row['cpu_seconds']:6.1f} | {row['command_seconds']:16.1f} "
            f"{row['command_cpu_seconds']:6.1f} {row['peak_mib']:9.0f}"
        )
        if "bdsf_seconds" in row:
            print(
                f"    PyBDSF {row['mpix'] / row['bdsf_seconds']:.2f} Mpix/s: "
                f"psseg is {row['bdsf_seconds'] / row['seconds']:.1f} times as fast"
            )


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure speed and memory on radio images.")
    parser.add_argument("--model", default="radio", help="name or folder of the psseg model")
    parser.add_argument("--size", type=int, default=4096, help="pixels along a side")
    parser.add_argument("--side", type=int, help="side of a large image for the memory, pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bdsf-python", help="Python that has bdsf; without it, no PyBDSF")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--run", nargs=2, metavar=("KIND", "IMAGE"),
                        help="only catalogue one image: 'memory' or 'files'")  # fmt: skip
    return parser.parse_args(arguments)


def main() -> None:
    options = parse()
    if options.run:
        print(json.dumps(run(options.run[0], Path(options.run[1]), options.model)))
        return
    results = compare(options)
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
