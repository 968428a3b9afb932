"""How products came about: header cards that say so, and the same in the log.

In: a map, a network, and what was decided on the way. Out: FITS header cards and log lines.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from astropy.io import fits

from psseg.network.store import Calibration, Model
from psseg.products import ascii_name, made_by, sha256_of

__all__ = ["applied_thresholds", "provenance", "tell_limits", "tell_notes"]

logger = logging.getLogger(__name__)


def tell_notes(path: Path, notes: Sequence[str]) -> None:
    """Tell the log what the reader decided or repaired."""
    for note in notes:
        named = note.startswith(f"{Path(path).name}: ")
        logger.info("%s", note if named else f"{path}: {note}")


def tell_limits(path: Path, priors: str | Path, thresholds: Mapping[str, float]) -> None:
    """Tell the log which priors and thresholds are used."""
    used = ", ".join(f"{name} {value:.3g}" for name, value in thresholds.items())
    logger.info("%s: priors %s; %s", path, priors, used)


def provenance(
    path: str | Path, folder: Path, model: Model, notes: Sequence[str], command: str
) -> fits.Header:
    """Give the header cards that say who made a product, with what, from what.

    Parameters
    ----------
    path : str or Path
        The map.
    folder : Path
        Of the products: INPATH is the way from there to the map, so that both can be moved. What
        is no ASCII stands there, in INFILE and in HISTORY as ``%XX`` of its UTF-8.
    model : Model
        The network.
    notes : sequence of str
        What the reader decided or repaired.
    command : str
        The command line, may be empty.

    Returns
    -------
    astropy.io.fits.Header
    """
    header = fits.Header(made_by())
    header.comments["DATE"] = "UTC"
    header["MODEL"] = _ascii(model.name)
    header["MODELSHA"] = model.sha256
    header["SURVEY"] = _ascii(model.survey.name)
    header["INFILE"] = ascii_name(Path(path).name)
    header["INPATH"] = ascii_name(_way(path, folder))
    header["INSHA"] = sha256_of(path)
    for line in (*([command] if command else []), *notes):
        plain = line.isascii() and line.isprintable()
        header["HISTORY"] = line if plain else ascii_name(line)
    return header


def applied_thresholds(calibration: Calibration, threshold: float | None) -> dict[str, float]:
    """Name the thresholds that decided what is a source."""
    given = (
        {**calibration.thresholds, "latitude_split": calibration.latitude_split}
        if threshold is None
        else {"threshold": threshold}
    )
    return {"candidate_threshold": calibration.candidate_threshold, **given}


def _way(path: str | Path, folder: Path) -> str:
    """Give the path from a folder, or the absolute one where there is no way (another drive)."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return os.path.abspath(path)


def _ascii(text: str) -> str:
    """FITS headers hold nothing else."""
    return text.encode("ascii", "replace").decode("ascii")
