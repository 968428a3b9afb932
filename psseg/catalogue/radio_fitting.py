"""All components of an image fitted: each as a point or as a free Gaussian, blends together.

In: a plane with its noise, and peaks. Out: Gaussians with covariance, and fluxes of the same shapes
in further planes. Work goes in batches of components whose cutouts are alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from psseg.catalogue.gaussians import (
    MAX_SHIFT,
    N_PARAMETERS,
    fit_gaussians,
    linear_amplitudes,
    parameter_covariance,
    shape_steps,
)
from psseg.catalogue.radio_blends import with_doubles
from psseg.catalogue.radio_canvas import Canvas, noise_units, relative
from psseg.catalogue.radio_components import POINT, Components, Plane, batches, whole_groups
from psseg.tiles.beam import FWHM_PER_SIGMA

__all__ = ["fit_components", "forced_fluxes"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.intp]
Bools = NDArray[np.bool_]

SIZES = (2, 4, 8)
"""Larger windows, in beams; a Gaussian may be twice as large as the last one."""

OUTGROWN = 1.4
"""A component larger than this many times its window's size moves to the next."""

CROWDED = 2.6 * FWHM_PER_SIGMA
"""Components of other groups closer than this (2.6 beams) take part in each other's windows."""

ROUNDS = 3
"""Times that crowded groups are fitted, each with the last fit of the others subtracted."""

RESOLVED = 8.0
"""Squared significance of the change of shape, three parameters, from which a component is fitted
freely: points exceed it, with a larger area, in 2 % of cases."""

SHAPE_FLOOR = 0.02
"""No shape is better known than this fraction of the beam's: pixels, smearing, calibration."""


def fit_components(
    plane: Plane, x: Floats, y: Floats, group: Integers
) -> tuple[Components, Integers]:
    """Fit a Gaussian to every peak, or two points where these do better.

    Parameters
    ----------
    plane : Plane
        The reference plane.
    x, y : ndarray (n,)
        Peaks, pixels.
    group : ndarray of int (n,)
        As `psseg.catalogue.radio_peaks.group_peaks` gives it.

    Returns
    -------
    components : Components
        In the order of the peaks.
    peak : ndarray of int (n_components,)
        Index of the peak of each.

    Notes
    -----
    Each squared residual has a weight that falls off as a Gaussian about the peak: see
    `psseg.catalogue.radio_components.POINT_WEIGHT`. In larger windows its sigma is the window's
    size.

    A component is fitted freely where that changes its shape significantly (the errors count the
    correlation of the noise) and makes it larger than the beam.
    """
    start = _started(plane, x, y, group)
    canvas = Canvas(plane.data.shape, plane.whitening)
    canvas.show(start, _crowded(plane, start))
    state = _fitted(plane, canvas, start, np.ones(len(start), dtype=bool))
    state = _settled(plane, canvas, _parted(state, start))
    state = _freed(plane, canvas, state)
    state, peak = with_doubles(plane, canvas, _settled(plane, canvas, state))
    return _with_errors(plane, state), peak


def forced_fluxes(plane: Plane, reference: Plane, components: Components) -> tuple[Floats, Floats]:
    """Measure the fluxes of known components in any plane: only the amplitudes are fitted.

    Parameters
    ----------
    plane : Plane
        The plane; its beam may be another one.
    reference : Plane
        The plane that the components were fitted in.
    components : Components
        Where they are and how large.

    Returns
    -------
    flux, error : ndarray (n,)
        Integrated, Jy; NaN where the plane is blank.
    """
    whitening = reference.whitening
    beam = whitening @ plane.beam @ whitening.T
    there = replace(
        components,
        amplitude=np.zeros(len(components)),
        shape=_widened(components, beam),
        rms=plane.at(plane.rms, components.x, components.y),
    )
    correlated = np.linalg.inv(np.linalg.cholesky(beam))
    error = np.full(len(components), np.nan)
    canvas = Canvas(plane.data.shape, whitening)
    crowded = _crowded(reference, components)
    for chosen in (~components.failed, crowded, crowded):
        amplitude = there.amplitude.copy()
        for batch in batches(reference, there, chosen):
            values, weights = noise_units(plane, canvas, there, batch)
            fitted, deviation = linear_amplitudes(
                values,
                weights,
                batch.window.grid,
                there.local(batch.members, batch.column, batch.row, whitening),
                batch.window.correlation(correlated),
            )
            scale = there.rms[batch.members[:, :1]]
            amplitude[batch.members] = np.nan_to_num(fitted * scale)
            error[batch.members] = deviation * scale
        there = replace(there, amplitude=amplitude)
        canvas.show(there, crowded)
    area = there.stretch() / np.sqrt(np.linalg.det(beam))
    return np.where(np.isfinite(error), there.amplitude, np.nan) * area, error * area


