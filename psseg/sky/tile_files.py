"""Write a simulated tile as FITS files that a person can open and psseg can read.

In: a simulated tile. Out: `<stem>.fits`, a counts cube as the instrument's own tools make it;
`<stem>_exposure.fits`, the exposure that goes with it; `<stem>_truth.fits`, what is in the sky.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

from psseg.errors import PssegError
from psseg.products import check_writable, image_hdu, write_together
from psseg.survey.survey import Survey

if TYPE_CHECKING:
    from psseg.sky.simulation import SimulatedTile

__all__ = ["TileFiles", "Truth", "read_truth", "tile_files", "write_simulated_tile"]

KEV_PER_GEV = 1e6
MEV_PER_GEV = 1e3
INSIDE = 1e-6  # how far inside a band's edges its exposure is given, relative


@dataclass(frozen=True, kw_only=True)
class TileFiles:
    """Where the three files of a simulated tile are.

    Parameters
    ----------
    counts, exposure, truth : Path
        Counts cube; exposure cube; class map, expected background and truth catalogue.
    """

    counts: Path
    exposure: Path
    truth: Path


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is in a simulated sky.

    Parameters
    ----------
    table : QTable
        The true sources.
    class_map : numpy.ndarray of uint8, shape (n_y, n_x)
        Class per pixel.
    background : numpy.ndarray, shape (n_bands, n_y, n_x)
        Expected counts of the diffuse emission.
    wcs : astropy.wcs.WCS
        2-D celestial WCS of both maps.
    """

    table: QTable
    class_map: np.ndarray
    background: np.ndarray
    wcs: WCS

    @property
    def mask(self) -> np.ndarray:
        """Pixels without data: a simulated tile has none."""
        return np.zeros(self.class_map.shape, dtype=bool)

    @property
    def pixel_scale(self) -> float:
        """Side of a pixel, deg."""
        return float(np.sqrt(proj_plane_pixel_area(self.wcs)))


def tile_files(folder: str | Path, stem: str) -> TileFiles:
    """Name the files of a simulated tile without writing them."""
    return TileFiles(
        counts=Path(folder) / f"{stem}.fits",
        exposure=Path(folder) / f"{stem}_exposure.fits",
        truth=Path(folder) / f"{stem}_truth.fits",
    )


def write_simulated_tile(
    simulated: SimulatedTile,
    folder: str | Path,
    stem: str,
    survey: Survey,
    *,
    overwrite: bool = False,
) -> TileFiles:
    """Write a simulated tile and its truth.

    Parameters
    ----------
    simulated : SimulatedTile
        The tile, with its exposure.
    folder : str or Path
        Where the files go; made where it is missing.
    stem : str
        How the names of the files start.
    survey : Survey
        The survey that was simulated.
    overwrite : bool
        Whether files that exist may be replaced.

    Returns
    -------
    TileFiles

    Raises
    ------
    PssegError
        If a file exists and `overwrite` is off.

    Notes
    -----
    The counts cube has the form of gtbin's CCUBE (counts as integers, EBOUNDS in keV), the
    exposure that of gtexpcube2 (cm² s at energies in MeV), with two energies just inside the edges
    of each band, so that any average over the band gives its exposure back. Bands that the tile
    lacks are left out of both.
    """
    files = tile_files(folder, stem)
    present = np.flatnonzero(simulated.tile.bands_present)
    bands = range(present[0], present[-1] + 1)
    contents: dict[Path, Callable[[], fits.HDUList]] = {
        files.truth: partial(_truth, simulated, survey),
        files.exposure: partial(_exposure_cube, simulated, survey, bands),
        files.counts: partial(_counts_cube, simulated, survey, bands),
    }
    check_writable(contents, overwrite=overwrite)
    write_together({path: partial(_write, make) for path, make in contents.items()})
    return files


