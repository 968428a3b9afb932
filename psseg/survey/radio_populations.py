"""What the radio sky holds: source counts, populations of sources, and the training mix."""

from __future__ import annotations

from dataclasses import dataclass

from psseg.errors import PssegError
from psseg.survey.classes import SOURCE_CLASSES
from psseg.survey.schema import check_rising

__all__ = ["SHAPES", "BalancedMix", "GalacticCounts", "RadioCounts", "RadioPopulation"]

SHAPES = ("point", "compact", "disc", "core-jet", "fri", "frii", "bent")
"""Shapes a source may have; `psseg.sky.radio_shapes` draws them."""


@dataclass(frozen=True, kw_only=True)
class RadioCounts:
    """Differential counts of extragalactic sources at the reference frequency.

    Parameters
    ----------
    polynomial : tuple of float
        log10 of (dN/dS) S^2.5, Jy^1.5 sr⁻¹, as a polynomial in log10(S / mJy), constant first.
    bright_polynomial : tuple of float
        The same in log10(S / Jy), from `bright_flux` on.
    bright_flux, brightest_flux : float
        Jy; there is no source above the second.
    faint_fluxes, faint_slopes : tuple of float
        dN/dS ∝ S^-slope below each flux (Jy, falling), down to the next.
    faintest_flux : float
        Jy; there is no source below it.
    share_fluxes : tuple of float
        Jy, rising: nodes of the populations' shares.
    """

    polynomial: tuple[float, ...]
    bright_polynomial: tuple[float, ...]
    bright_flux: float
    brightest_flux: float
    faint_fluxes: tuple[float, ...]
    faint_slopes: tuple[float, ...]
    faintest_flux: float
    share_fluxes: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse counts that do not fit together."""
        if len(self.faint_fluxes) != len(self.faint_slopes):
            raise PssegError("want one of faint_slopes for each of faint_fluxes")
        fluxes = (self.faintest_flux, *self.faint_fluxes[::-1], self.bright_flux)
        names = "faintest_flux, faint_fluxes from the last, bright_flux and brightest_flux"
        check_rising(names, (*fluxes, self.brightest_flux))
        check_rising("share_fluxes", self.share_fluxes)


@dataclass(frozen=True, kw_only=True)
class GalacticCounts:
    """Integral counts of a Galactic population at the reference frequency.

    Parameters
    ----------
    latitude_edges : tuple of float
        Edges of intervals of ``|b|``, 0 to 90 deg.
    number_above : tuple of float
        deg⁻², above `reference_flux`, one per interval.
    reference_flux : float
        Jy.
    flux_range : tuple of float
        Jy, faintest and brightest flux drawn.
    flux_breaks, count_slopes : tuple of float
        N(> S) ∝ S^-slope, one slope more than breaks, continuous at the breaks.
    """

    latitude_edges: tuple[float, ...]
    number_above: tuple[float, ...]
    reference_flux: float
    flux_range: tuple[float, float]
    flux_breaks: tuple[float, ...]
    count_slopes: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse counts that do not fit together."""
        edges = self.latitude_edges
        check_rising("latitude_edges", edges, from_zero=True)
        if edges[0] != 0 or edges[-1] != 90:
            raise PssegError(f"latitude_edges must rise from 0 to 90 deg, not {list(edges)}")
        if len(self.number_above) != len(edges) - 1 or min(self.number_above) <= 0:
            raise PssegError("number_above must be one number above 0 per interval of latitude")
        if len(self.count_slopes) != len(self.flux_breaks) + 1 or min(self.count_slopes) <= 0:
            raise PssegError("count_slopes must be one number above 0 more than flux_breaks")
        low, high = self.flux_range
        check_rising("flux_range with flux_breaks", (low, *self.flux_breaks, high))
        if self.reference_flux <= 0:
            raise PssegError(f"reference_flux must be above 0 Jy, not {self.reference_flux}")


