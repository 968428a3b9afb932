"""Local noise and background of each plane of a radio image, as maps.

A plane is cut into boxes of about twenty beams. Each box gives one rms and one mean, from pixels
that hold neither sources nor blanks; between the centres of the boxes both are interpolated.
Around bright sources, where sidelobes raise the noise, the boxes are three times smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from psseg.errors import PssegError
from psseg.tiles.box_statistics import Numbers, box_of, box_statistics
from psseg.tiles.radio_image import RadioImage

__all__ = [
    "Noise",
    "NoiseMesh",
    "estimate_noise",
    "measure_noise",
    "measure_planes",
    "noise_maps",
]

_BOX_BEAMS = 20  # 350 independent beams in a box: its rms is known to 4 %
_BOX_PIXELS = 32
_FINER = 3  # boxes near bright sources are smaller by this factor, as PyBDSF's rms_box_bright
_BRIGHT_SNR = 50.0  # what counts as bright, as PyBDSF's adaptive_thresh
_SOURCE_SNR = 3.5  # pixels above it, and a beam around them, are left out
_ROUNDS = 2  # of leaving out sources: in crowded fields the second takes 1 % off the rms
_SAMPLES_PER_BEAM = 1.25  # denser samples of beam-correlated noise know its rms no better
_LEAST_SAMPLES = 16  # along an axis of a small image, though they know little more
_LEAST_FILLED = 0.25  # a box with fewer of its samples takes the values of the nearest sound one
_EXCESS = 1.15, 1.4  # rms of a small box over that of its large one where it begins to count, and
# where it counts fully: the scatter of small boxes on pure noise is 0.1
_STRIP = 512  # rows interpolated at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """Local noise and background of a radio image, pixel by pixel.

    Parameters
    ----------
    rms : numpy.ndarray, shape (n_planes, n_y, n_x), float32
        Noise, Jy/beam; NaN where the plane is blank, and throughout a plane without noise.
    mean : numpy.ndarray, shape (n_planes, n_y, n_x), float32
        Background, Jy/beam; NaN where the plane is blank.
    """

    rms: NDArray[np.float32]
    mean: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseMesh:
    """Noise and background of one plane in its boxes.

    Parameters
    ----------
    rms, mean : numpy.ndarray, shape (k_y, k_x), float32
        Values at the centres of the boxes, Jy/beam; NaN if the whole plane is blank or constant.
    box : tuple of float
        Height and width of a box, pixels; the first box begins at the outer edge of pixel 0.
    """

    rms: NDArray[np.float32]
    mean: NDArray[np.float32]
    box: tuple[float, float]

    def interpolate(
        self, rows: NDArray, columns: NDArray
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give rms and mean on a grid of pixels, or on any part of it.

        Parameters
        ----------
        rows : numpy.ndarray, shape (n_y,)
            Rows of the plane, pixels.
        columns : numpy.ndarray, shape (n_x,)
            Columns of the plane, pixels.

        Returns
        -------
        rms, mean : numpy.ndarray, shape (n_y, n_x), float32
            The mean is linear, the rms log-linear between the centres of the boxes; both go on for
            half a box beyond the outermost.
        """
        y, x = _places(rows, self.box[0]), _places(columns, self.box[1])
        return _interpolate_log(self.rms, y, x), _interpolate(self.mean, y, x)


def estimate_noise(image: RadioImage, *, sources: NDArray[np.bool_] | None = None) -> Noise:
    """Estimate the local noise and background of every plane of a radio image.

    Parameters
    ----------
    image : RadioImage
        The image.
    sources : numpy.ndarray, shape (n_y, n_x), bool, optional
        Pixels to leave out, and a beam around them. The default leaves out what stands 3.5 times
        above the noise: artefacts too, so that the noise near them comes out lower.

    Returns
    -------
    Noise
        One map of each kind per plane.

    Raises
    ------
    PssegError
        If `sources` has not the image's shape.

    Notes
    -----
    See `measure_noise` for the method and its limits. Where two maps per plane are too much memory,
    `measure_planes` once and `noise_maps` part by part give the same.
    """
    return noise_maps(measure_planes(image, sources=sources), image.planes)


