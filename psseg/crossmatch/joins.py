"""Tables of a match: the columns of both catalogues side by side, and the file.

In: matches of a catalogue with one or more references. Out: a table in one of several joins, and
its file as FITS, VOTable, CSV or ECSV.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column as TableColumn
from astropy.table import MaskedColumn, Table, hstack
from astropy.time import Time
from numpy.typing import NDArray

from psseg.catalogue.column import Column
from psseg.crossmatch.association import AMBIGUOUS, SHARED
from psseg.crossmatch.matching import Match
from psseg.errors import PssegError, PssegWarning
from psseg.products import made_by

__all__ = ["JOINS", "MATCH_COLUMNS", "joined", "match_header", "side_by_side"]

JOINS = ("best", "all", "left", "mutual", "unmatched-left", "unmatched-right")
"""Sources with a match, each with its best; all candidates; all sources, with the best match where
there is one; pairs that are the best of either side; sources without a match, of either side."""

MATCH_COLUMNS = (
    Column("SEPARATION", "f8", "arcsec", "pos.angDistance", "Separation of the two positions"),
    Column("NORM_SEP", "f4", "", "stat.value", "Separation in standard deviations of both errors"),
    Column("LOG_BF", "f4", "", "stat.likelihood", "log10 of the Bayes factor of the positions"),
    Column("P_MATCH", "f4", "", "stat.probability", "Probability that this is the counterpart"),
    Column("P_REL", "f4", "", "stat.probability", "The same, given that one of the candidates is"),
    Column("P_ANY", "f4", "", "stat.probability", "Probability that there is a counterpart"),
    Column("P_CHANCE", "f4", "", "stat.probability", "Share of shifted positions as well matched"),
    Column("N_CAND", "i4", "", "meta.number", "Number of candidates"),
    Column("BEST", "i2", "", "meta.code", "1 for the best candidate of the source, else 0"),
    Column(
        "MATCH_FLAG", "i2", "", "meta.code.qual",
        f"Sum of {AMBIGUOUS}: a second candidate is over half as probable; {SHARED}: the best "
        "candidate is that of another source, too",
    ),
)  # fmt: skip
"""What a match adds to the columns of both catalogues."""

PER_SOURCE = ("P_ANY", "P_CHANCE", "N_CAND", "MATCH_FLAG")
"""Columns that a source without a match has, too."""


def joined(matches: Sequence[Match], join: str = "best") -> Table:
    """Put the columns of a catalogue, its references and their match side by side.

    Parameters
    ----------
    matches : sequence of Match
        Of one catalogue with one or more references.
    join : str
        One of `JOINS`; with several references ``best`` (rows with a match in any of them) or
        ``left``.

    Returns
    -------
    Table
        The catalogue's columns under their own names, then those of each reference with its label
        at the end. What a match adds has the names of `MATCH_COLUMNS`, with several references
        with the label at their end, too.

    Raises
    ------
    PssegError
        If there is no such join, or it is one for a single reference.
    """
    if join not in JOINS:
        raise PssegError(f"join {join!r}: want one of {', '.join(JOINS)}")
    if len(matches) == 1 and join not in ("best", "left"):
        return _one_join(matches[0], join)
    if join not in ("best", "left"):
        raise PssegError(f"join {join!r} is for one reference; with several use best or left")
    rows = [_best_pairs(match) for match in matches]
    left = matches[0].left
    kept = np.arange(len(left))
    if join == "best":
        kept = np.flatnonzero(np.any([pairs >= 0 for pairs in rows], axis=0))
    parts = [_plain(left.table[kept])]
    several = len(matches) > 1
    for match, label, pairs in zip(matches, _labels(matches), rows, strict=True):
        parts += _beside(match, kept, pairs[kept], label, several=several)
    return _stacked(parts)


def side_by_side(left: Table, right: Table, label: str, added: Table) -> Table:
    """Put rows of two catalogues side by side.

    Parameters
    ----------
    left, right : Table
        As many rows of either catalogue.
    label : str
        What the names of the right columns end with.
    added : Table
        Further columns.

    Returns
    -------
    Table
    """
    theirs = _plain(right)
    theirs.rename_columns(theirs.colnames, [f"{name}_{label}" for name in theirs.colnames])
    return _stacked([_plain(left), theirs, added])


def _one_join(match: Match, join: str) -> Table:
    """Join a catalogue with one reference by pairs, or give the rows of no pair."""
    found = match.association
    if join == "unmatched-right":
        taken = np.isin(np.arange(len(match.right)), found.pairs.right[match.accepted])
        return _plain(match.right.table[~taken])
    if join == "unmatched-left":
        taken = np.isin(np.arange(len(match.left)), found.pairs.left[match.accepted])
        rows = np.flatnonzero(~taken)
        return _stacked(
            [_plain(match.left.table[rows]), _match_table(match, rows, None, PER_SOURCE)]
        )
    chosen = np.arange(len(found.pairs))
    if join == "mutual":
        chosen = np.flatnonzero(match.accepted & found.best & found.right_best)
    rows = found.pairs.left[chosen]
    beside = _beside(match, rows, chosen, match.right.label, several=False)
    return _stacked([_plain(match.left.table[rows]), *beside])


def _best_pairs(match: Match) -> NDArray[np.int64]:
    """Give, for each left source, its best accepted pair, or -1."""
    found = match.association
    best = np.full(len(match.left), -1)
    chosen = np.flatnonzero(match.accepted & found.best)
    best[found.pairs.left[chosen]] = chosen
    return best


def _beside(
    match: Match, rows: NDArray[np.int64], pairs: NDArray[np.int64], label: str, *, several: bool
) -> list[Table]:
    """Give the reference's columns and those of the match, a row per row of the catalogue."""
    found = match.association
    matched = pairs >= 0
    right = np.zeros(len(pairs), dtype=np.int64)
    right[matched] = found.pairs.right[pairs[matched]]
    theirs = Table()
    for name, column in _plain(match.right.table).columns.items():
        theirs[f"{name}_{label}"] = _taken(column, right, matched)
    ours = _match_table(match, rows, pairs, tuple(c.name for c in MATCH_COLUMNS))
    if several:
        ours.rename_columns(ours.colnames, [f"{name}_{label}" for name in ours.colnames])
    return [theirs, ours]


