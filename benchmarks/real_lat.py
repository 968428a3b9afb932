"""Catalogue real Fermi-LAT data and compare with the published catalogues.

    PSSEG_DATA=... python real_lat.py -o DIR [--model fermi-lat]

The Galactic centre above 10 GeV (20 x 10 degrees, 7 years) comes in twice, as a photon list and as
a counts cube: `psseg catalogue` makes a catalogue of each, with the exposure cube. Each is matched
with 3FHL (the same photons, a likelihood analysis) and 4FGL-DR4 (14 years, from 50 MeV), one to
one, the most significant first. DIR gets the products, `real_lat.json`, `real_lat.md` and a
picture per catalogue with the published positions on the map.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from astropy.visualization import AsinhStretch, ImageNormalize
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from psseg.evaluation.markdown_tables import markdown_table
from psseg.evaluation.matching import Footprint, column, match_one_to_one, positions
from psseg.pipeline import catalogue
from psseg.plots import dress_axes
from psseg.survey.classes import CLASS_COLOURS, SOURCE_CLASSES, class_of_code
from psseg.tiles.tile import Tile

FIELD = "lat/gc_3fhl/fermi-3fhl-gc"
MAPS = {"photons": f"{FIELD}-events.fits.gz", "counts cube": f"{FIELD}-counts-cube.fits.gz"}
EXPOSURE = f"{FIELD}-exposure-cube.fits.gz"
PUBLISHED = {
    "3FHL": ("lat/catalogues/gll_psch_v13.fit.gz", "CLASS"),
    "4FGL-DR4": ("lat/catalogues/gll_psc_v35.fit.gz", "CLASS1"),
}
RADII = (0.2, 0.3)  # deg
SIGNIFICANT = 5.0
EDGE = 0.5  # deg: published sources nearer to the edge of the field are not asked for
SHIFT = 1.0  # deg: moves the detections to count matches by chance


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A published catalogue inside the field."""

    name: str
    sky: SkyCoord
    significance: np.ndarray
    codes: np.ndarray
    names: np.ndarray


def read_reference(data: Path, name: str, footprint: Footprint, edge: float) -> Reference:
    """Read the sources of a published catalogue that lie farther than `edge` inside the field."""
    path, class_column = PUBLISHED[name]
    table = Table.read(data / path, hdu=1)
    sky = SkyCoord(np.asarray(table["RAJ2000"]), np.asarray(table["DEJ2000"]), unit="deg")
    near = np.flatnonzero(sky.separation(footprint_center(footprint)) < 30 * u.deg)
    inside = near[footprint.margin(sky[near]) > edge]
    return Reference(
        name=name,
        sky=sky[inside],
        significance=np.nan_to_num(np.asarray(table["Signif_Avg"], dtype=float)[inside]),
        codes=np.char.strip(np.asarray(table[class_column]).astype(str)[inside]),
        names=np.char.strip(np.asarray(table["Source_Name"]).astype(str)[inside]),
    )


def footprint_center(footprint: Footprint) -> SkyCoord:
    n_y, n_x = footprint.mask.shape
    return SkyCoord.from_pixel((n_x - 1) / 2, (n_y - 1) / 2, footprint.wcs).icrs


def footprint_of(tile: Tile) -> Footprint:
    return Footprint(wcs=tile.wcs, mask=tile.mask, pixel_scale=tile.pixel_scale)


def match(table: QTable, sky: SkyCoord, reference: Reference, radius: float) -> np.ndarray:
    """Match detections (at positions `sky`) one to one with a published catalogue."""
    return match_one_to_one(
        sky,
        reference.sky,
        radius=radius,
        detection_rank=column(table, "Sqrt_TS"),
        brightness=reference.significance,
    )


def found_rows(table: QTable, tile: Tile, data: Path) -> list[dict[str, Any]]:
    """Count, for both published catalogues and radii, what is found of the significant sources."""
    sky, rows = positions(table), []
    moved = sky.directional_offset_by(45 * u.deg, SHIFT * u.deg)
    for name in PUBLISHED:
        inner = read_reference(data, name, footprint_of(tile), EDGE)
        asked = inner.significance > SIGNIFICANT
        for radius in RADII:
            hits = match(table, sky, inner, radius)
            chance = match(table, moved, inner, radius)
            found = np.isin(np.arange(len(inner.sky)), hits)
            rows.append(
                {
                    "catalogue": name,
                    "radius": radius,
                    "in_field": len(inner.sky),
                    "asked": int(asked.sum()),
                    "found": int((found & asked).sum()),
                    "found_of_all": int(found.sum()),
                    "found_by_chance": int((chance >= 0).sum()),
                    "missed": inner.names[asked & ~found].tolist(),
                }
            )
    return rows


def counterparts(table: QTable, tile: Tile, data: Path) -> dict[str, Any]:
    """Count detections without a counterpart, and compare the classes of those with one.

    The class of 3FHL counts first, that of 4FGL where 3FHL gives none.
    """
    sky = positions(table)
    references = [read_reference(data, name, footprint_of(tile), 0.0) for name in PUBLISHED]
    hits = {reference.name: match(table, sky, reference, max(RADII)) for reference in references}
    lonely = np.logical_and.reduce([rows < 0 for rows in hits.values()])
    confusion: Counter[tuple[str, str]] = Counter()
    for number, ours in enumerate(np.char.strip(np.asarray(table["CLASS"]).astype(str))):
        rows = [(reference, hits[reference.name][number]) for reference in references]
        codes = [reference.codes[row] for reference, row in rows if row >= 0]
        true = next((found for code in codes if (found := class_of_code(code))), None)
        if true is not None:
            confusion[true.name.lower(), ours] += 1
    return {
        "detections": len(table),
        "without_counterpart": int(lonely.sum()),
        "names_without_counterpart": np.asarray(table["Source_Name"]).astype(str)[lonely].tolist(),
        "confusion": {
            true: {ours: confusion[true, ours] for ours in SOURCE_CLASSES}
            for true in SOURCE_CLASSES
        },
    }


