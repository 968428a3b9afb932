"""Rows of dataclasses whose fields are arrays with one row per object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["joined", "taken"]

Rows = TypeVar("Rows", bound=Any)


def taken(rows: Rows, index: NDArray[np.intp]) -> Rows:
    """Give some of the rows, in any order.

    Parameters
    ----------
    rows : dataclass of arrays
        The rows.
    index : ndarray of int
        Which of them; one may be asked for twice.

    Returns
    -------
    dataclass of arrays
    """
    return type(rows)(**{f.name: getattr(rows, f.name)[index] for f in fields(rows)})


def joined(parts: Sequence[Rows]) -> Rows:
    """Put rows one after the other.

    Parameters
    ----------
    parts : sequence of dataclasses of arrays
        One or more, all of the same kind.

    Returns
    -------
    dataclass of arrays
    """
    names = [f.name for f in fields(parts[0])]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return type(parts[0])(**columns)
