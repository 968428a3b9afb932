"""Region files say what the catalogue says, to DS9 and to the regions package."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from regions import Regions

from psseg.catalogue.regions import catalogue_regions
from psseg.catalogue.table import empty_catalogue, source_names
from psseg.survey.classes import CLASS_COLOURS, SOURCE_CLASSES


def made_catalogue(ra, dec, *, major=0.06, minor=0.03, angle=30.0, extension=0.0):
    n = len(ra)
    empty = empty_catalogue(n_bands=8)
    table = empty.__class__(
        {name: np.zeros(n, empty[name].dtype) for name in ("CLASS", "Source_Name")}
    )
    table["RAJ2000"], table["DEJ2000"] = ra * u.deg, dec * u.deg
    table["Conf_95_SemiMajor"] = np.broadcast_to(major, n) * u.deg
    table["Conf_95_SemiMinor"] = np.broadcast_to(minor, n) * u.deg
    table["Conf_95_PosAng"] = np.broadcast_to(angle, n) * u.deg
    table["Extension"] = np.broadcast_to(extension, n) * u.deg
    table["CLASS"] = [SOURCE_CLASSES[k % 3] for k in range(n)]
    table["Source_Name"] = source_names(ra, dec)
    return table


def test_every_source_has_its_place_colour_name_and_tag():
    table = made_catalogue(np.array([10.0, 200.0, 359.99]), np.array([-20.0, 0.001, 85.0]))
    regions = Regions.parse(catalogue_regions(table), format="ds9")
    assert len(regions) == 3
    for region, row in zip(regions, table, strict=True):
        assert region.center.frame.name == "icrs"
        place = SkyCoord(row["RAJ2000"], row["DEJ2000"], frame="icrs")
        assert region.center.icrs.separation(place) < 0.01 * u.arcsec
        assert region.meta["text"] == row["Source_Name"]
        assert region.meta["tag"] == [row["CLASS"]]
        assert region.visual["edgecolor"] == CLASS_COLOURS[row["CLASS"]]
        assert region.width.to_value("deg") == pytest.approx(0.12, abs=1e-5)
        assert region.height.to_value("deg") == pytest.approx(0.06, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    angle=st.floats(0, 180),
    ra=st.floats(0, 359),
    dec=st.floats(-80, 80),
)
def test_the_long_axis_lies_at_its_position_angle(angle, ra, dec):
    table = made_catalogue(np.array([ra]), np.array([dec]), angle=angle)
    (region,) = Regions.parse(catalogue_regions(table), format="ds9")
    middle = SkyCoord(ra, dec, unit="deg")
    along, across = (
        middle.directional_offset_by((angle + turn) * u.deg, 0.045 * u.deg) for turn in (0, 90)
    )
    wcs = _wcs(region.center)
    assert region.contains(along, wcs)
    assert not region.contains(across, wcs)


def test_an_extended_source_is_its_disc_and_one_without_errors_is_marked():
    table = made_catalogue(
        np.array([10.0, 20.0]), np.zeros(2), major=[0.05, np.nan], extension=[0.6, 0.0]
    )
    regions = Regions.parse(catalogue_regions(table), format="ds9")
    assert [r.width.to_value("deg") for r in regions] == pytest.approx([1.2, 0.2], abs=1e-5)
    assert [r.height.to_value("deg") for r in regions] == pytest.approx([1.2, 0.2], abs=1e-5)
    assert catalogue_regions(table).count("dash=1") == 2


def test_no_source_makes_a_file_without_regions():
    text = catalogue_regions(empty_catalogue(n_bands=8))
    assert text.startswith("# Region file format: DS9")
    assert len(Regions.parse(text, format="ds9")) == 0


def _wcs(center):
    from made_skies import sky_wcs

    lon, lat = center.spherical.lon.deg, center.spherical.lat.deg
    return sky_wcs(100, frame=center.frame.name, center=(lon, lat))
