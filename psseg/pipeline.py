"""The main job: a map in; catalogue, regions, label map and picture out.

From file to file, whatever the map is: :mod:`psseg.counts_catalogue` and
:mod:`psseg.image_catalogue` do the same in memory. Nothing here simulates or trains.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from psseg import counts_catalogue
from psseg.catalogue.blocks import fit_workers
from psseg.catalogue.formats import check_formats, format_writers
from psseg.catalogue.radio_regions import radio_regions
from psseg.catalogue.radio_styles import styled
from psseg.catalogue.radio_table import describe_image, write_radio_catalogue
from psseg.catalogue.regions import catalogue_regions
from psseg.catalogue.table import describe_survey, write_catalogue
from psseg.counts_catalogue import CatalogueResult, catalogue_tile
from psseg.errors import PssegError
from psseg.image_catalogue import ImageCatalogue, catalogue_image
from psseg.image_labels import label_image
from psseg.image_plots import plot_image
from psseg.label_file import write_image_labels, write_labels
from psseg.model_choice import check_reading, choose_model, is_counts
from psseg.network.store import Model, find_model, load_model
from psseg.plots import plot_catalogue
from psseg.priors import check_priors
from psseg.product_folder import ProductPaths, product_paths
from psseg.products import check_writable, write_together
from psseg.provenance import applied_thresholds, provenance, tell_limits, tell_notes
from psseg.survey.survey import counts_survey
from psseg.tiles.primary_beam import read_primary_beam
from psseg.tiles.radio_files import read_radio_image
from psseg.tiles.readers import read_map

__all__ = [
    "CatalogueResult",
    "ImageCatalogue",
    "Products",
    "catalogue",
    "catalogue_image",
    "catalogue_tile",
    "check_options",
    "label",
]

logger = logging.getLogger(__name__)


Writers = Mapping[Path, Callable[[Path], object]]


@dataclass(frozen=True, kw_only=True)
class Products:
    """What :func:`catalogue` made: the files, and the same in memory."""

    paths: ProductPaths
    result: CatalogueResult | ImageCatalogue


def check_options(
    *,
    model: Model | str | Path | None = None,
    priors: str | Path = "physical",
    threshold: float | None = None,
    formats: Iterable[str] = (),
) -> None:
    """Refuse options of :func:`catalogue` that no map could be catalogued with."""
    check_formats(tuple(formats), counts=True)
    check_priors(priors)
    if threshold is not None and not 0 < threshold < 1:
        raise PssegError(f"--threshold {threshold:g}: want a probability between 0 and 1")
    if isinstance(model, str | Path):
        find_model(model)


def catalogue(
    path: str | Path,
    output_folder: str | Path,
    *,
    model: Model | str | Path | None = None,
    priors: str | Path = "physical",
    threshold: float | None = None,
    formats: Iterable[str] = (),
    processes: int = 1,
    overwrite: bool = False,
    progress: bool = False,
    command: str = "",
    **reading: Any,
) -> Products:
    """Make a catalogue of a map and write all products.

    Parameters
    ----------
    path : str or Path
        A counts cube, a photon list or a radio image.
    output_folder : str or Path
        Where the products go; made where it is missing.
    model : Model, str or Path, optional
        A trained network, its name or its folder. The default is the one for the survey that the
        map's header names.
    priors : str or Path
        "physical", "balanced", or a file (:mod:`psseg.priors`).
    threshold : float, optional
        Smallest SOURCE_PROB that is kept. The default is the model's own.
    formats : iterable of str, or str
        Of the catalogue, besides FITS: "votable", "csv", "ecsv", "parquet" (needs pyarrow), "4fgl"
        (counts maps only), and "moc" (needs mocpy): the area that was searched.
    processes : int
        That fit parts of a counts map side by side. A script that asks for more than one needs the
        usual ``if __name__ == "__main__":``, as they are started afresh.
    overwrite : bool
        Whether products that exist may be replaced.
    progress : bool
        Whether to draw a progress bar.
    command : str
        The command line, for the products' headers.
    **reading
        ``strict`` (refuse a map unlike the skies the network was trained on, instead of flagging
        it). Of counts: ``exposure`` (map or cube; without it there are no fluxes), ``center``
        (SkyCoord) and ``width`` (deg) of the field to read, as
        :func:`~psseg.tiles.readers.read_map` takes them. Of radio images: ``planes`` (more files:
        another frequency, Stokes V), ``beam``, ``frequency`` (Hz) and ``reproject``, as
        :func:`~psseg.tiles.radio_files.read_radio_image` takes them, ``primary_beam`` (file;
        corrects the fluxes) and ``style`` ("pybdsf", "casda" or "aegean": names and units of the
        columns).

    Returns
    -------
    Products

    Raises
    ------
    PssegError
        If the map cannot be used, an option is wrong or does not belong to it, or a product exists.
        Nothing is written then.
    """
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    check_options(model=model, priors=priors, threshold=threshold, formats=formats)
    paths = product_paths(path, output_folder, formats)
    check_writable(paths.all, overwrite=overwrite)
    chosen = choose_model(path, model)
    check_formats(formats, counts=is_counts(chosen))
    check_reading(path, chosen, reading)
    # The processes start while the network is loaded, which takes seconds.
    with fit_workers(processes if is_counts(chosen) else 1) as executor:
        network = chosen if isinstance(chosen, Model) else load_model(chosen.folder)
        how: dict[str, Any] = {"priors": priors, "threshold": threshold, "progress": progress}
        result: CatalogueResult | ImageCatalogue
        if is_counts(network):
            how["executor"] = executor
            result, writers = _catalogue_counts(Path(path), network, paths, how, command, **reading)
        else:
            result, writers = _catalogue_image(Path(path), network, paths, how, command, **reading)
    write_together(writers)
    logger.info("%s: %d source%s", path, len(result.table), "s" * (len(result.table) != 1))
    return Products(paths=paths, result=result)


def _catalogue_counts(
    path: Path,
    network: Model,
    paths: ProductPaths,
    how: Mapping[str, Any],
    command: str,
    *,
    strict: bool = False,
    **reading: Any,
) -> tuple[CatalogueResult, Writers]:
    """Catalogue a counts map; give the result, and what writes each product."""
    survey = counts_survey(network.survey)
    tile = read_map(path, survey, **reading)
    thresholds = applied_thresholds(network.calibration, how["threshold"])
    tell_notes(path, tile.notes)
    tell_limits(path, how["priors"], thresholds)
    result = catalogue_tile(tile, network, strict=strict, **how)
    header = provenance(path, paths.catalogue.parent, network, tile.notes, command)
    write_labels_to = partial(write_labels, label_map=result.label_map, segments=result.segments)
    writers: Writers = {
        **format_writers(
            paths.formats, result.table, header, searched=~tile.mask, wcs=tile.wcs, survey=survey
        ),
        paths.regions: partial(_write_text, catalogue_regions(result.table)),
        paths.labels: partial(write_labels_to, band_names=survey.band_names, header=header),
        paths.picture: partial(plot_catalogue, tile, result.table, result.segments),
        paths.catalogue: partial(
            write_catalogue,
            table=result.table,
            provenance=header,
            survey_table=describe_survey(survey),
            thresholds=thresholds,
        ),
    }
    return result, writers


def _catalogue_image(
    path: Path,
    network: Model,
    paths: ProductPaths,
    how: Mapping[str, Any],
    command: str,
    *,
    planes: Sequence[str | Path] = (),
    primary_beam: str | Path | None = None,
    style: str | None = None,
    strict: bool = False,
    **reading: Any,
) -> tuple[ImageCatalogue, Writers]:
    """Catalogue a radio image; give the result, and what writes each product."""
    image = read_radio_image([path, *map(Path, planes)], **reading)
    attenuation = None if primary_beam is None else read_primary_beam(primary_beam, image)
    thresholds = applied_thresholds(network.calibration, how["threshold"])
    tell_notes(path, image.notes)
    tell_limits(path, how["priors"], thresholds)
    result = catalogue_image(image, network, attenuation=attenuation, strict=strict, **how)
    header = provenance(path, paths.catalogue.parent, network, image.notes, command)
    table = result.table if style is None else styled(result.table, style)
    writers: Writers = {
        **format_writers(paths.formats, table, header, searched=~image.mask, wcs=image.wcs),
        paths.regions: partial(_write_text, radio_regions(result.table)),
        paths.labels: partial(
            write_image_labels,
            class_probabilities=result.class_probabilities,
            image=image,
            noise=result.noise,
            segments=result.segments,
            header=header,
        ),
        paths.picture: partial(
            plot_image, image, result.noise.typical_rms()[0], result.table, result.segments
        ),
        paths.catalogue: partial(
            write_radio_catalogue,
            table=result.table,
            components=result.components,
            provenance=header,
            survey_table=describe_image(image, result.noise),
            thresholds=thresholds,
            style=style,
        ),
    }
    return result, writers


def label(
    path: str | Path,
    output: str | Path,
    *,
    model: Model | str | Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
    command: str = "",
    **reading: Any,
) -> Path:
    """Label every pixel of a map and write the label map.

    Parameters
    ----------
    path : str or Path
        A counts cube, a photon list or a radio image.
    output : str or Path
        FITS file for class map, class probabilities and what the network or the noise estimate
        says of the background.
    model, overwrite, progress, command
        As for :func:`catalogue`.
    **reading
        As there, without ``strict``, ``primary_beam`` and ``style``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PssegError
        If the map cannot be used, an option does not belong to it or the file exists.
    """
    output = Path(output)
    if output.suffix.lower() not in (".fits", ".fit", ".fts"):
        raise PssegError(f"{output}: a label map is a FITS file; let its name end in .fits")
    check_options(model=model)
    check_writable([output], overwrite=overwrite)
    chosen = choose_model(path, model)
    check_reading(path, chosen, reading, labels=True)
    network = chosen if isinstance(chosen, Model) else load_model(chosen.folder)
    job = _label_image if network.survey.kind == "continuum" else _label_counts
    writer = job(Path(path), output.parent, network, progress, command, **reading)
    write_together({output: writer})
    return output


def _label_counts(
    path: Path, folder: Path, network: Model, progress: bool, command: str, **reading: Any
) -> Callable[[Path], None]:
    tile = read_map(path, counts_survey(network.survey), **reading)
    tell_notes(path, tile.notes)
    return partial(
        write_labels,
        label_map=counts_catalogue.label_tile(tile, network, progress=progress),
        band_names=network.survey.band_names,
        header=provenance(path, folder, network, tile.notes, command),
    )


def _label_image(
    path: Path,
    folder: Path,
    network: Model,
    progress: bool,
    command: str,
    *,
    planes: Sequence[str | Path] = (),
    **reading: Any,
) -> Callable[[Path], None]:
    image = read_radio_image([path, *map(Path, planes)], **reading)
    tell_notes(path, image.notes)
    probabilities, noise = label_image(image, network, progress=progress)
    return partial(
        write_image_labels,
        class_probabilities=probabilities,
        image=image,
        noise=noise,
        header=provenance(path, folder, network, image.notes, command),
    )


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
