"""What is weighed beside score and S/N of radio sources."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from radio_tables import ARCSEC, BEAM, field_image

from psseg.catalogue.radio_evidence import radio_evidence
from psseg.catalogue.radio_flags import RadioFlag

ZOOM = 4 / BEAM
"""The beam is wider than the network wants it: it sees four pixels of it."""


def measured(n=1, *, size=BEAM, pixels=20, residual=1e-4, x=100.0, peak=1e-3, flags=0, snr=10.0):
    return QTable(
        {
            "X": np.broadcast_to(x, n).astype(float),
            "Y": np.full(n, 100.0),
            "maj": np.full(n, size * ARCSEC) * u.deg,
            "min": np.full(n, size * ARCSEC) * u.deg,
            "peak_flux": np.broadcast_to(peak, n) * u.Jy / u.beam,
            "SNR": np.broadcast_to(snr, n).astype(float),
            "N_PIXELS": np.full(n, pixels),
            "Flags": np.full(n, flags, dtype=np.int32),
            "resid_rms": np.full(n, residual) * u.Jy / u.beam,
            "rms_image": np.full(n, 1e-4) * u.Jy / u.beam,
        }
    )


def evidence(**options):
    return radio_evidence(measured(**options), field_image())


def test_a_lone_point_with_the_noise_as_residual_says_only_how_many_pixels_it_has():
    np.testing.assert_allclose(evidence()[:, 1:2], np.log(20 * ZOOM**2), atol=1e-9)
    np.testing.assert_allclose(evidence()[:, [0, 2, 3, 4, 5, 6]], 0, atol=1e-9)


def test_sizes_and_residuals_count_by_their_logarithm():
    wide = evidence(size=2 * BEAM, residual=2e-4)[0]
    np.testing.assert_allclose(wide[[0, 2]], [np.log(4), np.log(2)])


def test_what_could_not_be_fitted_counts_as_typical():
    lost = evidence(size=np.nan, residual=np.nan)[0]
    np.testing.assert_allclose(lost[[0, 2]], [0, np.log(0.5)])


def test_values_beyond_sense_are_bounded():
    small = evidence(size=1e-9, pixels=0, residual=1.0)[0]
    np.testing.assert_allclose(small[:3], np.log([0.3, 1, 10]))
    large = evidence(size=10 * BEAM, pixels=10_000, residual=0.0)[0]
    np.testing.assert_allclose(large[:3], np.log([4, 100, 0.1]))


def test_a_brighter_neighbour_counts_by_its_brightness_and_less_with_distance():
    x = 100 + BEAM * np.array([0, 1, 4, 25])
    outshone = evidence(n=4, x=x, peak=[1e-1, 1e-3, 1e-3, 1e-3])[:, 3]
    np.testing.assert_allclose(outshone, [0, np.log(100) - 0.5, np.log(100) - 2, 0])


def test_low_significance_counts_where_there_are_few_sources_and_many_beams():
    beams = 300**2 / (np.pi / (4 * np.log(2)) * BEAM**2)
    assert np.log(1 / beams) < -6
    faint, fair, clear = evidence(n=3, snr=[3.5, 4.5, 6.5])[:, 4]
    assert faint < fair < clear == 0
    crowd = [20.0] * 50
    assert evidence(n=53, snr=[3.5, 4.5, 6.5, *crowd])[:, 4].tolist() == [0] * 53


def test_failed_fits_and_holes_count():
    flags = RadioFlag.FIT_FAILED, RadioFlag.NEGATIVE_NEIGHBOUR, RadioFlag.EDGE
    failed, hole, edge = (evidence(flags=flag)[0, 5:7].tolist() for flag in flags)
    assert (failed, hole, edge) == ([1, 0], [0, 1], [0, 0])


def test_nothing_is_measured_on_an_empty_image():
    assert evidence(n=0).shape == (0, 10)


def test_significance_counts_between_what_is_never_found_and_what_noise_never_reaches():
    assert evidence(n=4, snr=[np.nan, 1.0, 5.0, 50.0])[:, 7].tolist() == [2, 2, 5, 8]


@pytest.mark.parametrize(("fwhm", "seen"), [(10.0, 4.0), (5.0, 5.0), (2.5, 2.5)])
def test_significance_counts_by_how_many_pixels_of_the_beam_the_network_sees(fwhm, seen):
    image = field_image(beam=(fwhm, fwhm, 0.0))
    snr, fineness, product = radio_evidence(measured(snr=5.0), image)[0, 7:]
    area = np.pi / (4 * np.log(2)) * seen**2
    np.testing.assert_allclose(fineness, np.log(area / 18))
    np.testing.assert_allclose(product, snr * fineness)
