"""Read tables of a survey file into dataclasses, refusing what they do not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import pairwise
from math import isfinite
from numbers import Real
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from psseg.errors import PssegError

__all__ = [
    "check_keys",
    "check_length",
    "check_rising",
    "check_tables",
    "check_values",
    "read_table",
]

T = TypeVar("T")


def check_keys(
    table: Mapping[str, Any], *, required: set[str], optional: set[str], where: str
) -> None:
    """Refuse a table that holds an unknown key or lacks a required one.

    Parameters
    ----------
    table : mapping
        A table as read from a TOML file.
    required, optional : set of str
        Keys that must and that may be there.
    where : str
        Name of the table, for the message.

    Raises
    ------
    PssegError
        Naming the first unknown or missing key.
    """
    known = required | optional
    for key in table:
        if key not in known:
            message = f"unknown key {key!r} in {where}; known keys: {', '.join(sorted(known))}"
            raise PssegError(message)
    for key in sorted(required - table.keys()):
        raise PssegError(f"missing key {key!r} in {where}")


def check_values(table: Mapping[str, Any], hints: Mapping[str, Any], *, where: str) -> None:
    """Refuse a table with a value of the wrong kind.

    Parameters
    ----------
    table : mapping
        A table as read from a TOML file.
    hints : mapping
        What is wanted by key: ``float``, ``str``, or tuples of them, for lists; anything else,
        and keys that are not there, are not checked.
    where : str
        Name of the table, for the message.

    Raises
    ------
    PssegError
        Naming the first wrong value's key.
    """
    for key, value in table.items():
        hint = hints.get(key)
        if not _fits(value, hint):
            raise PssegError(f"{key} in {where} must be {_wanted(hint)}, not {value!r}")


def read_table(cls: type[T], table: Any, where: str) -> T:
    """Make a dataclass from a table after a look at its values; every message says where.

    Parameters
    ----------
    cls : type
        A dataclass, whose hints say which values are wanted (:func:`check_values`).
    table : mapping
        Values by field name; anything else is refused.
    where : str
        Name of the table, with that of its file.

    Returns
    -------
    cls

    Raises
    ------
    PssegError
        If a key is unknown or missing, or a value is wrong.
    """
    if not isinstance(table, Mapping):
        raise PssegError(f"{where} must be a table")
    check_values(table, get_type_hints(cls), where=where)
    _check_fields(cls, table, where)
    try:
        return cls(**{key: _frozen(value) for key, value in table.items()})
    except PssegError as error:
        raise PssegError(f"{where}: {error}") from error


def check_tables(tables: Any, header: str, where: str) -> None:
    """Refuse what is no list of tables under a header such as ``[[instrument.psf]]``."""
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise PssegError(f"{where}: {header.split('.')[-1]} must be [[{header}]] tables")


def _check_fields(cls: type, table: Mapping[str, Any], where: str) -> None:
    needed = {f.name for f in fields(cls) if f.default is MISSING}
    allowed = {f.name for f in fields(cls)}
    check_keys(table, required=needed, optional=allowed - needed, where=where)


def _fits(value: Any, hint: Any) -> bool:
    if hint is float:
        return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if hint is str:
        return isinstance(value, str)
    if get_origin(hint) is not tuple:
        return True
    kind, *others = get_args(hint)
    wanted = isinstance(value, list | tuple) and (... in others or len(value) == 1 + len(others))
    return wanted and all(_fits(item, kind) for item in value)


def _wanted(hint: Any) -> str:
    """Say what is wanted; lists of one kind."""
    if get_origin(hint) is not tuple:
        return "a number" if hint is float else "a text"
    kind, *others = get_args(hint)
    number = "" if ... in others else f"{1 + len(others)} "
    what = {float: "numbers", str: "texts"}.get(kind, "lists of numbers")
    return f"a list of {number}{what}"


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def check_length(name: str, values: Sequence[Any], other: str, record: object) -> None:
    """Refuse values that are not as many as another field of a record has."""
    wanted = len(getattr(record, other))
    if len(values) != wanted:
        raise PssegError(f"{name} must have {wanted} entries, as {other} has, not {len(values)}")


def check_rising(name: str, values: Sequence[float], *, from_zero: bool = False) -> None:
    """Refuse fewer than two numbers, numbers that do not rise, and some that are too low."""
    too_low = len(values) < 2 or values[0] < 0 or (values[0] == 0 and not from_zero)
    if too_low or any(low >= high for low, high in pairwise(values)):
        least = "not negative" if from_zero else "positive"
        raise PssegError(f"{name} must be two or more numbers, {least} and rising: {list(values)}")
