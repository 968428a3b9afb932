"""Fluxes corrected for the primary beam.

In: sources as they appear in the image, and the primary beam. Out: the same, as bright as they are.
"""

from __future__ import annotations

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

__all__ = ["correct_fluxes"]

ATTENUATED = (
    *("peak_flux", "e_peak_flux", "int_flux", "e_int_flux"),
    *("rms_image", "mean_image", "resid_rms", "resid_mean", "plane_flux", "e_plane_flux"),
)
"""Columns that the primary beam attenuates."""


def correct_fluxes(sources: QTable, components: QTable, attenuation: NDArray[np.floating]) -> None:
    """Divide fluxes, their errors and the noise by the attenuation at each source, in place.

    Parameters
    ----------
    sources, components : QTable
        As `psseg.catalogue.radio_measurement.measure_image` gives them.
    attenuation : numpy.ndarray, shape (n_y, n_x)
        0 to 1; NaN where it is too small.
    """
    n_y, n_x = attenuation.shape
    rows, columns = (
        np.clip(np.rint(sources[name]).astype(int), 0, n - 1)
        for name, n in (("Y", n_y), ("X", n_x))
    )
    of_source = attenuation[rows, columns].astype(float)
    of_segment = dict(zip(sources["SEGMENT"].tolist(), of_source.tolist(), strict=True))
    of_component = np.array([of_segment[label] for label in components["SEGMENT"].tolist()])
    for table, factor in ((sources, of_source), (components, of_component)):
        for name in ATTENUATED:
            if name in table.colnames:
                table[name] = (table[name].T / factor).T
