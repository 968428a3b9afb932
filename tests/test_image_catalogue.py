"""From a radio image to its catalogue, with the truth in the place of the network's labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from commands import assert_fails, run
from made_images import RMS, beam_covariance, beam_noise, discs, draw, make_image

from psseg import image_labels
from psseg.catalogue.radio_flags import RadioFlag
from psseg.catalogue.radio_table import describe_image, read_radio_catalogue
from psseg.errors import PssegError, PssegWarning
from psseg.evaluation import evaluate_radio_file
from psseg.image_catalogue import catalogue_image
from psseg.pipeline import catalogue, label
from psseg.radio_classes import leakage_spread
from psseg.sky.radio_image_files import simulate_radio_sky, write_simulated_image
from psseg.sky.radio_observation import draw_observation
from psseg.sky.radio_simulation import simulate_image
from psseg.survey.classes import IGNORED, SOURCE_CLASSES
from psseg.survey.survey import load_survey
from psseg.tiles.network_planes import _length
from psseg.tiles.radio_files import read_radio_image
from psseg.tiles.readers import recognise_survey
from psseg.tiles.regions import cut_regions

SHAPE = (224, 224)


@pytest.fixture(scope="module")
def radio():
    return load_survey("radio")


@pytest.fixture(scope="module")
def simulated(radio):
    rng = np.random.default_rng(5)
    observation = draw_observation(radio, rng, like="racs-mid")
    return simulate_image(radio, rng=rng, shape=SHAPE, mix="balanced", observation=observation)


@pytest.fixture
def model(stub, radio, simulated, monkeypatch):
    """Give a model that labels as the truth says."""

    def labels(image, planes, model, **how):
        classes = simulated.class_map
        assert classes.shape == planes.mask.shape
        probabilities = np.full((4, *classes.shape), 0.01, np.float32)
        for value in range(4):
            probabilities[value][classes == value] = 0.97
        probabilities[0][classes == IGNORED] = 0.97
        return probabilities

    monkeypatch.setattr(image_labels, "_label_planes", labels)
    monkeypatch.setattr("psseg.pipeline.load_model", lambda name: stub_of(stub, radio))
    return stub_of(stub, radio)


def stub_of(stub, radio):
    return replace(stub, survey=radio)


@pytest.fixture
def files(simulated, tmp_path):
    return write_simulated_image(simulated, tmp_path / "maps", "field")


def unlike(model):
    """Give a model for images of another kind."""
    limits = ((0.0, 0.01), (0.0, 1.0), (0.0, 9.0), (0.0, 1.0))
    return replace(model, calibration=replace(model.calibration, image_range=limits))


def test_an_image_unlike_training_is_flagged(model, simulated):
    with pytest.warns(PssegWarning, match=r"unlike the skies .*: correlation .* flagged"):
        made = catalogue_image(simulated.image, unlike(model), priors="balanced")
    assert len(made.table) > 3
    assert (made.table["Flags"] & RadioFlag.UNLIKE_TRAINING > 0).all()
    like = catalogue_image(simulated.image, model, priors="balanced")
    assert not (like.table["Flags"] & RadioFlag.UNLIKE_TRAINING).any()


def test_an_image_of_a_frequency_that_no_simulated_sky_has_is_flagged(model, simulated):
    above = replace(simulated.image, frequencies=tuple(16 * f for f in simulated.image.frequencies))
    with pytest.warns(PssegWarning, match=r"frequency .* GHz \(training: 0\.1 to 5\)"):
        made = catalogue_image(above, model, priors="balanced")
    assert np.all(made.table["Flags"] & RadioFlag.UNLIKE_TRAINING)


def test_a_strict_catalogue_refuses_an_image_unlike_training(model, files, tmp_path):
    with pytest.raises(PssegError, match="leave --strict out") as caught:
        catalogue(files.planes[0], tmp_path / "out", model=unlike(model), strict=True)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").glob("*"))


def test_the_simulated_beam_needs_no_resampling(simulated):
    assert _length(SHAPE[0], 1.0) == SHAPE[0]
    beam, scale = simulated.image.beams[0], simulated.image.pixel_scale
    assert 3 < np.sqrt(beam.major * beam.minor) / scale < 6


def test_bright_sources_are_found_where_they_are(model, simulated):
    made = catalogue_image(simulated.image, model, priors="balanced")
    truth = simulated.truth[(simulated.truth["SNR"] > 7) & (simulated.truth["N_COMPONENTS"] == 1)]
    inside = np.all(
        [(truth[n] > 8) & (truth[n] < size - 8) for n, size in (("X", 224), ("Y", 224))], axis=0
    )
    truth = truth[inside]
    index, offset, _ = SkyCoord(truth["ra"], truth["dec"]).match_to_catalog_sky(
        SkyCoord(made.table["ra"], made.table["dec"])
    )
    assert len(truth) > 5
    assert np.median(offset.arcsec) < 1.0
    right = made.table["CLASS"][index] == np.char.strip(truth["CLASS"])
    assert np.mean(right) > 0.8


def test_measured_numbers_say_the_class_as_far_as_the_calibration_lets_them(model, simulated):
    def classes(table, prefix):
        return np.stack([table[f"{prefix}_{name.upper()}"] for name in SOURCE_CLASSES], axis=-1)

    def made(weights):
        chosen = replace(model.calibration, measured_weights=weights)
        trained = replace(model, calibration=chosen)
        return catalogue_image(simulated.image, trained, keep_candidates=True).table

    assert len(simulated.image.planes) > 1
    numbers, network = made((0.0, 1.0, 0.0, 0.0, 0.0)), made(())
    np.testing.assert_allclose(classes(numbers, "L"), classes(numbers, "M"), rtol=1e-5)
    assert np.abs(classes(network, "L") - classes(network, "M")).max() > 0.3
    both = made((1.0, 0.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(classes(both, "L"), classes(network, "L"), atol=1e-5)


def test_segments_and_components_belong_to_the_sources(model, simulated):
    made = catalogue_image(simulated.image, model)
    assert sorted(made.table["SEGMENT"]) == list(made.segments.labels)
    fitted = made.table["N_COMPONENTS"] > 0
    assert set(made.components["Source_Name"]) == set(made.table["Source_Name"][fitted])
    assert made.table["N_COMPONENTS"].sum() >= len(made.components)
    some = catalogue_image(simulated.image, model, threshold=0.9999)
    assert len(some.table) < len(made.table)
    assert set(some.components["Source_Name"]) <= set(some.table["Source_Name"])


def test_regions_give_the_catalogue_of_the_whole_image(model, simulated, monkeypatch):
    whole = catalogue_image(simulated.image, model)
    labels = whole.class_probabilities.rows(slice(0, SHAPE[0]))
    regions = cut_regions(SHAPE, whole=1000, core=64, margin=48)
    windows = iter([region.window for region in regions])
    monkeypatch.setattr(image_labels, "cut_regions", lambda shape: regions)
    monkeypatch.setattr(
        image_labels, "_label_planes", lambda *given, **how: labels[:, *next(windows)]
    )
    made = catalogue_image(simulated.image, model)
    assert len(regions) == 4
    np.testing.assert_array_equal(made.class_probabilities.rows(slice(0, SHAPE[0])), labels)
    np.testing.assert_array_equal(made.segments.data > 0, whole.segments.data > 0)
    assert sorted(made.table["SEGMENT"]) == list(made.segments.labels)
    assert len(made.components) == len(whole.components)
    made.table.sort("Source_Name")
    whole.table.sort("Source_Name")
    assert made.table["Source_Name"].tolist() == whole.table["Source_Name"].tolist()
    for name in ("ra", "dec", "int_flux", "e_int_flux", "maj", "alpha", "SOURCE_PROB", "P_OTHER"):
        np.testing.assert_allclose(made.table[name], whole.table[name], rtol=1e-3)


def test_the_primary_beam_divides_the_fluxes(model, simulated):
    plain = catalogue_image(simulated.image, model)
    half = catalogue_image(simulated.image, model, attenuation=np.full(SHAPE, 0.5))
    for name in ("int_flux", "e_peak_flux", "rms_image"):
        np.testing.assert_allclose(half.table[name], 2 * plain.table[name], rtol=1e-5)
    np.testing.assert_allclose(
        half.components["int_flux"], 2 * plain.components["int_flux"], rtol=1e-5
    )
    np.testing.assert_allclose(half.table["SNR"], plain.table["SNR"], rtol=1e-5)
    np.testing.assert_allclose(half.table["v_over_i"], plain.table["v_over_i"], rtol=1e-5)
    ratio = 1.44 / 1.296  # the higher frequency is attenuated more
    flatter = (ratio**2 - 1) * np.log(2) / np.log(ratio)
    np.testing.assert_allclose(half.table["alpha"], plain.table["alpha"] + flatter, rtol=1e-4)


def test_the_primary_beam_in_a_file_divides_the_fluxes(model, files, tmp_path, monkeypatch):
    monkeypatch.setattr("psseg.pipeline.plot_image", lambda *given: given[-1].touch())
    beam, (first, *_) = tmp_path / "beam.fits", files.planes
    with fits.open(first) as hdus:
        hdus[0].data = np.full_like(hdus[0].data, 0.5)
        hdus.writeto(beam)
    for folder, words in (("plain", ()), ("half", ("--primary-beam", beam))):
        made = run("catalogue", first, "-o", tmp_path / folder, *words)
        assert made.exit_code == 0, made.output
    plain, half = (
        read_radio_catalogue(tmp_path / folder / "field_catalogue.fits")
        for folder in ("plain", "half")
    )
    for ours, corrected in zip(plain, half, strict=True):
        assert len(ours) > 3
        np.testing.assert_allclose(corrected["int_flux"], 2 * ours["int_flux"], rtol=1e-5)


def test_the_primary_beam_makes_classes_of_corrected_spectra(model, simulated):
    numbers = replace(model.calibration, measured_weights=(0.0, 1.0, 0.0, 0.0, 0.0))
    trained = replace(model, calibration=numbers)
    plain = catalogue_image(simulated.image, trained)
    half = catalogue_image(simulated.image, trained, attenuation=np.full(SHAPE, 0.5))
    assert half.table["L_PULSAR"].mean() < plain.table["L_PULSAR"].mean() - 0.05


def test_the_error_of_circular_polarisation_holds_the_leakage(model, simulated, radio):
    dry = replace(radio, artefacts=replace(radio.artefacts, leakage=(1e-9, 1e-9)))
    leaking, without = (
        np.asarray(catalogue_image(simulated.image, one).table["e_v_over_i"])
        for one in (model, replace(model, survey=dry))
    )
    np.testing.assert_allclose(leaking, np.hypot(without, leakage_spread(radio)), rtol=1e-4)


def test_the_catalogue_says_how_each_plane_was_taken(model, simulated):
    made = catalogue_image(simulated.image, model)
    described = describe_image(simulated.image, made.noise)
    assert described["STOKES"].tolist() == ["I", "I", "V"]
    np.testing.assert_allclose(described["FREQ"].to_value(u.GHz), [1.296, 1.44, 1.296])
    np.testing.assert_allclose(
        described["RMS"].value, [np.median(rms) for rms in simulated.rms], rtol=0.15
    )


def test_planes_from_files_give_all_products(model, files, tmp_path):
    first, *others = files.planes
    made = catalogue(first, tmp_path / "out", planes=others, command="psseg catalogue field.fits")
    assert all(path.exists() for path in made.paths.all)
    table, components = read_radio_catalogue(made.paths.catalogue)
    assert len(table) == len(made.result.table) > 5
    assert np.isfinite(table["alpha"]).any()
    assert np.isfinite(table["v_over_i"]).any()
    assert len(components) >= len(table) - 1
    assert made.paths.regions.read_text().count("ellipse(") == len(table)
    with fits.open(made.paths.labels) as hdus:
        names = [hdu.name for hdu in hdus[1:]]
        assert names == ["CLASS_MAP", "CLASS_PROBABILITIES", "SEGMENTS", "RMS", "MEAN"]
        assert hdus["RMS"].data.shape == (3, *SHAPE)


def test_a_catalogue_file_is_evaluated_against_its_truth(model, simulated, files, tmp_path):
    first, *others = files.planes
    made = catalogue(first, tmp_path / "out", planes=others, priors="balanced")
    found = evaluate_radio_file(made.paths.catalogue, files.truth)
    rows = {row["snr_min"]: row for row in found.scores.by_snr}
    assert rows[10.0]["completeness"] == 1
    assert found.scores.counts["reliability"] > 0.9
    assert found.scores.classes["P"]["macro_f1"] > 0.7
    np.testing.assert_allclose(found.tables.truths["LEVER_ARM"], simulated.image.lever_arm)
    scored = run(
        "evaluate", "--catalogue", made.paths.catalogue, "--truth", files.truth,
        "-o", tmp_path / "scores",
    )  # fmt: skip
    assert scored.exit_code == 0, scored.output
    assert "Completeness and reliability" in scored.stdout
    assert (tmp_path / "scores" / "scores.json").exists()


def test_a_catalogue_of_another_frequency_than_its_truth_is_refused(model, files, tmp_path):
    made = catalogue(files.planes[1], tmp_path / "out")
    with pytest.raises(PssegError, match=r"at 1440 MHz, those of field_truth.fits at 1296 MHz: "):
        evaluate_radio_file(made.paths.catalogue, files.truth)
    with fits.open(files.truth, mode="update") as hdus:
        del hdus["TRUTH"].header["FREQ"]
    assert len(evaluate_radio_file(made.paths.catalogue, files.truth).tables.truths) > 3


def test_only_a_catalogue_that_says_its_beam_is_evaluated(model, files, tmp_path):
    made = catalogue(files.planes[0], tmp_path / "out", style="pybdsf")
    told = evaluate_radio_file(made.paths.catalogue, files.truth)
    assert len(told.tables.detections) > 3
    with fits.open(made.paths.catalogue, mode="update") as hdus:
        hdus["SURVEY"].columns["BEAM_MAJOR"].name = "MAJOR"
    with pytest.raises(PssegError, match="does not say the beam of its image"):
        evaluate_radio_file(made.paths.catalogue, files.truth)
    truth = files.truth
    assert_fails(run("evaluate", "--catalogue", truth, "--truth", truth), "no radio catalogue")


def test_the_file_has_the_style_that_was_asked_for(model, files, tmp_path):
    made = catalogue(files.planes[0], tmp_path / "out", style="pybdsf")
    with fits.open(made.paths.catalogue) as hdus:
        assert {"RA", "Total_flux"} < set(hdus["CATALOGUE"].data.names)
    assert "int_flux" in made.result.table.colnames
    shown = run("view", tmp_path / "out", "--commands", tmp_path / "ds9.sh")
    assert shown.exit_code == 0, shown.output


def test_a_written_plane_reads_back(simulated, files):
    image = read_radio_image(files.planes)
    assert image.stokes == simulated.image.stokes
    np.testing.assert_allclose(image.frequencies, simulated.image.frequencies)
    np.testing.assert_allclose(image.planes, simulated.image.planes, rtol=1e-6)
    assert recognise_survey(files.planes[0]) == "radio"


def test_labels_alone_have_no_segments(model, files, tmp_path):
    path = label(files.planes[0], tmp_path / "labels.fits", planes=files.planes[1:])
    with fits.open(path) as hdus:
        assert "SEGMENTS" not in hdus
        assert "RMS" in hdus


def test_options_of_counts_are_refused(model, files, tmp_path):
    with pytest.raises(PssegError, match=r"--width is for counts; .* want --plane, --beam"):
        catalogue(files.planes[0], tmp_path / "out", width=3.0)
    assert not (tmp_path / "out").exists()


def test_an_unknown_setup_is_refused_by_name(radio, tmp_path):
    with pytest.raises(PssegError, match="no set-up 'hubble'"):
        simulate_radio_sky(radio, tmp_path, n_images=1, shape=SHAPE, setup="hubble", seed=1)


def test_the_same_seed_writes_the_same_image(radio, tmp_path):
    planes = [
        simulate_radio_sky(radio, tmp_path / str(k), n_images=1, shape=(64, 64), seed=3)[0].planes
        for k in range(2)
    ]
    first, again = (fits.getdata(paths[0]) for paths in planes)
    np.testing.assert_array_equal(first, again)


def test_two_sources_that_the_network_takes_for_one(stub, radio, monkeypatch):
    shape, places = (160, 200), ([60.0, 66.0, 140.0], [80.0, 80.0, 60.0])
    plane = beam_noise(np.random.default_rng(2), shape, beam_covariance()) * RMS
    draw(plane, *places, np.array([40, 25, 60]) * RMS, beam_covariance())
    blobs = discs(shape, [63.0, 140.0], [80.0, 60.0], 8.0).data > 0

    def labels(image, planes, model, **how):
        source = np.where(blobs, 0.97, 0.01).astype(np.float32)
        return np.stack([1 - source, 0.2 * source, 0.5 * source, 0.3 * source])

    monkeypatch.setattr(image_labels, "_label_planes", labels)
    made = catalogue_image(make_image([plane]), stub_of(stub, radio), threshold=0.0)
    assert len(made.table) == 3
    data = made.segments.data
    found = data[np.rint(places[1]).astype(int), np.rint(places[0]).astype(int)]
    assert sorted(found) == sorted(made.table["SEGMENT"])
    assert set(np.unique(data)) == {0, *found}
    assert ((data > 0) == blobs).all()
    order = [made.table["SEGMENT"].tolist().index(label) for label in found]
    peaks = made.table["peak_flux"].value[order] / RMS
    np.testing.assert_allclose(peaks, [40, 25, 60], atol=4)
    blended = made.table["Flags"][order] & RadioFlag.BLENDED > 0
    assert blended.tolist() == [True, True, False]
    one, other = made.table[order[:2]]
    assert one["L_BLAZAR"] == pytest.approx(other["L_BLAZAR"])
