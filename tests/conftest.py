"""A small simulated sky, and a stub network that answers with its truth."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import settings
from truth_teller import clear_sources, truthful_labels

from psseg.network.store import Calibration, Model
from psseg.sky.simulation import simulate_tile
from psseg.sky.tile_files import write_simulated_tile
from psseg.survey.survey import load_survey

settings.register_profile("psseg", deadline=None)  # tests time nothing: the machine may be busy
settings.load_profile("psseg")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Give the folder of real observations: PSSEG_DATA, or ../shared/data beside the repository."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PSSEG_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set PSSEG_DATA)")
    return folder


@pytest.fixture(scope="session")
def lat():
    return load_survey("fermi-lat")


@pytest.fixture(scope="session")
def sky(lat):
    """Give 8°×10° of sky, the first with enough bright sources that stand alone."""
    center = SkyCoord(40.0, 25.0, unit="deg", frame="galactic")
    for seed in range(100):
        rng = np.random.default_rng(seed)
        simulated = simulate_tile(
            lat, rng=rng, shape=(80, 104), mix="balanced", center=center, years=14.0
        )
        if len(clear_sources(simulated)) >= 6 and len(simulated.truth) < 40:
            return simulated
    raise RuntimeError("no simulated sky has six bright sources that stand alone")


@pytest.fixture(scope="session")
def sky_files(lat, sky, tmp_path_factory):
    return write_simulated_tile(sky, tmp_path_factory.mktemp("sky"), "sky", lat)


@pytest.fixture(scope="session")
def stub(lat):
    """Give a model without a network, calibrated to believe what it is told."""
    return Model(
        network=None,
        survey=lat,
        name="stub",
        sha256="0" * 64,
        calibration=Calibration(
            source_coefficients=(0.0, 1.0, 0.0),
            candidate_threshold=0.5,
            thresholds={"low_latitude": 0.5, "high_latitude": 0.5},
            latitude_split=20.0,
            temperature=1.0,
            class_bias=(0.0, 0.0, 0.0),
            position_scale=1.0,
            position_floor=0.0,
        ),
        folder=Path("stub"),
    )


@pytest.fixture
def truth_teller(monkeypatch, sky, stub):
    """Put the stub in the place of every model, and the truth in that of its labels."""
    monkeypatch.setattr("psseg.pipeline.load_model", lambda name: stub)
    monkeypatch.setattr(
        "psseg.counts_catalogue.label_tile", lambda tile, model, *, progress: truthful_labels(sky)
    )
    return stub
