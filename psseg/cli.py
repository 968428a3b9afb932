"""The commands of psseg: each reads its options, calls one function, and says what came of it.

Those for maps and networks are here, those for simulated skies in :mod:`psseg.cli_skies`.
Everything heavy is imported inside the commands, so that ``psseg --help`` answers at once.
"""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import Any

import click

from psseg import __version__
from psseg.cli_match import compare, crossmatch
from psseg.cli_report import report
from psseg.cli_skies import evaluate, simulate, train
from psseg.cli_view import view
from psseg.console import Console, OneLineError, command_line, console_options
from psseg.errors import PssegError
from psseg.options import (
    FILE,
    FiniteFloatRange,
    folder_option,
    format_option,
    image_options,
    map_options,
    overwrite_option,
    seed_option,
)

__all__ = ["main"]


class _InOrder(click.Group):
    """Commands in the order of a user's work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give their names as they were added."""
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
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
@image_options
@click.option(
    "--primary-beam", type=FILE, metavar="FILE",
    help="Attenuation of a radio image (0 to 1): corrects the fluxes.",
)  # fmt: skip
@click.option(
    "--style", type=click.Choice(["pybdsf", "casda", "aegean"]),
    help="Names and units of the columns of a radio catalogue; without it, psseg's own.",
)  # fmt: skip
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
    type=FiniteFloatRange(0, 1, min_open=True, max_open=True),
    help="Smallest probability of being a source; without it, the model's own threshold.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse a map that is unlike the skies the model was trained on, or too empty to tell.",
)
@format_option
@click.option(
    "-j", "--processes", type=click.IntRange(min=1),
    help="Processes that fit a counts map; without it, one per core.",
)  # fmt: skip
@click.option(
    "--report", "with_report", is_flag=True, help="Write <name>.html as psseg report does."
)
@click.option(
    "--skip-existing", is_flag=True,
    help="Leave out maps whose products are all there: to go on after an interruption.",
)  # fmt: skip
@overwrite_option
@console_options
def catalogue(
    console: Console,
    maps: tuple[Path, ...],
    output: Path,
    formats: tuple[str, ...],
    with_report: bool,
    processes: int | None,
    skip_existing: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Make a catalogue of each MAP: a counts cube, a photon list or a radio image.

    Each map gives <name>_catalogue.fits, <name>.reg, <name>_labels.fits and <name>.png in the
    folder DIR, and what --format asks for.

    \b
    Examples:
      psseg catalogue gc_counts.fits -o results
      psseg catalogue gc_counts.fits --exposure gc_exposure.fits -o results
      psseg catalogue photons.fits --center 83.63,22.01 --width 20 -o results
      psseg catalogue north.fits south.fits --priors balanced -o results --overwrite
      psseg catalogue field_I.fits --plane field_V.fits --beam 15,12,80 -o results
      psseg catalogue tiles/*.fits -o results --skip-existing
      psseg catalogue gc_counts.fits --format votable --format moc --report -o results
    """
    from psseg import pipeline, product_folder, products

    if len(maps) > 1 and options["planes"]:
        raise click.UsageError("--plane belongs to one radio image: give one MAP with it")
    pipeline.check_options(
        formats=formats, **{key: options[key] for key in ("model", "priors", "threshold")}
    )
    _check_stems(maps)
    planned = {path: list(product_folder.product_paths(path, output, formats).all) for path in maps}
    for path, wanted in planned.items():
        wanted += [output / f"{products.map_stem(path)}.html"] * with_report
    if skip_existing:
        done = [path for path, wanted in planned.items() if all(map(Path.exists, wanted))]
        for path in done:
            console.say(f"{path.name}: has all its products already")
            del planned[path]
    products.check_writable(chain.from_iterable(planned.values()), overwrite=overwrite)
    failed = 0
    for path in planned:
        try:
            with console.one_line(path):
                made = pipeline.catalogue(
                    path,
                    output,
                    formats=formats,
                    processes=processes or _cores(),
                    overwrite=overwrite,
                    progress=console.progress,
                    command=command_line(),
                    **options,
                )
                written = made.paths.by_name
                if with_report:
                    written["report"] = _write_report(path, output, overwrite=overwrite)
        except OneLineError as error:
            failed += 1
            error.show()
            continue
        console.say(f"{path.name}: {_class_counts(made.result.table['CLASS'])}")
        console.say_paths(written)
    if failed:
        raise SystemExit(1)


def _write_report(path: Path, folder: Path, *, overwrite: bool) -> Path:
    from psseg.product_folder import find_products
    from psseg.products import map_stem
    from psseg.report import write_report

    (products,) = find_products(folder, map_=path, stem=map_stem(path))
    return write_report(products, overwrite=overwrite)


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
@image_options
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
        map_, output, progress=console.progress, command=command_line(), **options
    )
    console.say(f"label map: {written}")


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
        output, model=model, progress=console.progress, command=command_line(), **options
    )
    console.say("\n".join(comparison_table(shown.evaluation.tables)) + "\n")
    console.say_paths({"simulated sky": shown.sky.counts, **shown.products.paths.by_name})


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


def _cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _class_counts(classes: Any) -> str:
    from psseg.survey.classes import SOURCE_CLASSES

    names = [str(name) for name in classes]
    parts = ", ".join(f"{names.count(name)} {name}" for name in SOURCE_CLASSES)
    return f"{len(names)} source{'s' * (len(names) != 1)} ({parts})"


for command in (view, report, crossmatch, compare, simulate, train, evaluate):
    main.add_command(command)
