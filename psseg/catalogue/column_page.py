"""The page of the documentation that lists every column of every catalogue.

In: the declarations of the columns. Out: Markdown. ``python -m psseg.catalogue.column_page FILE``
writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from psseg.catalogue.column import Column
from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.flags import FLAG_MEANINGS
from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS
from psseg.catalogue.radio_flags import RADIO_FLAG_MEANINGS
from psseg.catalogue.radio_styles import STYLES

__all__ = ["column_page"]

TYPES = {"f8": "float64", "f4": "float32", "i4": "int32"}

HEAD = """\
# Columns

Every column of the catalogues that psseg writes, generated from their declarations
(`python -m psseg.catalogue.column_page docs/columns.md`). Numbers that are not known are NaN. UCDs
are words of the IVOA's UCD1+ list. Positions are ICRS.

| format | file | units, UCDs and descriptions are in |
|---|---|---|
| FITS (always written) | `<name>_catalogue.fits`, HDU `CATALOGUE` | `TUNITn`, `TUCDn`, `TCOMMn` |
| `--format votable` | `<name>_catalogue.vot` | `FIELD`: `unit`, `ucd`, `DESCRIPTION` |
| `--format csv` | `<name>_catalogue.csv` | `<name>_catalogue.csv-metadata.json` |
| `--format ecsv` | `<name>_catalogue.ecsv` | the head of the file |
| `--format parquet` | `<name>_catalogue.parquet` | metadata: of the fields, and as VOParquet |

`psseg.read_catalogue(FILE)` reads all of them to the same table. In CSV, a column with a value per
band is spread: `Flux_Band_1`, `Flux_Band_2` and so on; its metadata follow the W3C's vocabulary for
tabular data, and without them it is read all the same. FITS keeps ASCII alone. Parquet needs
pyarrow, MOC needs mocpy: `pip install 'psseg[formats]'`.

`--format 4fgl` writes `<name>_4fgl.fits`, with the tables and columns of gll_psc (4FGL-DR4), for
gammapy's `SourceCatalog4FGL`; it needs `--exposure` for its fluxes. What psseg does not measure is
empty there. Each spectrum is the power law through `FLUX1000`, or through `Flux_Band` on maps that
lack the bands for that. `--format moc` writes `<name>_moc.fits`, the area that was searched,
without blank pixels.
"""


def column_page() -> str:
    """Give the page.

    Returns
    -------
    str
        Markdown.
    """
    parts = [
        HEAD,
        "## Counts maps\n",
        _column_table(COLUMNS),
        "### Flags of counts maps\n",
        _flag_table(FLAG_MEANINGS),
        "## Radio images\n",
        _column_table(RADIO_COLUMNS),
        "### Flags of radio images\n",
        _flag_table(RADIO_FLAG_MEANINGS),
        "### Components\n",
        "HDU `COMPONENTS` of the FITS file: the Gaussians that each source is made of.\n",
        _column_table(COMPONENT_COLUMNS),
        "### Names of other source finders\n",
        "What `--style` renames, with the unit where it changes; columns that are not listed keep "
        "name and unit.\n",
        _style_table(),
    ]
    return "\n".join(parts)


def _column_table(columns: Sequence[Column]) -> str:
    rows = [
        (
            f"`{column.name}`",
            _type_of(column),
            column.unit,
            f"`{column.ucd}`",
            column.description,
        )
        for column in columns
    ]
    return _table(("name", "type", "unit", "UCD", "meaning"), rows)


def _type_of(column: Column) -> str:
    name = TYPES.get(column.dtype, "string")
    return f"{name} per band" if column.per_band else name


def _flag_table(meanings: Mapping[Any, str]) -> str:
    rows = [(str(flag.value), f"`{flag.name}`", text) for flag, text in meanings.items()]
    return _table(("bit", "name", "meaning"), rows)


def _style_table() -> str:
    rows = []
    for column in RADIO_COLUMNS:
        if any(column.name in names for names in STYLES.values()):
            new = [_renamed(column.name, style) for style in STYLES]
            rows.append((f"`{column.name}`", column.unit, *new))
    return _table(("psseg", "unit", *STYLES), rows)


def _renamed(name: str, style: str) -> str:
    new, unit = STYLES[style].get(name, ("", None))
    return f"`{new}`{f' ({unit.to_string()})' if unit is not None else ''}" if new else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(column_page(), encoding="utf-8")
