"""Evaluate the catalogue file of a counts map against the truth file of its simulated sky."""

from __future__ import annotations

from pathlib import Path

from psseg.catalogue.formats import read_catalogue
from psseg.evaluation.matching import PROTOCOL, Footprint, Protocol
from psseg.evaluation.run import Evaluation, evaluate_catalogue
from psseg.sky.tile_files import read_truth

__all__ = ["evaluate_counts_file"]


def evaluate_counts_file(
    catalogue_path: str | Path, truth_path: str | Path, *, protocol: Protocol = PROTOCOL
) -> Evaluation:
    """Score a catalogue file against the truth file of its simulated sky.

    Parameters
    ----------
    catalogue_path : str or Path
        A catalogue that psseg wrote, in any format that `psseg.catalogue.formats.read_catalogue`
        reads.
    truth_path : str or Path
        The ``_truth.fits`` of the sky.
    protocol : Protocol
        How they are compared.

    Returns
    -------
    Evaluation
        All of the catalogue counts as selected. Sources at the border of the map are matched but
        not counted.

    Raises
    ------
    PssegError
        If a file cannot be read or is no such file.
    """
    truth = read_truth(truth_path)
    footprint = Footprint(wcs=truth.wcs, mask=truth.mask, pixel_scale=truth.pixel_scale)
    catalogue = read_catalogue(catalogue_path)
    return evaluate_catalogue(catalogue, truth.table, protocol=protocol, footprint=footprint)
