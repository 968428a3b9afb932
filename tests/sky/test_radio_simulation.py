"""Simulated radio images: what they hold agrees with their truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from psseg.errors import PssegError
from psseg.sky.radio_observation import ArtefactLevels, lowest_first
from psseg.sky.radio_simulation import draw_observation, noiseless_sky, simulate_image
from psseg.survey.classes import IGNORED, SourceClass
from psseg.survey.survey import load_survey

SURVEY = load_survey("radio")
SHAPE = (96, 120)


def observation_like(name, seed=0, **changes):
    drawn = draw_observation(SURVEY, np.random.default_rng(seed), like=name)
    return replace(drawn, **{"artefacts": ArtefactLevels(), **changes})


def simulate(seed=1, *, shape=SHAPE, mix="balanced", observation=None):
    rng = np.random.default_rng(seed)
    return simulate_image(SURVEY, rng=rng, shape=shape, mix=mix, observation=observation)


@pytest.fixture(scope="module")
def emu():
    return simulate(3, shape=(256, 256), observation=observation_like("emu"))


# --- observations ----------------------------------------------------------------------------


def test_observations_are_drawn_from_the_ranges_of_the_survey():
    rng = np.random.default_rng(1)
    drawn = [draw_observation(SURVEY, rng) for _ in range(300)]
    widths = [np.sqrt(o.beam_pixels[0] * o.beam_pixels[1]) for o in drawn]
    ratios = [o.beam_pixels[1] / o.beam_pixels[0] for o in drawn]
    narrowest, widest = SURVEY.instrument.beam_pixels
    assert narrowest <= min(widths) < 1.1 * narrowest
    assert 0.9 * widest < max(widths) <= widest
    assert 0.5 <= min(ratios) < 0.55 < 0.95 < max(ratios) <= 1
    layouts = {o.stokes for o in drawn}
    assert layouts == {("I",), ("I", "I"), ("I", "V"), ("I", "I", "V")}
    arms = np.array([o.lever_arm for o in drawn if o.second is not None])
    assert 0.05 <= arms.min() < 0.07
    assert 2 < arms.max() <= 2.3
    in_plane = np.mean([abs(o.galactic_latitude) < 5 for o in drawn])
    assert in_plane == pytest.approx(SURVEY.instrument.plane_share + 0.06, abs=0.09)


def test_the_ratio_of_the_frequencies_is_that_to_the_reference_plane():
    observation = observation_like("emu", frequencies=(2e9, 1e9, 2e9))
    assert observation.frequency_ratio == 0.5
    assert observation.lever_arm == pytest.approx(np.log(2))
    assert lowest_first(observation).frequency_ratio == 2.0
    alone = replace(observation, stokes=("I", "V"), frequencies=(2e9, 2e9))
    assert np.isnan(alone.frequency_ratio)
    assert alone.lever_arm == 0


def test_both_orders_of_the_frequencies_occur():
    rng = np.random.default_rng(2)
    drawn = [draw_observation(SURVEY, rng) for _ in range(100)]
    signs = [np.sign(o.frequencies[1] - o.frequencies[0]) for o in drawn if o.second is not None]
    assert 0.25 < np.mean(np.array(signs) > 0) < 0.75


@pytest.mark.parametrize("name", ["racs-mid", "emu", "vlass", "lotss"])
def test_set_ups_are_those_of_the_survey_file(name):
    observation = draw_observation(SURVEY, np.random.default_rng(1), like=name)
    setup = SURVEY.setups[name]
    assert observation.stokes == ("I", "I", "V")
    assert observation.rms[0] == setup.rms
    assert observation.beam.major * 3600 == pytest.approx(setup.beam[0])
    assert observation.beam.minor * 3600 == pytest.approx(setup.beam[1])
    assert not observation.artefacts.snapshot


def test_an_unknown_set_up_is_refused():
    with pytest.raises(PssegError, match="no set-up 'ska'; it has racs-mid"):
        draw_observation(SURVEY, np.random.default_rng(1), like="ska")


def test_an_unknown_mix_is_refused():
    with pytest.raises(PssegError, match="mix is 'wild'"):
        simulate(mix="wild")


# --- images ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", ["physical", "balanced"])
@pytest.mark.parametrize("seed", range(8))
def test_every_image_is_sound(mix, seed):
    made = simulate(seed, mix=mix)
    image = made.image
    assert image.shape == SHAPE
    assert made.signal.shape == made.rms.shape == image.planes.shape
    assert made.signal.dtype == made.rms.dtype == image.planes.dtype == np.float32
    assert np.isfinite(made.signal).all()
    assert (made.rms > 0).all()
    assert np.array_equal(np.isnan(image.planes[0]), image.mask)
    assert np.all(made.class_map[image.mask] == IGNORED)
    assert made.class_map.dtype == np.uint8
    assert set(np.unique(made.class_map)) <= {0, 1, 2, 3, IGNORED}
    assert 0 <= made.source_map.max() <= len(made.truth)


def test_the_seed_decides_everything():
    first, again, other = simulate(5), simulate(5), simulate(6)
    assert np.array_equal(first.image.planes, again.image.planes, equal_nan=True)
    assert np.array_equal(first.class_map, again.class_map)
    assert np.array_equal(first.truth["ra"], again.truth["ra"])
    assert not np.array_equal(first.signal[0], other.signal[0])


def test_noise_has_the_local_rms_in_every_plane(emu):
    noise = (emu.image.planes - emu.signal) / emu.rms
    assert np.allclose(noise.std(axis=(1, 2)), 1, atol=0.05)
    assert np.abs(np.corrcoef(noise.reshape(3, -1)) - np.eye(3)).max() < 0.05


def test_bright_sources_are_in_the_image_as_the_table_says(emu):
    table = emu.truth[(emu.truth["SNR"] > 20) & (emu.truth["maj"] < 1e-4 * u.deg)]
    column, row = (np.rint(table[name]).astype(int) for name in ("X", "Y"))
    inside = (column > 3) & (column < 252) & (row > 3) & (row < 252)
    seen = emu.signal[0][row[inside], column[inside]]
    assert inside.sum() >= 3
    # A pixel is within 0.71 pixel of the peak, and neighbours add.
    assert np.all(seen > 0.9 * table["peak_flux"].value[inside])
    assert np.median(seen / table["peak_flux"].value[inside]) < 1.1


def test_positions_are_those_of_the_wcs(emu):
    sky = SkyCoord(emu.truth["ra"], emu.truth["dec"])
    x, y = emu.image.wcs.world_to_pixel(sky)
    assert np.allclose([x, y], [emu.truth["X"], emu.truth["Y"]], atol=1e-6)


def test_source_map_and_table_and_class_map_agree(emu):
    for number in range(1, len(emu.truth) + 1):
        pixels = emu.class_map[emu.source_map == number]
        row = emu.truth[number - 1]
        wanted = SourceClass[row["CLASS"].upper()] if row["SNR"] >= 4 else IGNORED
        assert np.all(pixels == wanted)
    assert np.all(emu.class_map[emu.source_map == 0] == 0)
    labelled = np.unique(emu.source_map[emu.source_map > 0]) - 1
    assert np.all(emu.truth["SNR"][labelled] >= 2.5)


def test_second_frequency_and_v_follow_the_table():
    observation = observation_like("emu")
    made = simulate(8, shape=(256, 256), observation=observation)
    ratio = observation.frequencies[1] / observation.frequencies[0]
    table = made.truth[(made.truth["SNR"] > 100) & (made.truth["N_COMPONENTS"] == 1)]
    column, row = (np.rint(table[name]).astype(int) for name in ("X", "Y"))
    inside = (column >= 0) & (column < 256) & (row >= 0) & (row < 256)
    planes = made.signal[:, row[inside], column[inside]]
    alpha = np.log(planes[1] / planes[0]) / np.log(ratio)
    v_over_i = planes[2] / planes[0]
    assert inside.sum() >= 3
    assert np.median(np.abs(alpha - table["alpha"][inside])) < 0.1
    assert np.median(np.abs(v_over_i - table["v_over_i"][inside])) < 0.01


def test_leakage_puts_stokes_i_into_v():
    levels = ArtefactLevels(leakage=0.02)
    observation = observation_like("emu", artefacts=levels)
    leaked, clean = (
        simulate(8, observation=observation),
        simulate(8, observation=observation_like("emu")),
    )
    assert np.allclose(leaked.signal[0], clean.signal[0])
    difference, expected = leaked.signal[2] - clean.signal[2], 0.02 * clean.signal[0]
    assert np.allclose(difference, expected, atol=1e-3 * expected.max())


def sky_of(observation, *, seed=4, shape=SHAPE, mix="balanced"):
    rng = np.random.default_rng(seed)
    return noiseless_sky(SURVEY, rng=rng, shape=shape, mix=mix, observation=observation)


def test_sidelobes_lower_the_signal_to_noise_of_faint_neighbours():
    levels = ArtefactLevels(snapshot=True, sidelobe_amplitude=0.15, sidelobe_reach=12.0)
    spoiled = sky_of(observation_like("emu", artefacts=levels))
    clean = sky_of(observation_like("emu"))
    assert clean.peaks.max() > 50 * clean.observation.rms[0]
    assert np.array_equal(clean.peaks, spoiled.peaks)
    assert np.median(spoiled.snr / clean.snr) < 0.8


def test_blank_borders_hold_no_sources():
    levels = ArtefactLevels(blank_share=0.3)
    made = simulate(9, observation=observation_like("emu", artefacts=levels))
    assert made.image.mask.mean() == pytest.approx(0.3, abs=0.02)
    assert not made.source_map[made.image.mask].any()


def test_confusion_counts_for_the_signal_to_noise():
    deep = observation_like("emu", rms=(1e-6, 1e-6, 1e-6))
    sky = sky_of(deep, shape=(48, 48), mix="physical")
    assert np.median(sky.peaks / sky.snr) > 4e-6
