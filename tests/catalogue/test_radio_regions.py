"""Region files of radio sources say what the catalogue says, to DS9 and to the regions package."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import radio_wcs
from regions import PointSkyRegion, Regions

from psseg.catalogue.radio_regions import radio_regions
from psseg.catalogue.radio_table import empty_radio_catalogue, radio_source_names
from psseg.survey.classes import CLASS_COLOURS, SOURCE_CLASSES

MAJOR, MINOR = 20.0, 8.0


def made_catalogue(ra, dec, angle=30.0, major=MAJOR):
    n = len(ra)
    return QTable(
        {
            "Source_Name": radio_source_names(ra, dec),
            "ra": ra * u.deg,
            "dec": dec * u.deg,
            "maj": np.full(n, major) * u.arcsec,
            "min": np.full(n, MINOR) * u.arcsec,
            "pa": np.full(n, angle) * u.deg,
            "CLASS": [SOURCE_CLASSES[k % 3] for k in range(n)],
        }
    )


def test_every_source_has_its_place_size_colour_name_and_tag():
    table = made_catalogue(np.array([10.0, 200.0, 359.99]), np.array([-20.0, 0.001, 85.0]))
    text = radio_regions(table)
    assert text.splitlines()[2] == "icrs"
    regions = Regions.parse(text, format="ds9")
    assert len(regions) == 3
    for region, row in zip(regions, table, strict=True):
        place = SkyCoord(row["ra"], row["dec"])
        assert region.center.icrs.separation(place) < 0.05 * u.arcsec
        assert region.width.to_value("arcsec") == pytest.approx(MAJOR, abs=2e-3)
        assert region.height.to_value("arcsec") == pytest.approx(MINOR, abs=2e-3)
        assert region.meta["text"] == row["Source_Name"]
        assert region.meta["tag"] == [row["CLASS"]]
        assert region.visual["edgecolor"] == CLASS_COLOURS[row["CLASS"]]


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(0, 180), ra=st.floats(0, 359), dec=st.floats(-80, 80))
def test_the_long_axis_lies_at_its_position_angle(angle, ra, dec):
    table = made_catalogue(np.array([ra]), np.array([dec]), angle)
    (region,) = Regions.parse(radio_regions(table), format="ds9")
    middle = SkyCoord(ra, dec, unit="deg")
    along, across = (
        middle.directional_offset_by((angle + turn) * u.deg, 8 * u.arcsec) for turn in (0, 90)
    )
    wcs = radio_wcs((100, 100), center=(ra, dec))
    assert region.contains(along, wcs)
    assert not region.contains(across, wcs)


def test_a_source_without_size_is_a_cross():
    table = made_catalogue(np.array([10.0]), np.array([5.0]), major=np.nan)
    (region,) = Regions.parse(radio_regions(table), format="ds9")
    assert isinstance(region, PointSkyRegion)
    assert region.meta["tag"] == ["pulsar"]


def test_no_source_makes_a_file_without_regions():
    text = radio_regions(empty_radio_catalogue()[0])
    assert text.startswith("# Region file format: DS9")
    assert len(Regions.parse(text, format="ds9")) == 0
