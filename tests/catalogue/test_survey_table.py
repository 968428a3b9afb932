"""What a catalogue says of its survey: the bands, and the width of the PSF in each."""

from __future__ import annotations

import numpy as np
import pytest
from made_skies import SURVEY

from psseg.catalogue.table import describe_survey


@pytest.mark.parametrize(("name", "share"), [("PSF_R68", 0.68), ("PSF_R95", 0.95)])
def test_a_radius_holds_its_share_of_the_photons(name, share):
    radii = describe_survey(SURVEY)[name].to_value("deg")
    held = [psf.containment(r) for psf, r in zip(SURVEY.instrument.psf, radii, strict=True)]
    assert held == pytest.approx([share] * SURVEY.n_bands, abs=1e-6)


def test_the_bands_are_those_of_the_survey():
    table = describe_survey(SURVEY)
    assert tuple(table["BAND"]) == tuple(SURVEY.band_names)
    edges = np.append(table["E_MIN"].to_value("GeV"), table["E_MAX"][-1].to_value("GeV"))
    assert edges == pytest.approx(SURVEY.energy_edges)
    assert table["E_MAX"][:-1].value.tolist() == table["E_MIN"][1:].value.tolist()
    assert table.meta["SURVEY"] == "fermi-lat"
