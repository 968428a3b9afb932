"""Every option of every command arrives where it is used, in the unit that is wanted there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from astropy import units as u
from commands import run

from psseg.cli import main
from psseg.errors import PssegError
from psseg.tiles.beam import Beam

CONSOLE = {"--quiet", "--verbose", "--help"}


class Recorder:
    """Stands in for a function: takes note of what it is given, and ends the command or goes on."""

    def __init__(self, answer=None):
        self.calls, self.answer = [], answer

    def __call__(self, *given, **named):
        self.calls.append((given, named))
        if self.answer is None:
            raise PssegError("recorded")
        return self.answer(*given, **named)

    def once(self, *words):
        """Run a command that ends here; give what came with it, the command line taken out."""
        result = run(*words)
        assert result.exit_code == 1, result.output
        assert result.stderr == "psseg: error: recorded\n"
        ((given, named),) = self.calls
        assert named.pop("command", "psseg ").startswith("psseg")
        return given, named


@pytest.fixture
def put(monkeypatch):
    """Give a function that puts a recorder in the place of another function."""

    def put(name, answer=None):
        recorder = Recorder(answer)
        monkeypatch.setattr(name, recorder)
        return recorder

    return put


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in an empty folder: paths can be written as they are typed."""
    monkeypatch.chdir(tmp_path)


def lacking(name, *words):
    """Give the options of a command that no list of words has."""
    given = {str(word) for part in words for word in part}
    return {
        max(parameter.opts, key=len)
        for parameter in main.commands[name].params
        if parameter.param_type_name == "option" and not given & set(parameter.opts)
    } - CONSOLE


def taken(named, *names):
    """Take some values out of what was given."""
    return [named.pop(name) for name in names]


# --- maps ----------------------------------------------------------------------------------------

PLAIN = ("catalogue", "a.fits", "-o", "out")
OF_COUNTS = (
    *("--model", "fermi-lat", "--exposure", "e.fits", "--center", "184.56,-5.78,galactic"),
    *("--width", "7.5", "--priors", "balanced", "--threshold", "0.7", "--strict", "-j", "3"),
    *("--format", "csv", "--format", "votable", "--overwrite"),
)
OF_IMAGES = (
    *("--plane", "v.fits", "--plane", "b.fits", "--beam", "18,9,75", "--frequency", "1.4e9"),
    *("--reproject", "--primary-beam", "p.fits", "--style", "casda"),
)
ELSEWHERE = ("--report", "--skip-existing")  # not for pipeline.catalogue
NOTHING = {
    "model": None, "exposure": None, "center": None, "width": None, "planes": (), "beam": None,
    "frequency": None, "reproject": False, "primary_beam": None, "style": None,
    "priors": "physical", "threshold": None, "strict": False, "formats": (), "overwrite": False,
    "progress": True,
}  # fmt: skip


def test_a_catalogue_without_options(put, in_folder, monkeypatch):
    monkeypatch.setattr("psseg.cli._cores", lambda: 5)
    given, named = put("psseg.pipeline.catalogue").once(*PLAIN)
    assert given == (Path("a.fits"), Path("out"))
    assert named == NOTHING | {"processes": 5}


def test_options_of_a_catalogue_of_counts(put, in_folder):
    _, named = put("psseg.pipeline.catalogue").once(*PLAIN, *OF_COUNTS, "-q")
    (center,) = taken(named, "center")
    assert center.frame.name == "galactic"
    assert (center.l.deg, center.b.deg) == pytest.approx((184.56, -5.78))
    del (wanted := NOTHING | {"processes": 3})["center"]
    assert named == wanted | {
        "model": "fermi-lat", "exposure": Path("e.fits"), "width": 7.5, "priors": "balanced",
        "threshold": 0.7, "strict": True, "formats": ("csv", "votable"), "overwrite": True,
        "progress": False,
    }  # fmt: skip


def test_options_of_a_catalogue_of_an_image(put, in_folder):
    _, named = put("psseg.pipeline.catalogue").once(*PLAIN, *OF_IMAGES, "-j", "1")
    (beam,) = taken(named, "beam")
    assert (beam.major, beam.minor, beam.angle) == pytest.approx((18 / 3600, 9 / 3600, 75))
    del (wanted := NOTHING | {"processes": 1})["beam"]
    assert named == wanted | {
        "planes": (Path("v.fits"), Path("b.fits")), "frequency": 1.4e9, "reproject": True,
        "primary_beam": Path("p.fits"), "style": "casda",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "beam"), [("18", (18, 18, 0)), ("18,9", (18, 9, 0)), ("18,9,-75", (18, 9, -75))]
)
def test_a_beam_is_in_arcseconds(put, in_folder, text, beam):
    _, named = put("psseg.pipeline.catalogue").once(*PLAIN, "--beam", text)
    major, minor, angle = beam
    assert named["beam"] == Beam(major=major / 3600, minor=minor / 3600, angle=angle)


