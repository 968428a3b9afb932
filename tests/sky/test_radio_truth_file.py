"""The truth file of a simulated radio image gives back what was simulated."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.sky.radio_image_files import simulate_radio_sky, write_simulated_image
from psseg.sky.radio_observation import draw_observation, lowest_first
from psseg.sky.radio_simulation import simulate_image
from psseg.sky.radio_truth_file import is_radio_truth, read_radio_truth
from psseg.survey.survey import load_survey
from psseg.tiles.radio_files import read_radio_image


def simulated(seed):
    radio, rng = load_survey("radio"), np.random.default_rng(seed)
    observation = draw_observation(radio, rng)
    return simulate_image(radio, rng=rng, shape=(96, 128), mix="balanced", observation=observation)


@pytest.mark.parametrize("seed", range(6))
def test_sources_pixels_and_blanks_come_back(seed, tmp_path):
    made = simulated(seed)
    files = write_simulated_image(made, tmp_path, "sky")
    found = read_radio_truth(files.truth)
    assert is_radio_truth(files.truth)
    assert not is_radio_truth(files.planes[0])
    np.testing.assert_array_equal(found.mask, made.image.mask)
    np.testing.assert_array_equal(found.source_map, made.source_map)
    assert list(found.table["CLASS"]) == list(made.truth["CLASS"])
    np.testing.assert_allclose(found.table["ra"].value, made.truth["ra"].value)
    assert found.frequency == made.image.frequencies[0]
    here = found.wcs.pixel_to_world(5.0, 9.0)
    assert here.separation(made.image.pixel_to_sky(5.0, 9.0)).arcsec < 1e-6


def test_the_lower_frequency_comes_first_and_all_else_stays():
    radio, rng = load_survey("radio"), np.random.default_rng(1)
    turned = 0
    for _ in range(60):
        drawn = draw_observation(radio, rng)
        first = lowest_first(drawn)
        assert first.frequencies[0] == min(drawn.frequencies)
        assert first.lever_arm == pytest.approx(drawn.lever_arm)
        if first is drawn:
            continue
        turned += 1
        assert first.frequencies[:2] == drawn.frequencies[1::-1]
        assert first.rms[:2] == drawn.rms[1::-1]
        assert first.frequencies[2:] == first.frequencies[:1] * len(first.frequencies[2:])
        for here, there in zip(first.rms[2:], drawn.rms[2:], strict=True):
            assert here / first.rms[0] == pytest.approx(there / drawn.rms[0])
    assert turned > 5


def test_the_truth_of_files_is_that_of_the_plane_that_is_read_first(tmp_path):
    radio = load_survey("radio")
    written = simulate_radio_sky(radio, tmp_path, n_images=6, shape=(64, 64), seed=1)
    higher = 0
    for files in written:
        image, truth = read_radio_image(files.planes), read_radio_truth(files.truth)
        assert image.frequencies[0] == pytest.approx(truth.frequency)
        assert image.name == files.planes[0].stem
        higher += image.stokes[:2] == ("I", "I")
    assert higher > 1


def test_what_is_no_truth_is_refused(tmp_path):
    with pytest.raises(PssegError, match="not a truth file"):
        read_radio_truth(tmp_path / "none.fits")
    assert not is_radio_truth(tmp_path / "none.fits")
