"""A network that answers with the truth, through the whole pipeline, must give the truth back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from psseg import counts_catalogue
from psseg.evaluation import evaluate, run, skies
from psseg.network.labelling import LabelMap
from psseg.network.store import Model
from psseg.survey.classes import SourceClass
from psseg.survey.survey import load_survey


def true_labels(truth, shape):
    """Every source of TS > 16 as a peak of its class, two pixels wide, as a network draws it."""
    probabilities = np.zeros((4, *shape), dtype=np.float32)
    y, x = np.indices(shape)
    for source in truth[truth["TS"] > 16]:
        name = str(source["CLASS"]).upper() or "BLAZAR"
        peak = 0.98 * np.exp(-((x - source["X"]) ** 2 + (y - source["Y"]) ** 2) / (2 * 2.0**2))
        stronger = peak > probabilities.sum(axis=0)
        probabilities[:, stronger] = 0
        probabilities[SourceClass[name]][stronger] = peak[stronger]
    probabilities[0] = 1 - probabilities.sum(axis=0)
    return probabilities


@pytest.fixture
def truthful(monkeypatch) -> Model:
    simulated = []
    simulate = skies.simulate_tile

    def remember(*args, **kwargs):
        simulated.append(simulate(*args, **kwargs))
        return simulated[-1]

    def label(tile, model, **_):
        sky = simulated[-1]
        assert sky.tile is tile
        return LabelMap(
            class_probabilities=true_labels(sky.truth, tile.shape),
            background=sky.background.astype(np.float32),
            wcs=tile.wcs,
            mask=tile.mask,
        )

    monkeypatch.setattr(skies, "simulate_tile", remember)
    monkeypatch.setattr(counts_catalogue, "label_tile", label)
    return Model(
        network=None,
        name="truth",
        sha256="0" * 64,
        survey=load_survey("fermi-lat"),
        calibration=run.raw_calibration(0.5),
        folder=Path("nowhere"),
    )


def test_the_truth_comes_back(truthful):
    scores = evaluate(truthful, seed=2, n_tiles=2, shape=(128, 128)).scores
    everywhere = {row["ts_min"]: row for row in scores.by_ts if row["zone"] == "all"}
    # Two sources closer than 0.43 deg may count as one.
    assert everywhere[144]["completeness"] > 0.9
    assert everywhere[64]["completeness"] > 0.9
    assert scores.counts["purity"] > 0.95
    assert scores.positions[0]["r68"] < 0.08
    assert scores.classes["L"]["accuracy"] > 0.9
    assert abs(scores.background[0]["bias"]) < 1e-3
