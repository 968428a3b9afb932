"""A bar in a terminal, plain lines in a log, nothing where nothing is wanted."""

from __future__ import annotations

import io
import time

import pytest

from psseg import progress
from psseg.console import Console


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def put(stderr, monkeypatch):
    """Give a function that puts it there: pytest replaces sys.stderr between fixture and test."""
    return lambda: monkeypatch.setattr("sys.stderr", stderr)


@pytest.fixture(params=[Terminal, io.StringIO], ids=["terminal", "log"])
def stderr(request):
    """Give what will stand in the place of standard error."""
    return request.param()


def work(n, seconds, **options):
    for _ in progress.Progress(range(n), desc="labelling", unit="window", **options):
        time.sleep(seconds)


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.05)


def test_long_work_is_a_bar_in_a_terminal_and_lines_in_a_log(stderr, put, hurried):
    put()
    work(4, 0.06)
    said = stderr.getvalue()
    if stderr.isatty():
        assert "\r" in said
        assert "4/4" in said
        return
    lines = said.splitlines()
    assert "\r" not in said
    assert len(lines) >= 3
    assert all(line.startswith("psseg: labelling: ") for line in lines)
    assert lines[-1].startswith("psseg: labelling: 4 of 4 windows, 00:0")


def test_short_work_is_not_worth_a_line(stderr, put):
    put()
    work(3, 0)
    assert bool(stderr.getvalue()) == stderr.isatty()


def test_nothing_is_said_where_nothing_is_wanted(stderr, put, hurried):
    put()
    work(4, 0.06, disable=True)
    assert stderr.getvalue() == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_a_console_shows_progress_unless_it_is_quiet(put, quiet):
    put()
    assert Console(quiet=quiet).progress is not quiet
