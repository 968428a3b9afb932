"""A catalogue in DS9: the map with its sources, and the class map beside it.

In: the products of a map. Out: DS9's arguments and the files they name, DS9 itself, or a script
that starts it elsewhere.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.stats import mad_std
from astropy.table import QTable
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from psseg.catalogue.formats import read_catalogue
from psseg.catalogue.map_regions import map_regions
from psseg.catalogue.radio_regions import radio_shapes_drawn
from psseg.catalogue.regions import catalogue_shapes
from psseg.errors import PssegError, PssegWarning
from psseg.product_folder import ProductSet
from psseg.products import check_writable, image_hdu, write_together
from psseg.survey.classes import CLASS_COLOURS, CLASS_NAMES
from psseg.tiles.headers import celestial_wcs, find_image, open_fits
from psseg.tiles.tables import column_names, column_values, find_table

__all__ = ["find_ds9", "open_in_ds9", "write_ds9_script"]

WINDOW = (1200, 1000)
"""Pixels of DS9's window when it opens."""

PICTURE = (1200, 740)
"""What of it is left for the map below DS9's panels, measured with DS9 8.4."""

SMOOTHING = 1.0
"""Sigma, pixels, of DS9's smoothing of counts: single photons become what the eye can follow."""

GREY_PERCENTILES = (30.0, 99.8)
"""Percentiles of the smoothed counts that are black and white: the lower one leaves the noise of
empty sky dark enough for coloured regions."""

NOISE_LEVELS = (-3.0, 60.0)
"""Grey levels of radio images run over this range of the median local rms, as in the picture."""

THINNED = 1000
"""Pixels along a side from which the rms of a radio image is taken."""

DIMMED = 0.45
"""Brightness of the classes' colours in the class map, so that regions stand out from it."""

MASKED = (0.55, 0.45, 0.45)

UNSAFE = frozenset("[]{}")
"""DS9 takes these in a file's name for syntax, and cannot be told otherwise."""


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """One image in DS9: its file and WCS, and how it is shown.

    `wcs` is None where the sky coordinates are left to DS9.
    """

    file: str
    wcs: WCS | None
    shape: tuple[int, int]
    look: tuple[str, ...]

    @property
    def zoom(self) -> float:
        return min(PICTURE[0] / self.shape[1], PICTURE[1] / self.shape[0])


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
    if done.returncode:
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
    path = path.absolute()
    if not UNSAFE & set(str(path)):
        return str(path)
    safe = "".join("_" if sign in UNSAFE else sign for sign in path.name)
    link = folder / safe
    if not link.is_symlink():
        link.symlink_to(path)
    return str(link)


def _relative(folder: Path, path: Path) -> str:
    """Give the path of a file as seen from a folder that holds it, else its absolute one."""
    path = path.absolute()
    named = path.relative_to(folder) if path.is_relative_to(folder) else path
    if UNSAFE & set(str(named)):
        raise PssegError(f"{named}: DS9 cannot open files with any of [ ] {{ }} in their path")
    return f"./{named}" if not named.is_absolute() and str(named).startswith("-") else str(named)


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
    table = read_catalogue(product.catalogue)
    start = folder / f"{product.stem}_ds9"
    files: dict[Path, bytes] = {}
    frames = {}
    if product.map is not None:
        frames["map"] = _map_frame(product, Path(f"{start}_map.fits"), files, rename, cube)
    else:
        _warn(f"{product.catalogue}: its map is not found and not shown; name it with --map")
    if product.labels.is_file():
        frames["classes"] = _class_frame(product, Path(f"{start}_classes.lut"), files, rename)
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
    product: ProductSet, table: QTable, frames: Mapping[str, _Frame]
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


def _map_frame(
    product: ProductSet,
    sum_path: Path,
    files: dict[Path, bytes],
    rename: Callable[[Path], str],
    cube: bool,
) -> _Frame:
    """Show the map: an image as it is, of counts the sum, which is added to the files."""
    assert product.map is not None
    if product.kind == "continuum":
        return _image_frame(product, rename)
    counts, wcs = _summed_counts(product)
    look = ["-cmap", "grey", "-scale", "linear"]
    if cube:
        return _Frame(
            file=rename(product.map),
            wcs=wcs,
            shape=counts.shape,
            look=(*look, "-scale", "mode", "99.5"),
        )
    files[sum_path] = _fits_bytes(image_hdu(counts.astype(np.float32), wcs, name="COUNTS"))
    smooth = ("-smooth", "function", "gaussian", "-smooth", "radius", "3")
    look += ["-scale", "limits", *(f"{level:.4g}" for level in _grey_levels(counts))]
    look += [*smooth, "-smooth", "sigma", str(SMOOTHING), "-smooth", "yes"]
    return _Frame(file=rename(sum_path), wcs=wcs, shape=counts.shape, look=tuple(look))


def _grey_levels(counts: NDArray[np.float64]) -> tuple[float, float]:
    """Give the counts, smoothed as DS9 smooths them, that are shown black and white."""
    seen = np.isfinite(counts)
    smooth = gaussian_filter(np.where(seen, counts, 0.0), SMOOTHING)[seen]
    low, high = np.percentile(smooth, GREY_PERCENTILES) if smooth.size else (0.0, 0.0)
    return float(low), float(max(high, low + 1e-3))


