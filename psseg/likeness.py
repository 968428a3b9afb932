"""Tell whether a map is like the skies a network was trained on.

In: a map, and what the network says of it. Out, of counts: how badly the expected background
describes the pixels in which little is light of sources, band by band, and the share of the pixels
that are given to sources. A network that has never seen such a sky cannot see through its diffuse
emission, and leaves residuals larger than any it left in training, or takes it for sources.

Out, of radio images: how the noise in the pixels without sources is distributed and correlated, and
the share of the others. Uncleaned sidelobes, a wrong beam, or values that are no noise show there.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from psseg.errors import PssegError, PssegWarning
from psseg.tiles.beam import FWHM_PER_SIGMA
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.tile import Tile

if TYPE_CHECKING:
    from psseg.network.labelling import LabelMap

__all__ = [
    "IMAGE_STATISTICS",
    "CountsLikeness",
    "background_residuals",
    "counts_likeness",
    "image_statistics",
    "tell_unchecked",
    "tell_unlike",
    "unlike_statistics",
]

LIGHT_SHARE = 0.2
"""Pixels in which sources add less than this share of the background say how good that is. Where
sources crowd, no pixel is far from all of them."""

BACKGROUND_ERROR = 0.2
"""Relative error of the background that does no harm. On simulated skies of the inner plane, where
there are a hundred counts in a pixel, residuals over those of Poisson noise alone reach 4.7."""

SCATTER = 0.05
"""A band says nothing if Poisson noise alone would scatter its residuals by more than this."""

SOURCE = 0.5
"""Source probability from which a pixel is given to a source."""

IMAGE_STATISTICS = ("correlation", "ringing", "depth", "sources")
"""What `image_statistics` gives, in the order of a calibration's ``image_range``."""

FEWEST_BEAMS = 100.0
"""Beams without sources, without which nothing can be said of the noise of a radio image."""

SOURCE_REACH = 2.0
"""Distance to the nearest pixel of a source, beams, within which its light is not noise."""

RING_LAGS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
"""Beams over which sidelobes swing to the other sign and noise has forgotten itself."""

STRIP_BEAMS = 10
STRIP_ROWS = 64
PIXELS_LOOKED_AT = 1e6
"""A large image is looked at in strips of rows, at least this high, which hold so many pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CountsLikeness:
    """What tells a counts map that is unlike the training skies.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (n_bands,)
        Of `background_residuals`.
    sources : float
        Share of the pixels that are given to sources; NaN if all are blank.
    """

    residuals: NDArray[np.float64]
    sources: float

    @property
    def is_known(self) -> bool:
        """Whether any band says how good the background is."""
        return bool(np.isfinite(self.residuals).any())

    def unlike(
        self,
        residual_limit: Sequence[float],
        image_range: Sequence[tuple[float, float]],
        bands: Sequence[str],
    ) -> list[str]:
        """Name what lies outside the range of the training skies.

        Parameters
        ----------
        residual_limit : sequence of float, length n_bands or 0
            Of a calibration; empty where it was not measured: then no residuals are unlike.
        image_range : sequence of (float, float), length 1 or 0
            The same for `sources`.
        bands : sequence of str
            Their names.

        Returns
        -------
        list of str
            Name, value and range of each; empty where the map is like the training skies.

        Examples
        --------
        >>> found = CountsLikeness(residuals=np.array([1.0, np.nan, 1.4]), sources=0.02)
        >>> found.unlike((1.2, 1.2, 1.2), ((0.0, 0.12),), ("low", "middle", "high"))
        ['residuals of high 1.4 (training: 0 to 1.2)']
        """
        names = [f"residuals of {band}" for band in bands]
        residuals = dict(zip(names, self.residuals.tolist(), strict=True))
        limits = [(0.0, limit) for limit in residual_limit]
        return [
            *_outside(residuals, names, limits),
            *_outside({"sources": self.sources}, ("sources",), image_range),
        ]


def counts_likeness(tile: Tile, label_map: LabelMap, light: NDArray[np.floating]) -> CountsLikeness:
    """Describe what tells a counts map that is unlike the training skies.

    Parameters
    ----------
    tile : Tile
        The map.
    label_map : LabelMap
        Its class probabilities and expected background.
    light : numpy.ndarray, shape (n_present, n_y, n_x)
        Expected counts of all candidates, in the bands that are present
        (:func:`psseg.catalogue.source_light.source_light`).

    Returns
    -------
    CountsLikeness
    """
    seen = label_map.source_probability[~tile.mask]
    return CountsLikeness(
        residuals=background_residuals(tile, label_map.background, light),
        sources=float(np.mean(seen >= SOURCE)) if seen.size else np.nan,
    )


def background_residuals(
    tile: Tile, background: NDArray[np.floating], light: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Give the squared residuals of pixels without much light of sources over what is expected.

    Parameters
    ----------
    tile, light
        As for `counts_likeness`.
    background : numpy.ndarray, shape (n_bands, n_y, n_x)
        Expected background counts, as the network gave them.

    Returns
    -------
    numpy.ndarray, shape (n_bands,)
        ``Σ (counts - e)² / Σ (e + (0.2 e)²)``, where background and light ``e`` are expected: about
        1 where both are as good as they should be, less where they are better and the counts are
        many, NaN in bands that are absent or say too little.

    Notes
    -----
    A ratio of sums, not a mean of ratios: pixels that expect a hundredth of a count would make
    that jump with every photon. The variance of the sum of squares is, of Poisson noise,
    ``Σ (e + 2 e²)``.

    The background is not corrected as it is in the fit of the sources, which would hide what is
    asked for. On simulated skies of the plane whose emission was made wrong, the residuals of these
    pixels told more than those of all pixels, into which a single bright source enters, or of the
    tenth farthest from sources.
    """
    residuals = np.full(tile.n_bands, np.nan)
    for number, band in enumerate(np.flatnonzero(tile.bands_present)):
        free = ~tile.mask & (light[number] < LIGHT_SHARE * background[band])
        expected = (background[band][free] + light[number][free]).astype(float)
        usual = np.sum(expected + (BACKGROUND_ERROR * expected) ** 2)
        if np.sqrt(np.sum(expected + 2 * expected**2)) < SCATTER * usual:
            residuals[band] = np.sum((tile.data[band][free] - expected) ** 2) / usual
    return residuals


