"""Which planes of which files make the planes of a radio image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from psseg.errors import PssegError
from psseg.tiles.radio_planes import Layer, layer_rms

__all__ = ["Plan", "plan_planes"]

_SAME_FREQUENCY = 1e-4  # relative difference
_NOISE_RANGE = 10.0  # a channel of ten times the noise adds a hundredth of the others' weight
_STOKES_IN_NAME = re.compile(r"(?:^|[._-])([IQUV])(?=$|[._-])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plane to be: the layers that it is the mean of, and their weights."""

    layers: tuple[Layer, ...]
    weights: tuple[float, ...]

    @property
    def stokes(self) -> str:
        """Stokes parameter of all layers."""
        return self.layers[0].stokes

    @property
    def frequency(self) -> float:
        """Weighted mean of the frequencies, Hz."""
        frequencies = [layer.frequency for layer in self.layers]
        return float(np.average(frequencies, weights=self.weights))


def plan_planes(layers: Sequence[Layer], notes: list[str]) -> list[Plan]:
    """Choose what each plane of a radio image is made of.

    Parameters
    ----------
    layers : sequence of Layer
        All planes of all files.
    notes : list of str
        Takes a line on every choice.

    Returns
    -------
    list of Plan
        Stokes I at one or two frequencies, the lower one first, then Stokes V where there is one.

    Raises
    ------
    PssegError
        If there is no Stokes I, or if two files hold the same plane.

    Notes
    -----
    Where several files say that they are the same plane, but their names end in different Stokes
    parameters (``field_I.fits``, ``field_V.fits``), the names are believed: some software writes
    the header of Stokes I for all of them.
    """
    layers = _tell_apart(layers, notes)
    _note_unused(layers, notes)
    intensity = [layer for layer in layers if layer.stokes == "I"]
    if not intensity:
        found = ", ".join(sorted({layer.stokes for layer in layers}))
        raise PssegError(
            f"{layers[0].header.name}: no plane of Stokes I (only {found}); psseg finds sources "
            "in Stokes I: give its image too"
        )
    circular = [layer for layer in layers if layer.stokes == "V"]
    for same in (intensity, circular):
        if clash := _clash(same):
            raise PssegError(_clash_message(*clash))
    plans = _halves(intensity, notes)
    return [*plans, _mean(circular, notes)] if circular else plans


def _tell_apart(layers: Sequence[Layer], notes: list[str]) -> list[Layer]:
    """Take the Stokes parameters from the files' names where their headers are all alike."""
    named = [_stokes_in_name(layer) for layer in layers]
    one_each = max(Counter(layer.path for layer in layers).values()) == 1
    if not (one_each and _clash(layers) and all(named) and _all_differ(layers, named)):
        return list(layers)
    renamed = []
    for layer, stokes in zip(layers, named, strict=True):
        if stokes != layer.stokes:
            name = layer.header.name
            notes.append(f"{name}: Stokes {stokes} from its name; its header says {layer.stokes}")
        renamed.append(replace(layer, stokes=stokes))
    return renamed


def _stokes_in_name(layer: Layer) -> str:
    """Give the last Stokes parameter that stands alone in a file's name; empty without one."""
    found = _STOKES_IN_NAME.findall(layer.path.name)
    return found[-1].upper() if found else ""


def _all_differ(layers: Sequence[Layer], stokes: Sequence[str]) -> bool:
    """Tell whether new Stokes parameters leave no two layers the same."""
    return _clash([replace(layer, stokes=s) for layer, s in zip(layers, stokes, strict=True)]) == ()


def _clash(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Give two layers of different files that are the same plane; none if there are none."""
    for number, one in enumerate(layers):
        for other in layers[:number]:
            same = one.stokes == other.stokes and one.path != other.path
            if same and not abs(one.frequency / other.frequency - 1) > _SAME_FREQUENCY:
                return other, one
    return ()


def _clash_message(one: Layer, other: Layer) -> str:
    if np.isfinite(one.frequency) and np.isfinite(other.frequency):
        where = f"at {one.frequency / 1e6:.6g} MHz"
        what = "give one of them"
    else:
        where = "at frequencies that their headers do not both say"
        what = "give one of them, or correct the headers (RESTFRQ)"
    return f"{one.header.name} and {other.header.name} are both Stokes {one.stokes} {where}: {what}"


def _note_unused(layers: Sequence[Layer], notes: list[str]) -> None:
    unused = {(layer.header.name, layer.stokes) for layer in layers}
    for name, stokes in sorted(unused):
        if stokes not in ("I", "V"):
            notes.append(f"{name}: Stokes {stokes} passed over")


def _halves(layers: Sequence[Layer], notes: list[str]) -> list[Plan]:
    """Make the planes of Stokes I: as they are, or the means of the lower and the upper half."""
    layers = sorted(layers, key=lambda layer: layer.frequency)
    if len(layers) > 2:
        _refuse_unknown(layers)
        layers, rms = _sound_channels(layers, notes)
    if len(layers) <= 2:
        return [_single(layer) for layer in layers]
    half = len(layers) // 2
    plans = [_weighted(layers[part], rms[part]) for part in (slice(half), slice(half, None))]
    middle = " and ".join(f"{plan.frequency / 1e6:.6g}" for plan in plans)
    notes.append(f"{len(layers)} channels of Stokes I averaged to two, at {middle} MHz")
    return plans


def _mean(layers: Sequence[Layer], notes: list[str]) -> Plan:
    """Make the plane of Stokes V."""
    if len(layers) == 1:
        return _single(layers[0])
    plan = _weighted(*_sound_channels(layers, notes))
    notes.append(f"{len(plan.layers)} channels of Stokes V averaged")
    return plan


def _single(layer: Layer) -> Plan:
    return Plan(layers=(layer,), weights=(1.0,))


def _weighted(layers: Sequence[Layer], rms: Sequence[float]) -> Plan:
    return Plan(layers=tuple(layers), weights=tuple(1 / value**2 for value in rms))


def _refuse_unknown(layers: Sequence[Layer]) -> None:
    for layer in layers:
        if np.isnan(layer.frequency):
            raise PssegError(
                f"{layer.header.name}: the frequency of its planes is unknown; give one plane, or "
                "correct its header (FREQ axis)"
            )


def _sound_channels(layers: Sequence[Layer], notes: list[str]) -> tuple[list[Layer], list[float]]:
    """Give the layers worth averaging, and their noise."""
    noise = np.array([layer_rms(layer) for layer in layers])
    if np.isnan(noise).all():
        raise PssegError(f"{layers[0].header.name}: every pixel is blank")
    with_beams = {layer.path for layer in layers if layer.beam is not None}
    usual = np.nanmedian(noise)
    kept = []
    for number, (layer, rms) in enumerate(zip(layers, noise, strict=True)):
        if np.isnan(rms):
            reason = "is blank"
        elif layer.beam is None and layer.path in with_beams:
            reason = "has no beam"
        elif not 1 / _NOISE_RANGE <= rms / usual <= _NOISE_RANGE:
            reason = f"has {rms / usual:.2g} times the usual noise"
        else:
            kept.append(number)
            continue
        where = f"Stokes {layer.stokes} at {layer.frequency / 1e6:.6g} MHz"
        notes.append(f"{layer.header.name}: {where} {reason}, and is passed over")
    return [layers[number] for number in kept], noise[kept].tolist()
