"""TensorFlow greets the terminal when its libraries load; no setting of its own stops that."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_start", "start_keras"]

STANDARD_ERROR = 2
LOGGERS = ("tensorflow", "absl")
"""They advise those who write networks: maps of several shapes need a graph each, for one."""


@contextmanager
def quiet_start() -> Iterator[None]:
    """Drop what is written to standard error within, by libraries of any language.

    Meant for the one moment in which TensorFlow is imported: exceptions pass as ever, other
    messages would be lost.
    """
    try:
        kept = os.dup(STANDARD_ERROR)
    except OSError:  # there is no standard error to keep quiet
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)


def start_keras() -> None:
    """Import Keras, and TensorFlow with it, and let them write of errors alone from then on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_start():
        import keras  # noqa: F401
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.ERROR))
