"""The commands for simulated skies: simulate them, train on them, evaluate against their truth.

Everything heavy is imported inside the commands, so that ``psseg --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from psseg.console import Console, console_options
from psseg.options import (
    COUNT,
    FILE,
    SIDE_LIMITS,
    YEARS_LIMITS,
    SkyPosition,
    diffuse_options,
    folder_option,
    mix_option,
    overwrite_option,
    seed_option,
    setup_option,
)

__all__ = ["evaluate", "simulate", "train"]


@click.command()
@click.argument("survey")
@folder_option
@click.option("-n", "--tiles", type=COUNT, default=1, show_default=True, help="How many.")
@click.option("--size", type=SIDE_LIMITS, default=256, show_default=True, help="Side, pixels.")
@mix_option
@setup_option
@click.option("--years", type=YEARS_LIMITS, help="Exposure; without it, drawn for each tile.")
@click.option("--center", type=SkyPosition(), help="Centre of the tiles; without it, drawn.")
@diffuse_options
@seed_option
@overwrite_option
@console_options
def simulate(
    console: Console, survey: str, output: Path, tiles: int, size: int, **options: Any
) -> None:
    """Simulate skies of a SURVEY (a name or a TOML file) and write them with their truth.

    Of counts, each tile gives a counts cube, its exposure, and a truth file with the class map, the
    expected background and the catalogue of what is there. Of the radio sky, each gives an image
    per plane and a truth file.

    \b
    Examples:
      psseg simulate fermi-lat -o skies -n 4 --seed 1
      psseg simulate fermi-lat -o skies --center 30,10,galactic --years 14
      psseg simulate fermi-lat -o skies --diffuse gll_iem_v07.fits
      psseg simulate my_survey.toml -o skies --mix balanced
      psseg simulate radio -o skies --setup emu --size 1024
    """
    from psseg.survey.survey import load_survey

    loaded, progress = load_survey(survey), console.progress
    simulated = _simulate_radio if loaded.kind == "continuum" else _simulate_counts
    for line in simulated(loaded, output, tiles, (size, size), progress=progress, **options):
        console.say(line)


def _simulate_counts(
    survey: Any,
    output: Path,
    tiles: int,
    shape: tuple[int, int],
    *,
    setups: tuple[str, ...],
    diffuse: Path | None,
    gas: Path | None,
    **options: Any,
) -> list[str]:
    """Write tiles of counts; a line per tile."""
    from psseg.sky.survey_sky import simulate_sky

    if setups:
        raise click.UsageError("--setup is for radio images")
    templates = _read_templates(diffuse, gas, survey)
    written = simulate_sky(survey, output, n_tiles=tiles, shape=shape, diffuse=templates, **options)
    return [f"{files.counts}  {files.exposure.name}  {files.truth.name}" for files in written]


def _simulate_radio(
    survey: Any,
    output: Path,
    tiles: int,
    shape: tuple[int, int],
    *,
    setups: tuple[str, ...],
    mix: str,
    seed: int,
    overwrite: bool,
    progress: bool,
    **counts: Any,
) -> list[str]:
    """Write radio images; a line per image."""
    from psseg.sky.radio_image_files import simulate_radio_sky

    _refuse_given(counts, "a sky of radio images")
    if len(setups) > 1:
        raise click.UsageError("radio images take one --setup and no more")
    written = simulate_radio_sky(
        survey, output, n_images=tiles, shape=shape, mix=mix, setup=setups[0] if setups else None,
        seed=seed, overwrite=overwrite, progress=progress,
    )  # fmt: skip
    return ["  ".join(str(path) for path in (*files.planes, files.truth)) for files in written]


def _refuse_given(names: Iterable[str], what: str) -> None:
    """Refuse options that were given and would not be used."""
    context = click.get_current_context()
    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{what} takes no {', '.join(given)}")


def _read_templates(diffuse: Path | None, gas: Path | None, survey: Any) -> Any:
    """Read the templates that were named, if any."""
    _check_templates(diffuse, gas)
    if diffuse is None:
        return None
    from psseg.sky.diffuse import read_templates

    return read_templates(diffuse, survey, gas=gas)


def _check_templates(diffuse: Path | None, gas: Path | None) -> None:
    if diffuse is None and gas is not None:
        raise click.UsageError("--gas refines a model: give --diffuse too")


@click.command()
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
    help="Processes that simulate tiles, and calibrate on counts.",
)  # fmt: skip
@click.option(
    "--calibration-tiles", type=COUNT,
    help="Tiles to calibrate on, or images of each mix; without it, 96 or 48.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the training that DIR holds.")
@console_options
def train(
    console: Console,
    survey: str,
    output: Path,
    processes: int,
    calibration_tiles: int | None,
    resume: bool,
    **settings: Any,
) -> None:
    """Train a network for a SURVEY (a name or a TOML file) and calibrate it.

    DIR becomes a model that --model takes. Training takes hours on two cores; it may be stopped
    and resumed. The simulated tiles take 0.54 MB each in DIR/tiles, of radio images 0.13 MB: 8.7 GB
    for fermi-lat and 1.3 GB for radio as they are. When the model is calibrated they may be
    deleted.

    \b
    Examples:
      psseg train fermi-lat -o models/mine
      psseg train my_survey.toml -o models/mine --tiles 2000 --epochs 2 --seed 1
      psseg train fermi-lat -o models/mine --resume
      psseg train fermi-lat -o models/mine --resume --calibration-tiles 200
    """
    from psseg.network.quiet import start_keras
    from psseg.survey.survey import load_survey

    loaded = load_survey(survey)
    start_keras()
    from psseg.network.training import default_settings
    from psseg.training_run import train_model

    given = {name: value for name, value in settings.items() if value is not None}
    train_model(
        loaded,
        output,
        settings=default_settings(loaded, **given) if given else None,
        resume=resume,
        calibration_tiles=calibration_tiles,
        processes=processes,
        progress=console.progress,
    )
    console.say(f"model: {output}")


@click.command()
@click.option("--model", metavar="NAME|DIR", help="Trained network to evaluate on a simulated sky.")
@click.option(
    "--catalogue", "catalogue_", type=FILE, metavar="FILE",
    help="Catalogue to evaluate instead, against the --truth of psseg simulate.",
)  # fmt: skip
@click.option("--truth", type=FILE, metavar="FILE", help="Truth of the catalogue's sky.")
@click.option(
    "--sdc1",
    type=FILE,
    metavar="FILE",
    help="Truth of SKA Science Data Challenge 1: give the challenge's score (needs ska-sdc).",
)
@click.option(
    "--primary-beam", type=FILE, metavar="FILE",
    help="With --sdc1: primary beam, if the catalogue was made without it.",
)  # fmt: skip
@click.option(
    "-n", "--tiles", type=COUNT, help="Simulated tiles; without it, 64 of counts, 16 radio images."
)
@click.option(
    "--size",
    type=SIDE_LIMITS,
    help="Side, pixels; without it, 256 of counts, 1024 of radio images.",
)
@mix_option
@setup_option
@click.option(
    "--years",
    type=YEARS_LIMITS,
    help="Exposure of the sky; without it, 14, or what the survey has nearest to it.",
)
@diffuse_options
@seed_option
@click.option(
    "-j", "--processes", type=COUNT, default=1, show_default=True,
    help="Tiles done at the same time.",
)  # fmt: skip
@click.option("-o", "--output", type=FILE, metavar="DIR", help="Folder for scores and figures.")
@click.option(
    "--tables", is_flag=True, help="Write every detection and true source with its match, too."
)
@overwrite_option
@console_options
def evaluate(
    console: Console,
    model: str | None,
    catalogue_: Path | None,
    truth: Path | None,
    sdc1: Path | None,
    primary_beam: Path | None,
    output: Path | None,
    tables: bool,
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
      psseg evaluate --model radio --setup emu --setup vlass -o scores
      psseg evaluate --catalogue sky_0001_catalogue.fits --truth sky_0001_truth.fits
      psseg evaluate --catalogue sdc1.fits --sdc1 truth_560.txt --primary-beam beam.fits
    """
    from psseg import evaluation
    from psseg.products import check_writable

    if primary_beam and not sdc1:
        raise click.UsageError("--primary-beam is for --sdc1")
    if tables and (sdc1 or output is None):
        raise click.UsageError("--tables go into the folder of --output, and not of --sdc1")
    if catalogue_:
        _refuse_given(sky, "a catalogue with its truth")
    run: Callable[[], Any]
    if model and not (catalogue_ or truth or sdc1):
        run = partial(_evaluate_model, model, progress=console.progress, **sky)
    elif catalogue_ and sdc1 and not (model or truth):
        run = partial(evaluation.evaluate_sdc1, catalogue_, sdc1, primary_beam=primary_beam)
    elif catalogue_ and truth and not (model or sdc1):
        run = partial(evaluation.evaluate_file, catalogue_, truth)
    else:
        raise click.UsageError("want either --model, or --catalogue with --truth or --sdc1")
    if output is not None:
        paths = evaluation.evaluation_paths(
            output, figures=_is_of_counts(model, truth), tables=tables
        )
        check_writable(paths, overwrite=overwrite)
    found = run()
    console.say(evaluation.describe(found))
    if output is not None:
        files = evaluation.write_evaluation(found, output, tables=tables, overwrite=overwrite)
        console.say("\n".join(str(path) for path in files))


