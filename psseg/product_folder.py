"""The products of a map in their folder: their names, and what is there of which map.

In: a map and a folder. Out: where its products go. In: a folder. Out: for each catalogue in it,
where its regions, label map, picture and map are.
"""

from __future__ import annotations

import glob
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from psseg.catalogue.fits_format import catalogue_hdus
from psseg.catalogue.formats import format_paths
from psseg.errors import PssegError, PssegWarning
from psseg.products import map_stem, name_of_ascii, sha256_of
from psseg.tiles.headers import open_fits

__all__ = ["ProductPaths", "ProductSet", "find_products", "label_hdus", "product_paths"]

ENDING = "_catalogue.fits"


@dataclass(frozen=True, kw_only=True)
class ProductPaths:
    """Where the products of a map are.

    Parameters
    ----------
    catalogue, regions, labels, picture : Path
        What every map gives.
    formats : mapping of str to Path
        The further formats that were asked for.
    """

    catalogue: Path
    regions: Path
    labels: Path
    picture: Path
    formats: Mapping[str, Path] = field(default_factory=dict)

    @property
    def by_name(self) -> dict[str, Path]:
        """All of them, by what they are."""
        return {
            "catalogue": self.catalogue,
            "regions": self.regions,
            "labels": self.labels,
            "picture": self.picture,
            **self.formats,
        }

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(self.by_name.values())


@dataclass(frozen=True, kw_only=True)
class ProductSet:
    """The products of one map.

    Parameters
    ----------
    stem : str
        What the names of all products start with: the map's name without its endings.
    catalogue, regions, labels, picture : Path
        The products. The catalogue exists; the others may have been moved or deleted.
    map : Path or None
        The map that the catalogue was made of, None where it is not found.
    kind : str
        "counts", or "continuum" of a radio image.
    """

    stem: str
    catalogue: Path
    regions: Path
    labels: Path
    picture: Path
    map: Path | None
    kind: str


def product_paths(
    path: str | Path, folder: str | Path, formats: Iterable[str] = ()
) -> ProductPaths:
    """Name the products of a map.

    Parameters
    ----------
    path : str or Path
        The map.
    folder : str or Path
        Where the products go.
    formats : iterable of str
        Further ones, of `psseg.catalogue.formats.FORMATS`.

    Examples
    --------
    >>> product_paths("maps/crab.fits.gz", "out").catalogue.as_posix()
    'out/crab_catalogue.fits'
    """
    return _products_of(Path(folder), map_stem(path), formats)


def find_products(
    folder: str | Path, *, map_: str | Path | None = None, stem: str | None = None
) -> list[ProductSet]:
    """Find the products that psseg wrote into a folder.

    Parameters
    ----------
    folder : str or Path
        The folder.
    map_ : str or Path, optional
        The map that the products were made of. Without it, the map is looked for where the
        catalogue's header says it is, seen from the folder (INPATH), and under its name (INFILE) in
        the folder, in the one above and in the working directory.
    stem : str, optional
        The products of this map alone.

    Returns
    -------
    list of ProductSet
        One per ``*_catalogue.fits``, sorted by name.

    Raises
    ------
    PssegError
        If it is a file, if there is no such folder, no catalogue in it (of that stem) or an
        unreadable one, if the given map does not exist, or if it is given for several catalogues.

    Warns
    -----
    PssegWarning
        Where a map was changed since it was catalogued: its SHA-256 is not the header's INSHA. It
        is used if it was given, and passed over if it was found.
    """
    folder = Path(folder)
    if folder.is_file():
        raise PssegError(f"{folder}: is a file; name the folder that psseg catalogue wrote to")
    if not folder.is_dir():
        raise PssegError(f"{folder}: no such folder; name one that psseg catalogue wrote to")
    catalogues = sorted(folder.glob(f"*{ENDING}"))
    if not catalogues:
        raise PssegError(f"{folder}: holds no *{ENDING}; name a folder psseg catalogue wrote to")
    if stem is not None:
        catalogues = [_of_stem(catalogues, stem, folder)]
    if map_ is not None and len(catalogues) > 1:
        raise PssegError(
            f"{folder}: holds {len(catalogues)} catalogues, and one map was given for them all; "
            "give the map with a folder of its own products"
        )
    if map_ is not None and not Path(map_).is_file():
        raise PssegError(f"{map_}: no such file; name the map that was catalogued")
    return [_product_set(path, map_) for path in catalogues]


