"""Expected counts of sources and diffuse emission, convolved with the PSF.

Everything is laid down on the padded tile and convolved in Fourier space. Where the PSF is as
narrow as a pixel, laying a source down on the grid would smear it: there the core of a source's
PSF is added as a pixel-integrated stamp at its true sub-pixel position, and only the rest is
convolved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import fft
from scipy.signal import fftconvolve

from psseg.sky.diffuse import DiffuseSky
from psseg.sky.geometry import TileGeometry
from psseg.sky.sources import SourceList
from psseg.survey.instrument import KingMixture
from psseg.survey.survey import Survey

__all__ = [
    "HALF",
    "PHASES",
    "PsfTables",
    "extended_stamp",
    "phases",
    "psf_tables",
    "render_diffuse",
    "render_sources",
]

HALF = 12
"""Half-width of a stamp, pixels: ±1.25° holds 98 % of the light above 10 GeV."""

PHASES = 9
"""Sub-pixel positions per axis, the middle among them; a position is within 1/18 pixel of one."""

NARROW = 4.0
"""68 % containment, pixels, below which a band's PSF gets stamps. Laying a source down on four
pixels widens it by 0.41 pixel rms, under 2 % in quadrature at this width."""

FAINT = 0.3
"""Expected counts in a band below which a source needs no stamp: it is never seen by itself."""


@dataclass(frozen=True, kw_only=True)
class PsfTables:
    """PSF stamps and convolution kernels of a survey.

    Parameters
    ----------
    stamps : numpy.ndarray, shape (PHASES, PHASES, n_bands, 2 * HALF + 1, 2 * HALF + 1)
        Pixel-integrated PSF by sub-pixel phase (y, x) and band.
    radii : numpy.ndarray, shape (n_bands,)
        68 % containment radius, pixels.
    """

    stamps: np.ndarray
    radii: np.ndarray

    @cached_property
    def narrow(self) -> np.ndarray:
        """Bands whose sources are drawn with stamps, bool, shape (n_bands,)."""
        return self.radii < NARROW

    @cached_property
    def narrow_stamps(self) -> np.ndarray:
        """Stamps of these bands, contiguous."""
        return np.ascontiguousarray(self.stamps[:, :, self.narrow])


@lru_cache(maxsize=4)
def _tables(psf: tuple[KingMixture, ...], pixel_scale: float) -> PsfTables:
    offsets = (np.arange(PHASES) + 0.5) / PHASES - 0.5
    size = 2 * HALF + 1
    stamps = [
        [[king.kernel(size, pixel_scale, dx=dx, dy=dy) for king in psf] for dx in offsets]
        for dy in offsets
    ]
    radii = np.array([king.containment_radius(0.68) for king in psf]) / pixel_scale
    return PsfTables(stamps=np.array(stamps, np.float32), radii=radii)


@lru_cache(maxsize=8)
def _kernels(
    psf: tuple[KingMixture, ...], pixel_scale: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Fourier transforms of PSFs on a padded tile: of all bands; of narrow ones without stamps."""
    n_y, n_x = shape
    index = np.ix_(np.arange(-HALF, HALF + 1), np.arange(-HALF, HALF + 1))
    whole, rest = [], []
    for king in psf:
        kernel = king.kernel((n_y - 1 + n_y % 2, n_x - 1 + n_x % 2), pixel_scale)
        image = np.zeros(shape)
        image[: kernel.shape[0], : kernel.shape[1]] = kernel
        image = np.roll(image, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))
        whole.append(fft.rfft2(image.astype(np.float32)))
        image[index] = 0
        rest.append(fft.rfft2(image.astype(np.float32)))
    return np.array(whole), np.array(rest)[_tables(psf, pixel_scale).narrow]


@lru_cache(maxsize=8)
def _mirrored_kernels(
    psf: tuple[KingMixture, ...], pixel_scale: float, shape: tuple[int, int]
) -> np.ndarray:
    """Cosine transforms of the PSFs, (n_bands, n_y, n_x), made to keep all light.

    With them a sky is convolved that goes on beyond the borders as its mirror image.
    """
    (n_y, n_x), kernels = shape, []
    for king in psf:
        image = np.zeros((2 * n_y, 2 * n_x))
        image[1:, 1:] = king.kernel((2 * n_y - 1, 2 * n_x - 1), pixel_scale)
        transform = fft.rfft2(fft.ifftshift(image)).real[:n_y, :n_x]
        kernels.append((transform / transform[0, 0]).astype(np.float32))
    return np.array(kernels)


