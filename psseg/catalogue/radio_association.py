"""Which segments of a radio image are one source: lobes, jets and the core of a radio galaxy.

In: segments on the network's grid, with the image and what the network made of it. Out: the
segments again, those of one source under one label. Two reasons join two segments: a bridge of
emission between pieces that both reach towards it, or a chance below 1 % to find a source that is
not related so near a resolved one. Segments that look like the beam and stand apart stay alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from psseg.catalogue.segment_map import SegmentMap
from psseg.catalogue.segment_pixels import SegmentPixels, list_pixels, touching_pixels
from psseg.tiles.network_planes import NetworkPlanes
from psseg.tiles.places import nearest_pixels
from psseg.tiles.radio_image import RadioImage

__all__ = ["associated_segments"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

BRIDGE_PROBABILITY = 0.6
"""The network must be this sure of emission where two segments touch."""

BRIDGE_SNR = 1.0
"""Rms by which it must be brighter there than two points at the peaks would make it."""

MAX_CHANCE = 0.01
MAX_CHANCE_BRIDGED = 0.1
"""Unrelated sources as bright as the fainter segment that may be expected as near; the latter where
a bridge speaks for the pair. In 16 simulated images with 18 segments too many, 5 pairs were rightly
joined and 1 wrongly; without a limit for bridges some 20 more were, in images full of sources to
the confusion limit. The criterion for doubles of Magliocchetti et al. (1998, MNRAS 300, 257),
separations of up to 100 arcsec (S / 100 mJy)^0.5, has 0.02 at any flux."""

REACHING = 2.0
"""Variance of a segment in the direction of the other, in the beam's. The pixels of a point have
0.7: its segment ends at a third of its peak."""

RESOLVED = 1.2
"""Integrated over peak flux of what is larger than the beam; a point's segment has 0.7 to 1."""

LEAST_PEAK = 5.0
LEAST_FLUX = 10.0
"""Peak and integrated flux over the rms of segments that are associated at all: the shape of others
tells nothing, and diffuse Galactic emission falls into segments of S/N 4."""

COUNTED_FLUX = (1e-6, 1e-5, 5e-5, 2.5e-4, 1e-3, 5e-3, 0.025, 0.1, 0.5, 3.0)
COUNTS = (5e4, 1.6e4, 2090.0, 327.0, 88.6, 27.8, 7.9, 2.0, 0.24, 0.0079)
"""Sources per deg2 brighter than these fluxes, Jy at 1.4 GHz: from 50 uJy on Hopkins et al. (2003,
AJ 125, 465), above 1 Jy de Zotti et al. (2010, A&ARv 18, 1), below 50 uJy Matthews et al. (2021,
ApJ 909, 193)."""

SPARED = 5
"""Compact segments that one radio galaxy may have: core, hot spots, knots of its jets."""

