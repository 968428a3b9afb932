"""Comparisons of two catalogues whose differences are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from psseg.crossmatch import compare, make_sky_table
from psseg.crossmatch.comparison import common_sky, share_of, summary_lines, summary_table
from psseg.crossmatch.comparison_plot import comparison_figure
from psseg.errors import PssegWarning

ARCSEC = 1 / 3600


def field(rng, number, *, low=0.0, high=2.0):
    return rng.uniform(low, high, number), rng.uniform(-1, 1, number)


def catalogue(ra, dec, *, label="ref", unit=u.Jy, flux=None, **columns):
    table = Table({
        "ra": ra * u.deg, "dec": dec * u.deg, "pos_err": np.ones(len(ra)) * u.arcsec,
        "Flux": (np.ones(len(ra)) if flux is None else flux) * unit, **columns,
    })  # fmt: skip
    return make_sky_table(table, label=label, origin=f"{label}.fits")


@pytest.fixture(scope="module")
def comparison():
    """Give a catalogue with 800 of 1000 sources, twice as bright, 1 arcsec too far to the east."""
    rng = np.random.default_rng(6)
    ra, dec = field(rng, 1000)
    theirs = catalogue(ra, dec, flux=np.linspace(1, 10, 1000), CLASS=["bll"] * 1000)
    false_ra, false_dec = field(rng, 200)
    classes = ["blazar"] * 600 + ["pulsar"] * 200 + ["other"] * 200
    ours = catalogue(
        np.r_[ra[:800] + ARCSEC / np.cos(np.deg2rad(dec[:800])), false_ra],
        np.r_[dec[:800], false_dec], label="cat", unit=u.mJy,
        flux=np.r_[2000 * np.linspace(1, 10, 1000)[:800], np.ones(200)], CLASS=classes,
    )  # fmt: skip
    return compare(ours, theirs)


def value(comparison, quantity):
    table = summary_table(comparison)
    (row,) = table[table["quantity"] == quantity]
    return row


def test_completeness_and_purity(comparison):
    complete, pure = (value(comparison, name) for name in ("completeness", "purity"))
    assert complete["value"] == pytest.approx(0.8, abs=0.01)
    assert complete["low"] < complete["value"] < complete["high"]
    assert pure["value"] == pytest.approx(0.8, abs=0.01)
    bins = [row for row in summary_table(comparison) if "completeness, ref" in row["quantity"]]
    assert [row["value"] for row in bins] == pytest.approx([1, 1, 1, 1, 0], abs=0.01)


def test_offsets_fluxes_and_classes(comparison):
    assert value(comparison, "offset to the east")["value"] == pytest.approx(1, abs=0.01)
    assert value(comparison, "offset to the north")["value"] == pytest.approx(0, abs=0.01)
    ratio = value(comparison, "flux ratio, catalogue over reference")
    assert ratio["value"] == pytest.approx(2, rel=1e-6)
    assert value(comparison, "classes agree")["value"] == pytest.approx(0.75, abs=0.01)
    assert value(comparison, "reference blazar, catalogue pulsar")["value"] == pytest.approx(
        200, abs=2
    )


def test_normalised_separations_are_those_of_true_errors():
    rng = np.random.default_rng(7)
    ra, dec = field(rng, 3000, high=5.0)
    moved = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, 3000) * u.deg, np.sqrt(2) * rng.rayleigh(size=3000) * u.arcsec
    )
    found = compare(catalogue(moved.ra.deg, moved.dec.deg, label="cat"), catalogue(ra, dec))
    assert value(found, "within the 68 % ellipse")["value"] == pytest.approx(0.68, abs=0.03)
    assert value(found, "within the 95 % ellipse")["value"] == pytest.approx(0.95, abs=0.015)


def test_exchanged_catalogues_exchange_completeness_and_purity(comparison):
    turned = compare(comparison.right, comparison.left)
    assert value(turned, "purity")["value"] == value(comparison, "completeness")["value"]
    pairs = set(zip(comparison.pairs.left, comparison.pairs.right, strict=True))
    assert pairs == set(zip(turned.pairs.right, turned.pairs.left, strict=True))


def test_only_the_common_sky_counts():
    rng = np.random.default_rng(9)
    ra, dec = field(rng, 4000, high=4.0)
    west = ra < 2
    found = compare(catalogue(ra[west], dec[west], label="cat"), catalogue(ra, dec))
    assert value(found, "completeness")["value"] > 0.9  # half a cell at the edge
    assert 0.4 * 4000 < found.right_common.sum() < 0.6 * 4000
    everywhere = compare(
        catalogue(ra[west], dec[west], label="cat"), catalogue(ra, dec), everywhere=True
    )
    assert value(everywhere, "completeness")["value"] == pytest.approx(west.mean())


def test_catalogues_of_different_skies_share_none():
    marks = common_sky(*(SkyCoord([ra] * 20, [0.0] * 20, unit="deg") for ra in (10, 200)))
    assert not marks[0].any()
    assert not marks[1].any()
    with pytest.warns(PssegWarning, match="cat.fits and ref.fits have no sky in common"):
        compare(
            catalogue(np.ones(1), np.ones(1), label="cat"), catalogue(np.ones(1) + 90, np.ones(1))
        )


@pytest.mark.parametrize("number", [3, 10, 18, 43, 640])
def test_none_and_all_are_told_exactly(number):
    assert share_of(np.zeros(number, bool))[1] == 0
    assert share_of(np.ones(number, bool))[2] == 1


def test_fluxes_that_cannot_be_compared_are_left_out():
    ours, theirs = catalogue(np.ones(1), np.ones(1), unit=u.Jy), None
    theirs = catalogue(np.ones(1), np.ones(1), unit=u.ph / u.cm**2 / u.s)
    with pytest.warns(PssegWarning, match="cannot be compared"):
        found = compare(ours, theirs)
    assert np.isnan(found.flux_ratios()).all()


def test_fluxes_without_a_unit_are_taken_for_the_other(recwarn):
    flux = {"flux": np.array([3.0])}
    ours = catalogue(np.ones(1), np.ones(1), label="cat", **flux)
    theirs = catalogue(np.ones(1), np.ones(1), unit=1, **flux)
    theirs.table["Flux"].unit = None
    with pytest.warns(PssegWarning, match="^ref.fits: Flux has no unit; taken for Jy$"):
        assert compare(ours, theirs).flux_ratios() == pytest.approx([1])
    assert not recwarn


def test_fluxes_of_a_known_kind_have_its_unit():
    aegean = Table({
        "island": [1], "source": [0], "local_rms": [0.1], "ra": [1.0], "dec": [1.0],
        "err_ra": [1e-4], "err_dec": [1e-4], "int_flux": [2.0],
    })  # fmt: skip
    theirs = make_sky_table(aegean, label="a", origin="a.fits")
    ours = catalogue(np.ones(1), np.ones(1), unit=u.mJy, flux=np.array([2.0]))
    assert compare(ours, theirs).flux_ratios() == pytest.approx([1e-3])
    photons = catalogue(np.ones(1), np.ones(1), unit=u.ph / u.cm**2 / u.s)
    with pytest.warns(PssegWarning, match="cannot be compared"):
        assert np.isnan(compare(photons, theirs).flux_ratios()).all()


def test_photons_in_a_unit_make_no_difference():
    flux = {"flux": np.array([3.0])}
    ours = catalogue(np.ones(1), np.ones(1), unit=u.ph / u.cm**2 / u.s, **flux)
    theirs = catalogue(np.ones(1), np.ones(1), unit=u.Unit("m-2 s-1"), **flux)
    assert compare(ours, theirs).flux_ratios()[0] == pytest.approx(1e4)


def test_empty_catalogues_compare_to_nothing():
    nothing = catalogue(np.zeros(0), np.zeros(0))
    found = compare(nothing, nothing)
    table = summary_table(found)
    assert np.isnan(table["value"][0])
    assert summary_lines(found) == []
    assert len(comparison_figure(found).axes) == 4


def test_the_figure_shows_the_numbers(comparison):
    figure = comparison_figure(comparison)
    texts = [axes.get_title() for axes in figure.axes]
    assert any("expected by chance" in text for text in texts)
    assert any("median ratio 2" in text for text in texts)
    assert any("classes agree in 75 %" in text for text in texts)


def test_the_figure_says_where_chance_is_not_known(comparison):
    figure = comparison_figure(replace(comparison, n_chance=np.nan))
    titles = [axes.get_title() for axes in figure.axes]
    assert any(text.endswith("an unknown number expected by chance") for text in titles)
