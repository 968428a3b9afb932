"""Compare the catalogue of an image with the sources that are known to be in it.

For `real_radio.py`: published lists (Parkes, PyBDSF's test field), and the truth of DeepSource's
simulated image. Matches are one to one, the brightest of ours first, within half a beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.stats import mad_std
from astropy.table import QTable, Table

from psseg.evaluation.matching import Footprint, column, match_one_to_one
from psseg.evaluation.radio_field import radio_positions, sky_offsets
from psseg.image_catalogue import ImageCatalogue
from psseg.tiles.radio_image import RadioImage

PARKES_LIST = "parkes_1904-66_aegean_comp.fits"
PYBDSF_LIST = "pybdsf_test.srl.fits"
DEEPSOURCE_LIST = "deepsource_image1.txt"

SNR_BINS = ((2.0, 3.0), (3.0, 4.0), (4.0, 5.0), (5.0, 7.0), (7.0, np.inf))
WANTED = {(3.0, 4.0): 0.65, (4.0, 5.0): 0.85, (5.0, 7.0): 0.95, (7.0, np.inf): 1.0}
"""Completeness on DeepSource's image 1."""

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A list of sources in an image: position, peak (Jy/beam) and integrated flux (Jy)."""

    sky: SkyCoord
    peak: np.ndarray
    flux: np.ndarray


def match(ours: QTable, sky: SkyCoord, brightness: np.ndarray, radius: float) -> np.ndarray:
    """Match rows with positions one to one, the brightest of ours first; radius in deg."""
    return match_one_to_one(
        radio_positions(ours),
        sky,
        radius=radius,
        detection_rank=column(ours, "peak_flux"),
        brightness=brightness,
    )


def half_beam(image: RadioImage) -> float:
    """Give half of the beam's FWHM, the geometric mean of its axes, deg."""
    return float(np.sqrt(image.beams[0].major * image.beams[0].minor) / 2)


def offsets(found: SkyCoord, known: SkyCoord) -> Row:
    """Describe the offsets of positions from the known ones, arcsec."""
    if not len(found):
        return {"offset": None, "east": None, "north": None}
    east, north = np.median(sky_offsets(known, found), axis=0) * 3600
    separation = float(np.median(found.separation(known).arcsec))
    return {"offset": separation, "east": float(east), "north": float(north)}


def read_parkes(data: Path) -> Published:
    table = Table.read(data / PARKES_LIST)
    return Published(
        sky=SkyCoord(table["ra"], table["dec"], unit="deg"),
        peak=np.asarray(table["peak_flux"], dtype=float),
        flux=np.asarray(table["int_flux"], dtype=float),
    )


def read_pybdsf(data: Path) -> Published:
    table = QTable.read(data / PYBDSF_LIST)
    return Published(
        sky=SkyCoord(table["RA"], table["DEC"]),
        peak=table["Peak_flux"].value,
        flux=table["Total_flux"].value,
    )


def read_deepsource(data: Path) -> Published:
    """Read the truth: points, so that the peak is the flux.

    The image's own peaks are about 1.65 times as high: compare shares, not fluxes.
    """
    lines = (data / DEEPSOURCE_LIST).read_text().splitlines()
    fields = [line.split()[1:4] for line in lines if line.strip() and not line.startswith("#")]
    ra, dec, flux = np.array(fields, dtype=float).T
    return Published(sky=SkyCoord(ra, dec, unit="deg"), peak=flux, flux=flux)


def measured(made: ImageCatalogue, ours: QTable, known: Published) -> tuple[np.ndarray, Row]:
    """Match with known sources; give what each row is, and how fluxes and positions agree."""
    hits = match(ours, known.sky, known.peak, half_beam(made.image))
    rows = np.flatnonzero(hits >= 0)
    numbers: Row = {"ours": len(ours), "known": len(known.sky), "found": len(rows)}
    for name, truth in (("peak", known.peak), ("int", known.flux)):
        ratio = column(ours, f"{name}_flux")[rows] / truth[hits[rows]]
        numbers[f"{name}_ratio"] = float(np.median(ratio)) if len(rows) else None
        numbers[f"{name}_scatter"] = float(mad_std(ratio)) if len(rows) else None
    return hits, numbers | offsets(radio_positions(ours)[rows], known.sky[hits[rows]])


def against(made: ImageCatalogue, ours: QTable, published: Published) -> Row:
    """Compare sources or components with a published list."""
    hits, numbers = measured(made, ours, published)
    extra = ours[hits < 0]
    footprint = Footprint(
        wcs=made.image.wcs, mask=made.image.mask, pixel_scale=made.image.pixel_scale
    )
    snr = column(extra, "peak_flux") / column(extra, "rms_image")
    margin = footprint.margin(radio_positions(extra))
    return {
        **numbers,
        "completeness": numbers["found"] / len(published.sky),
        "extra": len(extra),
        "extra_above_5": int(np.sum(snr > 5)),
        "extra_at_edge": int(np.sum(margin < made.image.beams[0].major)),
    }


def deepsource(made: ImageCatalogue, data: Path) -> Row:
    """Compare with the truth: purity, and completeness by peak over the image's robust rms."""
    truth = read_deepsource(data)
    hits, numbers = measured(made, made.table, truth)
    snr = truth.peak / mad_std(made.image.planes[0], ignore_nan=True)
    found = np.isin(np.arange(len(snr)), hits)
    rows: list[Row] = []
    for low, high in SNR_BINS:
        inside = (snr >= low) & (snr < high)
        rows.append(
            {
                "snr": f"> {low:g}" if np.isinf(high) else f"{low:g}-{high:g}",
                "true": int(inside.sum()),
                "found": int(found[inside].sum()),
                "completeness": float(found[inside].mean()) if inside.any() else None,
                "wanted": WANTED.get((low, high)),
            }
        )
    purity = float(np.mean(hits >= 0)) if len(hits) else None
    return {**numbers, "purity": purity, "by_snr": rows}
