"""The catalogue of a counts map: how it is built and written.

In: what was measured and how probable the classes are. Out: a table with all columns of
`psseg.catalogue.columns`, in memory or as a FITS file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.class_columns import class_values
from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.declared_tables import declared, empty_table, rows_of, told_apart
from psseg.catalogue.fits_format import refuse_incomplete, table_hdu, write_hdus
from psseg.catalogue.flags import FLAG_MEANINGS
from psseg.survey.survey import Survey

__all__ = [
    "build_catalogue",
    "describe_survey",
    "empty_catalogue",
    "source_names",
    "write_catalogue",
]


def source_names(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.str_]:
    """Name sources after their positions.

    Parameters
    ----------
    ra, dec : array_like (n_sources,)
        ICRS, deg.

    Returns
    -------
    ndarray of str (n_sources,)
        ``PSSEG JHHMM.m+DDMM``. Coordinates are truncated, not rounded, as the IAU asks
        (https://cds.unistra.fr/Dic/iau-spec.html). Sources of the same name get letters in the
        order of the table.

    Examples
    --------
    >>> source_names([83.633], [22.0145]).tolist()
    ['PSSEG J0534.5+2200']
    >>> source_names([10.0, 10.0], [-0.001, -0.002]).tolist()
    ['PSSEG J0040.0-0000a', 'PSSEG J0040.0-0000b']
    """
    # The last bit of a float must not turn 1h00.0m into 0h59.9m; 1e-7 is less than 0.01 mas.
    tenths = np.floor(np.asarray(ra, dtype=float) % 360 * 40 + 1e-7).astype(int) % 14400
    minutes = np.floor(np.abs(np.asarray(dec, dtype=float)) * 60 + 1e-7).astype(int)
    sign = np.where(np.asarray(dec, dtype=float) < 0, "-", "+")
    names = [
        f"PSSEG J{t // 600:02d}{t // 10 % 60:02d}.{t % 10}{s}{m // 60:02d}{m % 60:02d}"
        for t, s, m in zip(tenths, sign, minutes, strict=True)
    ]
    return np.array(told_apart(names), dtype=COLUMNS[0].dtype)


def build_catalogue(
    measured: QTable,
    *,
    likelihoods: ArrayLike,
    probabilities: ArrayLike | None = None,
    source_probability: ArrayLike | None = None,
) -> QTable:
    """Make a catalogue of what was measured.

    Parameters
    ----------
    measured : QTable
        As `psseg.catalogue.measurement.measure_counts` gives it; further columns are dropped.
    likelihoods : array_like (n_sources, 3)
        Of the source classes, in the order of `SOURCE_CLASSES`.
    probabilities : array_like (n_sources, 3), optional
        The same with priors. The default is the likelihoods: all classes alike.
    source_probability : array_like (n_sources,), optional
        Calibrated probability that each is real. The default is the score of the segment.

    Returns
    -------
    QTable
        All of `COLUMNS`, plain columns with units.

    Raises
    ------
    PssegError
        If an array does not have a row per source.
    """
    n = len(measured)
    if source_probability is None:
        source_probability = measured["SOURCE_SCORE"]
    made: dict[str, Any] = {
        "Source_Name": source_names(measured["RAJ2000"].value, measured["DEJ2000"].value),
        "SOURCE_PROB": rows_of("source_probability", source_probability, (n,)),
    }
    made |= class_values(n, likelihoods, probabilities)
    columns = {c.name: made.get(c.name) for c in COLUMNS}
    catalogue = QTable({k: measured[k] if v is None else v for k, v in columns.items()})
    return declared(catalogue, COLUMNS)


def empty_catalogue(*, n_bands: int) -> QTable:
    """Give a catalogue without sources, with every column.

    Parameters
    ----------
    n_bands : int
        Energy bands of the survey.

    Returns
    -------
    QTable
    """
    return empty_table(COLUMNS, n_bands=n_bands)


def describe_survey(survey: Survey) -> QTable:
    """Give what a catalogue should say about its survey: energy range and PSF of each band.

    Parameters
    ----------
    survey : Survey
        The survey.

    Returns
    -------
    QTable
        One row per band; the survey's name and title in its meta.
    """
    psf = survey.instrument.psf
    return QTable(
        {
            "BAND": np.array(survey.band_names),
            "E_MIN": survey.energy_edges[:-1] * u.GeV,
            "E_MAX": survey.energy_edges[1:] * u.GeV,
            "PSF_R68": [band.containment_radius(0.68) for band in psf] * u.deg,
            "PSF_R95": [band.containment_radius(0.95) for band in psf] * u.deg,
        },
        meta={"SURVEY": survey.name, "TITLE": survey.title},
    )


def write_catalogue(
    path: str | Path,
    table: QTable,
    *,
    provenance: Mapping[str, Any] | fits.Header,
    survey_table: Table,
    thresholds: Mapping[str, float],
) -> None:
    """Write a catalogue to a FITS file.

    Parameters
    ----------
    path : str or Path
        The file; it must not exist.
    table : QTable
        A catalogue; columns besides those of `COLUMNS` are written too.
    provenance : mapping or Header
        Header cards that say who made it, with what, from what. In a mapping, ``"HISTORY"`` may
        hold several lines. What the table's own meta says is kept.
    survey_table : Table
        As `describe_survey` gives it.
    thresholds : mapping
        Names and values of the thresholds that were applied.

    Raises
    ------
    PssegError
        If the file exists or the table lacks a column.
    """
    refuse_incomplete(path, table, COLUMNS)
    write_hdus(
        path,
        table_hdu(table, "CATALOGUE", COLUMNS),
        meta=table.meta,
        provenance=provenance,
        flags=FLAG_MEANINGS,
        survey_table=survey_table,
        thresholds=thresholds,
    )
