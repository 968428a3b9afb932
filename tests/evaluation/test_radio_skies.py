from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from radio_tables import ARCSEC, BEAM, detections_at
from scipy import ndimage

from psseg.catalogue.probability import source_probability
from psseg.catalogue.segment_map import list_segments
from psseg.errors import PssegError
from psseg.evaluation.radio_calibration import (
    calibrate_radio,
    fit_image_range,
    fit_radio_calibration,
)
from psseg.evaluation.radio_skies import RadioPlan, catalogue_radio_sky, evaluate_radio
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.survey import load_survey


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


@pytest.fixture
def model(stub, radio):
    return replace(stub, survey=radio)


def islands(image, model, *, keep_candidates=False):
    """Catalogue connected pixels above a few rms, each at its brightest pixel; no classes known."""
    data = np.nan_to_num(image.planes[0])
    rms = 1.4826 * np.median(np.abs(data[~image.mask]))
    label, n = ndimage.label(data > 3 * rms)
    places = np.array(ndimage.maximum_position(data, label, range(1, n + 1))).reshape(-1, 2)
    snr = data[tuple(places.T)] / rms
    table = detections_at(np.zeros((n, 2)), snr=snr, probability=1 / (1 + np.exp(4 - snr)))
    coords = image.pixel_to_sky(*places.T[::-1])
    for name, values in (("ra", coords.ra), ("dec", coords.dec), ("GLAT", coords.galactic.b)):
        table[name] = values.deg * table[name].unit
    table["SEGMENT"] = np.arange(1, n + 1)
    for name in SOURCE_CLASSES:
        table[f"M_{name.upper()}"] = np.full(n, np.nan)
    statistics = {"correlation": 1.0, "ringing": rms, "depth": 1.0, "sources": np.mean(label > 0)}
    return SimpleNamespace(table=table, segments=list_segments(label), statistics=statistics)


def test_an_island_finder_finds_what_is_bright_and_little_of_what_is_faint(model):
    found = evaluate_radio(
        model,
        seed=1,
        n_images=2,
        shape=(256, 256),
        setups=("emu", "racs-mid"),
        mix="balanced",
        catalogue=islands,
    )
    rows = {row["snr_min"]: row for row in found.scores.by_snr if row["setup"] == "all"}
    assert rows[30.0]["completeness"] > 0.8
    assert rows[3.0]["completeness"] < 0.6
    assert rows[30.0]["reliability"] > 0.9
    assert found.scores.settings["setups"] == ["emu", "racs-mid"]
    assert set(found.tables.truths["SETUP"]) == {"emu", "racs-mid"}
    classes = {row["classifier"]: row for row in found.scores.class_cells if row["n"] > 30}
    assert set(classes) == {"catalogue", "Bayes", "cuts"}


def test_the_bayes_classifier_beats_cuts_on_true_sources(model):
    plan = RadioPlan(
        n_images=2,
        shape=(400, 400),
        seed=2,
        stream="evaluation",
        setups=("racs-mid", "emu"),
        mix="balanced",
    )
    truths = catalogue_radio_sky(model, plan, catalogue=islands, bayes=True).truths
    bright = truths[truths["SNR"] > 10]
    names = np.array(["pulsar", "blazar", "other"])

    def share_right(prefix):
        classes = np.stack([bright[f"{prefix}_{name.upper()}"] for name in names])
        return np.mean(names[classes.argmax(axis=0)] == bright["CLASS"])

    assert len(bright) > 40
    assert share_right("B") > max(share_right("C"), 0.5)


def test_images_depend_on_seed_purpose_mix_and_number_alone(radio):
    def plan(**changes):
        options = {"n_images": 4, "shape": (64, 64), "seed": 3, "stream": "evaluation"}
        return RadioPlan(**{**options, **changes})

    def image(chosen, number):
        return chosen.simulate(radio, number)[0].image.planes[0]

    here = image(plan(), 1)
    np.testing.assert_array_equal(here, image(plan(n_images=9), 1))
    for other in (
        image(plan(), 2),
        image(plan(seed=4), 1),
        image(plan(stream="calibration"), 1),
        image(plan(mix="balanced"), 1),
    ):
        assert not np.array_equal(here, other)


def test_a_model_of_counts_maps_is_refused(stub):
    with pytest.raises(PssegError, match="want one of radio images"):
        evaluate_radio(stub, seed=1, n_images=1, shape=(64, 64), catalogue=islands)


def test_a_plan_without_images_is_refused():
    with pytest.raises(PssegError, match="want one image and one set-up or more"):
        RadioPlan(n_images=0, shape=(64, 64), seed=1, stream="evaluation")


def made_detections(rng, n, *, share_real, certainty=0.8):
    """Give matched detections: sources at S/N 10, noise at S/N 4, with scores that overlap."""
    real = rng.uniform(size=n) < share_real
    classes = rng.choice(["pulsar", "blazar", "other"], n)
    table = detections_at(
        rng.uniform(30, 270, (n, 2)),
        snr=np.where(real, 10.0, 4.0),
        probability=np.where(real, rng.beta(6, 2, n), rng.beta(2, 6, n)),
        classes=classes,
        certainty=certainty,
    )
    table["MATCHED"], table["TRUE_CLASS"] = real, np.where(real, classes, "")
    table["TRUE_SNR"] = np.where(real, 10.0, np.nan)
    table["COUNTED"], table["FRAGMENT"] = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    off = np.where(real, np.hypot(*rng.normal(scale=0.5, size=(2, n))), np.nan)
    table["SEPARATION"], table["BEAMS_OFF"] = off * ARCSEC * u.deg, off / BEAM
    table["TRUE_INT_FLUX"] = table["int_flux"] + rng.normal(size=n) * table["e_int_flux"]
    table["TRUE_EXTENDED"] = np.zeros(n, dtype=bool)
    for name in SOURCE_CLASSES:
        table[f"M_{name.upper()}"] = np.full(n, np.nan)
    return table