def read_truth(path: str | Path) -> Truth:
    """Read the truth file of a simulated tile.

    Parameters
    ----------
    path : str or Path
        A ``_truth.fits`` that :func:`write_simulated_tile` wrote.

    Returns
    -------
    Truth

    Raises
    ------
    PssegError
        If it is no such file.
    """
    if not Path(path).is_file():
        raise PssegError(f"{path}: no such file; psseg simulate writes truth files")
    try:
        with fits.open(path) as hdus:
            return Truth(
                table=QTable.read(hdus["TRUTH"]),
                class_map=np.array(hdus["CLASS_MAP"].data),
                background=np.array(hdus["BACKGROUND"].data, dtype=np.float32),
                wcs=WCS(hdus["CLASS_MAP"].header),
            )
    except (KeyError, OSError, TypeError) as error:
        raise PssegError(f"{path}: not a truth file of psseg simulate: {error}") from error


def _write(make: Callable[[], fits.HDUList], path: Path) -> None:
    make().writeto(path, checksum=True)


def _counts_cube(simulated: SimulatedTile, survey: Survey, bands: range) -> fits.HDUList:
    edges = survey.energy_edges[bands.start : bands.stop + 1]
    low, high = edges[:-1], edges[1:]
    counts = np.rint(simulated.tile.data[bands.start : bands.stop]).astype(np.int32)
    primary = _primary_cube(counts, simulated, survey)
    primary.header.update(
        {"CTYPE3": "Energy", "CUNIT3": "MeV", "CRPIX3": 1.0, "BUNIT": "count"}
        | {"CRVAL3": low[0] * MEV_PER_GEV, "CDELT3": (high[0] - low[0]) * MEV_PER_GEV}
    )
    columns = [
        fits.Column("CHANNEL", "I", array=np.arange(1, len(low) + 1)),
        fits.Column("E_MIN", "1E", unit="keV", array=low * KEV_PER_GEV),
        fits.Column("E_MAX", "1E", unit="keV", array=high * KEV_PER_GEV),
    ]
    return fits.HDUList([primary, fits.BinTableHDU.from_columns(columns, name="EBOUNDS")])


def _exposure_cube(simulated: SimulatedTile, survey: Survey, bands: range) -> fits.HDUList:
    if simulated.tile.exposure is None:
        raise PssegError("a simulated tile needs its exposure to be written")
    edges = survey.energy_edges[bands.start : bands.stop + 1]
    inside = np.column_stack([edges[:-1] * (1 + INSIDE), edges[1:] * (1 - INSIDE)]).ravel()
    exposure = np.repeat(simulated.tile.exposure[bands.start : bands.stop], 2, axis=0)
    primary = _primary_cube(exposure.astype(np.float32), simulated, survey)
    energies = inside * MEV_PER_GEV
    primary.header.update(
        {"CTYPE3": "Energy", "CUNIT3": "MeV", "CRPIX3": 1.0, "BUNIT": "cm2 s"}
        | {"CRVAL3": energies[0], "CDELT3": energies[1] - energies[0]}
    )
    column = fits.Column("Energy", "1D", unit="MeV", array=energies)
    return fits.HDUList([primary, fits.BinTableHDU.from_columns([column], name="ENERGIES")])


def _truth(simulated: SimulatedTile, survey: Survey) -> fits.HDUList:
    wcs = simulated.tile.wcs
    primary = fits.PrimaryHDU()
    primary.header["SURVEY"] = survey.name
    class_map = image_hdu(simulated.class_map.astype(np.uint8), wcs, name="CLASS_MAP")
    background = image_hdu(
        simulated.background.astype(np.float32), wcs, name="BACKGROUND", planes=survey.band_names
    )
    background.header["BUNIT"] = "count"
    return fits.HDUList([primary, class_map, background, _table_hdu(simulated.truth)])


def _table_hdu(truth: QTable) -> fits.BinTableHDU:
    hdu = fits.table_to_hdu(Table(truth))
    hdu.name = "TRUTH"
    return hdu


def _primary_cube(data: np.ndarray, simulated: SimulatedTile, survey: Survey) -> fits.PrimaryHDU:
    header = simulated.tile.wcs.to_header()
    header["WCSAXES"] = 3
    header["TELESCOP"] = survey.telescopes[0]
    header["OBJECT"] = "simulated sky"
    return fits.PrimaryHDU(data, header)
