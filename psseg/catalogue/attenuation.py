"""Fluxes corrected for the primary beam.

In: sources as they appear in the image, and the primary beam. Out: the same, as bright as they are.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.tiles.places import nearest_pixels
from psseg.tiles.primary_beam import scaled_attenuation
from psseg.tiles.radio_image import RadioImage

__all__ = ["correct_fluxes"]

ATTENUATED = (
    *("peak_flux", "e_peak_flux", "int_flux", "e_int_flux"),
    *("rms_image", "mean_image", "resid_rms", "resid_mean"),
)
"""Columns of the reference plane that the primary beam attenuates."""

PLANES_ATTENUATED = "plane_flux", "e_plane_flux"
"""Those of all planes: Stokes I, I at the other frequency, V."""


def correct_fluxes(
    sources: QTable,
    components: QTable,
    attenuation: NDArray[np.floating],
    image: RadioImage,
) -> None:
    """Divide fluxes, their errors and the noise by the attenuation at each source, in place.

    Parameters
    ----------
    sources, components : QTable
        As `psseg.catalogue.radio_measurement.measure_image` gives them.
    attenuation : numpy.ndarray, shape (n_y, n_x)
        0 to 1, at the frequency of the reference plane; NaN where it is too small.
    image : RadioImage
        The image they were measured in.

    Notes
    -----
    The fluxes of the other planes are divided by the attenuation at their own frequencies, as
    `psseg.tiles.primary_beam.scaled_attenuation` gives it, and are NaN where that is too small.
    """
    pixels = nearest_pixels(sources["X"], sources["Y"], attenuation.shape)
    of_source = attenuation[pixels].astype(float)
    of_segment = dict(zip(sources["SEGMENT"].tolist(), of_source.tolist(), strict=True))
    of_component = np.array([of_segment[label] for label in components["SEGMENT"].tolist()])
    _divide(sources, ATTENUATED, of_source)
    _divide(components, ATTENUATED, of_component)
    by_plane = [scaled_attenuation(of_source, ratio) for ratio in image.frequency_ratios]
    _divide(sources, PLANES_ATTENUATED, np.stack(by_plane, axis=-1))


def _divide(table: QTable, names: tuple[str, ...], factor: NDArray[np.float64]) -> None:
    for name in names:
        if name in table.colnames:
            table[name] = table[name] / factor
