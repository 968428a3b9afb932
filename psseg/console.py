"""What psseg says to people.

Results go to standard output; progress, warnings and errors to standard error, one line each.
"""

from __future__ import annotations

import functools
import logging
import os
import shlex
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from psseg.errors import PssegError, PssegWarning

__all__ = ["Console", "OneLineError", "command_line", "console_options"]


ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"}
"""Read by libraries when they are first imported. TensorFlow's start-up messages help nobody here;
and the fits solve thousands of small systems, which OpenBLAS slows down by starting threads: a
128×128 map with 70 sources took 63 s on two busy cores with them and 9 s without."""


class OneLineError(click.ClickException):
    """A failure, told in one line; exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the line to standard error."""
        click.echo(f"psseg: error: {' '.join(self.message.split())}", file=file, err=file is None)


@dataclass(frozen=True)
class Console:
    """How much a command says.

    Parameters
    ----------
    quiet : bool
        Errors only.
    verbosity : int
        1 adds what psseg decided on the way, 2 adds details and other packages' warnings.
    """

    quiet: bool = False
    verbosity: int = 0

    @property
    def progress(self) -> bool:
        """Whether to show progress: a bar where a person is looking, lines in a log."""
        return not self.quiet

    def say(self, text: str) -> None:
        """Print a result to standard output."""
        if not self.quiet:
            click.echo(text)

    def say_paths(self, paths: Mapping[str, object]) -> None:
        """Print where products are, one line each."""
        width = max(len(name) for name in paths)
        for name, path in paths.items():
            self.say(f"  {name:<{width}}  {path}")

    @contextmanager
    def one_line(self, what: object = "") -> Iterator[None]:
        """Turn any failure within into one line; with ``-v``, its traceback stands before it.

        Parameters
        ----------
        what : object
            What is worked on, such as a map's path, for failures that nobody foresaw.
        """
        try:
            yield
        except (BrokenPipeError, click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (PssegError, OSError) as error:
            raise OneLineError(_message(error)) from error
        except Exception as error:
            if self.verbosity:
                click.echo(traceback.format_exc(), err=True)
            name = f"{what}: " if what else ""
            raise OneLineError(f"{name}{_unforeseen(error)}") from error

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Show psseg's warnings and log, and turn failures into one line and exit status 1."""
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        logger, handler = logging.getLogger("psseg"), logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("psseg: %(message)s"))
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(self.verbosity, 2)])
        try:
            with warnings.catch_warnings(), self.one_line():
                self._choose_warnings()
                yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)

    def _choose_warnings(self) -> None:
        warnings.simplefilter("default" if self.verbosity > 1 else "ignore")
        warnings.simplefilter("ignore" if self.quiet else "always", PssegWarning)
        warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"psseg: warning: {' '.join(str(message).split())}", err=True)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _unforeseen(error: Exception) -> str:
    """Say what failed that psseg has no words for, and where."""
    said = textwrap.shorten(str(error), 300) or "no more is known"
    if isinstance(error, MemoryError):
        return f"not enough memory ({said}); work on a part of it, or on a larger machine"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"psseg failed ({type(error).__name__}: {said}; line {place.lineno} of "
        f"{os.path.basename(place.filename)}); please report it, with what -v shows"
    )


def command_line() -> str:
    """Give the command as it was typed, for the history of what it writes."""
    return shlex.join(["psseg", *sys.argv[1:]])


def console_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--quiet`` and ``-v`` to a command, which gets a :class:`Console` first."""

    @click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
    @click.option("-v", "--verbose", count=True, help="Say more; -vv says most.")
    @functools.wraps(function)
    def command(*, quiet: bool, verbose: int, **options: Any) -> Any:
        console = Console(quiet=quiet, verbosity=verbose)
        with console.listening():
            return function(console, **options)

    return command
