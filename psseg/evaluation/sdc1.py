"""The score of the first SKA Science Data Challenge, given by its own scorer.

In: a catalogue of one of the challenge's images, and its truth catalogue. Out: the score and what
it is made of. Bonaldi et al. (2021, MNRAS 500, 3821) describe challenge and score; the scorer is
the package ``ska-sdc`` of the SKA Observatory.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from psseg.catalogue.radio_table import read_radio_catalogue
from psseg.errors import PssegError
from psseg.evaluation.radio_file import FREQUENCY_TOLERANCE
from psseg.tiles.primary_beam import attenuation_at

__all__ = ["Sdc1Evaluation", "Sdc1Scores", "evaluate_sdc1", "sdc1_markdown", "sdc1_submission"]

FREQUENCIES = (560, 1400, 9200)
"""Of the challenge's images, MHz."""

GAUSSIAN = 2
"""The challenge's number for a size that is the FWHM of a Gaussian: the scorer converts it to those
of lobes (1) and exponential discs (3)."""

STEEP, FLAT, STAR_FORMING = 1, 2, 3
"""The challenge's numbers for AGN with steep and with flat spectrum, and star-forming galaxies."""

CORE_FRACTION = 0.75
"""Share of the flux of unresolved AGN that is in the core, in the mean: by the scorer."""


