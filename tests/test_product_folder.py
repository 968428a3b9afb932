"""A folder of products is found again, with the map they were made of."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.io import fits

from psseg.errors import PssegError, PssegWarning
from psseg.product_folder import find_products
from psseg.products import ascii_name, sha256_of


def write_catalogue(folder, stem, *, column="RAJ2000", **cards):
    folder.mkdir(parents=True, exist_ok=True)
    columns = [fits.Column(name=column, format="D", array=np.zeros(2))]
    table = fits.BinTableHDU.from_columns(columns, name="CATALOGUE")
    table.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / f"{stem}_catalogue.fits")


def write_map(path, text="a map"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return {"INFILE": ascii_name(path.name), "INSHA": sha256_of(path)}


def test_each_catalogue_has_its_products_and_kind(tmp_path):
    write_catalogue(tmp_path, "north", column="ra")
    write_catalogue(tmp_path, "crab.counts")
    crab, north = find_products(tmp_path)
    assert (crab.stem, crab.kind) == ("crab.counts", "counts")
    assert (north.stem, north.kind) == ("north", "continuum")
    assert crab.catalogue == tmp_path / "crab.counts_catalogue.fits"
    assert crab.regions == tmp_path / "crab.counts.reg"
    assert crab.labels == tmp_path / "crab.counts_labels.fits"
    assert crab.picture == tmp_path / "crab.counts.png"
    assert crab.map is None


def test_the_map_is_where_the_header_says(tmp_path):
    path = tmp_path / "elsewhere" / "crab.fits"
    cards = write_map(path)
    write_catalogue(tmp_path / "out", "crab", INPATH="../elsewhere/crab.fits", **cards)
    assert find_products(tmp_path / "out")[0].map.samefile(path)


@pytest.mark.parametrize("place", ["out", ".", "work"])
def test_a_map_that_moved_is_looked_for_by_its_name(tmp_path, monkeypatch, place):
    path = tmp_path / place / "crab.fits"
    cards = write_map(path)
    write_catalogue(tmp_path / "out", "crab", INPATH="/no/such/crab.fits", **cards)
    (tmp_path / "work").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "work")
    found = find_products(tmp_path / "out")[0].map
    assert found.samefile(path)


@pytest.mark.parametrize("name", ["Čerenkov [1] counts.fits", "100 %41.fits"])
def test_a_name_that_a_header_cannot_hold_is_found_again(tmp_path, name):
    path = tmp_path / "çà" / name
    cards = write_map(path)
    write_catalogue(tmp_path / "out", "c", INPATH=ascii_name(f"../çà/{name}"), **cards)
    assert find_products(tmp_path / "out")[0].map.samefile(path)


@pytest.mark.parametrize(
    ("name", "written"), [("Čounts.fits", "?ounts.fits"), ("100%41.fits", "100%41.fits")]
)
def test_names_as_older_headers_have_them_are_found(tmp_path, name, written):
    path = tmp_path / name
    cards = write_map(path)
    write_catalogue(tmp_path, "c", **cards | {"INFILE": written})
    assert find_products(tmp_path)[0].map == path


def test_a_changed_map_is_passed_over_unless_it_was_given(tmp_path):
    path = tmp_path / "crab.fits"
    cards = write_map(path)
    write_catalogue(tmp_path, "crab", **cards)
    path.write_text("another map")
    with pytest.warns(PssegWarning, match=r"crab.fits: was changed .* not used"):
        assert find_products(tmp_path)[0].map is None
    with pytest.warns(PssegWarning, match=r"crab.fits: is not the map .* used still"):
        assert find_products(tmp_path, map_=path)[0].map == path


def test_an_unchanged_copy_stands_in_for_a_changed_map(tmp_path):
    changed, copy = tmp_path / "elsewhere" / "crab.fits", tmp_path / "crab.fits"
    cards = write_map(copy)
    write_map(changed, "another map")
    write_catalogue(tmp_path, "crab", INPATH=str(changed), **cards)
    assert find_products(tmp_path)[0].map == copy


def test_folders_without_products_are_refused(tmp_path):
    with pytest.raises(PssegError, match="absent: no such folder"):
        find_products(tmp_path / "absent")
    with pytest.raises(PssegError, match=re.escape("holds no *_catalogue.fits")):
        find_products(tmp_path)
    write_map(tmp_path / "sky.fits")
    with pytest.raises(PssegError, match=r"sky.fits: is a file; name the folder"):
        find_products(tmp_path / "sky.fits")


def test_one_map_for_two_catalogues_is_refused(tmp_path):
    for stem in ("a", "b"):
        write_catalogue(tmp_path, stem)
    with pytest.raises(PssegError, match="holds 2 catalogues, and one map was given"):
        find_products(tmp_path, map_=tmp_path / "a.fits")


def test_a_given_map_that_is_not_there_is_refused(tmp_path):
    write_catalogue(tmp_path, "a")
    with pytest.raises(PssegError, match=r"a.fits: no such file"):
        find_products(tmp_path, map_=tmp_path / "a.fits")


@pytest.mark.parametrize("content", ["no FITS", ""])
def test_files_that_are_no_catalogue_are_refused(tmp_path, content):
    (tmp_path / "x_catalogue.fits").write_text(content)
    with pytest.raises(PssegError, match=r"x_catalogue.fits: cannot be read"):
        find_products(tmp_path)


def test_a_fits_file_without_a_catalogue_is_refused(tmp_path):
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "x_catalogue.fits")
    with pytest.raises(PssegError, match="there is no HDU named CATALOGUE"):
        find_products(tmp_path)


def test_one_of_several_is_chosen_by_its_stem(tmp_path):
    for stem in ("a", "b"):
        write_catalogue(tmp_path, stem)
    path = tmp_path / "map.fits"
    path.write_text("a map")
    (chosen,) = find_products(tmp_path, map_=path, stem="b")
    assert (chosen.stem, chosen.map) == ("b", path)
    with pytest.raises(PssegError, match=r"holds no c_catalogue.fits; there are a, b"):
        find_products(tmp_path, stem="c")
