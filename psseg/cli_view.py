"""The command that shows a catalogue: psseg view.

Everything heavy is imported inside the command, so that ``psseg --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from psseg.console import Console, console_options
from psseg.errors import PssegError
from psseg.options import FILE, overwrite_option

__all__ = ["view"]


@click.command()
@click.argument("folder", metavar="DIR", type=FILE)
@click.option("--stem", metavar="NAME", help="Which products, where DIR holds those of more maps.")
@click.option(
    "--map", "map_", type=FILE, metavar="FILE",
    help="The map that was catalogued; without it, it is looked for where it was.",
)  # fmt: skip
@click.option(
    "--cube", is_flag=True, help="Of counts: show every energy bin, as a cube, not their sum."
)
@click.option(
    "--commands", type=FILE, metavar="FILE",
    help="Write a script that opens DS9, to run elsewhere, instead of opening it.",
)  # fmt: skip
@overwrite_option
@console_options
def view(
    console: Console,
    folder: Path,
    stem: str | None,
    map_: Path | None,
    commands: Path | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Show the catalogue in DIR with DS9: the map, the sources on it, and the class map.

    The map is the first frame and the class map the second, aligned on the sky: Frame > Blink goes
    from one to the other. Region > Groups selects pulsars, blazars or other sources. A click on a
    source and Region > Information says its name, also where it had no room on the map. Where DS9
    is not installed, a script that opens it elsewhere is written to DIR.

    \b
    Examples:
      psseg view crab
      psseg view results --stem field_I
      psseg view crab --commands crab/look.sh
    """
    from psseg.ds9 import find_ds9, open_in_ds9, write_ds9_script
    from psseg.product_folder import find_products

    products = find_products(folder, stem=stem, map_=map_)
    if len(products) > 1:
        stems = ", ".join(product.stem for product in products)
        raise PssegError(f"{folder}: holds several products; choose one with --stem: {stems}")
    (product,) = products
    if commands is None and find_ds9() is not None:
        _check_screen()
        open_in_ds9(product, **options)
        return
    written = write_ds9_script(product, commands, overwrite=overwrite, **options)
    if commands is None:
        console.say("DS9 is not installed here (no ds9 on the PATH); run this where it is:")
    console.say(f"  sh {written}")


def _check_screen() -> None:
    """Refuse to open DS9 where it has no screen to open on."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        raise PssegError(
            "no screen to open DS9 on (DISPLAY is not set); write a script with --commands FILE"
        )
