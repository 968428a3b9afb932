"""Maps taken as no simulated sky is are told apart from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_images import make_image

from psseg.survey.survey import load_survey
from psseg.tiles.training_range import exposure_outside, frequency_outside


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


@pytest.mark.parametrize("frequency", [1e8, 1.4e9, 5e9, np.nan])
def test_frequencies_of_the_survey_are_not_doubted(radio, frequency):
    image = replace(make_image([np.zeros((30, 40))]), frequencies=(frequency,))
    assert frequency_outside(image, radio) == []


@pytest.mark.parametrize(("frequency", "said"), [(7.4e7, "0.074"), (16.505e9, "16.5")])
def test_other_frequencies_are_told_with_the_range(radio, frequency, said):
    image = replace(make_image([np.zeros((30, 40))]), frequencies=(frequency,))
    (why,) = frequency_outside(image, radio)
    assert why.startswith(f"frequency {said}")
    assert why.endswith("GHz (training: 0.1 to 5)")


def exposed(sky, factor):
    return replace(sky.tile, exposure=sky.tile.exposure * factor)


def test_exposures_of_the_survey_are_not_doubted(sky, lat):
    for years in (1.0, 14.0, 20.0):
        assert exposure_outside(exposed(sky, years / 14), lat) == []
    assert exposure_outside(replace(sky.tile, exposure=None), lat) == []


@pytest.mark.parametrize("factor", [1e-4, 0.02, 3.0, 1e6])
def test_other_exposures_are_told_with_the_range(sky, lat, factor):
    (why,) = exposure_outside(exposed(sky, factor), lat)
    years = float(why.split()[2])
    assert years == pytest.approx(14 * factor, rel=0.5)
    assert "(training: " in why


def test_masked_pixels_and_absent_bands_do_not_count(sky, lat):
    exposure, mask = sky.tile.exposure.copy(), sky.tile.mask.copy()
    mask[:, :60] = True
    exposure[:, mask] = 0
    exposure[:6] = 0
    present = np.arange(8) >= 6
    tile = replace(sky.tile, exposure=exposure, mask=mask, bands_present=present)
    assert exposure_outside(tile, lat) == []
