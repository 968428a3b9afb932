"""Evaluate the catalogue file of a radio image against the truth file of its simulated sky."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from astropy import units as u

from psseg.catalogue.radio_table import read_image_description, read_radio_catalogue
from psseg.errors import PssegError
from psseg.evaluation.matching import column
from psseg.evaluation.radio_field import RADIO_PROTOCOL, RadioProtocol
from psseg.evaluation.radio_matching import match_radio
from psseg.evaluation.radio_scores import score_radio_tables
from psseg.evaluation.radio_skies import RadioEvaluation
from psseg.sky.radio_truth_file import RadioTruth, read_radio_truth
from psseg.tiles.beam import Beam
from psseg.tiles.radio_image import RadioImage

__all__ = ["FREQUENCY_TOLERANCE", "evaluate_radio_file"]

FREQUENCY_TOLERANCE = 0.01
"""Relative difference of two frequencies, by which a flux changes by 1 to 2 %."""


def evaluate_radio_file(
    catalogue_path: str | Path,
    truth_path: str | Path,
    *,
    protocol: RadioProtocol = RADIO_PROTOCOL,
) -> RadioEvaluation:
    """Score a catalogue file against the truth file of its simulated image.

    Parameters
    ----------
    catalogue_path : str or Path
        The FITS catalogue that psseg wrote, in any style of columns; it says the beam.
    truth_path : str or Path
        The ``_truth.fits`` of the image.
    protocol : RadioProtocol
        How they are compared.

    Returns
    -------
    RadioEvaluation
        All of the catalogue counts as selected. Sources at the border of the image are matched but
        not counted.

    Raises
    ------
    PssegError
        If a file cannot be read or is no such file, or their fluxes are at other frequencies.

    Notes
    -----
    The extent of a detection is its ellipse, not its segment, which the catalogue does not hold:
    a little fewer sources count as merged than for a model.
    """
    sources, _ = read_radio_catalogue(catalogue_path)
    truth = read_radio_truth(truth_path)
    image = _described_image(catalogue_path, truth)
    _check_frequency(image, truth, Path(catalogue_path).name, Path(truth_path).name)
    tables = match_radio(
        sources, truth.table, image, source_map=truth.source_map, protocol=protocol
    )
    for table in (tables.detections, tables.truths):
        table["LEVER_ARM"] = np.full(len(table), image.lever_arm)
    settings = {
        "catalogue": Path(catalogue_path).name,
        "truth": Path(truth_path).name,
        "protocol": asdict(protocol),
    }
    scores = score_radio_tables(tables, prefix="P", settings=settings)
    return RadioEvaluation(scores=scores, tables=tables)


def _check_frequency(image: RadioImage, truth: RadioTruth, catalogue: str, name: str) -> None:
    """Refuse a catalogue of fluxes at another frequency than the truth's, where both are known."""
    own, true = image.frequencies[0], truth.frequency
    if abs(own / true - 1) > FREQUENCY_TOLERANCE:
        raise PssegError(
            f"{catalogue}: its fluxes are at {own / 1e6:.6g} MHz, those of {name} at "
            f"{true / 1e6:.6g} MHz: catalogue the image of that frequency, or simulate anew"
        )


def _described_image(catalogue_path: str | Path, truth: RadioTruth) -> RadioImage:
    """Give the image that catalogue and truth are of, its pixels zero."""
    described = read_image_description(catalogue_path)
    axes = [column(described, f"BEAM_{name}", u.deg) for name in ("MAJOR", "MINOR", "ANGLE")]
    beams = tuple(
        Beam(major=major, minor=minor, angle=angle)
        for major, minor, angle in zip(*(axis.tolist() for axis in axes), strict=True)
    )
    plane = np.where(truth.mask, np.float32(np.nan), np.float32(0))
    return RadioImage(
        planes=np.broadcast_to(plane, (len(beams), *plane.shape)),
        stokes=tuple(str(name).strip() for name in described["STOKES"]),
        frequencies=tuple(column(described, "FREQ", u.Hz).tolist()),
        beams=beams,
        wcs=truth.wcs,
        mask=truth.mask,
    )