def image_statistics(
    image: RadioImage, noise: ImageNoise, sources: NDArray[np.bool_]
) -> dict[str, float]:
    """Describe the noise of a radio image in the pixels without sources.

    Parameters
    ----------
    image : RadioImage
        The image; its reference plane is looked at.
    noise : ImageNoise
        Its local noise and background, measured without the sources.
    sources : numpy.ndarray, shape (n_y, n_x), bool
        Pixels that the network gave to sources; none are blank.

    Returns
    -------
    dict of str to float
        By the names of `IMAGE_STATISTICS`:

        - correlation: width of the autocorrelation of the noise over that of the beam, 1 where the
          noise is white noise convolved with the beam, 0 where it is white;
        - ringing: depth of the most negative autocorrelation, 1.5 to 5 beams apart along rows and
          columns, beyond twice its sampling error; 0 of noise, some tenths of sidelobes;
        - depth: root mean square of the negative pixels over the local noise, 1 of Gaussian noise;
        - sources: share of the pixels that belong to sources.

        The first three are not-a-number where fewer than 100 beams are free of sources.

    Notes
    -----
    The autocorrelation of white noise convolved with a Gaussian beam of covariance C is
    exp(-d C⁻¹ d / 4). It is compared half a beam apart.
    """
    beam = image.beams[0].covariance(image.pixel_scale, rotation=image.rotation)
    fwhm = FWHM_PER_SIGMA * float(np.linalg.det(beam) ** 0.25)
    near = max(1, round(fwhm / 2))
    sums = _NoiseSums(lags=(near, *(round(lag * fwhm) for lag in RING_LAGS)))
    for values in _free_strips(image, noise, sources, fwhm):
        sums.add(values)
    valid = image.mask.size - int(np.count_nonzero(image.mask))
    statistics = {"sources": int(np.count_nonzero(sources)) / max(valid, 1)}
    beams = sums.n / (2 * np.pi * np.sqrt(np.linalg.det(beam)))
    if beams < FEWEST_BEAMS:
        return statistics | dict.fromkeys(IMAGE_STATISTICS[:3], np.nan)
    measured, *ring = sums.correlation()
    expected = np.exp(-(near**2) * np.diagonal(np.linalg.inv(beam)) / 4).mean()
    width = np.sqrt(np.log(expected) / np.log(np.clip(measured, 1e-6, 1 - 1e-6)))
    return statistics | {
        "correlation": float(width),
        "ringing": float(max(0.0, -np.nanmin(ring) - 2 / np.sqrt(2 * beams))),
        "depth": float(np.sqrt(sums.negative_square / max(sums.n_negative, 1))),
    }


