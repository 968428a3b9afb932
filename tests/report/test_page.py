"""The report is one file that a browser reads without help, and holds what the catalogue holds."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter

from psseg.catalogue.fits_format import table_hdu
from psseg.catalogue.radio_columns import RADIO_COLUMNS
from psseg.catalogue.radio_styles import styled
from psseg.catalogue.radio_table import read_radio_catalogue
from psseg.cli_report import report
from psseg.errors import PssegError, PssegWarning
from psseg.label_file import class_map
from psseg.picture_levels import SMOOTHING
from psseg.pipeline import catalogue
from psseg.product_folder import ProductSet, find_products
from psseg.products import image_hdu
from psseg.report import report_path, write_report
from psseg.report.field import read_field
from psseg.survey.classes import CLASS_COLOURS
from psseg.tiles.readers import read_map


def read_page(path):
    """Give the page's text, and the data and layers in it."""
    text = path.read_text("utf-8")
    parts = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', text, re.S)
    return text, *(json.loads(dict(parts)[name]) for name in ("data", "layers"))


def values(data, name):
    return next(column["values"] for column in data["columns"] if column["name"] == name)


def test_the_page_holds_the_catalogue(make_products):
    products = make_products()
    _, data, layers = read_page(write_report(products))
    table, _ = read_radio_catalogue(products.catalogue)
    assert values(data, "Source_Name") == list(table["Source_Name"])
    assert values(data, "ra") == table["ra"].value.tolist()
    assert values(data, "alpha") == [None] * len(table)
    told = {column["name"]: column["meaning"] for column in data["columns"]}
    assert told == {column.name: column.description for column in RADIO_COLUMNS}
    assert [kind["count"] for kind in data["classes"]] == [4, 4, 4]
    assert {kind["name"]: kind["colour"] for kind in data["classes"]} == CLASS_COLOURS
    assert data["flags"][0]["name"] == "EDGE"
    assert data["history"] == "psseg catalogue field.fits -o folder"
    assert not data["notes"]
    names = [layer["name"] for layer in layers]
    assert names[0] == "Stokes I 1400 MHz"
    assert {"Probability of a source", "Local rms", "Segments by class"} < set(names)
    assert all(layer["tiles"] for layer in layers)


def test_nothing_is_loaded_from_elsewhere(make_products):
    text, _, _ = read_page(write_report(make_products()))
    markup = re.sub(r"<(script|style)\b.*?</\1>|<!--.*?-->", "", text, flags=re.S)
    assert not re.search(r"\b(src|href)=\"(?!#)", markup)
    assert "default-src 'none'" in markup
    assert "Vladimir" in text or "Volodymyr Agafonkin" in text


def test_an_empty_catalogue_gives_a_page(make_products):
    _, data, layers = read_page(write_report(make_products(n=0)))
    assert values(data, "Source_Name") == []
    assert data["outlines"]["x"] == []
    assert layers[0]["tiles"]


def test_a_map_of_one_pixel_gives_a_page(make_products):
    _, data, layers = read_page(write_report(make_products(n=0, blank=True)))
    assert list(layers[0]["tiles"]) == ["0,0"]
    assert not data["notes"]


def test_without_its_map_the_page_says_so(make_products):
    products = make_products(with_map=False)
    with pytest.warns(PssegWarning, match="its map is not found and not shown; name it with"):
        _, data, layers = read_page(write_report(products))
    assert "was not found" in data["notes"][0]
    assert layers[0]["name"] == "Probability of a source"


def test_a_map_that_cannot_be_shown_is_told(make_products):
    products = make_products(with_map=False)
    fits.PrimaryHDU(np.ones((3, 3), dtype=np.float32)).writeto(products.catalogue.parent / "o.fits")
    with pytest.warns(PssegWarning, match="is not the map"):
        (other,) = find_products(
            products.catalogue.parent, map_=products.catalogue.parent / "o.fits"
        )
    with pytest.warns(PssegWarning, match="report without its map"):
        _, data, _ = read_page(write_report(other))
    assert "could not be shown" in data["notes"][0]


def test_without_a_label_map_there_is_no_report(make_products):
    products = make_products()
    products.labels.unlink()
    with pytest.raises(PssegError, match=r"field_labels.fits: no label map beside the catalogue"):
        write_report(products)


