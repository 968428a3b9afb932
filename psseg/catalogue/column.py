"""What a column of a catalogue is declared as."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Column"]


class Column(NamedTuple):
    """One column: its name, type (numpy's code), unit, UCD, meaning, and whether it is per band."""

    name: str
    dtype: str
    unit: str
    ucd: str
    description: str
    per_band: bool = False
