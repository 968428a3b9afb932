"""Read tables of a survey file into dataclasses, refusing what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from psseg.errors import PssegError

__all__ = ["check_keys", "from_table"]

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


def from_table(cls: type[T], table: Mapping[str, Any], *, where: str) -> T:
    """Make a dataclass from a table; lists become tuples.

    Parameters
    ----------
    cls : type
        A dataclass; its fields without default are the required keys.
    table : mapping
        Values by field name.
    where : str
        Name of the table, for messages.

    Returns
    -------
    cls

    Raises
    ------
    PssegError
        If a key is unknown or missing.
    """
    needed = {f.name for f in fields(cls) if f.default is MISSING}  # type: ignore[arg-type]
    allowed = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    check_keys(table, required=needed, optional=allowed - needed, where=where)
    return cls(**{key: _frozen(value) for key, value in table.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
