"""The command that makes a page to look at of the products of a map."""

from __future__ import annotations

from pathlib import Path

import click

from psseg.console import Console, console_options
from psseg.options import FILE, overwrite_option

__all__ = ["report"]


@click.command()
@click.argument("folder", metavar="DIR", type=FILE)
@click.option("--stem", metavar="NAME", help="Of these products alone; without it, of all in DIR.")
@click.option(
    "--map", "map_", type=FILE, metavar="FILE",
    help="The map the catalogue was made of; without it, where the catalogue's header says.",
)  # fmt: skip
@overwrite_option
@console_options
def report(
    console: Console, folder: Path, stem: str | None, map_: Path | None, overwrite: bool
) -> None:
    """Write a page that shows the products of `psseg catalogue` in the folder DIR.

    Each catalogue gives <name>.html beside it: the map with its sources, which can be clicked,
    sorted and filtered, and what is known of each. It is a single file that any browser opens,
    without a server or a network.

    \b
    Examples:
      psseg report results
      psseg report results --stem gc_counts
      psseg report results --map maps/gc_counts.fits --overwrite
    """
    from psseg.product_folder import find_products
    from psseg.products import check_writable
    from psseg.report import report_path, write_report

    found = find_products(folder, map_=map_, stem=stem)
    check_writable([report_path(products) for products in found], overwrite=overwrite)
    for products in found:
        console.say(f"report: {write_report(products, overwrite=overwrite)}")