def test_a_label_map_that_is_not_whole_is_told(make_products):
    products = make_products()
    content = products.labels.read_bytes()
    products.labels.write_bytes(content[: len(content) // 2])
    with pytest.raises(PssegError, match=r"field_labels\.fits: .*(truncated|cut short)"):
        write_report(products)
    fits.PrimaryHDU(np.ones((3, 3))).writeto(products.labels, overwrite=True)
    with pytest.raises(PssegError, match="no label map of psseg: there is no HDU named CLASS_MAP"):
        write_report(products)


def test_a_report_is_not_overwritten_by_accident(make_products):
    products = make_products()
    write_report(products).write_text("mine")
    with pytest.raises(PssegError, match=r"field.html"):
        write_report(products)
    assert report_path(products).read_text() == "mine"
    write_report(products, overwrite=True)
    assert report_path(products).stat().st_size > 1000


def test_markup_in_a_name_does_not_end_the_data(make_products):
    evil = "</script><script>alert(1)"
    products = make_products(n=2, names=[evil[:24], "<b>&amp;"])
    text, data, _ = read_page(write_report(products))
    assert values(data, "Source_Name") == [evil[:24].strip(), "<b>&amp;"]
    assert evil[:24] not in text


@pytest.mark.parametrize("style", ["pybdsf", "casda", "aegean"])
def test_catalogues_in_other_styles_are_read(make_products, style):
    products = make_products()
    table, _ = read_radio_catalogue(products.catalogue)
    with fits.open(products.catalogue) as hdus:
        other = table_hdu(styled(table, style), "CATALOGUE")
        other.header.extend(hdus["CATALOGUE"].header, unique=True, strip=True)
        made = fits.HDUList([hdus[0].copy(), other, *(hdu.copy() for hdu in hdus[2:])])
    made.writeto(products.catalogue, overwrite=True)
    _, data, _ = read_page(write_report(products))
    assert np.allclose(values(data, "ra"), table["ra"].value)
    assert np.allclose(values(data, "int_flux"), table["int_flux"].value)


def test_a_report_of_counts_has_bands_and_spectra(truth_teller, sky_files, tmp_path):
    catalogue(sky_files.counts, tmp_path, exposure=sky_files.exposure)
    (products,) = find_products(tmp_path, map_=sky_files.counts)
    _, data, layers = read_page(write_report(products))
    bands = next(table for table in data["tables"] if table["name"] == "SURVEY")
    assert len(bands["columns"][0]["values"]) == len(values(data, "Flux_Band")[0])
    assert [layer["name"] for layer in layers[:2]] == [
        "All bands",
        bands["columns"][0]["values"][0],
    ]
    table = Table.read(products.catalogue, hdu="CATALOGUE")
    assert values(data, "RAJ2000") == list(table["RAJ2000"])
    assert all(0 < x < 104 for x in data["outlines"]["x"])


@pytest.mark.parametrize("width", [4.0, 5.03])
def test_a_part_of_a_map_is_shown_in_its_place(truth_teller, sky, sky_files, tmp_path, width):
    center = sky.tile.pixel_to_sky(52.3, 40.8)
    small = read_map(sky_files.counts, truth_teller.survey, center=center, width=width)
    labels = tmp_path / "sky_labels.fits"
    probabilities = np.full((4, *small.shape), 0.25, dtype=np.float32)
    maps = {"CLASS_MAP": class_map(probabilities), "CLASS_PROBABILITIES": probabilities}
    hdus = [image_hdu(values, small.wcs, name=name) for name, values in maps.items()]
    primary = fits.PrimaryHDU(header=fits.Header({"SURVEY": "fermi-lat"}))
    fits.HDUList([primary, *hdus]).writeto(labels)
    products = ProductSet(
        stem="sky",
        catalogue=tmp_path / "sky_catalogue.fits",
        regions=tmp_path / "sky.reg",
        labels=labels,
        picture=tmp_path / "sky.png",
        map=sky_files.counts,
        kind="counts",
    )
    plane = read_field(products).planes[0]
    seen = np.isfinite(plane.values) & ~small.mask
    assert seen.mean() > 0.9
    wanted = gaussian_filter(small.data.sum(axis=0), SMOOTHING)
    assert np.corrcoef(plane.values[seen], wanted[seen])[0, 1] > 0.9


def test_the_command_says_where_the_report_is(make_products):
    products = make_products()
    folder = str(products.catalogue.parent)
    result = CliRunner().invoke(report, [folder])
    assert result.exit_code == 0, result.output
    assert result.output == f"report: {report_path(products)}\n"
    again = CliRunner().invoke(report, [folder])
    assert again.exit_code == 1
    assert "field.html" in again.output


def test_a_missing_folder_is_one_clear_line(tmp_path):
    result = CliRunner().invoke(report, [str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "no such folder" in result.output
    assert len(result.output.splitlines()) == 1


def test_reports_raise_no_warnings(make_products):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(make_products())


def test_a_survey_that_is_not_shipped_shows_the_sum_of_all_energies(
    truth_teller, sky_files, tmp_path
):
    made = catalogue(sky_files.counts, tmp_path, exposure=sky_files.exposure)
    for path in (made.paths.catalogue, made.paths.labels):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["SURVEY"] = "mine"
    (products,) = find_products(tmp_path, map_=sky_files.counts)
    field = read_field(products)
    assert field.planes[0].name == "All energies"
    (same,) = find_products(tmp_path, map_=sky_files.counts)
    with fits.open(made.paths.labels, mode="update") as hdus:
        hdus[0].header["SURVEY"] = "fermi-lat"
    known = read_field(same)
    assert known.planes[0].name == "All bands"
    np.testing.assert_allclose(field.planes[0].values, known.planes[0].values, atol=1e-3)
    with fits.open(made.paths.labels, mode="update") as hdus:
        hdus["BACKGROUND"].header["PLANE1"] = "0.1-0.3 GeV"
    assert read_field(same).planes[0].name == "All energies"
