"""The picture shows every source, in its class's colour and shape, whatever the map."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.wcs import WCS
from matplotlib.colors import same_color
from matplotlib.image import imread

from psseg.catalogue.segment_map import list_segments
from psseg.plots import DPI, catalogue_figure, plot_catalogue, save_figure
from psseg.survey.classes import CLASS_COLOURS, CLASS_MARKERS, SOURCE_CLASSES
from psseg.tiles.tile import Tile

SHAPE = (60, 80)


@pytest.fixture
def tile():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval = [30.0, 10.0]
    wcs.wcs.crpix = [40.5, 30.5]
    wcs.wcs.cdelt = [-0.1, 0.1]
    counts = np.random.default_rng(1).poisson(2.0, (2, *SHAPE)).astype(np.float32)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:5] = True
    return Tile(
        data=np.where(mask, 0, counts),
        wcs=wcs,
        bands_present=np.ones(2, bool),
        mask=mask,
        name="little",
    )


@pytest.fixture
def table(tile):
    x, y = np.array([20.0, 40.0, 60.0]), np.array([20.0, 40.0, 30.0])
    where = tile.pixel_to_sky(x, y).icrs
    return QTable(
        {
            "Source_Name": [f"PSSEG J{row:04d}.0+0000" for row in range(3)],
            "RAJ2000": where.ra,
            "DEJ2000": where.dec,
            "Conf_95_SemiMajor": [0.05, 0.8, np.nan] * u.deg,
            "Conf_95_SemiMinor": [0.05, 0.4, np.nan] * u.deg,
            "Conf_95_PosAng": [0.0, 0.0, np.nan] * u.deg,
            "Sqrt_TS": [5.0, 20.0, 9.0],
            "CLASS": list(SOURCE_CLASSES),
            "SEGMENT": [1, 2, 3],
        }
    )


@pytest.fixture
def segments(table):
    labels = np.zeros(SHAPE, dtype=int)
    for label, x, y in ((1, 20, 20), (2, 40, 40), (3, 60, 30)):
        labels[y - 2 : y + 3, x - 2 : x + 3] = label
    return list_segments(labels)


def lines_of(figure, colour):
    return [line for line in figure.axes[0].lines if same_color(line.get_color(), colour)]


def test_each_class_has_its_own_marker_and_colour():
    assert set(CLASS_MARKERS) == set(CLASS_COLOURS) == set(SOURCE_CLASSES)
    assert len(set(CLASS_MARKERS.values())) == len(SOURCE_CLASSES)


def test_sources_are_drawn_where_they_are(tile, table, segments):
    figure = catalogue_figure(tile, table, segments)
    markers = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    drawn = np.vstack([line.get_xydata() for line in markers if len(line.get_xydata())])
    assert np.allclose(sorted(drawn[:, 0]), [20, 40, 60], atol=1e-6)


def test_an_ellipse_is_as_large_as_it_says_and_points_north(tile, table, segments):
    (outline,) = lines_of(catalogue_figure(tile, table, segments), CLASS_COLOURS["blazar"])
    x, y = outline.get_xydata().T
    separation = tile.pixel_to_sky(x, y).separation(
        SkyCoord(table["RAJ2000"][1], table["DEJ2000"][1])
    )
    assert np.isclose(separation.deg.max(), 0.8, rtol=0.02)
    assert np.isclose(separation.deg.min(), 0.4, rtol=0.02)
    top = tile.pixel_to_sky(x, y)[np.argmax(separation)].icrs
    assert np.isclose(top.ra.deg, table["RAJ2000"][1].value, atol=0.1)


def test_legend_counts_the_classes_and_names_the_sources(tile, table, segments):
    figure = catalogue_figure(tile, table, segments)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [f"{name} (1)" for name in SOURCE_CLASSES]
    names = {text.get_text() for text in figure.axes[0].texts}
    assert {"J0000.0+0000", "J0001.0+0000", "J0002.0+0000"} <= names


def test_segments_have_the_colour_of_their_class(tile, table, segments):
    image = catalogue_figure(tile, table, segments).axes[1].images[0].get_array()
    for (x, y), name in zip(((20, 20), (40, 40), (60, 30)), SOURCE_CLASSES, strict=True):
        assert same_color(image[y, x], CLASS_COLOURS[name])
    assert image[10, 10, 3] == 0


def test_a_picture_is_written_with_and_without_sources(tile, table, segments, tmp_path):
    none = list_segments(np.zeros(SHAPE, dtype=int))
    for name, sources, labels in (("a", table, segments), ("b", table[:0], none)):
        path = tmp_path / f"{name}.png"
        plot_catalogue(tile, sources, labels, path)
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_figure_laid_out_once_is_the_same_picture(tile, table, segments, tmp_path):
    once, twice, never = (catalogue_figure(tile, table, segments) for _ in range(3))
    save_figure(once, tmp_path / "once.png")
    twice.savefig(tmp_path / "twice.png", dpi=DPI)
    places = [[axes.get_position().bounds for axes in figure.axes] for figure in (once, twice)]
    np.testing.assert_allclose(*places, atol=0.005)
    assert (
        np.abs(np.subtract(places[0], [axes.get_position().bounds for axes in never.axes])).max()
        > 0.05
    )
    assert imread(tmp_path / "once.png").shape == imread(tmp_path / "twice.png").shape
