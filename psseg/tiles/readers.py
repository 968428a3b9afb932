"""Read a sky map of any of the forms psseg knows into a tile of a survey.

A counts cube (an image with two axes of sky and one of energy, and an EBOUNDS table) or a list of
photons (an EVENTS table) becomes a `Tile`: survey bands, survey pixels, what is missing masked.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits

from psseg.errors import PssegError
from psseg.survey.survey import Survey, list_surveys, load_survey
from psseg.tiles.counts_cube import read_counts_cube
from psseg.tiles.exposure import find_healpix, healpix_of, read_exposure
from psseg.tiles.headers import find_image, open_fits, telescope
from psseg.tiles.photons import read_photons
from psseg.tiles.radio_files import looks_like_radio
from psseg.tiles.tables import find_table
from psseg.tiles.tile import Tile

__all__ = ["known_telescopes", "read_exposure", "read_map", "recognise_survey"]

FEWEST_PIXELS = 16
"""Side of the smallest field that may be asked for: the square that the network's deepest layer
takes for one pixel."""


def read_map(
    path: str | Path,
    survey: Survey,
    *,
    exposure: str | Path | None = None,
    center: SkyCoord | None = None,
    width: float | None = None,
) -> Tile:
    """Read a counts cube or a photon list.

    Parameters
    ----------
    path : str or pathlib.Path
        A FITS file, plain or compressed. Counts cubes may be of any projection and frame; a
        photon list is binned on a tangent plane, Galactic where it gives Galactic positions.
    survey : Survey
        Its bands and pixel scale are those of the tile.
    exposure : str or pathlib.Path, optional
        An exposure cube or map that covers the map. The default leaves the exposure unknown.
    center : astropy.coordinates.SkyCoord, optional
        Middle of the field to read, in any frame. The default is the middle of the map or of the
        selection of the photons.
    width : float, optional
        Side of that field, deg, 16 pixels at least. The default is all there is. Across the seam
        of a map of the whole sky it is whole; what lies beyond a map is missing, with a note.

    Returns
    -------
    Tile
        ``notes`` tells what was summed, shared, dropped or masked.

    Raises
    ------
    PssegError
        If the file cannot be used: it is missing, no FITS, truncated, has no celestial WCS or no
        energies, is too coarse in pixels or energy bins, holds no counts, or the exposure does not
        cover it; or `center` or `width` are none. The message names the file and says what to do.

    Warns
    -----
    PssegWarning
        If counts had to be shared between bands or moved within pixels, the projection stretches
        the sky, or the header's selection is not understood or not that of the survey.

    Examples
    --------
    >>> read_map("crab_ccube.fits.gz", load_survey("fermi-lat"))  # doctest: +SKIP
    """
    name = Path(path).name
    if width is not None:
        _check_width(width, survey, name)
    if center is not None and not (isinstance(center, SkyCoord) and center.isscalar):
        raise PssegError(f"{name}: want one SkyCoord as the center of the field, got {center!r}")
    with open_fits(path) as hdus:
        tile = _read_counts(hdus, survey, name=name, center=center, width=width)
    if exposure is None:
        return tile
    bands, mask = tile.bands_present, tile.mask
    values = read_exposure(exposure, tile.wcs, tile.shape, survey, mask=mask, bands=bands)
    values[~bands] = 0
    return replace(tile, exposure=values)


def known_telescopes() -> frozenset[str]:
    """Give the values of TELESCOP that counts of psseg's surveys have, upper case."""
    surveys = [load_survey(name) for name in list_surveys()]
    return frozenset(name for s in surveys if s.kind == "counts" for name in s.telescopes)


def recognise_survey(path: str | Path) -> str | None:
    """Tell from the header which of psseg's surveys a map belongs to.

    Parameters
    ----------
    path : str or pathlib.Path
        A FITS file.

    Returns
    -------
    str or None
        Name of the survey; None where the file is neither counts per energy bin (EBOUNDS) or
        photons (EVENTS) whose TELESCOP fits one, nor a radio image (Jy/beam, a beam).

    Raises
    ------
    PssegError
        If the file does not exist, is no FITS file, or is cut short before it says what it is.
    """
    with open_fits(path, check=False) as hdus:
        instrument = telescope(hdus)
        counts = any(find_table(hdus, name) is not None for name in ("EBOUNDS", "EVENTS"))
    surveys = [load_survey(name) for name in list_surveys()]
    if counts:
        fitting = (s.name for s in surveys if s.kind == "counts" and instrument in s.telescopes)
        return next(fitting, None)
    if looks_like_radio(path):
        return next((s.name for s in surveys if s.kind == "continuum"), None)
    with open_fits(path):  # refuses a file cut short, whose end would say what it is
        return None


def _check_width(width: float, survey: Survey, name: str) -> None:
    """Refuse fields that are none, or too small to find anything in."""
    if not (width > 0 and np.isfinite(width)):
        raise PssegError(f"{name}: want a positive width of the field, got {width:g} deg")
    pixels = round(width / survey.pixel_scale)
    if pixels < FEWEST_PIXELS:
        raise PssegError(
            f"{name}: --width {width:g}: a field of {max(pixels, 1)} pixel{'s' * (pixels > 1)}; "
            f"want {FEWEST_PIXELS * survey.pixel_scale:g} deg ({FEWEST_PIXELS} pixels) at least"
        )


def _read_counts(
    hdus: fits.HDUList,
    survey: Survey,
    *,
    name: str,
    center: SkyCoord | None,
    width: float | None,
) -> Tile:
    """Read the file as what its HDUs say it is."""
    events = find_table(hdus, "EVENTS")
    if events is not None:
        return read_photons(events, survey, name=name, center=center, width=width)
    table, image = find_healpix(hdus), find_image(hdus)
    if table is not None:
        _refuse_healpix(table, survey, name)
    if image is None:
        raise PssegError(
            f"{name}: holds neither a map nor a photon list (an image, or a table named EVENTS)"
        )
    return read_counts_cube(hdus, image, survey, name=name, center=center, width=width)


def _refuse_healpix(table: fits.BinTableHDU, survey: Survey, name: str) -> None:
    """Say why a HEALPix map of counts is not read."""
    side = float(np.degrees(healpix_of(table.header, name=name).pixel_resolution.to_value("rad")))
    why = "too coarse: the survey has" if side > survey.pixel_scale else "not read; the survey has"
    raise PssegError(
        f"{name}: HEALPix counts with pixels of {side:.2g} deg are {why} {survey.pixel_scale:g} "
        "deg; give the photon list, or a counts cube of a field (gtbin, algorithm CCUBE)"
    )
