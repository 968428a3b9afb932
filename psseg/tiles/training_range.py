"""Whether a map was taken as the skies of its survey are simulated: at what frequency, how long.

In: a map and its survey. Out: what lies outside the survey's ranges, in words; a network trained on
that survey has seen nothing like it.
"""

from __future__ import annotations

import numpy as np

from psseg.survey.continuum import ContinuumSurvey
from psseg.survey.survey import AnySurvey, Survey
from psseg.tiles.radio_image import RadioImage
from psseg.tiles.tile import Tile

__all__ = ["exposure_outside", "frequency_outside"]


def frequency_outside(image: RadioImage, survey: AnySurvey) -> list[str]:
    """Name the frequency of a radio image that the survey does not reach.

    Parameters
    ----------
    image : RadioImage
        Its reference plane is looked at; an unknown frequency is not doubted.
    survey : ContinuumSurvey
        One of counts has no frequencies.

    Returns
    -------
    list of str
        The frequency and the survey's range; empty where it is inside.
    """
    if not isinstance(survey, ContinuumSurvey):
        return []
    low, high = survey.instrument.frequency
    frequency = image.frequencies[0]
    if np.isnan(frequency) or low <= frequency <= high:
        return []
    return [f"frequency {frequency / 1e9:.4g} GHz (training: {low / 1e9:.3g} to {high / 1e9:.3g})"]


def exposure_outside(tile: Tile, survey: Survey) -> list[str]:
    """Name the exposure of a counts map that the survey does not reach.

    Parameters
    ----------
    tile : Tile
        The median of its exposure is looked at; an unknown one is not doubted.
    survey : Survey

    Returns
    -------
    list of str
        The exposure and the survey's range, in years of its mean over the sky; empty where it is
        inside.
    """
    if tile.exposure is None:
        return []
    instrument, bands = survey.instrument, tile.bands_present
    per_year = instrument.band_exposure(1.0)[bands, None]
    years = float(np.median(tile.exposure[bands][:, ~tile.mask] / per_year))
    low, high = np.multiply(instrument.years, instrument.variation)
    if low <= years <= high:
        return []
    return [f"exposure of {years:.3g} years (training: {low:.3g} to {high:.3g})"]
