"""Expected counts: light is kept, lies where its source is, and has the shape of the PSF."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psseg.sky.diffuse import DiffuseSky
from psseg.sky.geometry import TileGeometry
from psseg.sky.rendering import (
    FAINT,
    HALF,
    PHASES,
    extended_stamp,
    phases,
    psf_tables,
    render_diffuse,
    render_sources,
)
from psseg.sky.sources import SourceList
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
N = SURVEY.n_bands
PSF = SURVEY.instrument.psf
GEOMETRY = TileGeometry(glon=30.0, glat=40.0, shape=(128, 128), pixel_scale=0.1)
Y, X = np.mgrid[:192, :192]
NARROW = psf_tables(SURVEY).narrow

phase_centres = (np.arange(PHASES) + 0.5) / PHASES - 0.5


def points(x, y, *, radius=0.0, is_disc=True):
    """Make sources of 1 ph cm-2 s-1 in every band."""
    x, y = np.atleast_1d(x).astype(float), np.atleast_1d(y).astype(float)
    n = len(x)
    return SourceList(
        population=np.zeros(n, int),
        x=x,
        y=y,
        flux=np.ones(n),
        band_flux=np.ones((n, N)),
        radius=np.full(n, radius),
        is_disc=np.full(n, is_disc),
    )


def render(sources, *, bright=True):
    exposure = np.full(N, 1e3 * FAINT if bright else FAINT / 2)
    return render_sources(SURVEY, GEOMETRY, sources, exposure)


def exact(x, y):
    """PSF of every band about a position, integrated over pixels: (n_bands, 191, 191)."""
    return np.array([psf.kernel(191, 0.1, dx=x - 95, dy=y - 95) for psf in PSF])


def centroid(image):
    """Light-weighted position within 1.2 deg of the middle, per band."""
    light = image * (np.hypot(X - 96, Y - 96) < 12)
    total = light.sum(axis=(1, 2))
    return (light * X).sum(axis=(1, 2)) / total, (light * Y).sum(axis=(1, 2)) / total


# --- point sources ---------------------------------------------------------------------------


def test_bands_with_a_psf_of_few_pixels_have_stamps():
    # 68 % within 0.36 deg at 2-5 GeV, 0.65 deg at 1-2 GeV
    assert NARROW.tolist() == [False, False, False, True, True, True, True, True]


def test_a_stamp_holds_what_the_psf_has_within_it():
    table = psf_tables(SURVEY)
    for band, psf in enumerate(PSF):
        inside, outside = psf.containment([HALF * 0.1, (HALF + 0.5) * np.sqrt(2) * 0.1])
        held = table.stamps[:, :, band].sum(axis=(-1, -2))
        assert np.all((held > inside) & (held < outside))


@pytest.mark.parametrize("place", [(96.0, 96.0), (96.06, 95.94), (96.3, 96.45), (95.51, 96.2)])
def test_faint_light_is_kept(place):
    rendered = render(points(*place), bright=False).sum(axis=(1, 2))
    # What lies within 9.5 deg and what lies within the corners
    inside, outside = np.transpose([psf.containment([9.5, 9.6 * np.sqrt(2)]) for psf in PSF])
    assert np.all(rendered > inside - 1e-4)
    assert np.all(rendered < outside + 1e-4)


@pytest.mark.parametrize("place", [(96.0, 96.0), (96.06, 95.94), (96.3, 96.45), (95.51, 96.2)])
def test_bright_light_is_kept(place):
    sources = points(*place)
    bright, faint = (render(sources, bright=b).sum(axis=(1, 2)) for b in (True, False))
    assert bright == pytest.approx(faint, rel=2e-3)


def test_wide_bands_do_not_care_how_bright_a_source_is():
    sources = points(96.2, 95.9)
    bright, faint = render(sources), render(sources, bright=False)
    assert np.allclose(bright[~NARROW], faint[~NARROW], rtol=1e-5)


@given(x=st.floats(95.5, 96.5), y=st.floats(95.5, 96.5), bright=st.booleans())
@settings(max_examples=15)
def test_light_lies_where_its_source_is(x, y, bright):
    x_found, y_found = centroid(render(points(x, y), bright=bright))
    # Half a step of an eighth of a pixel, between stamps; the rest is the circle's doing.
    assert x_found[NARROW] == pytest.approx(x, abs=0.12)
    assert y_found[NARROW] == pytest.approx(y, abs=0.12)


def test_light_lies_within_a_twentieth_of_a_pixel_on_average():
    errors = []
    for x, y in np.random.default_rng(1).uniform(95.5, 96.5, (20, 2)):
        x_found, y_found = centroid(render(points(x, y)))
        errors += [x_found - x, y_found - y]
    assert np.sqrt(np.mean(np.square(errors), axis=0))[NARROW].max() < 0.05


def test_wide_psfs_lie_where_their_source_is():
    x, y = 96.3, 95.9
    found, true = centroid(render(points(x, y))), exact(x, y)
    expected = centroid(np.pad(true, ((0, 0), (0, 1), (0, 1))))
    assert found[0][~NARROW] == pytest.approx(expected[0][~NARROW], abs=0.01)
    assert found[1][~NARROW] == pytest.approx(expected[1][~NARROW], abs=0.01)


@pytest.mark.parametrize("phase", [(4, 4), (0, 6), (7, 2)])
def test_bright_sources_have_the_shape_of_the_psf(phase):
    x, y = 96 + phase_centres[list(phase)]
    difference = np.abs(render(points(x, y))[:, :191, :191] - exact(x, y)).sum(axis=(1, 2))
    assert difference[NARROW].max() < 0.03  # of the source's light
    assert difference.max() < 0.05


def test_faint_sources_are_smeared_by_less_than_a_pixel():
    x, y = 96.5, 96.5  # the worst place: half of the light goes to either side
    near = np.hypot(X - x, Y - y) < 12
    image = render(points(x, y), bright=False) * near
    true = np.pad(exact(x, y), ((0, 0), (0, 1), (0, 1))) * near
    variance, expected = (
        (light * (X - x) ** 2).sum(axis=(1, 2)) / light.sum(axis=(1, 2)) for light in (image, true)
    )
    assert np.all(variance - expected < 0.26)  # square pixels


def held_within(image, radii):
    """Share of each band's light within radii (deg) of the middle, light being flat in a pixel."""
    offsets = (np.arange(4) + 0.5) / 4 - 0.5
    x, y = (axis[..., None, None] - 96 for axis in (X, Y))
    distance = np.hypot(x + offsets[:, None], y + offsets)
    inside = [(distance < 10 * radius).mean(axis=(2, 3)) for radius in radii]
    return (image * inside).sum(axis=(1, 2)) / image.sum(axis=(1, 2))


