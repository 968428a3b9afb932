"""Radio images from one file or several: planes, beams, grids, and what is refused."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from small_radio import (
    ARCSEC,
    CIRCLE,
    SPECTRAL,
    channels,
    measured_beam,
    noise,
    point_sources,
    write_radio,
)

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.beam import Beam
from psseg.tiles.radio_files import looks_like_radio, read_radio_image

SHAPE = 60, 80
WIDE = Beam(major=16 * ARCSEC, minor=12 * ARCSEC, angle=30)


@pytest.fixture
def write(tmp_path):
    def write(name, data=None, **cards) -> Path:
        data = noise() if data is None else data
        return write_radio(tmp_path / f"{name}.fits", data, **cards)

    return write


def test_a_plain_image(write):
    values = noise()
    values[:5] = np.nan
    found = read_radio_image([write("field", values)])
    assert np.array_equal(found.planes[0], values, equal_nan=True)
    assert found.planes.dtype == np.float32
    assert np.array_equal(found.mask, np.isnan(values))
    assert (found.stokes, found.frequencies, found.beams) == (("I",), (1.4e9,), (CIRCLE,))
    assert (found.name, found.notes) == ("field", ())


@pytest.mark.parametrize("n_axes", [2, 3, 4])
def test_degenerate_axes(write, n_axes):
    values = noise()
    path = write("field", values.reshape((1,) * (n_axes - 2) + values.shape))
    assert np.array_equal(read_radio_image([path]).planes[0], values)


def test_compressed_files(write, tmp_path):
    values = noise()
    path = write("field", values)
    packed = tmp_path / "field.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    lossless = {"compression_type": "GZIP_2", "quantize_level": 0}
    with fits.open(path) as hdus:
        tile = fits.CompImageHDU(hdus[0].data, hdus[0].header, **lossless)
        tile.writeto(tmp_path / "field.fits.fz")
    (tmp_path / "field.FTS.bz2").write_bytes(bz2.compress(path.read_bytes()))
    for name in ("field.fits.gz", "field.fits.fz", "field.FTS.bz2"):
        found = read_radio_image([tmp_path / name])
        assert np.array_equal(found.planes[0], values)
        assert found.name == "field"


def test_an_image_in_an_extension(write, tmp_path):
    with fits.open(write("field")) as hdus:
        image = fits.ImageHDU(hdus[0].data, hdus[0].header)
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "extension.fits")
    assert read_radio_image([tmp_path / "extension.fits"]).shape == SHAPE


def test_scaled_integers_with_blanks(tmp_path):
    values = noise()
    steps = np.round(values / 1e-5).astype(">i2")
    steps[:4] = -32768
    path = write_radio(tmp_path / "scaled.fits", steps)
    for card, value in (("BSCALE", 1e-5), ("BZERO", 0.0), ("BLANK", -32768)):
        fits.setval(path, card, value=value)
    found = read_radio_image([path])
    assert np.isnan(found.planes[0, :4]).all()
    assert found.planes[0, 4:] == pytest.approx(values[4:], abs=6e-6)


@pytest.mark.parametrize("dtype", [">f8", ">i4"])
def test_other_number_types(write, dtype):
    values = np.round(1e3 * noise() / 1e-3).astype(dtype)
    found = read_radio_image([write("field", values, BUNIT="uJy/beam")])
    assert found.planes[0] == pytest.approx(values * 1e-6, rel=1e-6)


def test_a_blank_card_in_a_float_image(write):
    path = write("field", BLINK=-1)  # astropy writes no BLANK there
    path.write_bytes(path.read_bytes().replace(b"BLINK   =", b"BLANK   ="))
    found = read_radio_image([path])
    assert found.notes == ("field.fits: BLANK ignored: only integer images have it",)
    assert not found.mask.any()


@pytest.mark.parametrize(("unit", "factor"), [("mJy/beam", 1e-3), ("beam-1 uJy", 1e-6)])
def test_units_are_converted(write, unit, factor):
    found = read_radio_image([write("field", 5 * noise(), BUNIT=unit)])
    assert found.planes[0] == pytest.approx(5 * noise() * factor, rel=1e-5)


def test_zero_borders_are_blank(write):
    values = noise()
    values[:, :15] = 0
    assert np.array_equal(read_radio_image([write("field", values)]).mask, values == 0)


def beam_table(beams):
    columns = [
        fits.Column("BMAJ", "E", unit="arcsec", array=[beam.major * 3600 for beam in beams]),
        fits.Column("BMIN", "E", unit="arcsec", array=[beam.minor * 3600 for beam in beams]),
        fits.Column("BPA", "E", unit="deg", array=[beam.angle for beam in beams]),
        fits.Column("CHAN", "J", array=np.arange(len(beams))),
        fits.Column("POL", "J", array=np.zeros(len(beams), int)),
    ]
    return fits.BinTableHDU.from_columns(columns, name="BEAMS")


def test_channels_are_brought_to_their_common_beam(write):
    widths = [16, 14, 12, 10]
    beams = [Beam(major=w * ARCSEC, minor=w * ARCSEC, angle=0) for w in widths]
    stack = np.stack([point_sources(SHAPE, [(40, 30)], [1.0], beam) for beam in beams])
    stack += 1e-9 * channels(4)
    path = write("cube", stack, tables=[beam_table(beams)], CASAMBM=True, **SPECTRAL)
    found = read_radio_image([path])
    expected = point_sources(SHAPE, [(40, 30)], [1.0], beams[0])
    assert found.beams[0].major == pytest.approx(16 * ARCSEC, rel=1e-3)
    for plane in found.planes:
        assert plane == pytest.approx(expected, abs=5e-3)


def sources(xy, flux, beam):
    """Give point sources in very little noise: zeros all over would be blank."""
    return point_sources(SHAPE, xy, flux, beam) + noise(rms=1e-6)


def test_planes_of_different_beams_keep_their_fluxes(write):
    places = [(25, 25), (60, 40)]
    sharp = write("sharp", sources(places, [1.0, 0.3], CIRCLE), RESTFRQ=2e9)
    wide = write("wide", sources(places, [2.0, 0.5], WIDE), beam=WIDE)
    found = read_radio_image([sharp, wide])
    assert found.beams[0] == found.beams[1]
    assert found.beams[0].major == pytest.approx(WIDE.major)
    assert found.planes[1] == pytest.approx(
        point_sources(SHAPE, places, [1.0, 0.3], WIDE), abs=5e-3
    )
    assert 'sharp.fits: convolved to the common beam, 16" x 12"' in found.notes


def test_crossed_beams_meet_in_a_circle(write):
    beams = [Beam(major=16 * ARCSEC, minor=8 * ARCSEC, angle=angle) for angle in (30, -60)]
    paths = [
        write(f"plane{n}", sources([(40, 30)], [1.0], beam), beam=beam, RESTFRQ=nu)
        for n, (beam, nu) in enumerate(zip(beams, (1e9, 2e9), strict=True))
    ]
    found = read_radio_image(paths)
    for plane in found.planes:
        assert measured_beam(plane)[:2] == pytest.approx((16, 16), rel=0.02)
        assert plane.max() == pytest.approx(1.0, abs=5e-3)


def test_a_missing_beam_can_be_given(write):
    path = write("field", beam=None)
    with pytest.raises(PssegError, match=r"field\.fits: no beam in its header .*; give --beam"):
        read_radio_image([path])
    assert read_radio_image([path], beam=CIRCLE).beams == (CIRCLE,)


def test_a_given_beam_replaces_that_of_a_single_file(write):
    found = read_radio_image([write("field")], beam=WIDE)
    assert found.beams == (WIDE,)
    assert found.notes == ("field.fits: the beam that was given replaces the header's",)


def test_a_given_beam_fills_in_what_is_missing_among_several_files(write):
    paths = [write("one", beam=None), write("two", beam=WIDE, RESTFRQ=3e9)]
    found = read_radio_image(paths, beam=CIRCLE)
    assert found.beams[0].major == pytest.approx(WIDE.major)
    assert found.notes == ('one.fits: convolved to the common beam, 16" x 12"',)


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (18000, r"the beam given, 18000 arcsec, is larger than the image; want arcsec"),
        (
            0.04,
            r"the beam given, 0\.04 arcsec, is 50 times smaller than a pixel \(2 arcsec\); want",
        ),
    ],
)
def test_a_given_beam_that_cannot_be_the_images_is_refused(write, width, message):
    beam = Beam(major=width * ARCSEC, minor=width * ARCSEC, angle=0)
    with pytest.raises(PssegError, match=message):
        read_radio_image([write("field")], beam=beam)


def test_a_beam_of_a_pixel_is_taken(write):
    beam = Beam(major=2 * ARCSEC, minor=2 * ARCSEC, angle=0)
    assert read_radio_image([write("field")], beam=beam).beams == (beam,)


@pytest.mark.parametrize(("width", "fault"), [(3600, "larger than the im"), (0.04, "50 times sm")])
def test_a_beam_in_the_header_that_cannot_be_is_told(write, width, fault):
    path = write("field", beam=Beam(major=width * ARCSEC, minor=width * ARCSEC, angle=0))
    message = rf"field\.fits: its beam, {width:g} arcsec, is {fault}.*: correct it .* give --beam"
    with pytest.raises(PssegError, match=message):
        read_radio_image([path])
    assert read_radio_image([path], beam=CIRCLE).beams == (CIRCLE,)


def test_a_frequency_can_be_given(write):
    path = write("field", RESTFRQ=None)
    assert np.isnan(read_radio_image([path]).frequencies[0])
    assert read_radio_image([path], frequency=8e8).frequencies == (8e8,)


def test_a_given_frequency_replaces_that_of_a_single_plane(write):
    with pytest.warns(PssegWarning, match=r"given, 8e\+08 Hz, replaces the header's 1\.4e\+09 Hz"):
        found = read_radio_image([write("field")], frequency=8e8)
    assert found.frequencies == (8e8,)
    assert "replaces the header's 1.4e+09 Hz" in found.notes[0]
    assert read_radio_image([write("same")], frequency=1.401e9).notes == ()


def test_a_given_frequency_fills_in_what_is_missing_among_several(write):
    paths = [write("one"), write("two", RESTFRQ=None)]
    assert read_radio_image(paths, frequency=8e8).frequencies == (8e8, 1.4e9)


@pytest.mark.parametrize("frequency", [0.0, -1.0, 1.4, 1400.0, np.inf, np.nan])
def test_a_given_frequency_must_be_one_of_radio_images(write, frequency):
    message = rf"--frequency {frequency:g}: want Hz, such as 1\.4e9"
    with pytest.raises(PssegError, match=message):
        read_radio_image([write("field")], frequency=frequency)


def test_other_grids_need_leave(write):
    first = write("first", RESTFRQ=1e9)
    other = write("other", noise((70, 90)), CRPIX1=50.0, CRPIX2=30.0)
    with pytest.raises(PssegError, match=r"other\.fits: its pixels are not .* give --reproject"):
        read_radio_image([first, other])
    found = read_radio_image([first, other], reproject=True)
    assert found.shape == SHAPE
    assert "other.fits: interpolated on the pixels of first.fits" in found.notes
    assert read_radio_image([other, first], reproject=True).shape == (70, 90)


def test_planes_that_do_not_meet_are_refused(write):
    paths = [write("first"), write("other", CRVAL1=20.0, RESTFRQ=3e9)]
    with pytest.raises(PssegError, match=r"other\.fits: it lies outside the first image"):
        read_radio_image(paths, reproject=True)


@pytest.mark.parametrize(("fill", "what"), [(np.nan, "blank"), (0.0, "0$")])
def test_images_that_show_nothing_are_refused(write, fill, what):
    with pytest.raises(PssegError, match=rf"field\.fits: every pixel is {what}"):
        read_radio_image([write("field", np.full(SHAPE, fill, np.float32))])


def test_files_that_are_no_images_are_refused(tmp_path, write):
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(PssegError, match=r"text\.fits: is not a FITS file"):
        read_radio_image([tmp_path / "text.fits"])
    whole = write("whole").read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PssegError, match=r"cut\.fits: the file is truncated"):
        read_radio_image([tmp_path / "cut.fits"])
    fits.HDUList([fits.PrimaryHDU(), beam_table([CIRCLE])]).writeto(tmp_path / "table.fits")
    with pytest.raises(PssegError, match=r"table\.fits: no image in it"):
        read_radio_image([tmp_path / "table.fits"])
    with pytest.raises(PssegError, match="no radio image given"):
        read_radio_image([])


def test_radio_images_are_recognised(write, tmp_path, write_cube):
    assert looks_like_radio(write("sound"))
    assert looks_like_radio(write("unit", beam=None, RESTFRQ=None))
    assert looks_like_radio(write("beam", BUNIT=None))
    assert looks_like_radio(write("axis", BUNIT=None, beam=None, CTYPE3="FREQ"))
    assert not looks_like_radio(write("sky", BUNIT="K", beam=None))
    assert not looks_like_radio(write_cube(np.ones((38, 20, 30), np.int32)))
    fits.HDUList([fits.PrimaryHDU(), beam_table([CIRCLE])]).writeto(tmp_path / "table.fits")
    assert not looks_like_radio(tmp_path / "table.fits")