def measure_planes(
    image: RadioImage, *, sources: NDArray[np.bool_] | None = None
) -> tuple[NoiseMesh, ...]:
    """Measure every plane of a radio image in boxes: noise and background in little memory.

    Parameters
    ----------
    image : RadioImage
        The image.
    sources : numpy.ndarray, shape (n_y, n_x), bool, optional
        As for `estimate_noise`.

    Returns
    -------
    tuple of NoiseMesh
        One per plane.

    Raises
    ------
    PssegError
        If `sources` has not the image's shape, or the reference plane has no noise.
    """
    if sources is not None and sources.shape != image.shape:
        raise PssegError(f"sources: want the image's shape {image.shape}, got {sources.shape}")
    widths = [beam.width(image.pixel_scale) for beam in image.beams]
    meshes = tuple(
        measure_noise(plane, fwhm, sources=sources, signed=stokes == "V")
        for plane, fwhm, stokes in zip(image.planes, widths, image.stokes, strict=True)
    )
    if sources is None and np.isnan(meshes[0].rms).all() and not np.isnan(image.planes[0]).all():
        raise PssegError(
            f"{image.name}: no noise to measure in it: its pixels are blank or nearly all alike"
        )
    return meshes


def noise_maps(
    meshes: Sequence[NoiseMesh],
    planes: NDArray[np.float32],
    *,
    corner: tuple[int, int] = (0, 0),
) -> Noise:
    """Make maps of noise and background of an image, or of a part of it.

    Parameters
    ----------
    meshes : sequence of NoiseMesh
        One per plane, of the whole image.
    planes : numpy.ndarray, shape (n_planes, n_y, n_x)
        The image or the part: its NaN are those of the maps.
    corner : tuple of int
        Row and column of the image where the part begins.

    Returns
    -------
    Noise
        Of the shape of `planes`; a part has the values that the whole has there.
    """
    noise = Noise(rms=np.empty(planes.shape, np.float32), mean=np.empty(planes.shape, np.float32))
    columns = corner[1] + np.arange(planes.shape[2])
    for i, (mesh, plane) in enumerate(zip(meshes, planes, strict=True)):
        for start in range(0, planes.shape[1], _STRIP):
            rows = np.arange(start, min(start + _STRIP, planes.shape[1]))
            blank = np.isnan(plane[rows[0] : rows[-1] + 1])
            strip = mesh.interpolate(corner[0] + rows, columns)
            for values, into in zip(strip, (noise.rms, noise.mean), strict=True):
                np.copyto(values, np.nan, where=blank)
                into[i, rows[0] : rows[-1] + 1] = values
    return noise


