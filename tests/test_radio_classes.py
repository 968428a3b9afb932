"""What measured fluxes, spectra and polarisations say of the class, against made-up sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_images import FWHM, RMS, beam_noise, discs, draw, make_image, measure

from psseg.radio_classes import CONTAMINATION, measured_classes
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.survey import load_survey
from psseg.tiles.beam import FWHM_PER_SIGMA

SHAPE = (100, 240)
FREQUENCIES = (0.9e9, 1.8e9, 0.9e9)
X, Y = np.array([40.0, 120.0, 200.0]), np.full(3, 50.0)
SNR = 60.0


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


def image_of(alpha, circular=(0.0, 0.0, 0.0), *, planes=3):
    """Three points of S/N 60 with these indices and circular polarisations."""
    rng = np.random.default_rng(4)
    beam = np.eye(2) * (FWHM / FWHM_PER_SIGMA) ** 2
    levels = SNR * np.stack([np.ones(3), 2.0 ** np.asarray(alpha), circular])[:planes]
    made = [RMS * beam_noise(rng, SHAPE, beam) for _ in levels]
    for plane, level in zip(made, levels, strict=True):
        draw(plane, X, Y, RMS * level, beam)
    stokes = ("I", "I", "V")[:planes]
    return make_image(made, stokes=stokes, frequencies=FREQUENCIES[:planes])


def table_of(image):
    return measure(image, discs(SHAPE, X, Y, 7))[0]


def test_steep_is_a_pulsar_flat_a_blazar_and_the_rest_other(radio):
    image = image_of((-2.2, 0.2, -0.75))
    found = measured_classes(table_of(image), image, radio)
    assert [SOURCE_CLASSES[k] for k in found.argmax(axis=1)] == ["pulsar", "blazar", "other"]
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.min() >= CONTAMINATION / (1 + 3 * CONTAMINATION) * (1 - 1e-9)


def test_the_order_of_the_frequencies_does_not_matter(radio):
    up = image_of((-2.2, 0.2, -0.75), planes=2)
    down = replace(up, planes=up.planes[::-1].copy(), frequencies=up.frequencies[::-1])
    one, other = (measured_classes(table_of(image), image, radio) for image in (up, down))
    np.testing.assert_array_equal(one.argmax(axis=1), other.argmax(axis=1))


def test_circular_polarisation_speaks_for_a_pulsar(radio):
    spectrum = (-1.2, -1.2, -1.2)
    image = image_of(spectrum, (0.3, -0.3, 0.0))
    found = measured_classes(table_of(image), image, radio)[:, 0]
    assert min(found[:2]) > found[2] + 0.2


@pytest.mark.parametrize("planes", [2, 3])
def test_stokes_v_counts_at_its_own_frequency(radio, planes):
    """Where a spectrum falls, V is a larger part of Stokes I at a higher frequency."""
    image = image_of((-1.2, -1.2, -1.2), (0.02, 0.02, 0.02))
    of_v = slice(None) if planes == 3 else [0, 2]
    high, low = (
        replace(
            image,
            planes=image.planes[of_v],
            stokes=("I", "I", "V") if planes == 3 else ("I", "V"),
            frequencies=(0.9e9, *(1.8e9,) * (planes - 2), frequency),
            beams=image.beams[:planes],
        )
        for frequency in (3.6e9, 0.9e9)
    )
    found, at_first = (measured_classes(table_of(one), one, radio)[:, 0] for one in (high, low))
    assert (found > at_first).all()
    assert found.mean() > at_first.mean() + 0.05


def test_one_plane_says_nothing_nor_does_a_survey_of_counts(radio):
    image = image_of((-2.2, 0.2, -0.75), planes=1)
    assert measured_classes(table_of(image), image, radio) is None
    image = image_of((-2.2, 0.2, -0.75))
    assert measured_classes(table_of(image), image, load_survey("fermi-lat")) is None


def test_what_has_no_flux_could_be_anything_and_an_empty_table_stays_empty(radio):
    image = image_of((-2.2, 0.2, -0.75))
    table = table_of(image)
    table["plane_flux"][1] = np.nan
    found = measured_classes(table, image, radio)
    np.testing.assert_allclose(found[1], 1 / 3)
    assert found[0, 0] > 0.5
    assert measured_classes(table[:0], image, radio).shape == (0, 3)


def test_a_plane_that_is_blank_at_a_source_does_not_count(radio):
    image = image_of((-2.2, 0.2, -0.75))
    planes = image.planes.copy()
    planes[1, :, :80] = np.nan
    blank = replace(image, planes=planes)
    found = measured_classes(table_of(blank), blank, radio)
    assert found[0, 0] < 0.6
    assert found[1, 1] > 0.5
