"""Columns and energy bins are read in GeV, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from psseg.errors import PssegError
from psseg.tiles.tables import (
    column_energies,
    column_names,
    column_values,
    energy_bins,
    find_table,
)


def test_tables_and_columns_are_found_by_name():
    columns = [fits.Column("Energy", "D", array=[1.0])]
    table = fits.BinTableHDU.from_columns(columns, name="ENERGIES")
    assert find_table(fits.HDUList([fits.PrimaryHDU(), table]), "ENERGIES") is table
    assert find_table(fits.HDUList([fits.PrimaryHDU(), table]), "EBOUNDS") is None
    assert column_names(table) == {"ENERGY": "Energy"}


def test_columns_of_text_are_refused():
    columns = [fits.Column("NAME", "3A", array=["abc"])]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    with pytest.raises(PssegError, match=r"a.fits: column NAME of table EVENTS cannot be read"):
        column_values(table, "NAME", name="a.fits")


def test_columns_are_native():
    columns = [fits.Column("X", "I", array=np.array([1, 2], dtype=">i2"))]
    values = column_values(fits.BinTableHDU.from_columns(columns), "X", name="a.fits")
    assert values.dtype == np.float64
    assert values.dtype.isnative


def test_energies_are_converted_from_their_unit():
    columns = [fits.Column("E_MIN", "D", array=[1.0], unit="MeV"), fits.Column("X", "D", array=[1])]
    table = fits.BinTableHDU.from_columns(columns, name="EBOUNDS")
    assert column_energies(table, "e_min", default="keV", name="a.fits") == [1e-3]
    with pytest.raises(PssegError, match=r"a.fits: table EBOUNDS has no column E_MAX"):
        column_energies(table, "E_MAX", default="keV", name="a.fits")
    table.columns["X"].unit = "m"
    with pytest.raises(PssegError, match=r"a.fits: column X of EBOUNDS is in 'm'"):
        column_energies(table, "X", default="keV", name="a.fits")


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([1.0, 2.0], [2.0, 3.0], "EBOUNDS has 2 energy bins but the image 3 planes"),
        ([1.0, 2.0, 3.0], [2.0, 3.0, 2.5], "not positive, rising and apart"),
        ([1.0, 1.5, 3.0], [2.0, 3.0, 4.0], "not positive, rising and apart"),
        ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], "not positive, rising and apart"),
    ],
)
def test_wrong_energy_bins_are_refused(low, high, message):
    columns = [fits.Column("E_MIN", "D", array=low), fits.Column("E_MAX", "D", array=high)]
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="EBOUNDS")])
    with pytest.raises(PssegError, match=f"a.fits: .*{message}"):
        energy_bins(hdus, n_bins=3, name="a.fits")
