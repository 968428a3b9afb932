"""TensorFlow greets the terminal when its libraries load; no setting of its own stops that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_start"]

STANDARD_ERROR = 2


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
