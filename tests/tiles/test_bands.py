"""Energy bins, photons and exposures of any binning fill the survey's bands."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from psseg.errors import PssegError
from psseg.tiles.bands import average_over_bands, band_coverage, format_energies, share_bins

EDGES = np.array([0.316, 0.501, 1.0, 1.995, 5.01, 10.0, 19.95, 50.1, 1995.0])


def bins(edges):
    return np.asarray(edges)[:-1], np.asarray(edges)[1:]


def share(edges):
    return share_bins(*bins(edges), EDGES, name="cube.fits")


def test_ten_bins_per_decade_sum_exactly():
    shares = share(10 ** np.arange(-0.5, 3.31, 0.1))
    assert shares.present.all()
    assert not shares.shared.any()
    assert set(shares.weights.ravel()) == {0.0, 1.0}
    assert shares.weights.sum(axis=1).tolist() == [2, 3, 3, 4, 3, 3, 4, 16]
    assert shares.notes == ()


def test_eight_bins_per_decade_are_shared_and_lose_nothing():
    shares = share(10 ** np.arange(-0.5, 3.51, 0.125))
    assert shares.present.all()
    assert shares.shared.all()
    assert shares.straddled == pytest.approx([0.501, 1.995, 5.01, 19.95, 50.1, 1995.0])
    assert shares.weights[:, :-3].sum(axis=0) == pytest.approx(1.0)


def test_share_of_a_straddling_bin_follows_the_spectrum():
    shares = share([1.0, 1.8, 2.2, 4.0, 5.01])
    below = quad(lambda e: e**-2.4, 1.8, 1.995)[0] / quad(lambda e: e**-2.4, 1.8, 2.2)[0]
    assert shares.weights[2:4, 1] == pytest.approx([below, 1 - below])
    assert shares.shared.tolist() == [False, False, True, True] + [False] * 4


def test_edges_within_one_per_cent_are_equal():
    assert not share([1.009, 1.5, 2.01, 5.01]).shared.any()
    assert share([1.0, 1.5, 2.05, 4.0, 5.01]).shared[2:4].all()


def test_narrow_bins_do_not_vanish_at_a_band_edge():
    edges = np.geomspace(0.501, 1.995, 400)  # 0.35 % wide
    shares = share(edges)
    assert shares.weights.sum() == pytest.approx(399)
    assert not shares.shared.any()


def test_map_from_ten_gev_has_the_upper_bands():
    shares = share(np.geomspace(10, 500, 12))  # the 3FHL cube
    assert shares.present.tolist() == [False] * 5 + [True] * 3
    assert shares.shared[5:].all()
    assert any("bands absent: 0.316-0.501 GeV" in note for note in shares.notes)
    assert any("band 50.1-1995 GeV misses 3.4%" in note for note in shares.notes)


def test_top_band_that_ends_too_early_is_absent():
    shares = share([1.0, 1.995, 5.01, 10.0, 19.95, 50.1, 100.0])
    assert shares.present.tolist() == [False, False, True, True, True, True, True, False]
    assert "energy bins not used: 50.1-100 GeV" in shares.notes


@pytest.mark.parametrize(("start", "present"), [(1.04, True), (1.3, False)])
def test_band_in_which_a_cube_starts(start, present):
    assert share([start, 1.995, 5.01]).present[2] == present


def test_coarse_bins_are_named_with_the_bands_they_would_fill():
    message = (
        "cube.fits: energy bins too coarse for the bands: 1-10 GeV would have to be shared out "
        "to fill more than half of 1-1.995 GeV, 1.995-5.01 GeV, 5.01-10 GeV; "
        "use bins with edges at 1, 1.995, 5.01, 10 GeV"
    )
    with pytest.raises(PssegError) as caught:
        share([0.316, 0.501, 1.0, 10.0, 19.95])
    assert str(caught.value) == message


def test_five_bins_per_decade_are_too_coarse():
    with pytest.raises(PssegError, match=r"coarse .* 1.585-2.512 GeV, 3.981-6.31 .* 1.995-5.01"):
        share(10 ** np.arange(-0.6, 3.5, 0.2))


@pytest.mark.parametrize(
    ("edges", "absent", "bins"),
    [
        (np.geomspace(0.3, 300, 31), [0], "0.3-0.3777 GeV, 0.4755-0.5986 GeV"),
        (np.geomspace(0.1, 300, 25), [0], "0.272-0.3798 GeV, 0.3798-0.5302 GeV"),
        ([0.316, 0.501, 1.0, 1.995, 5.01, 10, 19.95, 30, 3000], [7], "30-3000 GeV"),
        ([0.3, 0.9, 1.1, 1.995, 5.01, 10.0], [0, 1, 5, 6, 7], "0.3-0.9 GeV, 0.9-1.1 GeV"),
    ],
)
def test_coarse_bands_at_the_ends_are_absent(edges, absent, bins):
    shares = share(edges)
    assert np.flatnonzero(~shares.present).tolist() == absent
    assert not shares.weights[absent].any()
    assert not shares.shared[absent].any()
    note = f"bands absent because energy bins are too coarse for them: {bins} would have to be"
    assert any(text.startswith(note) for text in shares.notes)


def test_three_bands_must_be_left():
    assert share([0.3, 0.9, 1.1, 1.995, 5.01, 10.0]).present.sum() == 3
    with pytest.raises(PssegError, match=r"too coarse for the bands: 0.3-0.9 GeV, 0.9-1.1 GeV"):
        share([0.3, 0.9, 1.1, 1.995, 5.01])


def test_energies_that_were_cut_away_are_absent():
    edges = 10 ** np.arange(-0.5, 3.31, 0.1)
    cut = share_bins(*bins(edges), EDGES, selected=(1.0, 2000.0), name="cube.fits")
    assert cut.present.tolist() == [False] * 2 + [True] * 6
    assert cut.weights.shape == (8, 38)
    assert cut.weights.sum(axis=1).tolist() == [0, 0, 3, 4, 3, 3, 4, 16]
    assert (
        cut.notes[0] == "the header's energy selection leaves 1-1995 GeV: other energies are empty"
    )
    assert "bands absent: 0.316-0.501 GeV, 0.501-1 GeV" in cut.notes
    within = share_bins(*bins(edges), EDGES, selected=(1.1, 400.0), name="cube.fits")
    assert within.present.tolist() == [False] * 3 + [True] * 5
    assert any("band 50.1-1995 GeV misses 4" in note for note in within.notes)
    with pytest.raises(PssegError, match=r"\(0.3162-1995 GeV\) lie outside .* \(0.01-0.1 GeV\)"):
        share_bins(*bins(edges), EDGES, selected=(0.01, 0.1), name="cube.fits")


@pytest.mark.parametrize("selected", [(0.0, np.inf), (0.1, 2000.0), (0.3162278, 1995.2623)])
def test_a_selection_that_cuts_nothing_changes_nothing(selected):
    low, high = bins(10 ** np.arange(-0.5, 3.31, 0.1))
    whole = share_bins(low, high, EDGES, name="cube.fits")
    same = share_bins(low, high, EDGES, selected=selected, name="cube.fits")
    assert np.array_equal(same.weights, whole.weights)
    assert same.notes == whole.notes


def test_energies_beside_the_bands_are_refused():
    with pytest.raises(PssegError, match=r"its energies \(0.03-0.1 GeV\) fill none"):
        share([0.03, 0.1])


@given(
    st.lists(st.floats(0.05, 4000.0), min_size=2, max_size=60, unique=True).map(sorted),
)
def test_no_bin_gives_more_than_it_has(edges):
    edges = np.array(edges)
    if np.any(edges[1:] / edges[:-1] < 1.0001):
        return
    try:
        shares = share(edges)
    except PssegError:
        return
    given_away = shares.weights.sum(axis=0)
    assert np.all(given_away <= 1 + 1e-9)
    assert np.all(shares.weights >= 0)
    assert not np.any(shares.weights[~shares.present])
    assert not np.any(shares.shared & ~shares.present)


def test_coverage_of_bands():
    coverage = band_coverage(1.0, 500.0, EDGES)
    assert coverage[:2].tolist() == [0.0, 0.0]
    assert coverage[2:7] == pytest.approx(1.0)
    missing = quad(lambda e: e**-2.4, 500, 1995)[0] / quad(lambda e: e**-2.4, 50.1, 1995)[0]
    assert coverage[7] == pytest.approx(1 - missing, rel=1e-4)


def test_average_over_bands_follows_the_spectrum():
    energies = np.geomspace(0.1, 3000, 200)
    weights, coverage = average_over_bands(energies, EDGES)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert coverage == pytest.approx(1.0)
    values = weights @ np.log(energies)
    for band, (low, high) in enumerate(pairwise(EDGES)):
        mean = quad(lambda e: np.log(e) * e**-2.4, low, high)[0]
        mean /= quad(lambda e: e**-2.4, low, high)[0]
        assert values[band] == pytest.approx(mean, abs=1e-3)


def test_average_is_constant_beyond_the_energies():
    weights, coverage = average_over_bands(np.array([10.0, 20.0]), EDGES)
    assert weights[0] == pytest.approx([1.0, 0.0])
    assert weights[7] == pytest.approx([0.0, 1.0])
    assert coverage[[0, 5, 7]] == pytest.approx([0.0, 1.0, 0.0])


def test_energies_are_written_shortly():
    assert format_energies([50.118723, 1995.2623]) == "50.12-1995 GeV"
    assert format_energies([1.0, 1.995]) == "1-1.995 GeV"