@contextmanager
def label_hdus(path: str | Path) -> Iterator[fits.HDUList]:
    """Open a label map that psseg wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Yields
    ------
    astropy.io.fits.HDUList
        Closed again at the end of the ``with`` block.

    Raises
    ------
    PssegError
        If it cannot be read, is not whole or holds no class map.
    """
    with open_fits(path) as hdus:
        if "CLASS_MAP" not in hdus:
            raise PssegError(f"{path}: no label map of psseg: there is no HDU named CLASS_MAP")
        yield hdus


def _products_of(folder: Path, stem: str, formats: Iterable[str] = ()) -> ProductPaths:
    return ProductPaths(
        catalogue=folder / f"{stem}{ENDING}",
        regions=folder / f"{stem}.reg",
        labels=folder / f"{stem}_labels.fits",
        picture=folder / f"{stem}.png",
        formats=format_paths(formats, folder / stem),
    )


def _of_stem(catalogues: list[Path], stem: str, folder: Path) -> Path:
    stems = {path.name.removesuffix(ENDING): path for path in catalogues}
    if stem not in stems:
        raise PssegError(f"{folder}: holds no {stem}{ENDING}; there are {', '.join(stems)}")
    return stems[stem]


def _product_set(catalogue: Path, map_: str | Path | None) -> ProductSet:
    header, columns = _read_header(catalogue)
    stem = catalogue.name.removesuffix(ENDING)
    beside = catalogue.parent
    paths = _products_of(beside, stem)
    return ProductSet(
        stem=stem,
        catalogue=catalogue,
        regions=paths.regions,
        labels=paths.labels,
        picture=paths.picture,
        map=_find_map(header, beside) if map_ is None else _given_map(header, Path(map_)),
        kind="counts" if "RAJ2000" in columns else "continuum",
    )


def _read_header(catalogue: Path) -> tuple[fits.Header, list[str]]:
    """Give the header of a catalogue and the names of its columns."""
    with catalogue_hdus(catalogue, "CATALOGUE") as hdus:
        return hdus["CATALOGUE"].header, hdus["CATALOGUE"].columns.names


def _given_map(header: fits.Header, path: Path) -> Path:
    if not _is_the_map(header, path):
        _warn(f"{path}: is not the map that was catalogued, or was changed since; it is used still")
    return path


def _find_map(header: fits.Header, folder: Path) -> Path | None:
    """Give the first file of the map's name and content, None if there is none."""
    changed = []
    for path in _places(header, folder):
        if not path.is_file():
            continue
        if _is_the_map(header, path):
            return path
        changed.append(path)
    if changed:
        _warn(f"{changed[0]}: was changed since it was catalogued, and is not used")
    return None


def _places(header: fits.Header, folder: Path) -> Iterator[Path]:
    """Give the paths under which the map may be found."""
    for way in _written(header, "INPATH"):
        yield from _named(folder / way.parent, way.name)
    for name in _written(header, "INFILE"):
        for place in (folder, folder.absolute().parent, Path.cwd()):
            yield from _named(place, name.name)


def _written(header: fits.Header, card: str) -> list[Path]:
    """Give what a card may mean: a name by `ascii_name`, or as older headers have it."""
    text = str(header.get(card, ""))
    return [Path(name) for name in dict.fromkeys((name_of_ascii(text), text)) if name]


def _named(folder: Path, name: str) -> list[Path]:
    """Give the files of a name in which a ? stands for what a FITS header cannot hold."""
    if "?" not in name:
        return [folder / name]
    return sorted(folder.glob(glob.escape(name).replace("[?]", "?")))


def _is_the_map(header: fits.Header, path: Path) -> bool:
    return "INSHA" not in header or sha256_of(path) == header["INSHA"]


def _warn(message: str) -> None:
    warnings.warn(message, PssegWarning, stacklevel=2)