COUNTED_FREQUENCY = 1.4e9
TYPICAL_INDEX = -0.72
"""Of steep-spectrum sources, S ~ nu^alpha (Bonato et al. 2021, MNRAS 500, 22)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shapes:
    """What the pixels of each segment say; places in network pixels, (x, y).

    `covariance` has the beam's sigma as its unit, `flux` the rms, `jansky` is the same flux in Jy.
    """

    centre: Floats
    peak_place: Floats
    peak: Floats
    flux: Floats
    jansky: Floats
    covariance: Floats
    whitening: Floats

    def bright(self) -> Bools:
        """Tell which are bright enough to say what they belong to."""
        return (self.peak > LEAST_PEAK) & (self.flux > LEAST_FLUX)

    def reaching(self, one: Integers, other: Integers) -> Bools:
        """Tell which segments are resolved in the direction of another."""
        step = (self.centre[other] - self.centre[one]) @ self.whitening.T
        direction = step / np.maximum(np.hypot(*step.T), 1e-9)[:, None]
        variance = np.einsum("ni,nij,nj->n", direction, self.covariance[one], direction)
        return (self.flux[one] > RESOLVED * self.peak[one]) & (variance > REACHING)

    def as_points(self, segment: Integers, place: Floats) -> Floats:
        """Give how bright places (n, 2) would be if the segments were points at their peaks."""
        offset = (place - self.peak_place[segment]) @ self.whitening.T
        return np.asarray(self.peak[segment] * np.exp(-0.5 * np.sum(offset**2, axis=1)))


def associated_segments(
    segments: SegmentMap,
    image: RadioImage,
    planes: NetworkPlanes,
    source_probability: NDArray[np.floating],
) -> SegmentMap:
    """Give the segments of one source one label.

    Parameters
    ----------
    segments : SegmentMap (m_y, m_x)
        Segments on the network's grid.
    image : RadioImage
        The image they were found in: its beam, frequency and brightness.
    planes : NetworkPlanes
        What the network saw of it.
    source_probability : ndarray (m_y, m_x)
        Probability that a pixel belongs to any source.

    Returns
    -------
    SegmentMap
        Labels from 1 on; a segment may consist of separate pieces.

    Notes
    -----
    Segments that touch are joined by a bridge where both are resolved and reach towards each other,
    the network sees a source from peak to peak, and the border is brighter than the two as points
    would make it. Segments farther apart are joined where the counts of radio sources let expect
    less than 0.01 unrelated sources as bright as the fainter one and as near, and one of the two
    is resolved and reaches towards the other. This needs the frequency. Where the image itself has
    more compact sources than the counts say, in a cluster or with a wrong unit, as many more are
    expected. What is linked through others is one source: core and lobes by way of the jets. What
    was joined is looked at again as one segment: the flux of a lobe in pieces tells more than that
    of each.
    """
    density, contacts = None, touching_pixels(segments)
    while segments.n_labels > 1:
        pixels = list_pixels(segments)
        shapes = _measure_shapes(pixels, image, planes)
        scale = image.pixel_scale / planes.zoom
        area = np.count_nonzero(~planes.mask) * scale**2
        density = density or _density(shapes, image.frequencies[0], area)
        crowd = density.brighter_than(shapes.jansky) * scale**2
        borders = _borders(pixels, contacts, planes.data[0], source_probability)
        links = np.concatenate([_bridges(borders, shapes, crowd), _neighbours(shapes, crowd)])
        if not len(links):
            break
        segments = _join(pixels, segments, links)
    return segments


def _join(pixels: SegmentPixels, segments: SegmentMap, links: Integers) -> SegmentMap:
    graph = coo_array((np.ones(len(links)), links.T), shape=(segments.n_labels,) * 2)
    number = connected_components(graph, directed=False)[1]
    return replace(segments, label=(number[pixels.owner] + 1).astype(np.int32))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Density:
    """How many sources there are: the published counts, times how crowded this image is.

    `crowding` holds from the flux of the same place in `flux`, ascending, in Jy, to the next.
    """

    frequency: float
    flux: Floats
    crowding: Floats

    def brighter_than(self, flux: Floats) -> Floats:
        """Give the sources per deg2, NaN where flux or frequency is unknown."""
        factor = np.r_[1.0, self.crowding][np.searchsorted(self.flux, flux, side="right")]
        return _published_density(flux, self.frequency) * factor


def _published_density(flux: Floats, frequency: float) -> Floats:
    counted = flux * (COUNTED_FREQUENCY / frequency) ** TYPICAL_INDEX
    return np.exp(np.interp(np.log(counted), np.log(COUNTED_FLUX), np.log(COUNTS)))


def _density(shapes: _Shapes, frequency: float, area: float) -> _Density:
    """Give the density of sources in an area, deg2, with the crowding that compact segments show.

    Lobes are resolved and do not count, nor do as many compact ones as a radio galaxy may have:
    the pieces of the only one in a small image must not keep each other apart. Of the rest, two
    standard deviations are taken for chance. Where faint sources are too many, so are the bright
    ones, of which there are too few to tell.
    """
    compact = shapes.bright() & (shapes.flux < RESOLVED * shapes.peak) & np.isfinite(shapes.jansky)
    flux = np.sort(shapes.jansky[compact])
    expected = np.maximum(_published_density(flux, frequency) * area, 1e-9)
    found = np.arange(len(flux), 0, -1)
    certain = found - 2 * np.sqrt(found) - SPARED
    crowding = np.maximum.accumulate(np.fmax(certain / expected, 1.0))
    return _Density(frequency=frequency, flux=flux, crowding=crowding)


def _measure_shapes(pixels: SegmentPixels, image: RadioImage, planes: NetworkPlanes) -> _Shapes:
    beam = image.beams[0].covariance(image.pixel_scale / planes.zoom, rotation=image.rotation)
    whitening = np.linalg.inv(np.linalg.cholesky(beam))
    values = pixels.of(planes.data[0]).astype(float)
    top = np.lexsort((-values, pixels.owner))[np.r_[0, np.cumsum(pixels.counts())[:-1]]]
    peak_place = np.stack([pixels.columns[top], pixels.rows[top]], axis=-1).astype(float)
    weight = np.maximum(values, 1e-6)  # a segment of background has a centre too
    total = pixels.sums(weight)
    place = np.stack([pixels.columns, pixels.rows], axis=-1).astype(float)
    centre = np.stack([pixels.sums(weight * a) / total for a in place.T], axis=-1)
    dx, dy = ((place - centre[pixels.owner]) @ whitening.T).T
    xx, xy, yy = (pixels.sums(weight * a) / total for a in (dx * dx, dx * dy, dy * dy))
    flux = total / (2 * np.pi * np.sqrt(np.linalg.det(beam)))
    return _Shapes(
        centre=centre,
        peak_place=peak_place,
        peak=values[top],
        flux=flux,
        jansky=flux * _unit(image, planes, peak_place, values[top]),
        covariance=np.stack([xx, xy, xy, yy], axis=-1).reshape(-1, 2, 2),
        whitening=whitening,
    )


def _unit(image: RadioImage, planes: NetworkPlanes, place: Floats, significance: Floats) -> Floats:
    """Give what one rms is at these places, Jy/beam; NaN where that cannot be told."""
    x, y = ((place + 0.5) / planes.zoom - 0.5).T
    brightness = image.planes[0][nearest_pixels(x, y, image.shape)]
    good = (brightness > 0) & (significance > 0)
    return np.where(good, brightness / np.where(good, significance, 1.0), np.nan)


class _Borders(NamedTuple):
    """Pairs of pixels that touch: two segments, the place between them, and what is lower there.

    `first`, `second` (n,) and `place` (n, 2) as (x, y); the probability and the significance of
    the pixel where they are lower.
    """

    first: Integers
    second: Integers
    place: Floats
    sure: Floats
    bright: Floats


def _borders(
    pixels: SegmentPixels,
    contacts: Integers,
    significance: NDArray[np.floating],
    probability: NDArray[np.floating],
) -> _Borders:
    here, there = contacts[:, np.not_equal(*pixels.owner[contacts])]
    first, second = np.sort(pixels.owner[np.stack([here, there])], axis=0)
    x, y = ((at[here] + at[there]) / 2 for at in (pixels.columns, pixels.rows))
    sure, bright = (
        np.minimum(*(values[pixels.rows[at], pixels.columns[at]] for at in (here, there)))
        for values in (probability, significance)
    )
    return _Borders(first, second, np.stack([x, y], axis=-1), sure, bright)


def _bridges(borders: _Borders, shapes: _Shapes, density: Floats) -> Integers:
    """Give the pairs of touching segments, (n, 2), that a bridge of emission joins."""
    first, second, place, sure, bright = borders
    excess = bright - shapes.as_points(first, place) - shapes.as_points(second, place)
    pairs, pair = np.unique(np.stack([first, second], axis=-1), axis=0, return_inverse=True)
    highest, surest = np.full((2, len(pairs)), -np.inf)
    np.maximum.at(highest, pair.ravel(), excess)
    np.maximum.at(surest, pair.ravel(), sure)
    one, other = pairs.T
    bridged = (highest > BRIDGE_SNR) & (surest > BRIDGE_PROBABILITY)
    bridged &= shapes.bright()[one] & shapes.bright()[other]
    bridged &= shapes.reaching(one, other) & shapes.reaching(other, one)
    separation = np.hypot(*(shapes.centre[one] - shapes.centre[other]).T)
    chance = np.pi * separation**2 * np.fmax(density[one], density[other])
    return pairs[bridged & ~(chance > MAX_CHANCE_BRIDGED)]


def _neighbours(shapes: _Shapes, density: Floats) -> Integers:
    """Give the pairs (n, 2) too near each other to be there by chance."""
    known = np.flatnonzero(shapes.bright() & np.isfinite(density))
    if len(known) < 2:
        return np.zeros((0, 2), dtype=np.intp)
    centre = shapes.centre[known]
    near = KDTree(centre).query_ball_point(centre, np.sqrt(MAX_CHANCE / (np.pi * density[known])))
    faint = known[np.repeat(np.arange(len(known)), [len(group) for group in near])]
    bright = known[np.concatenate([np.asarray(group, dtype=np.intp) for group in near])]
    ordered = shapes.jansky[bright] > shapes.jansky[faint]
    faint, bright = faint[ordered], bright[ordered]
    shaped = shapes.reaching(faint, bright) | shapes.reaching(bright, faint)
    return np.stack([faint[shaped], bright[shaped]], axis=-1)
