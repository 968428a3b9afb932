"""Whatever is wrong in a survey file of either kind, one line names the file and the key."""

from __future__ import annotations

import json
import tomllib
from copy import deepcopy

import pytest

from psseg.errors import PssegError
from psseg.survey.survey import load_survey, parse_survey


def toml_text(value):
    """Write a value of a survey file as TOML, tables in braces."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)} = {toml_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_text, value))}]"
    return json.dumps(value, ensure_ascii=False)


def parse(table):
    lines = (f"{json.dumps(key)} = {toml_text(value)}\n" for key, value in table.items())
    return parse_survey("".join(lines), where="mine.toml")


def leaves(value, path=()):
    """Give the paths of all values that are no tables."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        yield path
        return
    for key, inner in value.items():
        yield from leaves(inner, (*path, key))


def places(table):
    """Give a path for each key: of tables of one kind, one that has it."""
    return {tuple(k for k in path if isinstance(k, str)): path for path in leaves(table)}.values()


def refusal(table):
    """Give the message of the refusal, None if the table is taken."""
    try:
        parse(table)
    except PssegError as error:
        return str(error)
    return None


def names_all(message, path):
    """Whether one line names the file and the key."""
    return "mine.toml" in message and path[-1] in message and "\n" not in message


def changed(table, path, wrong):
    table = deepcopy(table)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong(inner[path[-1]])
    return table


@pytest.fixture(scope="module", params=["fermi-lat", "radio"])
def table(request):
    return tomllib.loads(load_survey(request.param).text)


def test_the_shipped_tables_are_read_back(table):
    assert parse(table).name == table["name"]


@pytest.mark.parametrize("wrong", ["wrong", 3, {"a": 1}, True], ids=repr)
def test_a_value_of_the_wrong_kind_is_refused_with_file_and_key(table, wrong):
    for path in places(table):
        message = refusal(changed(table, path, lambda old: wrong))
        assert message is None or names_all(message, path), (path, message)
        if isinstance(wrong, dict | bool):
            assert message is not None, path


@pytest.mark.parametrize(
    "wrong",
    [
        lambda old: [],
        lambda old: [-3.0] * len(old) if isinstance(old, list) else -3.0,
        lambda old: [0] * len(old) if isinstance(old, list) else 0,
        lambda old: old[::-1] if isinstance(old, list) else 1e30,
        lambda old: old + old[-1:] if isinstance(old, list) else old,
        lambda old: [[1.0], [1.0, 2.0]],
    ],
    ids=["empty", "negative", "zero", "backwards", "longer", "ragged"],
)
def test_a_value_that_cannot_be_used_is_refused_with_file_and_key(table, wrong):
    for path in places(table):
        message = refusal(changed(table, path, wrong))
        assert message is None or names_all(message, path), (path, message)


@pytest.mark.parametrize("wrong", [3, "wrong", [1], []], ids=repr)
def test_what_is_no_table_is_refused_with_file_and_key(table, wrong):
    for key, part in table.items():
        if isinstance(part, dict) or (isinstance(part, list) and isinstance(part[0], dict)):
            if (key, wrong) == ("populations", []) and table["kind"] == "counts":
                continue  # a sky without sources
            with pytest.raises(PssegError, match=rf"^mine.toml\b.*\b{key}"):
                parse({**table, key: wrong})


def test_a_list_of_nodes_may_not_be_empty():
    table = tomllib.loads(load_survey("radio").text)
    with pytest.raises(PssegError, match=r"mine.toml \[counts\]: share_fluxes must be two or more"):
        parse(changed(table, ("counts", "share_fluxes"), lambda old: []))
