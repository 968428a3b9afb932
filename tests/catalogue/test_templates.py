"""Templates are the PSF integrated over pixels, wherever in a pixel the source lies."""

from __future__ import annotations

import numpy as np
import pytest
from made_skies import SURVEY, photons

from psseg.catalogue.templates import disc_template, point_template

PSF = tuple(SURVEY.instrument.psf)
SQUARE = np.diag([-0.1, 0.1])
OFFSETS = np.arange(-25.0, 26.0)


def kernels(dx, dy):
    return np.stack([psf.kernel(51, 0.1, dx=dx, dy=dy) for psf in PSF], axis=-1)


@pytest.mark.parametrize("place", [(0, 0), (0.13, -0.41), (0.5, 0.5), (-0.5, 0.0)])
def test_a_point_source_is_the_pixel_integrated_psf(place):
    fractions = point_template(PSF, 0.1).fractions(OFFSETS - place[0], OFFSETS - place[1], SQUARE)
    expected = kernels(*place)
    assert np.abs(fractions / expected - 1).max() < 0.003
    peak = expected.max(axis=(0, 1))
    assert (np.abs(fractions - expected) / peak).max() < 0.001


def test_gradients_are_those_of_the_psf():
    x, y, step = 0.23, -0.31, 0.01
    along_x, along_y = point_template(PSF, 0.1).gradients(OFFSETS - x, OFFSETS - y, SQUARE)
    by_x = (kernels(x + step, y) - kernels(x - step, y)) / (2 * step)
    by_y = (kernels(x, y + step) - kernels(x, y - step)) / (2 * step)
    assert np.abs(along_x - by_x).max(axis=(0, 1)) == pytest.approx(0, abs=0.01 * by_x.max())
    assert np.abs(along_y - by_y).max(axis=(0, 1)) == pytest.approx(0, abs=0.01 * by_y.max())


def test_flat_pixels_get_their_share():
    """Pixels of a map in plate carree far from its equator are narrow: half the width here."""
    narrow = point_template(PSF, 0.1).fractions(OFFSETS - 0.2, OFFSETS, np.diag([-0.05, 0.1]))
    wide = point_template(PSF, 0.1).fractions(OFFSETS - 0.1, OFFSETS, SQUARE)
    inner = slice(13, 38)
    assert narrow.sum(axis=(0, 1))[3:] == pytest.approx(
        wide[:, inner].sum(axis=(0, 1))[3:], rel=0.02
    )


@pytest.mark.parametrize("radius", [0.2, 0.6])
def test_a_disc_is_what_its_photons_draw(radius):
    fractions = disc_template(PSF, 0.1, radius).fractions(OFFSETS - 0.3, OFFSETS + 0.2, SQUARE)
    drawn = photons(np.random.default_rng(1), 51, 25.3, 24.8, np.full(8, 2e5), radius)
    spread = np.sqrt(np.maximum(2e5 * np.moveaxis(fractions, -1, 0), 1))
    deviation = (drawn - 2e5 * np.moveaxis(fractions, -1, 0)) / spread
    assert np.sqrt(np.mean(deviation**2)) < 1.3
    assert fractions.sum(axis=(0, 1)) == pytest.approx(drawn.sum(axis=(1, 2)) / 2e5, rel=0.01)


def test_from_afar_a_disc_is_a_point():
    disc = disc_template(PSF, 0.1, 0.15).fractions(OFFSETS, OFFSETS, SQUARE)
    point = point_template(PSF, 0.1).fractions(OFFSETS, OFFSETS, SQUARE)
    assert disc[:10] == pytest.approx(point[:10], rel=0.03)


def test_radii_hold_what_they_say():
    template = point_template(PSF, 0.1)
    expected = [psf.containment_radius(0.68) for psf in PSF]
    assert template.core_radius[:4] == pytest.approx(expected[:4], rel=0.05)
    level = np.array([float(psf.density(0.5)) for psf in PSF])
    assert template.radius_of_fraction(level) == pytest.approx(0.5, abs=0.02)
    assert template.radius_of_fraction(np.full(8, 1e9)).tolist() == [0.0] * 8
