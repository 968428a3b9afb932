"""Small catalogues and truths, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from psseg.survey.classes import SOURCE_CLASSES

FLUX_UNIT = u.Unit("cm-2 s-1")


def catalogue_of(
    ra: Any,
    dec: Any,
    *,
    flux: Any = 1e-9,
    probability: Any = 0.9,
    sqrt_ts: Any = 10.0,
    classes: Any = "blazar",
    certainty: float = 0.8,
    error_68: float = 0.05,
) -> QTable:
    coords = SkyCoord(np.atleast_1d(ra), np.atleast_1d(dec), unit="deg")
    n = len(coords)
    names = np.broadcast_to(classes, n)
    table = QTable(
        {
            "RAJ2000": coords.ra.deg * u.deg,
            "DEJ2000": coords.dec.deg * u.deg,
            "GLON": coords.galactic.l.deg * u.deg,
            "GLAT": coords.galactic.b.deg * u.deg,
            "SOURCE_PROB": np.broadcast_to(probability, n).astype(float),
            "Sqrt_TS": np.broadcast_to(sqrt_ts, n).astype(float),
            "FLUX1000": np.broadcast_to(flux, n).astype(float) * FLUX_UNIT,
            "Unc_Flux1000": 0.1 * np.broadcast_to(flux, n).astype(float) * FLUX_UNIT,
            "Conf_68_SemiMajor": np.full(n, error_68) * u.deg,
            "Conf_68_SemiMinor": np.full(n, error_68) * u.deg,
            "Conf_68_PosAng": np.zeros(n) * u.deg,
            "LP_beta": np.full(n, 0.1),
            "Unc_LP_beta": np.full(n, 0.1),
            "CLASS": names.astype("U8"),
        }
    )
    for prefix in ("P", "L"):
        for name in SOURCE_CLASSES:
            table[f"{prefix}_{name.upper()}"] = np.where(
                names == name, certainty, (1 - certainty) / 2
            )
    return table


def truth_of(
    ra: Any, dec: Any, *, flux: Any = 1e-9, ts: Any = 100.0, classes: Any = "blazar"
) -> QTable:
    coords = SkyCoord(np.atleast_1d(ra), np.atleast_1d(dec), unit="deg")
    n = len(coords)
    return QTable(
        {
            "RAJ2000": coords.ra.deg * u.deg,
            "DEJ2000": coords.dec.deg * u.deg,
            "GLON": coords.galactic.l.deg * u.deg,
            "GLAT": coords.galactic.b.deg * u.deg,
            "CLASS": np.broadcast_to(classes, n).astype("U8"),
            "FLUX1000": np.broadcast_to(flux, n).astype(float) * FLUX_UNIT,
            "Extension": np.zeros(n) * u.deg,
            "TS": np.broadcast_to(ts, n).astype(float),
        }
    )


@pytest.fixture
def make_catalogue() -> Callable[..., QTable]:
    return catalogue_of


@pytest.fixture
def make_truth() -> Callable[..., QTable]:
    return truth_of
