"""How far long work is: a bar where a person is looking, plain lines in a log.

In: what is worked through. Out: the same, and on standard error how much of it is done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm

__all__ = ["Progress", "watched"]

SECONDS_BETWEEN_LINES = 60.0
"""In a log."""


def watched() -> bool:
    """Tell whether standard error is a terminal."""
    return sys.stderr.isatty()


class Progress(tqdm):
    """tqdm's bar in a terminal; elsewhere a line a minute, and none for work of less than that.

    Parameters
    ----------
    *args, **options
        As tqdm takes them.
    """

    delay: float

    def __init__(self, *args: Any, **options: Any) -> None:
        if not watched():
            options |= {
                "mininterval": SECONDS_BETWEEN_LINES,
                "maxinterval": SECONDS_BETWEEN_LINES,
                "miniters": 1,
                "delay": SECONDS_BETWEEN_LINES,
                "bar_format": "psseg: {desc}: {n_fmt} of {total_fmt} {unit}s, {elapsed} so far",
            }
        super().__init__(*args, **options)

    def close(self) -> None:
        """Finish: in a log with a last line, where there were others and this is another."""
        if not watched() and not self.disable:
            if self.last_print_t >= self.start_t + self.delay and self.n > self.last_print_n:
                self.display()
            self.delay = float("inf")
        super().close()

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """Give what prints the state: in place in a terminal, else as lines."""
        return tqdm.status_printer(file) if watched() else _printed_lines(file)


def _printed_lines(file: TextIO) -> Callable[[str], None]:
    def print_line(text: str) -> None:
        file.write(f"{text}\n")
        file.flush()

    return print_line
