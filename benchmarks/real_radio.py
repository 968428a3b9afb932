"""Catalogue the real radio images of the data folder and compare with what is known of them.

    PSSEG_DATA=... python real_radio.py -o DIR [--model radio]

Every image goes through `psseg catalogue`, with beam and frequency given where its header has none
and PyBDSF's test field with its plane of Stokes V. DIR gets the products, `real_radio.json` and
`real_radio.md`: a line per image, and the checks

- J0013-0919 in NVSS, FIRST and VLASS: positions, and the spectral index of the radio galaxy;
- the three FIRST tiles with a 4FGL source in their middle: its class, and in how many pieces it is;
- AMI's nearly empty field, and the sidelobes of a LOFAR snapshot;
- Parkes and PyBDSF's field against the published lists, one to one within half a beam;
- DeepSource's simulated image against its truth, by signal to noise.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.stats import mad_std
from radio_deepsource import (
    against,
    deepsource,
    half_beam,
    match,
    offsets,
    read_parkes,
    read_pybdsf,
)

from psseg.evaluation.markdown_tables import markdown_table
from psseg.evaluation.matching import column
from psseg.evaluation.radio_field import radio_positions, sky_offsets
from psseg.image_catalogue import ImageCatalogue
from psseg.network.store import load_model
from psseg.pipeline import catalogue
from psseg.survey.classes import SOURCE_CLASSES
from psseg.tiles.beam import Beam
from psseg.tiles.radio_image import RadioImage

FIELD = {
    "NVSS": "J0013-0919_NVSS_1400MHz",
    "FIRST": "J0013-0919_FIRST_1400MHz",
    "VLASS": "J0013-0919_VLASS3.1QL_3000MHz",
}
GAMMA = {
    "TXS 0053-098 (BL Lac)": "FIRST_4FGLJ0056.3-0935_TXS0053-098_bll",
    "PKS 1514+00 (FRII)": "FIRST_4FGLJ1516.5+0015_PKS1514+00_rdg_FRII",
    "B3 1614+473 (FSRQ)": "FIRST_4FGLJ1615.6+4712_B3_1614+473_fsrq",
}
FRII = "PKS 1514+00 (FRII)"
AMI = "amila_GRB120422A_16.5GHz"
LOFAR = "lofar144_GRB201006A_2min_pb_cutout"
PARKES = "parkes_1904-66_SIN"
PYBDSF, PYBDSF_V = "pybdsf_test_ch0_I", "pybdsf_test_ch0_V.fits"
DEEPSOURCE = "deepsource_image1"
OTHERS = ("askap_EMU_1743-51_beam00_36chan_BEAMSext", "magpis_G10.5+0.0_20cm")

ROUND = Beam(major=5.4 / 3600, minor=5.4 / 3600, angle=0.0)
LONG = Beam(major=6.4 / 3600, minor=5.4 / 3600, angle=0.0)
FIRST_BEAMS = dict(zip(GAMMA.values(), (LONG, LONG, ROUND), strict=True))
"""Of the tiles with a 4FGL source, whose headers say nothing: 5.4 arcsec, longer in the south, as
the header of the FIRST image of J0013-0919 has it."""

FIRST_FREQUENCY = 1.4e9  # Hz
PYBDSF_FREQUENCY = 1.5e8
"""Hz; its header says 23.5."""

GALAXY_RADIUS = 1.0  # arcmin: what is nearer to the middle of J0013-0919 is its radio galaxy
FRII_RADIUS = 2.0  # arcmin: the same for PKS 1514+00
CORE_RADIUS = 20.0  # arcsec: the 4FGL counterparts are this near to the middle of their tiles
SIDELOBE, SIDELOBE_REACH = 0.16, 40.0
"""LOFAR's sidelobes have up to this share of the peak that they belong to; how far out, pixels."""

Row = dict[str, Any]


def catalogue_all(data: Path, options: argparse.Namespace) -> tuple[dict[str, ImageCatalogue], Any]:
    """Catalogue all images; give what was made of each, and a row of numbers per image."""
    model = load_model(options.model)
    reading: dict[str, Row] = {
        name: {"beam": beam, "frequency": FIRST_FREQUENCY} for name, beam in FIRST_BEAMS.items()
    }
    reading[PYBDSF] = {"planes": [data / PYBDSF_V], "frequency": PYBDSF_FREQUENCY}
    made, rows = {}, []
    for name in (*FIELD.values(), *GAMMA.values(), AMI, LOFAR, PARKES, PYBDSF, DEEPSOURCE, *OTHERS):
        start = time.perf_counter()
        done = catalogue(
            data / f"{name}.fits",
            options.output,
            model=model,
            overwrite=options.overwrite,
            **reading.get(name, {}),
        )
        seconds = time.perf_counter() - start
        assert isinstance(done.result, ImageCatalogue)
        made[name] = done.result
        rows.append({"tile": name, **tile_row(done.result), "seconds": round(seconds, 1)})
    return made, rows


