"""Catalogues of made-up values, of counts and of radio images, without any measurement."""

from __future__ import annotations

import numpy as np
from astropy.table import QTable

from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.declared_tables import declared
from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS
from psseg.catalogue.radio_table import radio_source_names
from psseg.catalogue.table import source_names
from psseg.survey.classes import SOURCE_CLASSES

N_BANDS = 8
FORMATS = ("votable", "csv", "ecsv", "parquet")


def made_table(columns, n, seed=1):
    """Random values of every column; every fifth number is NaN."""
    rng = np.random.default_rng(seed)
    values = {}
    for column in columns:
        shape = (n, N_BANDS) if column.per_band else (n,)
        numbers = rng.normal(size=shape) * 10.0 ** rng.integers(-12, 3, shape)
        if column.dtype[0] == "f":
            numbers[rng.random(shape) < 0.2] = np.nan
        if column.dtype[0] == "i":
            numbers = rng.integers(0, 400, shape)
        values[column.name] = np.full(n, "") if column.dtype[0] == "U" else numbers
    return values


def counts_catalogue(n, **changes):
    values = made_table(COLUMNS, n)
    rng = np.random.default_rng(2)
    values["RAJ2000"], values["DEJ2000"] = rng.uniform(0, 360, n), rng.uniform(-90, 90, n)
    values["Source_Name"] = source_names(values["RAJ2000"], values["DEJ2000"])
    return declared(QTable(values | classes(n) | changes), COLUMNS)


def radio_catalogue(n, **changes):
    values = made_table(RADIO_COLUMNS, n)
    rng = np.random.default_rng(2)
    values["ra"], values["dec"] = rng.uniform(0, 360, n), rng.uniform(-90, 90, n)
    values["Source_Name"] = radio_source_names(values["ra"], values["dec"])
    return declared(QTable(values | classes(n) | changes), RADIO_COLUMNS)


def radio_components(n):
    return declared(QTable(made_table(COMPONENT_COLUMNS, n)), COMPONENT_COLUMNS)


def classes(n):
    numbers = np.arange(n) % 3
    return {
        "CLASS": np.array(SOURCE_CLASSES)[numbers],
        "CLASS1": np.array(["psr", "bcu", ""])[numbers],
    }


def assert_same(found, expected):
    """Equal in names, types, units, descriptions, UCDs and every value."""
    assert found.colnames == expected.colnames
    for name in expected.colnames:
        got, want = found[name], expected[name]
        assert got.dtype == want.dtype, name
        assert got.shape == want.shape, name
        assert getattr(got, "unit", None) == getattr(want, "unit", None), name
        assert got.info.description == want.info.description, name
        assert (got.info.meta or {}) == (want.info.meta or {}), name
        assert getattr(got, "mask", None) is None, name
        values = [np.asarray(getattr(column, "value", column)) for column in (got, want)]
        assert np.array_equal(*values, equal_nan=want.dtype.kind == "f"), name
