"""Diffuse emission: drawn anew for every tile from a wide family, or taken from templates.

A tile's diffuse sky is a small set of spatial templates, each with a spectrum. The family is made
to be wider than reality (level, spectrum, and gas structure on all scales down to the pixel), so
that a network trained on it learns what sources look like rather than one emission model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy_healpix import HEALPix
from scipy import fft
from scipy.ndimage import map_coordinates

from psseg.errors import PssegError
from psseg.sky.geometry import TileGeometry
from psseg.sky.spectra import integrate_table
from psseg.survey.survey import DiffuseEmission, Survey
from psseg.tiles.exposure import healpix_of
from psseg.tiles.headers import open_fits

__all__ = [
    "DiffuseSky",
    "DiffuseTemplates",
    "GasStructure",
    "cut_templates",
    "draw_diffuse",
    "galactic_profile",
    "read_templates",
]


@dataclass(frozen=True, kw_only=True)
class DiffuseSky:
    """Diffuse intensity of a padded tile.

    Parameters
    ----------
    templates : numpy.ndarray, shape (n_templates, n_y, n_x)
        Spatial templates.
    spectra : numpy.ndarray, shape (n_templates, n_bands)
        What to multiply them with to get ph cm⁻² s⁻¹ sr⁻¹.
    """

    templates: np.ndarray
    spectra: np.ndarray


@dataclass(frozen=True, kw_only=True)
class GasStructure:
    """A gas tracer's map relative to its own smooth version.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_pixels,)
        About 1.
    healpix : astropy_healpix.HEALPix
        Which pixels, in which order and frame.
    """

    values: np.ndarray
    healpix: HEALPix


@dataclass(frozen=True, kw_only=True)
class DiffuseTemplates:
    """An emission model on the whole sky, to be cut to tiles.

    Parameters
    ----------
    intensity : numpy.ndarray, shape (n_bands, n_latitude, n_longitude)
        Galactic intensity per band, ph cm⁻² s⁻¹ sr⁻¹; plate carrée, l = b = 0 in the middle,
        longitude falling with the column.
    step : tuple of float
        Grid step in longitude and latitude, deg.
    gas : GasStructure or None
        Structure finer than the grid of `intensity`.
    """

    intensity: np.ndarray
    step: tuple[float, float]
    gas: GasStructure | None = None


def galactic_profile(diffuse: DiffuseEmission, glon: np.ndarray, glat: np.ndarray) -> np.ndarray:
    """Give the smooth Galactic intensity within the survey's `profile_energy`.

    Parameters
    ----------
    diffuse : DiffuseEmission
    glon, glat : numpy.ndarray, shape (n_y, n_x)
        Galactic coordinates, deg.

    Returns
    -------
    numpy.ndarray, shape (n_y, n_x)
        ph cm⁻² s⁻¹ sr⁻¹, log-interpolated between the survey's nodes.
    """
    longitude = np.abs((glon + 180) % 360 - 180)
    table = np.log(np.asarray(diffuse.profile_intensity))
    row = np.interp(np.abs(glat), diffuse.profile_latitude, np.arange(table.shape[0]))
    column = np.interp(longitude, diffuse.profile_longitude, np.arange(table.shape[1]))
    return np.exp(_bilinear(table, row, column))


def _bilinear(table: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Interpolate a table at fractional rows and columns inside it."""
    r, c = (
        np.minimum(at.astype(int), n - 2) for at, n in zip((row, column), table.shape, strict=True)
    )
    down, right = row - r, column - c
    flat, at = table.ravel(), r * table.shape[1] + c
    upper = flat[at] * (1 - right) + flat[at + 1] * right
    at += table.shape[1]
    lower = flat[at] * (1 - right) + flat[at + 1] * right
    return upper * (1 - down) + lower * down