def _started(plane: Plane, x: Floats, y: Floats, group: Integers) -> Components:
    """Take every peak as a point of that height."""
    n = len(x)
    height = plane.at(plane.data, x, y) - plane.at(plane.mean, x, y)
    rms = plane.at(plane.rms, x, y)
    failed = ~(np.isfinite(height) & (rms > 0))
    return Components(
        x=x.astype(float),
        y=y.astype(float),
        amplitude=np.where(failed, 0.0, height),
        shape=np.tile(POINT, (n, 1)),
        covariance=np.full((n, N_PARAMETERS, N_PARAMETERS), np.nan),
        rms=np.where(failed, np.nan, rms),
        free=np.zeros(n, dtype=bool),
        failed=failed,
        group=group,
        size=np.ones(n, dtype=np.intp),
    )


def _settled(plane: Plane, canvas: Canvas, state: Components) -> Components:
    """Fit crowded groups again, each with the present fit of the others subtracted."""
    crowded = _crowded(plane, state)
    for _ in range(ROUNDS - 1):
        canvas.show(state, crowded)
        state = _fitted(plane, canvas, state, crowded)
    canvas.show(state, crowded)
    return state


def _parted(state: Components, start: Components) -> Components:
    """Part the groups that failed: their members start again, to be fitted one by one."""
    lost = whole_groups(state, state.failed & ~start.failed)
    lost &= np.bincount(state.group, minlength=1)[state.group] > 1
    own = np.where(lost, state.group.max(initial=0) + 1 + np.arange(len(state)), state.group)
    return replace(
        state,
        x=np.where(lost, start.x, state.x),
        y=np.where(lost, start.y, state.y),
        amplitude=np.where(lost, start.amplitude, state.amplitude),
        failed=state.failed & ~lost,
        group=np.unique(own, return_inverse=True)[1],
    )


def _fitted(plane: Plane, canvas: Canvas, state: Components, chosen: Bools) -> Components:
    """Fit the groups of the chosen components once."""
    x, y, amplitude = state.x.copy(), state.y.copy(), state.amplitude.copy()
    shape, failed = state.shape.copy(), state.failed.copy()
    for batch in batches(plane, state, chosen):
        members = batch.members
        start = relative(state, batch, plane.whitening)
        values, weights = noise_units(plane, canvas, state, batch)
        largest = 2.0 * float(state.size[members].max())
        fitted, converged = fit_gaussians(
            values, weights, batch.window.grid, start, state.free[members], largest=largest
        )
        x[members], y[members] = batch.places(fitted, plane.beam)
        amplitude[members] = fitted[..., 0] * state.rms[members[:, :1]]
        shape[members] = fitted[..., 3:]
        moved = np.abs(fitted[..., 1:3] - start[..., 1:3]).max(axis=-1)
        good = converged[:, None] & (fitted[..., 0] > 1) & (moved < MAX_SHIFT)
        on_data = np.isfinite(plane.at(plane.rms, x[members], y[members]))
        failed[members] = ~(good & on_data)
    return replace(state, x=x, y=y, amplitude=amplitude, shape=shape, failed=failed)


