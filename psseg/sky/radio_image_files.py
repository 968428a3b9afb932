"""Write simulated radio images as FITS files that a person can open and psseg can read.

In: a simulated image. Out: `<stem>.fits` (Stokes I), `<stem>_I2.fits` (a second frequency) and
`<stem>_V.fits` where there are such planes, and `<stem>_truth.fits`, what is in the sky. In skies
that are drawn here, the first plane is that of the lower frequency: sources are catalogued there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits

from psseg.errors import PssegError
from psseg.products import check_writable, image_hdu, write_together
from psseg.progress import Progress
from psseg.sky.radio_observation import draw_observation, lowest_first
from psseg.sky.radio_simulation import SimulatedImage, simulate_image
from psseg.survey.continuum import ContinuumSurvey
from psseg.tiles.radio_image import RadioImage

__all__ = ["RadioImageFiles", "simulate_radio_sky", "write_simulated_image"]

ENDINGS = {
    ("I",): ("",),
    ("I", "I"): ("", "_I2"),
    ("I", "V"): ("", "_V"),
    ("I", "I", "V"): ("", "_I2", "_V"),
}
"""Endings of the files' stems, by the Stokes parameters of the planes."""


@dataclass(frozen=True, kw_only=True)
class RadioImageFiles:
    """Where the files of a simulated image are.

    Parameters
    ----------
    planes : tuple of Path
        Stokes I first.
    truth : Path
        Class map, source map, noise, emission and truth catalogue.
    """

    planes: tuple[Path, ...]
    truth: Path


def simulate_radio_sky(
    survey: ContinuumSurvey,
    folder: str | Path,
    *,
    n_images: int,
    shape: tuple[int, int],
    mix: str = "physical",
    setup: str | None = None,
    seed: int,
    overwrite: bool = False,
    progress: bool = False,
) -> list[RadioImageFiles]:
    """Simulate images and write them with their truth.

    Parameters
    ----------
    survey : ContinuumSurvey
    folder : str or Path
        Where the files ``sky_0001.fits``, … go; made where it is missing.
    n_images : int
        How many, at least one.
    shape : tuple of int
        (n_y, n_x), pixels.
    mix : str
        As for :func:`~psseg.sky.radio_simulation.simulate_image`.
    setup : str, optional
        A set-up of the survey file; by default, observations are drawn.
    seed : int
        Not negative. The same seed gives the same images; an image does not depend on how many
        there are.
    overwrite : bool
        Whether files that exist may be replaced.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    list of RadioImageFiles

    Raises
    ------
    PssegError
        If there is no such set-up, or a file of such a name exists, of any plane, and `overwrite`
        is off; nothing is simulated then.
    """
    if n_images < 1 or seed < 0:
        raise PssegError(f"want n_images of 1 or more and a seed of 0 or more: {n_images}, {seed}")
    if setup is not None and setup not in survey.setups:
        known = ", ".join(sorted(survey.setups))
        raise PssegError(f"survey {survey.name!r} has no set-up {setup!r}: want one of {known}")
    stems = [f"sky_{number:04d}" for number in range(1, n_images + 1)]
    endings = (*ENDINGS["I", "I", "V"], "_truth")
    planned = [Path(folder) / f"{stem}{ending}.fits" for stem in stems for ending in endings]
    check_writable(planned, overwrite=overwrite)
    written = []
    for number, stem in enumerate(Progress(stems, unit="image", disable=not progress), 1):
        rng = np.random.default_rng([seed, number])
        observation = lowest_first(draw_observation(survey, rng, like=setup))
        simulated = simulate_image(survey, rng=rng, shape=shape, mix=mix, observation=observation)
        written.append(write_simulated_image(simulated, folder, stem, overwrite=overwrite))
    return written


def write_simulated_image(
    simulated: SimulatedImage, folder: str | Path, stem: str, *, overwrite: bool = False
) -> RadioImageFiles:
    """Write a simulated image and its truth.

    Parameters
    ----------
    simulated : SimulatedImage
    folder : str or Path
        Where the files go; made where it is missing.
    stem : str
        How the names of the files start.
    overwrite : bool
        Whether files that exist may be replaced.

    Returns
    -------
    RadioImageFiles

    Raises
    ------
    PssegError
        If a file exists and `overwrite` is off.
    """
    image, folder = simulated.image, Path(folder)
    planes = tuple(folder / f"{stem}{ending}.fits" for ending in ENDINGS[image.stokes])
    truth = folder / f"{stem}_truth.fits"
    check_writable([*planes, truth], overwrite=overwrite)
    writers: dict[Path, Callable[[Path], object]] = {
        path: partial(_plane_hdu(image, number).writeto, checksum=True)
        for number, path in enumerate(planes)
    }
    writers[truth] = partial(_truth_hdus(simulated).writeto, checksum=True)
    write_together(writers)
    return RadioImageFiles(planes=planes, truth=truth)


def _plane_hdu(image: RadioImage, number: int) -> fits.PrimaryHDU:
    """Give one plane with its beam, frequency and Stokes parameter in the header."""
    header, beam = image.wcs.to_header(), image.beams[number]
    header["BUNIT"] = "Jy/beam"
    header["BMAJ"], header["BMIN"], header["BPA"] = beam.major, beam.minor, beam.angle
    header["FREQ"] = (image.frequencies[number], "Hz")
    header["STOKES"] = image.stokes[number]
    header["ORIGIN"] = "psseg simulation"
    return fits.PrimaryHDU(image.planes[number], header)


def _truth_hdus(simulated: SimulatedImage) -> fits.HDUList:
    image = partial(image_hdu, wcs=simulated.image.wcs)
    table = fits.table_to_hdu(simulated.truth)
    table.name = "TRUTH"
    if np.isfinite(frequency := simulated.image.frequencies[0]):
        table.header["FREQ"] = (frequency, "Hz, of the fluxes")
    return fits.HDUList(
        [
            fits.PrimaryHDU(),
            image(simulated.class_map, name="CLASS_MAP"),
            image(simulated.source_map, name="SOURCE_MAP"),
            image(simulated.rms, name="RMS"),
            image(simulated.signal, name="SIGNAL"),
            table,
        ]
    )
