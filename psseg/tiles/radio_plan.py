"""Which planes of which files make the planes of a radio image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from psseg.errors import PssegError
from psseg.tiles.radio_image import SAME_FREQUENCY
from psseg.tiles.radio_planes import Layer, is_blank, layer_rms

__all__ = ["Plan", "plan_planes"]

_SAME_PLANE = 1e-4  # relative difference of the frequencies of a plane that is given twice
_FAR = 0.05  # relative difference of the frequencies of V and I, by which V/I changes as much
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
        Two frequencies within a thousandth are one: their planes are averaged.

    Raises
    ------
    PssegError
        If there is no Stokes I, or if two files hold the same plane.

    Notes
    -----
    Where several files say that they are the same plane, but their names end in different Stokes
    parameters (``field_I.fits``, ``field_V.fits``), the names are believed: some software writes
    the header of Stokes I for all of them.

    Planes that are blank or zero all over are passed over, but for a single Stokes I or that of the
    lower of two frequencies, without which there is nothing to find.
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
    circular = _unless_blank([layer for layer in layers if layer.stokes == "V"], notes)
    for same in (intensity, circular):
        if clash := _clash(same):
            raise PssegError(_clash_message(*clash))
    plans = _intensity(intensity, notes)
    if not circular:
        return plans
    plans.append(_mean(circular, notes))
    _note_far(plans, notes)
    return plans


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
            if same and not abs(one.frequency / other.frequency - 1) > _SAME_PLANE:
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


def _unless_blank(layers: Sequence[Layer], notes: list[str]) -> Sequence[Layer]:
    """Give layers; none, with a note on each, if all of them are blank."""
    if not all(is_blank(layer) for layer in layers):
        return layers
    notes.extend(_passed_over(layer, "is blank") for layer in layers)
    return []


def _intensity(layers: Sequence[Layer], notes: list[str]) -> list[Plan]:
    """Make the planes of Stokes I: as they are, or the means of the lower and the upper half."""
    layers = sorted(layers, key=lambda layer: layer.frequency)
    if len(layers) == 2:
        layers = [layers[0], *_unless_blank(layers[1:], notes)]
    if len(layers) > 2:
        _refuse_unknown(layers)
    if len(layers) > 2 or _are_one(layers):
        layers, rms = _sound_channels(layers, notes)
        if _are_one(layers):
            return [_one_frequency(layers, rms, notes)]
    if len(layers) <= 2:
        return [_single(layer) for layer in layers]
    return _halves(layers, rms, notes)


def _are_one(layers: Sequence[Layer]) -> bool:
    """Tell whether the halves of some layers are too near in frequency for a spectral index."""
    half = len(layers) // 2
    if not half:
        return False
    frequencies = [layer.frequency for layer in layers]
    ratio = float(np.mean(frequencies[half:]) / np.mean(frequencies[:half]))
    return abs(ratio - 1) <= SAME_FREQUENCY


def _one_frequency(layers: Sequence[Layer], rms: Sequence[float], notes: list[str]) -> Plan:
    """Average Stokes I to one plane."""
    plan = _weighted(layers, rms)
    notes.append(
        f"{len(layers)} planes of Stokes I, too near in frequency for a spectral index, averaged "
        f"to one at {plan.frequency / 1e6:.6g} MHz"
    )
    return plan


def _halves(layers: Sequence[Layer], rms: Sequence[float], notes: list[str]) -> list[Plan]:
    """Average the lower and the upper half of Stokes I."""
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


def _note_far(plans: Sequence[Plan], notes: list[str]) -> None:
    """Note a Stokes V that a single plane of Stokes I is far from in frequency."""
    first, circular = plans[0], plans[-1]
    if len(plans) == 2 and abs(circular.frequency / first.frequency - 1) > _FAR:
        notes.append(
            f"{circular.layers[0].header.name}: Stokes V at {circular.frequency / 1e6:.6g} MHz is "
            f"divided by Stokes I at {first.frequency / 1e6:.6g} MHz: V/I holds the spectrum, too"
        )


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
        notes.append(_passed_over(layer, reason))
    return [layers[number] for number in kept], noise[kept].tolist()


def _passed_over(layer: Layer, reason: str) -> str:
    at = f" at {layer.frequency / 1e6:.6g} MHz" if np.isfinite(layer.frequency) else ""
    return f"{layer.header.name}: Stokes {layer.stokes}{at} {reason}, and is passed over"
