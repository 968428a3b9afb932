"""What the network sees: significances, resampled without loss, and back on the image's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from scipy import ndimage

from psseg.errors import PssegError
from psseg.tiles.beam import FWHM_PER_SIGMA, Beam
from psseg.tiles.network_planes import network_planes, to_image_grid
from psseg.tiles.noise import Noise
from psseg.tiles.radio_image import RadioImage

SHAPE = (150, 130)
FWHM = [1.8, 2.2, 7.0, 9.0, 17.0]  # pixels: outside of what the network wants


def radio_image(*planes, stokes=("I",), frequencies=None, fwhm=4.5):
    data = np.array(planes, dtype=np.float32)
    scale = 1 / 3600
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.cdelt = [-scale, scale]
    beam = Beam(major=1.25 * fwhm * scale, minor=0.8 * fwhm * scale, angle=30.0)
    return RadioImage(
        planes=data,
        stokes=stokes,
        frequencies=frequencies or (1.4e9,) * len(data),
        beams=(beam,) * len(data),
        wcs=wcs,
        mask=np.isnan(data[0]),
    )


def flat_noise(image, rms=1.0, mean=0.0):
    return Noise(rms=np.full_like(image.planes, rms), mean=np.full_like(image.planes, mean))


def point(x, y, fwhm, peak=100.0, shape=SHAPE):
    rows, columns = (np.arange(n) for n in shape)
    along_y, along_x = (
        np.exp(-4 * np.log(2) * (offset / fwhm) ** 2) for offset in (rows - y, columns - x)
    )
    return peak * np.outer(along_y, along_x)


def beam_noise(rng, fwhm, shape):
    sigma = fwhm / FWHM_PER_SIGMA
    white = rng.standard_normal(shape)
    return ndimage.gaussian_filter(white, sigma, mode="wrap") * 2 * np.sqrt(np.pi) * sigma


def centroid(values):
    rows, columns = np.indices(values.shape)
    return (values * columns).sum() / values.sum(), (values * rows).sum() / values.sum()


@pytest.mark.parametrize("fwhm", [2.5, 4.2, 5.4])
def test_beam_that_suits_is_not_resampled(fwhm):
    rng = np.random.default_rng(1)
    image = radio_image(rng.normal(3, 2, SHAPE), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image, rms=2, mean=3))
    assert planes.zoom == 1
    np.testing.assert_allclose(planes.data[0], (image.planes[0] - 3) / 2, rtol=1e-5, atol=1e-6)
    assert planes.data.dtype == np.float32
    assert planes.present.tolist() == [True, False, False]
    assert not planes.data[1:].any()
    assert planes.lever_arm == 0


@pytest.mark.parametrize("fwhm", FWHM)
def test_other_beams_become_4_pixels_wide(fwhm):
    image = radio_image(point(60, 70, fwhm), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    assert planes.zoom == pytest.approx(4 / fwhm)
    assert planes.data.shape[1:] == planes.mask.shape
    assert planes.mask.shape == tuple(int(np.ceil(n * 4 / fwhm)) for n in SHAPE)
    data = planes.data[0] / planes.data[0].max()
    width = np.sqrt(np.count_nonzero(data > 0.5) * 4 / np.pi)
    assert width == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("fwhm", FWHM)
@pytest.mark.parametrize("at", [(25.0, 27.3), (64.71, 74.5), (99.2, 120.4)])
def test_points_stay_where_they_are(fwhm, at):
    image = radio_image(point(*at, fwhm), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    x, y = centroid(planes.data[0])
    assert (x + 0.5) / planes.zoom - 0.5 == pytest.approx(at[0], abs=0.05)
    assert (y + 0.5) / planes.zoom - 0.5 == pytest.approx(at[1], abs=0.05)
    back = to_image_grid(planes.data[0], planes, SHAPE)
    assert back.shape == SHAPE
    assert centroid(back) == pytest.approx(at, abs=0.05)


@pytest.mark.parametrize("fwhm", FWHM)
def test_noise_of_the_beam_keeps_its_rms(fwhm):
    rng = np.random.default_rng(2)
    image = radio_image(beam_noise(rng, fwhm, (900, 900)), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    assert planes.data[0].std() == pytest.approx(image.planes[0].std(), rel=0.03)


def test_a_last_pixel_that_covers_a_sliver_is_no_noisier_than_the_others():
    image = radio_image(np.random.default_rng(3).normal(size=(901, 900)), fwhm=18.0)
    data = network_planes(image, flat_noise(image)).data[0]
    assert data.shape[0] * 4.5 > 904
    for border in (data[-1], data[:, -1]):
        assert border.std() < 1.6


def test_noise_of_single_pixels_is_scaled_to_unit_rms():
    image = radio_image(np.random.default_rng(3).normal(size=(900, 900)), fwhm=18.0)
    planes = network_planes(image, flat_noise(image))
    assert planes.data[0].std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("fwhm", FWHM)
def test_peak_significance_survives(fwhm):
    rng = np.random.default_rng(4)
    sky = point(449.3, 450.6, fwhm, shape=(900, 900)) + beam_noise(rng, fwhm, (900, 900))
    image = radio_image(sky, fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    assert planes.data[0].max() == pytest.approx(100, rel=0.07)


@pytest.mark.parametrize("order", [1, -1])
def test_tilt_is_excess_over_the_typical_index(order):
    low, high = 0.9e9, 1.6e9
    factor = (high / low) ** -0.8
    typical, flat = point(40, 40, 4.5, 50), point(90, 100, 4.5, 50)
    at = {low: typical + flat, high: typical * factor + flat}
    frequencies = (low, high)[::order]
    image = radio_image(*map(at.get, frequencies), stokes=("I", "I"), frequencies=frequencies)
    planes = network_planes(image, flat_noise(image, rms=2.0))
    assert planes.present.tolist() == [True, True, False]
    assert planes.lever_arm == pytest.approx(np.log(high / low))
    assert planes.data[1, 40, 40] == pytest.approx(0, abs=1e-4)
    expected = 50 * (1 - factor) / (2 * np.hypot(1, factor))
    assert planes.data[1, 100, 90] == pytest.approx(expected, rel=1e-4)


def test_tilt_of_noise_has_unit_rms():
    rng = np.random.default_rng(5)
    image = radio_image(
        rng.normal(0, 2, (400, 400)),
        rng.normal(0, 3, (400, 400)),
        stokes=("I", "I"),
        frequencies=(1e9, 2e9),
    )
    noise = Noise(
        rms=np.ones_like(image.planes) * np.array([2, 3], np.float32)[:, None, None],
        mean=np.zeros_like(image.planes),
    )
    assert network_planes(image, noise).data[1].std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("frequencies", [(np.nan, np.nan), (1e9, np.nan), (1e9, 1e9)])
def test_no_tilt_without_two_frequencies(frequencies):
    plane = point(60, 60, 4.5)
    image = radio_image(plane, plane, stokes=("I", "I"), frequencies=frequencies)
    planes = network_planes(image, flat_noise(image))
    assert planes.present.tolist() == [True, False, False]
    assert not planes.data[1].any()
    assert planes.lever_arm == 0


@pytest.mark.parametrize("stokes", [("I", "V"), ("I", "I", "V")])
def test_circular_polarisation_keeps_its_sign(stokes):
    plane = point(60, 60, 4.5)
    image = radio_image(
        *[plane] * (len(stokes) - 1),
        -plane / 2,
        stokes=stokes,
        frequencies=(1e9, 2e9, 1e9)[-len(stokes) :],
    )
    planes = network_planes(image, flat_noise(image, rms=5))
    assert planes.present.tolist() == [True, len(stokes) == 3, True]
    assert planes.data[2, 60, 60] == pytest.approx(-10)


@pytest.mark.parametrize("fwhm", [2.5, 4.5, 9.0])
def test_blank_pixels_are_masked_and_zero(fwhm):
    plane = np.full(SHAPE, 5.0)
    plane[:, 80:] = np.nan
    other = np.full(SHAPE, 5.0)
    other[:50] = np.nan
    image = radio_image(plane, other, stokes=("I", "V"), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    edge = 80 * planes.zoom
    columns = np.arange(planes.mask.shape[1])
    assert planes.mask[:, columns > edge + 0.5].all()
    assert not planes.mask[:, columns < edge - 1.5].any()
    assert np.isfinite(planes.data).all()
    assert not planes.data[:, planes.mask].any()
    seen = planes.data[:, :, columns < edge - 3 * max(1, planes.zoom)]
    assert seen[0] == pytest.approx(5, rel=0.1)
    assert not seen[1, : int(40 * planes.zoom)].any()


def test_blank_in_the_noise_is_background():
    image = radio_image(np.ones(SHAPE))
    noise = flat_noise(image)
    noise.rms[:] = np.nan
    assert not network_planes(image, noise).data.any()


@pytest.mark.parametrize("fwhm", [2.0, 4.5, 9.0])
@pytest.mark.parametrize("dtype", [bool, np.int32, np.uint8])
def test_labels_come_back_as_they_are(fwhm, dtype):
    image = radio_image(np.zeros(SHAPE), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    labels = np.zeros(planes.mask.shape, dtype)
    labels[:, int(labels.shape[1] / 2) :] = 1
    back = to_image_grid(labels, planes, SHAPE)
    assert back.dtype == dtype
    assert back.shape == SHAPE
    assert set(np.unique(back)) == {0, 1}
    assert np.count_nonzero(back[0]) == pytest.approx(SHAPE[1] / 2, abs=1.5)


@pytest.mark.parametrize("fwhm", FWHM)
def test_probabilities_come_back_as_probabilities(fwhm):
    image = radio_image(np.zeros(SHAPE), fwhm=fwhm)
    planes = network_planes(image, flat_noise(image))
    rng = np.random.default_rng(6)
    drawn = rng.dirichlet(np.ones(4), planes.mask.shape).transpose(2, 0, 1).astype(np.float32)
    back = to_image_grid(drawn, planes, SHAPE)
    assert back.shape == (4, *SHAPE)
    assert back.dtype == np.float32
    assert back.min() >= 0
    np.testing.assert_allclose(back.sum(axis=0), 1, rtol=1e-5)


def test_gradient_survives_both_ways():
    plane = np.indices(SHAPE)[1].astype(float)
    image = radio_image(plane, fwhm=9.0)
    planes = network_planes(image, flat_noise(image))
    scale = planes.data[0][:, 20:45].mean() / ((np.arange(20, 45) + 0.5) / planes.zoom - 0.5).mean()
    back = to_image_grid(planes.data[0], planes, SHAPE) / scale
    np.testing.assert_allclose(back[:, 20:110], plane[:, 20:110], rtol=0.01)


def test_maps_without_resampling_are_given_back():
    image = radio_image(np.zeros(SHAPE))
    planes = network_planes(image, flat_noise(image))
    assert to_image_grid(planes.data, planes, SHAPE) is planes.data


def test_maps_of_another_shape_are_refused():
    image = radio_image(np.zeros(SHAPE), fwhm=9.0)
    planes = network_planes(image, flat_noise(image))
    with pytest.raises(PssegError, match=r"want \(67, 58\) network pixels, got \(150, 130\)"):
        to_image_grid(np.zeros(SHAPE), planes, SHAPE)


def test_noise_of_another_shape_is_refused():
    image = radio_image(np.zeros(SHAPE))
    other = radio_image(np.zeros((5, 5)))
    with pytest.raises(PssegError, match=r"noise: want shape \(1, 150, 130\), got \(1, 5, 5\)"):
        network_planes(image, flat_noise(other))
