"""The truth file of a simulated radio image gives back what was simulated."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.errors import PssegError
from psseg.sky.radio_image_files import write_simulated_image
from psseg.sky.radio_observation import draw_observation
from psseg.sky.radio_simulation import simulate_image
from psseg.sky.radio_truth_file import is_radio_truth, read_radio_truth
from psseg.survey.survey import load_survey


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
    here = found.wcs.pixel_to_world(5.0, 9.0)
    assert here.separation(made.image.pixel_to_sky(5.0, 9.0)).arcsec < 1e-6


def test_what_is_no_truth_is_refused(tmp_path):
    with pytest.raises(PssegError, match="not a truth file"):
        read_radio_truth(tmp_path / "none.fits")
    assert not is_radio_truth(tmp_path / "none.fits")