def _match_table(
    match: Match, rows: NDArray[np.int64], pairs: NDArray[np.int64] | None, names: tuple[str, ...]
) -> Table:
    """Give columns of the match for rows of the catalogue and their pairs, -1 for none."""
    found = match.association
    of_source = {
        "P_ANY": found.p_any, "P_CHANCE": match.p_chance, "N_CAND": found.n_candidates,
        "MATCH_FLAG": found.flags,
    }  # fmt: skip
    of_pair = {
        "SEPARATION": found.pairs.separation * 3600, "NORM_SEP": found.normalised,
        "LOG_BF": found.log_bayes_factor, "P_MATCH": found.p_match, "P_REL": found.p_relative,
        "BEST": found.best,
    }  # fmt: skip
    table = Table()
    for column in MATCH_COLUMNS:
        if column.name not in names:
            continue
        if column.name in of_source:
            values: Any = of_source[column.name][rows]
        elif pairs is not None:
            empty = np.nan if column.dtype[0] == "f" else 0
            values = np.append(of_pair[column.name], empty)[pairs]
        table[column.name] = TableColumn(
            np.asarray(values).astype(column.dtype), unit=column.unit or None,
            description=column.description, meta={"ucd": column.ucd},
        )  # fmt: skip
    return table


def _labels(matches: Sequence[Match]) -> list[str]:
    """Give each reference a label of its own."""
    labels: list[str] = []
    for match in matches:
        label, number = match.right.label, 2
        while label in labels:
            label, number = f"{match.right.label}{number}", number + 1
        labels.append(label)
    return labels


def _taken(column: Any, rows: NDArray[np.int64], matched: NDArray[np.bool_]) -> Any:
    """Give rows of a column; blank, not-a-number or masked where nothing matched."""
    if len(column) == 0:
        shape = (len(rows), *column.shape[1:])
        values = MaskedColumn(np.zeros(shape, column.dtype), mask=np.ones(shape, bool))
    else:
        values = MaskedColumn(column[rows])
    values.mask = np.ma.getmaskarray(values) | ~matched.reshape(-1, *[1] * (column.ndim - 1))
    if column.dtype.kind in "fU":
        blank: Any = np.nan if column.dtype.kind == "f" else ""
        values = np.ma.filled(np.ma.asarray(values), blank)
    elif not values.mask.any():
        values = np.asarray(values.data)
    kind = MaskedColumn if isinstance(values, MaskedColumn) else TableColumn
    return kind(
        values, unit=column.unit, description=column.description, meta=dict(column.meta or {})
    )


