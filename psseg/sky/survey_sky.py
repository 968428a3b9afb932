"""A simulated sky on disk: tiles drawn one after the other and written with their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from psseg.errors import PssegError
from psseg.products import check_writable
from psseg.progress import Progress
from psseg.sky.diffuse import DiffuseTemplates
from psseg.sky.simulation import simulate_tile
from psseg.sky.tile_files import TileFiles, tile_files, write_simulated_tile
from psseg.survey.survey import Survey

__all__ = ["simulate_sky"]


def simulate_sky(
    survey: Survey,
    folder: str | Path,
    *,
    n_tiles: int,
    shape: tuple[int, int],
    mix: str = "physical",
    seed: int,
    years: float | None = None,
    center: SkyCoord | None = None,
    diffuse: DiffuseTemplates | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> list[TileFiles]:
    """Simulate tiles and write them with their truth.

    Parameters
    ----------
    survey : Survey
        What to simulate.
    folder : str or Path
        Where the files ``sky_0001.fits``, … go; made where it is missing.
    n_tiles : int
        How many, at least one.
    shape : tuple of int
        (n_y, n_x), pixels.
    mix, years, center, diffuse
        As for :func:`~psseg.sky.simulation.simulate_tile`.
    seed : int
        Not negative. The same seed gives the same tiles; a tile does not depend on how many there
        are.
    overwrite : bool
        Whether files that exist may be replaced.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    list of TileFiles

    Raises
    ------
    PssegError
        If a file exists and `overwrite` is off; nothing is simulated then.
    """
    if n_tiles < 1 or seed < 0:
        raise PssegError(f"want n_tiles of 1 or more and a seed of 0 or more: {n_tiles}, {seed}")
    numbers = range(1, n_tiles + 1)
    stems = [f"sky_{number:04d}" for number in numbers]
    planned = [path for stem in stems for path in vars(tile_files(folder, stem)).values()]
    check_writable(planned, overwrite=overwrite)
    options = {"shape": shape, "mix": mix, "years": years, "center": center, "diffuse": diffuse}
    written = []
    shown = Progress(numbers, unit="tile", disable=not progress)
    for number, stem in zip(shown, stems, strict=True):
        rng = np.random.default_rng([seed, number])
        simulated = simulate_tile(survey, rng=rng, **options)  # type: ignore[arg-type]
        written.append(write_simulated_tile(simulated, folder, stem, survey, overwrite=overwrite))
    return written
