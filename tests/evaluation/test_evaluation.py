from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from psseg.errors import PssegError
from psseg.evaluation import (
    calibrate,
    evaluate,
    evaluate_catalogue,
    markdown,
    run,
    skies,
    write_evaluation,
)
from psseg.evaluation.matching import Protocol
from psseg.evaluation.skies import survey_years
from psseg.likeness import CountsLikeness
from psseg.network.labelling import LabelMap
from psseg.network.store import Calibration, Model
from psseg.survey.survey import load_survey

SHAPE = (96, 96)
NO_CALIBRATION = run.raw_calibration(0.1)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(
        network=None,
        name="stub",
        sha256="0" * 64,
        survey=load_survey("fermi-lat"),
        calibration=NO_CALIBRATION,
        folder=Path("nowhere"),
    )


@pytest.fixture
def truth_teller(monkeypatch, make_catalogue):
    """A pipeline that knows the truth: every source of TS > 25, and what `add` adds."""
    simulated = []
    simulate = skies.simulate_tile

    def remember(*args, **kwargs):
        simulated.append(simulate(*args, **kwargs))
        return simulated[-1]

    def tell(tile, model, **_):
        truth = simulated[-1].truth
        seen = truth[truth["TS"] > 25]
        table = make_catalogue(
            seen["RAJ2000"].value,
            seen["DEJ2000"].value,
            flux=seen["FLUX1000"].value,
            sqrt_ts=np.sqrt(seen["TS"]),
            probability=0.99,
            classes=np.where(seen["CLASS"] == "", "blazar", seen["CLASS"]),
        )
        background = simulated[-1].background * 1.1
        everywhere_background = np.zeros((4, *tile.shape))
        everywhere_background[0] = 1
        labels = LabelMap(
            class_probabilities=everywhere_background,
            background=background,
            wcs=tile.wcs,
            mask=tile.mask,
        )
        likeness = CountsLikeness(residuals=np.ones(tile.n_bands), sources=0.02)
        return SimpleNamespace(table=tell.change(table, tile), label_map=labels, likeness=likeness)

    tell.change = lambda table, tile: table
    monkeypatch.setattr(skies, "simulate_tile", remember)
    monkeypatch.setattr(skies, "catalogue_tile", tell)
    return tell


def test_whoever_tells_the_truth_is_complete_and_pure(model, truth_teller):
    scores = evaluate(model, seed=4, n_tiles=4, shape=SHAPE).scores
    assert scores.counts["purity"] == 1
    assert scores.counts["n_detections"] > 20
    for row in scores.by_ts:
        assert row["completeness"] in (None, 1.0)
        assert row["completeness_at_purity"] in (None, 1.0)
    assert scores.positions[0]["r95"] < 1e-6
    assert scores.fluxes[0]["median_ratio"] == pytest.approx(1)
    assert scores.classes["P"]["accuracy"] == 1
    assert scores.settings["model"] == "stub"


def test_the_bias_of_the_background_is_seen(model, truth_teller):
    scores = evaluate(model, seed=3, n_tiles=2, shape=SHAPE).scores
    everywhere = [row for row in scores.background if row["zone"] == "all"]
    assert len(everywhere) == model.survey.n_bands
    for row in everywhere:
        assert row["bias"] == pytest.approx(0.1, abs=1e-3)
        assert row["pixel_scatter"] == pytest.approx(0, abs=1e-3)


def false_ones(table: QTable, tile, *, probability: float, rng: np.random.Generator) -> QTable:
    """Add as many false detections as there are true ones, to a copy, anywhere on the tile."""
    extra = table.copy()
    sky = tile.pixel_to_sky(*rng.uniform(0, SHAPE[0] - 1, (2, len(table)))).icrs
    extra["RAJ2000"], extra["DEJ2000"] = sky.ra.deg * u.deg, sky.dec.deg * u.deg
    extra["GLAT"] = sky.galactic.b.deg * u.deg
    extra["SOURCE_PROB"] = probability
    return QTable(np.concatenate([table.as_array(), extra.as_array()]), units=units_of(table))


def units_of(table: QTable) -> dict[str, u.UnitBase]:
    return {name: table[name].unit for name in table.colnames if hasattr(table[name], "unit")}


def test_candidates_below_the_threshold_are_kept_apart(model, truth_teller):
    rng = np.random.default_rng(1)
    truth_teller.change = lambda table, tile: false_ones(table, tile, probability=0.3, rng=rng)
    strict = Calibration(
        **{**asdict(NO_CALIBRATION), "thresholds": {"low_latitude": 0.5, "high_latitude": 0.5}}
    )
    loose = evaluate(model, seed=3, n_tiles=3, shape=SHAPE)
    rng = np.random.default_rng(1)
    cut = evaluate(replace(model, calibration=strict), seed=3, n_tiles=3, shape=SHAPE)
    assert loose.scores.counts["purity"] < 0.8
    assert cut.scores.counts["purity"] > 0.98
    assert cut.scores.counts["n_candidates"] == loose.scores.counts["n_candidates"]
    assert len(cut.tables.detections) == len(loose.tables.detections)


def test_a_calibration_separates_true_from_false(model, truth_teller):
    rng = np.random.default_rng(2)

    def blurred(table, tile):
        both = false_ones(table, tile, probability=0.3, rng=rng)
        both["SOURCE_PROB"] = np.clip(
            both["SOURCE_PROB"] - np.abs(rng.normal(0, 0.2, len(both))), 0.01, 0.99
        )
        return both

    truth_teller.change = blurred
    calibration = calibrate(model, seed=4, n_tiles=6, shape=SHAPE, candidate_threshold=0.1)
    assert calibration.candidate_threshold == 0.1
    assert calibration.source_coefficients[1] > 0
    assert 0 < calibration.thresholds["high_latitude"] < 1
    assert calibration.residual_limit == (1.25,) * model.survey.n_bands
    assert calibration.image_range == ((0.0, 0.05),)
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) is not None


