"""The catalogue of a radio image: how it is built, written and read.

In: what was measured and how probable the classes are. Out: a table of sources and one of their
components with all columns of `psseg.catalogue.radio_columns`, in memory or in a FITS file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, Table
from numpy.typing import ArrayLike, NDArray

from psseg.catalogue.class_columns import class_values
from psseg.catalogue.declared_tables import declared, empty_table, rows_of, told_apart
from psseg.catalogue.fits_format import (
    catalogue_hdus,
    read_hdu,
    refuse_incomplete,
    table_hdu,
    write_hdus,
)
from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS
from psseg.catalogue.radio_flags import RADIO_FLAG_MEANINGS
from psseg.catalogue.radio_styles import styled
from psseg.errors import PssegError
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.radio_image import RadioImage

__all__ = [
    "build_radio_catalogue",
    "describe_image",
    "empty_radio_catalogue",
    "radio_source_names",
    "read_image_description",
    "read_radio_catalogue",
    "write_radio_catalogue",
]


def radio_source_names(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.str_]:
    """Name radio sources after their positions.

    Parameters
    ----------
    ra, dec : array_like (n_sources,)
        ICRS, deg.

    Returns
    -------
    ndarray of str (n_sources,)
        ``PSSEG JHHMMSS.s+DDMMSS``. Coordinates are truncated, not rounded, as the IAU asks
        (https://cds.unistra.fr/Dic/iau-spec.html). Sources of the same name get letters in the
        order of the table.

    Examples
    --------
    >>> radio_source_names([83.633], [22.0145]).tolist()
    ['PSSEG J053431.9+220052']
    >>> radio_source_names([10.0, 10.0], [-0.0001, -0.0002]).tolist()
    ['PSSEG J004000.0-000000a', 'PSSEG J004000.0-000000b']
    """
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    # The last bit of a float must not turn 1h00m00.0s into 0h59m59.9s; 1e-6 is less than 2 uas.
    tenths = np.floor(ra % 360 * 2400 + 1e-6).astype(int) % 864000
    seconds = np.floor(np.abs(dec) * 3600 + 1e-6).astype(int)
    names = [
        f"PSSEG J{t // 36000:02d}{t // 600 % 60:02d}{t // 10 % 60:02d}.{t % 10}"
        f"{'-' if south else '+'}{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}"
        for t, s, south in zip(tenths, seconds, dec < 0, strict=True)
    ]
    return np.array(told_apart(names), dtype=RADIO_COLUMNS[0].dtype)


def build_radio_catalogue(
    sources: QTable,
    components: QTable,
    *,
    likelihoods: ArrayLike,
    probabilities: ArrayLike | None = None,
    source_probability: ArrayLike | None = None,
) -> tuple[QTable, QTable]:
    """Make a catalogue of what was measured.

    Parameters
    ----------
    sources, components : QTable
        As `psseg.catalogue.radio_measurement.measure_image` gives them, or rows of them; further
        columns, and components of segments that are not among the sources, are dropped.
    likelihoods : array_like (n_sources, 3)
        Of the source classes, in the order of `SOURCE_CLASSES`.
    probabilities : array_like (n_sources, 3), optional
        The same with priors. The default is the likelihoods: all classes alike.
    source_probability : array_like (n_sources,), optional
        Calibrated probability that each is real. The default is the score of the segment.

    Returns
    -------
    sources, components : QTable
        All of `RADIO_COLUMNS` and of `COMPONENT_COLUMNS`, plain columns with units.

    Raises
    ------
    PssegError
        If an array does not have a row per source.
    """
    n = len(sources)
    if source_probability is None:
        source_probability = sources["SOURCE_SCORE"]
    names = radio_source_names(sources["ra"].value, sources["dec"].value)
    made: dict[str, Any] = {
        "Source_Name": names,
        "SOURCE_PROB": rows_of("source_probability", source_probability, (n,)),
    }
    made |= class_values(n, likelihoods, probabilities)
    made = {c.name: made.get(c.name) for c in RADIO_COLUMNS}
    catalogue = QTable({k: sources[k] if v is None else v for k, v in made.items()})
    return declared(catalogue, RADIO_COLUMNS), _named(sources, names, components)


def empty_radio_catalogue() -> tuple[QTable, QTable]:
    """Give a catalogue without sources, with every column.

    Returns
    -------
    sources, components : QTable
    """
    return empty_table(RADIO_COLUMNS), empty_table(COMPONENT_COLUMNS)


def describe_image(image: RadioImage, noise: ImageNoise) -> QTable:
    """Give what a catalogue should say about its image.

    Parameters
    ----------
    image : RadioImage
    noise : ImageNoise

    Returns
    -------
    QTable
        One row per plane: Stokes parameter, frequency, beam, median of the local rms.
    """
    axes = {
        f"BEAM_{name.upper()}": [getattr(beam, name) for beam in image.beams] * u.deg
        for name in ("major", "minor", "angle")
    }
    rms = noise.typical_rms() * u.Jy
    return QTable(
        {"STOKES": list(image.stokes), "FREQ": image.frequencies * u.Hz, **axes, "RMS": rms},
        meta={"NAME": image.name},
    )


def write_radio_catalogue(
    path: str | Path,
    table: QTable,
    components: QTable,
    *,
    provenance: Mapping[str, Any] | fits.Header,
    survey_table: Table,
    thresholds: Mapping[str, float],
    style: str | None = None,
) -> None:
    """Write a catalogue to a FITS file.

    Parameters
    ----------
    path : str or Path
        The file; it must not exist.
    table, components : QTable
        A catalogue; columns besides the declared ones are written too.
    provenance : mapping or Header
        Header cards that say who made it, with what, from what. In a mapping, ``"HISTORY"`` may
        hold several lines. What the table's own meta says is kept.
    survey_table : Table
        What the catalogue should say about its survey; its meta goes to the header.
    thresholds : mapping
        Names and values of the thresholds that were applied.
    style : str, optional
        As `psseg.catalogue.radio_styles.styled` takes it: names and units of the columns in the
        file. The default is psseg's own. `read_radio_catalogue` reads every style.

    Raises
    ------
    PssegError
        If the file exists, a table lacks a column or there is no such style.
    """
    refuse_incomplete(path, table, RADIO_COLUMNS)
    refuse_incomplete(path, components, COMPONENT_COLUMNS)
    if style is None:
        catalogue = table_hdu(table, "CATALOGUE", RADIO_COLUMNS)
        parts = table_hdu(components, "COMPONENTS", COMPONENT_COLUMNS)
    else:
        catalogue = table_hdu(styled(table, style), "CATALOGUE")
        parts = table_hdu(styled(components, style), "COMPONENTS")
    write_hdus(
        path,
        catalogue,
        [parts],
        meta=table.meta,
        provenance=provenance,
        flags=RADIO_FLAG_MEANINGS,
        survey_table=survey_table,
        thresholds=thresholds,
    )


def read_radio_catalogue(path: str | Path) -> tuple[QTable, QTable]:
    """Read a catalogue that `write_radio_catalogue` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    sources, components : QTable
        With units, descriptions, UCDs (``column.info.meta["ucd"]``) and, in the meta of the
        sources, what the header says.

    Raises
    ------
    PssegError
        If the file cannot be read or holds no catalogue of a radio image.
    """
    with catalogue_hdus(path, "CATALOGUE", "COMPONENTS", what="radio catalogue") as hdus:
        return (
            read_hdu(hdus["CATALOGUE"], RADIO_COLUMNS, str(path)),
            read_hdu(hdus["COMPONENTS"], COMPONENT_COLUMNS, str(path)),
        )


def read_image_description(path: str | Path) -> QTable:
    """Read what a catalogue says about its image: what `describe_image` gave.

    Parameters
    ----------
    path : str or Path
        A FITS catalogue that `write_radio_catalogue` wrote.

    Returns
    -------
    QTable

    Raises
    ------
    PssegError
        If the file cannot be read or says nothing of a radio image.
    """
    try:
        table = QTable.read(path, hdu="SURVEY", character_as_bytes=False)
    except (OSError, KeyError, ValueError) as error:
        raise PssegError(f"{path}: no radio catalogue of psseg in FITS: {error}") from error
    if "BEAM_MAJOR" not in table.colnames:
        raise PssegError(f"{path}: the catalogue does not say the beam of its image")
    return table


def _named(sources: QTable, names: NDArray[np.str_], components: QTable) -> QTable:
    """Give the components of these sources, with their names, in the order of the sources."""
    place = {int(label): k for k, label in enumerate(sources["SEGMENT"])}
    owner = np.array([place.get(int(label), -1) for label in components["SEGMENT"]], dtype=int)
    order = np.argsort(owner, kind="stable")
    order = order[owner[order] >= 0]
    chosen = components[order]
    chosen["Source_Name"] = names[owner[order]]
    return declared(QTable({c.name: chosen[c.name] for c in COMPONENT_COLUMNS}), COMPONENT_COLUMNS)
