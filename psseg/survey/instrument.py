"""What a telescope makes of the sky: its point-spread function and its exposure.

The numbers come from the survey file; the classes here check them and turn them into expected
fractions per pixel and exposures per band.

A counting telescope is a `CountsInstrument`: in each band a point-spread function, described by
two King functions (`KingMixture`), and an exposure. Angles are in degrees, exposures in cm2 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psseg.errors import PssegError
from psseg.survey.schema import check_tables, read_table

__all__ = ["CountsInstrument", "KingMixture"]

# Gauss-Legendre points per pixel and axis, up to a distance (pixels, the larger of |x| and |y|)
# from the source. Measured on kernel sums: a core_sigma of 0.2 pixel (the LAT above 50 GeV, 0.1 deg
# pixels) is integrated within 1e-5, 0.1 pixel within 1e-4, 0.05 pixel within 3 %.
_QUADRATURE = ((16, 1.5), (4, 6.0), (2, np.inf))


@dataclass(frozen=True, kw_only=True)
class KingMixture:
    """Point-spread function: a narrow and a wide King function about the same centre.

    Parameters
    ----------
    core_fraction : float
        Fraction of the photons in the core, 0 to 1.
    core_sigma, tail_sigma : float
        Widths, deg, positive.
    core_gamma, tail_gamma : float
        Slopes, above 1: far out, the density falls as ``r**(-2 * gamma)``.

    Notes
    -----
    ``K(r) = (1 - 1/g) / (2 pi s**2) * (1 + r**2 / (2 g s**2))**-g`` with integral 1, as in
    Ackermann et al. 2013, ApJ 765, 54. Separations are taken on a flat sky: at 10 deg
    the area of a ring is wrong by 0.5 %.

    Examples
    --------
    >>> psf = KingMixture(
    ...     core_fraction=0.9, core_sigma=0.05, core_gamma=2.0, tail_sigma=0.4, tail_gamma=4.0
    ... )
    >>> round(psf.containment_radius(0.68), 3)
    0.172
    """

    core_fraction: float
    core_sigma: float
    core_gamma: float
    tail_sigma: float
    tail_gamma: float

    def __post_init__(self) -> None:
        """Refuse what is no point-spread function."""
        if not _is_number(self.core_fraction) or not 0 <= self.core_fraction <= 1:
            raise PssegError(f"core_fraction must be a number 0 to 1, not {self.core_fraction!r}")
        for name in ("core_sigma", "tail_sigma"):
            _check_above(name, getattr(self, name), lowest=0)
        for name in ("core_gamma", "tail_gamma"):
            _check_above(name, getattr(self, name), lowest=1)

    def density(self, radius: ArrayLike) -> NDArray[np.float64]:
        """Give the fraction of the photons per deg2 at separations `radius` (deg, any shape)."""
        squared = np.square(np.asarray(radius, dtype=float))
        return self._density_at_squared(squared)

    def containment(self, radius: ArrayLike) -> NDArray[np.float64]:
        """Give the fraction of the photons within separations `radius` (deg, any shape)."""
        squared = np.square(np.asarray(radius, dtype=float))
        core = _king_containment(squared, self.core_sigma, self.core_gamma)
        tail = _king_containment(squared, self.tail_sigma, self.tail_gamma)
        return self.core_fraction * core + (1 - self.core_fraction) * tail

    def containment_radius(self, fraction: float) -> float:
        """Give the radius (deg) that holds a fraction of the photons, at least 0 and below 1.

        Raises
        ------
        PssegError
            If `fraction` is out of its range.
        """
        if not 0 <= fraction < 1:
            raise PssegError(f"a containment fraction must be 0 to below 1, not {fraction}")
        core = _king_radius(fraction, self.core_sigma, self.core_gamma)
        tail = _king_radius(fraction, self.tail_sigma, self.tail_gamma)
        nearer, farther = sorted((core, tail))
        if farther - nearer <= 1e-12 * farther:
            return core
        from scipy.optimize import brentq  # takes a quarter of a second, and is seldom wanted

        # The two radii bracket that of the mixture but for rounding, hence the margin.
        bracket = (nearer * (1 - 1e-9), farther * (1 + 1e-9))
        return float(brentq(lambda r: float(self.containment(r)) - fraction, *bracket))

    def kernel(
        self,
        shape: int | tuple[int, int],
        pixel_scale: float,
        *,
        dx: float = 0.0,
        dy: float = 0.0,
    ) -> NDArray[np.float64]:
        """Give the fraction of a point source's photons that falls into each pixel.

        Parameters
        ----------
        shape : int or tuple of int
            Pixels along y and x, odd; one number for a square.
        pixel_scale : float
            Side of a pixel, deg.
        dx, dy : float
            Position of the source, pixels from the centre of the central pixel.

        Returns
        -------
        ndarray (n_y, n_x)
            Photon fractions. They sum to the containment of the array's area, so below 1: what
            falls outside is not brought back.

        Raises
        ------
        PssegError
            If `shape` is not odd or `pixel_scale` not positive.
        """
        n_y, n_x = _odd_shape(shape)
        _check_above("pixel_scale", pixel_scale, lowest=0)
        y = np.arange(n_y, dtype=np.float64) - n_y // 2 - dy
        x = np.arange(n_x, dtype=np.float64) - n_x // 2 - dx
        distance = np.maximum(np.abs(y)[:, None], np.abs(x))
        fractions = np.empty((n_y, n_x))
        done = np.zeros((n_y, n_x), dtype=bool)
        for order, reach in _QUADRATURE:
            rows, columns = np.nonzero(~done & (distance < reach))
            done[rows, columns] = True
            fractions[rows, columns] = self._pixel_means(x[columns], y[rows], pixel_scale, order)
        return fractions * pixel_scale**2

    def _pixel_means(
        self, x: NDArray[np.float64], y: NDArray[np.float64], pixel_scale: float, order: int
    ) -> NDArray[np.float64]:
        """Mean density over pixels centred at (x, y) pixels from the source, (n_pixels,)."""
        nodes, weights = np.polynomial.legendre.leggauss(order)
        x_squared = np.square((x[:, None] + nodes / 2) * pixel_scale)
        y_squared = np.square((y[:, None] + nodes / 2) * pixel_scale)
        density = self._density_at_squared(y_squared[:, :, None] + x_squared[:, None, :])
        return (density @ weights) @ weights / 4

    def _density_at_squared(self, squared: NDArray[np.float64]) -> NDArray[np.float64]:
        core = _king_density(squared, self.core_sigma, self.core_gamma)
        tail = _king_density(squared, self.tail_sigma, self.tail_gamma)
        return self.core_fraction * core + (1 - self.core_fraction) * tail


@dataclass(frozen=True, kw_only=True, eq=False)
class CountsInstrument:
    """A telescope that counts photons in energy bands.

    Parameters
    ----------
    psf : tuple of KingMixture
        One per band.
    relative_exposure : ndarray (n_bands,)
        Exposure of each band over that at the energy `exposure_per_year` is given for.
    exposure_per_year : float
        Exposure after one year, cm2 s, mean over the sky.
    years : tuple of float
        Shortest and longest observation that is simulated. The default spans the LAT's catalogues,
        from 1FGL (11 months) on, and leaves room for the years to come.
    variation : tuple of float
        Lowest and highest exposure on the sky over its mean, on both sides of 1. The default is
        measured on the exposure cube of 3FHL (seven years) at 10 GeV: 2.54e11 and 4.34e11 over
        3.12e11 cm2 s.
    """

    psf: tuple[KingMixture, ...]
    relative_exposure: NDArray[np.float64]
    exposure_per_year: float
    years: tuple[float, float] = (1.0, 20.0)
    variation: tuple[float, float] = (0.81, 1.39)

    def __post_init__(self) -> None:
        """Copy, freeze and check the numbers."""
        relative = _numbers("relative_exposure", self.relative_exposure)
        relative.flags.writeable = False
        object.__setattr__(self, "relative_exposure", relative)
        object.__setattr__(self, "psf", tuple(self.psf))
        if relative.shape != (self.n_bands,):
            raise PssegError(
                f"relative_exposure has shape {relative.shape} for {self.n_bands} PSFs: "
                "give one number per band"
            )
        for value in relative:
            _check_above("every relative_exposure", value, lowest=0)
        _check_above("exposure_per_year", self.exposure_per_year, lowest=0)
        for name in ("years", "variation"):
            object.__setattr__(self, name, _positive_range(name, getattr(self, name)))
        low, high = self.variation
        if not (low < 1 < high or low == high == 1):
            raise PssegError(f"variation must lie on both sides of 1, not {self.variation}")

    @classmethod
    def from_table(cls, table: Any, *, where: str = "survey") -> CountsInstrument:
        """Make an instrument from the ``[instrument]`` table of a survey file.

        Parameters
        ----------
        table : mapping
            The fields of the class; ``psf`` is a list of tables with the fields of `KingMixture`.
            ``years`` and ``variation`` may be left out.
        where : str
            The file's name, for messages.

        Raises
        ------
        PssegError
            If a key is missing or unknown, or a value is out of its range.
        """
        if isinstance(table, Mapping) and "psf" in table:
            check_tables(table["psf"], "instrument.psf", where)
            psf = [
                read_table(KingMixture, entry, f"{where} [[instrument.psf]] number {number}")
                for number, entry in enumerate(table["psf"], start=1)
            ]
            table = {**table, "psf": psf}
        return read_table(cls, table, f"{where} [instrument]")

    @property
    def n_bands(self) -> int:
        """Number of energy bands."""
        return len(self.psf)

    def band_exposure(self, years: float) -> NDArray[np.float64]:
        """Give the exposure of each band, cm2 s (n_bands,), mean over the sky, after `years`."""
        _check_above("years", years, lowest=0)
        return self.relative_exposure * (self.exposure_per_year * years)


def _king_density(squared: NDArray[np.float64], sigma: float, gamma: float) -> NDArray[np.float64]:
    centre = (1 - 1 / gamma) / (2 * np.pi * sigma**2)
    return centre * (1 + squared / (2 * gamma * sigma**2)) ** -gamma


def _king_containment(
    squared: NDArray[np.float64], sigma: float, gamma: float
) -> NDArray[np.float64]:
    return 1 - (1 + squared / (2 * gamma * sigma**2)) ** (1 - gamma)


def _king_radius(fraction: float, sigma: float, gamma: float) -> float:
    return sigma * float(np.sqrt(2 * gamma * ((1 - fraction) ** (1 / (1 - gamma)) - 1)))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_above(name: str, value: float, *, lowest: float) -> None:
    if not (_is_number(value) and np.isfinite(value) and value > lowest):
        raise PssegError(f"{name} must be a number above {lowest:g}, not {value!r}")


def _odd_shape(shape: int | tuple[int, int]) -> tuple[int, int]:
    n_y, n_x = (shape, shape) if isinstance(shape, int | np.integer) else shape
    if n_y < 1 or n_x < 1 or n_y % 2 == 0 or n_x % 2 == 0:
        raise PssegError(f"the shape of a PSF kernel must be odd, so that it has a centre: {shape}")
    return int(n_y), int(n_x)


def _positive_range(name: str, value: Any) -> tuple[float, float]:
    limits = _numbers(name, value)
    if limits.shape != (2,) or not 0 < limits[0] <= limits[1]:
        raise PssegError(f"{name} must be two positive numbers in rising order, not {value}")
    return float(limits[0]), float(limits[1])


def _numbers(name: str, value: Any) -> NDArray[np.float64]:
    try:
        numbers = np.array(value)
    except ValueError:  # rows of different length
        raise PssegError(f"{name} must be numbers, not {value}") from None
    if numbers.dtype.kind not in "iuf":
        raise PssegError(f"{name} must be numbers, not {value}")
    return numbers.astype(float)
