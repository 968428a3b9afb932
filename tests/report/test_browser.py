"""The page works in a real browser: map, table and details are joined both ways."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from psseg.catalogue.fermi_format import _per_photon
from psseg.catalogue.radio_table import read_radio_catalogue
from psseg.errors import PssegWarning
from psseg.report import write_report

pytestmark = pytest.mark.external

HOSTILE = "<script>window.x=1</scri"


@pytest.fixture
def opened(chromium, make_products):
    """Write a report and open it; give the browser and the catalogue."""

    def open_report(**options):
        products = make_products(**options)
        chromium.get(write_report(products).as_uri())
        return chromium, read_radio_catalogue(products.catalogue)[0]

    yield open_report
    severe = [line["message"] for line in chromium.get_log("browser") if line["level"] == "SEVERE"]
    assert not severe


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def texts(browser, selector):
    return [element.text for element in find(browser, selector)]


def names(browser):
    return texts(browser, "#rows tr[data-row] td:first-child")


def set_filter(browser, name, value):
    browser.execute_script(
        "const input = document.getElementById(arguments[0]); input.value = arguments[1];"
        "input.dispatchEvent(new Event('input', { bubbles: true }));",
        name,
        value,
    )


def place_on_screen(browser, row):
    """Give where the page draws a source, from the middle of the map."""
    return browser.execute_script(
        "const box = document.getElementById('map').getBoundingClientRect();"
        "const zero = document.querySelector('.leaflet-base-pane img').getBoundingClientRect();"
        "const data = JSON.parse(document.getElementById('data').textContent);"
        "const scale = zero.width / data.shape[1], row = arguments[0];"
        "return [zero.left + scale * (data.outlines.x[row] + 0.5) - box.left - box.width / 2,"
        " zero.top + scale * (data.shape[0] - 0.5 - data.outlines.y[row]) - box.top"
        " - box.height / 2];",
        row,
    )


def click_map(browser, x, y):
    from selenium.webdriver import ActionChains

    (sky_map,) = find(browser, "#map")
    ActionChains(browser).move_to_element_with_offset(sky_map, round(x), round(y)).click().perform()


def test_every_source_is_listed(opened):
    browser, table = opened()
    assert sorted(names(browser)) == sorted(table["Source_Name"])
    assert texts(browser, "#counts > span")[0] == "12 sources"


def test_a_click_on_a_source_selects_its_row(opened):
    browser, table = opened()
    click_map(browser, *place_on_screen(browser, 3))
    (chosen,) = find(browser, '#rows tr[aria-selected="true"]')
    assert chosen.get_attribute("data-row") == "3"
    assert texts(browser, "#details h2") == [table["Source_Name"][3]]


def test_a_click_on_a_row_brings_the_map_there(opened):
    browser, _ = opened()
    for row in (5, 8):
        find(browser, f"#row-{row}")[0].click()
        x, y = place_on_screen(browser, row)
        assert abs(x) < 2
        assert abs(y) < 2


def test_the_coordinates_are_those_of_the_catalogue(opened):
    browser, table = opened()
    find(browser, "#row-2")[0].click()
    equatorial, sexagesimal, galactic = texts(browser, ".position")
    ra, dec = (float(part) for part in equatorial.split())
    assert (ra, dec) == pytest.approx((table["ra"][2].value, table["dec"][2].value), abs=1e-6)
    lon, lat = (float(part) for part in galactic.split())
    assert (lon, lat) == pytest.approx((table["GLON"][2].value, table["GLAT"][2].value), abs=1e-6)
    written = SkyCoord(sexagesimal, unit=("hourangle", "deg"))
    truth = SkyCoord(table["ra"][2], table["dec"][2])
    assert written.separation(truth).arcsec < 0.15


def test_the_pointer_tells_the_sky_under_it(opened):
    from selenium.webdriver import ActionChains

    browser, table = opened()
    find(browser, "#row-2")[0].click()
    (sky_map,) = find(browser, "#map")
    ActionChains(browser).move_to_element(sky_map).perform()
    (line,) = texts(browser, "#pointer")
    words = line.replace("°", "").replace("−", "-").split()
    here = SkyCoord(words[words.index("RA") + 1], words[words.index("Dec") + 1], unit="deg")
    assert here.separation(SkyCoord(table["ra"][2], table["dec"][2])).arcsec < 2
    galactic = (words[words.index(name) + 1] for name in ("l", "b"))
    there = SkyCoord(*galactic, unit="deg", frame="galactic")
    assert there.separation(here).arcsec < 2


def test_a_filter_hides_the_others(opened):
    browser, table = opened()
    find(browser, '#filter-classes input[value="blazar"]')[0].click()
    left = table[table["CLASS"] != "blazar"]
    assert sorted(names(browser)) == sorted(left["Source_Name"])
    set_filter(browser, "filter-source", "0.8")
    left = left[left["SOURCE_PROB"] >= 0.8]
    assert sorted(names(browser)) == sorted(left["Source_Name"])
    assert texts(browser, "#shown") == [f"{len(left)} of 12 shown"]
    hidden = int((table["CLASS"] == "blazar").nonzero()[0][0])
    click_map(browser, *place_on_screen(browser, hidden))
    assert not find(browser, f'#row-{hidden}[aria-selected="true"]')
    find(browser, "#filter-reset")[0].click()
    assert len(names(browser)) == 12


def test_flags_filter_both_ways(opened):
    browser, table = opened()
    find(browser, "#filter-flags > summary")[0].click()
    edge, near_blank, *_ = find(browser, "#filter-flags select")
    edge.send_keys("without")
    near_blank.send_keys("with")
    near_blank.send_keys("\t")
    left = table[table["Flags"] % 4 == 2]
    assert sorted(names(browser)) == sorted(left["Source_Name"])


def test_text_filters_by_name(opened):
    browser, table = opened()
    wanted = str(table["Source_Name"][4])
    set_filter(browser, "filter-text", wanted[6:].lower())
    assert names(browser) == [wanted]


def test_columns_sort_both_ways(opened):
    browser, table = opened()
    by_strength = [str(name) for name in table["Source_Name"][table["SNR"].argsort()]]
    assert names(browser) == by_strength[::-1]
    (head,) = (th for th in find(browser, "#rows th") if th.text.startswith("SNR"))
    head.find_element("css selector", "button").click()
    assert names(browser) == by_strength
    assert head.get_attribute("aria-sort") == "ascending"


def test_arrow_keys_go_through_the_table(opened):
    browser, table = opened()
    (rows,) = find(browser, "#sources")
    rows.send_keys("\ue015\ue015")  # down, down
    order = table["SNR"].argsort()[::-1]
    assert texts(browser, "#details h2") == [table["Source_Name"][order[1]]]


def test_markup_in_a_name_is_text(opened):
    browser, _ = opened(n=2, names=[HOSTILE, "<img src=x onerror=alert(1)>"[:24]])
    assert HOSTILE in names(browser)
    find(browser, "#row-0")[0].click()
    assert texts(browser, "#details h2") == [HOSTILE]
    assert browser.execute_script("return window.x") is None
    assert not find(browser, "#rows img, #details img")


def test_an_empty_catalogue_opens(opened):
    browser, _ = opened(n=0)
    assert texts(browser, "#rows tr.empty") == ["The catalogue is empty: no source was found."]


def test_a_page_without_the_map_says_so(opened):
    with pytest.warns(PssegWarning, match="its map is not found"):
        browser, _ = opened(with_map=False)
    assert "The map itself was not found" in texts(browser, "#notes")[0]


def test_thousands_of_rows_are_not_thousands_of_elements(opened):
    browser, table = opened(n=3000, shape=(400, 400))
    assert len(find(browser, "#rows tr")) < 100
    (rows,) = find(browser, "#sources")
    rows.send_keys("\ue010")  # end
    last = find(browser, "#rows tr[data-row]")[-1]
    assert table["SNR"][int(last.get_attribute("data-row"))] == table["SNR"].min()
    assert last.get_attribute("aria-selected") == "true"


@pytest.mark.parametrize("index", [1.0, 2.0, 3.0, None])
def test_points_of_a_spectrum_lie_on_the_power_law_of_their_source(index):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    edges, flux = np.array([0.05, 0.3, 50.0, 1995.0]), [3e-7, 2e-8, 1e-11]
    columns = {
        "Flux_Band": flux, "Unc_Flux_Band": [0.1 * value for value in flux],
        "Sqrt_TS_Band": [9, 9, 9], "PL_Index": index,
    }  # fmt: skip
    survey = {"E_MIN": list(edges[:-1]), "E_MAX": list(edges[1:])}
    bands = {
        "name": "SURVEY", "columns": [{"name": k, "values": list(v)} for k, v in survey.items()],
    }  # fmt: skip
    script = (Path(write_report.__code__.co_filename).parent / "assets" / "charts.js").read_text()
    script += (
        f"const columns = {json.dumps(columns)};"
        "const report = { column: (name) => ({ values: [columns[name]] }),"
        f" data: {{ tables: [{json.dumps(bands)}] }} }};"
        "console.log(JSON.stringify(bandSpectrum(report, 0)));"
    )
    told = subprocess.run([node, "-"], input=script, capture_output=True, text=True, check=True)
    points = json.loads(told.stdout)
    slope = np.array([2.0 if index is None else index])
    for point, low, high, value in zip(points, edges[:-1], edges[1:], flux, strict=True):
        energy = np.sqrt(low * high)
        expected = value * energy**2 * _per_photon(slope, low, high, energy)[0]
        assert point["energy"] == pytest.approx(energy)
        assert point["value"] == pytest.approx(expected, rel=1e-4)