def test_the_same_seed_gives_the_same_scores_and_another_does_not(model, truth_teller):
    first, again, other = (
        evaluate(model, seed=seed, n_tiles=2, shape=SHAPE).scores.to_json() for seed in (5, 5, 6)
    )
    assert first == again != other


def test_scores_survive_json(model, truth_teller):
    scores = evaluate(model, seed=3, n_tiles=2, shape=SHAPE).scores
    assert json.loads(scores.to_json()) == asdict(scores)
    assert "NaN" not in scores.to_json()


def test_files_are_written_together_and_not_over_others(model, truth_teller, tmp_path):
    evaluation = evaluate(model, seed=3, n_tiles=2, shape=SHAPE)
    paths = write_evaluation(evaluation, tmp_path / "scores", tables=True)
    names = {path.name for path in paths}
    assert {"scores.json", "scores.md", "failures.png", "detections.fits", "truths.fits"} <= names
    assert all(path.stat().st_size > 0 for path in paths)
    truths = QTable.read(tmp_path / "scores" / "truths.fits")
    assert len(truths) == len(evaluation.tables.truths)
    with pytest.raises(PssegError, match="exists already"):
        write_evaluation(evaluation, tmp_path / "scores")
    write_evaluation(evaluation, tmp_path / "scores", overwrite=True)


def test_the_report_puts_the_published_numbers_beside_ours(model, truth_teller):
    text = markdown(evaluate(model, seed=3, n_tiles=2, shape=SHAPE).scores)
    assert "(93.4)" in text
    assert "macro-F1" in text
    assert "|b|" not in text.replace("\\|b\\|", "")


def test_a_catalogue_and_its_truth_can_be_given(make_catalogue, make_truth):
    evaluation = evaluate_catalogue(make_catalogue([10, 20], [0, 0]), make_truth([10], [0]))
    assert evaluation.scores.counts["n_detections"] == 2
    assert evaluation.scores.counts["purity"] == 0.5
    assert evaluation.scores.background == []


def test_an_empty_catalogue_can_be_scored(make_catalogue, make_truth, tmp_path):
    evaluation = evaluate_catalogue(make_catalogue([10], [0])[:0], make_truth([10], [0]))
    assert evaluation.scores.counts["purity"] is None
    assert evaluation.scores.by_ts[2]["completeness"] == 0
    write_evaluation(evaluation, tmp_path)


def test_scores_name_the_files_of_the_emission_they_were_simulated_with(
    model, truth_teller, monkeypatch
):
    monkeypatch.setattr(run, "read_templates", lambda path, survey, *, gas: None)
    options = {"seed": 3, "n_tiles": 1, "shape": SHAPE}
    assert evaluate(model, **options).scores.settings["simulation"] == {}
    scores = evaluate(model, **options, diffuse="maps/gll_iem_v07.fits", gas=Path("dust.fits"))
    assert scores.scores.settings["simulation"] == {
        "diffuse": "gll_iem_v07.fits", "gas": "dust.fits"
    }  # fmt: skip
    with pytest.raises(PssegError, match="give diffuse, too"):
        evaluate(model, **options, gas="dust.fits")


def test_no_tiles_are_refused(model):
    with pytest.raises(PssegError, match="n_tiles and processes must be 1 or more"):
        evaluate(model, seed=1, n_tiles=0)


def test_tile_centres_fill_the_sphere_evenly():
    centers = skies.sky_centers(64, rng=np.random.default_rng(1))
    sin_b = np.sort(np.sin(centers.b.rad))
    assert np.all(np.abs(sin_b - (np.arange(64) + 0.5) / 32 + 1) < 1 / 64)
    north = SkyCoord(centers.l, centers.b, frame="galactic")
    nearest = [np.sort(north.separation(one).deg)[1] for one in north]
    assert np.median(nearest) > 10  # 64 tiles of 25 deg on a side: no crowding


def test_evaluation_and_calibration_see_different_skies():
    plans = [
        skies.SkyPlan(n_tiles=4, shape=SHAPE, seed=1, stream=stream) for stream in skies.STREAMS
    ]
    first, second = (plan.centers.b.deg for plan in plans)
    assert not np.allclose(first, second)
    assert plans[0].rng(1).uniform() != plans[1].rng(1).uniform()


@pytest.mark.parametrize(
    ("years", "expected"), [((1.0, 20.0), 14), ((0.1, 1.0), 1), ((20, 30), 20)]
)
def test_a_survey_is_evaluated_at_an_exposure_that_it_knows(lat, years, expected):
    survey = replace(lat, instrument=replace(lat.instrument, years=years))
    assert survey_years(survey) == expected


def test_processes_load_the_model_that_was_given(model, monkeypatch):
    """A folder that has the name of a network that comes with psseg is that folder in them, too."""
    loaded = []

    class Pool:
        def __init__(self, n, *, initializer, initargs, **_):
            initializer(*pickle.loads(pickle.dumps(initargs)))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def map(self, *_):
            return iter(())

    monkeypatch.setattr(skies, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(skies, "load_model", lambda name: loaded.append(name) or model)
    own = replace(model, folder=Path("./fermi-lat"))
    plan = skies.SkyPlan(n_tiles=2, shape=SHAPE, seed=1, stream="evaluation")
    assert not list(skies._tiles(own, plan, Protocol(), 2))
    assert loaded == [Path("fermi-lat")]
