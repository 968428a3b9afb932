"""Say what a FITS file is that psseg does not know for a map, and what to do with it."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path

from astropy.io import fits

from psseg.tiles.exposure import find_healpix
from psseg.tiles.headers import find_image, open_fits, telescope
from psseg.tiles.tables import column_names, find_table

__all__ = ["say_what_it_is"]

_POSITION = re.compile(r"_?(RA|GLON|ALPHA)_?(J?2000|J|ICRS|DEG.*)?")
_NAME_A_NETWORK = "name a network with --model"


def say_what_it_is(path: str | Path, telescopes: Container[str]) -> str:
    """Say what a file is that names no survey.

    Parameters
    ----------
    path : str or pathlib.Path
        A FITS file.
    telescopes : container of str
        Values of TELESCOP that counts of a known survey have, upper case.

    Returns
    -------
    str
        What it is and what to do, to follow its name; one line.

    Raises
    ------
    PssegError
        If the file is no readable FITS file.
    """
    with open_fits(path, check=False) as hdus:
        if "CLASS_MAP" in hdus:
            return "is a label map of psseg: give the map that it was made of"
        if any(find_table(hdus, name) is not None for name in ("EBOUNDS", "EVENTS")):
            return _of_another_telescope(telescope(hdus))
        image = find_image(hdus)
        if find_table(hdus, "ENERGIES") is not None:
            return (
                "is an exposure or a model (its table of energies is ENERGIES), not counts: give "
                "the counts, and an exposure with --exposure"
            )
        if image is None and find_healpix(hdus) is None:
            return _of_tables(hdus)
        if telescope(hdus) in telescopes:
            return (
                "has no EBOUNDS table, so that the energies of its counts are unknown: give a "
                "counts cube as gtbin writes it (algorithm CCUBE)"
            )
    return (
        "is neither counts (no table EBOUNDS or EVENTS) nor a radio image (no Jy/beam, beam or "
        f"frequency in its header); if it is one of them, {_NAME_A_NETWORK}"
    )


def _of_another_telescope(name: str) -> str:
    if not name:
        return f"names no telescope (TELESCOP) in its header; {_NAME_A_NETWORK}, such as fermi-lat"
    return f"is of TELESCOP = {name!r}, for which psseg brings no network; {_NAME_A_NETWORK}"


def _of_tables(hdus: fits.HDUList) -> str:
    """Tell catalogues from other tables."""
    tables = [hdu for hdu in hdus if hasattr(hdu, "columns")]
    if any(_POSITION.fullmatch(name) for table in tables for name in column_names(table)):
        return "is a catalogue, not a map: psseg crossmatch and psseg compare take it"
    names = ", ".join(table.name or "without a name" for table in tables) or "nothing"
    return f"holds neither a map nor a photon list (an image, or a table EVENTS), but {names}"
