"""The products of a comparison: a table of its numbers, its pairs, and its figure.

In: a comparison and a folder. Out: the paths of the products and the functions that write them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from psseg.crossmatch.comparison import Comparison, summary_table
from psseg.crossmatch.comparison_plot import comparison_figure
from psseg.crossmatch.joins import side_by_side
from psseg.crossmatch.reference import stem_of
from psseg.crossmatch.table_files import table_writer
from psseg.plots import save_figure
from psseg.products import made_by

__all__ = ["comparison_paths", "comparison_writers"]


def comparison_paths(cat: Path, ref: Path, folder: Path) -> dict[str, Path]:
    """Give the products' paths.

    Parameters
    ----------
    cat, ref : Path
        The files of the catalogue and the reference.
    folder : Path
        Folder of the products.

    Returns
    -------
    dict of str to Path
        ``figure``, ``pairs`` and ``numbers``.
    """
    name = f"{stem_of(cat)}_{stem_of(ref)}"
    return {
        "figure": folder / f"{name}_comparison.png",
        "pairs": folder / f"{name}_pairs.fits",
        "numbers": folder / f"{name}_comparison.ecsv",
    }


def comparison_writers(
    comparison: Comparison, paths: dict[str, Path], *, command: str = ""
) -> dict[Path, Callable[[Path], object]]:
    """Give the functions that write the products of a comparison.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    paths : dict of str to Path
        As `comparison_paths` gives them.
    command : str
        The command line.

    Returns
    -------
    dict of Path to callable
        For :func:`psseg.products.write_together`.
    """
    numbers = summary_table(comparison)
    header = {
        **made_by(),
        "CATNAME": Path(comparison.left.origin).name,
        "REFNAME": Path(comparison.right.origin).name,
        "NCHANCE": round(comparison.n_chance, 3),
        "HISTORY": [command] if command else [],
    }
    figure = comparison_figure(comparison)
    return {
        paths["figure"]: lambda to: save_figure(figure, to),
        paths["pairs"]: table_writer(pairs_table(comparison), header, paths["pairs"]),
        paths["numbers"]: table_writer(numbers, header, paths["numbers"]),
    }


def pairs_table(comparison: Comparison) -> Table:
    """Give the pairs with all columns of both catalogues, separation, offsets and flux ratio."""
    pairs = comparison.pairs
    east, north = comparison.offsets()
    added = Table()
    for name, values, unit, description in (
        ("SEPARATION", 3600 * pairs.separation, "arcsec", "Separation of the two positions"),
        ("OFFSET_EAST", east, "arcsec", "Catalogue less reference, to the east"),
        ("OFFSET_NORTH", north, "arcsec", "Catalogue less reference, to the north"),
        ("NORM_SEP", comparison.normalised, None, "Separation in standard deviations of both"),
        ("FLUX_RATIO", comparison.flux_ratios(), None, "Flux, catalogue over reference"),
        ("COMMON", comparison.left_common[pairs.left].astype(np.int16), None,
         "1 where both catalogues cover the sky"),
    ):  # fmt: skip
        added[name] = Column(values, unit=unit, description=description)
    left, right = comparison.left.table[pairs.left], comparison.right.table[pairs.right]
    return side_by_side(left, right, comparison.right.label, added)
