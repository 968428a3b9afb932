"""Which planes of which files make the planes of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_radio import SPECTRAL, STOKES, channels, noise, write_radio

from psseg.errors import PssegError
from psseg.tiles.radio_files import read_radio_image


@pytest.fixture
def write(tmp_path):
    def write(name, data=None, **cards) -> Path:
        data = noise() if data is None else data
        return write_radio(tmp_path / f"{name}.fits", data, **cards)

    return write


def test_planes_are_recognised_whatever_their_order(write):
    low = write("low", noise(seed=1), RESTFRQ=9e8)
    high = write("high", noise(seed=2), RESTFRQ=1.4e9)
    circular = write("circular", noise(seed=3), RESTFRQ=9e8, CRVAL3=4.0, **STOKES)
    expected = np.stack([noise(seed=seed) for seed in (1, 2, 3)])
    for paths in ([low, high, circular], [circular, high, low], [high, circular, low]):
        found = read_radio_image(paths)
        assert found.stokes == ("I", "I", "V")
        assert found.frequencies == (9e8, 1.4e9, 9e8)
        assert np.array_equal(found.planes, expected)
        assert found.name == "low"


def test_all_stokes_in_one_file(write):
    stack = np.stack([noise(seed=seed) for seed in (1, 2, 3, 4)])
    found = read_radio_image([write("field", stack, CRVAL3=1.0, **STOKES)])
    assert found.stokes == ("I", "V")
    assert np.array_equal(found.planes, stack[[0, 3]])
    assert [note for note in found.notes if "passed over" in note] == [
        "field.fits: Stokes Q passed over",
        "field.fits: Stokes U passed over",
    ]


def test_names_tell_stokes_where_headers_are_all_alike(write):
    paths = [write(f"field_{s}", noise(seed=n)) for n, s in enumerate("VIQ")]
    found = read_radio_image(paths)
    assert found.stokes == ("I", "V")
    assert np.array_equal(found.planes, [noise(seed=1), noise(seed=0)])
    assert "field_V.fits: Stokes V from its name; its header says I" in found.notes


def test_the_same_plane_twice_is_refused(write):
    message = r"one\.fits and two\.fits are both Stokes I at 1400 MHz: give one of them"
    with pytest.raises(PssegError, match=message):
        read_radio_image([write("one"), write("two")])


def test_planes_of_unknown_frequency_are_refused(write):
    with pytest.raises(PssegError, match=r"both Stokes I at frequencies that their headers do not"):
        read_radio_image([write("one"), write("two", RESTFRQ=None)])


def test_no_stokes_i_is_refused(write):
    path = write("field", CRVAL3=4.0, **STOKES)
    with pytest.raises(PssegError, match=r"field\.fits: no plane of Stokes I \(only V\)"):
        read_radio_image([path])


def test_many_channels_become_two_planes(write):
    found = read_radio_image([write("cube", channels(6), **SPECTRAL)])
    assert found.stokes == ("I", "I")
    assert found.frequencies == pytest.approx((1.01e9, 1.04e9), rel=1e-3)
    assert found.planes[0] == pytest.approx(channels(6)[:3].mean(axis=0), abs=1e-4)
    assert found.planes[1] == pytest.approx(channels(6)[3:].mean(axis=0), abs=1e-4)
    assert found.notes[-1].startswith("6 channels of Stokes I averaged to two, at 10")


def test_channels_are_weighted_with_their_noise(write):
    stack = channels(4)
    stack[1] = 1 + 3 * stack[1]  # nine times less weight
    found = read_radio_image([write("cube", stack, **SPECTRAL)])
    assert np.median(found.planes[0]) == pytest.approx(0.1, abs=0.01)
    assert found.frequencies[0] == pytest.approx(1.001e9, rel=2e-4)


def test_bad_channels_are_passed_over(write):
    stack = channels(8)
    stack[2] = np.nan
    stack[3] *= 50.5
    stack[4] = 0
    found = read_radio_image([write("cube", stack, **SPECTRAL)])
    assert found.planes[0] == pytest.approx((stack[0] + stack[1]) / 2, abs=1e-4)
    passed = [note for note in found.notes if "passed over" in note]
    assert [note.split(" MHz ")[0] for note in passed] == [
        f"cube.fits: Stokes I at {frequency}" for frequency in (1020, 1030, 1040)
    ]
    assert "times the usual noise" in passed[1]


def test_blank_pixels_of_some_channels(write):
    stack = channels(4)
    stack[0, :10] = np.nan
    stack[1, :5] = np.nan
    found = read_radio_image([write("cube", stack, **SPECTRAL)])
    assert np.isnan(found.planes[0, :5]).all()
    assert found.planes[0, 5:10] == pytest.approx(stack[1, 5:10], rel=1e-4)


def test_a_cube_of_unknown_frequencies_is_refused(write):
    path = write("cube", channels(4), **SPECTRAL | {"CRVAL3": 0.0, "CDELT3": 1.0})
    with pytest.raises(PssegError, match=r"cube\.fits: the frequency of its planes is unknown"):
        read_radio_image([path])


def test_channels_of_stokes_v_become_one_plane(write):
    stack = np.stack([channels(2), channels(4)[2:]])
    axes = SPECTRAL | {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 3.0, "CRPIX4": 1.0}
    found = read_radio_image([write("cube", stack, **axes)])
    assert found.stokes == ("I", "I", "V")
    assert found.planes[2] == pytest.approx(stack[1].mean(axis=0), abs=1e-4)


def test_channels_of_nearly_one_frequency_become_one_plane(write):
    for n in (2, 4):
        cards = SPECTRAL | {"CDELT3": 1e5}
        found = read_radio_image([write(f"cube{n}", channels(n), **cards)])
        assert found.stokes == ("I",)
        assert found.planes[0] == pytest.approx(channels(n).mean(axis=0), abs=1e-4)
        assert found.notes == (
            f"{n} planes of Stokes I, too near in frequency for a spectral index, averaged to one "
            f"at {found.frequencies[0] / 1e6:.6g} MHz",
        )


def test_files_of_nearly_one_frequency_become_one_plane(write):
    found = read_radio_image([write("one"), write("two", noise(seed=2), RESTFRQ=1.4007e9)])
    assert found.stokes == ("I",)
    assert found.frequencies[0] == pytest.approx(1.40035e9, rel=1e-4)


@pytest.mark.parametrize(("frequency", "noted"), [(1.4e9, 0), (1.35e9, 0), (0.9e9, 1)])
def test_a_stokes_v_far_from_the_only_stokes_i_is_noted(write, frequency, noted):
    circular = write("circular", noise(seed=3), RESTFRQ=frequency, CRVAL3=4.0, **STOKES)
    found = read_radio_image([write("total"), circular])
    assert found.frequencies == (1.4e9, frequency)
    assert [note for note in found.notes if "V/I" in note] == noted * [
        "circular.fits: Stokes V at 900 MHz is divided by Stokes I at 1400 MHz: V/I holds the "
        "spectrum, too"
    ]


def test_with_two_frequencies_a_far_stokes_v_needs_no_note(write):
    circular = write("circular", noise(seed=3), RESTFRQ=2e9, CRVAL3=4.0, **STOKES)
    paths = [write("total"), write("other", noise(seed=2), RESTFRQ=9e8), circular]
    assert read_radio_image(paths).notes == ()


@pytest.mark.parametrize("fill", [np.nan, 0.0])
def test_blank_planes_besides_the_reference_are_passed_over(write, fill):
    blank = np.full((60, 80), fill)
    circular = write("circular", blank, RESTFRQ=9e8, CRVAL3=4.0, beam=None, **STOKES)
    found = read_radio_image([write("low", RESTFRQ=9e8), circular, write("high", blank)])
    assert found.stokes == ("I",)
    assert found.notes == (
        "circular.fits: Stokes V at 900 MHz is blank, and is passed over",
        "high.fits: Stokes I at 1400 MHz is blank, and is passed over",
    )


def test_blank_channels_of_stokes_v_are_passed_over(write):
    stack = np.stack([channels(2), np.zeros((2, 60, 80))])
    axes = SPECTRAL | {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 3.0, "CRPIX4": 1.0}
    found = read_radio_image([write("cube", stack, **axes)])
    assert found.stokes == ("I", "I")
    assert sum("is blank" in note for note in found.notes) == 2


def test_a_blank_reference_plane_is_refused(write):
    low = write("low", np.zeros((60, 80)), RESTFRQ=9e8)
    with pytest.raises(PssegError, match=r"low\.fits: every pixel is 0"):
        read_radio_image([low, write("high")])
