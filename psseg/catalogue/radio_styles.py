"""A catalogue of a radio image under the names and units of other source finders.

In: a catalogue of psseg. Out: the same with the columns of PyBDSF, CASDA or Aegean renamed, and
converted where their units differ, or back. What they have no name for stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import astropy.units as u
from astropy.table import QTable

from psseg.catalogue.column import Column
from psseg.errors import PssegError

__all__ = ["STYLES", "own_style", "styled"]

Names = Mapping[str, tuple[str, u.UnitBase | None]]

_MILLI = u.mJy
_MILLI_PER_BEAM = u.mJy / u.beam

PYBDSF: Names = {
    "ra": ("RA", None),
    "e_ra": ("E_RA", None),
    "dec": ("DEC", None),
    "e_dec": ("E_DEC", None),
    "int_flux": ("Total_flux", None),
    "e_int_flux": ("E_Total_flux", None),
    "peak_flux": ("Peak_flux", None),
    "e_peak_flux": ("E_Peak_flux", None),
    "maj": ("Maj", None),
    "e_maj": ("E_Maj", None),
    "min": ("Min", None),
    "e_min": ("E_Min", None),
    "pa": ("PA", None),
    "e_pa": ("E_PA", None),
    "dc_maj": ("DC_Maj", None),
    "dc_min": ("DC_Min", None),
    "dc_pa": ("DC_PA", None),
    "rms_image": ("Isl_rms", None),
    "mean_image": ("Isl_mean", None),
    "resid_rms": ("Resid_Isl_rms", None),
    "resid_mean": ("Resid_Isl_mean", None),
    "SEGMENT": ("Isl_id", None),
}

CASDA: Names = {
    "Source_Name": ("component_name", None),
    "SEGMENT": ("island_id", None),
    "ra": ("ra_deg_cont", None),
    "dec": ("dec_deg_cont", None),
    "e_ra": ("ra_err", u.arcsec),
    "e_dec": ("dec_err", u.arcsec),
    "freq": ("freq", u.MHz),
    "peak_flux": ("flux_peak", _MILLI_PER_BEAM),
    "e_peak_flux": ("flux_peak_err", _MILLI_PER_BEAM),
    "int_flux": ("flux_int", _MILLI),
    "e_int_flux": ("flux_int_err", _MILLI),
    "maj": ("maj_axis", u.arcsec),
    "min": ("min_axis", u.arcsec),
    "pa": ("pos_ang", None),
    "e_maj": ("maj_axis_err", u.arcsec),
    "e_min": ("min_axis_err", u.arcsec),
    "e_pa": ("pos_ang_err", None),
    "dc_maj": ("maj_axis_deconv", u.arcsec),
    "dc_min": ("min_axis_deconv", u.arcsec),
    "dc_pa": ("pos_ang_deconv", None),
    "alpha": ("spectral_index", None),
    "e_alpha": ("spectral_index_err", None),
    "rms_image": ("rms_image", _MILLI_PER_BEAM),
    "resid_rms": ("rms_fit_gauss", _MILLI_PER_BEAM),
}

AEGEAN: Names = {
    "SEGMENT": ("island", None),
    "mean_image": ("background", None),
    "rms_image": ("local_rms", None),
    "ra": ("ra", None),
    "e_ra": ("err_ra", None),
    "dec": ("dec", None),
    "e_dec": ("err_dec", None),
    "peak_flux": ("peak_flux", None),
    "e_peak_flux": ("err_peak_flux", None),
    "int_flux": ("int_flux", None),
    "e_int_flux": ("err_int_flux", None),
    "maj": ("a", u.arcsec),
    "e_maj": ("err_a", u.arcsec),
    "min": ("b", u.arcsec),
    "e_min": ("err_b", u.arcsec),
    "pa": ("pa", None),
    "e_pa": ("err_pa", None),
    "resid_mean": ("residual_mean", None),
    "resid_rms": ("residual_std", None),
    "Flags": ("flags", None),
}

STYLES: Mapping[str, Names] = {"pybdsf": PYBDSF, "casda": CASDA, "aegean": AEGEAN}
"""New name and unit of each column that has one; without a unit it keeps its own."""


def styled(table: QTable, style: str) -> QTable:
    """Rename the columns of a catalogue as another source finder calls them.

    Parameters
    ----------
    table : QTable
        Sources or components.
    style : str
        "pybdsf", "casda" or "aegean".

    Returns
    -------
    QTable
        A copy, in the order of the columns of psseg.

    Raises
    ------
    PssegError
        If there is no such style.

    Notes
    -----
    The meaning of the values does not change: position errors are on the sky, flags are those of
    psseg.
    """
    if style not in STYLES:
        raise PssegError(f"style: want one of {', '.join(STYLES)}, got {style!r}")
    names = STYLES[style]
    result = QTable(meta=table.meta.copy())
    for name in table.colnames:
        new, unit = names.get(name, (name, None))
        result[new] = _in_unit(table[name], unit)
        result[new].info.description = table[name].info.description
        result[new].info.meta = table[name].info.meta
    return result


def own_style(table: QTable, columns: Sequence[Column]) -> QTable:
    """Give a catalogue in another source finder's style psseg's own names and units back.

    Parameters
    ----------
    table : QTable
        Sources or components.
    columns : sequence of Column
        Those they have under psseg's own names.

    Returns
    -------
    QTable
        The same table where it has all columns already, or is in no known style.
    """
    units = {column.name: column.unit for column in columns}
    if units.keys() <= set(table.colnames):
        return table
    for names in STYLES.values():
        old = {new: (name, unit) for name, (new, unit) in names.items() if name in units}
        if old.keys() <= set(table.colnames):
            return _renamed(table, old, units)
    return table


def _renamed(table: QTable, old: Names, units: Mapping[str, str]) -> QTable:
    """Rename columns, and convert those whose unit the style changed."""
    result = QTable(meta=table.meta.copy())
    for name in table.colnames:
        own, unit = old.get(name, (name, None))
        column = table[name]
        result[own] = column if unit is None else u.Quantity(column, unit).to(units[own])
        result[own].info.description = column.info.description
        result[own].info.meta = column.info.meta
    return result


def _in_unit(column: Any, unit: u.UnitBase | None) -> Any:
    return column.copy() if unit is None else column.to(unit)
