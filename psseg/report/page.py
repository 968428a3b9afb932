"""The page of a report: everything in one HTML file.

In: a set of products. Out: the file. Whatever comes from the catalogue or a header stands in the
page as JSON and becomes text there, never markup; scripts and styles are named by their checksums
in the page's content security policy, so that a browser runs nothing else and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable

from psseg.catalogue.formats import read_catalogue
from psseg.errors import PssegError
from psseg.product_folder import ProductSet
from psseg.products import check_writable, write_together
from psseg.report.field import Field, read_field
from psseg.report.layers import TILE, Layer, encode_planes, overlay_layer
from psseg.report.sources import class_list, column_list, outlines, sky_lattice
from psseg.report.summary import flag_list, header_cards, history, read_tables
from psseg.survey.classes import IGNORED, SOURCE_CLASSES, SourceClass, class_rgb

__all__ = ["page_data", "render", "report_path", "write_report"]

SCRIPTS = ("format", "overlay", "map", "filters", "list", "charts", "details", "summary", "report")
"""Files of the folder ``assets``, in the order they are read."""

OVERLAY_OPACITY = 150
"""Of 255: the map shows through the classes."""


def report_path(products: ProductSet) -> Path:
    """Give where the report of a set of products goes: ``<stem>.html`` beside the catalogue."""
    return products.catalogue.with_name(f"{products.stem}.html")


def write_report(
    products: ProductSet, path: str | Path | None = None, *, overwrite: bool = False
) -> Path:
    """Write the report of a map.

    Parameters
    ----------
    products : ProductSet
        As `psseg.product_folder.find_products` finds them.
    path : str or Path, optional
        The HTML file. The default is `report_path`.
    overwrite : bool
        Whether a report that exists may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PssegError
        If the report exists, or the catalogue or the label map cannot be read.

    Warns
    -----
    PssegWarning
        If the map is there but cannot be shown; the report says so too.
    """
    path = report_path(products) if path is None else Path(path)
    check_writable([path], overwrite=overwrite)
    data, layers = page_data(products)
    text = render(data, layers)
    write_together({path: lambda staged: _write_text(staged, text)})
    return path


def page_data(products: ProductSet) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Gather what the page shows.

    Parameters
    ----------
    products : ProductSet

    Returns
    -------
    data : dict
        Sources, coordinates, classes, flags, summary.
    layers : list of dict
        Pictures of the map; those with ``overlay`` lie over the others.
    """
    table = read_catalogue(products.catalogue)
    field = read_field(products)
    header = fits.getheader(products.catalogue, "CATALOGUE")
    data = {
        "title": products.stem,
        "kind": products.kind,
        "shape": list(field.shape),
        "pixelScale": field.pixel_scale,
        "tile": TILE,
        "notes": list(field.notes),
        "columns": column_list(table),
        "outlines": outlines(table, field.wcs, kind=products.kind),
        "lattice": sky_lattice(field.wcs, field.shape),
        "classes": class_list(table),
        "flags": flag_list(header, kind=products.kind),
        "tables": read_tables(products.catalogue),
        "cards": header_cards(header),
        "history": history(header),
    }
    return data, _layers(field, table)


def render(data: Mapping[str, Any], layers: Iterable[Mapping[str, Any]]) -> str:
    """Make the page.

    Parameters
    ----------
    data, layers
        As `page_data` gives them.

    Returns
    -------
    str
        HTML.
    """
    styles = [_asset("leaflet/leaflet.css"), _asset("assets/report.css")]
    scripts = [_asset("leaflet/leaflet.js").partition("//# sourceMappingURL")[0]]
    scripts += [_asset(f"assets/{name}.js") for name in SCRIPTS]
    parts = {
        "title": html.escape(str(data["title"])),
        "policy": _policy(styles, scripts),
        "licence": _asset("leaflet/LICENSE").replace("--", "- -"),
        "styles": "\n".join(f"<style>{style}</style>" for style in styles),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
        "data": _json(data),
        "layers": _json(list(layers)),
    }
    head, *rest = _asset("assets/report.html").split("{{")
    pieces = [head]
    for piece in rest:
        name, _, after = piece.partition("}}")
        pieces += [parts[name], after]
    return "".join(pieces)


def _layers(field: Field, table: QTable) -> list[dict[str, Any]]:
    shown = [(layer, False) for layer in encode_planes(field.planes)]
    shown += [(layer, True) for layer in _overlays(field, table)]
    return [_layer(layer, overlay=overlay) for layer, overlay in shown]


def _layer(layer: Layer, *, overlay: bool) -> dict[str, Any]:
    values = asdict(layer)
    for name in ("low", "high"):
        values[name] = values[name] if np.isfinite(values[name]) else None
    return values | {"overlay": overlay}


def _overlays(field: Field, table: QTable) -> list[Layer]:
    """Segments in their sources' classes, and the class of each pixel by itself."""
    colours = np.zeros((256, 4), dtype=int)
    for name in SOURCE_CLASSES:
        colours[SourceClass[name.upper()]] = (*class_rgb(name), OVERLAY_OPACITY)
    of_segment = np.zeros(max(int(field.segments.max(initial=0)) + 1, 1), dtype=np.uint8)
    for segment, name in zip(table["SEGMENT"], table["CLASS"], strict=True):
        if 0 < segment < len(of_segment):
            of_segment[int(segment)] = SourceClass[str(name).strip().upper()]
    by_segment = np.where(field.classes == IGNORED, 0, of_segment[field.segments])
    by_pixel = np.where(field.classes == IGNORED, 0, field.classes)
    return [
        overlay_layer("Segments by class", by_segment, colours),
        overlay_layer("Class of each pixel", by_pixel, colours),
    ]


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: no character starts markup there."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(styles: Iterable[str], scripts: Iterable[str]) -> str:
    def sums(texts: Iterable[str]) -> str:
        return " ".join(f"'sha256-{_sha256(text)}'" for text in texts)

    return (
        f"default-src 'none'; img-src data: blob:; style-src {sums(styles)}; "
        f"script-src {sums(scripts)}; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _asset(name: str) -> str:
    """Read a file of this package; its line ends are those a browser makes of them."""
    try:
        text = files("psseg.report").joinpath(name).read_text(encoding="utf-8")
    except OSError as error:
        raise PssegError(f"psseg/report/{name}: missing from the installation") from error
    return text.replace("\r\n", "\n")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
