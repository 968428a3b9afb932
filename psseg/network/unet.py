"""The network for counts: a plain U-Net that gives classes and expected background.

Ronneberger, Fischer & Brox (2015, arXiv:1505.04597), with padded convolutions, so that every pixel
of the input gets a label. Written in `keras.ops` and stock layers alone: it trains under any Keras
backend, and its file loads in Keras's safe mode. `psseg.network.plane_unet` builds on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

from psseg.errors import PssegError

__all__ = [
    "BELOW",
    "DEEPEST",
    "NORMALISED",
    "build_network",
    "check_depth",
    "compressed",
    "network_reach",
    "network_size",
    "u_net",
]

POOL = 16
"""Side of the squares, pixels, over which counts are averaged to scale input and output."""

DEEPEST = 4
"""Largest depth: labelling lays its windows out for squares of 16 pixels and a reach of 128."""

WIDTHS = (1, 2, 3, 4, 6)
"""Filters of each level over those of the first: most of the time goes into the upper levels, and
doubling at each makes four times the weights without finding more."""

NORMALISED = "_normalisation"
"""Ends the name of the normalisation of the convolution that it begins with."""

BELOW = "_below"
"""Ends the name of the quick form's share from below of the convolution that it begins with."""


def build_network(
    *,
    n_bands: int,
    filters: int = 16,
    depth: int = 4,
    normalise: bool = True,
    quick: bool = False,
) -> keras.Model:
    """Build the untrained network.

    Inputs are ``counts`` and ``present`` (1 where a band was observed at a pixel, else 0), both
    ``(n_y, n_x, n_bands)`` with sides divisible by 16. Outputs are ``class_logits``
    ``(n_y, n_x, 4)`` and ``background``, expected counts ``(n_y, n_x, n_bands)``.

    Parameters
    ----------
    n_bands : int
        Number of bands.
    filters : int
        Filters of the first level; those below have 2, 3, 4 and 6 times as many.
    depth : int
        Number of times the resolution is halved, 1 to 4.
    normalise : bool
        Normalise by batches, for training; without, convolutions have a bias instead.
    quick : bool
        In the form that `psseg.network.forms.quick_form` gives weights to; not for training.

    Returns
    -------
    keras.Model

    Raises
    ------
    PssegError
        If the network would be too deep.
    """
    check_depth(depth)
    counts = keras.Input((None, None, n_bands), name="counts")
    present = keras.Input((None, None, n_bands), name="present")
    mean = _local_mean(counts, present)
    scaled = _scale_input(counts, present, mean)
    widths = [filters * times for times in WIDTHS[: depth + 1]]
    first = _convolution(scaled, widths[0], "down0a", normalise)
    x = u_net(first, widths, normalise=normalise, quick=quick)
    logits = layers.Conv2D(4, 1, name="class_logits")(x)
    ratio = layers.Conv2D(n_bands, 1, kernel_initializer="zeros", name="background_ratio")(x)
    background = layers.Multiply(name="background")([ops.exp(ops.clip(ratio, -8, 8)), mean])
    return keras.Model([counts, present], [logits, background], name="psseg")


def network_size(network: keras.Model) -> dict[str, int]:
    """Give the `filters` and `depth` that a network was built with."""
    depth = sum(layer.name.startswith("rise") for layer in network.layers)
    return {"filters": network.get_layer("down0a").filters, "depth": depth}


def check_depth(depth: int) -> None:
    """Raise `PssegError` for a network that is deeper than labelling is laid out for."""
    if not 1 <= depth <= DEEPEST:
        raise PssegError(f"depth of the network is {depth}, want 1 to {DEEPEST}")