@dataclass(frozen=True, kw_only=True)
class RadioPopulation:
    """Sources of one kind: how many, with which spectrum, polarisation, shape and size.

    Parameters
    ----------
    name, code : str
        What they are, and their code in catalogues.
    source_class : str
        "pulsar", "blazar" or "other".
    index, index_range : tuple of float
        Mean and standard deviation of the spectral index at the reference frequency, and its
        lowest and highest value.
    curvature : tuple of float
        Mean and standard deviation of q in ``S ∝ exp(alpha x + q x²)``, x = ln(frequency over
        reference frequency); cut at three standard deviations.
    circular : tuple of float
        Mean, scatter (Student's t with five degrees of freedom) and largest value of ``|V|/I``;
        the sign is random.
    shapes, shape_weights : tuple
        Names of `SHAPES`, and how frequent each is.
    size : tuple of float
        Largest angular size: median at 1 mJy at the reference frequency, arcsec; exponent of its
        growth with flux; q of the distribution ``h(> t) = exp(-ln 2 (t / median)^q)``.
    size_limit : float
        Largest size, arcsec.
    balanced_weight : float
        Share of its class in the training mix.
    share : tuple of float
        Part of the extragalactic counts at the counts' `share_fluxes`.
    galactic : GalacticCounts, optional
        Counts of a Galactic population, instead of `share`.
    """

    name: str
    code: str
    source_class: str
    index: tuple[float, float]
    index_range: tuple[float, float]
    curvature: tuple[float, float]
    circular: tuple[float, float, float]
    shapes: tuple[str, ...]
    shape_weights: tuple[float, ...]
    balanced_weight: float
    size: tuple[float, float, float] = (0.0, 0.0, 1.0)
    size_limit: float = 300.0
    share: tuple[float, ...] = ()
    galactic: GalacticCounts | None = None

    def __post_init__(self) -> None:
        """Refuse values that no simulation could use."""
        if self.source_class not in SOURCE_CLASSES:
            raise PssegError(
                f"source_class is {self.source_class!r}, want one of {', '.join(SOURCE_CLASSES)}"
            )
        if bool(self.share) == bool(self.galactic):
            raise PssegError("want either share or [populations.galactic]")
        if self.share and (min(self.share) < 0 or max(self.share) > 1):
            raise PssegError(f"every share must be 0 to 1, not {list(self.share)}")
        self._check_shapes()
        self._check_spectrum()

    def _check_shapes(self) -> None:
        for shape in self.shapes:
            if shape not in SHAPES:
                raise PssegError(f"unknown shape {shape!r}, want {', '.join(SHAPES)}")
        weights = self.shape_weights
        if len(weights) != len(self.shapes) or abs(sum(weights) - 1) > 1e-6 or min(weights) < 0:
            raise PssegError(
                f"want one of shape_weights per entry of shapes, not negative, with sum 1, "
                f"got {list(weights)} for {list(self.shapes)}"
            )
        if self.size[0] < 0 or self.size[2] <= 0 or self.size_limit <= 0:
            raise PssegError(f"size and size_limit must be positive: {list(self.size)}")
        if self.size[0] == 0 and set(self.shapes) != {"point"}:
            raise PssegError("want a size for shapes other than 'point'")

    def _check_spectrum(self) -> None:
        low, high = self.index_range
        if self.curvature[1] < 0:
            raise PssegError(f"curvature must have no negative scatter: {list(self.curvature)}")
        if not low <= self.index[0] <= high or self.index[1] < 0:
            raise PssegError(
                f"want the mean index within index_range and no negative scatter, "
                f"got index {list(self.index)} in {list(self.index_range)}"
            )
        mean, scatter, limit = self.circular
        if min(mean, scatter, limit) < 0 or limit > 1 or mean > limit:
            raise PssegError("circular must be mean, scatter and limit, 0 to 1")
        if self.balanced_weight < 0:
            raise PssegError("balanced_weight must not be negative")


@dataclass(frozen=True, kw_only=True)
class BalancedMix:
    """The training mix: all classes alike, over all fluxes, sizes and crowds.

    Parameters
    ----------
    snr : tuple of float
        Faintest and brightest flux over the rms.
    slope : float
        dN/dS ∝ S^-slope.
    beams_per_source : tuple of float
        Beam areas per source, drawn log-uniformly per tile.
    resolved_share : float
        Part of the sources with a shape whose size is drawn in pixels.
    resolved_size : tuple of float
        Their size, pixels, log-uniform.
    """

    snr: tuple[float, float]
    slope: float
    beams_per_source: tuple[float, float]
    resolved_share: float
    resolved_size: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse a mix that could not be drawn."""
        for name in ("snr", "beams_per_source", "resolved_size"):
            check_rising(name, getattr(self, name))
        if self.slope == 1 or not 0 <= self.resolved_share <= 1:
            raise PssegError("want a slope other than 1 and resolved_share 0 to 1")
