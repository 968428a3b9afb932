from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from astropy.table import vstack
from radio_tables import detections_at, field_image, sources_at

from psseg.evaluation.matching import MatchedTables
from psseg.evaluation.radio_matching import match_radio
from psseg.evaluation.radio_rows import (
    flux_rows,
    near_bright_rows,
    neighbour_rows,
    position_rows,
    snr_rows,
    split_rows,
)
from psseg.evaluation.radio_scores import class_cells, score_radio_tables
from psseg.evaluation.radio_text import radio_markdown

GRID = [(x, y) for y in range(40, 280, 30) for x in range(40, 280, 30)]


def match(detections, truths):
    return match_radio(detections, truths, field_image())


def only(rows, **wanted):
    """Give the one row with these values."""
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1
    return found[0]


def test_completeness_is_by_true_and_reliability_by_measured_snr():
    truths = sources_at(GRID[:8], snr=[4, 4.5, 6, 6, 6, 6, 20, 20])
    places = [*GRID[:5], GRID[20]]
    found = match(detections_at(places, snr=[5.5, 4.2, 6, 6, 6, 6.5]), truths)
    rows = snr_rows(found.detections, found.truths)
    faint = only(rows, snr_min=3.0, snr_max=5.0)
    assert (faint["n_true"], faint["completeness"]) == (2, 1.0)
    assert (faint["n_detections"], faint["reliability"]) == (1, 1.0)
    middle = only(rows, snr_min=5.0)
    assert (middle["n_true"], middle["completeness"]) == (4, 0.75)
    assert (middle["n_detections"], middle["reliability"]) == (5, 0.8)
    assert only(rows, snr_min=10.0)["completeness"] == 0.0
    assert only(rows, snr_min=30.0)["completeness"] is None


def test_each_bin_has_its_own_rate_of_chance_matches():
    found = match(detections_at(GRID[:3], snr=[6, 6, 20]), sources_at(GRID[:3]))
    found.detections["CHANCE"] = [0.25, np.nan, 0.5]
    rows = snr_rows(found.detections, found.truths)
    shown = [only(rows, snr_min=low)["chance_match_rate"] for low in (5.0, 10.0, 30.0)]
    assert shown == [0.25, 0.5, None]


def test_completeness_at_a_reliability_uses_candidates_below_the_threshold():
    truths = sources_at(GRID[:4], snr=6.0)
    detections = detections_at([*GRID[:4], GRID[9]], probability=[0.9, 0.8, 0.4, 0.2, 0.3])
    detections["SELECTED"] = [True, True, False, False, False]
    found = match(detections, truths)
    row = only(snr_rows(found.detections, found.truths, reliability=1.0), snr_min=5.0)
    assert row["completeness"] == 0.5
    assert row["completeness_at_reliability"] == 0.75


def test_fragments_are_splits_and_no_false_detections():
    truths = sources_at([(100, 100), (200, 200)], size=[60.0, 0.0])
    places = [(100, 125), (100, 75), (200, 200), (250, 100)]
    found = match(detections_at(places, snr=[20, 30, 10, 10]), truths)
    scores = score_radio_tables(found)
    assert scores.counts["n_fragments"] == 1
    np.testing.assert_allclose(scores.counts["reliability"], 2 / 3)
    assert only(scores.splits, sample="extended") == {
        "sample": "extended", "n_found": 1, "n_split": 1, "n_merged": 0, "n_blended": 0
    }  # fmt: skip


def test_merges_are_told_from_blends_by_the_beam():
    truths = sources_at([(100, 100), (112, 100), (100, 107)], snr=[20, 8, 8])
    rows = split_rows(match(detections_at([(101, 101)], size=16.0), truths).truths)
    point = only(rows, sample="point")
    assert (point["n_found"], point["n_merged"], point["n_blended"]) == (1, 1, 1)


def test_sources_beside_a_brighter_one_are_scored_by_their_distance():
    truths = sources_at([(100, 100), (112, 100), (200, 200), (213, 200)], snr=[20, 8, 20, 8])
    found = match(detections_at([(100, 100), (112, 100), (200, 200)]), truths)
    rows = neighbour_rows(found.truths)
    assert only(rows, beams_min=1.0)["n_true"] == 2
    assert only(rows, beams_min=1.0)["completeness"] == 0.5
    assert only(rows, beams_min=0.5)["completeness"] is None


def test_false_detections_near_bright_sources_are_counted():
    truths = sources_at([(150, 150), (200, 60)], snr=[500.0, 10.0])
    places = [(150, 150), (170, 150), (150, 185), (60, 60), (200, 60)]
    row = near_bright_rows(match(detections_at(places), truths).detections)[0]
    assert row == {
        "setup": "all", "n_detections": 5, "n_false": 3, "n_near_bright": 2,
        "n_false_near_bright": 2,
    }  # fmt: skip


def test_set_ups_have_rows_of_their_own():
    one = match(detections_at(GRID[:2]), sources_at(GRID[:4]))
    two = match(detections_at(GRID[:3]), sources_at(GRID[:3]))
    for tables, name in ((one, "emu"), (two, "vlass")):
        for table in (tables.detections, tables.truths):
            table["SETUP"] = np.full(len(table), name)
    truths = vstack([one.truths, two.truths])
    rows = snr_rows(vstack([one.detections, two.detections]), truths)
    shares = {row["setup"]: row["completeness"] for row in rows if row["snr_min"] == 10.0}
    assert shares == {"all": pytest.approx(5 / 7), "emu": 0.5, "vlass": 1.0}


