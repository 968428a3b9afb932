"""Shapes: what each is made of, how large it is, and where it lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.sky.radio_shapes import draw_components
from psseg.survey.radio_populations import SHAPES

WITH_CORE = ("core-jet", "fri", "frii", "bent")
shapes = st.sampled_from(SHAPES)


def draw(shape, *, n=400, size=20.0, angle=0.0, seed=1):
    """Give the components of n sources of one shape, each array (n, k)."""
    drawn = draw_components(
        np.full(n, SHAPES.index(shape)),
        np.full(n, size),
        np.full(n, angle),
        np.random.default_rng(seed),
    )
    return {name: values.reshape(n, -1) for name, values in vars(drawn).items()}


def reach(parts):
    """Half width at half maximum beyond the outermost component's centre, along +y."""
    along = np.cos(np.radians(parts["angle"]))
    half = np.hypot(parts["major"] * along, parts["minor"] * np.sqrt(1 - along**2)) / 2
    return parts["dy"] + half, parts["dy"] - half


@given(shape=shapes, size=st.floats(0, 300), seed=st.integers(0, 99))
def test_components_add_up_to_the_source(shape, size, seed):
    parts = draw(shape, n=20, size=size, seed=seed)
    assert parts["share"].sum(axis=1) == pytest.approx(1)
    assert (parts["share"] * parts["index_offset"]).sum(axis=1) == pytest.approx(0, abs=1e-12)
    assert np.all(parts["share"] > 0)
    assert np.all(parts["major"] >= parts["minor"])
    assert np.all((parts["angle"] >= 0) & (parts["angle"] < 180))
    assert np.array_equal(parts["source"][:, 0], np.arange(20))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_source_smaller_than_a_pixel_is_one_component(shape):
    parts = draw(shape, size=0.9)
    assert parts["share"].shape == (400, 1)
    assert np.all(parts["major"] == (0 if shape == "point" else 0.9))


def test_a_point_is_a_point():
    parts = draw("point", size=0.0)
    assert not np.any([parts[name] for name in ("dx", "dy", "major", "minor", "index_offset")])


def test_turning_a_source_turns_its_components():
    # From +y towards -x: at 90 deg what was above lies to the left.
    upright, turned = draw("core-jet"), draw("core-jet", angle=90.0)
    assert turned["dx"] == pytest.approx(-upright["dy"])
    assert turned["dy"] == pytest.approx(upright["dx"])
    assert turned["angle"] == pytest.approx((upright["angle"] + 90) % 180)


def test_components_grow_with_the_source():
    small, large = draw("frii", size=5.0), draw("frii", size=50.0)
    for name in ("dx", "dy", "major", "minor"):
        assert large[name] == pytest.approx(10 * small[name])
    assert large["share"] == pytest.approx(small["share"])


@pytest.mark.parametrize("shape", ["fri", "frii"])
def test_doubles_are_as_long_as_they_should_be(shape):
    top, bottom = reach(draw(shape))
    length = top.max(axis=1) - bottom.min(axis=1)
    assert np.median(length) == pytest.approx(20, rel=0.2)
    assert np.percentile(length, 99) < 30


def test_an_exponential_disc_holds_half_its_light_within_half_its_size():
    parts = draw("disc", size=10.0)
    # In the frame in which the disc is round, a Gaussian holds 1 - 2^-(2r/FWHM)^2 within r.
    inside = (parts["share"] * (1 - 0.5 ** (10 / parts["major"]) ** 2)).sum(axis=1)
    assert inside == pytest.approx(0.5, abs=0.02)
    # An exponential disc is 2.2 times as bright in its centre as the Gaussian of the same half.
    centre = (parts["share"] / parts["major"] ** 2).sum(axis=1) * 10**2
    assert centre == pytest.approx(2.03, rel=0.25)


def test_discs_are_seen_from_everywhere():
    parts = draw("disc", n=4000)
    ratio = (parts["minor"] / parts["major"])[:, 0]
    assert np.median(ratio) == pytest.approx(0.55, abs=0.03)  # T-RECS
    assert 0.2 <= ratio.min() < 0.25
    assert ratio.max() > 0.95


def surface_brightness(parts):
    """Along the axis of sources of 20 pixels, seen with a beam of 2 pixels: (n, 201)."""
    y = np.linspace(-14, 14, 201)
    major = np.hypot(parts["major"], 2.0)[..., None]
    minor = np.hypot(parts["minor"], 2.0)[..., None]
    profile = np.exp(-4 * np.log(2) * ((y - parts["dy"][..., None]) / major) ** 2)
    return y, (parts["share"][..., None] * profile / (major * minor)).sum(axis=1)


def test_fri_fade_outwards_and_frii_are_brightest_at_their_edges():
    y, fri = surface_brightness(draw("fri"))
    _, frii = surface_brightness(draw("frii"))
    peaks = [np.abs(y[brightness.argmax(axis=1)]) for brightness in (fri, frii)]
    assert np.median(peaks[0]) < 2.5  # within the inner quarter
    assert np.median(peaks[1]) == pytest.approx(6.2, abs=1.0)  # 0.62 of half the size


def test_bent_sources_have_their_opening_angles():
    parts = draw("bent", n=2000)
    left, right = (np.stack([parts["dx"][:, k], parts["dy"][:, k]], axis=1) for k in (2, 4))
    cosine = (left * right).sum(axis=1) / np.hypot(*left.T) / np.hypot(*right.T)
    opening = np.degrees(np.arccos(cosine))
    assert opening.min() == pytest.approx(60, abs=1)
    assert opening.max() == pytest.approx(150, abs=1)
    # The size is the distance of the ends; the outer components lie at 0.7 of the tails.
    assert np.hypot(*(left - right).T) == pytest.approx(0.7 * 20)


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [("core-jet", 0.58, 0.9), ("frii", 0.003, 0.09), ("fri", 0.03, 0.25), ("bent", 0.03, 0.2)],
)
def test_cores(shape, low, high):
    parts = draw(shape)
    core = parts["share"][:, 0]
    assert low <= core.min() < core.max() <= high
    assert not np.any(parts["major"][:, 0])
    assert not np.any([parts["dx"][:, 0], parts["dy"][:, 0]])


@pytest.mark.parametrize("shape", WITH_CORE)
def test_cores_are_flatter_than_the_rest(shape):
    offsets = draw(shape)["index_offset"]
    assert offsets[:, :1] - offsets[:, 1:] == pytest.approx(0.6)


def test_no_sources_no_components():
    none = draw_components(
        np.zeros(0, int), np.zeros(0), np.zeros(0), np.random.default_rng(1)
    )  # fmt: skip
    assert all(len(values) == 0 for values in vars(none).values())
