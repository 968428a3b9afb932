"""Read the truth file of a simulated radio image.

In: the `_truth.fits` that `psseg.sky.radio_image_files` wrote. Out: the true sources, and which
pixel belongs to which of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from numpy.typing import NDArray

from psseg.errors import PssegError
from psseg.survey.classes import IGNORED

__all__ = ["RadioTruth", "is_radio_truth", "read_radio_truth"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RadioTruth:
    """What is in a simulated radio image.

    Parameters
    ----------
    table : QTable
        The true sources, as `psseg.sky.radio_truth.truth_table` makes them.
    source_map : numpy.ndarray of int, shape (n_y, n_x)
        Row of the table plus one; 0 for none.
    mask : numpy.ndarray of bool, shape (n_y, n_x)
        True where the image is blank.
    wcs : astropy.wcs.WCS
        Two celestial axes.
    frequency : float
        Hz, of the fluxes; NaN where the file does not say.
    """

    table: QTable
    source_map: NDArray[np.int32]
    mask: NDArray[np.bool_]
    wcs: WCS
    frequency: float


def is_radio_truth(path: str | Path) -> bool:
    """Tell whether a file is the truth of a radio image rather than that of a counts map."""
    try:
        with fits.open(path) as hdus:
            return "SOURCE_MAP" in hdus
    except OSError:
        return False


def read_radio_truth(path: str | Path) -> RadioTruth:
    """Read the truth file of a simulated radio image.

    Parameters
    ----------
    path : str or Path
        A ``_truth.fits`` that `psseg simulate` wrote.

    Returns
    -------
    RadioTruth

    Raises
    ------
    PssegError
        If it is no such file.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            source_map = np.array(hdus["SOURCE_MAP"].data, dtype=np.int32)
            return RadioTruth(
                table=QTable.read(hdus["TRUTH"], character_as_bytes=False),
                source_map=source_map,
                mask=(np.asarray(hdus["CLASS_MAP"].data) == IGNORED) & (source_map == 0),
                wcs=WCS(hdus["SOURCE_MAP"].header),
                frequency=float(hdus["TRUTH"].header.get("FREQ", np.nan)),
            )
    except (KeyError, OSError, TypeError) as error:
        raise PssegError(f"{path}: not a truth file of psseg simulate: {error}") from error
