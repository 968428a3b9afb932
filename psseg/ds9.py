"""A catalogue in DS9: the map with its sources, and the class map beside it.

In: the products of a map. Out: DS9's arguments and the files they name, DS9 itself, or a script
that starts it elsewhere.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import QTable
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

from psseg.catalogue.formats import read_catalogue
from psseg.catalogue.map_regions import map_regions
from psseg.catalogue.radio_regions import radio_shapes_drawn
from psseg.catalogue.regions import catalogue_shapes
from psseg.ds9_frames import Frame, class_frame, map_frame
from psseg.errors import PssegError, PssegWarning
from psseg.product_folder import ProductSet
from psseg.products import check_writable, write_together

__all__ = ["find_ds9", "open_in_ds9", "write_ds9_script"]

WINDOW = (1200, 1000)
"""Pixels of DS9's window when it opens."""

NO_SCREEN = "connect to display"
"""DS9 says so, and then that all is well (exit status 0)."""

UNSAFE = frozenset("[]{}")
"""DS9 takes these in a file's name for syntax, and cannot be told otherwise."""


@dataclass(frozen=True, kw_only=True)
class _View:
    """DS9's arguments, and the content of the files among them that are still to be written."""

    arguments: tuple[str, ...]
    files: Mapping[Path, bytes]


def find_ds9() -> str | None:
    """Give the path of DS9, None where it is not installed."""
    return shutil.which("ds9")


def open_in_ds9(product: ProductSet, *, cube: bool = False) -> None:
    """Open a map, its sources and its class map in DS9, and wait until DS9 is closed.

    Parameters
    ----------
    product : ProductSet
        The products; what is missing is left out.
    cube : bool
        Of counts, whether to show the energy bins as a cube instead of their sum.

    Raises
    ------
    PssegError
        If DS9 is not installed or fails, or there is nothing to show.
    """
    program = find_ds9()
    if program is None:
        raise PssegError("DS9 is not installed (no ds9 on the PATH); write a script for it instead")
    with tempfile.TemporaryDirectory(prefix="psseg-ds9-") as folder:
        view = _view(product, Path(folder), cube=cube, rename=partial(_linked, Path(folder)))
        _write(view.files, overwrite=True)
        done = subprocess.run(
            [program, *view.arguments], capture_output=True, text=True, errors="replace"
        )
    if done.returncode or NO_SCREEN in done.stderr:
        said = next(iter(done.stderr.strip().splitlines()), f"exit status {done.returncode}")
        raise PssegError(f"DS9 failed: {said}")


