"""Whose every pixel is: labels follow the emission, and bright neighbours stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from psseg.sky.radio_rendering import convolve_components, render_components
from psseg.sky.radio_simulation import draw_observation
from psseg.sky.radio_sources import RadioSources
from psseg.sky.radio_truth import draw_source_maps, source_peaks, truth_table
from psseg.survey.classes import IGNORED, SourceClass
from psseg.survey.survey import load_survey

SURVEY = load_survey("radio")
CODES = [p.code for p in SURVEY.populations]
LABELS = SURVEY.labels
FWHM = 5.0
BEAM = (FWHM, FWHM, 0.0)
SHAPE = (100, 120)
EVERYWHERE = np.ones((3, 3))


def sources_of(*components, codes):
    """Make sources of components (source, x, y, flux, major, minor, angle)."""
    owner, x, y, flux, major, minor, angle = np.array(components, dtype=float).T
    owner = owner.astype(int)
    n = len(codes)
    total = np.bincount(owner, flux, n)
    return RadioSources(
        population=np.array([CODES.index(code) for code in codes]),
        x=np.bincount(owner, flux * x, n) / total,
        y=np.bincount(owner, flux * y, n) / total,
        flux=total,
        alpha=np.full(n, -0.7),
        v_over_i=np.zeros(n),
        shape=np.zeros(n, int),
        size=np.zeros(n),
        component_source=owner,
        component_x=x,
        component_y=y,
        component_flux=flux,
        component_alpha=np.full(len(x), -0.7),
        component_curvature=np.zeros(len(x)),
        component_major=major,
        component_minor=minor,
        component_angle=angle,
    )


def point(number, x, y, flux):
    return number, x, y, flux, 0, 0, 0


def convolved(sources):
    shape = (sources.component_major, sources.component_minor, sources.component_angle)
    x, y, flux = sources.component_x, sources.component_y, sources.component_flux
    return convolve_components(x, y, flux, shape, BEAM)


def maps_of(sources, rms=1.0):
    gaussians = convolved(sources)
    snr = source_peaks(sources, gaussians) / rms
    return draw_source_maps(SURVEY, sources, gaussians, snr, np.full(SHAPE, rms))


def n_regions(pixels):
    return label(pixels, EVERYWHERE)[1]


# --- points ----------------------------------------------------------------------------------


@given(
    snr=st.floats(4, 1e4), x=st.floats(20, 90), y=st.floats(20, 80), rms=st.sampled_from([1, 1e-5])
)
@settings(max_examples=40)
def test_a_point_is_one_round_region_about_itself(snr, x, y, rms):
    maps = maps_of(sources_of(point(0, x, y, snr * rms), codes=["psr"]), rms)
    mine = maps.class_map == SourceClass.PULSAR
    assert np.array_equal(mine, maps.source_map == 1)
    assert n_regions(mine) == 1
    rows, columns = np.nonzero(mine)
    assert np.hypot(rows.mean() - y, columns.mean() - x) < 0.5
    level = max(LABELS.emission_snr / snr, LABELS.peak_level)
    radius = FWHM * np.sqrt(-np.log2(level) / 4)
    assert np.sqrt(mine.sum() / np.pi) == pytest.approx(radius, abs=0.4)
    assert set(np.unique(maps.class_map)) == {0, SourceClass.PULSAR}


@pytest.mark.parametrize(
    ("snr", "value"), [(2.4, 0), (2.6, IGNORED), (3.9, IGNORED), (4.1, SourceClass.BLAZAR)]
)
def test_what_is_too_faint_is_ignored_and_what_is_invisible_is_background(snr, value):
    maps = maps_of(sources_of(point(0, 50, 50, snr), codes=["fsrq"]))
    assert maps.class_map[50, 50] == value
    assert (maps.source_map[50, 50] == 1) == (value != 0)
    assert (maps.class_map != 0).sum() < 3 * FWHM**2


def test_the_local_rms_decides():
    rms = np.ones(SHAPE)
    rms[:, 60:] = 10.0
    sources = sources_of(point(0, 30, 50, 20.0), point(1, 90, 50, 20.0), codes=["psr", "psr"])
    snr = np.array([20.0, 2.0])
    maps = draw_source_maps(SURVEY, sources, convolved(sources), snr, rms)
    assert maps.source_map.max() == 1


# --- neighbours ------------------------------------------------------------------------------


def test_neighbours_share_the_pixels_between_them():
    sources = sources_of(point(0, 50, 50, 50.0), point(1, 56, 50, 50.0), codes=["psr", "fsrq"])
    maps = maps_of(sources)
    assert maps.class_map[50, 52] == SourceClass.PULSAR
    assert maps.class_map[50, 54] == SourceClass.BLAZAR
    sizes = [(maps.source_map == number).sum() for number in (1, 2)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2)


def test_the_order_of_sources_does_not_matter():
    parts = [point(0, 50, 50, 500.0), point(1, 54, 52, 300.0), point(2, 47, 45, 30.0)]
    codes = ["psr", "fsrq", "sfg"]
    turned = [(2 - i, *rest) for i, *rest in reversed(parts)]
    first = maps_of(sources_of(*parts, codes=codes))
    second = maps_of(sources_of(*turned, codes=codes[::-1]))
    assert np.array_equal(first.class_map, second.class_map)


def test_a_faint_source_on_the_wing_of_a_bright_one_keeps_its_core_or_has_none():
    near = maps_of(sources_of(point(0, 50, 50, 1000.0), point(1, 53, 50, 8), codes=["sfg", "psr"]))
    assert not (near.source_map == 2).any()
    away = maps_of(sources_of(point(0, 50, 50, 1000.0), point(1, 60, 50, 8), codes=["sfg", "psr"]))
    assert away.class_map[50, 60] == SourceClass.PULSAR


def test_a_core_holds_against_a_lobe_twice_as_bright():
    lobe = (0, 50.0, 50.0, 400.0, 30.0, 30.0, 0.0)
    sources = sources_of(lobe, point(1, 50, 50, 6.0), codes=["ssagn", "fsrq"])
    assert 6.0 < source_peaks(sources, convolved(sources))[0] < 12.0
    maps = maps_of(sources)
    assert maps.class_map[50, 50] == SourceClass.BLAZAR
    assert maps.class_map[50, 57] == SourceClass.OTHER


# --- extended sources ------------------------------------------------------------------------


def test_lobes_joined_by_emission_are_one_region_of_one_source():
    parts = [(0, x, 50.0, 60.0, 4.0, 4.0, 0.0) for x in (45.0, 50.0, 55.0)]
    maps = maps_of(sources_of(*parts, codes=["ssagn"]))
    assert n_regions(maps.class_map == SourceClass.OTHER) == 1
    assert set(np.unique(maps.source_map)) == {0, 1}


def test_detached_lobes_are_two_regions_of_one_source():
    parts = [(0, x, 50.0, 60.0, 4.0, 4.0, 0.0) for x in (30.0, 80.0)]
    maps = maps_of(sources_of(*parts, codes=["ssagn"]))
    assert n_regions(maps.source_map == 1) == 2
    assert set(np.unique(maps.class_map)) == {0, SourceClass.OTHER}


def test_a_faint_extended_source_is_labelled_where_it_stands_out():
    parts = [(0, 60.0, 50.0, 500.0, 40.0, 20.0, 90.0)]
    sources = sources_of(*parts, codes=["sfg"])
    mine = maps_of(sources).source_map == 1
    image = render_components(convolved(sources), SHAPE, floor=np.array([0.01]))[0]
    assert 4 < image.max() < 20
    expected = image > np.maximum(LABELS.emission_snr, LABELS.peak_level * image.max())
    assert np.mean(mine != expected) < 0.005


def test_sources_beyond_the_border_label_what_reaches_in():
    maps = maps_of(sources_of(point(0, -2.0, 50, 100.0), codes=["psr"]))
    assert 0 < (maps.source_map == 1).sum() < FWHM**2


# --- peaks and table -------------------------------------------------------------------------


def test_the_peak_of_a_source_is_the_highest_pixel_of_its_image():
    rng = np.random.default_rng(1)
    parts = [
        (number, 60 + rng.normal(0, 6), 50 + rng.normal(0, 6), rng.uniform(1, 5), 3, 2, 40)
        for number in (0, 0, 0, 1, 1, 2)
    ]
    sources = sources_of(*parts, codes=["ssagn", "ssagn", "psr"])
    gaussians = convolved(sources)
    peaks = source_peaks(sources, gaussians)
    for number in range(3):
        own = gaussians.select(np.flatnonzero(sources.component_source == number))
        image = render_components(own, SHAPE, floor=np.array([1e-6]))[0]
        assert peaks[number] == pytest.approx(image.max(), rel=0.06)


def test_the_table_has_sizes_and_positions():
    parts = [point(0, 50, 50, 1.0), (1, 20.0, 30.0, 2.0, 8.0, 3.0, 40.0)]
    parts += [(2, 70.0, y, 1.0, 0.0, 0.0, 0.0) for y in (40.0, 60.0)]
    sources = sources_of(*parts, codes=["psr", "sfg", "ssagn"])
    observation = draw_observation(SURVEY, np.random.default_rng(1), like="emu")
    scale, wcs = observation.pixel_scale, observation.wcs(SHAPE)
    peaks = source_peaks(sources, convolved(sources))
    table = truth_table(
        SURVEY,
        sources,
        chosen=np.arange(3),
        peaks=peaks,
        snr=peaks,
        alpha=sources.alpha,
        wcs=wcs,
        pixel_scale=scale,
    )
    assert table["CLASS"].tolist() == ["pulsar", "other", "other"]
    assert table["CLASS1"].tolist() == ["psr", "sfg", "ssagn"]
    assert table["N_COMPONENTS"].tolist() == [1, 1, 2]
    assert np.allclose(table["maj"].value / scale, [0, 8, 10 * 2 * np.sqrt(2 * np.log(2))])
    assert np.allclose(table["min"].value / scale, [0, 3, 0], atol=1e-6)
    assert np.allclose(table["pa"].value[1:], [40, 0])
    x, y = wcs.wcs_world2pix(table["ra"].value, table["dec"].value, 0)
    assert np.allclose([x, y], [sources.x, sources.y])
