"""Matching a catalogue with others: associations with their probabilities, and comparisons.

In: a catalogue and one or more references, as files or tables. Out: joined tables with the rate of
chance matches, and how complete, pure and accurate one catalogue is against the other.
"""

from psseg.crossmatch.columns import ColumnChoice
from psseg.crossmatch.comparison import Comparison, compare
from psseg.crossmatch.joins import joined
from psseg.crossmatch.matching import Match, MatchOptions, crossmatch
from psseg.crossmatch.reference import SkyTable, make_sky_table, read_reference

__all__ = [
    "ColumnChoice",
    "Comparison",
    "Match",
    "MatchOptions",
    "SkyTable",
    "compare",
    "crossmatch",
    "joined",
    "make_sky_table",
    "read_reference",
]
