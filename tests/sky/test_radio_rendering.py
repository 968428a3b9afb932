"""Images of components: flux is kept, peaks are right; noise has the beam's texture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft

from psseg.sky.radio_rendering import (
    FINE_NOISE_WIDTH,
    NOISE_WIDTH,
    Gaussians,
    beam_noise,
    beam_transfer,
    convolve_components,
    draw_noise_width,
    ellipse_covariance,
    render_components,
)
from psseg.tiles.beam import Beam

BEAM = (6.0, 4.0, 30.0)
BEAM_AREA = np.pi / (4 * np.log(2)) * 6 * 4
FLOOR = np.array([1e-8])


def component(x=64.0, y=64.0, flux=1.0, major=0.0, minor=0.0, angle=0.0, beam=BEAM):
    x, y, flux, *shape = np.broadcast_arrays(*map(np.atleast_1d, (x, y, flux, major, minor, angle)))
    return convolve_components(x, y, flux, tuple(shape), beam)


def render(gaussians, shape=(128, 128), floor=FLOOR):
    return render_components(gaussians, shape, floor=floor)[0]


# --- components ------------------------------------------------------------------------------


@given(
    x=st.floats(60, 68),
    y=st.floats(60, 68),
    major=st.floats(0, 15),
    ratio=st.floats(0, 1),
    angle=st.floats(0, 180),
)
@settings(max_examples=40)
def test_flux_is_conserved(x, y, major, ratio, angle):
    image = render(component(x, y, 2.0, major, ratio * major, angle))
    assert image.sum() / BEAM_AREA == pytest.approx(2.0, rel=1e-4)


def test_a_point_has_its_flux_as_its_peak():
    assert component(flux=3.0).peak[0] == pytest.approx(3.0)
    assert render(component(flux=3.0))[64, 64] == pytest.approx(3.0, rel=1e-6)


def test_a_resolved_source_is_fainter_at_its_peak_by_the_ratio_of_the_areas():
    gaussians = component(flux=1.0, major=8.0, minor=8.0, beam=(6.0, 6.0, 0.0))
    assert gaussians.peak[0] == pytest.approx(36 / (36 + 64))


def test_pixels_are_samples_of_the_surface_brightness():
    image = render(component(64.5, 64.0, beam=(5.0, 5.0, 0.0)))
    assert image[64, 64] == pytest.approx(np.exp(-4 * np.log(2) * 0.25 / 25), rel=1e-5)


@pytest.mark.parametrize(
    ("angle", "along"), [(0, (0, 1)), (90, (1, 0)), (45, (-1, 1)), (135, (1, 1))]
)
def test_angles_run_from_up_to_the_left(angle, along):
    image = render(component(beam=(8.0, 3.0, float(angle))))
    dx, dy = along
    assert image[64 + 2 * dy, 64 + 2 * dx] > 2 * image[64 + 2 * dx, 64 - 2 * dy]


def test_covariances_are_those_of_beams():
    beam = Beam(major=6.0, minor=4.0, angle=30.0)
    xx, xy, yy = ellipse_covariance(*BEAM)
    assert np.allclose([[xx, xy], [xy, yy]], beam.covariance(1.0))


@pytest.mark.parametrize("major", [0.0, 40.0])
def test_components_that_overlap_the_border_are_cut_there(major):
    gaussians = component(-3.0, 40.0, 1.0, major, major)
    wide = component(97.0, 140.0, 1.0, major, major)
    part = render(wide, (328, 328))[100:228, 100:228]
    assert np.allclose(render(gaussians), part, atol=1e-6)
    assert part.max() > 0.01


def test_components_far_outside_leave_nothing():
    assert not render(component(np.array([-500.0, 64]), np.array([64.0, 1e4]), np.ones(2))).any()


@given(seed=st.integers(0, 100))
@settings(max_examples=10)
def test_many_components_are_the_sum_of_each(seed):
    rng = np.random.default_rng(seed)
    n = 30
    x, y = rng.uniform(-10, 70, (2, n))
    major = rng.choice([0, 2.0, 10.0, 60.0], n)
    many = convolve_components(
        x, y, rng.uniform(0.1, 5, n), (major, 0.5 * major, rng.uniform(0, 180, n)), BEAM
    )
    singly = sum(render(many.select(np.array([i])), (60, 60)) for i in range(n))
    assert np.allclose(render(many, (60, 60)), singly, atol=1e-5)


def test_planes_have_factors_of_any_sign():
    gaussians = component(np.array([30.0, 90]), np.array([30.0, 90]), np.ones(2))
    factors = np.array([[1.0, 1.0], [0.5, -0.2]])
    planes = render_components(gaussians, (128, 128), floor=np.full(2, 1e-6), factors=factors)
    assert planes[0, 30, 30] == pytest.approx(1, rel=1e-5)
    assert planes[1, 30, 30] == pytest.approx(0.5, rel=1e-5)
    assert planes[1, 90, 90] == pytest.approx(-0.2, rel=1e-5)


def test_what_is_cut_off_lies_below_the_floor():
    floor = np.array([1e-3])
    cut, whole = render(component(flux=1.0), floor=floor), render(component(flux=1.0))
    assert np.abs(cut - whole).max() < 1e-3


def test_no_components_make_an_empty_image():
    nothing = Gaussians(x=np.empty(0), y=np.empty(0), peak=np.empty(0), covariance=np.empty((0, 3)))
    assert not render(nothing).any()


# --- noise -----------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [(2.5, 2.5, 0.0), BEAM, (8.0, 8.0, 0.0)])
@pytest.mark.parametrize("shape", [(400, 400), (401, 363)])
def test_noise_has_unit_variance(beam, shape):
    noise = beam_noise(shape, beam, np.random.default_rng(1))
    n_beams = noise.size / (beam[0] * beam[1])
    assert noise.shape == shape
    assert noise.var() == pytest.approx(1, abs=5 / np.sqrt(n_beams))
    assert abs(noise.mean()) < 5 / np.sqrt(n_beams)


@pytest.mark.parametrize("width", [0.5, 1.0, 1.4])
def test_the_autocorrelation_of_noise_is_the_beam_of_that_width(width):
    rng = np.random.default_rng(2)
    noise = [beam_noise((256, 256), BEAM, rng, width=width) for _ in range(20)]
    power = np.mean([np.abs(fft.fft2(n)) ** 2 for n in noise], axis=0)
    correlation = fft.ifft2(power).real
    correlation /= correlation[0, 0]
    expected = render(component(0.0, 0.0, beam=(6 * width, 4 * width, 30.0)), (12, 12))
    assert np.allclose(correlation[:12, :12], expected, atol=0.05)


def test_opposite_borders_of_noise_are_independent():
    rng = np.random.default_rng(3)
    noise = np.array([beam_noise((60, 60), (5.0, 5.0, 0.0), rng) for _ in range(60)])
    first, last = noise[:, ::10, 0].ravel(), noise[:, ::10, -1].ravel()
    assert abs(np.corrcoef(first, last)[0, 1]) < 0.2


def test_noise_widths_lie_within_what_was_measured():
    rng = np.random.default_rng(4)
    widths = np.array([draw_noise_width(rng) for _ in range(1000)])
    assert FINE_NOISE_WIDTH <= widths.min() < NOISE_WIDTH[0]
    assert 1.3 < widths.max() <= NOISE_WIDTH[1]


def test_the_transfer_is_the_fourier_transform_of_the_beam():
    image = render(component(32.0, 32.0), (64, 64)) / BEAM_AREA
    transform = fft.rfft2(fft.ifftshift(image))
    assert np.allclose(transform.real, beam_transfer((64, 64), BEAM), atol=1e-4)
