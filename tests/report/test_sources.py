"""Ellipses and coordinates of the page are those of the catalogue."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from made_images import SCALE, radio_wcs

from psseg.catalogue.map_regions import pixel_ellipses
from psseg.catalogue.regions import catalogue_shapes
from psseg.report.sources import outlines, sky_lattice
from psseg.report.summary import history


def source(center, *, major=20.0, minor=10.0, angle=0.0):
    """One radio source; axes in pixels, full widths."""
    size = {"maj": [major * SCALE] * u.deg, "min": [minor * SCALE] * u.deg}
    place = {"ra": [center[0]] * u.deg, "dec": [center[1]] * u.deg}
    named = {"Source_Name": ["one"], "CLASS": ["other"]}
    return QTable({**named, **place, **size, "pa": [angle] * u.deg})


def gamma_sources(*, extension, major, minor=0.05, angle=30.0):
    """Catalogue γ-ray sources in a row at -30 deg; sizes in deg, one each."""
    n = len(extension)
    columns = {"RAJ2000": 150.0 + np.arange(n), "DEJ2000": np.full(n, -30.0)}
    columns |= {"Extension": extension, "Conf_95_SemiMajor": major}
    columns |= {"Conf_95_SemiMinor": np.full(n, minor), "Conf_95_PosAng": np.full(n, angle)}
    named = {"Source_Name": [str(k) for k in range(n)], "CLASS": ["other"] * n}
    return QTable({**named, **{name: values * u.deg for name, values in columns.items()}})


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
@pytest.mark.parametrize("rotation", [0.0, 25.0])
def test_an_ellipse_turns_with_the_map(angle, rotation):
    wcs = radio_wcs((101, 101), rotation=rotation)
    made = outlines(source((150.0, -30.0), angle=angle), wcs, kind="continuum")
    assert made["x"][0] == pytest.approx(50, abs=1e-3)
    assert (made["a"][0], made["b"][0]) == pytest.approx((10, 5), abs=1e-3)
    wanted = np.deg2rad(90 + angle + rotation)  # from +x towards +y
    assert abs(np.sin(made["t"][0] - wanted)) < 1e-3


def test_an_ellipse_of_unknown_size_is_a_point():
    wcs = radio_wcs((101, 101))
    table = source((150.0, -30.0), major=np.nan, minor=np.nan, angle=np.nan)
    made = outlines(table, wcs, kind="continuum")
    assert (made["a"], made["b"]) == ([0.0], [0.0])


def test_a_source_off_the_projection_has_no_place():
    made = outlines(source((330.0, 30.0)), radio_wcs((101, 101)), kind="continuum")
    assert made["x"] == [None]


def test_an_extended_source_is_outlined_by_its_disc_as_in_the_regions():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [152.0, -30.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [50.5, 50.5], [-0.1, 0.1]
    table = gamma_sources(extension=[0.0, 0.8, 0.0], major=[0.1, 0.1, np.nan])
    made = outlines(table, wcs, kind="counts")
    assert made["a"] == pytest.approx([1.0, 8.0, 0.0], rel=2e-3)
    assert made["b"][:2] == pytest.approx([0.5, 8.0], rel=2e-3)
    drawn = pixel_ellipses(catalogue_shapes(table), wcs)
    assert made["x"] == pytest.approx(drawn.x, abs=1e-4)
    assert made["a"][:2] == pytest.approx(drawn.major[:2], abs=1e-4)


def test_a_catalogue_without_sources_has_no_outlines():
    table = gamma_sources(extension=[], major=[])
    made = outlines(table, radio_wcs((101, 101)), kind="counts")
    assert made == {name: [] for name in "xyabt"}


def test_the_lattice_spans_the_map():
    wcs = radio_wcs((60, 80))
    lattice = sky_lattice(wcs, (60, 80))
    directions = np.array(lattice["directions"]).reshape(33, 33, 3)
    assert (lattice["x"][0], lattice["x"][-1], lattice["y"][-1]) == (-0.5, 79.5, 59.5)
    corner = SkyCoord.from_pixel(79.5, -0.5, wcs).icrs.cartesian.xyz.value
    assert np.allclose(directions[0, -1], corner, atol=1e-9)


def test_history_lines_that_fits_cut_are_joined():
    header = fits.Header()
    command = "psseg catalogue " + "x" * 55 + " field.fits"
    header["HISTORY"] = "y" * 100
    header["HISTORY"] = command
    header["HISTORY"] = "a note"
    assert history(header) == f"{'y' * 100}\n{command}\na note"
