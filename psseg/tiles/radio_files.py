"""Read radio continuum images: one file or several, of any axes, into the planes of one image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from psseg.errors import PssegError, PssegWarning
from psseg.products import map_stem
from psseg.tiles.beam import Beam, common_beam
from psseg.tiles.headers import find_image, open_fits
from psseg.tiles.radio_axes import has_radio_axis, is_radio
from psseg.tiles.radio_beams import IGNORED, unusable
from psseg.tiles.radio_headers import ImageHeader, beam_unit, clean_header, read_image_header
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.radio_plan import Plan, plan_planes
from psseg.tiles.radio_planes import (
    Grid,
    Layer,
    fill_plane,
    layer_range,
    same_grid,
)

__all__ = ["looks_like_radio", "read_radio_image"]

_CHANGED = 0.01  # relative difference of a given frequency that is worth a warning


def looks_like_radio(path: str | Path) -> bool:
    """Tell whether a file holds a radio continuum image, by its headers.

    Parameters
    ----------
    path : str or pathlib.Path
        A FITS file.

    Returns
    -------
    bool
        True for an image in Jy/beam, or with a beam, or with a frequency or Stokes axis; never for
        a file with energy bounds.

    Raises
    ------
    PssegError
        If the file is no readable FITS file.
    """
    with open_fits(path, check=False) as hdus:
        image = find_image(hdus)
        if image is None or "EBOUNDS" in hdus:
            return False
        header = clean_header(image.header, name=Path(path).name, notes=[])
    unit = beam_unit(header.get("BUNIT", ""))
    return unit is not None or "BMAJ" in header or has_radio_axis(header)


def read_radio_image(
    paths: Sequence[str | Path],
    *,
    beam: Beam | None = None,
    frequency: float | None = None,
    reproject: bool = False,
) -> RadioImage:
    """Read a radio continuum image from one file or several.

    Parameters
    ----------
    paths : sequence of str or pathlib.Path
        FITS files, plain or compressed, of two to four axes: Stokes I, and where there are, V and
        other frequencies. Each plane is recognised by its header, so that their order does not
        matter.
    beam : Beam, optional
        For all files without a beam; for a single file, instead of its own.
    frequency : float, optional
        Hz, for all planes without one; for a single plane of Stokes I, instead of its own.
    reproject : bool
        Whether to interpolate planes that lie on other grids on that of the first file.

    Returns
    -------
    RadioImage
        Plane 0 is Stokes I at the lowest frequency.

    Raises
    ------
    PssegError
        If a file is no whole FITS image in Jy/beam with a celestial WCS; if a beam is missing,
        larger than the image or smaller than a pixel; if the frequency given is none of radio
        images; if there is no Stokes I, or twice the same plane; if grids differ and `reproject`
        is False; if all of the reference plane is blank or zero, or another lies outside it.

    Warns
    -----
    PssegWarning
        If a beam has no position angle, or the frequency given replaces another one.

    Notes
    -----
    More than two frequencies of Stokes I are averaged to two, the lower and the upper half of them,
    weighted with 1 / rms^2, or to one where these are within a thousandth; those of Stokes V to
    one. Other planes than the reference are passed over if they are blank. Planes of different
    beams are convolved to `common_beam`, in their own pixels, before they are averaged or
    interpolated.

    Memory is that of the planes, float32, and of a mask, with one plane more where planes are
    averaged.
    """
    files = list(dict.fromkeys(Path(path) for path in paths))
    if not files:
        raise PssegError("no radio image given: want one FITS file at least")
    if frequency is not None and not is_radio(frequency):
        raise PssegError(f"--frequency {frequency:g}: want Hz, such as 1.4e9")
    layers = [layer for path in files for layer in _read_layers(path)]
    notes = list(dict.fromkeys(note for layer in layers for note in layer.header.notes))
    layers = _with_frequency(_with_beam(layers, beam, notes), frequency, notes)
    plans = plan_planes(layers, notes)
    used = sorted(
        (layer for plan in plans for layer in plan.layers),
        key=lambda layer: files.index(layer.path),
    )
    grid = _common_grid(used, reproject=reproject, notes=notes)
    wanted = _wanted_beam(used, notes)
    planes = _fill(plans, grid, wanted)
    return RadioImage(
        planes=planes,
        stokes=tuple(plan.stokes for plan in plans),
        frequencies=tuple(plan.frequency for plan in plans),
        beams=(wanted,) * len(plans),
        wcs=grid.wcs,
        mask=np.isnan(planes[0]),
        name=map_stem(plans[0].layers[0].path),
        notes=tuple(notes),
    )


def _read_layers(path: Path) -> list[Layer]:
    """Read the headers of a file; check that it is whole."""
    with open_fits(path) as hdus:
        image = find_image(hdus)
        if image is None:
            raise PssegError(f"{path.name}: no image in it; psseg wants a radio image (FITS)")
        header = read_image_header(hdus, image, name=path.name)
    return [
        Layer(
            path=path,
            header=header,
            index=plane.index,
            stokes=plane.stokes,
            frequency=plane.frequency,
            beam=own,
        )
        for plane, own in zip(header.planes, header.beams, strict=True)
    ]


def _with_beam(layers: list[Layer], beam: Beam | None, notes: list[str]) -> list[Layer]:
    """Give the user's beam to layers that have none, and to all of a single file."""
    if beam is None:
        return layers
    single = len({layer.path for layer in layers}) == 1
    own = layers[0].beam
    if single and own is not None and not own.resembles(beam):
        notes.append(f"{layers[0].header.name}: the beam that was given replaces the header's")
    return [
        replace(layer, beam=beam) if single or layer.beam is None else layer for layer in layers
    ]


