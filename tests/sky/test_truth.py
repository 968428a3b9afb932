"""What is detectable and what each pixel is, against likelihoods written out and simulations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import poisson

from psseg.sky.geometry import TileGeometry
from psseg.sky.rendering import HALF, psf_tables, render_sources
from psseg.sky.sources import SourceList
from psseg.sky.spectra import band_fractions
from psseg.sky.truth import asimov_ts, detection_flux, draw_class_map
from psseg.survey.classes import IGNORED, SourceClass
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
N = SURVEY.n_bands
SHAPE = (64, 64)
ALL = np.ones(N, bool)
CODES = [population.code for population in SURVEY.populations]
MIDDLE = 32.0
"""Where a stamp lies exactly: the centre of a pixel."""

COUNTS = np.array([400.0, 300.0, 150.0, 80.0, 20.0, 8.0, 4.0, 2.0])
LEVEL = np.array([20.0, 15.0, 8.0, 4.0, 0.8, 0.3, 0.1, 0.04])
"""Expected counts of a source, and of the background per pixel, by band: a TS of 160."""


def sources(*places, scale=1.0, code="bll", radius=0.0):
    x, y = np.array(places, float).reshape(-1, 2).T
    n = len(x)
    return SourceList(
        population=np.full(n, CODES.index(code)),
        x=x,
        y=y,
        flux=np.full(n, 1e-9),
        band_flux=np.broadcast_to(COUNTS * scale, (n, N)),  # exposure is 1
        radius=np.full(n, radius),
        is_disc=np.ones(n, bool),
    )


def join(*lists):
    names = vars(lists[0])
    return SourceList(**{n: np.concatenate([vars(part)[n] for part in lists]) for n in names})


def image_of(listed):
    """Expected counts of point sources from the PSF itself."""
    image = np.zeros((N, *SHAPE))
    for x, y, counts in zip(listed.x, listed.y, listed.band_flux, strict=True):
        for band, psf in enumerate(SURVEY.instrument.psf):
            kernel = psf.kernel(63, SURVEY.pixel_scale, dx=x - 31, dy=y - 31)
            image[band, :63, :63] += counts[band] * kernel
    return image


def flat(level=LEVEL):
    return np.broadcast_to(level[:, None, None], (N, *SHAPE)).copy()


def ts_of(listed, *, background=None, expected=None, present=ALL):
    background = flat() if background is None else background
    expected = background + image_of(listed) if expected is None else expected
    exposure = np.ones((N, *SHAPE))
    return asimov_ts(SURVEY, listed, expected, background, exposure, present)


def window(image, pixel=32):
    cut = slice(pixel - HALF, pixel + HALF + 1)
    return image[:, cut, cut]


# --- how detectable a source is --------------------------------------------------------------


def test_ts_is_the_likelihood_ratio_of_noiseless_data():
    source = sources((MIDDLE, MIDDLE), scale=0.4)
    signal, level = window(image_of(source)), window(flat())
    data = signal + level
    # ln L of Poisson counts without the factorial, which is in both
    with_source = data * np.log(data) - data
    without = data * np.log(level) - level
    expected = 2 * (with_source - without).sum()
    assert ts_of(source) == pytest.approx(expected, rel=2e-3)


def test_ts_is_that_of_simulations_on_average():
    source = sources((MIDDLE, MIDDLE), scale=0.4)
    signal, level = window(image_of(source)), window(flat())
    counts = np.random.default_rng(1).poisson(signal + level, (300, *signal.shape))
    with_source, without = (poisson.logpmf(counts, mean) for mean in (signal + level, level))
    simulated = 2 * (with_source - without).sum(axis=(1, 2, 3))
    error = simulated.std() / np.sqrt(len(simulated))
    assert ts_of(source) == pytest.approx(simulated.mean(), abs=4 * error)


def test_ts_on_rendered_skies_is_that_of_the_psf():
    geometry = TileGeometry(glon=0, glat=50, shape=(1, 1), pixel_scale=0.1, margin=31)
    source = sources((31.0, 31.0), scale=0.4)
    rendered = render_sources(SURVEY, geometry, source, np.ones(N))
    background = np.broadcast_to(LEVEL[:, None, None], rendered.shape)
    found = asimov_ts(
        SURVEY, source, rendered + background, background, np.ones(rendered.shape), ALL
    )
    same = sources((MIDDLE, MIDDLE), scale=0.4)
    assert found == pytest.approx(ts_of(same), rel=0.01)


def test_ts_grows_with_the_source_and_falls_with_the_background():
    source = sources((MIDDLE, MIDDLE), scale=0.25)
    usual = ts_of(source)[0]
    assert 2 < ts_of(sources((MIDDLE, MIDDLE), scale=0.5))[0] / usual < 4
    assert ts_of(source, background=flat(2 * LEVEL))[0] < usual


def test_a_neighbour_makes_a_source_harder_to_see():
    faint, bright = sources((MIDDLE, MIDDLE), scale=0.25), sources((35.0, 32.0), scale=10)
    alone, crowded = ts_of(faint)[0], ts_of(join(faint, bright))[0]
    assert 0 < crowded < 0.7 * alone


def test_bands_that_are_not_observed_do_not_count():
    source = sources((MIDDLE, MIDDLE))
    low, high = np.arange(N) < 4, np.arange(N) >= 4
    parts = [ts_of(source, present=present)[0] for present in (low, high)]
    assert all(part > 10 for part in parts)
    assert sum(parts) == pytest.approx(ts_of(source)[0], rel=1e-9)


def test_hopeless_sources_and_those_at_the_border_have_none():
    listed = join(
        sources((MIDDLE, MIDDLE), scale=1e-4), sources((HALF - 1.0, 32.0)), sources((40.0, 30.0))
    )
    hopeless, border, bright = ts_of(listed)
    assert (hopeless, border) == (0, 0)
    assert bright > 100


def test_an_extended_source_is_seen_though_its_centre_lies_at_the_border():
    places = (MIDDLE, MIDDLE), (4.0, MIDDLE), (-0.4, 63.4)
    whole, cut, quarter = (
        ts_of(sources(place, radius=0.6, scale=0.3), expected=flat())[0] for place in places
    )
    assert 0.5 * whole < cut < 0.9 * whole
    assert 0.2 * whole < quarter < 0.35 * whole


@pytest.mark.parametrize("level", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("first", [0, 3, 5])
def test_at_its_detection_flux_a_source_is_just_detected(level, first):
    background = flat(level * LEVEL)
    exposure = SURVEY.instrument.band_exposure(10.0)
    present = np.arange(N) >= first
    flux = detection_flux(SURVEY, background, exposure, present)
    shape = {"pivot": np.ones(1), "index": np.full(1, 2.2), "curvature": np.zeros(1)}
    fractions = band_fractions("log-parabola", SURVEY.energy_edges, **shape)[0]
    light = psf_tables(SURVEY).stamps * (flux * fractions * exposure)[:, None, None]
    level = window(background)
    terms = (light + level) * np.log1p(light / level) - light
    ts = 2 * terms[:, :, present].sum(axis=(2, 3, 4))  # of every sub-pixel position
    assert ts.mean() == pytest.approx(SURVEY.labels.detectable_ts, rel=0.12)


def test_detection_flux_rises_with_the_background_and_without_bands():
    exposure = SURVEY.instrument.band_exposure(10.0)
    usual = detection_flux(SURVEY, flat(), exposure, ALL)
    assert 1e-11 < usual < 1e-8
    assert detection_flux(SURVEY, 4 * flat(), exposure, ALL) > 1.3 * usual
    assert detection_flux(SURVEY, flat(), exposure, np.arange(N) >= 5) > 1.2 * usual


def test_no_sources():
    assert len(ts_of(sources())) == 0


@pytest.mark.parametrize("is_disc", [True, False])
@pytest.mark.parametrize("radius", [0.12, 0.6, 1.3])
def test_ts_of_an_extended_source_is_that_of_its_light(radius, is_disc):
    geometry = TileGeometry(glon=0, glat=50, shape=(65, 65), pixel_scale=0.1)
    wide = replace(sources((64.0, 64.0), scale=2.0, radius=radius), is_disc=np.full(1, is_disc))
    image = render_sources(SURVEY, geometry, wide, np.ones(N))
    level = np.broadcast_to(LEVEL[:, None, None], image.shape)
    half = HALF + int(np.ceil(radius / 0.1))
    near = (slice(None), *[slice(64 - half, 65 + half)] * 2)
    s, b = image[near].astype(float), level[near]
    found = asimov_ts(SURVEY, wide, image + level, level, np.ones(image.shape), ALL)
    assert found == pytest.approx(2 * ((s + b) * np.log1p(s / b) - s).sum(), rel=0.03)


def test_a_neighbour_is_not_taken_for_less_than_the_diffuse_emission():
    # Rounded to 5 %, a radius may leave less light at the rim than the diffuse emission has.
    geometry = TileGeometry(glon=0, glat=50, shape=(65, 65), pixel_scale=0.1)
    wide = [sources((64.0, 64.0), scale=50.0, radius=radius) for radius in (0.60, 0.61, 0.62)]
    level = np.broadcast_to(LEVEL[:, None, None], (N, *geometry.padded_shape))
    ts = [
        asimov_ts(
            SURVEY,
            one,
            render_sources(SURVEY, geometry, one, np.ones(N)) + level,
            level,
            np.ones(level.shape),
            ALL,
        )[0]
        for one in wide
    ]
    assert np.all(np.abs(np.diff(np.log(ts))) < 0.03)


# --- what each pixel is ----------------------------------------------------------------------


def class_map(listed, ts):
    return draw_class_map(SURVEY, listed, np.array(ts, float), SHAPE)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("psr", SourceClass.PULSAR), ("bcu", SourceClass.BLAZAR), ("snr", SourceClass.OTHER)],
)
def test_a_source_is_a_disc_of_its_class(code, expected):
    drawn = class_map(sources((30.3, 20.6), code=code), [100])
    y, x = np.mgrid[:64, :64]
    inside = np.hypot(x - 30.3, y - 20.6) <= SURVEY.labels.radius / SURVEY.pixel_scale
    assert np.all(drawn[inside] == expected)
    assert np.all(drawn[~inside] == SourceClass.BACKGROUND)


def test_labels_follow_detectability():
    places = (10, 10), (30, 10), (50, 10), (10, 30)
    detectable, invisible = SURVEY.labels.detectable_ts, SURVEY.labels.invisible_ts
    ts = [detectable, detectable - 0.01, invisible, invisible - 0.01]
    drawn = class_map(sources(*places), ts)
    values = [drawn[y, x] for x, y in places]
    assert values == [SourceClass.BLAZAR, IGNORED, IGNORED, SourceClass.BACKGROUND]


def test_a_source_of_unknown_class_is_ignored_however_bright():
    assert class_map(sources((32, 32), code="unk"), [1000])[32, 32] == IGNORED


@pytest.mark.parametrize("ts", [(500, 20), (20, 500), (50, 50)])
def test_the_nearer_source_wins_where_two_meet_however_bright(ts):
    listed = join(sources((30, 32), code="psr"), sources((31.4, 32), code="bll"))
    drawn = class_map(listed, ts)
    # Both discs, of 1.5 pixels, hold the two pixels in the middle.
    pulsar, blazar = [SourceClass.PULSAR] * 2, [SourceClass.BLAZAR] * 2
    assert drawn[32, 29:33].tolist() == pulsar + blazar


def test_a_source_too_faint_for_a_label_yields_to_one_that_has_it():
    listed = join(sources((30, 32), code="psr"), sources((31.4, 32), code="bll"))
    detectable, invisible = SURVEY.labels.detectable_ts, SURVEY.labels.invisible_ts
    clear, faint = (class_map(listed, (100, ts))[32, 31] for ts in (detectable, invisible))
    assert (clear, faint) == (SourceClass.BLAZAR, SourceClass.PULSAR)


def test_the_order_of_sources_does_not_matter():
    one, other = sources((30, 32), code="psr"), sources((31.4, 31), code="bll")
    assert np.array_equal(
        class_map(join(one, other), [40, 60]), class_map(join(other, one), [60, 40])
    )


def test_an_extended_source_covers_its_extent_and_a_point_on_it_shows():
    listed = join(sources((32, 32), code="snr", radius=1.0), sources((34, 30), code="psr"))
    drawn = class_map(listed, [200, 100])
    y, x = np.mgrid[:64, :64]
    distance = np.hypot(x - 32, y - 32)
    assert np.all(drawn[distance > 10] == SourceClass.BACKGROUND)
    assert drawn[30, 34] == SourceClass.PULSAR
    assert (drawn[distance <= 10] == SourceClass.OTHER).mean() > 0.9


@pytest.mark.parametrize(
    "place", [(-4.0, 20.0), (-0.5, -0.5), (63.4, 70.0), (1.0, 63.4), (64.2, 20.0)]
)
def test_sources_beyond_the_border_are_cut(place):
    drawn = class_map(sources(place), [50])
    y, x = np.mgrid[:64, :64]
    inside = np.hypot(x - place[0], y - place[1]) <= SURVEY.labels.radius / SURVEY.pixel_scale
    assert np.array_equal(drawn == SourceClass.BLAZAR, inside)


def test_the_radius_of_the_labels_is_the_surveys():
    wide = replace(SURVEY, labels=replace(SURVEY.labels, radius=0.5))
    drawn = draw_class_map(wide, sources((32, 32)), np.array([50.0]), SHAPE)
    assert (drawn == SourceClass.BLAZAR).sum() == 81  # pixels within 5 of a pixel
