"""The commands of psseg: each reads its options, calls one function, and says what came of it.

Everything heavy is imported inside the commands, so that ``psseg --help`` answers at once.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from psseg import __version__
from psseg.console import Console, console_options
from psseg.errors import PssegError
from psseg.options import (
    COUNT,
    FILE,
    SIDE_LIMITS,
    YEARS_LIMITS,
    SkyPosition,
    diffuse_options,
    folder_option,
    map_options,
    overwrite_option,
    seed_option,
)

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="psseg")
def main() -> None:
    """Sky maps in, classified source catalogues out.

    psseg labels every pixel of a map background, pulsar, blazar or other source with a trained
    network, groups the labelled pixels into sources, measures them, and writes a catalogue, DS9
    regions, the label map and a picture.

    \b
    Examples:
      psseg demo -o demo
      psseg catalogue gc_counts.fits -o results
    """


@main.command()
@click.argument("maps", metavar="MAP...", nargs=-1, required=True, type=FILE)
@folder_option
@map_options
@click.option(
    "--priors",
    default="physical",
    show_default=True,
    metavar="physical|balanced|FILE",
    help="How common each class is before the map is looked at: as on the sky, alike, or as a "
    "TOML file says.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Smallest probability of being a source; without it, the model's own threshold.",
)
@click.option(
    "--strict", is_flag=True, help="Refuse a map that is unlike the skies the model was trained on."
)
@overwrite_option
@console_options
def catalogue(
    console: Console, maps: tuple[Path, ...], output: Path, overwrite: bool, **options: Any
) -> None:
    """Make a catalogue of each MAP: a counts cube or a photon list.

    Each map gives <name>_catalogue.fits, <name>.reg, <name>_labels.fits and <name>.png in the
    folder DIR.

    \b
    Examples:
      psseg catalogue gc_counts.fits -o results
      psseg catalogue gc_counts.fits --exposure gc_exposure.fits -o results
      psseg catalogue photons.fits --center 83.63,22.01 --width 20 -o results
      psseg catalogue north.fits south.fits --priors balanced -o results --overwrite
    """
    from psseg import pipeline, products

    planned = [pipeline.product_paths(path, output) for path in maps]
    products.check_writable(
        [product for paths in planned for product in paths.all], overwrite=overwrite
    )
    _check_stems(maps)
    failed = 0
    for path in maps:
        try:
            made = pipeline.catalogue(
                path,
                output,
                overwrite=overwrite,
                progress=console.progress,
                command=_command_line(),
                **options,
            )
        except PssegError as error:
            failed += 1
            console.fail(error)
            continue
        console.say(f"{path.name}: {_class_counts(made.result.table['CLASS'])}")
        console.say_paths(vars(made.paths))
    if failed:
        raise SystemExit(1)


def _check_stems(maps: tuple[Path, ...]) -> None:
    from psseg.products import map_stem

    stems = [map_stem(path) for path in maps]
    for stem in stems:
        if stems.count(stem) > 1:
            raise PssegError(
                f"two maps would both give {stem}_catalogue.fits; catalogue them into two folders"
            )


@main.command()
@click.argument("map_", metavar="MAP", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True, metavar="FILE", help="FITS file for the label map."
)
@map_options
@overwrite_option
@console_options
def label(console: Console, map_: Path, output: Path, **options: Any) -> None:
    """Label every pixel of MAP and write the label map, without looking for sources.

    \b
    Examples:
      psseg label gc_counts.fits -o gc_labels.fits
    """
    from psseg import pipeline

    written = pipeline.label(
        map_, output, progress=console.progress, command=_command_line(), **options
    )
    console.say(f"label map: {written}")


@main.command()
@click.argument("survey")
@folder_option
@click.option("-n", "--tiles", type=COUNT, default=1, show_default=True, help="How many.")
@click.option("--size", type=SIDE_LIMITS, default=256, show_default=True, help="Side, pixels.")
@click.option(
    "--mix",
    type=click.Choice(["physical", "balanced"]),
    default="physical",
    show_default=True,
    help="Classes as common as on the sky, or alike as in training.",
)
@click.option("--years", type=YEARS_LIMITS, help="Exposure; without it, drawn for each tile.")
@click.option("--center", type=SkyPosition(), help="Centre of the tiles; without it, drawn.")
@diffuse_options
@seed_option
@overwrite_option
@console_options
def simulate(
    console: Console,
    survey: str,
    output: Path,
    tiles: int,
    size: int,
    diffuse: Path | None,
    gas: Path | None,
    **options: Any,
) -> None:
    """Simulate skies of a SURVEY (a name or a TOML file) and write them with their truth.

    Each tile gives a counts cube, its exposure, and a truth file with the class map, the expected
    background and the catalogue of what is there.

    \b
    Examples:
      psseg simulate fermi-lat -o skies -n 4 --seed 1
      psseg simulate fermi-lat -o skies --center 30,10,galactic --years 14
      psseg simulate fermi-lat -o skies --diffuse gll_iem_v07.fits
      psseg simulate my_survey.toml -o skies --mix balanced
    """
    from psseg.sky.survey_sky import simulate_sky
    from psseg.survey.survey import load_survey

    loaded = load_survey(survey)
    written = simulate_sky(
        loaded,
        output,
        n_tiles=tiles,
        shape=(size, size),
        diffuse=_read_templates(diffuse, gas, loaded),
        progress=console.progress,
        **options,
    )
    for files in written:
        console.say(f"{files.counts}  {files.exposure.name}  {files.truth.name}")


def _read_templates(diffuse: Path | None, gas: Path | None, survey: Any) -> Any:
    """Read the templates that were named, if any."""
    if diffuse is None and gas is not None:
        raise click.UsageError("--gas refines a model: give --diffuse too")
    if diffuse is None:
        return None
    from psseg.sky.diffuse import read_templates

    return read_templates(diffuse, survey, gas=gas)


@main.command()
@click.argument("survey")
@folder_option
@click.option(
    "-n", "--tiles", "n_tiles", type=COUNT,
    help="Simulated tiles; without it, as many as the shipped model was trained on.",
)  # fmt: skip
@click.option("--epochs", type=COUNT, help="Passes over them; without it, as the shipped model.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed; without it, the shipped model's.")
@click.option(
    "-j", "--processes", type=COUNT, default=2, show_default=True,
    help="Processes that simulate and calibrate.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the training that DIR holds.")
@console_options
def train(
    console: Console, survey: str, output: Path, processes: int, resume: bool, **settings: Any
) -> None:
    """Train a network for a SURVEY (a name or a TOML file) and calibrate it.

    DIR becomes a model that --model takes. Training takes hours on two cores; it may be stopped
    and resumed.

    \b
    Examples:
      psseg train fermi-lat -o models/mine
      psseg train my_survey.toml -o models/mine --tiles 2000 --epochs 2 --seed 1
      psseg train fermi-lat -o models/mine --resume
    """
    from psseg.network.training import TrainingSettings
    from psseg.survey.survey import load_survey
    from psseg.training_run import train_model

    given = {name: value for name, value in settings.items() if value is not None}
    train_model(
        load_survey(survey),
        output,
        settings=TrainingSettings(**given) if given else None,
        resume=resume,
        processes=processes,
        progress=console.progress,
    )
    console.say(f"model: {output}")


@main.command()
@click.option("--model", metavar="NAME|DIR", help="Trained network to evaluate on a simulated sky.")
@click.option(
    "--catalogue", "catalogue_", type=FILE, metavar="FILE",
    help="Catalogue to evaluate instead, against the --truth of psseg simulate.",
)  # fmt: skip
@click.option("--truth", type=FILE, metavar="FILE", help="Truth of the catalogue's sky.")
@click.option("-n", "--tiles", type=COUNT, default=64, show_default=True, help="Simulated tiles.")
@click.option("--size", type=SIDE_LIMITS, default=256, show_default=True, help="Side, pixels.")
@click.option(
    "--years", type=YEARS_LIMITS, default=14.0, show_default=True, help="Exposure of the sky."
)
@diffuse_options
@seed_option
@click.option(
    "-j", "--processes", type=COUNT, default=1, show_default=True,
    help="Tiles done at the same time.",
)  # fmt: skip
@click.option("-o", "--output", type=FILE, metavar="DIR", help="Folder for scores and figures.")
@overwrite_option
@console_options
def evaluate(
    console: Console,
    model: str | None,
    catalogue_: Path | None,
    truth: Path | None,
    output: Path | None,
    overwrite: bool,
    **sky: Any,
) -> None:
    """Measure completeness, purity, positions and classes against a truth.

    Either a model is evaluated on a simulated sky that it has never seen, or a catalogue against
    the truth of its sky. The scores are printed; DIR gets them as JSON and text, with figures.

    \b
    Examples:
      psseg evaluate --model fermi-lat -o scores
      psseg evaluate --model models/mine --tiles 128 --seed 7 -j 2 -o scores
      psseg evaluate --model fermi-lat --diffuse gll_iem_v07.fits -o scores_on_template
      psseg evaluate --catalogue sky_catalogue.fits --truth sky_truth.fits
    """
    from psseg import evaluation
    from psseg.products import check_writable

    if output is not None:
        check_writable([output / "scores.json"], overwrite=overwrite)
    if model and not (catalogue_ or truth):
        found = _evaluate_model(model, progress=console.progress, **sky)
    elif catalogue_ and truth and not model:
        from psseg.demo import compare_with_truth

        found = compare_with_truth(catalogue_, truth)
    else:
        raise click.UsageError("want either --model, or --catalogue with --truth")
    console.say(evaluation.markdown(found.scores))
    if output is not None:
        files = evaluation.write_evaluation(found, output, overwrite=overwrite)
        console.say("\n".join(str(path) for path in files))


def _evaluate_model(
    name: str, *, tiles: int, size: int, diffuse: Path | None, gas: Path | None, **options: Any
) -> Any:
    from psseg.evaluation import evaluate as evaluate_model
    from psseg.network.store import load_model

    model = load_model(name)
    templates = _read_templates(diffuse, gas, model.survey)
    simulation = {} if templates is None else {"diffuse": templates}
    return evaluate_model(
        model, n_tiles=tiles, shape=(size, size), simulation=simulation, **options
    )


@main.group()
def models() -> None:
    """List the trained networks, or show one.

    \b
    Examples:
      psseg models list
      psseg models show fermi-lat
    """


@models.command("list")
@console_options
def models_list(console: Console) -> None:
    """List the trained networks that psseg finds.

    \b
    Examples:
      psseg models list
    """
    from psseg.network.store import list_models

    for info in list_models():
        console.say(f"{info.name:<20} {info.title}")


@models.command("show")
@click.argument("model")
@console_options
def models_show(console: Console, model: str) -> None:
    """Show the card of a MODEL: what it was trained on, what it is for, how well it does.

    \b
    Examples:
      psseg models show fermi-lat
    """
    from psseg.network.store import find_model

    console.say((find_model(model).folder / "card.md").read_text("utf-8"))


@main.command()
@folder_option
@click.option(
    "--model", metavar="NAME|DIR", default="fermi-lat", show_default=True, help="Trained network."
)
@seed_option
@overwrite_option
@console_options
def demo(console: Console, output: Path, model: str, **options: Any) -> None:
    """Simulate a small sky, catalogue it, and compare the catalogue with the truth. Works offline.

    \b
    Examples:
      psseg demo -o demo
    """
    from psseg.demo import comparison_table, run_demo

    shown = run_demo(
        output, model=model, progress=console.progress, command=_command_line(), **options
    )
    console.say("\n".join(comparison_table(shown.evaluation.tables)) + "\n")
    console.say_paths({"simulated sky": shown.sky.counts, **vars(shown.products.paths)})


def _command_line() -> str:
    return shlex.join(["psseg", *sys.argv[1:]])


def _class_counts(classes: Any) -> str:
    from psseg.survey.classes import SOURCE_CLASSES

    names = [str(name) for name in classes]
    parts = ", ".join(f"{names.count(name)} {name}" for name in SOURCE_CLASSES)
    return f"{len(names)} sources ({parts})"