def psf_tables(survey: Survey) -> PsfTables:
    """Stamps of a survey's PSF; made once per process (about a second)."""
    return _tables(survey.instrument.psf, survey.pixel_scale)


def extended_stamp(survey: Survey, radius: float, *, is_disc: bool) -> np.ndarray:
    """Share of an extended source's light in the pixels about its centre.

    Parameters
    ----------
    survey : Survey
    radius : float
        Of the disc, or 68 % of the Gaussian, pixels; rounded to 5 %.
    is_disc : bool

    Returns
    -------
    numpy.ndarray of float32, shape (n_bands, n, n)
        Out to `HALF` and the radius from the centre, which is that of the middle pixel.
    """
    rounded = float(np.exp(np.rint(np.log(radius) / 0.05) * 0.05))
    return _extended_stamp(survey.instrument.psf, survey.pixel_scale, rounded, is_disc)


@lru_cache(maxsize=256)
def _extended_stamp(
    psf: tuple[KingMixture, ...], pixel_scale: float, radius: float, is_disc: bool
) -> np.ndarray:
    dx, dy = _shape_points(radius, is_disc)
    reach = int(np.ceil(max(np.abs(dx).max(), np.abs(dy).max()))) + 1
    side = 2 * reach + 1
    index, weight = _on_grid(dx + reach, dy + reach, (side, side))
    shape = np.bincount(index, weight / len(dx), side * side).reshape(side, side)
    size = 2 * (HALF + int(np.ceil(radius)) + reach) + 1
    stamps = [fftconvolve(king.kernel(size, pixel_scale), shape, mode="valid") for king in psf]
    return np.maximum(stamps, 0).astype(np.float32)


def render_diffuse(survey: Survey, geometry: TileGeometry, sky: DiffuseSky) -> np.ndarray:
    """Convolve a diffuse sky with the PSF.

    Beyond the padded tile the sky goes on as its mirror image.

    Parameters
    ----------
    survey : Survey
    geometry : TileGeometry
    sky : DiffuseSky

    Returns
    -------
    numpy.ndarray, shape (n_bands, n_y, n_x)
        ph cm⁻² s⁻¹ per pixel of the padded tile.
    """
    kernels = _mirrored_kernels(survey.instrument.psf, survey.pixel_scale, geometry.padded_shape)
    transforms = fft.dctn(sky.templates, axes=(1, 2))
    spectra = (sky.spectra * geometry.pixel_area).astype(np.float32)
    # Not tensordot: BLAS would start threads of its own beside the processes that share the work.
    totals = np.einsum("tb,tyx->byx", spectra, transforms)
    flux = fft.idctn(totals * kernels, axes=(1, 2))
    return np.maximum(flux * geometry.relative_area, 0)


def render_sources(
    survey: Survey, geometry: TileGeometry, sources: SourceList, exposure: np.ndarray
) -> np.ndarray:
    """Convolve the sources of a tile with the PSF.

    Light that leaves the padded tile comes back in on the other side, in the place of that of
    sources farther out.

    Parameters
    ----------
    survey : Survey
    geometry : TileGeometry
    sources : SourceList
    exposure : numpy.ndarray, shape (n_bands,)
        Typical exposure, cm² s: decides which sources are bright enough for a stamp.

    Returns
    -------
    numpy.ndarray, shape (n_bands, n_y, n_x)
        ph cm⁻² s⁻¹ per pixel of the padded tile.
    """
    shape = geometry.padded_shape
    whole, rest = _kernels(survey.instrument.psf, survey.pixel_scale, shape)
    tables = psf_tables(survey)
    bright = (sources.band_flux * exposure > FAINT) & (sources.radius == 0)[:, None]
    stamped = np.where(bright & tables.narrow, sources.band_flux, 0)
    laid_down = sources.band_flux - stamped
    deposits = _Deposits(survey, shape, sources)
    total = fft.rfft2(deposits.images(laid_down)) * whole
    total[tables.narrow] += fft.rfft2(deposits.images(stamped[:, tables.narrow])) * rest
    flux = np.maximum(fft.irfft2(total, s=shape), 0)
    _add_stamps(flux, tables, sources, stamped)
    return flux


