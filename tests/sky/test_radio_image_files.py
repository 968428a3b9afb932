"""Radio images on disk: nothing is simulated where a file would be lost."""

from __future__ import annotations

import pytest

from psseg.errors import PssegError
from psseg.sky.radio_image_files import simulate_radio_sky
from psseg.survey.survey import load_survey

OPTIONS = {"shape": (48, 48), "setup": "emu"}


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


@pytest.mark.parametrize("ending", ["", "_I2", "_V", "_truth"])
def test_nothing_is_simulated_where_a_file_would_be_lost(radio, tmp_path, ending):
    name = f"sky_0002{ending}.fits"
    (tmp_path / name).touch()
    with pytest.raises(PssegError, match=f"{name}: exists already; use --overwrite"):
        simulate_radio_sky(radio, tmp_path, n_images=2, seed=1, **OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_files_are_replaced_when_asked(radio, tmp_path):
    (tmp_path / "sky_0001_truth.fits").touch()
    (files,) = simulate_radio_sky(
        radio, tmp_path, n_images=1, seed=1, overwrite=True, **OPTIONS
    )  # fmt: skip
    assert files.truth.stat().st_size > 0


@pytest.mark.parametrize("wrong", [{"n_images": 0}, {"seed": -1}])
def test_no_images_and_no_seed_are_refused(radio, tmp_path, wrong):
    options = {"n_images": 1, "seed": 1} | OPTIONS | wrong
    with pytest.raises(PssegError, match="want n_images of 1 or more and a seed of 0 or more"):
        simulate_radio_sky(radio, tmp_path, **options)
