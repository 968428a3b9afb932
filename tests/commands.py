"""Commands run in this process, and what they leave behind."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from psseg.cli import main


def run(*words):
    """Run psseg in this process; the exit status tells a failure from wrong use."""
    return CliRunner().invoke(main, [str(word) for word in words])


def assert_fails(result, *parts):
    """Check for exit status 1 and one line on standard error that holds all parts."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("psseg: error: ")
    for part in parts:
        assert part in line
    assert result.stdout == ""


def products(folder):
    return sorted(path.name for path in Path(folder).iterdir()) if Path(folder).exists() else []