def test_a_centre_is_icrs_unless_a_frame_is_named(put, in_folder):
    _, named = put("psseg.pipeline.catalogue").once(*PLAIN, "--center", "83.63,22.01")
    assert named["center"].frame.name == "icrs"
    assert (named["center"].ra.deg, named["center"].dec.deg) == pytest.approx((83.63, 22.01))


def test_a_label_map_takes_what_a_catalogue_does(put, in_folder):
    words = ("label", "a.fits", "-o", "l.fits", "--model", "radio", "--exposure", "e.fits")
    more = ("--center", "1,2", "--width", "3", *OF_IMAGES[:9], "--overwrite")
    given, named = put("psseg.pipeline.label").once(*words, *more)
    assert lacking("label", words, more) == set()
    assert given == (Path("a.fits"), Path("l.fits"))
    center, beam = taken(named, "center", "beam")
    assert (center.ra.deg, beam.minor) == pytest.approx((1, 9 / 3600))
    assert named == {
        "model": "radio", "exposure": Path("e.fits"), "width": 3.0,
        "planes": (Path("v.fits"), Path("b.fits")), "frequency": 1.4e9, "reproject": True,
        "overwrite": True, "progress": True,
    }  # fmt: skip


def test_options_of_the_demo(put):
    words = ("demo", "-o", "out", "--model", "mine", "--seed", "4", "--overwrite", "-q")
    given, named = put("psseg.demo.run_demo").once(*words)
    assert lacking("demo", words) == set()
    assert given == (Path("out"),)
    assert named == {"model": "mine", "seed": 4, "overwrite": True, "progress": False}


def test_every_option_of_catalogue_is_tried_here():
    assert lacking("catalogue", PLAIN, OF_COUNTS, OF_IMAGES, ELSEWHERE) == set()


# --- what was made of maps -----------------------------------------------------------------------


def test_options_of_view(put, in_folder):
    product = SimpleNamespace(stem="sky")
    found = put("psseg.product_folder.find_products", lambda *_, **__: [product])
    words = ("view", "out", "--stem", "sky", "--map", "m.fits", "--cube", "--commands", "look.sh")
    given, named = put("psseg.ds9.write_ds9_script").once(*words, "--overwrite")
    assert lacking("view", words, ("--overwrite",)) == set()
    assert found.calls == [((Path("out"),), {"stem": "sky", "map_": Path("m.fits")})]
    assert (given, named) == ((product, Path("look.sh")), {"cube": True, "overwrite": True})


def test_options_of_report(put, in_folder):
    product = SimpleNamespace(folder=Path("out"), stem="sky")
    found = put("psseg.product_folder.find_products", lambda *_, **__: [product])
    put("psseg.report.report_path", lambda products: Path("out/sky.html"))
    words = ("report", "out", "--stem", "sky", "--map", "m.fits", "--overwrite")
    given, named = put("psseg.report.write_report").once(*words)
    assert lacking("report", words) == set()
    assert found.calls == [((Path("out"),), {"stem": "sky", "map_": Path("m.fits")})]
    assert (given, named) == ((product,), {"overwrite": True})


# --- catalogues side by side ---------------------------------------------------------------------

SETTINGS = {
    "ra": "a", "dec": "b", "error": "c,d,e", "confidence": 0.9, "missing": "3", "unit": "rad",
    "error-unit": "mas", "class": "KIND", "flux": "S",
}  # fmt: skip


def settings(side):
    return [word for key, value in SETTINGS.items() for word in (f"--{side}", f"{key}={value}")]


def choice():
    from psseg.crossmatch import ColumnChoice

    named = {key.replace("-", "_"): value for key, value in SETTINGS.items()}
    named["source_class"] = named.pop("class")
    return ColumnChoice(**named)


@pytest.fixture
def read(put):
    """Read nothing: a catalogue is its path and what was said of its columns."""
    return put("psseg.crossmatch.read_reference", lambda path, said: (path.name, said))


