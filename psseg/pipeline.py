"""The main job: a map in; catalogue, regions, label map and picture out.

:func:`catalogue_tile` works in memory, :func:`catalogue` and :func:`label` from file to file.
Nothing here simulates or trains.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from photutils.segmentation import SegmentationImage
from threadpoolctl import threadpool_limits

from psseg import __version__
from psseg.catalogue.classification import apply_priors, class_scores
from psseg.catalogue.measurement import measure_counts
from psseg.catalogue.probability import (
    calibrated_classes,
    detection_threshold,
    source_probability,
)
from psseg.catalogue.regions import catalogue_regions
from psseg.catalogue.segmentation import find_segments
from psseg.catalogue.table import build_catalogue, describe_survey, write_catalogue
from psseg.errors import PssegError, PssegWarning
from psseg.label_file import write_labels
from psseg.likeness import background_residuals, is_unlike
from psseg.network.store import Calibration, Model, load_model
from psseg.plots import plot_catalogue
from psseg.priors import check_priors, class_priors
from psseg.products import check_writable, map_stem, sha256_of, write_together
from psseg.survey.survey import Survey
from psseg.tiles.readers import read_map, recognise_survey
from psseg.tiles.tile import Tile

if TYPE_CHECKING:
    from psseg.network.labelling import LabelMap

__all__ = [
    "CatalogueResult",
    "ProductPaths",
    "Products",
    "catalogue",
    "catalogue_tile",
    "label",
    "product_paths",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CatalogueResult:
    """What a tile was found to hold.

    Parameters
    ----------
    table : QTable
        The catalogue.
    segments : SegmentationImage, shape (n_y, n_x)
        Which pixels belong to which source; labels are the catalogue's SEGMENT.
    label_map : LabelMap
        Class probabilities and expected background.
    tile : Tile
        The map.
    """

    table: QTable
    segments: SegmentationImage
    label_map: LabelMap
    tile: Tile


@dataclass(frozen=True, kw_only=True)
class ProductPaths:
    """Where the products of a map are."""

    catalogue: Path
    regions: Path
    labels: Path
    picture: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """All four."""
        return tuple(vars(self).values())


@dataclass(frozen=True, kw_only=True)
class Products:
    """What :func:`catalogue` made: the files, and the same in memory."""

    paths: ProductPaths
    result: CatalogueResult


def catalogue_tile(
    tile: Tile,
    model: Model,
    *,
    priors: str | Path = "physical",
    threshold: float | None = None,
    keep_candidates: bool = False,
    strict: bool = False,
    progress: bool = False,
) -> CatalogueResult:
    """Make a catalogue of a tile.

    Parameters
    ----------
    tile : Tile
        The map; with its exposure, sources get fluxes.
    model : Model
        A trained network with its survey and calibration.
    priors : str or Path
        "physical", "balanced", or a file (:mod:`psseg.priors`).
    threshold : float, optional
        Smallest SOURCE_PROB that is kept. The default is the model's own, which depends on
        latitude.
    keep_candidates : bool
        Keep what the threshold would leave out, and the column SOURCE_SCORE (highest source
        probability that the network gave), for calibration and evaluation.
    strict : bool
        Refuse a map unlike the skies the network was trained on, instead of flagging it.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    CatalogueResult

    Raises
    ------
    PssegError
        If `priors` are none, or with `strict`.

    Warns
    -----
    PssegWarning
        If the map is unlike the training skies.
    """
    label_map = _label_tile(tile, model, progress=progress)
    unlike = _check_likeness(tile, label_map, model, strict=strict)
    segments = _find_segments(tile, label_map, model)
    measured = _measure(tile, label_map, segments, model, unlike_training=unlike)
    if not keep_candidates:
        keep = measured["SOURCE_PROB"] >= _limits(measured, model.calibration, threshold)
        segments, measured = _kept_segments(segments, keep), measured[keep]
    likelihoods = _class_likelihoods(label_map, segments, model.calibration)
    table = build_catalogue(
        measured,
        source_probability=measured["SOURCE_PROB"],
        likelihoods=likelihoods,
        probabilities=apply_priors(likelihoods, _priors(measured, priors, model.survey)),
    )
    if keep_candidates:
        table["SOURCE_SCORE"] = measured["SOURCE_SCORE"]
    return CatalogueResult(table=table, segments=segments, label_map=label_map, tile=tile)


def _find_segments(tile: Tile, label_map: LabelMap, model: Model) -> SegmentationImage:
    return find_segments(
        1 - label_map.class_probabilities[0],
        threshold=model.calibration.candidate_threshold,
        pixel_scale=tile.pixel_scale,
        psf_radius=model.survey.labels.radius,
        mask=tile.mask,
    )


def _measure(
    tile: Tile,
    label_map: LabelMap,
    segments: SegmentationImage,
    model: Model,
    *,
    unlike_training: bool,
) -> QTable:
    """Measure all candidates; SOURCE_PROB says how probable it is that each is real."""
    calibration = model.calibration
    # Thousands of small matrices: BLAS threads that wait for each other take four times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        measured = measure_counts(
            tile,
            label_map.background,
            label_map.class_probabilities,
            segments,
            model.survey,
            position_scale=calibration.position_scale,
            position_floor=calibration.position_floor,
            unlike_training=unlike_training,
        )
    measured["SOURCE_PROB"] = source_probability(
        measured["SOURCE_SCORE"], measured["Sqrt_TS"] ** 2, calibration.source_coefficients
    )
    return measured


def _class_likelihoods(
    label_map: LabelMap, segments: SegmentationImage, calibration: Calibration
) -> np.ndarray:
    return calibrated_classes(
        class_scores(label_map.class_probabilities, segments),
        temperature=calibration.temperature,
        bias=calibration.class_bias,
    )


def _check_likeness(tile: Tile, label_map: LabelMap, model: Model, *, strict: bool) -> bool:
    """Tell whether a map is unlike the training skies: warn, or refuse it."""
    residuals = background_residuals(tile, label_map)
    if not is_unlike(residuals, model.calibration.residual_limit):
        return False
    what = f"{tile.name}: unlike the skies that {model.name} was trained on"
    if strict:
        raise PssegError(f"{what}; leave --strict out to catalogue it with a flag")
    warnings.warn(
        f"{what}: its diffuse emission is not seen through; all sources are flagged",
        PssegWarning,
        stacklevel=3,
    )
    return True


def _limits(measured: QTable, calibration: Calibration, threshold: float | None) -> np.ndarray:
    """Give the probability that each source needs."""
    if threshold is not None:
        return np.full(len(measured), threshold)
    return detection_threshold(
        measured["GLAT"].to_value("deg"),
        thresholds=calibration.thresholds,
        latitude_split=calibration.latitude_split,
    )


def _kept_segments(segments: SegmentationImage, keep: np.ndarray) -> SegmentationImage:
    """Drop the segments of what did not become a source; labels stay."""
    kept = np.zeros(segments.max_label + 1, dtype=segments.data.dtype)
    kept[segments.labels[keep]] = segments.labels[keep]
    return SegmentationImage(kept[segments.data])


def _priors(measured: QTable, priors: str | Path, survey: Survey) -> np.ndarray:
    positions = SkyCoord(measured["RAJ2000"], measured["DEJ2000"])
    flux = measured["FLUX1000"].to_value("cm-2 s-1")
    return class_priors(priors, survey, positions=positions, flux=flux)


def product_paths(path: str | Path, folder: str | Path) -> ProductPaths:
    """Name the products of a map.

    Parameters
    ----------
    path : str or Path
        The map.
    folder : str or Path
        Where the products go.

    Returns
    -------
    ProductPaths

    Examples
    --------
    >>> product_paths("maps/crab.fits.gz", "out").catalogue.as_posix()
    'out/crab_catalogue.fits'
    """
    folder, stem = Path(folder), map_stem(path)
    return ProductPaths(
        catalogue=folder / f"{stem}_catalogue.fits",
        regions=folder / f"{stem}.reg",
        labels=folder / f"{stem}_labels.fits",
        picture=folder / f"{stem}.png",
    )


def catalogue(
    path: str | Path,
    output_folder: str | Path,
    *,
    model: Model | str | Path | None = None,
    exposure: str | Path | None = None,
    center: SkyCoord | None = None,
    width: float | None = None,
    priors: str | Path = "physical",
    threshold: float | None = None,
    overwrite: bool = False,
    strict: bool = False,
    progress: bool = False,
    command: str = "",
) -> Products:
    """Make a catalogue of a map and write all products.

    Parameters
    ----------
    path : str or Path
        A counts cube or photon list.
    output_folder : str or Path
        Where the products go; made where it is missing.
    model : Model, str or Path, optional
        A trained network, its name or its folder. The default is the one for the survey that the
        map's header names.
    exposure : str or Path, optional
        Exposure map or cube; without it there are no fluxes.
    center : SkyCoord, optional
        Middle of the field to read. The default is the middle of the map or of the photons.
    width : float, optional
        Side of the field to read, deg. The default is all there is.
    priors : str or Path
        "physical", "balanced", or a file (:mod:`psseg.priors`).
    threshold : float, optional
        Smallest SOURCE_PROB that is kept. The default is the model's own.
    overwrite : bool
        Whether products that exist may be replaced.
    strict : bool
        Refuse a map unlike the skies the network was trained on, instead of flagging it.
    progress : bool
        Whether to draw a progress bar.
    command : str
        The command line, for the products' headers.

    Returns
    -------
    Products

    Raises
    ------
    PssegError
        If the map cannot be used or a product exists. Nothing is written then.
    """
    paths = product_paths(path, output_folder)
    check_writable(paths.all, overwrite=overwrite)
    check_priors(priors)
    network = _find_model(path, model)
    tile = read_map(path, network.survey, exposure=exposure, center=center, width=width)
    result = catalogue_tile(
        tile, network, priors=priors, threshold=threshold, strict=strict, progress=progress
    )
    header = _provenance(path, network, tile, command)
    bands = network.survey.band_names
    write_labels_to = partial(write_labels, label_map=result.label_map, segments=result.segments)
    write_together(
        {
            paths.regions: partial(_write_text, catalogue_regions(result.table)),
            paths.labels: partial(write_labels_to, band_names=bands, header=header),
            paths.picture: partial(plot_catalogue, tile, result.table, result.segments),
            paths.catalogue: partial(
                write_catalogue,
                table=result.table,
                provenance=header,
                survey_table=describe_survey(network.survey),
                thresholds=_applied_thresholds(network.calibration, threshold),
            ),
        }
    )
    logger.info("%s: %d sources", path, len(result.table))
    return Products(paths=paths, result=result)


def label(
    path: str | Path,
    output: str | Path,
    *,
    model: Model | str | Path | None = None,
    exposure: str | Path | None = None,
    center: SkyCoord | None = None,
    width: float | None = None,
    overwrite: bool = False,
    progress: bool = False,
    command: str = "",
) -> Path:
    """Label every pixel of a map and write the label map.

    Parameters
    ----------
    path : str or Path
        A counts cube or photon list.
    output : str or Path
        FITS file for class map, class probabilities and expected background.
    model, exposure, center, width, overwrite, progress, command
        As for :func:`catalogue`.

    Returns
    -------
    Path
        The file.
    """
    output = Path(output)
    check_writable([output], overwrite=overwrite)
    network = _find_model(path, model)
    tile = read_map(path, network.survey, exposure=exposure, center=center, width=width)
    label_map = _label_tile(tile, network, progress=progress)
    header = _provenance(path, network, tile, command)
    bands = network.survey.band_names
    write = partial(write_labels, label_map=label_map, band_names=bands, header=header)
    write_together({output: write})
    return output


def _label_tile(tile: Tile, model: Model, *, progress: bool) -> LabelMap:
    """Label a tile; Keras is imported here at the earliest, so that wrong input is told at once."""
    from psseg.network.labelling import label as label_tile

    return label_tile(tile, model, progress=progress)


def _find_model(path: str | Path, model: Model | str | Path | None) -> Model:
    if isinstance(model, Model):
        return model
    if model is None:
        model = recognise_survey(path)
        if model is None:
            raise PssegError(
                f"{path}: the header names no survey that psseg knows; name a network with --model"
            )
    return load_model(model)


def _provenance(path: str | Path, model: Model, tile: Tile, command: str) -> fits.Header:
    """Say who made this, with what, from what."""
    header = fits.Header()
    header["CREATOR"] = f"psseg {__version__}"
    header["DATE"] = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "UTC")
    header["MODEL"] = _ascii(model.name)
    header["MODELSHA"] = model.sha256
    header["SURVEY"] = model.survey.name
    header["INFILE"] = _ascii(Path(path).name)
    header["INSHA"] = sha256_of(path)
    for line in (*([command] if command else []), *tile.notes):
        header["HISTORY"] = _ascii(line)
    return header


def _applied_thresholds(calibration: Calibration, threshold: float | None) -> dict[str, float]:
    """Name the thresholds that decided what is a source."""
    given = (
        {**calibration.thresholds, "latitude_split": calibration.latitude_split}
        if threshold is None
        else {"threshold": threshold}
    )
    return {"candidate_threshold": calibration.candidate_threshold, **given}


def _ascii(text: str) -> str:
    """FITS headers hold nothing else."""
    return text.encode("ascii", "replace").decode("ascii")


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
