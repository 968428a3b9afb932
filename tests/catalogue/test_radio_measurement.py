"""Positions, fluxes, sizes and spectra of radio sources are right within the errors given."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from made_images import (
    FWHM,
    RMS,
    SCALE,
    beam_covariance,
    beam_noise,
    discs,
    draw,
    flat_noise,
    make_image,
    measure,
    measure_all,
    radio_wcs,
)

from psseg.catalogue import radio_blends, radio_fitting
from psseg.catalogue.radio_flags import RadioFlag
from psseg.catalogue.radio_measurement import measure_image
from psseg.catalogue.segment_map import list_segments
from psseg.errors import PssegError
from psseg.tiles.beam import Beam

SIDE, STEP = 25, 24  # sources on a grid, and pixels between them


def grid(rng, *, side=SIDE, step=STEP):
    y, x = (a.ravel().astype(float) for a in np.mgrid[:side, :side] * step + step // 2)
    return x + rng.uniform(-0.5, 0.5, side**2), y + rng.uniform(-0.5, 0.5, side**2)


def field(seed, snr, *, intrinsic=None, step=STEP, side=SIDE, radius=4.0):
    """Sources of one intrinsic covariance; peaks, as seen, of these S/N."""
    rng = np.random.default_rng(seed)
    shape = (side * step, side * step)
    x, y = grid(rng, side=side, step=step)
    covariance = beam_covariance() + (0 if intrinsic is None else intrinsic)
    plane = beam_noise(rng, shape, beam_covariance()) * RMS
    draw(plane, x, y, snr * RMS, covariance)
    table, components = measure(make_image([plane]), discs(shape, x, y, radius))
    flux = snr * RMS * np.sqrt(np.linalg.det(covariance) / np.linalg.det(beam_covariance()))
    return table, components, x, y, flux


@pytest.fixture(scope="module")
def points():
    snr = np.exp(np.random.default_rng(1).uniform(np.log(7), np.log(300), SIDE**2))
    return (*field(2, snr), snr)


def ellipse(major, minor, angle):
    """Covariance of FWHM in pixels and a position angle, north up and east left."""
    return Beam(major=major, minor=minor, angle=angle).covariance(1.0)


def test_pulls_of_points_have_unit_width(points):
    table, _, x, y, flux, _ = points
    pulls = [
        (table["X"] - x) * SCALE / table["e_ra"].value,
        (table["Y"] - y) * SCALE / table["e_dec"].value,
        (table["peak_flux"].value - flux) / table["e_peak_flux"].value,
        (table["int_flux"].value - flux) / table["e_int_flux"].value,
    ]
    for pull in pulls:
        assert abs(np.mean(pull)) < 0.2
        assert 0.85 < np.std(pull) < 1.15


def test_fluxes_of_points_are_unbiased(points):
    table, _, _, _, flux, snr = points
    ratio = table["int_flux"].value / flux
    assert np.mean(ratio[snr > 10]) == pytest.approx(1, abs=0.03)
    assert np.median(ratio[snr > 10]) == pytest.approx(1, abs=0.015)


def test_points_are_points(points):
    table, components, *_ = points
    resolved = table["Flags"] & RadioFlag.RESOLVED > 0
    assert resolved.mean() < 0.04
    assert len(components) == len(table)
    assert (table["N_COMPONENTS"] == 1).all()
    assert not (table["Flags"] & (RadioFlag.FIT_FAILED | RadioFlag.BLENDED)).any()
    plain = table[~resolved]
    for name in ("maj", "min"):
        assert plain[name].to_value("deg") == pytest.approx(FWHM * SCALE, rel=1e-3)
    assert not plain["dc_maj"].value.any()
    assert np.isnan(plain["e_maj"]).all()
    assert plain["SNR"] == pytest.approx(plain["peak_flux"].value / RMS, rel=1e-5)
    # Three numbers were fitted to the two beams of a segment.
    assert 0.3 * RMS < plain["resid_rms"].value.mean() < 0.8 * RMS
    assert abs(plain["resid_mean"].value.mean()) < 0.05 * RMS


@pytest.mark.parametrize("size", [1.0, 2.0])
def test_extended_sources(size):
    intrinsic = ellipse(1.3 * size * FWHM, 0.7 * size * FWHM, 30.0)
    snr = np.exp(np.random.default_rng(3).uniform(np.log(12), np.log(100), 144))
    table, _, x, y, flux = field(4, snr, intrinsic=intrinsic, step=48, side=12, radius=9.0)
    assert (table["Flags"] & RadioFlag.RESOLVED > 0).all()
    assert np.median(table["int_flux"].value / flux) == pytest.approx(1, abs=0.05)
    seen = np.linalg.eigvalsh(intrinsic + beam_covariance())
    major, minor = np.sqrt(seen[::-1] * 8 * np.log(2)) * SCALE
    turn = (table["pa"].value - 30 + 90) % 180 - 90
    pulls = [
        (table["X"] - x) * SCALE / table["e_ra"].value,
        (table["Y"] - y) * SCALE / table["e_dec"].value,
        (table["peak_flux"].value - snr * RMS) / table["e_peak_flux"].value,
        (table["int_flux"].value - flux) / table["e_int_flux"].value,
        (table["maj"].value - major) / table["e_maj"].value,
        (table["min"].value - minor) / table["e_min"].value,
        turn / table["e_pa"].value,
    ]
    for pull in pulls:
        assert abs(np.mean(pull)) < 0.45
        assert 0.8 < np.std(pull) < 1.25
    bright = snr > 40
    for name, fwhm in (("dc_maj", 1.3), ("dc_min", 0.7)):
        median = np.median(table[name].value[bright])
        assert median == pytest.approx(fwhm * size * FWHM * SCALE, rel=0.08)
    assert np.median((table["dc_pa"].value - 30 + 90) % 180) == pytest.approx(90, abs=4)


def test_integrated_fluxes_between_point_and_extended():
    """Sources that may or may not be called resolved are unbiased on the whole."""
    rng = np.random.default_rng(5)
    n = SIDE**2
    snr = np.exp(rng.uniform(np.log(10), np.log(60), n))
    sizes = rng.uniform(0, 1.5, n)
    intrinsic = beam_covariance() * sizes[:, None, None] ** 2
    table, _, _, _, flux = field(6, snr, intrinsic=intrinsic)
    ratio = table["int_flux"].value / flux
    assert np.mean(ratio) == pytest.approx(1, abs=0.05)
    assert np.median(ratio[sizes > 0.7]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rotation", [0.0, 35.0, -120.0])
def test_position_angles_are_on_the_sky(rotation):
    """A long source along a great circle at 60 deg east of north, wherever north is."""
    shape, angle = (121, 121), 60.0
    wcs = radio_wcs(shape, rotation=rotation)
    middle = SkyCoord.from_pixel(60.3, 59.8, wcs)
    beam = Beam(major=5 * SCALE, minor=3.5 * SCALE, angle=20.0)
    end = middle.directional_offset_by(angle * u.deg, 5 * SCALE * u.deg)
    dx, dy = np.array(end.to_pixel(wcs)) - [60.3, 59.8]
    along = np.array([dx, dy]) / np.hypot(dx, dy)
    intrinsic = 6.0**2 * np.outer(along, along)
    plane = np.random.default_rng(0).normal(0, 1e-6, shape)
    seen = intrinsic + beam.covariance(SCALE, rotation=rotation)
    draw(plane, [60.3], [59.8], RMS * 100, seen)
    image = make_image([plane], wcs=wcs, beams=(beam,))
    assert image.rotation == pytest.approx(rotation, abs=0.01)
    (source,), _ = measure(image, discs(shape, [60], [60], 15))
    assert source["dc_pa"].to_value("deg") == pytest.approx(angle, abs=1)
    assert source["dc_maj"].to_value("deg") == pytest.approx(6 * 2.3548 * SCALE, rel=0.02)
    assert source["dc_min"].to_value("deg") < 0.15 * source["dc_maj"].to_value("deg")
    position = SkyCoord(source["ra"], source["dec"])
    assert position.separation(middle) < 0.05 * SCALE * u.deg
    assert position.separation(SkyCoord(source["GLON"], source["GLAT"], frame="galactic")) < (
        0.01 * u.arcsec
    )


def test_north_is_up_and_east_is_left():
    shape = (60, 60)
    plane = np.zeros(shape)
    draw(plane, [30.0], [30.0], 0.1, ellipse(12.0, FWHM, 45.0))
    (source,), _ = measure(make_image([plane]), discs(shape, [30], [30], 10))
    assert source["pa"].to_value("deg") == pytest.approx(45, abs=1)
    rising = plane[33, 27] > plane[33, 33]  # east is towards smaller x
    assert rising


def test_spectral_index_and_circular_polarisation():
    rng = np.random.default_rng(7)
    side, alpha, v_over_i = 20, -1.3, -0.2
    shape = (side * STEP, side * STEP)
    x, y = grid(rng, side=side)
    snr = np.exp(rng.uniform(np.log(15), np.log(300), side**2))
    coarse = Beam(major=1.25 * FWHM * SCALE, minor=1.25 * FWHM * SCALE, angle=0.0)
    fine = Beam(major=FWHM * SCALE, minor=FWHM * SCALE, angle=0.0)
    beams, frequencies = (fine, coarse, fine), (1.4e9, 0.9e9, 1.4e9)
    rms = np.array([1.0, 1.5, 0.8]) * RMS
    factors = (1.0, (0.9 / 1.4) ** alpha, v_over_i)
    planes = []
    for level, factor, beam in zip(rms, factors, beams, strict=True):
        covariance = beam.covariance(SCALE)
        plane = beam_noise(rng, shape, covariance) * level
        draw(plane, x, y, snr * RMS * factor, covariance)
        planes.append(plane)
    image = make_image(planes, stokes=("I", "I", "V"), frequencies=frequencies, beams=beams)
    table, _ = measure(image, discs(shape, x, y, 4.0), rms=rms)
    for name, truth in (("alpha", alpha), ("v_over_i", v_over_i)):
        pull = (table[name] - truth) / table[f"e_{name}"]
        assert abs(np.mean(pull)) < 0.2
        assert 0.85 < np.std(pull) < 1.15
        assert np.average(table[name], weights=table[f"e_{name}"] ** -2) == pytest.approx(
            truth, abs=0.02
        )
    assert not (table["Flags"] & RadioFlag.PLANES_MISSING).any()
    assert (table["freq"] == 1.4e9 * u.Hz).all()


def test_ratios_are_unknown_without_planes_or_signal():
    shape = (50, 50)
    first = beam_noise(np.random.default_rng(8), shape, beam_covariance()) * RMS
    draw(first, [25], [25], 20 * RMS, beam_covariance())
    segments = discs(shape, [25], [25], 4)
    alone, _ = measure(make_image([first]), segments)
    assert np.isnan(alone["alpha"]).all()
    assert np.isnan(alone["v_over_i"]).all()
    both = make_image([first, np.zeros(shape)], stokes=("I", "I"), frequencies=(1.4e9, 0.9e9))
    invisible, _ = measure(both, segments)
    assert np.isnan(invisible["alpha"]).all()
    unknown = make_image([first, first], stokes=("I", "I"), frequencies=(np.nan, np.nan))
    assert np.isnan(measure(unknown, segments)[0]["alpha"]).all()


def draw_pairs(separation, peaks, *, seed=9):
    """Pairs of points on a grid, side by side in the list, and their middles."""
    rng = np.random.default_rng(seed)
    side, step = 10, 40
    shape = (side * step, side * step)
    x, y = grid(rng, side=side, step=step)
    turn = rng.uniform(0, np.pi, len(x))
    half = separation / 2 * np.stack([np.cos(turn), np.sin(turn)])
    xs, ys = (np.stack([a - b, a + b], 1).ravel() for a, b in zip((x, y), half, strict=True))
    plane = beam_noise(rng, shape, beam_covariance()) * RMS
    draw(plane, xs, ys, np.tile(peaks, len(x)) * RMS, beam_covariance())
    return plane, xs, ys


@pytest.mark.parametrize("one_segment", [True, False])
def test_blended_pairs_are_told_apart(one_segment):
    plane, xs, ys = draw_pairs(1.3 * FWHM, [30, 20])
    segments = discs(plane.shape, xs, ys, 4.0)
    if one_segment:
        segments = list_segments((segments.data + 1) // 2)
    table, components, parted = measure_all(make_image([plane]), segments)
    assert len(components) >= 0.97 * len(xs)
    assert len(table) == parted.n_labels >= 0.97 * len(xs)
    assert np.mean(table["Flags"] & RadioFlag.BLENDED > 0) > 0.95
    found = np.hypot(*(a[:, None] - table[name] for a, name in ((xs, "X"), (ys, "Y")))).argmin(1)
    fluxes = table["int_flux"].value[found].reshape(-1, 2)
    assert np.median(fluxes, axis=0) == pytest.approx([30 * RMS, 20 * RMS], rel=0.05)
    assert np.median(np.hypot(table["X"][found] - xs, table["Y"][found] - ys)) < 0.25


def test_points_farther_apart_in_one_segment_are_one_source():
    plane, xs, ys = draw_pairs(2 * FWHM, [30, 20])
    segments = list_segments((discs(plane.shape, xs, ys, 5.0).data + 1) // 2)
    table, components = measure(make_image([plane]), segments)
    assert len(table) == len(components) / 2 == len(xs) / 2
    assert (table["Flags"] & RadioFlag.MULTIPLE > 0).all()
    assert np.mean(table["int_flux"].value) == pytest.approx(50 * RMS, rel=0.03)
    middles = [a.reshape(-1, 2) @ [0.6, 0.4] for a in (xs, ys)]
    assert np.median(np.hypot(table["X"] - middles[0], table["Y"] - middles[1])) < 0.25
    assert np.median(table["peak_flux"].value) == pytest.approx(30 * RMS, rel=0.03)
    assert (table["maj"] > 1.2 * FWHM * SCALE * u.deg).all()


def test_a_radio_galaxy_is_one_source_with_three_components():
    shape = (80, 80)
    plane = np.random.default_rng(10).normal(0, 1e-5, shape)
    shapes = [ellipse(8, 6, 0), beam_covariance(), ellipse(8, 6, 0)]
    draw(plane, [24.0, 40.0, 56.0], [40.0] * 3, [0.05, 0.02, 0.04], shapes)
    segments = list_segments(np.where(plane > 1e-3, 1, 0))
    (source,), components = measure(make_image([plane]), segments)
    area = 8 * 6 / FWHM**2
    assert source["N_COMPONENTS"] == len(components) == 3
    assert components["COMPONENT"].tolist() == [1, 2, 3]
    assert components["peak_flux"].value == pytest.approx([0.05, 0.04, 0.02], rel=0.05)
    assert source["int_flux"].value == pytest.approx(0.09 * area + 0.02, rel=0.03)
    assert source["peak_flux"].value == pytest.approx(0.05, rel=0.03)
    centroid = (0.05 * area * 24 + 0.02 * 40 + 0.04 * area * 56) / (0.09 * area + 0.02)
    assert source["X"] == pytest.approx(centroid, abs=0.2)
    assert source["pa"].to_value("deg") == pytest.approx(90, abs=2)
    assert source["maj"].to_value("deg") / SCALE > 30
    assert source["Flags"] & RadioFlag.MULTIPLE


@pytest.fixture
def fitted_pixels(monkeypatch):
    """Count the pixels of every fit of Gaussians: a list of (fits, pixels of each)."""
    counted = []
    for module in (radio_fitting, radio_blends):

        def counting(values, *given, fit=module.fit_gaussians, **named):
            counted.append(values.shape)
            return fit(values, *given, **named)

        monkeypatch.setattr(module, "fit_gaussians", counting)
    return counted


def test_a_huge_island_takes_few_fits_and_keeps_its_flux(fitted_pixels):
    rng = np.random.default_rng(11)
    shape = (300, 300)
    plane = beam_noise(rng, shape, beam_covariance()) * RMS
    draw(plane, [150.0], [150.0], 60 * RMS, np.diag([60.0, 50.0]) ** 2)
    plane += beam_noise(rng, shape, beam_covariance(20)) * 8 * RMS * (plane > 10 * RMS)
    box = np.zeros(shape, dtype=int)
    box[50:250, 50:250] = 1
    (source,), components = measure(make_image([plane]), list_segments(box))
    assert 1 <= len(components) <= 12
    fits, pixels = np.array(fitted_pixels).T
    assert fits.sum() <= 10 * 12
    assert (fits * pixels).sum() < box.sum()
    total = plane[50:250, 50:250].sum() / (np.pi * FWHM**2 / 4 / np.log(2))
    assert source["int_flux"].value == pytest.approx(total, rel=0.15)


def test_nothing_found_gives_empty_tables():
    image = make_image([np.zeros((20, 30))])
    nothing, no_components = measure(image, list_segments(np.zeros((20, 30), dtype=int)))
    plane = np.zeros((20, 30))
    draw(plane, [15], [10], 1.0, beam_covariance())
    one, one_component = measure(make_image([plane]), discs((20, 30), [15], [10], 3))
    assert len(nothing) == len(no_components) == 0
    assert nothing.colnames == one.colnames
    assert no_components.colnames == one_component.colnames
    for name in one.colnames:
        assert getattr(nothing[name], "unit", None) == getattr(one[name], "unit", None)


def test_noise_taken_for_a_source_is_measured_from_its_pixels():
    shape = (60, 60)
    plane = np.full(shape, -RMS)
    plane[30, 30] = -0.9 * RMS
    (source,), components = measure(make_image([plane]), discs(shape, [30], [30], 3))
    assert len(components) == 0
    assert source["Flags"] & RadioFlag.FIT_FAILED
    assert source["X"] == pytest.approx(30, abs=0.5)
    assert np.isfinite(source["ra"].value)
    assert source["int_flux"].value < 0


def test_the_flux_error_from_pixels_grows_without_a_jump():
    shape, area = (60, 400), np.pi * FWHM**2 / 4 / np.log(2)
    sides = np.arange(2, 12)
    data = np.zeros(shape, dtype=int)
    for label, side in enumerate(sides, start=1):
        data[20 : 20 + side, 30 * label : 30 * label + side] = label
    table, _ = measure(make_image([np.full(shape, -RMS)]), list_segments(data))
    beams = sides**2 / area
    expected = np.where(beams > 2, np.sqrt(2 * beams), beams)
    assert (table["Flags"] & RadioFlag.FIT_FAILED).all()
    assert table["e_int_flux"].value / RMS == pytest.approx(expected, rel=1e-3)


def test_flags_of_places():
    shape = (200, 200)
    x, y = np.array([2.0, 100, 100, 140, 60]), np.array([100.0, 100, 140, 100, 40])
    plane = beam_noise(np.random.default_rng(12), shape, beam_covariance()) * RMS
    draw(plane, x, y, np.array([50, 5000, 10, 30, 30]) * RMS, beam_covariance())
    draw(plane, [152.0], [100.0], -20 * RMS, beam_covariance())
    plane[36:44, 63:70] = np.nan
    segments = discs(shape, x, y, 4)
    flags = np.array(measure(make_image([plane]), segments)[0]["Flags"])
    raised = {flag: np.flatnonzero(flags & flag).tolist() for flag in RadioFlag}
    assert raised[RadioFlag.EDGE] == [0]
    assert raised[RadioFlag.NEAR_BLANK] == [4]
    assert raised[RadioFlag.NEAR_BRIGHT] == [2]
    assert raised[RadioFlag.NEGATIVE_NEIGHBOUR] == [3]
    assert raised[RadioFlag.PLANES_MISSING] == [0, 1, 2, 3, 4]
    assert raised[RadioFlag.UNLIKE_TRAINING] == []
    unlike = measure(make_image([plane]), segments, unlike_training=True)[0]["Flags"]
    assert (unlike & RadioFlag.UNLIKE_TRAINING > 0).all()


def test_a_wholly_blank_segment_and_sources_cut_by_the_edge_do_no_harm():
    shape = (60, 60)
    plane = beam_noise(np.random.default_rng(13), shape, beam_covariance()) * RMS
    draw(plane, [0.3, 40], [0.2, 40], 50 * RMS, beam_covariance())
    plane[15:25, 15:25] = np.nan
    table, _ = measure(make_image([plane]), discs(shape, [0, 20, 40], [0, 20, 40], 4))
    assert table["int_flux"].value[[0, 2]] == pytest.approx(50 * RMS, rel=0.15)
    assert table["Flags"][1] & RadioFlag.FIT_FAILED
    assert np.isnan(table["peak_flux"].value[1])


def test_arrays_that_do_not_fit_are_refused():
    image = make_image([np.zeros((20, 30))])
    segments = list_segments(np.zeros((20, 31), dtype=int))
    with pytest.raises(PssegError, match=r"segments: want shape \(20, 30\) to fit image"):
        measure_image(image, flat_noise(image), segments, np.zeros((20, 30)))
    nothing = list_segments(np.zeros((20, 30), dtype=int))
    with pytest.raises(PssegError, match=r"source_probability: want shape \(0,\)"):
        measure_image(image, flat_noise(image), nothing, np.zeros((20, 31)))