def test_options_of_crossmatch(put, read, in_folder):
    from psseg.crossmatch import ColumnChoice, MatchOptions

    words = (
        *("crossmatch", "a.fits", "b.fits", "-o", "m.fits", "--join", "all", "--method", "radius"),
        *("--confidence", "0.8", "--radius", "12", "--completeness", "0.3", "--use-class"),
        *("--min-probability", "0.6", "--systematic", "0.2", "--shift", "0.5", "--overwrite"),
    )
    given, named = put("psseg.crossmatch.crossmatch").once(*words, *settings("ref"))
    assert lacking("crossmatch", words, ("--ref", "--cat")) == set()
    assert given[:2] == (("a.fits", ColumnChoice()), ("b.fits", choice()))
    (options,) = (*given[2:], *named.values())
    assert options == MatchOptions(
        method="radius", confidence=0.8, radius=12.0, completeness=0.3, use_class=True,
        minimum_probability=0.6, systematic=0.2, shift=0.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "method"),
    [((), "bayes"), (("--radius", "3"), "radius"), (("--method", "ellipse"), "ellipse")],
)
def test_the_method_of_a_match_follows_from_its_radius(put, read, in_folder, words, method):
    from psseg.crossmatch import MatchOptions

    plain = ("crossmatch", "a.fits", "b.fits", "-o", "m.fits")
    given, _ = put("psseg.crossmatch.crossmatch").once(*plain, *words, *settings("cat"))
    assert given[0] == ("a.fits", choice())
    radius = 3.0 if method == "radius" else None
    assert given[2] == MatchOptions(method=method, radius=radius)


@pytest.mark.parametrize("join", ["best", "all", "left", "mutual", "unmatched-left"])
def test_the_join_is_the_one_that_was_asked_for(put, read, in_folder, join):
    put("psseg.crossmatch.crossmatch", lambda *_: "match")
    words = ("crossmatch", "a.fits", "b.fits", "-o", "m.fits", "--join", join)
    assert put("psseg.crossmatch.joined").once(*words) == ((["match"], join), {})


def test_options_of_compare(put, read, in_folder):
    words = ("compare", "a.fits", "b.fits", "-o", "out", "--everywhere", "--systematic", "0.4")
    given, named = put("psseg.crossmatch.compare").once(
        *words, "--overwrite", *settings("cat"), "--ref", "error=2"
    )
    assert lacking("compare", words, ("--cat", "--ref", "--overwrite")) == set()
    (_, ours), (_, theirs) = given
    assert (ours, theirs.error) == (choice(), "2")
    assert named == {"systematic": 0.4, "everywhere": True}


# --- simulated skies -----------------------------------------------------------------------------

SKY = ("simulate", "fermi-lat", "-o", "out")
SKY_OPTIONS = (
    *("-n", "3", "--size", "64", "--mix", "balanced", "--years", "5", "--center", "30,60,galactic"),
    *("--diffuse", "d.fits", "--gas", "g.fits", "--seed", "4", "--overwrite"),
)


def test_options_of_simulate(put, in_folder):
    templates = put("psseg.sky.diffuse.read_templates", lambda *_, **__: "templates")
    (survey, folder), named = put("psseg.sky.survey_sky.simulate_sky").once(*SKY, *SKY_OPTIONS)
    assert lacking("simulate", SKY, SKY_OPTIONS) == {"--setup"}
    assert (survey.name, folder) == ("fermi-lat", Path("out"))
    assert templates.calls == [((Path("d.fits"), survey), {"gas": Path("g.fits")})]
    (center,) = taken(named, "center")
    assert (center.l.to_value(u.deg), center.b.to_value(u.deg)) == pytest.approx((30, 60))
    assert named == {
        "n_tiles": 3, "shape": (64, 64), "mix": "balanced", "years": 5.0, "diffuse": "templates",
        "seed": 4, "overwrite": True, "progress": True,
    }  # fmt: skip


def test_options_of_simulate_that_are_not_given(put, in_folder):
    _, named = put("psseg.sky.survey_sky.simulate_sky").once(*SKY)
    assert named == {
        "n_tiles": 1, "shape": (256, 256), "mix": "physical", "years": None, "center": None,
        "diffuse": None, "seed": 0, "overwrite": False, "progress": True,
    }  # fmt: skip


def test_options_of_simulate_for_radio_images(put, in_folder):
    words = ("simulate", "radio", "-o", "out", "-n", "2", "--size", "96", "--mix", "balanced")
    (survey, folder), named = put("psseg.sky.radio_image_files.simulate_radio_sky").once(
        *words, "--setup", "vlass", "--seed", "9", "--overwrite", "-q"
    )
    assert (survey.name, folder) == ("radio", Path("out"))
    assert named == {
        "n_images": 2, "shape": (96, 96), "mix": "balanced", "setup": "vlass", "seed": 9,
        "overwrite": True, "progress": False,
    }  # fmt: skip


@pytest.fixture
def training(put, monkeypatch):
    """Put a recorder in the place of the training, without loading what trains."""
    trained = Recorder()
    settings = SimpleNamespace(default_settings=lambda survey, **given: given)
    monkeypatch.setattr("psseg.network.quiet.start_keras", lambda: None)
    monkeypatch.setitem(sys.modules, "psseg.network.training", settings)
    monkeypatch.setitem(sys.modules, "psseg.training_run", SimpleNamespace(train_model=trained))
    return trained


