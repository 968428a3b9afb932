"""From a counts map to its catalogue: what is kept, flagged, and refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from truth_teller import positions

from psseg.catalogue.flags import Flag
from psseg.counts_catalogue import catalogue_tile
from psseg.errors import PssegError, PssegWarning


@pytest.fixture
def ranking(truth_teller):
    """Give the model whose SOURCE_PROB rises with the TS."""
    calibration = replace(truth_teller.calibration, source_coefficients=(-8.0, 0.0, 1.0))
    return replace(truth_teller, calibration=calibration)


def blended(table):
    return (table["Flags"] & int(Flag.BLENDED)) > 0


def nearest(coords: SkyCoord) -> np.ndarray:
    separation = coords[:, None].separation(coords[None, :]).deg
    return np.min(separation + np.where(np.eye(len(coords)), np.inf, 0), axis=0)


def test_sources_that_are_not_in_the_catalogue_blend_none(ranking, sky):
    candidates = catalogue_tile(sky.tile, ranking, keep_candidates=True).table
    probability = candidates["SOURCE_PROB"]
    pairs = np.flatnonzero(blended(candidates))
    assert len(pairs) >= 2
    # A cut between two blended ones leaves one of them alone.
    cut = np.median(probability[pairs])
    kept = catalogue_tile(sky.tile, ranking, threshold=cut).table
    assert 1 < len(kept) < len(candidates)
    alone = nearest(positions(kept)) > 2.0
    was = blended(candidates)[np.isin(candidates["Source_Name"], kept["Source_Name"])]
    assert not blended(kept)[alone].any()
    assert blended(kept).sum() < was.sum()


def limited(model, **limits):
    return replace(model, calibration=replace(model.calibration, **limits))


@pytest.mark.parametrize(
    ("limits", "why"),
    [({"residual_limit": (0.01,) * 8}, "residuals of"), ({"image_range": ((0, 1e-6),)}, "sources")],
)
def test_a_map_unlike_the_training_skies_is_flagged_or_refused(truth_teller, sky, limits, why):
    model = limited(truth_teller, **limits)
    with pytest.warns(PssegWarning, match=f"unlike the skies that stub was trained on: {why}"):
        table = catalogue_tile(sky.tile, model).table
    assert np.all(table["Flags"] & int(Flag.UNLIKE_TRAINING))
    with pytest.raises(PssegError, match="leave --strict out to catalogue it with a flag"):
        catalogue_tile(sky.tile, model, strict=True)


def test_an_exposure_that_no_simulated_sky_has_is_flagged_or_refused(truth_teller, sky):
    tile = replace(sky.tile, exposure=sky.tile.exposure * 1e6)
    with pytest.warns(PssegWarning, match=r"exposure of .* years \(training: 0\.81 to 27\.8\)"):
        table = catalogue_tile(tile, truth_teller).table
    assert np.all(table["Flags"] & int(Flag.UNLIKE_TRAINING))
    with pytest.raises(PssegError, match="leave --strict out"):
        catalogue_tile(tile, truth_teller, strict=True)


def test_a_map_that_cannot_be_checked_is_warned_of_or_refused(truth_teller, sky):
    mask = np.ones(sky.tile.shape, bool)
    mask[:12, :12] = False
    tile, model = replace(sky.tile, mask=mask), limited(truth_teller, residual_limit=(2.0,) * 8)
    with pytest.warns(PssegWarning, match="could not be checked"):
        table = catalogue_tile(tile, model).table
    assert not np.any(table["Flags"] & int(Flag.UNLIKE_TRAINING))
    with pytest.raises(PssegError, match=r"could not be checked.*leave --strict out"):
        catalogue_tile(tile, model, strict=True)
    catalogue_tile(tile, truth_teller, strict=True)  # nothing to check it by


def test_a_map_like_the_training_skies_is_neither(truth_teller, sky):
    model = limited(truth_teller, residual_limit=(2.0,) * 8, image_range=((0.0, 0.9),))
    result = catalogue_tile(sky.tile, model, strict=True)
    assert result.likeness.is_known
    assert 0 < result.likeness.sources < 0.5
