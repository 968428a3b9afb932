"""The picture of a radio image: sources where they are, as large and as turned as they are."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from made_images import RMS, SCALE, make_image
from matplotlib.collections import EllipseCollection
from matplotlib.colors import same_color, to_rgba

from psseg.catalogue.segment_map import list_segments
from psseg.image_plots import image_figure, plot_image
from psseg.survey.classes import CLASS_COLOURS, SOURCE_CLASSES

SHAPE = (60, 110)
X, Y = np.array([20.0, 90.0, 55.0]), np.array([12.0, 40.0, 30.0])
MAJOR, ANGLE = np.array([20.0, 16.0, 8.0]) * SCALE, np.array([30.0, 100.0, 0.0])


@pytest.fixture(params=[0.0, 50.0])
def image(request):
    plane = np.random.default_rng(1).normal(0, RMS, SHAPE)
    plane[:4] = np.nan
    return make_image([plane], rotation=request.param)


@pytest.fixture
def table(image):
    places = image.pixel_to_sky(X, Y)
    return QTable(
        {
            "ra": places.ra,
            "dec": places.dec,
            "maj": MAJOR * u.deg,
            "min": MAJOR / 2 * u.deg,
            "pa": ANGLE * u.deg,
            "CLASS": list(SOURCE_CLASSES),
            "SEGMENT": [1, 2, 3],
        }
    )


@pytest.fixture
def segments():
    labels = np.zeros(SHAPE, dtype=int)
    for label, x, y in zip((1, 2, 3), X.astype(int), Y.astype(int), strict=True):
        labels[y - 2 : y + 3, x - 2 : x + 3] = label
    return list_segments(labels)


def drawn(image, table, segments):
    """Give the figure, and the ellipses on its map."""
    figure = image_figure(image, RMS, table, segments)
    found = [c for c in figure.axes[0].collections if isinstance(c, EllipseCollection)]
    return figure, found


def test_ellipses_are_where_the_sources_are_in_the_colour_of_their_class(image, table, segments):
    _, (ellipses,) = drawn(image, table, segments)
    assert np.asarray(ellipses.get_offsets()) == pytest.approx(np.column_stack([X, Y]), abs=1e-6)
    for colour, name in zip(ellipses.get_edgecolors(), SOURCE_CLASSES, strict=True):
        assert same_color(colour, CLASS_COLOURS[name])


def test_ellipses_are_on_the_sky_what_the_catalogue_says(image, table, segments):
    _, (ellipses,) = drawn(image, table, segments)
    turn = np.deg2rad(ellipses.get_angles())
    for axes, way, size in (
        (ellipses.get_heights(), (-np.sin(turn), np.cos(turn)), MAJOR),
        (ellipses.get_widths(), (np.cos(turn), np.sin(turn)), MAJOR / 2),
    ):
        ends = [
            image.pixel_to_sky(X + sign * way[0] * axes / 2, Y + sign * way[1] * axes / 2)
            for sign in (1, -1)
        ]
        assert ends[0].separation(ends[1]).deg == pytest.approx(1.5 * size, rel=1e-3)
    centre = SkyCoord(table["ra"], table["dec"])
    north = (-np.sin(turn), np.cos(turn))
    tip = image.pixel_to_sky(X + 5 * north[0], Y + 5 * north[1])
    off = (centre.position_angle(tip).deg - ANGLE + 90) % 180 - 90
    assert off == pytest.approx(np.zeros(3), abs=0.05)


def test_segments_and_blanks_have_their_colours(image, table, segments):
    figure, _ = drawn(image, table, segments)
    picture = np.asarray(figure.axes[1].images[0].get_array()) / 255
    for x, y, name in zip(X.astype(int), Y.astype(int), SOURCE_CLASSES, strict=True):
        assert picture[y, x] == pytest.approx(to_rgba(CLASS_COLOURS[name]), abs=0.01)
    assert picture[25, 10, 3] == 0
    assert picture[2, 10, 3] == 1


@pytest.mark.parametrize("image", [50.0], indirect=True)
def test_a_picture_is_written_with_and_without_sources(image, table, segments, tmp_path):
    none = list_segments(np.zeros(SHAPE, dtype=int))
    for name, sources, labels in (("a", table, segments), ("b", table[:0], none)):
        plot_image(image, RMS, sources, labels, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert drawn(image, table[:0], none)[1] == []