def measure_noise(
    plane: NDArray,
    fwhm: float,
    *,
    sources: NDArray[np.bool_] | None = None,
    signed: bool = False,
) -> NoiseMesh:
    """Measure the noise and the background of a plane in boxes.

    Parameters
    ----------
    plane : numpy.ndarray, shape (n_y, n_x)
        Jy/beam; NaN where blank.
    fwhm : float
        Full width at half maximum of the beam, pixels.
    sources : numpy.ndarray, shape (n_y, n_x), bool, optional
        Pixels to leave out, and a beam around them. The default leaves out what stands 3.5 times
        above the noise.
    signed : bool
        Whether sources are negative too, as in Stokes V.

    Returns
    -------
    NoiseMesh
        Noise and background of boxes of 20 beams, at least 32 pixels, or of a third of that in all
        of the image where noise near bright sources (S/N > 50) asks for it.

    Notes
    -----
    The rms of a box is that of its samples within 2.5 rms of their mean, corrected for the cut; its
    background is the mode, 2.5 median - 1.5 mean (Bertin & Arnouts 1996, A&AS 117, 393). Near
    bright sources the rms below the median counts where it is larger, since sidelobes have both
    signs and sources have one. The finer boxes, an idea of PyBDSF's ``adaptive_rms_box`` (Mohan &
    Rafferty 2015, ascl:1502.007), hold where their rms exceeds that of the coarse box, which is
    then measured without them.

    What is smooth over a box goes into the background, structure within it into the rms.
    """
    step = max(2, round(fwhm / _SAMPLES_PER_BEAM))
    step = min(step, max(1, min(plane.shape) // _LEAST_SAMPLES))
    grid = slice((step - 1) // 2, None, step)
    seen = plane[grid, grid]
    samples = np.where(np.isfinite(seen), seen, np.float32(np.nan)).astype(np.float32, copy=False)
    side = max(_BOX_BEAMS * fwhm, _BOX_PIXELS) / step
    coarse = _numbers(samples.shape, side)
    fine = coarse[0] * _FINER, coarse[1] * _FINER
    listed = None if sources is None else sources[grid, grid]
    beam = max(1, round(fwhm / step))

    rms, mean, snr = _without_sources(seen, samples, coarse, listed, beam, signed)
    bright = _boxes_with(snr > _BRIGHT_SNR, fine)
    if bright.any():
        rms, mean = _refine(samples, rms, mean, bright)
    height, width = (n * step / k for n, k in zip(samples.shape, rms.shape, strict=True))
    return NoiseMesh(rms=rms, mean=mean, box=(height, width))


def _numbers(shape: tuple[int, ...], side: float) -> Numbers:
    rows, columns = (max(1, round(n / side)) for n in shape)
    return rows, columns


def _without_sources(
    seen: NDArray,
    samples: NDArray,
    numbers: Numbers,
    listed: NDArray | None,
    beam: int,
    signed: bool,
) -> tuple[NDArray, NDArray, NDArray]:
    """Measure in coarse boxes, blank the samples with sources in place, and measure again."""
    blank = np.isnan(samples)
    y, x = _sample_places(samples.shape, numbers)
    rms, mean = _measure_boxes(samples, numbers)
    left_out = None if listed is None else _dilate(listed, beam)
    for _ in range(_ROUNDS):
        snr = seen - _interpolate(mean, y, x)
        snr /= _interpolate_log(rms, y, x)
        if signed:
            np.abs(snr, out=snr)
        if listed is None:
            left_out = _dilate(snr > _SOURCE_SNR, beam)
        samples[:] = seen
        samples[blank | left_out] = np.nan
        measured = _measure_boxes(samples, numbers, mean)
        if np.isfinite(measured[0]).all():  # else sources are everywhere
            rms, mean = measured
    return rms, mean, snr


def _refine(
    samples: NDArray, rms: NDArray, mean: NDArray, bright: NDArray
) -> tuple[NDArray, NDArray]:
    """Give rms and mean in fine boxes, their own near bright sources where the noise is raised."""
    y, x = (_places(np.arange(k), _FINER) for k in bright.shape)
    fine_rms, fine_mean = _measure_boxes(samples, bright.shape, _interpolate(mean, y, x), fine=True)
    if not np.isfinite(fine_rms).all():
        return rms, mean
    nearness = np.clip((3 - ndimage.distance_transform_edt(~bright)) / 2, 0, 1)
    excess = (fine_rms / _interpolate_log(rms, y, x) - _EXCESS[0]) / (_EXCESS[1] - _EXCESS[0])
    weight = (nearness * np.clip(excess, 0, 1)).astype(np.float32)

    rows, columns = (box_of(n, k) for n, k in zip(samples.shape, weight.shape, strict=True))
    quiet = np.where(weight[rows[:, None], columns] > 0, np.nan, samples)
    elsewhere = _measure_boxes(quiet, rms.shape, mean)
    if np.isfinite(elsewhere[0]).all():
        rms, mean = elsewhere
    log_rms = (1 - weight) * _interpolate(np.log(rms), y, x) + weight * np.log(fine_rms)
    return np.exp(log_rms), (1 - weight) * _interpolate(mean, y, x) + weight * fine_mean


def _measure_boxes(
    samples: NDArray, numbers: Numbers, mean: NDArray | None = None, *, fine: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give rms about, and mean of, boxes; NaN where no box is sound.

    A first `mean` of the same boxes takes gradients of the background out of the rms. Fine boxes
    are not smoothed, and count the noise below their median.
    """
    if mean is not None:
        samples = samples - _interpolate(mean, *_sample_places(samples.shape, numbers))
    filled, rms, mode = box_statistics(samples, numbers, fine=fine)
    sound = (filled >= _LEAST_FILLED) & (rms > 0)
    if not sound.any():
        return np.full(rms.shape, np.nan, np.float32), np.full(rms.shape, np.nan, np.float32)
    nearest = ndimage.distance_transform_edt(~sound, return_distances=False, return_indices=True)
    rms, mode = rms[tuple(nearest)], mode[tuple(nearest)]
    if not fine:
        rms, mode = np.exp(_smooth(np.log(rms))), _smooth(mode)
    return rms, mode if mean is None else mean + mode


def _boxes_with(pixels: NDArray[np.bool_], numbers: Numbers) -> NDArray[np.bool_]:
    """Tell which boxes hold a pixel that is set."""
    boxes = np.zeros(numbers, dtype=bool)
    rows, columns = np.nonzero(pixels)
    boxes[
        box_of(pixels.shape[0], numbers[0])[rows], box_of(pixels.shape[1], numbers[1])[columns]
    ] = True
    return boxes


def _sample_places(shape: tuple[int, ...], numbers: Numbers) -> list[NDArray[np.float64]]:
    return [_places(np.arange(n), n / k) for n, k in zip(shape, numbers, strict=True)]


def _dilate(pixels: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    return ndimage.binary_dilation(pixels, iterations=n) if pixels.any() else pixels


def _smooth(mesh: NDArray) -> NDArray:
    """Average with the neighbours, 1:2:1 along both axes: planes stay planes up to the edge."""
    return ndimage.convolve(_extend(mesh), np.outer([1, 2, 1], [1, 2, 1]) / 16)[1:-1, 1:-1]


def _extend(mesh: NDArray) -> NDArray:
    """Add a row and a column of linear extrapolation on each side."""
    return np.pad(mesh, 1, mode="reflect", reflect_type="odd")


def _places(pixels: NDArray, box: float) -> NDArray[np.float64]:
    """Give the places of pixels among the boxes: 0 at the centre of the first."""
    return (pixels + 0.5) / box - 0.5


def _interpolate_log(mesh: NDArray, y: NDArray, x: NDArray) -> NDArray[np.float32]:
    values = _interpolate(np.log(mesh), y, x)
    return np.exp(values, out=values)


def _interpolate(mesh: NDArray, y: NDArray, x: NDArray) -> NDArray[np.float32]:
    """Interpolate linearly at places; beyond the outermost centres extrapolate, at most by one."""
    mesh = np.asarray(_extend(mesh), dtype=np.float32)
    along_x = _hats(x, mesh.shape[1]) @ mesh.T
    return _hats(y, mesh.shape[0]) @ along_x.T


def _hats(places: NDArray, n: int) -> sparse.csr_array:
    """Give the weights, shape (places, n), of linear interpolation in an extended mesh."""
    places = np.clip(places + 1, 0, n - 1)
    left = np.minimum(places.astype(int), n - 2)
    right = (places - left).astype(np.float32)
    row = np.arange(len(places))
    index = np.tile(row, 2), np.concatenate([left, left + 1])
    return sparse.csr_array((np.concatenate([1 - right, right]), index), shape=(len(row), n))