def _plain(table: Table) -> Table:
    """Give a table of plain columns: numbers, and text for all else, empty where it is masked."""
    result = Table()
    dropped = []
    for name, column in Table(table, copy=False).columns.items():
        values = _plain_values(column)
        if values is None:
            dropped.append(name)
            continue
        kind = MaskedColumn if isinstance(values, MaskedColumn) else TableColumn
        unit = column.info.unit if values.dtype.kind != "U" or values is column else None
        result[name] = kind(
            values, unit=unit, description=column.info.description,
            meta=dict(column.info.meta or {}),
        )  # fmt: skip
    if dropped:
        warnings.warn(
            f"columns {', '.join(dropped)} are neither numbers nor text; left out",
            PssegWarning, stacklevel=3,
        )  # fmt: skip
    return result


def _plain_values(column: Any) -> Any:
    """Give the values of a column as numbers or text, None if they are neither."""
    if isinstance(column, Time):
        return np.asarray(np.ma.filled(column.isot, "")).astype(str)
    if isinstance(column, SkyCoord):
        return np.array(column.to_string("decimal"), dtype=str).reshape(column.shape)
    if not isinstance(column, TableColumn):
        return None
    kind = column.dtype.kind
    if kind == "b":
        return np.asarray(np.ma.filled(np.ma.asarray(column), False)).astype("i2")
    if kind in "iufc":
        return column
    if kind not in "SUO":
        return None
    if kind == "U" and column.ndim == 1:
        return np.asarray(np.ma.filled(np.ma.asarray(column), ""))
    return np.array([_text(value) for value in column] or np.zeros(0, "U1"), dtype=str)


def _text(value: Any) -> str:
    """Give a value as text; several values with commas between, and blanks where one is missing."""
    if value is np.ma.masked or value is None:
        return ""
    if isinstance(value, np.ndarray) and value.dtype.kind in "SU":
        return ", ".join(_text(part) for part in np.ma.asarray(value).ravel())
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _stacked(parts: Sequence[Table]) -> Table:
    """Put tables side by side; a name that is taken gets a number."""
    taken: set[str] = set()
    for part in parts:
        for name in part.colnames:
            new, number = name, 2
            while new.lower() in taken:
                new, number = f"{name}_{number}", number + 1
            taken.add(new.lower())
            part.rename_column(name, new)
    return hstack(list(parts), join_type="exact", metadata_conflicts="silent")


def match_header(matches: Sequence[Match], join: str, *, command: str = "") -> dict[str, Any]:
    """Give what a joined table tells of its making, as header cards.

    Parameters
    ----------
    matches : sequence of Match
        The matches.
    join : str
        The join.
    command : str
        The command line.

    Returns
    -------
    dict
        CREATOR, DATE, MATCHED (the method), JOIN; for each reference, numbered from 1 where there
        are several, REFNAME, REFROWS, NMATCH (matched sources), NCHANCE (how many of as many
        shifted ones are), FALSEFRC (their ratio), COMPLETE (the prior, given or fitted) and SHIFT
        (degrees); and HISTORY.
    """
    options = matches[0].options
    header: dict[str, Any] = {
        **made_by(),
        "CATNAME": Path(matches[0].left.origin).name,
        "CATROWS": len(matches[0].left),
        "MATCHED": options.method,
        "JOIN": join,
        "CONFID": options.confidence,
        "PMIN": options.minimum_probability,
    }
    for number, match in enumerate(matches, 1):
        end = str(number) if len(matches) > 1 else ""
        values = {
            "REFNAME": Path(match.right.origin).name,
            "REFROWS": len(match.right),
            "NMATCH": match.n_matched,
            "NCHANCE": round(match.n_chance, 3),
            "FALSEFRC": round(match.n_chance / max(match.n_matched, 1), 5),
            "COMPLETE": round(match.association.completeness, 5),
            "SHIFT": round(match.chance.shift, 6),
        }
        header |= {f"{key[: 8 - len(end)]}{end}": value for key, value in values.items()}
    header["HISTORY"] = [command] if command else []
    return header