def write_ds9_script(
    product: ProductSet,
    path: str | Path | None = None,
    *,
    cube: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a shell script that opens a map, its sources and its class map in DS9.

    Parameters
    ----------
    product : ProductSet
        The products; what is missing is left out.
    path : str or Path, optional
        The script; without it, ``<stem>_ds9.sh`` beside the products. What the script needs goes
        beside it: regions, colour map, and of counts the sum of the bands, ``<stem>_ds9_…``.
    cube : bool
        Of counts, whether to show the energy bins as a cube instead of their sum.
    overwrite : bool
        Whether files that exist with another content may be replaced.

    Returns
    -------
    Path
        The script. It names files in its own folder without their path, so that a folder that
        holds all of them can be moved.

    Raises
    ------
    PssegError
        If a file exists, DS9 could not open one for its name, or there is nothing to show.
    """
    path = product.catalogue.parent / f"{product.stem}_ds9.sh" if path is None else Path(path)
    folder = path.absolute().parent
    view = _view(product, folder, cube=cube, rename=partial(_relative, folder))
    arguments = "".join(
        f" \\\n  {argument}"
        if argument[:1] == "-" and argument[1:2].isalpha()
        else f" {shlex.quote(argument)}"
        for argument in view.arguments
    )
    script = (
        "#!/bin/sh\n"
        f"# Opens {' '.join(product.stem.split())} in DS9: sh {shlex.quote(path.name)}\n"
        f'cd "$(dirname "$0")" || exit 1\nexec ds9{arguments}\n'
    )
    _write({**view.files, path: script.encode()}, overwrite=overwrite)
    return path


def _linked(folder: Path, path: Path) -> str:
    """Give a path that DS9 can open: a link to the file where its own name is none."""
    path = _straight(path)
    if not UNSAFE & set(str(path)):
        return str(path)
    safe = "".join("_" if sign in UNSAFE else sign for sign in path.name)
    link = folder / safe
    if not link.is_symlink():
        link.symlink_to(path)
    return str(link)


def _relative(folder: Path, path: Path) -> str:
    """Give the path of a file as seen from a folder that holds it, else its absolute one."""
    path = _straight(path)
    named = path.relative_to(folder) if path.is_relative_to(folder) else path
    if UNSAFE & set(str(named)):
        raise PssegError(
            f"{named}: DS9 cannot open files with any of [ ] {{ }} in their path; rename it"
        )
    return f"./{named}" if not named.is_absolute() and str(named).startswith("-") else str(named)


def _straight(path: Path) -> Path:
    """Give the absolute path of a file without detours (``..``), but where they lead elsewhere."""
    path = path.absolute()
    straight = Path(os.path.normpath(path))
    return (
        straight if not path.exists() or (straight.exists() and straight.samefile(path)) else path
    )


def _write(files: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Write files, except those that are there with this content already."""
    new = {
        path: content
        for path, content in files.items()
        if not (path.is_file() and path.read_bytes() == content)
    }
    check_writable(new, overwrite=overwrite)
    write_together({path: partial(_write_bytes, content) for path, content in new.items()})


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _view(product: ProductSet, folder: Path, *, cube: bool, rename: Callable[[Path], str]) -> _View:
    """Say what DS9 shows; `rename` turns the path of a file into what DS9 is given."""
    if cube and product.kind != "counts":
        raise PssegError(f"{product.catalogue}: --cube is for counts maps")
    table = read_catalogue(product.catalogue)
    start = folder / f"{product.stem}_ds9"
    files: dict[Path, bytes] = {}
    frames = {}
    if product.map is not None:
        frames["map"] = map_frame(product, Path(f"{start}_map.fits"), files, rename, cube)
    else:
        _warn(f"{product.catalogue}: its map is not found and not shown; name it with --map")
    if product.labels.is_file():
        frames["classes"] = class_frame(product, Path(f"{start}_classes.lut"), files, rename)
    else:
        _warn(f"{product.labels}: not found; the class map is not shown")
    if not frames:
        raise PssegError(f"{product.catalogue}: neither its map nor its label map is there to show")
    arguments = ["-geometry", "{}x{}".format(*WINDOW)]
    regions, crowded = _regions(product, table, frames)
    for number, (name, frame) in enumerate(frames.items()):
        path = Path(f"{start}_{name}.reg")
        files[path] = regions[name]
        arguments += ["-frame", "new"] if number else []
        arguments += [frame.file, *frame.look, "-regions", "load", rename(path)]
        arguments += ["-regions", "showtext", "no"] if crowded else []
        arguments += ["-wcs", _sky_frame(frame.wcs), "-wcs", "skyformat", "degrees"]
        arguments += ["-zoom", "to", "fit"]
    arguments += ["-frame", "first", "-match", "frame", "wcs", "-lock", "frame", "wcs"]
    return _View(arguments=tuple(arguments), files=files)


def _regions(
    product: ProductSet, table: QTable, frames: Mapping[str, Frame]
) -> tuple[dict[str, bytes], bool]:
    """Give the sources on each frame, and whether DS9 is to leave names to them."""
    counts = product.kind == "counts"
    shapes = catalogue_shapes(table) if counts else radio_shapes_drawn(table)
    significance = np.asarray(table["Sqrt_TS" if counts else "SNR"], dtype=float)
    made = {
        name: map_regions(
            shapes, frame.wcs, shape=frame.shape, zoom=frame.zoom, significance=significance
        )
        for name, frame in frames.items()
        if frame.wcs is not None
    }
    crowded = not all(regions.all_named for regions in made.values())
    texts = {
        name: (regions.sources + regions.names * crowded).encode() for name, regions in made.items()
    }
    as_written = {name: product.regions.read_bytes() for name in frames if name not in made}
    return {**texts, **as_written}, crowded


def _sky_frame(wcs: WCS | None) -> str:
    galactic = wcs is not None and wcs_to_celestial_frame(wcs).name == "galactic"
    return "galactic" if galactic else "icrs"


def _warn(message: str) -> None:
    warnings.warn(message, PssegWarning, stacklevel=2)
