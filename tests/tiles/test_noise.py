"""Noise and background: right on pure noise, indifferent to sources, aware of artefacts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from scipy import ndimage

from psseg.errors import PssegError
from psseg.tiles.beam import FWHM_PER_SIGMA, Beam
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.noise import (
    estimate_noise,
    measure_noise,
    measure_planes,
    noise_maps,
)
from psseg.tiles.radio_image import RadioImage

SHAPE = (700, 700)
HOPKINS = (  # flux, Jy, and sources above it per square degree at 1.4 GHz (Hopkins et al. 2003,
    # AJ 125, 465), continued below 50 uJy with N ~ 1/S, as MeerKAT's deep counts have it
    np.array([0.005, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500]) * 1e-3,
    np.array([20900, 2090, 981, 327, 160, 88.6, 45.2, 27.8, 16.7, 7.9, 4.1, 2.0, 0.66, 0.24]),
)


def radio_image(*planes, stokes=("I",), fwhm=4.5):
    data = np.array(planes, dtype=np.float32)
    scale = 1 / 3600
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.cdelt = [-scale, scale]
    beam = Beam(major=1.25 * fwhm * scale, minor=0.8 * fwhm * scale, angle=30.0)
    return RadioImage(
        planes=data,
        stokes=stokes,
        frequencies=(1.4e9,) * len(data),
        beams=(beam,) * len(data),
        wcs=wcs,
        mask=np.isnan(data[0]),
    )


def beam_noise(rng, shape=SHAPE, fwhm=4.5):
    """Noise of unit rms, correlated over the beam."""
    sigma = fwhm / FWHM_PER_SIGMA
    white = rng.standard_normal(shape)
    return ndimage.gaussian_filter(white, sigma, mode="wrap") * 2 * np.sqrt(np.pi) * sigma


def crowd(rng, shape, fwhm, arcsec):
    """Points with the observed counts, Jy/beam, on pixels of this many arcsec."""
    flux, number = HOPKINS
    n = rng.poisson(number[0] * np.prod(shape) * (arcsec / 3600) ** 2)
    drawn = np.interp(np.log(number[0] * rng.random(n)), np.log(number[::-1]), np.log(flux[::-1]))
    points = np.zeros(shape)
    np.add.at(points, tuple(rng.integers(0, shape, (n, 2)).T), np.exp(drawn))
    sigma = fwhm / FWHM_PER_SIGMA
    return ndimage.gaussian_filter(points, sigma, mode="wrap") * 2 * np.pi * sigma**2


def gaussian(x, y, fwhm, peak, shape=SHAPE):
    rows, columns = (np.arange(n) for n in shape)
    along_y, along_x = (
        np.exp(-4 * np.log(2) * (offset / fwhm) ** 2) for offset in (rows - y, columns - x)
    )
    return peak * np.outer(along_y, along_x)


@pytest.mark.parametrize("stokes", ["I", "V"])
@pytest.mark.parametrize("fwhm", [2.0, 2.5, 4.5, 8.0])
def test_pure_noise(stokes, fwhm):
    rng = np.random.default_rng(int(fwhm * 10))
    plane = 3e-5 * beam_noise(rng, fwhm=fwhm)
    layout = ("I",) if stokes == "I" else ("I", "V")
    noise = estimate_noise(radio_image(*[plane] * len(layout), stokes=layout, fwhm=fwhm))
    rms, mean = noise.rms[-1] / 3e-5, noise.mean[-1] / 3e-5
    assert noise.rms.dtype == noise.mean.dtype == np.float32
    assert np.median(rms) == pytest.approx(1, abs=0.02)
    assert np.percentile(np.abs(rms - 1), 90) < 0.06
    assert abs(mean.mean()) < 0.05
    assert mean.std() < 0.15


@pytest.mark.parametrize("shape", [(128, 128), (60, 200), (20, 20)])
def test_small_images_are_measured_in_fewer_boxes(shape):
    rng = np.random.default_rng(4)
    measured = [
        np.median(estimate_noise(radio_image(beam_noise(rng, shape))).rms) for _ in range(30)
    ]
    assert np.mean(measured) == pytest.approx(1, abs=0.12)


def test_crowded_field():
    rng = np.random.default_rng(5)
    rms = 25e-6
    plane = rms * beam_noise(rng, (1000, 1000)) + crowd(rng, (1000, 1000), 4.5, 3.3)
    noise = estimate_noise(radio_image(plane))
    assert np.median(noise.rms) / rms == pytest.approx(1, abs=0.05)
    assert np.mean(np.abs(noise.rms / rms - 1) < 0.12) > 0.9
    assert np.median(noise.mean) < 0.3 * rms


@pytest.mark.parametrize(
    "profile",
    [
        lambda y, x: 10 ** (x / SHAPE[1]),
        lambda y, x: 1 + 5 * y / SHAPE[0],
        lambda y, x: np.exp(4 * np.log(2) * ((x - 350) ** 2 + (y - 350) ** 2) / 700**2),
    ],
    ids=["exponential", "linear", "primary beam"],
)
def test_rms_gradient_is_followed_to_the_edge(profile):
    true = profile(*np.indices(SHAPE))
    noise = estimate_noise(radio_image(true * beam_noise(np.random.default_rng(6))))
    ratio = noise.rms[0] / true
    assert np.mean(np.abs(ratio - 1) < 0.1) > 0.9
    assert 0.8 < ratio.min() < ratio.max() < 1.25


def test_smooth_background_goes_into_the_mean():
    rng = np.random.default_rng(7)
    background = 20 * np.sin(np.indices(SHAPE)[1] / SHAPE[1] * np.pi) + 5
    noise = estimate_noise(radio_image(beam_noise(rng) + background))
    assert np.median(noise.rms) == pytest.approx(1, abs=0.05)
    assert np.median(np.abs(noise.mean[0] - background)) < 0.2


@pytest.mark.parametrize("peak", [5.0, 40.0, 1000.0])
def test_extended_emission_does_not_raise_the_rms(peak):
    rng = np.random.default_rng(8)
    plane = beam_noise(rng) + gaussian(340, 350, 30, peak)
    rms = estimate_noise(radio_image(plane)).rms[0]
    assert rms[350, 340] == pytest.approx(1, abs=0.15)
    assert rms.max() < 1.25


@pytest.mark.parametrize("sign", [1, -1])
def test_sources_of_stokes_v_have_both_signs(sign):
    rng = np.random.default_rng(9)
    sources = sum(gaussian(x, y, 4.5, sign * 30) for x, y in rng.uniform(0, 700, (150, 2)))
    clean = beam_noise(rng)
    image = radio_image(clean, clean + sources, stokes=("I", "V"))
    assert np.median(estimate_noise(image).rms[1]) == pytest.approx(1, abs=0.03)


def test_artefacts_raise_the_noise_near_a_bright_source_only():
    rng = np.random.default_rng(10)
    rows, columns = np.indices(SHAPE)
    true = 1 + 4 * np.exp(-np.hypot(columns - 350, rows - 350) / 30)
    plane = true * beam_noise(rng) + gaussian(350, 350, 4.5, 2000)
    rms = estimate_noise(radio_image(plane)).rms[0]
    distance = np.hypot(columns - 350, rows - 350)
    assert np.median((rms / true)[distance < 30]) > 0.65
    assert np.median(rms[distance > 150]) == pytest.approx(1, abs=0.05)


def test_bright_source_without_artefacts_leaves_the_noise_alone():
    rng = np.random.default_rng(11)
    plane = beam_noise(rng)
    quiet = estimate_noise(radio_image(plane)).rms[0]
    bright = estimate_noise(radio_image(plane + gaussian(350, 350, 4.5, 2000))).rms[0]
    assert np.mean(np.abs(bright / quiet - 1) < 0.1) > 0.95


def test_listed_sources_are_left_out():
    rng = np.random.default_rng(12)
    faint = sum(gaussian(x, y, 8, 3) for x, y in rng.uniform(0, 700, (400, 2)))
    image = radio_image(beam_noise(rng) + faint)
    clipped, listed = (estimate_noise(image, sources=sources) for sources in (None, faint > 0.3))
    assert np.median(listed.rms) == pytest.approx(1, abs=0.05)
    assert np.median(listed.rms) < np.median(clipped.rms)
    assert np.median(np.abs(listed.mean)) < np.median(np.abs(clipped.mean))


def test_sources_everywhere_are_measured_all_the_same():
    plane = beam_noise(np.random.default_rng(17))
    rms = estimate_noise(radio_image(plane), sources=np.ones(SHAPE, bool)).rms
    assert np.median(rms) == pytest.approx(1, abs=0.05)


def test_blank_pixels():
    rng = np.random.default_rng(13)
    plane = beam_noise(rng)
    plane[:, 400:] = np.nan
    plane[100:130, 100:300] = np.nan
    noise = estimate_noise(radio_image(plane))
    assert (np.isnan(noise.rms[0]) == np.isnan(plane)).all()
    assert (np.isnan(noise.mean[0]) == np.isnan(plane)).all()
    assert np.nanmedian(noise.rms) == pytest.approx(1, abs=0.03)
    assert np.nanmin(noise.rms) > 0.8
    assert np.nanmax(noise.rms) < 1.2


def test_planes_are_independent():
    rng = np.random.default_rng(14)
    good = beam_noise(rng)
    image = radio_image(good, np.full(SHAPE, np.nan), stokes=("I", "V"))
    noise = estimate_noise(image)
    assert np.isnan(noise.rms[1]).all()
    np.testing.assert_array_equal(noise.rms[0], estimate_noise(radio_image(good)).rms[0])


def test_plane_without_noise_has_none():
    assert np.isnan(measure_noise(np.ones((50, 50)), 4.5).rms).all()


def test_an_image_without_noise_is_refused():
    with pytest.raises(PssegError, match="no noise to measure in it: its pixels are"):
        measure_planes(radio_image(np.full((50, 50), 0.01)))
    single = np.full((50, 50), np.nan)
    single[20, 20] = 1.0
    with pytest.raises(PssegError, match="no noise to measure"):
        measure_planes(radio_image(single))


def test_scaling_the_image_scales_its_noise():
    plane = beam_noise(np.random.default_rng(15))
    one, other = (estimate_noise(radio_image(plane * scale)) for scale in (1, 1e-7))
    np.testing.assert_allclose(other.rms, one.rms * 1e-7, rtol=1e-3)


def test_a_part_has_the_values_of_the_whole():
    rng = np.random.default_rng(16)
    plane = beam_noise(rng) + gaussian(300, 300, 4.5, 1000)
    plane[:20] = np.nan
    image = radio_image(plane)
    whole = estimate_noise(image)
    rows, columns = slice(3, 605), slice(127, 200)
    part = noise_maps(measure_planes(image), image.planes[:, rows, columns], corner=(3, 127))
    np.testing.assert_allclose(part.rms, whole.rms[:, rows, columns], rtol=1e-5)
    np.testing.assert_allclose(part.mean, whole.mean[:, rows, columns], atol=1e-5)


def test_noise_made_when_asked_for_is_that_of_the_whole_image():
    rng = np.random.default_rng(17)
    planes = [beam_noise(rng), 3 * beam_noise(rng)]
    planes[0][:100, 50:] = np.nan
    image = radio_image(*planes, stokes=("I", "V"))
    whole = estimate_noise(image)
    noise = ImageNoise(meshes=measure_planes(image), planes=image.planes)
    np.testing.assert_array_equal(noise.rms, whole.rms)
    np.testing.assert_array_equal(noise.mean, whole.mean)
    part = noise.part(slice(40, 300), slice(20, 90))
    np.testing.assert_allclose(part.rms, whole.rms[:, 40:300, 20:90], rtol=1e-5)
    np.testing.assert_allclose(noise.typical_rms(), np.nanmedian(whole.rms, axis=(1, 2)), rtol=1e-5)


def test_the_typical_noise_of_a_blank_plane_is_unknown():
    image = radio_image(np.full((40, 40), np.nan))
    noise = ImageNoise(meshes=measure_planes(image), planes=image.planes)
    assert np.isnan(noise.typical_rms()).all()


def test_sources_of_another_shape_are_refused():
    with pytest.raises(PssegError, match=r"sources: want the image's shape \(50, 50\), got \(5,"):
        estimate_noise(radio_image(np.zeros((50, 50))), sources=np.zeros((5, 50), bool))


@pytest.mark.data
class TestRealImages:
    """Noise of real tiles, against what their surveys quote and against a global MAD."""

    @pytest.fixture
    def tile(self, data_folder):
        """Give a tile, and its noise and mean maps."""

        def read(name, fwhm_deg):
            path = data_folder / "radio" / name
            if not path.is_file():
                pytest.skip(f"no real data: {path} does not exist")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstropyWarning)
                data, header = fits.getdata(path, header=True)
                scale = abs(header["CDELT2"])
            plane = np.squeeze(data).astype(np.float32)
            mesh = measure_noise(plane, fwhm_deg / scale)
            return plane, *mesh.interpolate(*map(np.arange, plane.shape))

        return read

    @pytest.mark.parametrize(
        ("name", "beam", "low", "high"),
        [
            ("FIRST_4FGLJ0056.3-0935_TXS0053-098_bll", 5.4, 0.15e-3, 0.19e-3),
            ("FIRST_4FGLJ1516.5+0015_PKS1514+00_rdg_FRII", 5.4, 0.15e-3, 0.19e-3),
            ("FIRST_4FGLJ1615.6+4712_B3_1614+473_fsrq", 5.4, 0.15e-3, 0.19e-3),
            ("J0013-0919_FIRST_1400MHz", 5.9, 0.15e-3, 0.2e-3),
            ("J0013-0919_NVSS_1400MHz", 45.0, 0.45e-3, 0.6e-3),
            ("J0013-0919_VLASS3.1QL_3000MHz", 2.6, 0.17e-3, 0.25e-3),
            ("amila_GRB120422A_16.5GHz", 36.6, 0.11e-3, 0.15e-3),
            ("pybdsf_test_ch0_I", 54.0, 0.4e-3, 0.6e-3),
            ("pybdsf_test_ch0_V", 54.0, 0.28e-3, 0.38e-3),
        ],
    )
    def test_rms_is_the_surveys(self, tile, name, beam, low, high):
        _, rms, _ = tile(f"{name}.fits", beam / 3600)
        assert low < np.median(rms) < high

    def test_simulated_meerkat_image(self, tile):
        plane, rms, _ = tile("deepsource_image1.fits", 25.5 / 3600)
        mad = 1.4826 * np.median(np.abs(plane - np.median(plane)))
        assert 0.85 < np.median(rms) / mad < 1

    def test_diffuse_emission_of_the_plane_goes_into_the_mean(self, tile):
        plane, rms, mean = tile("magpis_G10.5+0.0_20cm.fits", 5.8 / 3600)
        assert np.median(rms) < 0.35e-3
        assert mean.max() - mean.min() > 4 * np.median(rms)
        quiet = np.abs(plane - mean) < 3 * rms
        assert np.std(((plane - mean) / rms)[quiet]) == pytest.approx(1, abs=0.1)

    def test_snapshot_is_noisier_near_its_source(self, tile):
        plane, rms, _ = tile("lofar144_GRB201006A_2min_pb_cutout.fits", 24.1 / 3600)
        y, x = np.unravel_index(np.argmax(plane), plane.shape)
        assert rms[y, x] > 1.2 * np.median(rms)
