"""Every radio image of the data folder is read rightly, whatever is odd about it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from psseg.errors import PssegError
from psseg.tiles.beam import Beam
from psseg.tiles.radio_files import looks_like_radio, read_radio_image

pytestmark = pytest.mark.data

FIRST_BEAM = Beam(major=5.4 / 3600, minor=5.4 / 3600, angle=0.0)
FIELD = {
    "NVSS": "J0013-0919_NVSS_1400MHz.fits",
    "FIRST": "J0013-0919_FIRST_1400MHz.fits",
    "VLASS": "J0013-0919_VLASS3.1QL_3000MHz.fits",
}


@pytest.fixture
def radio(data_folder):
    return data_folder / "radio"


def brightest(image):
    """Give the position of the brightest pixel."""
    y, x = np.unravel_index(np.nanargmax(image.planes[0]), image.shape)
    return image.pixel_to_sky(x, y)


# file, shape, frequency (Hz), beam (major, minor, arcsec), pixel (arcsec), peak (Jy/beam)
IMAGES = [
    (FIELD["NVSS"], (300, 300), 1.4e9, (45, 45), 15, 0.4113),
    (FIELD["FIRST"], (132, 132), 1.4e9, (6.4, 5.4), 1.8, 0.18278),
    (FIELD["VLASS"], (241, 241), 3e9, (2.995, 2.217), 1.0, 0.05323),
    ("amila_GRB120422A_16.5GHz.fits", (512, 512), 16.505e9, (54.24, 24.65), 5, 7.3396e-4),
    ("deepsource_image1.fits", (1000, 1000), 1.41985e9, (29.24, 22.22), 1.5, 1.65746e-6),
    ("lofar144_GRB201006A_2min_pb_cutout.fits", (256, 256), 1.4365e8, (32.47, 17.96), 5, 0.46772),
    ("magpis_G10.5+0.0_20cm.fits", (300, 300), 1.407e9, (6.2, 5.4), 2.0, 0.115061),
    ("parkes_1904-66_SIN.fits", (192, 192), 1.420406e9, (864, 864), 250.8, 13.46),
]


@pytest.mark.parametrize(("name", "shape", "frequency", "beam", "pixel", "peak"), IMAGES)
def test_images_with_sound_headers(radio, name, shape, frequency, beam, pixel, peak):
    assert looks_like_radio(radio / name)
    image = read_radio_image([radio / name])
    assert (image.stokes, image.shape) == (("I",), shape)
    assert image.frequencies[0] == pytest.approx(frequency, rel=1e-4)
    found = image.beams[0]
    assert (found.major * 3600, found.minor * 3600) == pytest.approx(beam, rel=1e-3)
    assert image.pixel_scale * 3600 == pytest.approx(pixel, rel=1e-3)
    assert np.nanmax(image.planes) == pytest.approx(peak, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("FIRST_4FGLJ0056.3-0935_TXS0053-098_bll.fits", 0.09947),
        ("FIRST_4FGLJ1516.5+0015_PKS1514+00_rdg_FRII.fits", 0.67415),
        ("FIRST_4FGLJ1615.6+4712_B3_1614+473_fsrq.fits", 0.08808),
    ],
)
def test_first_tiles_need_a_beam_and_a_frequency(radio, name, peak):
    assert looks_like_radio(radio / name)
    with pytest.raises(PssegError, match=r"no beam in its header .*; give --beam"):
        read_radio_image([radio / name])
    image = read_radio_image([radio / name], beam=FIRST_BEAM, frequency=1.4e9)
    assert image.planes.max() == pytest.approx(peak, rel=1e-3)
    assert image.beams[0].area(image.pixel_scale) == pytest.approx(10.2, abs=0.1)
    middle = image.pixel_to_sky((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
    assert brightest(image).separation(middle).arcsec < 20  # all have their source in the middle


def test_zeros_of_the_nvss_are_measurements(radio):
    image = read_radio_image([radio / FIELD["NVSS"]])
    assert (image.planes == 0).sum() > 6000
    assert not image.mask.any()


def test_parkes_is_blank_outside_its_circle(radio):
    image = read_radio_image([radio / "parkes_1904-66_SIN.fits"])
    assert image.mask.sum() == 14837
    with fits.open(radio / "parkes_1904-66_aegean_comp.fits") as hdus:
        row = hdus[1].data[np.argmax(hdus[1].data["peak_flux"])]
        published = SkyCoord(row["ra"], row["dec"], unit="deg")
    assert brightest(image).separation(published).deg < image.pixel_scale


def test_magpis_lies_in_the_galactic_plane(radio):
    image = read_radio_image([radio / "magpis_G10.5+0.0_20cm.fits"])
    middle = image.pixel_to_sky(149.5, 149.5).galactic
    assert (middle.l.deg, middle.b.deg) == pytest.approx((10.5, 0.0), abs=0.001)
    assert image.rotation == pytest.approx(61, abs=0.1)
    assert image.beams[0].angle + image.rotation == pytest.approx(0, abs=0.1)
    assert any("EQUINOX = 0 ignored" in note for note in image.notes)


def test_the_lofar_beam_keeps_its_angle_in_the_image(radio):
    image = read_radio_image([radio / "lofar144_GRB201006A_2min_pb_cutout.fits"])
    assert image.beams[0].angle + image.rotation == pytest.approx(38.686, abs=0.01)


def test_deepsource_places_its_sources_where_they_are(radio):
    image = read_radio_image([radio / "deepsource_image1.fits"])
    rows = [line.split() for line in (radio / "deepsource_image1.txt").read_text().splitlines()]
    table = np.array([row[1:4] for row in rows if len(row) > 3 and row[0][0] != "#"], dtype=float)
    strongest = table[np.argmax(table[:, 2])]
    there = SkyCoord(strongest[0], strongest[1], unit="deg")
    assert brightest(image).separation(there).arcsec < 5


def test_askap_channels_become_two_planes(radio):
    image = read_radio_image([radio / "askap_EMU_1743-51_beam00_36chan_BEAMSext.fits"])
    assert image.stokes == ("I", "I")
    assert 8.0e8 < image.frequencies[0] < 9.4e8 < image.frequencies[1] < 1.1e9
    assert image.beams[0].major * 3600 == pytest.approx(14.6, abs=0.1)
    assert image.beams[0].minor * 3600 == pytest.approx(12.3, abs=0.2)
    assert sum("passed over" in note for note in image.notes) == 3  # flagged or ruined channels
    assert image.pixel_to_sky(5, 5).ra.deg > 180
    assert np.nanstd(image.planes[1]) < 1e-4


def test_pybdsf_planes_are_told_apart_by_their_names(radio):
    paths = [radio / f"pybdsf_test_ch0_{stokes}.fits" for stokes in "VQUI"]
    image = read_radio_image(paths, frequency=1.5e8)
    assert (image.stokes, image.frequencies) == (("I", "V"), (1.5e8, 1.5e8))
    assert image.name == "pybdsf_test_ch0_I"
    for plane, path in zip(image.planes, (paths[3], paths[0]), strict=True):
        assert np.array_equal(plane, fits.getdata(path)[0, 0].astype(np.float32))
    assert any("23.5 Hz, is none of a radio image" in note for note in image.notes)


def test_one_field_in_three_surveys(radio):
    images = {key: read_radio_image([radio / name]) for key, name in FIELD.items()}
    sharp = brightest(images["VLASS"])
    assert brightest(images["FIRST"]).separation(sharp).arcsec < 3
    same = read_radio_image([radio / FIELD["FIRST"], radio / FIELD["VLASS"]], reproject=True)
    assert same.shape == images["FIRST"].shape
    low, high = same.planes[:, same.planes[0] > 0.1]
    assert np.median(np.log(high / low)) / same.lever_arm == pytest.approx(-0.8, abs=0.3)


@pytest.mark.parametrize("name", ["pybdsf_test.srl.fits", "counts_SKADS_1p4GHz.fits"])
def test_tables_are_no_images(radio, name):
    assert not looks_like_radio(radio / name)
    with pytest.raises(PssegError, match="no image in it"):
        read_radio_image([radio / name])
