"""The joint fit of a scene: what moves, what is held, and that neighbours are fitted along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from psseg.catalogue import fitting
from psseg.catalogue.fitting import fit_scene
from psseg.catalogue.footprints import draw_footprints
from psseg.catalogue.scene import Scene, background_nodes, starting_sources
from psseg.catalogue.spectra import fit_spectra
from psseg.catalogue.templates import point_template
from psseg.survey.survey import load_survey

SURVEY = load_survey("fermi-lat")
BANDS = np.stack([SURVEY.energy_edges[:-1], SURVEY.energy_edges[1:]], axis=-1)
EXPOSURE = SURVEY.instrument.band_exposure(10.0)
SIDE = 90
PLACES = np.array([(20.2, 20.4), (26.1, 21.7), (70.3, 68.8), (21.0, 66.5), (69.7, 20.9)])
SHARES = np.array([0.4, 0.3, 0.15, 0.08, 0.04, 0.02, 0.007, 0.003])


@pytest.fixture(scope="module")
def scene():
    nodes, prior = background_nodes((SIDE, SIDE), 10.0, error=0.1, length=50.0)
    level = np.array([4.0, 3.0, 2.0, 1.0, 0.2, 0.06, 0.02, 0.01])
    empty = Scene(
        counts=np.zeros((8, SIDE, SIDE)),
        background=np.broadcast_to(level[:, None, None], (8, SIDE, SIDE)).copy(),
        valid=np.ones((SIDE, SIDE), dtype=bool),
        templates=(point_template(SURVEY.instrument.psf, 0.1),),
        nodes=nodes,
        node_prior=prior,
        background_error=0.1,
    )
    true = at(empty, PLACES)
    true = replace(true, amplitude=np.outer(SHARES, [3000, 1500, 2000, 1000, 800]))
    light = [
        (design @ own).reshape(SIDE, SIDE)
        for design, own in zip(
            draw_footprints(empty, true).matrices(empty), true.amplitude, strict=True
        )
    ]
    counts = np.random.default_rng(3).poisson(empty.background + light)
    return replace(empty, counts=counts.astype(float))


def at(scene, places):
    jacobian = np.broadcast_to(0.1 * np.diag([-1.0, 1.0]), (len(places), 2, 2))
    return starting_sources(scene, x=places[:, 0], y=places[:, 1], jacobian=jacobian)


def fitted(scene, sources, **options):
    def spectrum(counts, some):
        exposure = np.broadcast_to(EXPOSURE, counts.best.shape)
        return fit_spectra(counts, exposure, BANDS, curved=True).counts

    return fit_scene(scene, sources, spectrum=spectrum, leash=0.3, position_prior=0.15, **options)


def test_sources_arrive_where_they_are(scene):
    fit = fitted(scene, at(scene, PLACES + 0.8))
    assert np.all(np.hypot(fit.sources.x - PLACES[:, 0], fit.sources.y - PLACES[:, 1]) < 0.3)
    assert fit.converged.all()


def test_those_that_may_not_move_stay_while_their_counts_are_fitted(scene):
    start = at(scene, PLACES)
    before = start.amplitude.copy()
    moving = np.array([True, False, False, False, False])
    fit = fitted(scene, start, moving=moving, level=np.zeros((8, scene.nodes.shape[1])))
    assert np.array_equal(fit.sources.x[1:], PLACES[1:, 0])
    assert fit.sources.x[0] != PLACES[0, 0]
    assert fit.sources.amplitude.sum(axis=0) == pytest.approx(
        [3000, 1500, 2000, 1000, 800], abs=250
    )
    assert np.array_equal(start.amplitude, before)


def test_holding_far_sources_changes_next_to_nothing(scene, monkeypatch):
    start = at(scene, PLACES + 0.8)
    moving = np.array([True, True, False, False, False])
    near = fitted(scene, start, moving=moving)
    monkeypatch.setattr(fitting, "FOLLOW", np.inf)
    far = fitted(scene, start, moving=moving)
    assert near.sources.x == pytest.approx(far.sources.x, abs=0.01)
    assert near.sources.y == pytest.approx(far.sources.y, abs=0.01)
    assert near.ts == pytest.approx(far.ts, rel=0.01)
