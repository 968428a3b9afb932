"""Offsets in units of the error ellipse, and which sources say whether the ellipses are right."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from psseg.evaluation.detection import position_scores
from psseg.evaluation.matching import ellipse_distance, match_catalogue


@pytest.mark.parametrize(("towards", "distance"), [(30, 0.5), (210, 0.5), (120, 1.0), (300, 1.0)])
def test_an_offset_along_the_ellipse_is_shorter_than_one_across(make_catalogue, towards, distance):
    catalogue = make_catalogue(50.0, 40.0)
    catalogue["Conf_68_SemiMajor"] = [0.2] * u.deg
    catalogue["Conf_68_SemiMinor"] = [0.1] * u.deg
    catalogue["Conf_68_PosAng"] = [30.0] * u.deg
    detected = SkyCoord([50.0], [40.0], unit="deg")
    truth = detected.directional_offset_by(towards * u.deg, 0.1 * u.deg)
    assert ellipse_distance(catalogue, detected, truth) == pytest.approx([distance], rel=1e-6)


def test_extended_sources_say_nothing_of_the_ellipses(make_catalogue, make_truth):
    ra, dec = np.arange(8) * 2.0, np.zeros(8)
    truth = make_truth(ra, dec)
    truth["Extension"] = [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5] * u.deg
    offset = np.repeat([0.02, 0.2], 4)  # deg; the ellipses have 0.05
    row = position_scores(match_catalogue(make_catalogue(ra, dec + offset), truth).detections)[0]
    assert (row["n"], row["n_ellipses"]) == (8, 4)
    assert (row["coverage_68"], row["coverage_95"]) == (1, 1)
    assert row["r95"] == pytest.approx(0.2, rel=1e-3)
