"""Tables of a survey file become dataclasses, or are refused by the name of the wrong key."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.errors import PssegError
from psseg.survey.schema import check_keys, check_values, read_table


@dataclass(frozen=True, kw_only=True)
class Band:
    name: str
    edges: tuple[float, float]
    weight: float = 1.0
    rows: tuple[tuple[float, ...], ...] = ()


def test_a_table_becomes_a_dataclass_with_tuples_for_lists():
    band = read_table(Band, {"name": "L", "edges": [1.0, 2.0]}, "[band]")
    assert band == Band(name="L", edges=(1.0, 2.0), weight=1.0)


def test_lists_in_lists_are_frozen_too():
    table = {"name": "L", "edges": [1.0, 2.0], "rows": [[1, 2], [3, 4]]}
    band = read_table(Band, table, "[band]")
    assert band.rows == ((1, 2), (3, 4))
    hash(band)


def test_an_unknown_key_is_refused_with_the_known_ones():
    message = r"unknown key 'egdes' in \[band\]; known keys: edges, name, rows, weight"
    with pytest.raises(PssegError, match=message):
        read_table(Band, {"name": "L", "egdes": [1.0, 2.0]}, "[band]")


def test_a_missing_key_is_named():
    with pytest.raises(PssegError, match=r"missing key 'edges' in \[band\]"):
        read_table(Band, {"name": "L"}, "[band]")


def test_a_value_is_looked_at_before_it_is_used():
    with pytest.raises(PssegError, match=r"weight in \[band\] must be a number, not nan"):
        read_table(Band, {"name": "L", "edges": [1.0, 2.0], "weight": float("nan")}, "[band]")


def test_optional_keys_may_be_left_out():
    check_keys({"a": 1}, required={"a"}, optional={"b"}, where="[t]")
    check_keys({"a": 1, "b": 2}, required={"a"}, optional={"b"}, where="[t]")


HINTS = {
    "scale": float,
    "name": str,
    "range": tuple[float, float],
    "edges": tuple[float, ...],
    "names": tuple[str, ...],
    "rows": tuple[tuple[float, ...], ...],
    "psf": object,
}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scale", "wide", r"scale in \[t\] must be a number, not 'wide'"),
        ("scale", True, "scale .* must be a number, not True"),
        ("scale", float("nan"), "scale .* must be a number, not nan"),
        ("name", 3, "name .* must be a text, not 3"),
        ("range", [1.0], r"range .* must be a list of 2 numbers, not \[1.0\]"),
        ("range", 1.0, "range .* must be a list of 2 numbers"),
        ("edges", [1.0, "two"], "edges .* must be a list of numbers"),
        ("names", "GLAST", "names .* must be a list of texts, not 'GLAST'"),
        ("rows", [1.0, 2.0], "rows .* must be a list of lists of numbers"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(key, value, message):
    with pytest.raises(PssegError, match=message):
        check_values({"scale": 1.0, key: value}, HINTS, where="[t]")


def test_keys_without_a_hint_are_left_alone():
    check_values({"psf": "anything", "unknown": None}, HINTS, where="[t]")


@given(
    scale=st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    edges=st.lists(st.floats(allow_nan=False, allow_infinity=False)),
    name=st.text(),
)
def test_all_that_toml_can_write_for_it_passes(scale, edges, name):
    check_values({"scale": scale, "edges": edges, "name": name}, HINTS, where="[t]")