def u_net(
    first: keras.KerasTensor,
    widths: Sequence[int],
    *,
    normalise: bool,
    quick: bool,
    brief_end: bool = False,
) -> keras.KerasTensor:
    """Go down from the features of the first level, and up again.

    Parameters
    ----------
    first : keras.KerasTensor
        Features of the first level: on the way down it has one convolution, the caller's; one more
        costs most there.
    widths : sequence of int
        Filters of each level, the first included.
    normalise, quick
        As for :func:`build_network`.
    brief_end : bool
        One convolution instead of two in the first level on the way up.

    Returns
    -------
    keras.KerasTensor
        Features of the first level, that many.
    """
    skips, below = [first], len(widths) - 1
    for level, width in enumerate(widths[1:], start=1):
        name = f"down{level}" if level < below else "bottom"
        x = layers.MaxPooling2D()(skips[-1])
        x = _convolution(x, width, name + "a", normalise)
        skips.append(_convolution(x, width, name + "b", normalise))
    x = skips.pop()
    for level in reversed(range(below)):
        width = widths[level]
        x = layers.Conv2D(width, 1, name=f"rise{level}")(x)
        if quick:
            x = _joined_quickly(skips[level], x, width, f"up{level}a")
        else:
            x = layers.Concatenate()([skips[level], layers.UpSampling2D()(x)])
            x = _convolution(x, width, f"up{level}a", normalise)
        if level or not brief_end:
            x = _convolution(x, width, f"up{level}b", normalise)
    return x


def _joined_quickly(
    skip: keras.KerasTensor, below: keras.KerasTensor, filters: int, name: str
) -> keras.KerasTensor:
    """Convolve what comes from the side, and what comes from below as it is before repeating."""
    beside = layers.Conv2D(filters, 3, padding="same", name=name)(skip)
    from_below = layers.Conv2DTranspose(
        filters, 4, strides=2, padding="same", use_bias=False, name=name + BELOW
    )(below)
    return layers.Activation("relu")(layers.Add()([beside, from_below]))


def network_reach(depth: int = DEEPEST, *, pooled: bool = True) -> int:
    """How far, in pixels, a square of 16 output pixels can see: the least width of a halo.

    Two 3×3 convolutions per level going down and up see 2 pixels of that level each way; the
    local mean, if the network has one (`pooled`), sees at most two of its squares. Rounded up to
    the grid of the pooling: 128 at depth 4, where even a single pixel sees 125 at most; without the
    local mean 96, where a square sees 92 at most.

    Examples
    --------
    >>> network_reach(4)
    128
    """
    convolutions = 2 * 2**depth + sum(2 * 2 * 2**level for level in range(depth))
    grid = max(2**depth, POOL)
    return -(-(convolutions + 2 * POOL * pooled) // grid) * grid


def _local_mean(counts: keras.KerasTensor, present: keras.KerasTensor) -> keras.KerasTensor:
    """Mean counts of the observed pixels around, between squares of POOL pixels; never zero."""
    pool = layers.AveragePooling2D(POOL)
    mean = (pool(counts * present) + 0.003) / (pool(present) + 0.03)
    return layers.UpSampling2D(POOL, interpolation="bilinear")(mean)


def _scale_input(
    counts: keras.KerasTensor, present: keras.KerasTensor, mean: keras.KerasTensor
) -> keras.KerasTensor:
    """Excess over the local mean in units of its noise, compressed; the mean; what is there."""
    excess = compressed((counts - mean) / ops.sqrt(mean + 0.1)) * present
    return layers.Concatenate()([excess, 0.25 * ops.log(mean), present])


def compressed(x: keras.KerasTensor) -> keras.KerasTensor:
    """Give the inverse hyperbolic sine, written out: TensorFlow's takes three times as long."""
    return ops.sign(x) * ops.log(ops.abs(x) + ops.sqrt(ops.square(x) + 1))


def _convolution(
    x: keras.KerasTensor, filters: int, name: str, normalise: bool
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=not normalise, name=name)(x)
    if normalise:
        x = layers.BatchNormalization(momentum=0.98, name=name + NORMALISED)(x)
    return layers.Activation("relu")(x)
