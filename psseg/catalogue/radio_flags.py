"""Which radio sources need a second look: one bit each, decided from the image around them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

__all__ = [
    "RADIO_FLAG_MEANINGS",
    "RadioFlag",
    "flag_sum",
    "near_bright",
    "near_negative",
    "near_pixels",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class RadioFlag(IntFlag):
    """Bits of the column ``Flags``."""

    EDGE = 1
    NEAR_BLANK = 2
    BLENDED = 4
    FIT_FAILED = 8
    MULTIPLE = 16
    RESOLVED = 32
    NEAR_BRIGHT = 64
    NEGATIVE_NEIGHBOUR = 128
    PLANES_MISSING = 256
    UNLIKE_TRAINING = 512


RADIO_FLAG_MEANINGS = {
    RadioFlag.EDGE: "the segment touches the edge of the image",
    RadioFlag.NEAR_BLANK: "blank pixels within a beam",
    RadioFlag.BLENDED: "its segment touches another one, or a neighbour was fitted with it",
    RadioFlag.FIT_FAILED: "no Gaussians describe it: flux and size are those of the pixels",
    RadioFlag.MULTIPLE: "several components",
    RadioFlag.RESOLVED: "larger than the beam",
    RadioFlag.NEAR_BRIGHT: "a source 200 times brighter within 15 beams: may be an artefact of it",
    RadioFlag.NEGATIVE_NEIGHBOUR: "a hole deeper than 5 rms within 4 beams: may be an artefact",
    RadioFlag.PLANES_MISSING: "no second frequency or no Stokes V",
    RadioFlag.UNLIKE_TRAINING: "the image is unlike those the network was trained on",
}
"""One line per flag, for headers and help."""

BRIGHT_RATIO = 200.0
"""Residual sidelobes of common images reach 0.3 to 2.5 % of the peak; those above 0.5 % that far
out are found by their shape alone."""

BRIGHT_REACH = 15.0
"""Beams."""

NEGATIVE_SNR = 5.0
NEGATIVE_REACH = 4.0
"""Beams."""

ROWS_AT_A_TIME = 512


def flag_sum(raised: Mapping[RadioFlag, Bools | bool], n: int) -> NDArray[np.int32]:
    """Add up flags.

    Parameters
    ----------
    raised : mapping
        Where each flag is raised, (n,), or whether everywhere.
    n : int
        Sources.

    Returns
    -------
    ndarray of int32 (n,)
    """
    flags = np.zeros(n, dtype=np.int32)
    for flag, where in raised.items():
        flags[np.broadcast_to(where, n)] |= int(flag)
    return flags


def near_pixels(mask: Bools, x: Floats, y: Floats, reach: float) -> Bools:
    """Tell which sources have a pixel of a mask within a distance.

    Parameters
    ----------
    mask : ndarray of bool (n_y, n_x)
        The pixels.
    x, y : ndarray (n,)
        Sources, pixels.
    reach : float
        Pixels.

    Returns
    -------
    ndarray of bool (n,)
    """
    if not mask.any():
        return np.zeros(len(x), dtype=bool)
    steps = np.arange(-int(reach), int(reach) + 1)
    down, right = (a.ravel() for a in np.meshgrid(steps, steps, indexing="ij"))
    inside = np.hypot(down, right) <= reach
    rows = np.clip(np.rint(y).astype(int)[:, None] + down[inside], 0, mask.shape[0] - 1)
    columns = np.clip(np.rint(x).astype(int)[:, None] + right[inside], 0, mask.shape[1] - 1)
    return np.asarray(mask[rows, columns].any(axis=1))


def near_bright(x: Floats, y: Floats, peak: Floats, beam: float) -> Bools:
    """Tell which sources may be sidelobes of a much brighter one.

    Parameters
    ----------
    x, y : ndarray (n,)
        Pixels.
    peak : ndarray (n,)
        Peak flux.
    beam : float
        FWHM, pixels.

    Returns
    -------
    ndarray of bool (n,)
    """
    result = np.zeros(len(x), dtype=bool)
    positive = peak[peak > 0]
    if not len(positive):
        return result
    places = np.stack([x, y], axis=-1)
    bright = np.flatnonzero(peak > BRIGHT_RATIO * positive.min())
    near = KDTree(places).query_ball_point(places[bright], BRIGHT_REACH * beam)
    for source, others in zip(bright, near, strict=True):
        others = np.asarray(others)
        result[others[peak[others] * BRIGHT_RATIO < peak[source]]] = True
    return result


def near_negative(
    data: NDArray[np.float32],
    mean: NDArray[np.float32],
    rms: NDArray[np.float32],
    x: Floats,
    y: Floats,
    beam: float,
) -> Bools:
    """Tell which sources have a deep hole beside them.

    Parameters
    ----------
    data, mean, rms : ndarray (n_y, n_x)
        Image, background and noise; NaN where blank.
    x, y : ndarray (n,)
        Pixels.
    beam : float
        FWHM, pixels.

    Returns
    -------
    ndarray of bool (n,)
    """
    holes = []
    for first in range(0, data.shape[0], ROWS_AT_A_TIME):
        part = slice(first, first + ROWS_AT_A_TIME)
        rows, columns = np.nonzero(data[part] - mean[part] < -NEGATIVE_SNR * rms[part])
        holes.append(np.stack([columns, rows + first], axis=-1))
    places = np.concatenate(holes)
    if not len(places) or not len(x):
        return np.zeros(len(x), dtype=bool)
    distance, _ = KDTree(places).query(np.stack([x, y], axis=-1))
    return np.asarray(distance <= NEGATIVE_REACH * beam)
