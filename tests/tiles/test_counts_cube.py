"""Counts cubes of many makes become tiles; what is no counts cube is refused by name."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from small_skies import EDGES, TEN_PER_DECADE, ebounds, sky_wcs

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.readers import read_map

EIGHT_PER_DECADE = 10 ** np.arange(-0.5, 3.51, 0.125)
RNG = np.random.default_rng(5)
COUNTS = RNG.poisson(2.0, (38, 20, 30)).astype(np.int32)


def test_fine_bins_sum_into_bands(cube, survey):
    tile = read_map(cube, survey)
    counts = fits.getdata(cube)
    assert tile.data.dtype == np.float32
    assert tile.data.shape == (8, 20, 30)
    assert np.array_equal(tile.data[0], counts[:2].sum(axis=0))
    assert np.array_equal(tile.data[7], counts[22:].sum(axis=0))
    assert tile.data.sum() == counts.sum()
    assert tile.bands_present.all()
    assert not tile.bands_shared.any()
    assert not tile.mask.any()
    assert tile.exposure is None
    assert tile.name == "cube"
    assert tile.notes == ()


@pytest.mark.parametrize(
    ("projection", "frame", "center"),
    [
        ("CAR", "galactic", (120.0, 0.0)),
        ("AIT", "galactic", (0.0, 0.0)),
        ("TAN", "icrs", (83.6, 22.0)),
        ("ZEA", "galactic", (30.0, 80.0)),
        ("ARC", "icrs", (10.0, -60.0)),
        ("MER", "icrs", (10.0, 0.0)),
    ],
)
def test_projections_and_frames_are_kept(write_cube, survey, projection, frame, center):
    wcs = sky_wcs((20, 30), projection=projection, frame=frame, center=center)
    tile = read_map(write_cube(COUNTS, wcs=wcs), survey)
    assert tile.frame == ("galactic" if frame == "galactic" else "icrs")
    x, y = [0.0, 14.5, 29.0], [19.0, 9.5, 0.0]
    there = SkyCoord.from_pixel(np.array(x), np.array(y), wcs)
    assert np.all(tile.pixel_to_sky(x, y).separation(there).arcsec < 1e-3)


@pytest.mark.parametrize("factor", [2, 4])
def test_fine_pixels_are_summed(write_cube, survey, factor):
    shape = (10 * factor + factor // 2, 12 * factor)
    counts = RNG.poisson(0.5, (38, *shape)).astype(np.int16)
    wcs = sky_wcs(shape, scale=0.1 / factor)
    tile = read_map(write_cube(counts, wcs=wcs), survey)
    assert tile.shape == (10, 12)
    assert tile.data.sum() == counts[:, : 10 * factor].sum()
    assert tile.pixel_scale == pytest.approx(0.1)
    assert any(f"summed {factor} x {factor} into 0.1 deg" in note for note in tile.notes)
    assert any(note.startswith("last rows dropped") for note in tile.notes)
    corner = wcs.wcs_pix2world((factor - 1) / 2, (factor - 1) / 2, 0)
    assert np.allclose(tile.wcs.wcs_pix2world(0, 0, 0), corner, atol=1e-9)


@pytest.mark.parametrize("scale", [0.07, 0.14])
def test_other_pixels_are_emptied_photon_by_photon(write_cube, survey, scale):
    counts = np.zeros((38, 40, 40), dtype=np.int32)
    counts[5, 18:22, 18:22] = 7
    path = write_cube(counts, wcs=sky_wcs((40, 40), scale=scale))
    with pytest.warns(PssegWarning, match="cube.fits: pixels of .* emptied photon by photon"):
        tile = read_map(path, survey)
    with pytest.warns(PssegWarning, match="emptied photon by photon"):
        again = read_map(path, survey)
    assert tile.data.sum() == counts.sum()
    assert np.array_equal(tile.data, again.data)
    assert np.array_equal(tile.data, np.rint(tile.data))
    assert tile.pixel_scale == pytest.approx(0.1)


def test_straddling_bins_are_shared_with_a_warning(write_cube, survey):
    counts = RNG.poisson(5.0, (32, 6, 7)).astype(np.int32)
    path = write_cube(counts, EIGHT_PER_DECADE)
    with pytest.warns(PssegWarning, match=r"cube.fits: energy bins straddle .* 0.501, 1.995, 5.01"):
        tile = read_map(path, survey)
    assert tile.bands_present.all()
    assert tile.bands_shared.all()
    inside = EIGHT_PER_DECADE[1:] < 1995.0
    parts = tile.data.sum() - counts[: inside.sum()].sum()  # of the bin across the top edge
    assert 0 < parts < counts[inside.sum()].sum()
    assert np.any(tile.data != np.rint(tile.data))
    assert "their counts are shared in proportion to an E^-2.4 spectrum" in tile.notes[0]


def test_map_that_starts_at_ten_gev(write_cube, survey):
    counts = np.ones((23, 6, 7), dtype=np.int32)
    tile = read_map(write_cube(counts, TEN_PER_DECADE[15:]), survey)
    assert tile.bands_present.tolist() == [False] * 5 + [True] * 3
    assert not tile.data[:5].any()
    assert tile.notes == (
        "bands absent: 0.316-0.501 GeV, 0.501-1 GeV, 1-1.995 GeV, 1.995-5.01 GeV, 5.01-10 GeV",
    )


def test_blank_pixels_are_masked(write_cube, survey):
    counts = COUNTS.astype(">f4")
    counts[3, 4, 5] = np.nan
    counts[:, :2] = np.nan
    tile = read_map(write_cube(counts), survey)
    assert tile.mask[4, 5]
    assert tile.mask[:2].all()
    assert tile.mask.sum() == 61
    assert not tile.data[:, tile.mask].any()
    assert tile.data[:, ~tile.mask].sum() == np.nansum(COUNTS[:, ~tile.mask])
    assert "61 blank (NaN) pixels masked" in tile.notes


def test_blank_pixels_of_unused_planes_do_no_harm(write_cube, survey):
    counts = np.ones((4, 6, 7), dtype=np.float32)
    counts[0] = np.nan
    tile = read_map(write_cube(counts, [0.03, 0.1, 0.316, 0.501, 1.0]), survey)
    assert not tile.mask.any()
    assert "energy bins not used: 0.03-0.1 GeV, 0.1-0.316 GeV" in tile.notes


def test_corners_of_an_all_sky_map_are_masked(write_cube, survey):
    shape = (1880, 3680)
    wcs = sky_wcs(shape, projection="AIT")
    counts = np.ones((1, *shape), dtype=np.int16)
    tile = read_map(write_cube(counts, [1.0, 1.995], wcs=wcs), survey)
    assert tile.mask[0, 0]
    assert tile.mask.mean() == pytest.approx(1 - 41253 / 0.01 / np.prod(shape), abs=0.005)
    assert not tile.data[:, tile.mask].any()


def test_plate_carree_far_from_the_equator_is_reported(write_cube, survey):
    counts = np.ones((1, 1000, 10), dtype=np.int16)
    path = write_cube(counts, [1.0, 1.995], wcs=sky_wcs((1000, 10)))
    with pytest.warns(PssegWarning, match=r"cube.fits: pixels cover 0.64 to 1 of the survey's"):
        tile = read_map(path, survey)
    assert "sources look stretched there" in tile.notes[-1]


def test_header_selection_is_masked(write_cube, survey):
    cards = {"DSTYP1": "POS(L,B)", "DSUNI1": "deg", "DSVAL1": "CIRCLE(0,0,0.8)"}
    tile = read_map(write_cube(COUNTS, cards=cards), survey)
    assert tile.mask[0, 0]
    assert not tile.mask[10, 15]
    assert any("outside the header's selection masked" in note for note in tile.notes)


def test_bands_outside_the_header_selection_are_absent(write_cube, survey):
    counts = COUNTS.copy()
    counts[:5] = 0
    cards = {"DSTYP1": "ENERGY", "DSUNI1": "MeV", "DSVAL1": "1000:2000000"}
    tile = read_map(write_cube(counts, cards=cards), survey)
    assert tile.bands_present.tolist() == [False] * 2 + [True] * 6
    assert tile.data.sum() == counts.sum()
    assert tile.notes[0].startswith("the header's energy selection leaves 1-1995 GeV")


def test_a_header_that_names_other_photons_is_told(write_cube, survey):
    cards = {"DSTYP1": "BIT_MASK(EVENT_CLASS,1024,P8R3)", "DSVAL1": "1:1"}
    with pytest.warns(PssegWarning) as caught:
        tile = read_map(write_cube(COUNTS, cards=cards), survey)
    told = [str(warning.message) for warning in caught]
    assert told[0].startswith(
        "cube.fits: photons of event class 1024; fermi-lat is for event class"
    )
    assert told[1].startswith("cube.fits: no cut in zenith angle: the Earth's limb")
    assert [f"cube.fits: {note}" for note in tile.notes] == told


def test_a_position_cut_that_is_not_understood_is_told(write_cube, survey):
    cards = {"DSTYP1": "POS(RA,DEC)", "DSVAL1": "POLYGON(1,2,3,4,5,6)"}
    with pytest.warns(PssegWarning, match=r"cube.fits: position cut not understood .*POLYGON"):
        assert not read_map(write_cube(COUNTS, cards=cards), survey).mask.any()


def test_a_field_across_the_seam_of_the_sky_is_whole(write_cube, survey):
    shape = (60, 3600)
    counts = RNG.poisson(0.3, (1, *shape)).astype(np.int16)
    counts[:, :, :3] = 9
    path = write_cube(counts, [1.0, 1.995], wcs=sky_wcs(shape))
    field = read_map(path, survey, center=SkyCoord(179, 0, unit="deg", frame="galactic"), width=4.0)
    assert field.shape == (40, 40)
    assert np.array_equal(field.data[2], np.roll(counts[0], 10, axis=1)[10:50, :40])
    x, y = field.sky_to_pixel(SkyCoord(179.95, 0.05, unit="deg", frame="galactic"))
    assert (float(x), float(y)) == pytest.approx((10, 20), abs=1e-6)
    assert not field.mask.any()


def test_a_field_is_cut_out(cube, survey):
    whole = read_map(cube, survey)
    center = whole.pixel_to_sky(20, 8)
    field = read_map(cube, survey, center=center, width=1.6)
    assert field.shape == (16, 16)
    x, y = field.sky_to_pixel(center)
    assert np.allclose(field.data[:, round(float(y)), round(float(x))], whole.data[:, 8, 20])
    with pytest.raises(PssegError, match=r"cube.fits: the field asked for, 2 deg wide, lies outs"):
        read_map(cube, survey, center=SkyCoord(100, 0, unit="deg", frame="galactic"), width=2.0)


@pytest.mark.parametrize("kind", ["gz", "fz", "scaled", "uint16", "4-D"])
def test_other_storage_reads_the_same(tmp_path, cube, survey, kind):
    with fits.open(cube) as hdus:
        header, counts = hdus[0].header, hdus[0].data
        tables = [hdus["EBOUNDS"].copy()]
    other = tmp_path / f"other.fits{'.' + kind if kind in ('gz', 'fz') else ''}"
    if kind == "gz":
        other.write_bytes(gzip.compress(cube.read_bytes()))
    elif kind == "fz":
        image = fits.CompImageHDU(counts, header, compression_type="RICE_1")
        fits.HDUList([fits.PrimaryHDU(), image, *tables]).writeto(other)
    else:
        counts = {"uint16": counts.astype(np.uint16), "4-D": counts[None]}.get(kind, counts)
        image = fits.PrimaryHDU(counts, header)
        if kind == "scaled":
            image.scale("int16", bzero=100)
        fits.HDUList([image, *tables]).writeto(other)
    tile, wanted = read_map(other, survey), read_map(cube, survey)
    assert np.array_equal(tile.data, wanted.data)
    assert tile.data.dtype.isnative
    assert np.allclose(tile.wcs.wcs_pix2world(3, 4, 0), wanted.wcs.wcs_pix2world(3, 4, 0))


MODEL = COUNTS + 0.25
FLUX = COUNTS * 1e-9


@pytest.mark.parametrize(
    ("counts", "edges", "message"),
    [
        (COUNTS - 1, TEN_PER_DECADE, r"negative values \(down to -1\): this looks like a flux"),
        (MODEL, TEN_PER_DECADE, r"the values are no whole numbers of photons \(such as \d.25\)"),
        (FLUX, TEN_PER_DECADE, r"the values are no whole numbers of photons \(such as \de-09\)"),
        (np.zeros_like(COUNTS), TEN_PER_DECADE, r"all counts are zero; check the selection"),
        (np.full(COUNTS.shape, np.nan), TEN_PER_DECADE, r"every pixel is blank"),
        (COUNTS, None, r"no EBOUNDS table, so the energies of its 38 planes are unknown"),
        (COUNTS, TEN_PER_DECADE[:-1], r"EBOUNDS has 37 energy bins but the image 38 planes"),
        (COUNTS[:2], [1.0, 10.0, 50.1], r"energy bins too coarse .*1-10 GeV.* half of 1-1.995"),
        (COUNTS[:1], [0.03, 0.1], r"its energies \(0.03-0.1 GeV\) fill none of the"),
        (
            COUNTS[0],
            TEN_PER_DECADE,
            r"the image has no energy axis \(30 x 20 pixels\)",
        ),
        (COUNTS[None, None], TEN_PER_DECADE, None),
        (COUNTS.reshape(2, 19, 20, 30), TEN_PER_DECADE, r"the image has 4 axes"),
    ],
)
def test_what_is_no_counts_cube_is_refused(write_cube, survey, counts, edges, message):
    path = write_cube(counts, edges)
    if message is None:
        assert read_map(path, survey).data.any()
        return
    with pytest.raises(PssegError, match=rf"^cube.fits: {message}") as caught:
        read_map(path, survey)
    assert "\n" not in str(caught.value)


def test_image_without_celestial_wcs_is_refused(tmp_path, survey):
    hdus = fits.HDUList([fits.PrimaryHDU(COUNTS), ebounds(EDGES)])
    hdus.writeto(tmp_path / "plain.fits")
    with pytest.raises(PssegError, match=r"^plain.fits: no celestial WCS .*; psseg must know"):
        read_map(tmp_path / "plain.fits", survey)


def test_coarse_pixels_are_refused(write_cube, survey):
    path = write_cube(COUNTS, wcs=sky_wcs((20, 30), scale=0.25))
    with pytest.raises(PssegError, match=r"^cube.fits: pixels of 0.25 deg are too coarse"):
        read_map(path, survey)


def test_truncated_cube_is_refused(cube, survey):
    cube.write_bytes(cube.read_bytes()[:-3000])
    with pytest.raises(PssegError, match=r"^cube.fits: the file is truncated"):
        read_map(cube, survey)