def test_measured_numbers_are_weighed_by_what_they_say_where_there_are_several_planes():
    rng = np.random.default_rng(8)
    detections = made_detections(rng, 300, share_real=0.6, certainty=0.34)
    right = np.asarray(detections["CLASS"])
    for name in SOURCE_CLASSES:
        detections[f"M_{name.upper()}"][:200] = np.where(right == name, 0.8, 0.1)[:200]
    calibration = fit_radio_calibration(detections, detections, candidate_threshold=0.25)
    of_network, of_measured, *bias = calibration.measured_weights
    assert of_measured > 1 > of_network
    np.testing.assert_allclose(bias, 0, atol=0.5)
    without = made_detections(rng, 300, share_real=0.6)
    plain = fit_radio_calibration(without, without, candidate_threshold=0.25)
    assert plain.measured_weights == ()


def test_the_threshold_gives_the_asked_reliability_and_is_the_same_at_all_latitudes():
    rng = np.random.default_rng(5)
    detections = made_detections(rng, 300, share_real=0.6)
    calibration = fit_radio_calibration(
        detections, detections, candidate_threshold=0.25, reliability=0.95
    )
    low, high = calibration.thresholds.values()
    assert low == high
    probability = source_probability(
        detections["SOURCE_PROB"], detections["SNR"] ** 2, calibration.source_coefficients
    )
    assert detections["MATCHED"][probability >= low].mean() >= 0.95
    assert calibration.latitude_split == 0
    assert min(calibration.source_coefficients[1:]) >= 0
    assert calibration.position_scale == pytest.approx(1, abs=0.2)
    assert calibration.flux_scale == pytest.approx(1, abs=0.2)
    assert calibration.candidate_threshold == 0.25


def test_resolved_fluxes_get_the_error_that_they_show():
    rng = np.random.default_rng(10)
    detections = made_detections(rng, 2000, share_real=0.9)
    detections["SNR"] = 3 * detections["SNR"]
    resolved = np.arange(2000) % 2 == 0
    detections["dc_maj"][resolved] = BEAM * ARCSEC * u.deg
    detections["TRUE_EXTENDED"] = resolved
    further = 0.2 * rng.normal(size=2000) * resolved * detections["int_flux"]
    detections["TRUE_INT_FLUX"] = detections["TRUE_INT_FLUX"] + further
    calibration = fit_radio_calibration(detections, detections, candidate_threshold=0.25)
    assert calibration.resolved_flux_floor == pytest.approx(0.2, abs=0.03)
    assert calibration.flux_scale == pytest.approx(1, abs=0.2)
    detections["dc_maj"] = 0 * u.deg
    plain = fit_radio_calibration(detections, detections, candidate_threshold=0.25)
    assert plain.resolved_flux_floor == 0


def test_further_evidence_counts():
    rng = np.random.default_rng(9)
    detections = made_detections(rng, 300, share_real=0.6)
    size = rng.normal(size=300) - 2 * np.asarray(detections["MATCHED"])
    detections["EVIDENCE"] = np.stack([size, rng.normal(size=300)], axis=-1)
    calibration = fit_radio_calibration(detections, detections, candidate_threshold=0.25)
    _, _, _, of_size, of_nothing = calibration.source_coefficients
    assert of_size < -0.5
    assert abs(of_nothing) < 0.5


def test_classes_that_are_always_right_are_made_more_certain():
    rng = np.random.default_rng(6)
    detections = made_detections(rng, 90, share_real=0.6, certainty=0.5)
    calibration = fit_radio_calibration(detections, detections, candidate_threshold=0.25)
    assert calibration.temperature < 0.7


def test_the_range_of_images_is_wider_than_what_was_seen_and_leaves_out_what_says_nothing():
    images = QTable(
        {
            "correlation": [0.5, 2.0, np.nan],
            "ringing": [0.0, 0.1, np.nan],
            "depth": [1.0, 1.0, np.nan],
            "sources": [0.0, 0.1, 0.4],
        }
    )
    (low, high), ringing, depth, sources = fit_image_range(images)
    assert (low, high) == pytest.approx((0.5 / 4**0.2, 2.0 * 4**0.2))
    assert ringing == pytest.approx((-0.02, 0.12))
    assert depth == (1.0, 1.0)
    assert sources == pytest.approx((-0.08, 0.48))


def test_without_measured_images_there_is_no_range():
    assert fit_image_range(QTable({"IMAGE": [1, 2]})) == ()


def test_fragments_do_not_count_in_a_calibration():
    rng = np.random.default_rng(7)
    detections = made_detections(rng, 100, share_real=0.6)
    spoiled = detections.copy()
    spoiled["MATCHED"][:30] = ~spoiled["MATCHED"][:30]
    spoiled["FRAGMENT"][:30] = True
    clean = fit_radio_calibration(detections[30:], detections, candidate_threshold=0.25)
    again = fit_radio_calibration(spoiled, detections, candidate_threshold=0.25)
    assert again == clean


def test_a_model_is_calibrated_on_images_of_both_mixes(model):
    calibration = calibrate_radio(
        model, seed=4, n_images=1, shape=(512, 512), setups=("emu",), catalogue=islands
    )
    low, high = calibration.thresholds.values()
    assert 0 < low == high <= 1
