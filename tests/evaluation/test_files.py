"""Evaluations from files and to files: what is read, named, and refused before any work."""

from __future__ import annotations

import pytest
from commands import assert_fails, run

from psseg.evaluation import (
    evaluate_catalogue,
    evaluate_counts_file,
    evaluation_paths,
    write_evaluation,
)


@pytest.fixture
def made(truth_teller, sky_files, tmp_path):
    """Give a folder with a catalogue of the small sky."""
    result = run(
        "catalogue", sky_files.counts, "--exposure", sky_files.exposure, "-o", tmp_path,
        "--format", "csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return tmp_path


def test_a_catalogue_is_evaluated_in_any_format(made, sky_files):
    one, other = (
        evaluate_counts_file(made / f"sky_catalogue.{ending}", sky_files.truth).scores
        for ending in ("fits", "csv")
    )
    assert one.counts["purity"] > 0.9
    assert one.to_json() == other.to_json()
    assert run(
        "evaluate", "--catalogue", made / "sky_catalogue.csv", "--truth", sky_files.truth
    ).exit_code == 0  # fmt: skip


@pytest.mark.parametrize("tables", [False, True])
def test_the_files_of_an_evaluation_are_those_that_are_named(
    make_catalogue, make_truth, tmp_path, tables
):
    evaluation = evaluate_catalogue(make_catalogue([10, 20], [0, 0]), make_truth([10], [0]))
    written = write_evaluation(evaluation, tmp_path, tables=tables)
    assert written == evaluation_paths(tmp_path, figures=True, tables=tables)
    assert sorted(tmp_path.iterdir()) == sorted(written)


def forbidden(*_, **__):
    raise AssertionError("the work began")


@pytest.mark.parametrize("model", ["fermi-lat", "radio"])
@pytest.mark.parametrize("name", ["scores.md", "detections.fits"])
def test_a_file_that_exists_is_noticed_before_a_model_is_evaluated(
    monkeypatch, tmp_path, model, name
):
    monkeypatch.setattr("psseg.evaluation.evaluate", forbidden)
    monkeypatch.setattr("psseg.evaluation.evaluate_radio", forbidden)
    (tmp_path / name).write_text("mine")
    result = run("evaluate", "--model", model, "-o", tmp_path, "--tables")
    assert_fails(result, name, "--overwrite")


def test_a_figure_that_exists_is_noticed_before_a_catalogue_is_evaluated(
    monkeypatch, made, sky_files
):
    monkeypatch.setattr("psseg.evaluation.evaluate_file", forbidden)
    (made / "failures.png").write_text("mine")
    words = ("--catalogue", made / "sky_catalogue.fits", "--truth", sky_files.truth)
    assert_fails(run("evaluate", *words, "-o", made), "failures.png", "--overwrite")


def test_only_counts_have_figures(tmp_path):
    names = {path.name for path in evaluation_paths(tmp_path, figures=False)}
    assert names == {"scores.json", "scores.md"}