def _stretch(values: np.ndarray, n: int) -> np.ndarray:
    """Interpolate the first axis linearly to `n` points from end to end."""
    at = np.arange(n) * ((len(values) - 1) / (n - 1))
    below = np.minimum(at.astype(int), len(values) - 2)
    share = (at - below)[:, None]
    return values[below] * (1 - share) + values[below + 1] * share


def draw_diffuse(survey: Survey, geometry: TileGeometry, rng: np.random.Generator) -> DiffuseSky:
    """Draw the diffuse sky of a tile.

    Two layers of gas with log-normal structure of their own, a smooth inverse-Compton component,
    now and then an extended hard component with an edge (as the Fermi bubbles have), and the
    isotropic background; levels, tilts and structure are drawn anew.

    Parameters
    ----------
    survey : Survey
    geometry : TileGeometry
    rng : numpy.random.Generator

    Returns
    -------
    DiffuseSky
    """
    diffuse = survey.diffuse
    profile = _profile_on_tile(diffuse, geometry) * rng.lognormal(0, diffuse.profile_scatter)
    inverse_compton, hard = (
        rng.uniform(*diffuse.inverse_compton_share),
        rng.uniform(*diffuse.hard_share) * (rng.uniform() < 0.5),
    )
    gas = 1 - inverse_compton - hard
    smooth = _smooth_level(profile)
    split = rng.uniform(0.3, 0.9)
    templates = [
        gas * split * profile * _structure(diffuse, profile.shape, rng),
        gas * (1 - split) * profile * _structure(diffuse, profile.shape, rng),
        inverse_compton * smooth,
        hard * smooth * _edge(profile.shape, rng),
        np.ones(profile.shape),
    ]
    shapes = (
        diffuse.gas_e2dnde,
        diffuse.gas_e2dnde,
        diffuse.inverse_compton_e2dnde,
        diffuse.hard_e2dnde,
    )
    spectra = [_unit_spectrum(survey, shape, rng) for shape in shapes]
    spectra.append(_isotropic_spectrum(survey, rng))
    return DiffuseSky(templates=np.array(templates, np.float32), spectra=np.array(spectra))


def _profile_on_tile(diffuse: DiffuseEmission, geometry: TileGeometry) -> np.ndarray:
    """Profile at every pixel of the padded tile; coordinates interpolated from a coarse grid."""
    n_y, n_x = geometry.padded_shape
    glon, glat = geometry.coarse_grid
    longitude, latitude = (
        np.ascontiguousarray(_stretch(_stretch(nodes, n_y).T, n_x).T)
        for nodes in (np.abs(glon), glat)
    )
    return galactic_profile(diffuse, longitude, latitude)


def _smooth_level(profile: np.ndarray) -> np.ndarray:
    """Broad version of the profile: the cosmic-ray electrons do not follow the gas."""
    return np.sqrt(profile * np.median(profile))


def _structure(
    diffuse: DiffuseEmission, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Log-normal field of unit mean with a power-law angular power spectrum."""
    rms = rng.uniform(*diffuse.structure_rms)
    field = _gaussian_field(shape, rng.uniform(*diffuse.structure_slope), rng)
    return np.exp(rms * field - rms**2 / 2)


def _gaussian_field(shape: tuple[int, ...], slope: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian field of zero mean and unit rms, power ∝ k^-slope, stretched along one axis."""
    noise = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 2)
    k_y, k_x = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    along = (k_x * np.cos(angle) + k_y * np.sin(angle)) * stretch
    across = k_y * np.cos(angle) - k_x * np.sin(angle)
    power = along**2 + across**2
    power[0, 0] = np.inf
    field = fft.irfft2(noise * power.astype(np.float32) ** (-slope / 4), s=shape)
    return field / field.std()


