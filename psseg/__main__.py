"""The command: `psseg`, or `python -m psseg` where its script is not on the path."""

import atexit
import gc

from psseg.cli import main

__all__ = ["run"]

ALLOCATIONS = 20_000
"""Objects made between two searches for cyclic garbage. Python's own 700 make the start of
TensorFlow a second longer."""


def run() -> None:
    """Run the command; leave without a last search for garbage, which takes a second."""
    gc.set_threshold(ALLOCATIONS)
    atexit.register(gc.freeze)
    main()


if __name__ == "__main__":
    run()
