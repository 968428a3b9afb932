"""Failures become one line; what the user or the shell stopped stays what it is."""

from __future__ import annotations

import click
import pytest

from psseg.console import Console, OneLineError
from psseg.errors import PssegError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PssegError("a.fits: is empty"), "a.fits: is empty"),
        (FileNotFoundError(2, "No such file", "/proc/foo"), "/proc/foo: No such file"),
        (MemoryError("8 GiB"), "the map: not enough memory (8 GiB); work on a part of it"),
        (KeyError("x"), "the map: psseg failed (KeyError: 'x'; line "),
        (ValueError(), "the map: psseg failed (ValueError: no more is known; line "),
    ],
)
def test_failures_become_one_line(error, said):
    with pytest.raises(OneLineError) as caught, Console().one_line("the map"):
        raise error
    assert caught.value.message.startswith(said)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), click.UsageError("no"), click.Abort(), click.exceptions.Exit(0)]
)
def test_other_ends_pass(error):
    with pytest.raises(type(error)) as caught, Console().one_line("the map"):
        raise error
    assert caught.value is error


def test_a_traceback_is_for_those_who_ask(capsys):
    for verbosity in (0, 1):
        with pytest.raises(OneLineError), Console(verbosity=verbosity).one_line():
            raise KeyError("x")
        assert ("Traceback" in capsys.readouterr().err) is bool(verbosity)


def test_a_command_fails_in_one_line_too(capsys):
    with pytest.raises(OneLineError, match="psseg failed"), Console().listening():
        raise KeyError("x")