def _edge(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Half-plane with a soft, curved edge, between 0 and 1."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle, curvature = rng.uniform(0, 2 * np.pi), rng.uniform(-2e-3, 2e-3)
    u = (x - shape[1] / 2) * np.cos(angle) + (y - shape[0] / 2) * np.sin(angle)
    v = (y - shape[0] / 2) * np.cos(angle) - (x - shape[1] / 2) * np.sin(angle)
    offset, width = rng.uniform(-60, 60), rng.uniform(3, 20)
    return 0.5 * (1 + np.tanh((u + curvature * v**2 - offset) / width))


def _unit_spectrum(
    survey: Survey, e2dnde: tuple[float, ...], rng: np.random.Generator
) -> np.ndarray:
    """Intensity per band for unit intensity within the profile's energies."""
    diffuse = survey.diffuse
    tilt = rng.normal(0, diffuse.spectrum_scatter)
    bands = integrate_table(diffuse.gas_energy, e2dnde, survey.energy_edges, softening=tilt)
    reference = integrate_table(diffuse.gas_energy, e2dnde, np.array(diffuse.profile_energy))
    return bands / reference


def _isotropic_spectrum(survey: Survey, rng: np.random.Generator) -> np.ndarray:
    diffuse = survey.diffuse
    bands = integrate_table(
        diffuse.isotropic_energy,
        diffuse.isotropic_e2dnde,
        survey.energy_edges,
        softening=rng.normal(0, diffuse.spectrum_scatter),
    )
    return bands * rng.lognormal(0, diffuse.isotropic_scatter)


def read_templates(
    path: str | Path, survey: Survey, *, gas: str | Path | None = None
) -> DiffuseTemplates:
    """Read a Galactic emission model, and a gas map for its finer structure.

    Parameters
    ----------
    path : str or pathlib.Path
        Map cube with an ENERGIES table (MeV), ph cm⁻² s⁻¹ MeV⁻¹ sr⁻¹, plate carrée, Galactic,
        whole sky, centred on l = 0: the form of the LAT's ``gll_iem`` files.
    survey : Survey
        For its bands.
    gas : str or pathlib.Path, optional
        HEALPix map of a gas column density; RING and Galactic where the header does not say.

    Returns
    -------
    DiffuseTemplates

    Raises
    ------
    PssegError
        If a file cannot be read, or holds no such map.
    """
    name = Path(path).name
    with open_fits(path) as hdus:
        if "ENERGIES" not in hdus or hdus[0].header["NAXIS"] != 3:
            raise PssegError(
                f"{name}: no map cube with a table ENERGIES; want a Galactic emission model"
            )
        energy = np.asarray(hdus["ENERGIES"].data.field(0), dtype=float) / 1000
        step = _whole_sky_step(hdus[0].header, name)
        # Per MeV to per GeV; logarithms in single precision: 1e-6 accurate, half the memory.
        log_cube = np.log(np.maximum(np.asarray(hdus[0].data, np.float32), 1e-30) * 1000)
    if len(energy) != len(log_cube):
        raise PssegError(f"{name}: {len(energy)} energies for {len(log_cube)} planes")
    intensity = _integrate_cube(log_cube, energy, survey.energy_edges)
    structure = None if gas is None else _read_gas(gas)
    return DiffuseTemplates(intensity=intensity, step=step, gas=structure)


def _whole_sky_step(header: fits.Header, name: str) -> tuple[float, float]:
    """Check that a map has the form that is wanted; grid step in longitude and latitude, deg.

    The reference pixel is left out of account: that of the averaged ``gll_iem`` maps is wrong.
    """
    step = abs(header.get("CDELT1", 0)), abs(header.get("CDELT2", 0))
    span = step[0] * header["NAXIS1"], step[1] * header["NAXIS2"]
    axes = str(header.get("CTYPE1")), str(header.get("CTYPE2"))
    whole = abs(span[0] - 360) < step[0] / 2 and abs(span[1] - 180) <= step[1]
    if not whole or axes != ("GLON-CAR", "GLAT-CAR") or header.get("CRVAL1", 0) != 0:
        raise PssegError(
            f"{name}: want the whole sky in Galactic plate carrée about l = 0, "
            f"got {' and '.join(axes)} over {span[0]:g} and {span[1]:g} deg"
        )
    return step


def _integrate_cube(log_cube: np.ndarray, energy: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integrate dN/dE over the bands, log-log between the cube's energies, plane by plane."""
    log_energy = np.log(energy)
    bands = np.zeros((len(edges) - 1, *log_cube.shape[1:]))
    for band, (low, high) in zip(bands, pairwise(np.log(edges)), strict=True):
        nodes = np.linspace(low, high, 17)
        below = np.clip(np.searchsorted(log_energy, nodes) - 1, 0, len(energy) - 2)
        for number, (node, i) in enumerate(zip(nodes, below, strict=True)):
            share = (node - log_energy[i]) / (log_energy[i + 1] - log_energy[i])
            weight = 0.5 if number in (0, len(nodes) - 1) else 1.0
            band += weight * np.exp(log_cube[i] * (1 - share) + log_cube[i + 1] * share + node)
        band *= nodes[1] - nodes[0]
    return bands


def _read_gas(path: str | Path) -> GasStructure:
    """Column density over its own smooth version (neighbourhood mean), limited to 1/3 to 3."""
    name = Path(path).name
    with open_fits(path) as hdus:
        table = next((hdu for hdu in hdus if hasattr(hdu, "columns")), None)
        if table is None:
            raise PssegError(f"{name}: no table; want a HEALPix map of a gas column density")
        column = np.ravel(table.data.field(0)).astype(float)
        header = table.header.copy()
    nside = round((len(column) / 12) ** 0.5)
    if len(column) != 12 * nside**2 or not np.all(column > 0):
        raise PssegError(f"{name}: no positive HEALPix map of the whole sky")
    header.setdefault("COORDSYS", "G")
    header["NSIDE"] = nside
    healpix = healpix_of(header, name=name)
    with np.errstate(invalid="ignore"):  # some pixels have seven neighbours; the eighth is -1
        neighbours = healpix.neighbours(np.arange(len(column)))
    around = np.where(neighbours >= 0, column[neighbours], np.nan)
    structure = np.clip(column / np.nanmean([column, *around], axis=0), 1 / 3, 3)
    return GasStructure(values=structure, healpix=healpix)


def cut_templates(
    templates: DiffuseTemplates, survey: Survey, geometry: TileGeometry
) -> DiffuseSky:
    """Cut an emission model to a tile and add the survey's isotropic background.

    Parameters
    ----------
    templates : DiffuseTemplates
    survey : Survey
    geometry : TileGeometry

    Returns
    -------
    DiffuseSky
    """
    n_y, n_x = geometry.padded_shape
    x, y = np.meshgrid(np.arange(n_x), np.arange(n_y))
    glon, glat = (values.reshape(n_y, n_x) for values in geometry.to_galactic(x.ravel(), y.ravel()))
    n_rows, n_columns = templates.intensity.shape[1:]
    row = glat / templates.step[1] + (n_rows - 1) / 2
    column = ((n_columns - 1) / 2 - glon / templates.step[0]) % n_columns
    at = [np.clip(row, 0, n_rows - 1), column]
    maps = [map_coordinates(band, at, order=1, mode="grid-wrap") for band in templates.intensity]
    if templates.gas is not None:
        there = SkyCoord(glon * u.deg, glat * u.deg, frame="galactic")
        gas = templates.gas
        structure = gas.healpix.interpolate_bilinear_skycoord(there, gas.values)
        maps = [band * structure for band in maps]
    isotropic = integrate_table(
        survey.diffuse.isotropic_energy, survey.diffuse.isotropic_e2dnde, survey.energy_edges
    )
    return DiffuseSky(
        templates=np.array([*maps, np.ones((n_y, n_x))], np.float32),
        spectra=np.vstack([np.eye(survey.n_bands), isotropic]),
    )
