"""What the network says of a radio image, region by region.

In: a radio image, its noise in boxes, a region of it, and a trained network. Out: what the network
saw of the region and its class probabilities; those of the whole image go to a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from psseg.network.store import Model
from psseg.progress import Progress
from psseg.survey.classes import CLASS_NAMES
from psseg.tiles.image_noise import ImageNoise
from psseg.tiles.network_planes import (
    NetworkPlanes,
    beam_pixels,
    network_planes,
    to_image_grid,
)
from psseg.tiles.noise import NoiseMesh, measure_planes
from psseg.tiles.probability_map import ProbabilityMap
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.regions import Region, cut_regions, release_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["image_noise", "label_image", "label_region", "regions_of", "store_region"]


REGION_CORE = 768
"""Of the network's windows in the regions of large images, pixels: there memory counts more than
time, of which this takes a tenth more."""


def label_image(
    image: RadioImage, model: Model, *, progress: bool = False
) -> tuple[ProbabilityMap, ImageNoise]:
    """Label a radio image.

    Parameters
    ----------
    image, model, progress
        As for :func:`psseg.image_catalogue.catalogue_image`.

    Returns
    -------
    class_probabilities : ProbabilityMap
        Background, pulsar, blazar, other of every pixel; NaN where blank.
    noise : ImageNoise
        Local rms and mean, bright pixels clipped.
    """
    meshes = measure_planes(image)
    result = ProbabilityMap((len(CLASS_NAMES), *image.shape))
    for region in regions_of(image, progress=progress):
        part, planes, probabilities = label_region(image, region, meshes, model, progress=progress)
        store_region(probabilities, planes, part, region, result)
    return result, image_noise(image, meshes)


def regions_of(image: RadioImage, *, progress: bool) -> Iterator[Region]:
    """Give the regions that an image is worked on in, one after the other, with a progress bar."""
    regions = cut_regions(image.shape)
    for region in Progress(regions, unit="region", disable=not progress or len(regions) == 1):
        yield region
        release_memory()


def image_noise(image: RadioImage, meshes: Sequence[NoiseMesh]) -> ImageNoise:
    """Give the noise of an image as maps that are made when they are asked for."""
    return ImageNoise(meshes=tuple(meshes), planes=image.planes)


def label_region(
    image: RadioImage,
    region: Region,
    meshes: Sequence[NoiseMesh],
    model: Model,
    *,
    progress: bool,
) -> tuple[RadioImage, NetworkPlanes, NDArray[np.float32]]:
    """Give a region's image, what the network sees of it, and what it says, (4, m_y, m_x)."""
    part = region.cut(image)
    planes = network_planes(part, image_noise(image, meshes).part(*region.window))
    if part is image:
        return part, planes, _label_planes(part, planes, model, progress=progress)
    return part, planes, _label_planes(part, planes, model, core=REGION_CORE)


def store_region(
    probabilities: NDArray[np.float32],
    planes: NetworkPlanes,
    part: RadioImage,
    region: Region,
    into: ProbabilityMap,
) -> NDArray[np.float32]:
    """Keep the probabilities in the region's core; give all of them on the image's pixels."""
    on_image = to_image_grid(probabilities, planes, part.shape)
    into.write(region.core, on_image[:, *region.inner])
    return on_image


def _label_planes(
    image: RadioImage, planes: NetworkPlanes, model: Model, **how: Any
) -> NDArray[np.float32]:
    """Give the class probabilities of the network's pixels, (4, m_y, m_x).

    Keras is imported here at the earliest, so that wrong input is told at once.
    """
    from psseg.network.plane_labelling import label_planes

    return label_planes(planes, model, beam_pixels=beam_pixels(image, planes), **how)
