"""The real DS9 on a screen of its own, and what XPA says of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = ("ds9", "Xvfb", "xpaget", "xpaset")

ELLIPSE = re.compile(r"^ellipse\(([^)]*)\)(.*)$")


class DS9:
    """A running DS9."""

    def __init__(self, title: str, environment: dict[str, str]) -> None:
        self.title, self.environment = title, environment

    def get(self, *words: str) -> str:
        done = subprocess.run(
            ["xpaget", self.title, *words], env=self.environment, capture_output=True, text=True
        )
        return "" if done.stdout.startswith("XPA$ERROR") else done.stdout.strip()

    def set(self, *words: str) -> None:
        subprocess.run(["xpaset", "-p", self.title, *words], env=self.environment, check=True)

    def ellipses(self, system: str, frame: str = "icrs") -> tuple[np.ndarray, list[str]]:
        """Give the numbers of every ellipse, angles last, and the properties of each."""
        self.set("regions", "format", "ds9")
        self.set("regions", "system", system)
        self.set("regions", "sky", frame)
        found = [ELLIPSE.match(line) for line in self.get("regions").splitlines()]
        shapes = [match for match in found if match]
        numbers = [[float(part.rstrip('"')) for part in match[1].split(",")] for match in shapes]
        return np.array(numbers).reshape(-1, 5), [match[2] for match in shapes]


def skip_without_ds9() -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: saods9, xvfb, xpa-tools)")


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """Start a screen in memory; give the environment of programs that draw on it."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x1100x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    try:
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait()


@contextmanager
def running(
    arguments: list[str],
    environment: dict[str, str],
    *,
    folder: Path,
    ready: Callable[[DS9], object] = lambda ds9: ds9.get("version"),
    seconds: float = 60,
) -> Iterator[DS9]:
    """Run a command that starts DS9, alone among all DS9s, and wait until it is ready."""
    with (
        # DS9's name server goes a moment after DS9, and may still write there.
        tempfile.TemporaryDirectory(prefix="xpa", ignore_cleanup_errors=True) as sockets,
        (folder / "ds9.log").open("w") as log,
    ):
        variables = {**environment, "XPA_METHOD": "local", "XPA_TMPDIR": sockets}
        process = subprocess.Popen(
            arguments,
            env=variables,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        ds9 = DS9("ds9", variables)
        try:
            _wait(ds9, process, folder, ready, seconds)
            yield ds9
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # the shell of a script and its DS9
            process.wait(timeout=30)


def worked_off(ds9: DS9) -> bool:
    """Say whether DS9 is done with the arguments of a view, of which the last locks the frames."""
    return ds9.get("lock", "frame") == "wcs"


def _wait(
    ds9: DS9,
    process: subprocess.Popen,
    folder: Path,
    ready: Callable[[DS9], object],
    seconds: float,
) -> None:
    end = time.monotonic() + seconds
    while not ready(ds9):
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"DS9 did not start: {(folder / 'ds9.log').read_text()}")
        time.sleep(0.1)