@dataclass(frozen=True, kw_only=True)
class Sdc1Scores:
    """What the scorer says.

    Parameters
    ----------
    score : float
        Sum over the matched sources of their accuracy, 0 to 1, less one per false detection.
    frequency : int
        MHz.
    n_detections, n_matched, n_false : int
        Sources of the catalogue outside the training area of the challenge, how many are true
        ones, and how many are not.
    accuracy : float
        Mean over the matched sources, 0 to 1, of what position, flux, sizes, angle, core fraction
        and class are worth.
    settings : dict
        File names.
    """

    score: float
    frequency: int
    n_detections: int
    n_matched: int
    n_false: int
    accuracy: float
    settings: dict[str, str]

    def write(self, path: str | Path) -> None:
        """Write the scores as a JSON file."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Sdc1Evaluation:
    """Scores alone: the scorer keeps its tables."""

    scores: Sdc1Scores


def evaluate_sdc1(
    catalogue_path: str | Path, truth_path: str | Path, *, primary_beam: str | Path | None = None
) -> Sdc1Evaluation:
    """Score a catalogue of an image of the first SKA Science Data Challenge.

    Parameters
    ----------
    catalogue_path : str or Path
        The FITS catalogue that psseg wrote, in any style of columns.
    truth_path : str or Path
        The challenge's truth catalogue of the same frequency, as text.
    primary_beam : str or Path, optional
        FITS image of the attenuation, where the catalogue was made without it: fluxes are divided
        by it, and sources where it is too small are left out.

    Returns
    -------
    Sdc1Evaluation

    Raises
    ------
    PssegError
        If a file cannot be read, the frequency is none of the challenge's, or the scorer is not
        installed.
    """
    scorer = _scorer()
    sources, components = read_radio_catalogue(catalogue_path)
    frequency = _frequency(sources, Path(catalogue_path).name)
    columns = sdc1_submission(sources, components)
    if primary_beam is not None:
        columns = _corrected(columns, primary_beam, frequency)
    with _quiet():
        found = _run(scorer, columns, Path(truth_path), frequency)
    settings = {"catalogue": Path(catalogue_path).name, "truth": Path(truth_path).name}
    if primary_beam is not None:
        settings["primary_beam"] = Path(primary_beam).name
    scores = Sdc1Scores(
        score=float(found.value),
        frequency=frequency,
        n_detections=int(found.n_det),
        n_matched=int(found.n_match),
        n_false=int(found.n_false),
        accuracy=float(found.acc_pc) / 100,
        settings=settings,
    )
    return Sdc1Evaluation(scores=scores)


def sdc1_submission(sources: QTable, components: QTable) -> dict[str, NDArray[np.float64]]:
    """Give the columns that the challenge asks for.

    Parameters
    ----------
    sources, components : QTable
        A radio catalogue of psseg.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n_sources,)
        In the challenge's order and units: deg, Jy, arcsec. The core of a source is its brightest
        component; sizes and angles are those of deconvolved Gaussians. The challenge measures the
        angle clockwise from the direction of longitude, 0 to 180 deg. Blazars are flat-spectrum
        AGN, sources of several components steep-spectrum ones, and all others star-forming
        galaxies, as most are in the challenge's truth.
    """
    core = _cores(sources, components)
    several = np.asarray(sources["N_COMPONENTS"]) > 1
    flat = np.asarray(sources["CLASS"]).astype(str) == "blazar"
    kind = np.where(flat, FLAT, np.where(several, STEEP, STAR_FORMING))
    values = {
        "id": np.arange(1, len(sources) + 1),
        "ra_core": core.ra.deg,
        "dec_core": core.dec.deg,
        "ra_cent": sources["ra"].to_value(u.deg),
        "dec_cent": sources["dec"].to_value(u.deg),
        "flux": sources["int_flux"].to_value(u.Jy),
        "core_frac": np.where(flat, CORE_FRACTION, 0.0),
        "b_maj": np.nan_to_num(sources["dc_maj"].to_value(u.arcsec)),
        "b_min": np.nan_to_num(sources["dc_min"].to_value(u.arcsec)),
        "pa": (90 - np.nan_to_num(sources["dc_pa"].to_value(u.deg))) % 180,
        "size": np.full(len(sources), GAUSSIAN),
        "class": kind,
    }
    return {name: np.asarray(value, dtype=float) for name, value in values.items()}


def sdc1_markdown(scores: Sdc1Scores) -> str:
    """Give the scores as a line of Markdown."""
    return (
        f"**SKA Science Data Challenge 1, {scores.frequency} MHz**: score {scores.score:.1f}; "
        f"{scores.n_detections} detections, {scores.n_matched} matched "
        f"(accuracy {100 * scores.accuracy:.1f} %), {scores.n_false} false\n"
    )


def _cores(sources: QTable, components: QTable) -> SkyCoord:
    """Give the place of the first component, the brightest, of each source, or else its own."""
    tables = [table["Source_Name", "ra", "dec"] for table in (components, sources)]
    both = vstack(tables, metadata_conflicts="silent")
    names, first = np.unique(np.asarray(both["Source_Name"]), return_index=True)
    rows = first[np.searchsorted(names, np.asarray(sources["Source_Name"]))]
    return SkyCoord(both["ra"][rows], both["dec"][rows])


def _frequency(sources: QTable, name: str) -> int:
    megahertz = float(np.median(sources["freq"].to_value(u.MHz))) if len(sources) else np.nan
    for frequency in FREQUENCIES:
        if abs(megahertz / frequency - 1) < FREQUENCY_TOLERANCE:
            return frequency
    raise PssegError(
        f"{name}: its frequency is {megahertz:.4g} MHz; the challenge has images at 560, 1400 and "
        "9200 MHz"
    )


def _corrected(
    columns: dict[str, NDArray[np.float64]], primary_beam: str | Path, megahertz: int
) -> dict[str, NDArray[np.float64]]:
    """Divide fluxes by the primary beam; leave out the sources where it is not known."""
    places = SkyCoord(columns["ra_cent"], columns["dec_cent"], unit="deg")
    attenuation = attenuation_at(primary_beam, places, frequency=1e6 * megahertz)
    known = np.isfinite(attenuation)
    kept = {name: values[known] for name, values in columns.items()}
    return kept | {"flux": kept["flux"] / attenuation[known]}


def _scorer() -> Any:
    try:
        with _quiet():
            from ska_sdc import Sdc1Scorer
    except (ImportError, TypeError) as error:  # pandas 3 has not the options it reads files with
        raise PssegError(
            f"--sdc1 needs ska-sdc with pandas 2: pip install 'psseg[sdc1]' ({error})"
        ) from error
    return Sdc1Scorer


def _run(scorer: Any, columns: dict[str, NDArray[np.float64]], truth: Path, frequency: int) -> Any:
    from pandas import DataFrame

    try:
        known = np.loadtxt(truth, ndmin=2)
        tables = DataFrame(columns).dropna(), DataFrame(known, columns=list(columns)).dropna()
    except (OSError, ValueError) as error:
        raise PssegError(
            f"{truth}: no truth catalogue of the challenge, {len(columns)} columns of numbers: "
            f"{error}"
        ) from error
    return scorer(*tables, frequency).run()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the scorer from setting up the log and warning of its own past."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(silent)