def phases(position: np.ndarray) -> np.ndarray:
    """Give the index of the sub-pixel phase of positions along an axis, pixels."""
    fraction = position - np.rint(position) + 0.5
    return np.minimum((fraction * PHASES).astype(int), PHASES - 1)


def _add_stamps(
    flux: np.ndarray, tables: PsfTables, sources: SourceList, stamped: np.ndarray
) -> None:
    """Add stamps of the band fluxes `stamped` in place; those cut by the border are cut."""
    index = np.flatnonzero(stamped.any(axis=1))
    narrow = np.flatnonzero(tables.narrow)
    values = stamped[np.ix_(index, narrow)].astype(np.float32)[:, :, None, None]
    # Most sources are faint, and have a stamp in the first bands only.
    used = len(narrow) - np.argmax(values[:, ::-1, 0, 0] > 0, axis=1)
    x, y = sources.x[index], sources.y[index]
    light = np.pad(flux[narrow], ((0, 0), (HALF, HALF), (HALF, HALF)))
    size = 2 * HALF + 1
    places = (values.tolist() for values in (used, phases(y), phases(x), np.rint(y), np.rint(x)))
    for n, phase_y, phase_x, row, column, value in zip(*places, values, strict=True):
        stamp = tables.narrow_stamps[phase_y, phase_x, :n] * value[:n]
        light[:n, int(row) : int(row) + size, int(column) : int(column) + size] += stamp
    flux[narrow] = light[:, HALF:-HALF, HALF:-HALF]


class _Deposits:
    """Where every source falls on the grid: four pixels for a point, many for an extended one.

    Computed once per tile, used for every band.
    """

    def __init__(self, survey: Survey, shape: tuple[int, int], sources: SourceList) -> None:
        x, y, owner, weight = _spread(survey, sources)
        self._shape = shape
        self._owner = np.tile(owner, 4)
        self._index, share = _on_grid(x, y, shape)
        self._weight = share * np.tile(weight, 4)

    def images(self, values: np.ndarray) -> np.ndarray:
        """Lay down values of every source (n_sources, n_bands): (n_bands, n_y, n_x)."""
        n_y, n_x = self._shape
        images = np.empty((values.shape[1], n_y * n_x), np.float32)
        for image, value in zip(images, values.T, strict=True):
            image[:] = np.bincount(self._index, self._weight * value[self._owner], n_y * n_x)
        return images.reshape(-1, n_y, n_x)


def _on_grid(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that share each point, counted along the rows, and their shares: (4 * n_points,)."""
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    corners = [(0, 0, (1 - fy) * (1 - fx)), (0, 1, (1 - fy) * fx)]
    corners += [(1, 0, fy * (1 - fx)), (1, 1, fy * fx)]
    pixels = [((y0 + dy) % shape[0]) * shape[1] + (x0 + dx) % shape[1] for dy, dx, _ in corners]
    return np.concatenate(pixels), np.concatenate([share for _, _, share in corners])


def _spread(
    survey: Survey, sources: SourceList
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points to lay down: positions, the source each belongs to, and its share of the flux."""
    x, y = [sources.x], [sources.y]
    owner = [np.arange(len(sources))]
    weight = [np.where(sources.radius == 0, 1.0, 0.0)]
    for number in np.flatnonzero(sources.radius):
        dx, dy = _shape_points(
            float(sources.radius[number]) / survey.pixel_scale, bool(sources.is_disc[number])
        )
        x.append(sources.x[number] + dx)
        y.append(sources.y[number] + dy)
        owner.append(np.full(len(dx), number))
        weight.append(np.full(len(dx), 1 / len(dx)))
    return np.concatenate(x), np.concatenate(y), np.concatenate(owner), np.concatenate(weight)


def _shape_points(radius: float, is_disc: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points that sample a disc, or a Gaussian of this 68 % radius, evenly (a sunflower)."""
    n = int(np.clip(6 * radius**2, 60, 4000))
    share = (np.arange(n) + 0.5) / n
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    distance = np.sqrt(share) if is_disc else np.sqrt(np.log1p(-share) / np.log(0.32))
    return radius * distance * np.cos(angle), radius * distance * np.sin(angle)
