"""The commands for catalogues side by side: cross-match them, compare them.

Everything heavy is imported inside the commands, so that ``psseg --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from psseg.console import Console, command_line, console_options
from psseg.errors import PssegError
from psseg.options import FILE, FiniteFloatRange, folder_option, overwrite_option

__all__ = ["compare", "crossmatch"]


POSITIVE = FiniteFloatRange(min=0, min_open=True)
SHARE = FiniteFloatRange(min=0, max=1, min_open=True, max_open=True)
KeyValues = Sequence[tuple[str, str]]
SETTINGS = (
    *("ra", "dec", "error", "confidence", "missing", "unit", "error-unit", "class", "flux"),
)


class Setting(click.ParamType):
    """What a catalogue's file does not tell, such as ``ra=RA_OPT``."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        """Split at the first sign of equality."""
        if isinstance(value, tuple):
            return value
        key, sign, text = str(value).partition("=")
        if key not in SETTINGS or not sign or not text:
            self.fail(f"{value!r}: want {', '.join(SETTINGS)} with = and a value", param, ctx)
        return key, text


def column_options(function: Any) -> Any:
    """Add ``--cat`` and ``--ref`` to a command."""
    for side, whose in (("ref", "of each REF"), ("cat", "of CAT")):
        function = click.option(
            f"--{side}", f"{side}_settings", type=Setting(), multiple=True, metavar="KEY=VALUE",
            help=f"Columns and units {whose} that its file does not tell: ra, dec, error (one, two "
            "or three columns with commas between, or arcsec), confidence (share inside error; "
            "without it one standard deviation), missing (arcsec, for sources without an error), "
            "unit, error-unit, class, flux. May be given more than once.",
        )(function)  # fmt: skip
    return function


systematic_option = click.option(
    "--systematic", type=FiniteFloatRange(min=0), default=0.0, metavar="ARCSEC",
    help="Error of one frame against the other, added in quadrature.",
)  # fmt: skip


@click.command()
@click.argument("cat", metavar="CAT", type=FILE)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True, metavar="FILE",
    help="Table to write: .fits, .vot, .csv or .ecsv.",
)  # fmt: skip
@click.option(
    "--join",
    type=click.Choice(["best", "all", "left", "mutual", "unmatched-left", "unmatched-right"]),
    default="best", show_default=True,
    help="Rows: sources of CAT with a match; every candidate; all of CAT; pairs that are the best "
    "of either side; sources without a match.",
)  # fmt: skip
@click.option(
    "--method",
    type=click.Choice(["bayes", "ellipse", "error", "radius"]),
    help="A match is: a probable counterpart; ellipses that touch; a separation below the sum of "
    "the errors; one below --radius. Without it bayes, or radius where one is given.",
)  # fmt: skip
@click.option(
    "--confidence", type=SHARE, default=0.95, show_default=True,
    help="Share of positions inside the ellipses and errors of --method ellipse and error.",
)  # fmt: skip
@click.option("--radius", type=POSITIVE, metavar="ARCSEC", help="Largest separation of a match.")
@click.option(
    "--completeness", type=SHARE,
    help="Share of CAT that has a counterpart in REF; without it, fitted.",
)  # fmt: skip
@click.option(
    "--min-probability", "minimum_probability", type=SHARE, default=0.5, show_default=True,
    help="Probability of having a counterpart from which a source counts as matched.",
)  # fmt: skip
@click.option(
    "--use-class", is_flag=True, help="Let the classes count; without it, the match can test them."
)
@systematic_option
@click.option(
    "--shift", type=POSITIVE, metavar="DEG",
    help="How far positions are shifted to measure chance; without it, from the errors.",
)  # fmt: skip
@column_options
@overwrite_option
@console_options
def crossmatch(
    console: Console,
    cat: Path,
    refs: tuple[Path, ...],
    output: Path,
    join: str,
    method: str | None,
    overwrite: bool,
    cat_settings: KeyValues,
    ref_settings: KeyValues,
    **options: Any,
) -> None:
    """Match the sources of CAT with one or more reference catalogues.

    A catalogue is FITS, VOTable, CSV, ECSV or other text. Its positions and their errors are found
    by UCD or usual names; 4FGL, 3FHL, 4LAC, BZCAT, 3HSP, 3PC, ATNF, RFC, NVSS, FIRST, SUMSS and
    Aegean's catalogues are known. The table has the columns of all, with separation, probabilities
    and the rate of chance matches, which is measured on shifted positions.

    \b
    Examples:
      psseg crossmatch gc_catalogue.fits gll_psc_v35.fit -o associations.fits
      psseg crossmatch gll_psc_v35.fit BZCAT.csv ATNF.fits --join left -o counterparts.vot
      psseg crossmatch field.fits nvss.vot --radius 15 --join all -o pairs.csv
      psseg crossmatch a.csv b.csv --ref ra=RA_OPT --ref dec=DEC_OPT --ref error=0.3 -o m.fits
    """
    from psseg.crossmatch import MatchOptions, joined
    from psseg.crossmatch import crossmatch as match
    from psseg.crossmatch.chance import chance_text
    from psseg.crossmatch.joins import match_header
    from psseg.crossmatch.table_files import check_ending, table_writer
    from psseg.products import check_writable, write_together

    check_ending(output)
    check_writable([output], overwrite=overwrite)
    if len(refs) > 1 and join not in ("best", "left"):
        raise click.UsageError(f"--join {join} is for one REF; with several use best or left")
    chosen = method or ("radius" if options["radius"] else "bayes")
    settings = MatchOptions(method=chosen, **options)
    left, rights = _read(cat, refs, cat_settings, ref_settings)
    matches = [match(left, right, settings) for right in rights]
    table = joined(matches, join)
    header = match_header(matches, join, command=command_line())
    write_together({output: table_writer(table, header, output)})
    for found in matches:
        console.say(
            f"{found.right.label}: {found.n_matched} of {len(left)} matched, "
            f"{chance_text(found.n_chance)}"
        )
    console.say(f"{len(table)} rows: {output}")


