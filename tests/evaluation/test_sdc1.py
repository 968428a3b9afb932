"""The score of the SKA's first challenge is what its scorer says of psseg's catalogues."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS
from commands import run
from made_catalogues import radio_catalogue, radio_components

from psseg.catalogue.radio_table import write_radio_catalogue
from psseg.errors import PssegError
from psseg.evaluation import evaluate_sdc1
from psseg.evaluation.sdc1 import sdc1_submission

CENTRE = 0.5, -30.5  # outside the training area of the challenge


def field(n=40, *, frequency=5.6e8, seed=1):
    """Give sources all over half a degree, as measured without error, and their components."""
    rng = np.random.default_rng(seed)
    values = {
        "ra": CENTRE[0] + rng.uniform(-0.25, 0.25, n),
        "dec": CENTRE[1] + rng.uniform(-0.25, 0.25, n),
        "int_flux": 10 ** rng.uniform(-5, -3, n),
        "dc_maj": rng.uniform(1, 3, n) / 3600,
        "dc_min": rng.uniform(0.5, 1, n) / 3600,
        "dc_pa": rng.uniform(0, 90, n),
        "freq": np.full(n, frequency),
        "N_COMPONENTS": np.where(np.arange(n) == 0, 2, 1),
        "Source_Name": np.array([f"PSSEG {i:03d}" for i in range(n)]),
    }
    sources, components = radio_catalogue(n, **values), radio_components(n)
    for name in ("ra", "dec", "Source_Name"):
        components[name] = sources[name]
    return sources, components


@pytest.fixture
def truth(tmp_path):
    """Give a function that writes a truth catalogue of the challenge: what a table says."""

    def write(sources, components, **changes):
        columns = sdc1_submission(sources, components) | changes
        path = tmp_path / "truth.txt"
        np.savetxt(path, np.stack(list(columns.values()), axis=-1))
        return path

    return write


def written(tmp_path, sources, components):
    path = tmp_path / "catalogue.fits"
    write_radio_catalogue(
        path,
        table=sources,
        components=components,
        provenance=fits.Header(),
        survey_table=sources["ra", "dec"][:0],
        thresholds={},
    )
    return path


def test_a_perfect_catalogue_gets_one_point_per_source(tmp_path, truth):
    sources, components = field()
    scores = evaluate_sdc1(
        written(tmp_path, sources, components), truth(sources, components)
    ).scores
    assert (scores.n_detections, scores.n_matched, scores.n_false) == (40, 40, 0)
    assert scores.accuracy == pytest.approx(1)
    assert scores.score == pytest.approx(40)
    assert scores.frequency == 560


def test_false_detections_cost_a_point_each(tmp_path, truth):
    sources, components = field()
    known = truth(sources[:30], components[:30])
    scores = evaluate_sdc1(written(tmp_path, sources, components), known).scores
    assert (scores.n_matched, scores.n_false) == (30, 10)
    assert scores.score == pytest.approx(20)


def test_a_catalogue_without_any_true_source_has_only_false_ones(tmp_path, truth):
    sources, components = field()
    known = truth(sources, components, dec_core=np.full(40, -20.0), dec_cent=np.full(40, -20.0))
    scores = evaluate_sdc1(written(tmp_path, sources, components), known).scores
    assert (scores.n_matched, scores.n_false, scores.accuracy) == (0, 40, 0)


def test_sources_without_a_flux_are_left_out(tmp_path, truth):
    sources, components = field()
    known = truth(sources, components)
    sources["int_flux"][3] *= np.nan
    scores = evaluate_sdc1(written(tmp_path, sources, components), known).scores
    assert (scores.n_detections, scores.n_matched) == (39, 39)


def test_fluxes_are_corrected_for_the_primary_beam(tmp_path, truth):
    sources, components = field()
    known = truth(sources, components)
    sources["int_flux"] *= 0.5
    catalogue, beam = written(tmp_path, sources, components), tmp_path / "beam.fits"
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = CENTRE, [32.5, 32.5], [-0.02, 0.02]
    fits.PrimaryHDU(np.full((64, 64), 0.5, np.float32), wcs.to_header()).writeto(beam)
    assert evaluate_sdc1(catalogue, known).scores.score < 39
    assert evaluate_sdc1(catalogue, known, primary_beam=beam).scores.score == pytest.approx(40)


def test_blazars_are_flat_spectrum_agn_and_doubles_steep_ones():
    columns = sdc1_submission(*field(6))
    assert columns["class"].tolist() == [1, 2, 3, 3, 2, 3]
    assert columns["core_frac"].tolist() == [0, 0.75, 0, 0, 0.75, 0]


def test_the_core_is_the_brightest_component_or_else_the_source_itself():
    sources, components = field(6)
    components["ra"][2] += 1 * components["ra"].unit
    columns = sdc1_submission(sources, components[:5])
    assert columns["ra_core"][2] == pytest.approx(columns["ra_cent"][2] + 1)
    assert columns["ra_core"][5] == columns["ra_cent"][5]


def test_the_angle_is_clockwise_from_the_direction_of_longitude(tmp_path):
    """A truth of one source by hand: its major axis is 30 deg north of west and south of east."""
    sources, components = field(1)
    sources["dc_pa"], sources["pa"] = [120.0] * u.deg, [45.0] * u.deg
    (row,) = zip(*sdc1_submission(sources, components).values(), strict=True)
    by_hand = [*row[:9], 150.0, *row[10:]]
    np.savetxt(tmp_path / "truth.txt", [by_hand])
    scores = evaluate_sdc1(written(tmp_path, sources, components), tmp_path / "truth.txt").scores
    assert row[9] == pytest.approx(150)
    assert scores.accuracy == pytest.approx(1)


def test_another_frequency_is_refused(tmp_path, truth):
    sources, components = field(frequency=9e8)
    with pytest.raises(PssegError, match="its frequency is 900 MHz; the challenge has images at"):
        evaluate_sdc1(written(tmp_path, sources, components), truth(sources, components))


@pytest.mark.parametrize("text", ["no numbers", "1 2 3\n"])
def test_what_is_no_truth_of_the_challenge_is_refused(tmp_path, text):
    (tmp_path / "truth.txt").write_text(text)
    with pytest.raises(PssegError, match=r"truth.txt: no truth catalogue of the challenge"):
        evaluate_sdc1(written(tmp_path, *field()), tmp_path / "truth.txt")


def test_without_the_scorer_it_says_what_to_install(tmp_path, truth, monkeypatch):
    monkeypatch.setitem(sys.modules, "ska_sdc", None)
    with pytest.raises(PssegError, match=r"pip install 'psseg\[sdc1\]'"):
        evaluate_sdc1(tmp_path / "catalogue.fits", tmp_path / "truth.txt")


def test_the_command_prints_and_writes_the_score(tmp_path, truth):
    sources, components = field()
    known, catalogue = truth(sources, components), written(tmp_path, sources, components)
    result = run("evaluate", "--catalogue", catalogue, "--sdc1", known, "-o", tmp_path / "scores")
    assert "560 MHz**: score 40.0; 40 detections, 40 matched (accuracy 100.0 %)" in result.output
    assert '"n_false": 0' in (tmp_path / "scores" / "scores.json").read_text()
    assert (tmp_path / "scores" / "scores.md").exists()


def test_a_primary_beam_without_the_challenge_is_refused(tmp_path):
    result = run("evaluate", "--model", "radio", "--primary-beam", tmp_path / "beam.fits")
    assert result.exit_code == 2
    assert "--primary-beam is for --sdc1" in result.output
