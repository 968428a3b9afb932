"""The networks: plain U-Nets.

That for counts gives classes and expected background, that for radio planes classes alone.

Ronneberger, Fischer & Brox (2015, arXiv:1505.04597), with padded convolutions, so that every pixel
of the input gets a label. Written in `keras.ops` and stock layers alone: it trains under any Keras
backend, and its file loads in Keras's safe mode.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from psseg.errors import PssegError
from psseg.network.context import N_CONTEXT

__all__ = ["BELOW", "NORMALISED", "build_network", "build_plane_network", "network_reach"]

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
    _check_depth(depth)
    counts = keras.Input((None, None, n_bands), name="counts")
    present = keras.Input((None, None, n_bands), name="present")
    mean = _local_mean(counts, present)
    scaled = _scale_input(counts, present, mean)
    x = _u_net(scaled, filters, depth, normalise=normalise, quick=quick)
    logits = layers.Conv2D(4, 1, name="class_logits")(x)
    ratio = layers.Conv2D(n_bands, 1, kernel_initializer="zeros", name="background_ratio")(x)
    background = layers.Multiply(name="background")([ops.exp(ops.clip(ratio, -8, 8)), mean])
    return keras.Model([counts, present], [logits, background], name="psseg")


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
    filters, depth, normalise, quick
        As for :func:`build_network`.

    Returns
    -------
    keras.Model

    Raises
    ------
    PssegError
        If the network would be too deep.
    """
    _check_depth(depth)
    planes = keras.Input((None, None, n_planes), name="planes")
    present = keras.Input((None, None, n_planes), name="present")
    context = keras.Input((N_CONTEXT,), name="context")
    everywhere = ops.reshape(context, (-1, 1, 1, N_CONTEXT)) * ops.ones_like(planes[..., :1])
    x = layers.Concatenate()([_compressed(planes) * present, present, everywhere])
    x = _u_net(x, filters, depth, normalise=normalise, quick=quick)
    logits = layers.Conv2D(4, 1, name="class_logits")(x)
    return keras.Model([planes, present, context], logits, name="psseg")


def _check_depth(depth: int) -> None:
    if not 1 <= depth <= DEEPEST:
        raise PssegError(f"depth of the network is {depth}, want 1 to {DEEPEST}")


def _u_net(
    x: keras.KerasTensor, filters: int, depth: int, *, normalise: bool, quick: bool
) -> keras.KerasTensor:
    """From scaled input to the features of the last level."""
    skips = []
    for level in range(depth):
        x = _convolutions(x, filters * WIDTHS[level], f"down{level}", normalise)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _convolutions(x, filters * WIDTHS[depth], "bottom", normalise)
    for level in reversed(range(depth)):
        width = filters * WIDTHS[level]
        x = layers.Conv2D(width, 1, name=f"rise{level}")(x)
        if quick:
            x = _joined_quickly(skips[level], x, width, f"up{level}a")
            x = _convolution(x, width, f"up{level}b", normalise)
        else:
            x = layers.Concatenate()([skips[level], layers.UpSampling2D()(x)])
            x = _convolutions(x, width, f"up{level}", normalise)
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
    """How far, in pixels, an output pixel can see: the least width of a halo.

    Two 3×3 convolutions per level going down and up see 2 pixels of that level each way; the
    local mean, if the network has one (`pooled`), sees at most two of its squares. Rounded up to
    the grid of the pooling: 128 at depth 4, where a pixel sees 125 at most, the squares it falls
    into counted in.

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
    excess = _compressed((counts - mean) / ops.sqrt(mean + 0.1)) * present
    return layers.Concatenate()([excess, 0.25 * ops.log(mean), present])


def _compressed(x: keras.KerasTensor) -> keras.KerasTensor:
    """Inverse hyperbolic sine, written out: TensorFlow's own takes three times as long."""
    return ops.sign(x) * ops.log(ops.abs(x) + ops.sqrt(ops.square(x) + 1))


def _convolutions(
    x: keras.KerasTensor, filters: int, name: str, normalise: bool
) -> keras.KerasTensor:
    """Two convolutions; one alone on the way down at full resolution, where they cost most."""
    for part in ("a",) if name == "down0" else ("a", "b"):
        x = _convolution(x, filters, name + part, normalise)
    return x


def _convolution(
    x: keras.KerasTensor, filters: int, name: str, normalise: bool
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=not normalise, name=name)(x)
    if normalise:
        x = layers.BatchNormalization(momentum=0.98, name=name + NORMALISED)(x)
    return layers.Activation("relu")(x)