def _freed(plane: Plane, canvas: Canvas, points: Components) -> Components:
    """Fit those components freely whose shapes are not the beam's, in windows as large as they."""
    free = _resolved(plane, canvas, points)
    state = replace(points, free=free)
    state = _fitted(plane, canvas, state, free)
    for size in SIZES:
        grown = state.free & (state.size == size // 2) & (state.sigma() > OUTGROWN * size / 2)
        grown = whole_groups(state, grown)
        if not grown.any():
            break
        state = replace(state, size=np.where(grown, size, state.size))
        state = _fitted(plane, canvas, state, grown)
    return _points_again(plane, canvas, state, points)


def _points_again(
    plane: Plane, canvas: Canvas, state: Components, points: Components
) -> Components:
    """Make points of what is no larger than the beam after all, or could not be fitted freely."""
    small = state.free & (state.failed | (state.stretch() <= 1))
    back = whole_groups(state, small)
    free = state.free & ~small
    alone = back & ~whole_groups(state, free)
    again = replace(
        state,
        x=np.where(small, points.x, state.x),
        y=np.where(small, points.y, state.y),
        amplitude=np.where(small, points.amplitude, state.amplitude),
        shape=np.where(small[:, None], points.shape, state.shape),
        failed=np.where(small, points.failed, state.failed),
        size=np.where(alone, 1, state.size),
        free=free,
    )
    return _fitted(plane, canvas, again, back)


def _resolved(plane: Plane, canvas: Canvas, state: Components) -> Bools:
    """Tell which points are larger than the beam."""
    result = np.zeros(len(state), dtype=bool)
    for batch in batches(plane, state, ~state.failed):
        values, weights = noise_units(plane, canvas, state, batch)
        parameters = relative(state, batch, plane.whitening)
        correlation = batch.window.correlation()
        result[batch.members] = _significant(
            *shape_steps(values, weights, batch.window.grid, parameters, correlation)
        )
    return result & ~state.failed


def _significant(step: Floats, covariance: Floats) -> Bools:
    floor = SHAPE_FLOOR**2 * np.diag([1.0, 0.5, 1.0])
    good = np.asarray(np.isfinite(covariance).all(axis=(-1, -2)) & np.isfinite(step).all(axis=-1))
    sound = np.where(good[..., None, None], covariance, np.eye(3)) + floor
    squared = (step[..., None, :] @ np.linalg.solve(sound, step[..., None]))[..., 0, 0]
    return good & (squared > RESOLVED) & (step[..., 0] + step[..., 2] < 0)


def _with_errors(plane: Plane, state: Components) -> Components:
    covariance = state.covariance.copy()
    for batch in batches(plane, state, ~state.failed):
        blank = ~np.isfinite(batch.cutouts(plane.data))
        covariance[batch.members] = parameter_covariance(
            np.where(blank, 0, batch.weights),
            batch.window.grid,
            relative(state, batch, plane.whitening),
            state.free[batch.members],
            batch.window.correlation(),
        )
    return replace(state, covariance=covariance)


def _crowded(plane: Plane, state: Components) -> Bools:
    """Tell which components have others that belong to other groups in their windows."""
    places = np.stack([state.x, state.y], axis=-1) @ plane.whitening.T
    reach = CROWDED * np.maximum(state.sigma(), 1)
    tree = KDTree(places)
    pairs = tree.query_pairs(CROWDED, output_type="ndarray").reshape(-1, 2)
    large = np.flatnonzero(reach > CROWDED)
    near = tree.query_ball_point(places[large], reach[large])
    more = [(i, j) for i, others in zip(large, near, strict=True) for j in others]
    one, other = np.concatenate([pairs, np.array(more, dtype=int).reshape(-1, 2)]).T
    apart = state.group[one] != state.group[other]
    result = np.zeros(len(state), dtype=bool)
    result[one[apart]] = result[other[apart]] = True
    return whole_groups(state, result)


def _widened(components: Components, beam: Floats) -> Floats:
    """Give the shapes as another beam (in units of the first) shows them."""
    covariance = np.linalg.inv(components.shape[:, [0, 1, 1, 2]].reshape(-1, 2, 2))
    covariance = np.where(components.free[:, None, None], covariance - np.eye(2) + beam, beam)
    values, vectors = np.linalg.eigh(covariance)
    # A noisy shape may be narrower than the beam, and not after it has been exchanged.
    values = np.maximum(values, 0.1 * np.linalg.eigvalsh(beam)[0])
    inverse = (vectors / values[:, None, :]) @ vectors.transpose(0, 2, 1)
    return np.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], axis=-1)
