"""Ellipses and coordinates of the page are those of the catalogue."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from made_images import SCALE, radio_wcs

from psseg.report.sources import outlines, sky_lattice
from psseg.report.summary import history


def source(center, *, major=20.0, minor=10.0, angle=0.0):
    """One radio source; axes in pixels, full widths."""
    size = {"maj": [major * SCALE] * u.deg, "min": [minor * SCALE] * u.deg}
    place = {"ra": [center[0]] * u.deg, "dec": [center[1]] * u.deg}
    return QTable({**place, **size, "pa": [angle] * u.deg})


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