def unlike_statistics(
    statistics: dict[str, float], limits: Sequence[tuple[float, float]]
) -> list[str]:
    """Name what in a radio image lies outside the range of the training images.

    Parameters
    ----------
    statistics : dict of str to float
        Of `image_statistics`.
    limits : sequence of (float, float), length 4 or 0
        The calibration's ``image_range``; empty where it was not measured: then no image is unlike.

    Returns
    -------
    list of str
        Name, value and range of each; empty where the image is like those of the training.

    Examples
    --------
    >>> found = {"correlation": 0.1, "ringing": 0.0, "depth": 1.0, "sources": 0.02}
    >>> unlike_statistics(found, [(0.4, 2.5), (0.0, 0.14), (0.8, 1.5), (0.0, 0.35)])
    ['correlation 0.1 (training: 0.4 to 2.5)']
    """
    return _outside(statistics, IMAGE_STATISTICS, limits)


def _outside(
    statistics: Mapping[str, float], names: Sequence[str], limits: Sequence[tuple[float, float]]
) -> list[str]:
    """Name what lies outside its limits; without limits nothing does, and NaN never."""
    return [
        f"{name} {statistics[name]:.3g} (training: {low:.3g} to {high:.3g})"
        for name, (low, high) in zip(names, limits, strict=False)
        if statistics[name] < low or statistics[name] > high
    ]


def tell_unlike(map_: str, model: str, why: str, *, strict: bool) -> None:
    """Refuse a map that is unlike the training skies, or warn of it.

    Parameters
    ----------
    map_, model : str
        Names.
    why : str
        What is unlike.
    strict : bool
        Whether to refuse it.

    Raises
    ------
    PssegError
        With `strict`.

    Warns
    -----
    PssegWarning
        Without.
    """
    what = f"{map_}: unlike the skies that {model} was trained on: {why}"
    if strict:
        raise PssegError(f"{what}; leave --strict out to catalogue it with a flag")
    warnings.warn(f"{what}; all sources are flagged", PssegWarning, stacklevel=4)


def tell_unchecked(map_: str, model: str, *, strict: bool) -> None:
    """Refuse a map whose likeness to the training skies cannot be told, or warn of it.

    Parameters
    ----------
    map_, model, strict
        As for `tell_unlike`.

    Raises
    ------
    PssegError
        With `strict`.

    Warns
    -----
    PssegWarning
        Without.
    """
    what = (
        f"{map_}: its likeness to the skies that {model} was trained on could not be checked: too "
        "few counts that are not of sources"
    )
    if strict:
        raise PssegError(f"{what}; leave --strict out to catalogue it all the same")
    warnings.warn(what, PssegWarning, stacklevel=4)


@dataclass(kw_only=True)
class _NoiseSums:
    """Sums over pixels without sources, strip by strip."""

    lags: tuple[int, ...]
    n: int = 0
    n_negative: int = 0
    negative_square: float = 0.0
    products: NDArray[np.float64] = field(init=False)
    squares: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.products, self.squares = np.zeros((2, len(self.lags)))

    def add(self, values: NDArray[np.float32]) -> None:
        """Add a strip in units of the noise, NaN where it holds sources or is blank."""
        free = np.isfinite(values)
        values = np.where(free, values, 0)
        negative = np.minimum(values, 0)
        self.n += int(np.count_nonzero(free))
        self.n_negative += int(np.count_nonzero(negative))
        self.negative_square += float(np.vdot(negative, negative))
        for number, lag in enumerate(self.lags):
            for one, other in ((values, free), (values.T, free.T)):
                first, second = one[:, lag:], one[:, :-lag]
                both = other[:, lag:] & other[:, :-lag]
                self.products[number] += float(np.sum(first * second))
                self.squares[number] += float(np.sum((first**2 + second**2)[both]) / 2)

    def correlation(self) -> NDArray[np.float64]:
        """Give the autocorrelation at each lag, rows and columns together; NaN where unknown."""
        with np.errstate(invalid="ignore"):
            return self.products / self.squares


def _free_strips(
    image: RadioImage, noise: ImageNoise, sources: NDArray[np.bool_], fwhm: float
) -> Iterator[NDArray[np.float32]]:
    """Give strips of the reference plane over its noise; NaN where there are sources or blanks."""
    n_y, n_x = image.shape
    reach = int(np.ceil(SOURCE_REACH * fwhm))
    height = max(STRIP_ROWS, int(np.ceil(STRIP_BEAMS * fwhm)))
    step = height * max(1, int(np.ceil(n_y * n_x / PIXELS_LOOKED_AT)))
    for start in range(0, n_y, step):
        rows = slice(start, min(start + height, n_y))
        first = max(start - reach, 0)
        around = maximum_filter(sources[first : rows.stop + reach], 2 * reach + 1)
        local = noise.part(rows)
        values = (image.planes[0, rows] - local.mean[0]) / local.rms[0]
        values[around[start - first :][: rows.stop - start]] = np.nan
        yield values
