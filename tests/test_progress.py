"""A bar in a terminal, plain lines in a log, nothing where nothing is wanted."""

from __future__ import annotations

import io

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


@pytest.fixture
def work(monkeypatch):
    """Give a function that works, by a clock that stands still between the steps."""
    now = [1e9]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])

    def work(n, seconds, **options):
        for _ in progress.Progress(range(n), desc="labelling", unit="window", **options):
            now[0] += seconds

    return work


def test_long_work_is_a_bar_in_a_terminal_and_lines_in_a_log(stderr, put, work):
    put()
    work(4, 61)
    said = stderr.getvalue()
    if stderr.isatty():
        assert "\r" in said
        assert "4/4" in said
        return
    lines = said.splitlines()
    assert "\r" not in said
    assert lines == [
        f"psseg: labelling: {n} of 4 windows, {time} so far"
        for n, time in ((1, "01:01"), (2, "02:02"), (3, "03:03"), (4, "04:04"))
    ]


def test_a_log_has_a_line_a_minute_however_many_steps_there_are(stderr, put, work):
    put()
    work(2990, 0.1)
    if not stderr.isatty():
        assert [line.split()[-3] for line in stderr.getvalue().splitlines()] == [
            "01:00", "02:00", "03:00", "04:00", "04:59",
        ]  # fmt: skip


def test_short_work_is_not_worth_a_line(stderr, put, work):
    put()
    work(3, 15)
    assert bool(stderr.getvalue()) == stderr.isatty()


def test_nothing_is_said_where_nothing_is_wanted(stderr, put, work):
    put()
    work(4, 61, disable=True)
    assert stderr.getvalue() == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_a_console_shows_progress_unless_it_is_quiet(put, quiet):
    put()
    assert Console(quiet=quiet).progress is not quiet