def _summed_counts(product: ProductSet) -> tuple[NDArray[np.float64], WCS]:
    """Sum a counts cube over energy, or bin a photon list on the pixels of the class map."""
    assert product.map is not None
    with open_fits(product.map, check=False) as hdus:
        image = find_image(hdus)
        if image is not None:
            planes = np.asarray(image.data, dtype=float)
            total = planes.reshape(-1, *planes.shape[-2:])
            blank = ~np.isfinite(total).any(axis=0)
            wcs = celestial_wcs(image.header, name=str(product.map))
            return np.where(blank, np.nan, np.nansum(total, axis=0)), wcs
        events = find_table(hdus, "EVENTS")
        columns = {} if events is None else column_names(events)
        if events is None or not {"RA", "DEC"} <= columns.keys():
            raise PssegError(f"{product.map}: holds neither an image nor a list of photons")
        ra, dec = (
            column_values(events, columns[name], name=str(product.map)) for name in ("RA", "DEC")
        )
    return _binned(SkyCoord(ra, dec, unit="deg"), product)


def _binned(photons: SkyCoord, product: ProductSet) -> tuple[NDArray[np.float64], WCS]:
    if not product.labels.is_file():
        raise PssegError(f"{product.labels}: not found, and without it photons cannot be binned")
    wcs, shape = _grid_of_labels(product.labels)
    y, x = wcs.world_to_array_index(photons)
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    counts = np.zeros(shape)
    np.add.at(counts, (y[inside], x[inside]), 1.0)
    return counts, wcs


def _grid_of_labels(path: Path) -> tuple[WCS, tuple[int, int]]:
    with open_fits(path, check=False) as hdus:
        if "CLASS_MAP" not in hdus:
            raise PssegError(f"{path}: no label map of psseg: there is no HDU named CLASS_MAP")
        header = hdus["CLASS_MAP"].header
        return celestial_wcs(header, name=str(path)), (header["NAXIS2"], header["NAXIS1"])


def _image_frame(product: ProductSet, rename: Callable[[Path], str]) -> _Frame:
    """Show a radio image on the grid of its label map, whose header psseg has put in order."""
    assert product.map is not None
    with open_fits(product.map, check=False) as hdus:
        image = find_image(hdus)
        if image is None:
            raise PssegError(f"{product.map}: holds no image")
        shape = (image.header["NAXIS2"], image.header["NAXIS1"])
        rms = _rms_of_labels(product.labels) or _rms_of_image(image, shape)
    wcs = None
    if product.labels.is_file():
        grid, labelled = _grid_of_labels(product.labels)
        wcs = grid if labelled == shape else None
    low, high = (f"{level * rms:.4g}" for level in NOISE_LEVELS) if rms else ("", "")
    levels = ("-scale", "limits", low, high) if rms else ("-scale", "mode", "minmax")
    look = ("-cmap", "grey", "-scale", "asinh", *levels)
    return _Frame(file=rename(product.map), wcs=wcs, shape=shape, look=look)


def _rms_of_labels(path: Path) -> float:
    """Give the median local rms of the first plane, 0 where it is not known."""
    if not path.is_file():
        return 0.0
    with open_fits(path, check=False) as hdus:
        if "RMS" not in hdus:
            return 0.0
        plane = hdus["RMS"].data[0]
    return _finite(np.median, plane)


def _rms_of_image(image: fits.PrimaryHDU, shape: tuple[int, int]) -> float:
    """Estimate the rms of a plane from its median absolute deviation."""
    plane = np.asarray(image.data).reshape(-1, *shape)[0]
    return _finite(mad_std, plane)


def _finite(measure: Callable[[NDArray], float], plane: NDArray) -> float:
    """Measure the pixels of a thinned-out plane that hold a number; 0 where none can be had."""
    step = -(-max(plane.shape) // THINNED)
    values = plane[::step, ::step].astype(float)
    values = values[np.isfinite(values)]
    measured = float(measure(values)) if values.size else 0.0
    return measured if np.isfinite(measured) else 0.0


def _class_frame(
    product: ProductSet,
    colour_path: Path,
    files: dict[Path, bytes],
    rename: Callable[[Path], str],
) -> _Frame:
    """Show the class map, one colour per class; masked pixels fall beyond the last one's."""
    wcs, shape = _grid_of_labels(product.labels)
    files[colour_path] = _colour_table().encode()
    limits = ("-scale", "limits", "-0.5", f"{len(CLASS_NAMES)}.5")
    look = ("-smooth", "no", "-cmap", "load", rename(colour_path), "-scale", "linear", *limits)
    return _Frame(file=f"{rename(product.labels)}[CLASS_MAP]", wcs=wcs, shape=shape, look=look)


def _colour_table() -> str:
    """Give DS9's colour map of the class map: red, green, blue of each class, then of no data."""
    rows: Iterable[tuple[float, ...]] = [
        (0.0, 0.0, 0.0),
        *(
            tuple(DIMMED * int(CLASS_COLOURS[name][k : k + 2], 16) / 255 for k in (1, 3, 5))
            for name in CLASS_NAMES[1:]
        ),
        MASKED,
    ]
    return "".join(" ".join(f"{value:.4f}" for value in row) + "\n" for row in rows)


def _fits_bytes(image: fits.ImageHDU) -> bytes:
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(image.data, image.header)]).writeto(buffer)
    return buffer.getvalue()


def _warn(message: str) -> None:
    warnings.warn(message, PssegWarning, stacklevel=2)