def _with_frequency(layers: list[Layer], frequency: float | None, notes: list[str]) -> list[Layer]:
    """Give the user's frequency to layers that have none, and to a single plane of Stokes I."""
    if frequency is None:
        return layers
    intensity = [layer for layer in layers if layer.stokes == "I"]
    single = len(intensity) == 1
    if single and abs(intensity[0].frequency / frequency - 1) > _CHANGED:
        name, old = intensity[0].header.name, intensity[0].frequency
        note = f"{name}: the frequency given, {frequency:g} Hz, replaces the header's {old:g} Hz"
        warnings.warn(note, PssegWarning, stacklevel=3)
        notes.append(note)
    return [
        replace(layer, frequency=frequency) if single or np.isnan(layer.frequency) else layer
        for layer in layers
    ]


def _common_grid(layers: Sequence[Layer], *, reproject: bool, notes: list[str]) -> Grid:
    """Give the grid of the first layer; refuse others, or note that they are interpolated."""
    first = layers[0]
    others = {layer.path: layer for layer in layers if layer.path != first.path}
    for layer in others.values():
        if same_grid(first.grid, layer.grid):
            continue
        name = layer.header.name
        if not reproject:
            raise PssegError(
                f"{name}: its pixels are not those of {first.header.name}; give --reproject to "
                "interpolate it on them"
            )
        notes.append(f"{name}: interpolated on the pixels of {first.header.name}")
    return first.grid


def _wanted_beam(layers: Sequence[Layer], notes: list[str]) -> Beam:
    """Give the beam of every plane; note which ones are convolved to it."""
    beams = []
    for layer in layers:
        if layer.beam is None:
            raise PssegError(_no_beam(layer.header))
        widths, grid = (layer.beam.major, layer.beam.minor), layer.grid
        if fault := unusable(*widths, pixel=grid.pixel_scale, shape=grid.shape):
            raise PssegError(
                f"{layer.header.name}: the beam given, {fault}; want arcsec, as in --beam 15,12,80"
            )
        beams.append(layer.beam)
    if all(beams[0].resembles(beam) for beam in beams):
        return beams[0]
    wanted = common_beam(beams)
    names = {
        layer.header.name
        for layer, beam in zip(layers, beams, strict=True)
        if not beam.resembles(wanted)
    }
    size = f'{wanted.major * 3600:.4g}" x {wanted.minor * 3600:.4g}"'
    notes.extend(f"{name}: convolved to the common beam, {size}" for name in sorted(names))
    return wanted


def _no_beam(header: ImageHeader) -> str:
    """Say that a file has no beam, or none that can be used."""
    for note in header.notes:
        if note.endswith(IGNORED):
            return f"{note.removesuffix(IGNORED)}: correct it (BMAJ, BMIN) or give --beam"
    return f"{header.name}: no beam in its header (BMAJ, BMIN, BPA); give --beam"


def _fill(plans: Sequence[Plan], grid: Grid, beam: Beam) -> NDArray[np.float32]:
    """Read every plane; refuse those that are blank."""
    planes = np.empty((len(plans), *grid.shape), dtype=np.float32)
    for number, plan in enumerate(plans):
        fill_plane(planes[number], plan.layers, plan.weights, grid=grid, beam=beam)
        if np.isnan(planes[number]).all():
            raise PssegError(f"{plan.layers[0].header.name}: {_nothing(plan)}")
    return planes


def _nothing(plan: Plan) -> str:
    """Say why a plane shows nothing."""
    in_file = layer_range(plan.layers[0])
    if np.isnan(in_file[0]):
        return "every pixel is blank"
    return "every pixel is 0" if in_file == (0, 0) else "it lies outside the first image"
