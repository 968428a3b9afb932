"""What a report says of the map as a whole: thresholds, flags, bands, provenance, completeness.

In: the catalogue file. Out: plain values that JSON can hold.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.table import QTable

from psseg.catalogue.fits_format import flag_cards
from psseg.catalogue.flags import FLAG_MEANINGS
from psseg.catalogue.radio_flags import RADIO_FLAG_MEANINGS
from psseg.report.sources import plain, unit_text

__all__ = ["flag_list", "header_cards", "history", "read_tables"]

ELSEWHERE = ("CATALOGUE", "COMPONENTS")
"""HDUs that the report shows otherwise, or not at all."""

LONGEST_TABLE = 200
"""Rows; longer tables are no summary."""

NO_PROVENANCE = ("T", "FLAG", "NAXIS", "CHECKSUM", "DATASUM", "EXTNAME", "INPATH")
"""Cards that describe the table, or the disk it was made on."""

_CARD = 72  # characters of HISTORY that a card holds

STRUCTURE = ("XTENSION", "BITPIX", "PCOUNT", "GCOUNT", "HISTORY", "COMMENT", "")


def flag_list(header: fits.Header, *, kind: str) -> list[dict[str, Any]]:
    """Give the flags: value, name and meaning.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Of the catalogue; its FLAGn cards count, where it has any.
    kind : str
        "counts" or "continuum".

    Returns
    -------
    list of dict
    """
    told = flag_cards(FLAG_MEANINGS) if kind == "counts" else flag_cards(RADIO_FLAG_MEANINGS)
    cards = {key: str(header[key]) for key in header if re.fullmatch(r"FLAG\d+", key)}
    parts = (
        (int(key.removeprefix("FLAG")), *text.partition(":"))
        for key, text in (cards or told).items()
    )
    return [
        {"bit": bit, "name": name, "meaning": text.strip()} for bit, name, _, text in sorted(parts)
    ]


def header_cards(header: fits.Header) -> list[list[str]]:
    """Give who made the catalogue, with what, from what: name, value and comment of each card."""
    return [
        [card.keyword, str(card.value), card.comment]
        for card in header.cards
        if not card.keyword.startswith(NO_PROVENANCE) and card.keyword not in STRUCTURE
    ]


def history(header: fits.Header) -> str:
    """Give the HISTORY as text; lines that FITS cut at the end of a card are joined."""
    # FITS drops a blank at the end of a card, so that a full one may seem to lack a character.
    ends = {_CARD: "", _CARD - 1: " "}
    lines = [str(line) for line in header.get("HISTORY", [])]
    return "".join(line + ends.get(len(line), "\n") for line in lines).rstrip()


def read_tables(path: str | Path) -> list[dict[str, Any]]:
    """Give the short tables beside the catalogue: bands or planes, thresholds, completeness.

    Parameters
    ----------
    path : str or Path
        The catalogue.

    Returns
    -------
    list of dict
        ``name``, and ``columns`` with name, unit and values.
    """
    with fits.open(path, memmap=False) as hdus:
        names = [
            hdu.name
            for hdu in hdus
            if isinstance(hdu, fits.BinTableHDU)
            and hdu.name not in ELSEWHERE
            and len(hdu.data) <= LONGEST_TABLE
        ]
        return [{"name": name, "columns": _columns(hdus, name)} for name in names]


def _columns(hdus: fits.HDUList, name: str) -> list[dict[str, Any]]:
    table = QTable.read(hdus[name], mask_invalid=False, character_as_bytes=False)
    return [
        {
            "name": column,
            "unit": unit_text(table[column]),
            "values": plain(table[column]),
        }
        for column in table.colnames
    ]
