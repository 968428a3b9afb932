"""From the LAT's response tables to the `[instrument]` part of the fermi-lat survey file.

Run it with the folder that holds `psf_P8R3_SOURCE_V3_FB.fits` and `aeff_P8R3_SOURCE_V3_FB.fits`
(they come with the Fermitools):

    python docs/derivations/lat_response.py --irfs FOLDER

It prints TOML; what it prints is what the survey file holds.

What is done
------------
The point-spread function of one energy and inclination is the sum of two King functions of
x = separation / S_P(E), S_P(E)^2 = (c0 (E/100 MeV)^-0.8)^2 + c1^2, with parameters tabulated per
bin of energy and cos(theta) and per conversion type; the core holds
1 / (1 + NTAIL (STAIL/SCORE)^2) of the photons. (Form: the LAT collaboration's "Cicerone",
Cicerone_LAT_IRFs/IRF_PSF.html, and Ackermann et al. 2013, ApJ 765, 54.) Between bin centres the
*profiles* are interpolated, in log E and cos(theta), as the Fermitools do.

A band's profile is the mean over FRONT and BACK, over the inclination, and over the energies of
the band, with weights effective area x livetime x E^-2.4. Containments of a King function are
analytic, so that the mean is taken of containments and nothing is integrated over radius. Two
King functions are fitted to that mean.

What is assumed
---------------
* Livetime flat in cos(theta) from 0.2 to 1. Survey mode comes near it, averaged over the sky.
  The PSF widens off axis: photons of cos(theta) > 0.6 alone have r68 10-13 % smaller, those of
  cos(theta) < 0.6 alone 30-50 % larger, so that a region always seen off axis is described less
  well.
* E^-2.4, near the mean index of unassociated sources (2.36) and FSRQs (2.47) in 4FGL. With E^-2.0
  or E^-2.8 instead, r68 changes by at most 2 % and the exposures by at most 0.8 %.
* No energy dispersion, no fisheye correction, no dependence on azimuth, full efficiency.
* Exposure: only the ratios of bands come from the effective area; the exposure at 10 GeV is that
  of the 3FHL exposure cube (P8R2 SOURCE, seven years): 3.12e11 cm2 s, the mean over the sky. The
  effective areas of P8R3 SOURCE and P8R2 SOURCE agree within 1 % from 1 GeV to 1 TeV, and the
  cube's ratio of 1.07 TeV to 10 GeV, 0.86, is that of the tables.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.optimize import brentq, least_squares

IRFS = "P8R3_SOURCE_V3"
ENERGY_EDGES = (0.316, 0.501, 1.00, 1.995, 5.01, 10.0, 19.95, 50.1, 1995.0)  # GeV
SPECTRAL_INDEX = 2.4
REFERENCE_ENERGY = 10.0  # GeV
EXPOSURE_PER_YEAR = 4.46e10  # cm2 s at 10 GeV, mean over the sky: 3.12e11 in 7.0 years (3FHL)
COS_THETA = np.linspace(0.2, 1.0, 65)[:-1] + 0.00625  # centres of 64 equal steps
FRACTIONS = (0.39, 0.68, 0.90, 0.95)
KEYS = ("core_fraction", "core_sigma", "core_gamma", "tail_sigma", "tail_gamma")


def king_containment(radius: np.ndarray, sigma: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Fraction of a King function within `radius` (same unit as `sigma`)."""
    return 1 - (1 + radius**2 / (2 * gamma * sigma**2)) ** (1 - gamma)


@dataclass(frozen=True, kw_only=True)
class ConversionType:
    """Tables of FRONT or of BACK events; energies in GeV, arrays (cos theta, energy)."""

    scale: np.ndarray
    psf_log_energy: np.ndarray
    psf_cos_theta: np.ndarray
    parameters: dict[str, np.ndarray]
    area_log_energy: np.ndarray
    area_cos_theta: np.ndarray
    area: np.ndarray

    def effective_area(self, energy: float) -> np.ndarray:
        """Effective area (m2) at each of `COS_THETA`."""
        at_energy = [np.interp(np.log10(energy), self.area_log_energy, row) for row in self.area]
        return np.interp(COS_THETA, self.area_cos_theta, at_energy)

    def containment(self, radius: np.ndarray, energy: float) -> np.ndarray:
        """Containment within `radius` (deg), averaged over inclination by effective area."""
        low_scale, high_scale, slope = self.scale
        degrees = np.degrees(np.hypot(low_scale * (10 * energy) ** slope, high_scale))
        bins = self._weights(energy)[..., None]
        x = radius / degrees
        p = {name: table[..., None] for name, table in self.parameters.items()}
        core = 1 / (1 + p["NTAIL"] * (p["STAIL"] / p["SCORE"]) ** 2)
        profile = core * king_containment(x, p["SCORE"], p["GCORE"])
        profile = profile + (1 - core) * king_containment(x, p["STAIL"], p["GTAIL"])
        return np.sum(bins * profile, axis=(0, 1))

    def _weights(self, energy: float) -> np.ndarray:
        """Weight of each tabulated bin (cos theta, energy) at this energy; they sum to one."""
        by_energy = linear_weights(np.log10([energy]), self.psf_log_energy)[0]
        by_angle = linear_weights(COS_THETA, self.psf_cos_theta)
        area = self.effective_area(energy)
        return (area @ by_angle)[:, None] * by_energy / area.sum()