@pytest.mark.parametrize("bright", [True, False])
def test_containment_in_each_band_is_that_of_the_psf(bright):
    image = render(points(96.0, 96.0), bright=bright)
    r68, r95 = ([psf.containment_radius(f) for psf in PSF] for f in (0.68, 0.95))
    assert held_within(image, r95) == pytest.approx(0.95, abs=0.01)
    true = held_within(np.pad(exact(96.0, 96.0), ((0, 0), (0, 1), (0, 1))), r68)
    assert held_within(image, r68) == pytest.approx(true, abs=0.05)
    assert true[:4] == pytest.approx(0.68, abs=0.01)  # wider than pixels


def test_a_source_may_cross_the_threshold_between_stamp_and_none():
    sources = points(96 + phase_centres[4], 96 + phase_centres[4])
    above, below = (
        render_sources(SURVEY, GEOMETRY, sources, np.full(N, FAINT * factor))
        for factor in (1.001, 0.999)
    )
    near = np.hypot(X - 96, Y - 96) < 8
    # Apart from the central pixels nothing jumps.
    around = near & (np.hypot(X - 96, Y - 96) > 2.5)
    assert np.abs(above - below)[:, around].sum(axis=1).max() < 0.03


def test_sources_add_up():
    one, other = points(90.3, 100.1), points(101.0, 95.6)
    both = points([90.3, 101.0], [100.1, 95.6])
    assert np.allclose(render(both), render(one) + render(other), atol=1e-6)


def test_sources_at_the_border_are_cut():
    image = render(points([-0.4, 191.4], [3.0, 191.2]))
    assert np.all(np.isfinite(image))
    assert image[7, 3, 0] > 0.2
    assert image[7, 191, 191] > 0.2


def test_no_sources_no_light():
    assert not render(points([], [])).any()


@given(position=st.floats(-1.0, 200.0))
def test_phases_are_the_nearest(position):
    phase = int(phases(np.array([position]))[0])
    offset = position - np.rint(position)
    assert np.abs(phase_centres - offset).argmin() == phase or np.isclose(
        np.abs(phase_centres[phase] - offset), 0.5 / PHASES
    )


# --- extended sources ------------------------------------------------------------------------


@pytest.mark.parametrize("is_disc", [True, False])
@pytest.mark.parametrize("radius", [0.12, 0.6, 2.5])
def test_extended_sources_keep_their_light(radius, is_disc):
    image = render(points(96.3, 95.8, radius=radius, is_disc=is_disc)).sum(axis=(1, 2))
    point = render(points(96.3, 95.8), bright=False).sum(axis=(1, 2))
    assert image == pytest.approx(point, rel=5e-3)


