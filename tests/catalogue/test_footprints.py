"""Matrices of a scene hold what its sources add to the pixels, and what moving them changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_skies import BACKGROUND, SURVEY
from scipy.sparse import csc_array

from psseg.catalogue.footprints import displacement_matrix, draw_footprints
from psseg.catalogue.scene import Scene, Sources
from psseg.catalogue.templates import disc_template, point_template

N = 60
PSF = tuple(SURVEY.instrument.psf)


@pytest.fixture
def scene():
    """A field with a blank corner; a point and a disc as templates."""
    valid = np.ones((N, N), dtype=bool)
    valid[:10, :10] = False
    return Scene(
        counts=np.zeros((8, N, N)),
        background=np.broadcast_to(BACKGROUND, (8, N, N)).astype(float),
        valid=valid,
        templates=(point_template(PSF, 0.1), disc_template(PSF, 0.1, 0.45)),
        nodes=csc_array((N * N, 0)),
        node_prior=np.zeros((0, 0)),
        background_error=0.1,
    )


@pytest.fixture
def sources():
    """Two points, the first beside the blanks, and a disc."""
    return Sources(
        x=np.array([11.3, 40.2, 30.0]),
        y=np.array([9.6, 41.7, 12.7]),
        amplitude=np.full((8, 3), 300.0),
        shape=np.array([0, 0, 1]),
        jacobian=np.tile(0.1 * np.diag([-1.0, 1.0]), (3, 1, 1)),
    )


def images(matrix):
    return np.moveaxis(matrix.toarray().reshape(N, N, -1), -1, 0)


def test_a_source_adds_its_counts_around_its_position_and_nothing_to_blanks(scene, sources):
    for matrix in draw_footprints(scene, sources).matrices(scene):
        stamps = images(matrix)
        assert not stamps[:, ~scene.valid].any()
        shares = stamps.sum(axis=(1, 2))
        assert 0.65 < shares[1] < 1.01  # wide wings are cut where the background hides them
        assert shares[0] < shares[1] - 0.01  # what fell on blank pixels is lost
        y, x = np.unravel_index(np.argmax(stamps[1]), (N, N))
        assert (x, y) == (40, 42)


def test_only_what_moved_is_drawn_again(scene, sources):
    before = draw_footprints(scene, sources)
    moved = replace(sources, x=sources.x + np.array([0.4, 0.0, 3.2]))
    again = before.redrawn(scene, moved, np.array([0, 2]))
    for one, two, new in zip(
        before.matrices(scene),
        again.matrices(scene),
        draw_footprints(scene, moved).matrices(scene),
        strict=True,
    ):
        assert (one[:, [1]] != two[:, [1]]).nnz == 0
        assert (one[:, [0]] != two[:, [0]]).nnz > 0
        np.testing.assert_allclose(two.toarray(), new.toarray())


def test_displacements_are_differences_of_footprints(scene, sources):
    step = 0.02
    footprints = draw_footprints(scene, sources)
    moves = displacement_matrix(scene, sources, footprints.radii, np.array([1, 2]))
    for axis, name in enumerate("xy"):
        ahead, behind = (
            footprints.redrawn(
                scene,
                replace(sources, **{name: getattr(sources, name) + sign * step / 2}),
                np.array([1, 2]),
            ).matrices(scene)
            for sign in (1, -1)
        )
        for move, late, early in zip(moves, ahead, behind, strict=True):
            wanted = 300 * (late - early).toarray()[:, 1:] / step
            given = move.toarray()[:, 2 * axis : 2 * axis + 2]
            assert np.linalg.norm(given - wanted) < 0.05 * np.linalg.norm(wanted)


def test_a_source_outside_the_scene_adds_nothing(scene, sources):
    outside = replace(sources, x=np.array([-80.0, 40.2, 30.0]))
    for matrix in draw_footprints(scene, outside).matrices(scene):
        assert matrix[:, [0]].nnz == 0
        assert matrix[:, [1]].nnz > 0