def tile_row(made: ImageCatalogue) -> Row:
    table, classes = made.table, np.char.strip(np.asarray(made.table["CLASS"], dtype=str))
    brightest = int(np.argmax(column(table, "peak_flux"))) if len(table) else None
    return {
        "planes": "".join(made.image.stokes),
        "rms": float(np.nanmedian(made.noise.rms[0])),
        "sources": len(table),
        "components": len(made.components),
        **{name: int(np.sum(classes == name)) for name in SOURCE_CLASSES},
        "brightest": None if brightest is None else str(table["Source_Name"][brightest]).strip(),
        "peak_flux": None if brightest is None else float(column(table, "peak_flux")[brightest]),
    }


def middle(image: RadioImage) -> SkyCoord:
    sky = image.pixel_to_sky((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
    return SkyCoord(sky.frame)  # without the equinox of its image, which others do not share


def three_surveys(made: Mapping[str, ImageCatalogue]) -> Row:
    """Compare the surveys of J0013-0919 pair by pair, and the radio galaxy in all of them."""
    of = {key: made[name] for key, name in FIELD.items()}
    pairs = []
    for coarse, sharp in (("NVSS", "FIRST"), ("NVSS", "VLASS"), ("FIRST", "VLASS")):
        one, other = of[coarse], of[sharp]
        sky = radio_positions(other.table)
        hits = match(one.table, sky, column(other.table, "peak_flux"), half_beam(one.image))
        rows = np.flatnonzero(hits >= 0)
        where = radio_positions(one.table)[rows]
        pairs.append({"pair": f"{coarse}-{sharp}", "common": len(rows)})
        pairs[-1] |= offsets(sky[hits[rows]], where)
        pairs[-1]["alpha"] = index_of_brightest(one, other, rows, hits[rows])
    galaxy = [{"survey": key, **galaxy_row(result, of["FIRST"])} for key, result in of.items()]
    for row in galaxy:
        row["alpha"] = index(galaxy[-1]["flux"], row["flux"], 3.0e9, 1.4e9)
    galaxy[-1]["alpha"] = None
    return {"pairs": pairs, "galaxy": galaxy}


def index_of_brightest(
    one: ImageCatalogue, other: ImageCatalogue, rows: np.ndarray, partners: np.ndarray
) -> float | None:
    """Give the spectral index of the brightest source in common; None at the same frequency."""
    if not len(rows):
        return None
    best = int(np.argmax(column(one.table, "int_flux")[rows]))
    fluxes = (
        column(table, "int_flux")[row]
        for table, row in ((other.table, partners[best]), (one.table, rows[best]))
    )
    return index(*fluxes, other.image.frequencies[0], one.image.frequencies[0])


def index(high: float, low: float, high_frequency: float, low_frequency: float) -> float | None:
    if high_frequency == low_frequency or not (high > 0 and low > 0):
        return None
    return float(np.log(high / low) / np.log(high_frequency / low_frequency))


def galaxy_row(made: ImageCatalogue, reference: ImageCatalogue) -> Row:
    """Add up what a survey has in the middle of the field: the radio galaxy."""
    sky = radio_positions(made.table)
    near = np.flatnonzero(sky.separation(middle(reference.image)).arcmin < GALAXY_RADIUS)
    flux = column(made.table, "int_flux")[near]
    east, north = np.zeros(2)
    if len(near):
        away = sky_offsets(middle(reference.image), sky[near])
        east, north = np.average(away, axis=0, weights=flux) * 3600
    return {
        "sources": len(near),
        "components": int(np.asarray(made.table["N_COMPONENTS"])[near].sum()),
        "flux": float(flux.sum()),
        "east": float(east),
        "north": float(north),
    }


def gamma_counterparts(made: Mapping[str, ImageCatalogue]) -> list[Row]:
    """Give the source at the brightest pixel in the middle of each tile with a 4FGL source."""
    return [{"source": source, **central(made[name])} for source, name in GAMMA.items()]


def central(made: ImageCatalogue) -> Row:
    near = distances(made.image) * 3600 < CORE_RADIUS
    brightest = np.argmax(np.where(near, np.nan_to_num(made.image.planes[0]), -np.inf))
    label = made.segments.data.flat[brightest]
    rows = np.flatnonzero(np.asarray(made.table["SEGMENT"]) == label)
    if not len(rows):
        return dict.fromkeys(("found", "class", "int_flux", "components", "P", "L"))
    row = made.table[rows[0]]
    return {
        "found": str(row["Source_Name"]).strip(),
        "class": str(row["CLASS"]).strip(),
        "int_flux": float(row["int_flux"].to_value(u.Jy)),
        "components": int(row["N_COMPONENTS"]),
        **{k: [float(row[f"{k}_{name.upper()}"]) for name in SOURCE_CLASSES] for k in "PL"},
    }


def distances(image: RadioImage) -> np.ndarray:
    """Give each pixel's distance from the middle of the image, deg."""
    n_y, n_x = image.shape
    y, x = np.indices(image.shape)
    return np.hypot(x - (n_x - 1) / 2, y - (n_y - 1) / 2) * image.pixel_scale


def pieces(made: ImageCatalogue) -> Row:
    """Count the sources that the radio galaxy in the middle of its tile became."""
    sky = radio_positions(made.table)
    near = sky.separation(middle(made.image)).arcmin < FRII_RADIUS
    labels = made.segments.data[distances(made.image) * 60 < FRII_RADIUS]
    return {"centroids": int(near.sum()), "segments": len(np.unique(labels[labels > 0]))}


def sidelobes(made: ImageCatalogue) -> Row:
    """Count the sources that are faint enough to be a sidelobe of something near."""
    plane, table = np.nan_to_num(made.image.planes[0]), made.table
    y, x = np.indices(plane.shape)
    limits = []
    for column_, row in zip(*radio_positions(table).to_pixel(made.image.wcs), strict=True):
        near = np.hypot(x - column_, y - row) < SIDELOBE_REACH
        limits.append(SIDELOBE * plane[near].max(initial=0.0))
    faint = column(table, "peak_flux") < np.asarray(limits)
    return {"sources": len(table), "on_sidelobes": int(faint.sum())}


def polarised(made: ImageCatalogue) -> Row:
    """Say what is known of V/I, and how often it is not zero."""
    value, error = (column(made.table, name) for name in ("v_over_i", "e_v_over_i"))
    known = np.isfinite(value)
    return {
        "known": int(known.sum()),
        "above_5_sigma": int(np.sum(np.abs(value[known]) > 5 * error[known])),
        "pull_scatter": float(mad_std((value / error)[known])) if known.any() else None,
    }


def check(made: Mapping[str, ImageCatalogue], data: Path) -> Row:
    """Make all checks."""
    parkes, pybdsf = read_parkes(data), read_pybdsf(data)
    return {
        "three_surveys": three_surveys(made),
        "gamma": gamma_counterparts(made),
        "frii": pieces(made[GAMMA[FRII]]),
        "ami": len(made[AMI].table),
        "lofar": sidelobes(made[LOFAR]),
        "lists": [
            {
                "list": "Parkes, components",
                **against(made[PARKES], made[PARKES].components, parkes),
            },
            {"list": "Parkes, sources", **against(made[PARKES], made[PARKES].table, parkes)},
            {"list": "PyBDSF, sources", **against(made[PYBDSF], made[PYBDSF].table, pybdsf)},
        ],
        "polarised": polarised(made[PYBDSF]),
        "deepsource": deepsource(made[DEEPSOURCE], data),
    }


def show(digits: str = "") -> Callable[[Any], str]:
    """Give a function that writes a value; what is not there is a dash."""
    return lambda value: "–" if value is None else format(value, digits)


def listed(values: Sequence[float] | None) -> str:
    return "–" if values is None else " / ".join(f"{value:.2g}" for value in values)


TEXT, TWO, SHORT = show(), show(".2f"), show(".3g")

TABLES: dict[str, dict[str, tuple[str, Callable[[Any], str]]]] = {
    "tiles": {
        "image": ("tile", TEXT),
        "planes": ("planes", TEXT),
        "rms (Jy/beam)": ("rms", SHORT),
        "sources": ("sources", TEXT),
        "components": ("components", TEXT),
        **{name: (name, TEXT) for name in SOURCE_CLASSES},
        "brightest": ("brightest", TEXT),
        "its peak (Jy/beam)": ("peak_flux", SHORT),
        "seconds": ("seconds", TEXT),
    },
    "pairs": {
        "surveys": ("pair", TEXT),
        "in both": ("common", TEXT),
        "median offset (arcsec)": ("offset", TWO),
        "east": ("east", TWO),
        "north": ("north", TWO),
        "alpha of the brightest": ("alpha", TWO),
    },
    "galaxy": {
        "survey": ("survey", TEXT),
        "sources": ("sources", TEXT),
        "components": ("components", TEXT),
        "flux (Jy)": ("flux", SHORT),
        "centroid east (arcsec)": ("east", TWO),
        "north": ("north", TWO),
        "alpha to VLASS": ("alpha", TWO),
    },
    "gamma": {
        "4FGL counterpart": ("source", TEXT),
        "found": ("found", TEXT),
        "flux (Jy)": ("int_flux", SHORT),
        "components": ("components", TEXT),
        "class": ("class", TEXT),
        f"P {' / '.join(SOURCE_CLASSES)}": ("P", listed),
        "L": ("L", listed),
    },
    "lists": {
        "list": ("list", TEXT),
        "published": ("known", TEXT),
        "ours": ("ours", TEXT),
        "found": ("found", TEXT),
        "completeness": ("completeness", TWO),
        "extra": ("extra", TEXT),
        "above S/N 5": ("extra_above_5", TEXT),
        "at the edge": ("extra_at_edge", TEXT),
        "flux ratio": ("int_ratio", TWO),
        "scatter": ("int_scatter", TWO),
        "peak ratio": ("peak_ratio", TWO),
        "offset (arcsec)": ("offset", TWO),
    },
    "by_snr": {
        "S/N": ("snr", TEXT),
        "true": ("true", TEXT),
        "found": ("found", TEXT),
        "completeness": ("completeness", TWO),
        "wanted": ("wanted", TWO),
    },
}
"""Heading, key and format of every table of the report."""


def report(summary: Row) -> str:
    """Write the summary as Markdown."""
    checks, frii, lofar = summary["checks"], summary["checks"]["frii"], summary["checks"]["lofar"]
    deep, surveys, polar = checks["deepsource"], checks["three_surveys"], checks["polarised"]

    def table(name: str, rows: list[Row]) -> str:
        return markdown_table(rows, TABLES[name])

    parts = [
        f"# Real radio images, catalogued with {summary['model']}",
        table("tiles", summary["tiles"]),
        "## J0013-0919 in three surveys",
        table("pairs", surveys["pairs"]),
        f"The radio galaxy: all within {GALAXY_RADIUS:g} arcmin of the middle.",
        table("galaxy", surveys["galaxy"]),
        "## Counterparts of 4FGL sources",
        table("gamma", checks["gamma"]),
        f"{FRII} within {FRII_RADIUS:g} arcmin, wanted one source with components: "
        f"{frii['centroids']} centroids, {frii['segments']} segments.",
        "## Nearly empty and full of sidelobes",
        f"AMI: {checks['ami']} sources (wanted 1-2). LOFAR snapshot: {lofar['sources']} sources, "
        f"{lofar['on_sidelobes']} of them below {SIDELOBE:g} of the brightest pixel within "
        f"{SIDELOBE_REACH:g} pixels.",
        "## Against published lists",
        table("lists", checks["lists"]),
        f"PyBDSF's field in Stokes V: V/I of {polar['known']} sources, {polar['above_5_sigma']} "
        f"above 5 sigma; scatter of V/I over its error {TWO(polar['pull_scatter'])}.",
        "## DeepSource image 1",
        f"{deep['ours']} detections, purity {TWO(deep['purity'])} (wanted 0.97); flux over true "
        f"{TWO(deep['int_ratio'])} (the image's pixels: 1.65); median offset "
        f"{TWO(deep['offset'])} arcsec.",
        table("by_snr", deep["by_snr"]),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="radio", help="name or folder of a model")
    parser.add_argument("--overwrite", action="store_true")
    default = Path(os.environ.get("PSSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="default: PSSEG_DATA")
    options = parser.parse_args()
    data = options.data / "radio"
    made, rows = catalogue_all(data, options)
    summary = {"model": options.model, "tiles": rows, "checks": check(made, data)}
    (options.output / "real_radio.json").write_text(json.dumps(summary, indent=1) + "\n")
    (options.output / "real_radio.md").write_text(report(summary), encoding="utf-8")
    print(report(summary))


if __name__ == "__main__":
    main()
