"""How radio continuum images are taken: what observations are drawn from, and what spoils them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psseg.errors import PssegError

__all__ = ["Artefacts", "ContinuumInstrument", "Setup"]


@dataclass(frozen=True, kw_only=True)
class ContinuumInstrument:
    """What an observation is drawn from; ranges are lowest and highest value.

    Parameters
    ----------
    frequency : tuple of float
        Hz, of the reference plane.
    beam_pixels : tuple of float
        Geometric mean of the beam's FWHM, pixels.
    axis_ratio : tuple of float
        Minor over major axis of the beam.
    beam_size : tuple of float
        Geometric mean of the beam's FWHM, arcsec.
    second_frequency, stokes_v : float
        Probability that there is a second frequency, and that there is Stokes V.
    lever_arm : tuple of float
        Natural logarithm of the higher over the lower frequency; log-uniform.
    second_rms_ratio, v_rms_ratio : tuple of float
        rms of the second frequency, and of Stokes V, over that of the reference plane.
    rms_scale : tuple of float
        Jy/beam, rms of Stokes I at the survey's reference frequency; log-uniform.
    confusion_share : float
        The rms is at least this part of the confusion noise.
    plane_share : float
        Probability of an observation at ``|b| < 5`` deg.
    """

    frequency: tuple[float, float]
    beam_pixels: tuple[float, float]
    axis_ratio: tuple[float, float]
    beam_size: tuple[float, float]
    second_frequency: float
    stokes_v: float
    lever_arm: tuple[float, float]
    second_rms_ratio: tuple[float, float]
    v_rms_ratio: tuple[float, float]
    rms_scale: tuple[float, float]
    confusion_share: float
    plane_share: float

    def __post_init__(self) -> None:
        """Refuse what no observation could be drawn from."""
        for name in ("second_frequency", "stokes_v", "plane_share"):
            _check_share(name, getattr(self, name))
        _check_ranges(self)
        if self.axis_ratio[1] > 1:
            raise PssegError(f"axis_ratio must not exceed 1: {list(self.axis_ratio)}")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """An observation after a well-known survey, in two sub-bands and Stokes V.

    Parameters
    ----------
    frequency, second_frequency : float
        Hz; the reference plane is at the first.
    beam : tuple of float
        FWHM of the major and minor axis, arcsec.
    pixel_scale : float
        arcsec.
    rms : float
        Jy/beam, of the reference plane.
    second_rms_ratio, v_rms_ratio : float
        rms of the second frequency, and of Stokes V, over that of the reference plane.
    """

    frequency: float
    second_frequency: float
    beam: tuple[float, float]
    pixel_scale: float
    rms: float
    second_rms_ratio: float
    v_rms_ratio: float

    def __post_init__(self) -> None:
        """Refuse what is no observation."""
        for name, value in vars(self).items():
            if min(value if isinstance(value, tuple) else (value,)) <= 0:
                raise PssegError(f"{name} must be above 0, not {value}")
        if self.beam[0] < self.beam[1]:
            raise PssegError(f"beam must be major and minor axis, not {list(self.beam)}")


@dataclass(frozen=True, kw_only=True)
class Artefacts:
    """What interferometers add to their images; ranges are lowest and highest value.

    Parameters
    ----------
    leakage : tuple of float
        Standard deviation of V over I from leakage at the centre of the field, drawn per tile.
    leakage_growth : float
        It grows as ``1 + leakage_growth * r / r_edge``.
    sidelobe_amplitude : tuple of float
        Residual sidelobes over a source's peak: median, and natural-log scatter.
    sidelobe_reach : tuple of float
        How far they reach, beams.
    snapshot_fraction : float
        Share of tiles that are snapshots.
    snapshot_amplitude : tuple of float
        Sidelobes of snapshots over a source's peak.
    snapshot_spokes : tuple of float
        Fewest and most spokes of their pattern.
    bowl_probability : float
        Share of tiles with negative bowls.
    bowl_depth, bowl_width : tuple of float
        Their depth over the source's peak, and their FWHM in beams.
    rms_variation : tuple of float
        Natural-log rms of the smooth change of the noise.
    rms_scallop : tuple of float
        Amplitude of the noise's periodic change between the beams of a phased-array feed.
    bright_snr : float
        Peak over rms above which a source raises the noise around it.
    bright_rms, bright_reach : tuple of float
        ``c`` and ``r0`` (beams) of the factor ``1 + c log10(snr / bright_snr) exp(-r / r0)``.
    blank_border_probability, blank_border_share : float
        Share of tiles with a blank border, and the largest part of a tile that is blank.
    diffuse_probability : tuple of float
        Share of tiles with diffuse emission, away from the Galactic plane and at ``|b| < 5`` deg.
    diffuse_rms : tuple of float
        Its rms over that of the noise.
    diffuse_slope : tuple of float
        Slope of its angular power spectrum (power ∝ k^-slope).
    """

    leakage: tuple[float, float]
    leakage_growth: float
    sidelobe_amplitude: tuple[float, float]
    sidelobe_reach: tuple[float, float]
    snapshot_fraction: float
    snapshot_amplitude: tuple[float, float]
    snapshot_spokes: tuple[float, float]
    bowl_probability: float
    bowl_depth: tuple[float, float]
    bowl_width: tuple[float, float]
    rms_variation: tuple[float, float]
    rms_scallop: tuple[float, float]
    bright_snr: float
    bright_rms: tuple[float, float]
    bright_reach: tuple[float, float]
    blank_border_probability: float
    blank_border_share: float
    diffuse_probability: tuple[float, float]
    diffuse_rms: tuple[float, float]
    diffuse_slope: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse shares that are none, and ranges that run backwards."""
        for name in (
            "snapshot_fraction", "bowl_probability", "blank_border_probability",
            "blank_border_share",
        ):  # fmt: skip
            _check_share(name, getattr(self, name))
        for share in self.diffuse_probability:
            _check_share("diffuse_probability", share)
        _check_ranges(self, besides=("sidelobe_amplitude", "diffuse_probability"))


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise PssegError(f"{name} must be 0 to 1, not {value}")


def _check_ranges(record: object, *, besides: Sequence[str] = ()) -> None:
    """Refuse pairs of numbers that are negative or fall."""
    for name, value in vars(record).items():
        if isinstance(value, tuple) and name not in besides and not 0 <= value[0] <= value[1]:
            raise PssegError(f"{name} must be lowest and highest value, not {list(value)}")
