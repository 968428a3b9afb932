"""The truth of a simulated radio image: how bright each source is, and whose every pixel is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.wcs import WCS

from psseg.sky.radio_rendering import Gaussians, box_around, ellipse_covariance, pixels_of
from psseg.sky.radio_sources import RadioSources
from psseg.survey.classes import IGNORED, SourceClass
from psseg.survey.continuum import ContinuumLabels, ContinuumSurvey
from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = ["SourceMaps", "draw_source_maps", "source_peaks", "truth_table"]

LISTED_SNR = 1.0
"""Peak over rms from which a source is in the truth table."""

POINT = 0.5
"""Peak over integrated flux above which a source of one component is a point."""

CORE = 0.64
"""Part of its peak above which a point source's core lies: a radius of 0.4 FWHM."""

CORE_WEIGHT = 2.0
"""Where a point source's core holds against others up to this factor brighter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceMaps:
    """Whose every pixel is.

    Parameters
    ----------
    class_map : numpy.ndarray of uint8, shape (n_y, n_x)
        :class:`~psseg.survey.classes.SourceClass`; 255 where a source is too faint to be found and
        too bright to be called background.
    source_map : numpy.ndarray of int32, shape (n_y, n_x)
        Index of the source plus 1, 0 for none.
    """

    class_map: np.ndarray
    source_map: np.ndarray


def source_peaks(sources: RadioSources, gaussians: Gaussians) -> np.ndarray:
    """Give the peak brightness of every source alone, convolved with the beam.

    Parameters
    ----------
    sources : RadioSources
    gaussians : Gaussians
        The components, convolved, in their order.

    Returns
    -------
    numpy.ndarray, shape (n_sources,)
        Jy/beam: the highest value at the centre of one of its components.
    """
    n = len(sources.flux)
    peaks = np.zeros(n)
    np.maximum.at(peaks, sources.component_source, gaussians.peak)
    order, starts = _members(sources)
    for number in np.flatnonzero(np.diff(starts) > 1).tolist():
        own = gaussians.select(order[starts[number] : starts[number + 1]])
        peaks[number] = _brightness_at_centres(own).max()
    return peaks


def _members(sources: RadioSources) -> tuple[np.ndarray, np.ndarray]:
    """Components by source: ``order[starts[i] : starts[i + 1]]`` are those of source i."""
    order = np.argsort(sources.component_source, kind="stable")
    n = len(sources.flux)
    starts = np.searchsorted(sources.component_source[order], np.arange(n + 1))
    return order, starts


def _brightness_at_centres(own: Gaussians) -> np.ndarray:
    dx, dy = own.x - own.x[:, None], own.y - own.y[:, None]  # (component, place)
    xx, xy, yy = own.precision.T[:, :, None]
    shapes = np.exp(-0.5 * (xx * dx**2 + 2 * xy * dx * dy + yy * dy**2))
    return (own.peak[:, None] * shapes).sum(axis=0)


def draw_source_maps(
    survey: ContinuumSurvey,
    sources: RadioSources,
    gaussians: Gaussians,
    snr: np.ndarray,
    rms: np.ndarray,
) -> SourceMaps:
    """Draw whose every pixel is.

    Labels follow the emission. A pixel belongs to the source that is brightest there, of all that
    are not invisible; it is labelled where that source, alone, exceeds `emission_snr` times the
    local rms (or half its own peak, if that is less) and one of its components `peak_level` times
    its own peak, so that bright neighbours stay apart. The core of a point source, within 0.4 FWHM,
    holds against others up to twice as bright.

    Parameters
    ----------
    survey : ContinuumSurvey
    sources : RadioSources
    gaussians : Gaussians
        The components, convolved with the beam, in their order, Jy/beam of the reference plane.
    snr : numpy.ndarray, shape (n_sources,)
        Peak over local rms.
    rms : numpy.ndarray, shape (n_y, n_x)
        Local rms of the reference plane, Jy/beam.

    Returns
    -------
    SourceMaps
    """
    labels = survey.labels
    source_map = np.zeros(rms.shape, np.int32)
    strongest = np.zeros(rms.shape, np.float32)
    order, starts = _members(sources)
    for number in np.flatnonzero(snr >= labels.invisible_snr).tolist():
        members = order[starts[number] : starts[number + 1]]
        own = gaussians.select(members)
        is_point = len(own) == 1 and own.peak[0] > POINT * sources.component_flux[members[0]]
        weight = CORE_WEIGHT if is_point else 1.0
        _draw_source(source_map, strongest, rms, labels, own, number + 1, snr[number], weight)
    values = np.append(0, _label_values(survey, sources.population, snr)).astype(np.uint8)
    return SourceMaps(class_map=values[source_map], source_map=source_map)


def _label_values(survey: ContinuumSurvey, population: np.ndarray, snr: np.ndarray) -> np.ndarray:
    classes = [int(SourceClass[p.source_class.upper()]) for p in survey.populations]
    return np.where(snr < survey.labels.detectable_snr, IGNORED, np.array(classes)[population])


def _draw_source(
    source_map: np.ndarray,
    strongest: np.ndarray,
    rms: np.ndarray,
    labels: ContinuumLabels,
    own: Gaussians,
    value: int,
    snr: float,
    core_weight: float,
) -> None:
    """Enter one source where it is brighter, over the rms, than those that were entered before."""
    # Half the emission level leaves room for a place where the rms is half of what it is here.
    ratio = np.full(len(own), 2 * snr / labels.emission_snr)
    area = box_around(own, own.half_widths(ratio), rms.shape)
    if not rms[area].size:
        return
    shapes = own.evaluate(*pixels_of(area))
    brightness = np.einsum("k,kyx->yx", own.peak.astype(np.float32), shapes) / rms[area]
    labelled = (shapes > labels.peak_level).any(axis=0)
    labelled &= brightness > min(labels.emission_snr, snr / 2)
    brightness *= np.where(shapes[0] > CORE, np.float32(core_weight), np.float32(1))
    wins = brightness > strongest[area]
    strongest[area][wins] = brightness[wins]
    source_map[area][wins] = np.where(labelled[wins], value, 0)


def truth_table(
    survey: ContinuumSurvey,
    sources: RadioSources,
    *,
    chosen: np.ndarray,
    peaks: np.ndarray,
    snr: np.ndarray,
    alpha: np.ndarray,
    wcs: WCS,
    pixel_scale: float,
) -> QTable:
    """List sources of a simulated image.

    Parameters
    ----------
    survey : ContinuumSurvey
    sources : RadioSources
    chosen : numpy.ndarray of int, shape (n,)
        Which of them, in this order.
    peaks, snr : numpy.ndarray, shape (n_sources,)
        Jy/beam, and over the local rms.
    alpha : numpy.ndarray, shape (n_sources,)
        Spectral index between the two frequencies.
    wcs : astropy.wcs.WCS
        ICRS, of the image.
    pixel_scale : float
        deg.

    Returns
    -------
    astropy.table.QTable
        Source_Name, ra, dec, X, Y, CLASS, CLASS1, int_flux, peak_flux, SNR, maj, min, pa, alpha,
        v_over_i, N_COMPONENTS. Sizes are intrinsic FWHM: of a single component its own, of several
        those of the Gaussian with their second moments.
    """
    x, y = sources.x[chosen], sources.y[chosen]
    ra, dec = wcs.wcs_pix2world(x, y, 0)
    populations = [survey.populations[i] for i in sources.population[chosen]]
    counts = np.bincount(sources.component_source, minlength=len(sources.flux))
    major, minor, angle = _sizes(sources, chosen)
    return QTable(
        {
            "Source_Name": np.array([f"SIM {i + 1:05d}" for i in range(len(chosen))], dtype="U16"),
            "ra": ra * u.deg,
            "dec": dec * u.deg,
            "X": x,
            "Y": y,
            "CLASS": np.array([p.source_class for p in populations], dtype="U8"),
            "CLASS1": np.array([p.code for p in populations], dtype="U8"),
            "int_flux": sources.flux[chosen] * u.Jy,
            "peak_flux": peaks[chosen] * u.Jy / u.beam,
            "SNR": snr[chosen],
            "maj": major * pixel_scale * u.deg,
            "min": minor * pixel_scale * u.deg,
            "pa": angle * u.deg,
            "alpha": alpha[chosen],
            "v_over_i": sources.v_over_i[chosen],
            "N_COMPONENTS": counts[chosen],
        },
        copy=False,
    )


def _sizes(sources: RadioSources, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """FWHM of major and minor axis, pixels, and angle, deg, from the flux's second moments."""
    owner, weight = sources.component_source, sources.component_flux
    n = len(sources.flux)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(owner, weight * values, n) / np.bincount(owner, weight, n)

    dx = sources.component_x - mean(sources.component_x)[owner]
    dy = sources.component_y - mean(sources.component_y)[owner]
    own = ellipse_covariance(
        sources.component_major, sources.component_minor, sources.component_angle
    ).T
    terms = [mean(a + b)[chosen] for a, b in zip(own, (dx * dx, dx * dy, dy * dy), strict=True)]
    return _axes(*terms)


def _axes(
    xx: np.ndarray, xy: np.ndarray, yy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    half_trace, difference = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major, minor = half_trace + difference, np.maximum(half_trace - difference, 0)
    angle = np.degrees(0.5 * np.arctan2(-2 * xy, yy - xx)) % 180
    return FWHM_PER_SIGMA * np.sqrt(major), FWHM_PER_SIGMA * np.sqrt(minor), angle
