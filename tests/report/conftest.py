"""Folders of products to report on, and a browser to look at the reports with."""

from __future__ import annotations

import shutil
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from made_images import FWHM, RMS, SCALE, radio_wcs

from psseg.catalogue.declared_tables import empty_table
from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS
from psseg.catalogue.radio_table import radio_source_names, write_radio_catalogue
from psseg.label_file import class_map
from psseg.product_folder import ProductSet, find_products
from psseg.products import image_hdu, sha256_of
from psseg.survey.classes import SOURCE_CLASSES
from psseg.tiles.radio_files import read_radio_image

SHAPE = (96, 128)


def write_products(
    folder: Path, *, n: int = 12, shape=SHAPE, names=None, blank: bool = False, with_map=True
) -> ProductSet:
    """Write a made-up radio image with n sources of all classes and flags, and its products."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    x, y = (rng.uniform(3, side - 4, n) for side in (shape[1], shape[0]))
    path = _write_image(folder / "field.fits", x, y, shape=shape, rng=rng, blank=blank)
    image = read_radio_image([path])
    table = _table(image.wcs, x, y, rng=rng, names=names)
    segments = np.zeros(shape, dtype=np.int32)
    segments[np.rint(y).astype(int), np.rint(x).astype(int)] = np.arange(1, n + 1)
    header = fits.Header({"SURVEY": "radio", "INFILE": path.name, "INSHA": sha256_of(path)})
    header["HISTORY"] = "psseg catalogue field.fits -o folder"
    probabilities = np.full((4, *shape), 0.02, dtype=np.float32)
    probabilities[0] = 0.94
    probabilities[[0, 3]] = np.where(segments > 0, probabilities[[3, 0]], probabilities[[0, 3]])
    probabilities[:, image.mask] = np.nan
    _write_labels(folder / "field_labels.fits", image, probabilities, segments)
    write_radio_catalogue(
        folder / "field_catalogue.fits",
        table,
        empty_table(COMPONENT_COLUMNS),
        provenance=header,
        survey_table=QTable({"STOKES": ["I"], "FREQ": [1.4e9] * u.Hz, "RMS": [RMS] * u.Jy}),
        thresholds={"candidate_threshold": 0.25},
    )
    if not with_map:
        path.unlink()
    return find_products(folder)[0]


def _write_image(path: Path, x, y, *, shape, rng, blank: bool) -> Path:
    pixels = rng.normal(0, RMS, shape)
    pixels[np.rint(y).astype(int), np.rint(x).astype(int)] += 30 * RMS
    if blank:
        pixels[:] = np.nan
        pixels[shape[0] // 2, shape[1] // 2] = 1.0
    else:
        pixels[:4] = np.nan
    header = radio_wcs(shape).to_header()
    header.update({"BUNIT": "Jy/beam", "BMAJ": FWHM * SCALE, "BMIN": FWHM * SCALE, "BPA": 0.0})
    header.update({"RESTFRQ": 1.4e9})
    fits.PrimaryHDU(pixels.astype(np.float32), header).writeto(path)
    return path


def _write_labels(path: Path, image, probabilities, segments) -> None:
    rms = np.full((1, *image.shape), RMS, dtype=np.float32)
    maps = {
        "CLASS_MAP": class_map(probabilities),
        "CLASS_PROBABILITIES": probabilities,
        "SEGMENTS": segments,
        "RMS": rms,
    }
    hdus = [image_hdu(values, image.wcs, name=name) for name, values in maps.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def _table(wcs, x, y, *, rng, names):
    n = len(x)
    sky = SkyCoord.from_pixel(x, y, wcs).icrs
    table = empty_table(RADIO_COLUMNS)
    if n == 0:
        return table
    values = {column.name: np.full(n, np.nan) for column in RADIO_COLUMNS}
    snr = np.round(rng.pareto(1.5, n) * 5 + 5, 3)
    classes = np.resize(SOURCE_CLASSES, n)
    values |= {
        "Source_Name": radio_source_names(sky.ra.deg, sky.dec.deg) if names is None else names,
        "ra": sky.ra.deg,
        "dec": sky.dec.deg,
        "GLON": sky.galactic.l.deg,
        "GLAT": sky.galactic.b.deg,
        "peak_flux": snr * RMS,
        "e_peak_flux": np.full(n, RMS),
        "int_flux": snr * RMS,
        "e_int_flux": np.full(n, 1.2 * RMS),
        "maj": np.full(n, 2 * FWHM * SCALE),
        "min": np.full(n, FWHM * SCALE),
        "pa": rng.uniform(0, 180, n),
        "freq": np.full(n, 1.4e9),
        "SOURCE_PROB": np.linspace(0.5, 1, n),
        "SNR": snr,
        "CLASS": classes,
        "CLASS1": np.full(n, ""),
        "N_PIXELS": np.ones(n),
        "N_COMPONENTS": np.ones(n),
        "SEGMENT": np.arange(1, n + 1),
        "Flags": np.arange(n) % 4,
    }
    for name in SOURCE_CLASSES:
        for prefix in ("P", "L"):
            values[f"{prefix}_{name.upper()}"] = np.where(classes == name, 0.8, 0.1)
    for column in RADIO_COLUMNS:
        made = np.asarray(values[column.name]).astype(
            "U24" if column.name == "Source_Name" else column.dtype
        )
        values[column.name] = u.Quantity(made, column.unit) if column.unit else made
    return QTable({column.name: values[column.name] for column in RADIO_COLUMNS})


@pytest.fixture
def make_products(tmp_path):
    return lambda **options: write_products(tmp_path / "made", **options)


@pytest.fixture(scope="session")
def chromium():
    """Give a headless Chromium that no test waits for twice."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("chromium or chromedriver is not installed (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.add_argument("--window-size=1300,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(programs[1])
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()