def test_options_of_train(training):
    words = ("train", "radio", "-o", "out", "-n", "70", "--epochs", "2", "--seed", "5", "-j", "3")
    more = ("--calibration-tiles", "20", "--resume")
    (survey, folder), named = training.once(*words, *more)
    assert lacking("train", words, more) == set()
    assert (survey.name, folder) == ("radio", Path("out"))
    assert named == {
        "settings": {"n_tiles": 70, "epochs": 2, "seed": 5}, "resume": True, "processes": 3,
        "calibration_tiles": 20, "progress": True,
    }  # fmt: skip


def test_a_training_without_options_is_that_of_the_shipped_model(training):
    _, named = training.once("train", "fermi-lat", "-o", "out", "-q")
    assert named == {
        "settings": None, "resume": False, "processes": 2, "calibration_tiles": None,
        "progress": False,
    }  # fmt: skip


@pytest.fixture
def load(monkeypatch):
    """Give a function that puts a model of a kind in the place of every other."""

    def load(kind):
        model = SimpleNamespace(survey=SimpleNamespace(kind=kind))
        monkeypatch.setattr("psseg.network.store.load_model", lambda name: model)
        return model

    return load


JUDGED = ("evaluate", "--model", "mine", "-n", "7", "--size", "96", "--mix", "balanced")


def test_options_of_evaluate_on_counts(put, load):
    model = load("counts")
    words = ("--years", "9", "--diffuse", "d", "--gas", "g", "--seed", "3", "-j", "2", "-q")
    given, named = put("psseg.evaluation.evaluate").once(*JUDGED, *words)
    assert given == (model,)
    assert named == {
        "n_tiles": 7, "shape": (96, 96), "mix": "balanced", "years": 9.0, "diffuse": Path("d"),
        "gas": Path("g"), "seed": 3, "processes": 2, "progress": False,
    }  # fmt: skip
    of_files = ("--catalogue", "--truth", "--sdc1", "--primary-beam")
    elsewhere = ("--setup", "--output", "--tables", "--overwrite")
    assert lacking("evaluate", JUDGED, words, of_files, elsewhere) == set()


def test_options_of_evaluate_on_radio_images(put, load):
    model = load("continuum")
    words = ("--setup", "emu", "--setup", "vlass", "--seed", "3")
    given, named = put("psseg.evaluation.evaluate_radio").once(*JUDGED, *words)
    assert given == (model,)
    assert named == {
        "n_images": 7, "shape": (96, 96), "mix": "balanced", "setups": ("emu", "vlass"),
        "seed": 3, "progress": True,
    }  # fmt: skip


def test_options_of_evaluate_that_are_not_given(put, load):
    load("counts")
    _, named = put("psseg.evaluation.evaluate").once("evaluate", "--model", "mine")
    assert named == {
        "mix": "physical", "years": None, "diffuse": None, "gas": None, "seed": 0, "processes": 1,
        "progress": True,
    }  # fmt: skip
    load("continuum")
    _, named = put("psseg.evaluation.evaluate_radio").once("evaluate", "--model", "mine")
    assert named == {"mix": "physical", "seed": 0, "progress": True}


def test_a_catalogue_is_evaluated_with_the_truth_that_was_given(put):
    plain = ("evaluate", "--catalogue", "c.fits")
    challenge = put("psseg.evaluation.evaluate_sdc1").once(
        *plain, "--sdc1", "t.txt", "--primary-beam", "p.fits"
    )
    assert challenge == ((Path("c.fits"), Path("t.txt")), {"primary_beam": Path("p.fits")})
    truth = put("psseg.evaluation.evaluate_file").once(*plain, "--truth", "t.fits")
    assert truth == ((Path("c.fits"), Path("t.fits")), {})


@pytest.mark.parametrize(("words", "given"), [((), False), (("--tables", "--overwrite"), True)])
def test_scores_go_where_they_were_asked_for(put, load, monkeypatch, tmp_path, words, given):
    load("counts")
    put("psseg.evaluation.evaluate", lambda *_, **__: "scores")
    put("psseg.evaluation.describe", str)
    kind = SimpleNamespace(kind="counts")
    monkeypatch.setattr("psseg.network.store.find_model", lambda name: kind)
    written = put("psseg.evaluation.write_evaluation", lambda *_, **__: [tmp_path / "scores.json"])
    result = run("evaluate", "--model", "mine", "-o", tmp_path, *words)
    assert result.exit_code == 0, result.output
    assert written.calls == [(("scores", tmp_path), {"tables": given, "overwrite": given})]