@click.command()
@click.argument("cat", metavar="CAT", type=FILE)
@click.argument("ref", metavar="REF", type=FILE)
@folder_option
@click.option(
    "--everywhere", is_flag=True,
    help="Count all sources; without it, those in the part of the sky that both cover.",
)  # fmt: skip
@systematic_option
@column_options
@overwrite_option
@console_options
def compare(
    console: Console,
    cat: Path,
    ref: Path,
    output: Path,
    everywhere: bool,
    overwrite: bool,
    systematic: float,
    cat_settings: KeyValues,
    ref_settings: KeyValues,
) -> None:
    """Compare CAT with a reference of the same sky: completeness, purity, offsets, fluxes, classes.

    DIR gets <cat>_<ref>_comparison.ecsv with the numbers, <cat>_<ref>_pairs.fits with the sources
    that are each other's best, and <cat>_<ref>_comparison.png.

    \b
    Examples:
      psseg compare gc_catalogue.fits gll_psch_v13.fit -o comparison
      psseg compare field_catalogue.fits pybdsf.fits --ref flux=Total_flux -o comparison
    """
    from psseg.crossmatch import compare as compare_catalogues
    from psseg.crossmatch.comparison import summary_lines
    from psseg.crossmatch.comparison_files import comparison_paths, comparison_writers
    from psseg.products import check_writable, write_together

    paths = comparison_paths(cat, ref, output)
    check_writable(paths.values(), overwrite=overwrite)
    left, (right,) = _read(cat, (ref,), cat_settings, ref_settings)
    found = compare_catalogues(left, right, systematic=systematic, everywhere=everywhere)
    write_together(comparison_writers(found, paths, command=command_line()))
    console.say("\n".join(summary_lines(found)) + "\n")
    console.say_paths(paths)


def _read(
    cat: Path, refs: Sequence[Path], cat_settings: KeyValues, ref_settings: KeyValues
) -> tuple[Any, list[Any]]:
    """Read all catalogues."""
    from psseg.crossmatch import read_reference

    ours, theirs = (_choice(settings) for settings in (cat_settings, ref_settings))
    return read_reference(cat, ours), [read_reference(ref, theirs) for ref in refs]


def _choice(settings: KeyValues) -> Any:
    from psseg.crossmatch import ColumnChoice

    given: dict[str, Any] = {key.replace("-", "_"): value for key, value in settings}
    if "class" in given:
        given["source_class"] = given.pop("class")
    if "confidence" in given:
        try:
            given["confidence"] = float(given["confidence"])
        except ValueError:
            raise PssegError(
                f"confidence={given['confidence']}: want a share such as 0.95"
            ) from None
    return ColumnChoice(**given)