def test_extended_sources_lie_where_they_are():
    x, y = centroid(render(points(96.3, 95.8, radius=0.5)))
    assert x[3:] == pytest.approx(96.3, abs=0.03)
    assert y[3:] == pytest.approx(95.8, abs=0.03)


def test_a_disc_has_an_edge():
    image = render(points(96.0, 96.0, radius=2.0))[7]
    flat = 1 / (np.pi * 20**2)
    distance = np.hypot(X - 96, Y - 96)
    assert np.median(image[distance < 16]) == pytest.approx(flat, rel=0.05)
    assert image[distance > 24].max() < 0.1 * flat


def test_the_radius_of_a_gaussian_holds_68_percent():
    image = render(points(96.0, 96.0, radius=2.0, is_disc=False))[7]
    held = image[np.hypot(X - 96, Y - 96) <= 20].sum() / image.sum()
    assert held == pytest.approx(0.68, abs=0.02)


# --- diffuse emission ------------------------------------------------------------------------


def diffuse(*templates):
    spectra = np.arange(1.0, 1 + len(templates) * N).reshape(len(templates), N)
    return DiffuseSky(templates=np.array(templates, np.float32), spectra=spectra)


def test_flat_emission_stays_flat():
    flux = render_diffuse(SURVEY, GEOMETRY, diffuse(np.ones((192, 192))))
    expected = np.arange(1.0, N + 1) * GEOMETRY.pixel_area
    # A tangent plane's pixels see less sky away from its centre.
    assert np.allclose(flux, expected[:, None, None] * GEOMETRY.relative_area, rtol=1e-5)


def test_the_mean_is_kept_and_structure_is_smoothed():
    rough = np.random.default_rng(2).lognormal(0, 0.5, (192, 192))
    sky = diffuse(rough)
    flux = render_diffuse(SURVEY, GEOMETRY, sky)
    intensity = flux / GEOMETRY.relative_area / GEOMETRY.pixel_area / sky.spectra[0][:, None, None]
    assert intensity.mean(axis=(1, 2)) == pytest.approx(rough.mean(), rel=1e-4)
    contrast = intensity.std(axis=(1, 2))
    assert np.all(np.diff(contrast) > 0)  # sharper at every higher energy
    assert contrast[-1] < 0.6 * rough.std()


def test_templates_add_up():
    rng = np.random.default_rng(3)
    one, other = rng.uniform(0.5, 1.5, (2, 192, 192))
    both = diffuse(one, other)
    parts = [
        DiffuseSky(templates=both.templates[i : i + 1], spectra=both.spectra[i : i + 1])
        for i in range(2)
    ]
    total = sum(render_diffuse(SURVEY, GEOMETRY, part) for part in parts)
    assert np.allclose(render_diffuse(SURVEY, GEOMETRY, both), total, rtol=1e-5)


def test_a_point_of_diffuse_emission_is_a_psf():
    spot = np.zeros((192, 192))
    spot[96, 96] = 1
    flux = render_diffuse(SURVEY, GEOMETRY, diffuse(spot))
    light = render(points(96.0, 96.0), bright=False)
    expected = light * (np.arange(1.0, N + 1) * GEOMETRY.pixel_area)[:, None, None]
    ratio = flux[:, 96, 90:103] / expected[:, 96, 90:103]
    assert ratio == pytest.approx(1, rel=0.01)  # but for what the border cuts off


def test_a_ridge_at_one_border_does_not_show_at_the_other():
    ridge = np.ones((192, 192))
    ridge[:4] = 100
    flux = render_diffuse(SURVEY, GEOMETRY, diffuse(ridge))
    far = flux[:, -10:] / (GEOMETRY.relative_area[-10:] * GEOMETRY.pixel_area)
    assert far / np.arange(1.0, N + 1)[:, None, None] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("radius", "is_disc"), [(1.2, True), (6.0, True), (6.0, False)])
def test_a_stamp_of_an_extended_source_is_its_rendered_light(radius, is_disc):
    stamp = extended_stamp(SURVEY, radius, is_disc=is_disc)
    half = stamp.shape[-1] // 2
    image = render(points(96.0, 96.0, radius=radius / 10, is_disc=is_disc), bright=False)
    rendered = image[:, 96 - half : 97 + half, 96 - half : 97 + half]
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    for reach in (radius, radius + 5, half):
        inside = np.hypot(x, y) <= reach
        held = [image[:, inside].sum(axis=1) for image in (stamp, rendered)]
        assert held[0] == pytest.approx(held[1], rel=0.05)
