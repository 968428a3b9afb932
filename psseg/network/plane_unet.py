"""The network for radio planes: a U-Net whose first level is at half the resolution.

Planes go in and classes come out on every pixel; between them pixels go two by two. A beam is 2.4
pixels wide or more, so a square of four holds little more than one, with enough features for it.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from psseg.network.context import N_CONTEXT
from psseg.network.unet import check_depth, compressed, network_size, u_net

__all__ = ["build_plane_network", "plane_network_size"]

WIDTHS = (2, 2, 3, 4)
"""Filters of each level over `filters`: with 16, multiples of what processors work on at once."""


def build_plane_network(
    *,
    n_planes: int,
    filters: int = 16,
    depth: int = 4,
    normalise: bool = True,
    quick: bool = False,
) -> keras.Model:
    """Build the untrained network for radio planes in units of their noise.

    Inputs are ``planes`` and ``present`` (1 where a plane was observed at a pixel, else 0), both
    ``(n_y, n_x, n_planes)`` with sides divisible by ``2**depth``, and ``context``, `N_CONTEXT`
    numbers. The output is ``class_logits`` ``(n_y, n_x, 4)``.

    Parameters
    ----------
    n_planes : int
        Number of planes.
    filters : int
        The levels, from half the resolution down, have 2, 2, 3 and 4 times as many.
    depth, normalise, quick
        As for :func:`psseg.network.unet.build_network`.

    Returns
    -------
    keras.Model

    Raises
    ------
    PssegError
        If the network would be too deep.
    """
    check_depth(depth)
    planes = keras.Input((None, None, n_planes), name="planes")
    present = keras.Input((None, None, n_planes), name="present")
    context = keras.Input((N_CONTEXT,), name="context")
    widths = [filters * times for times in WIDTHS[:depth]]
    x = layers.Concatenate()([compressed(planes) * present, present])
    x = layers.Conv2D(widths[0], 4, strides=2, padding="same", name="down0a")(x)
    told = layers.Dense(widths[0], use_bias=False, name="told")(context)
    x = layers.Activation("relu")(x + ops.reshape(told, (-1, 1, 1, widths[0])))
    x = u_net(x, widths, normalise=normalise, quick=quick, brief_end=True)
    logits = layers.Conv2DTranspose(4, 2, strides=2, name="class_logits")(x)
    return keras.Model([planes, present, context], logits, name="psseg")


def plane_network_size(network: keras.Model) -> dict[str, int]:
    """Give the `filters` and `depth` that a network was built with."""
    size = network_size(network)
    return {"filters": size["filters"] // WIDTHS[0], "depth": size["depth"] + 1}