Response = list[ConversionType]


def linear_weights(points: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Weights (point, node) of linear interpolation, constant beyond the outer nodes."""
    return np.stack([np.interp(points, nodes, row) for row in np.eye(len(nodes))], axis=1)


def read_conversion_type(folder: Path, name: str) -> ConversionType:
    """Read the tables of ``"FRONT"`` or ``"BACK"``."""
    with fits.open(folder / f"psf_{IRFS}_FB.fits") as psf:
        row = psf[f"RPSF_{name}"].data[0]
        scale = np.array(psf[f"PSF_SCALING_PARAMS_{name}"].data[0][0], dtype=float)
        psf_axes = bin_centres(row)
        columns = ("NTAIL", "SCORE", "STAIL", "GCORE", "GTAIL")
        parameters = {column: np.array(row[column], dtype=float) for column in columns}
    with fits.open(folder / f"aeff_{IRFS}_FB.fits") as aeff:
        row = aeff[f"EFFECTIVE AREA_{name}"].data[0]
        area_axes = bin_centres(row)
        area = np.array(row["EFFAREA"], dtype=float)
    return ConversionType(
        scale=scale,
        psf_log_energy=psf_axes[0],
        psf_cos_theta=psf_axes[1],
        parameters=parameters,
        area_log_energy=area_axes[0],
        area_cos_theta=area_axes[1],
        area=area,
    )


def bin_centres(row: fits.FITS_record) -> tuple[np.ndarray, np.ndarray]:
    """Centres of a table's bins: log10 of the energy in GeV, and cos(theta)."""
    low, high = np.array(row["ENERG_LO"], dtype=float), np.array(row["ENERG_HI"], dtype=float)
    cosines = (np.array(row["CTHETA_LO"], dtype=float) + row["CTHETA_HI"]) / 2
    return np.log10(low * high) / 2 - 3, cosines


def read_response(folder: Path) -> Response:
    """Read FRONT and BACK."""
    return [read_conversion_type(folder, name) for name in ("FRONT", "BACK")]


def mean_area(response: Response, energy: float) -> float:
    """Effective area (m2) of FRONT and BACK together, averaged over inclination."""
    return float(sum(kind.effective_area(energy).mean() for kind in response))


def band_energies(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Energies (GeV) inside a band, and the share of an E^-2.4 spectrum near each."""
    edges = np.geomspace(low, high, 25 if high < 10 * low else 101)
    integral = edges ** (1 - SPECTRAL_INDEX)
    share = integral[:-1] - integral[1:]
    return np.sqrt(edges[:-1] * edges[1:]), share / share.sum()


def containment_at(
    response: Response, radius: np.ndarray, energies: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """Containment within `radius` (deg) for photons spread over `energies` with `shares`."""
    total, weight = np.zeros(len(radius)), 0.0
    for energy, share in zip(energies, shares, strict=True):
        for kind in response:
            photons = share * kind.effective_area(energy).mean()
            total += photons * kind.containment(radius, energy)
            weight += photons
    return total / weight


def tabulated_radius(
    response: Response, fraction: float, energies: np.ndarray, shares: np.ndarray
) -> float:
    """Containment radius (deg) of the tables' own profile."""

    def excess(log_radius: float) -> float:
        radius = np.exp(np.array([log_radius]))
        return float(containment_at(response, radius, energies, shares)[0]) - fraction

    return float(np.exp(brentq(excess, np.log(1e-3), np.log(60.0), xtol=1e-5)))


def band_radius(response: Response, fraction: float, low: float, high: float) -> float:
    """Containment radius (deg) of a band from `low` to `high` (GeV)."""
    return tabulated_radius(response, fraction, *band_energies(low, high))


def mixture_containment(radius: np.ndarray, parameters: Sequence[float]) -> np.ndarray:
    """Containment of the fitted profile; `parameters` in the order of `KEYS`."""
    fraction, core_sigma, core_gamma, tail_sigma, tail_gamma = parameters
    core = king_containment(radius, core_sigma, core_gamma)
    tail = king_containment(radius, tail_sigma, tail_gamma)
    return fraction * core + (1 - fraction) * tail


def fit_mixture(radius: np.ndarray, containment: np.ndarray) -> np.ndarray:
    """Fit the five parameters of two King functions to a profile.

    Residuals are of log(c / (1 - c)), so that the core and the tail count alike.
    """
    used = (containment > 0.03) & (containment < 0.985)
    radius, target = radius[used], logit(containment[used])
    r39, r95 = np.interp([0.39, 0.95], containment[used], radius)
    lowest = [0.05, 0.1 * r39, 1.05, 0.3 * r39, 1.05]
    highest = [0.98, 3 * r39, 20.0, 5 * r95, 20.0]

    def residuals(parameters: np.ndarray) -> np.ndarray:
        return logit(mixture_containment(radius, parameters)) - target

    starts = [[0.6, 0.7 * r39, g, factor * r39, 3.0] for g in (1.6, 2.5, 6.0) for factor in (1, 3)]
    attempts = [least_squares(residuals, s, bounds=(lowest, highest), x_scale=s) for s in starts]
    return min(attempts, key=lambda fit: fit.cost).x


def logit(fraction: np.ndarray) -> np.ndarray:
    """log(c / (1 - c))."""
    return np.log(fraction / (1 - fraction))


def mixture_radius(fraction: float, parameters: Sequence[float]) -> float:
    """Containment radius (deg) of the fitted profile."""

    def excess(log_radius: float) -> float:
        return mixture_containment(np.exp(log_radius), parameters) - fraction

    return float(np.exp(brentq(excess, np.log(1e-4), np.log(90.0))))


def relative_exposure(response: Response, low: float, high: float) -> float:
    """Exposure of a band to an E^-2.4 spectrum, in units of that at 10 GeV."""
    energies, shares = band_energies(low, high)
    areas = np.array([mean_area(response, energy) for energy in energies])
    return float(shares @ areas) / mean_area(response, REFERENCE_ENERGY)


def psf_table(response: Response, low: float, high: float) -> str:
    """Give one `[[instrument.psf]]` table, and how well it follows the response tables."""
    energies, shares = band_energies(low, high)
    radius = np.geomspace(1e-3, 60.0, 400)
    parameters = fit_mixture(radius, containment_at(response, radius, energies, shares))
    parameters = np.array([float(f"{value:.4g}") for value in parameters])
    truth = [tabulated_radius(response, fraction, energies, shares) for fraction in FRACTIONS]
    fitted = [mixture_radius(fraction, parameters) for fraction in FRACTIONS]
    error = max(abs(np.array(fitted) / truth - 1))
    lines = [f"{key} = {value:g}" for key, value in zip(KEYS, parameters, strict=True)]
    return "\n".join(
        [
            "[[instrument.psf]]",
            f"# {low:g}-{high:g} GeV: r68 {truth[1]:.3f}, r95 {truth[3]:.3f} deg in the tables; "
            f"these radii follow within {100 * error:.1f} %",
            *lines,
        ]
    )


def instrument_table(response: Response) -> str:
    """Give the whole `[instrument]` part of the survey file."""
    bands = list(pairwise(ENERGY_EDGES))
    exposures = ", ".join(f"{relative_exposure(response, *band):.3f}" for band in bands)
    head = [
        f"# {IRFS}, FRONT and BACK together: printed by docs/derivations/lat_response.py.",
        "[instrument]",
        "# cm2 s at 10 GeV per year, mean over the sky: 3.12e11 in seven years in 3FHL's exposure",
        "# cube, which is P8R2 SOURCE; the effective areas of P8R3 SOURCE agree within 1 %.",
        f"exposure_per_year = {EXPOSURE_PER_YEAR:.3g}",
        "# Exposure to an E^-2.4 spectrum inside each band, relative to that at 10 GeV.",
        f"relative_exposure = [{exposures}]",
        "",
        "# Two King functions per band, sigmas in degrees, fitted to the mean over inclination,",
        "# energy and conversion type. Radii are compared at 39, 68, 90 and 95 % containment.",
    ]
    return "\n".join(head) + "\n" + "\n\n".join(psf_table(response, *band) for band in bands)


def default_folder() -> Path:
    """Where the tables are looked for when no folder is given."""
    root = os.environ.get("PSSEG_DATA")
    if root:
        return Path(root) / "lat" / "irfs"
    return Path(__file__).resolve().parents[2].parent / "shared" / "data" / "lat" / "irfs"


def main() -> int:
    """Print the `[instrument]` tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--irfs", type=Path, default=default_folder(), help="folder of the tables")
    print(instrument_table(read_response(parser.parse_args().irfs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