def _is_of_counts(model: str | None, truth: Path | None) -> bool:
    """Tell whether counts are evaluated: a model of theirs, or a catalogue with their truth."""
    from psseg.network.store import find_model
    from psseg.sky.radio_truth_file import is_radio_truth

    if model is not None:
        return find_model(model).kind == "counts"
    return truth is not None and not is_radio_truth(truth)


def _evaluate_model(
    name: str,
    *,
    tiles: int | None,
    size: int | None,
    mix: str,
    seed: int,
    progress: bool,
    setups: tuple[str, ...],
    **counts: Any,
) -> Any:
    """Evaluate on a simulated sky of the model's kind."""
    from psseg import evaluation
    from psseg.network.store import load_model

    model = load_model(name)
    common: dict[str, Any] = {"mix": mix, "seed": seed, "progress": progress}
    if size is not None:
        common["shape"] = (size, size)
    if model.survey.kind == "continuum":
        _refuse_given(counts, "a radio model")
        chosen = {"n_images": tiles, "setups": setups or None}
        common |= {key: value for key, value in chosen.items() if value is not None}
        return evaluation.evaluate_radio(model, **common)
    if setups:
        raise click.UsageError("--setup is for radio images")
    _check_templates(counts["diffuse"], counts["gas"])
    common |= {} if tiles is None else {"n_tiles": tiles}
    return evaluation.evaluate(model, **common, **counts)
