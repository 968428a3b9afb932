"""Options and types that several commands share."""

from __future__ import annotations

from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psseg.errors import PssegError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from psseg.tiles.beam import Beam

__all__ = [
    "COUNT",
    "FILE",
    "SIDE_LIMITS",
    "YEARS_LIMITS",
    "BeamShape",
    "FiniteFloatRange",
    "SkyPosition",
    "diffuse_options",
    "folder_option",
    "format_option",
    "image_options",
    "map_options",
    "mix_option",
    "overwrite_option",
    "seed_option",
    "setup_option",
]

FILE = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)
SIDE_LIMITS = click.IntRange(min=32)


class FiniteFloatRange(click.FloatRange):
    """A number within limits that is neither infinite nor not-a-number."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Refuse ``nan``, which no limit keeps out, and ``inf``."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return float(number)


YEARS_LIMITS = FiniteFloatRange(min=0, min_open=True)


class SkyPosition(click.ParamType):
    """A position such as ``83.63,22.01`` or ``184.56,-5.78,galactic``."""

    name = "LON,LAT[,FRAME]"

    def convert(self, value: Any, param: Any, ctx: Any) -> SkyCoord:
        """Make a SkyCoord; degrees, ICRS unless a frame is named."""
        from astropy.coordinates import SkyCoord

        if isinstance(value, SkyCoord):
            return value
        lon, _, rest = str(value).partition(",")
        lat, _, frame = rest.partition(",")
        with suppress(ValueError):
            if isfinite(float(lon)) and isfinite(float(lat)):
                return SkyCoord(float(lon), float(lat), unit="deg", frame=frame.strip() or "icrs")
        self.fail(f"{value!r} is no position; want degrees such as 83.63,22.01", param, ctx)


class BeamShape(click.ParamType):
    """A beam such as ``15`` or ``11.2,9.3,75``: FWHM in arcsec, position angle in deg."""

    name = "MAJOR[,MINOR[,PA]]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Beam:
        """Make a Beam; round and at angle 0 unless more is given."""
        from psseg.tiles.beam import Beam

        if isinstance(value, Beam):
            return value
        try:
            major, *rest = (float(part) for part in str(value).split(","))
            minor, angle = (*rest, *(major, 0.0)[len(rest) :])
            return Beam(major=major / 3600, minor=minor / 3600, angle=angle)
        except (ValueError, PssegError):
            self.fail(f"{value!r} is no beam; want arcsec and deg such as 11.2,9.3,75", param, ctx)


def _together(*options: Any) -> Any:
    """Apply options that several commands share, in the order they are listed."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace products that exist already."
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
folder_option = click.option(
    "-o", "--output", type=FILE, required=True, metavar="DIR", help="Folder for the products."
)
format_option = click.option(
    "--format",
    "formats",
    type=click.Choice(["votable", "csv", "ecsv", "parquet", "4fgl", "moc"]),
    multiple=True,
    help="Another format of the catalogue besides FITS; moc is the area that was searched, 4fgl "
    "the layout of 4FGL, for gammapy. May be given more than once.",
)
mix_option = click.option(
    "--mix",
    type=click.Choice(["physical", "balanced"]),
    default="physical",
    show_default=True,
    help="Classes as common as on the sky, or alike as in training.",
)
setup_option = click.option(
    "--setup",
    "setups",
    multiple=True,
    metavar="NAME",
    help="Observation after a well-known survey (racs-mid, emu, vlass, lotss); without it, drawn.",
)
map_options = _together(
    click.option(
        "--model",
        metavar="NAME|DIR",
        help="Trained network; without it, the one for the survey that the map's header names.",
    ),
    click.option(
        "--exposure",
        type=FILE,
        metavar="FILE",
        help="Exposure map or cube (gtexpcube2), for fluxes.",
    ),
    click.option(
        "--center",
        type=SkyPosition(),
        help="Centre of the field to read, degrees (ICRS, or name a frame); without it, that of "
        "the map or of the photons.",
    ),
    click.option(
        "--width",
        type=FiniteFloatRange(min=0, min_open=True),
        metavar="DEG",
        help="Side of the field to read; without it, all there is.",
    ),
)
image_options = _together(
    click.option(
        "--plane",
        "planes",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Another plane of the same radio image: a second frequency, or Stokes V. May be given "
        "more than once.",
    ),
    click.option(
        "--beam",
        type=BeamShape(),
        help="Beam of a radio image whose header has none: FWHM in arcsec, position angle in deg.",
    ),
    click.option(
        "--frequency",
        type=FiniteFloatRange(min=0, min_open=True),
        metavar="HZ",
        help="Frequency of a radio image whose header has none.",
    ),
    click.option(
        "--reproject", is_flag=True, help="Bring planes on other grids to that of the radio image."
    ),
)
diffuse_options = _together(
    click.option(
        "--diffuse",
        type=FILE,
        metavar="FILE",
        help="Galactic emission model to take the diffuse emission from (map cube of the whole "
        "sky, as the LAT's gll_iem files); without it, drawn.",
    ),
    click.option(
        "--gas",
        type=FILE,
        metavar="FILE",
        help="HEALPix map of a gas column density, for structure finer than that of --diffuse.",
    ),
)