def agreement(first: QTable, second: QTable) -> dict[str, Any]:
    """Compare the catalogues of the two ways in."""
    one, other = positions(first), positions(second)
    pairs = match_one_to_one(
        one,
        other,
        radius=max(RADII),
        detection_rank=column(first, "Sqrt_TS"),
        brightness=column(second, "Sqrt_TS"),
    )
    hit = np.flatnonzero(pairs >= 0)
    partner = pairs[hit]
    separation = one[hit].separation(other[partner]).deg if len(hit) else np.zeros(0)
    ratio = column(first, "Npred")[hit] / column(second, "Npred")[partner]
    same = np.asarray(first["CLASS"])[hit] == np.asarray(second["CLASS"])[partner]
    return {
        "in_both": len(hit),
        "in_photons_only": len(first) - len(hit),
        "in_cube_only": len(second) - len(hit),
        "median_separation_deg": float(np.median(separation)) if len(hit) else None,
        "median_npred_ratio": float(np.median(ratio)) if len(hit) else None,
        "same_class": int(same.sum()),
    }


def draw(table: QTable, tile: Tile, data: Path) -> Figure:
    """Draw published positions and detections on the map."""
    image = gaussian_filter(tile.data.sum(axis=0), 0.8)
    image = np.where(tile.mask, np.nan, image)
    n_y, n_x = tile.shape
    figure = Figure(figsize=(16, max(16 * n_y / n_x, 4) + 1), layout="constrained")
    axes = figure.add_subplot(projection=tile.wcs)
    norm = ImageNormalize(vmin=0, vmax=np.nanpercentile(image, 99.7), stretch=AsinhStretch(0.1))
    axes.imshow(image, norm=norm, cmap="gray_r", origin="lower")
    place = axes.get_transform("icrs")
    for name, marker, colour, size in (
        ("3FHL", "o", "#D55E00", 220),
        ("4FGL-DR4", "x", "#009E73", 40),
    ):
        sky = read_reference(data, name, footprint_of(tile), 0.0).sky
        style = {"facecolors": "none", "edgecolors": colour} if marker == "o" else {"c": colour}
        axes.scatter(
            sky.ra.deg, sky.dec.deg, transform=place, marker=marker, s=size, label=name, **style
        )
    sky, classes = positions(table), np.char.strip(np.asarray(table["CLASS"]).astype(str))
    for name in SOURCE_CLASSES:
        mine = sky[classes == name]
        axes.scatter(
            mine.ra.deg,
            mine.dec.deg,
            transform=place,
            marker="+",
            s=140,
            linewidths=2,
            color=CLASS_COLOURS[name],
            label=f"psseg {name}",
        )
    dress_axes(axes, tile.wcs, tile.shape, f"{tile.name}: counts, smoothed")
    axes.legend(loc="upper right", ncols=5)
    return figure


def report(summary: dict[str, Any]) -> str:
    """Write the summary as Markdown."""
    parts = ["# The Galactic centre above 10 GeV"]
    for name, numbers in summary["catalogues"].items():
        rows = numbers["found"]
        missed = ", ".join(rows[1]["missed"]) or "none"
        alone = ", ".join(numbers["names_without_counterpart"]) or "none"
        parts += [
            f"## From the {name}: {numbers['detections']} detections",
            markdown_table(
                rows,
                {
                    "catalogue": ("catalogue", str),
                    "within (deg)": ("radius", str),
                    "above 5 sigma": ("asked", str),
                    "of them found": ("found", str),
                    "all in the field": ("in_field", str),
                    "of them found ": ("found_of_all", str),
                    "matches by chance": ("found_by_chance", str),
                },
            ),
            f"3FHL above 5 sigma without a detection within {max(RADII)} deg: {missed}.",
            f"Detections without a counterpart within {max(RADII)} deg in either catalogue: "
            f"{numbers['without_counterpart']} ({alone}).",
            "Classes of identified counterparts (rows) and what psseg took them for:",
            markdown_table(
                [{"true": true, **row} for true, row in numbers["confusion"].items()],
                {"class": ("true", str), **{name: (name, str) for name in SOURCE_CLASSES}},
            ),
        ]
    parts += [
        "## Photons against counts cube",
        f"```\n{json.dumps(summary['agreement'], indent=1)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="fermi-lat", help="name or folder of a model")
    parser.add_argument("--overwrite", action="store_true")
    default = Path(os.environ.get("PSSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="default: PSSEG_DATA")
    options = parser.parse_args()
    summary: dict[str, Any] = {"model": options.model, "catalogues": {}}
    tables = {}
    for name, path in MAPS.items():
        made = catalogue(
            options.data / path,
            options.output,
            model=options.model,
            exposure=options.data / EXPOSURE,
            overwrite=options.overwrite,
        )
        table, tile = made.result.table, made.result.tile
        tables[name] = table
        summary["catalogues"][name] = {
            **counterparts(table, tile, options.data),
            "found": found_rows(table, tile, options.data),
        }
        picture = options.output / f"real_lat_{name.replace(' ', '_')}.png"
        draw(table, tile, options.data).savefig(picture, dpi=110)
    summary["agreement"] = agreement(*tables.values())
    (options.output / "real_lat.json").write_text(json.dumps(summary, indent=1) + "\n")
    (options.output / "real_lat.md").write_text(report(summary))
    print(report(summary))


if __name__ == "__main__":
    main()
