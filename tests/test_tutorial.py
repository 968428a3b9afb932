"""What the tutorials, the how-to page and the README tell to type does what they say.

The second parts of the tutorials are run as they stand, on smaller skies, with the shipped
networks. Of the other pages every script is run, and every command whose input is there, but for
those that train or evaluate for long; on counts, the truth stands there for the network.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from commands import run
from documents import README, ROOT, blocks, fenced, psseg_lines

from psseg.cli import main
from psseg.network.store import load_model

SIDE = {"fermi-lat": "64", "radio": "160", "my_survey.toml": "32"}
"""Pixels of the skies that are simulated here, instead of those that the pages ask for."""

ELSEWHERE = {
    *("photons.fits", "first.fits", "vlass.fits", "gll_psc_v35.fit", "BZCAT.csv"),
    *("SKAMid_B1_1000h_v3.fits", "challenge/SKAMid_B1_1000h_v3_catalogue.fits"),
    *("truth_560.txt", "primary_beam.fits"),
}
"""Input that a user has and the tests have not."""

LONG = {"train", "evaluate", "demo"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to an empty folder on a machine without a screen and without DS9."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("psseg.ds9.find_ds9", lambda: None)
    plt.switch_backend("agg")
    yield tmp_path
    plt.close("all")


def type_in(line):
    """Run a command of a page; small skies are enough, and files may be there from another page."""
    words = shlex.split(line)[1:]
    if words[0] == "simulate":
        words = [*re.sub(r"--size \d+", "", shlex.join(words)).split(), "--size", SIDE[words[1]]]
    if any("--overwrite" in option.opts for option in main.commands[words[0]].params):
        words.append("--overwrite")
    result = run(*words)
    assert result.exit_code == 0, f"{line}\n{result.output}"


def execute(block, where):
    exec(compile(block, where, "exec"), {"__name__": where})


@pytest.mark.parametrize("kind", ["gamma", "radio"])
@pytest.mark.filterwarnings("ignore:.*have no position error.*")
def test_the_second_part_of_a_tutorial_runs(kind, folder):
    page = (ROOT / "docs" / f"tutorial-{kind}.md").read_text("utf-8")
    for language, block in fenced(page.partition("\n## Part 2")[2]):
        if language == "python":
            execute(block, f"tutorial-{kind}.md")
        else:
            for line in psseg_lines(block):
                type_in(line)
    made = {path.name for path in folder.rglob("*")}
    assert {"sky_0001.html", "associations.fits", "sky_0001_reference_comparison.png"} <= made
    assert len(list(folder.glob("figure_*.pdf"))) == 2


def test_the_script_of_the_gallery_runs(folder, sky_files, truth_teller):
    run("catalogue", sky_files.counts, "-o", "gamma")
    Path("gamma/sky_labels.fits").rename("gamma/sky_0001_labels.fits")
    (script,) = blocks((ROOT / "docs" / "gallery" / "README.md").read_text("utf-8"), "python")
    execute(script, "gallery/README.md")
    assert Path("labels.png").exists()


@pytest.fixture
def field(folder, truth_teller, sky_files, monkeypatch):
    """Give a user's folder: a counts map, its exposure and catalogue, and a radio image."""

    def load(name):
        return load_model("radio") if Path(name).name == "radio" else truth_teller

    monkeypatch.setattr("psseg.pipeline.load_model", load)
    monkeypatch.setattr("psseg.network.store.load_model", load)
    Path("counts.fits").symlink_to(sky_files.counts)
    Path("exposure.fits").symlink_to(sky_files.exposure)
    Path("models").mkdir()
    Path("models/mine").symlink_to(ROOT / "models" / "fermi-lat")
    Path("my_survey.toml").symlink_to(ROOT / "psseg" / "survey" / "fermi-lat.toml")
    run("simulate", "radio", "--setup", "emu", "--size", 64, "--seed", 1, "-o", "fields")
    Path("field_I.fits").symlink_to("fields/sky_0001.fits")
    Path("field_V.fits").symlink_to("fields/sky_0001_V.fits")
    type_in("psseg catalogue counts.fits --exposure exposure.fits -o crab")
    return folder


def missing(line):
    """Give the input of a command that is not there."""
    words = shlex.split(re.sub(r"(-o|--output|--commands) \S+", "", line))
    files = [word for word in words if re.search(r"\.(fits?|csv|toml)$", word)]
    return {word for word in files if not Path(word).exists()}


def test_the_how_to_page_and_the_readme_run(field):
    how_to = (ROOT / "docs" / "how-to.md").read_text("utf-8")
    (priors,) = blocks(how_to, "toml")
    Path("my_priors.toml").write_text(priors)
    ran, lacking = 0, set()
    for language, block in fenced(how_to) + fenced(README):
        if language == "python":
            execute(block, "how-to.md or README.md")
        elif language == "console":
            for line in psseg_lines(block):
                lacking |= missing(line)
                if not missing(line) and line.split()[1] not in LONG:
                    type_in(line)
                    ran += 1
    assert lacking <= ELSEWHERE
    assert ran > 15