def test_positions_have_the_pulls_of_their_errors():
    rng = np.random.default_rng(1)
    truths = sources_at(GRID, snr=20.0)
    offsets = rng.normal([-0.5, 0.0], [1.0, 0.5], (len(GRID), 2))  # x rises to the west
    found = match(detections_at(np.array(GRID) + offsets, error=0.5, snr=20.0), truths)
    row = only(position_rows(found.detections), sample="point", snr_min=7.0, snr_max=None)
    assert row["n"] == len(GRID)
    np.testing.assert_allclose(row["median_ra"], -np.median(offsets[:, 0]), atol=0.01)
    np.testing.assert_allclose(row["median_dec"], np.median(offsets[:, 1]), atol=0.01)
    low, high = np.quantile(offsets[:, 0], [0.16, 0.84])
    np.testing.assert_allclose(row["pull_width_ra"], (high - low) / 2 / 0.5, rtol=0.01)


def test_sources_with_others_in_the_beam_are_not_clear():
    lonely, crowded = GRID[:12], GRID[12:24]
    faint = [(x + 2, y) for x, y in crowded]
    truths = sources_at(lonely + crowded + faint, snr=[20.0] * 24 + [4.0] * 12)
    flux = [20.0] * 12 + [24.0] * 12
    found = match(detections_at(lonely + crowded, snr=20.0, flux=flux), truths)
    rows = flux_rows(found.detections)
    clear = only(rows, sample="clear point", snr_min=10.0, snr_max=None)
    assert (clear["n"], clear["median_ratio"]) == (12, pytest.approx(1.0))
    assert only(rows, sample="point", snr_min=10.0, snr_max=None)["n"] == 24
    places = position_rows(found.detections)
    assert only(places, sample="clear point", snr_min=7.0, snr_max=None)["n"] == 12


def test_fluxes_of_points_and_of_extended_sources_are_scored_apart():
    truths = sources_at(GRID[:20], snr=20.0, size=[0.0] * 12 + [8.0] * 8)
    flux = [22.0] * 12 + [15.0] * 8
    found = match(detections_at(GRID[:20], snr=20.0, flux=flux), truths)
    rows = flux_rows(found.detections)
    point = only(rows, sample="point", snr_min=10.0, snr_max=None)
    assert (point["n"], point["median_ratio"]) == (12, pytest.approx(1.1))
    assert point["median_pull_flux"] == pytest.approx(2.0)
    extended = only(rows, sample="extended", snr_min=10.0, snr_max=None)
    assert (extended["n"], extended["median_ratio"]) == (8, pytest.approx(0.75))
    assert extended["median_ratio_error"] is None


def test_classifiers_are_compared_by_snr_and_frequency_ratio():
    names = ["pulsar", "pulsar", "blazar", "other"]
    truths = sources_at(GRID[:4], snr=[25, 8, 25, 25], classes=names)
    detections = detections_at(GRID[:4], snr=[25, 8, 25, 25], classes=["pulsar"] * 4)
    found = match(detections, truths).detections
    found["LEVER_ARM"] = [0.5, 0.1, 0.5, 0.5]
    for name in ("pulsar", "blazar", "other"):
        found[f"B_{name.upper()}"] = (np.array(names) == name).astype(float)
    rows = class_cells(found)
    assert {row["classifier"] for row in rows} == {"catalogue", "Bayes"}
    far = {"frequencies": "ratio from 1.5", "snr_min": 20.0}
    network = only(rows, classifier="catalogue", **far)
    assert (network["n"], network["n_pulsars"]) == (3, 1)
    assert (network["pulsar_precision"], network["pulsar_recall"]) == (pytest.approx(1 / 3), 1.0)
    assert network["macro_f1"] == pytest.approx(0.5 / 3)
    best = only(rows, classifier="Bayes", **far)
    assert (best["macro_f1"], best["precision_at_recall"]) == (1.0, 1.0)
    near = only(rows, classifier="catalogue", frequencies="ratio below 1.5", snr_min=5.0)
    assert near["n"] == 1


def test_scores_survive_json_and_text():
    truths = sources_at(GRID[:12], snr=12.0, classes=["pulsar", "blazar", "other"] * 4)
    detections = detections_at(GRID[:14], snr=12.0, classes=["pulsar", "blazar"] * 7)
    scores = score_radio_tables(match(detections, truths), settings={"seed": 3})
    assert json.loads(scores.to_json()) == asdict(scores)
    text = radio_markdown(scores)
    assert "14 detections, of which 0 are fragments, reliability 85.7 %" in text
    assert "| all | 10 | 30 | 12 | 100.0 |" in text
    assert "**Classes, balanced**" in text


def test_a_catalogue_without_classes_has_every_other_score():
    detections = detections_at(GRID[:3])
    detections.remove_columns([name for name in detections.colnames if name[:2] in ("P_", "L_")])
    scores = score_radio_tables(match(detections, sources_at(GRID[:3])))
    assert scores.classes == {}
    assert scores.counts["reliability"] == 1.0
    assert "Classes" not in radio_markdown(scores)


def test_nothing_found_is_scored_too():
    tables = match(detections_at([]), sources_at(GRID[:3]))
    assert isinstance(tables, MatchedTables)
    scores = score_radio_tables(tables)
    assert scores.counts["reliability"] is None
    assert only(scores.by_snr, snr_min=10.0)["completeness"] == 0.0
    assert radio_markdown(scores)
