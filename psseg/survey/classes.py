"""The four source classes, and the catalogue codes that stand for them.

Codes are those of 4FGL (Abdollahi et al. 2020, ApJS 247, 33, table 6), read in either case: an
upper-case code marks an identification there, a lower-case one an association.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "CLASS_COLOURS",
    "CLASS_MARKERS",
    "CLASS_NAMES",
    "CODES",
    "IGNORED",
    "SOURCE_CLASSES",
    "SourceClass",
    "class_of_code",
    "class_rgb",
]


class SourceClass(IntEnum):
    """Value of a pixel in a class map."""

    BACKGROUND = 0
    PULSAR = 1
    BLAZAR = 2
    OTHER = 3


CLASS_NAMES = tuple(member.name.lower() for member in SourceClass)
SOURCE_CLASSES = CLASS_NAMES[1:]

IGNORED = 255
"""Value of class-map pixels that count neither as a source nor as background."""

CODES = {
    "pulsar": ("psr", "msp"),
    "blazar": ("fsrq", "bll", "bcu"),
    "other": (
        *("snr", "pwn", "spp", "glc", "gal", "sbg", "sfr", "hmb", "lmb", "bin", "nov"),
        *("rdg", "agn", "css", "ssrq", "sey", "nlsy1"),
        *("ssagn", "sfg", "gps", "fcore", "star"),  # of radio surveys
    ),
}

# Okabe & Ito's palette: told apart by colour-blind readers, bright enough on a dark map.
CLASS_COLOURS = {"pulsar": "#E69F00", "blazar": "#56B4E9", "other": "#CC79A7"}

CLASS_MARKERS = {"pulsar": "^", "blazar": "o", "other": "s"}
"""Told apart without colour too; as matplotlib names them."""

_CLASS_OF_CODE = {
    code: SourceClass[name.upper()] for name, codes in CODES.items() for code in codes
}


def class_of_code(code: str) -> SourceClass | None:
    """Give the class of a 4FGL code, or None where the code is no truth for a class.

    Parameters
    ----------
    code : str
        A code such as ``"bll"`` or ``"PSR"``; case and surrounding blanks do not matter.

    Returns
    -------
    SourceClass or None
        None for unassociated sources (empty, ``"unk"``) and for codes that are not known.

    Examples
    --------
    >>> class_of_code("FSRQ").name
    'BLAZAR'
    >>> class_of_code("unk") is None
    True
    """
    return _CLASS_OF_CODE.get(code.strip().lower())


def class_rgb(name: str) -> tuple[int, int, int]:
    """Give red, green and blue of a class's colour, 0 to 255.

    Parameters
    ----------
    name : str
        One of `SOURCE_CLASSES`.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> class_rgb("pulsar")
    (230, 159, 0)
    """
    red, green, blue = bytes.fromhex(CLASS_COLOURS[name].removeprefix("#"))
    return red, green, blue
