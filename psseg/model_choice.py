"""Which network a map is for, and which options of reading go with it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psseg.errors import PssegError
from psseg.network.store import Model, ModelInfo, find_model
from psseg.tiles.readers import known_telescopes, recognise_survey
from psseg.tiles.unknown_files import say_what_it_is

__all__ = ["check_reading", "choose_model", "is_counts"]

logger = logging.getLogger(__name__)

READING = {
    "counts": ("exposure", "center", "width"),
    "continuum": ("planes", "beam", "frequency", "reproject"),
}
"""Options of reading that only one kind of map has."""

CATALOGUING = {
    "counts": ("strict",),
    "continuum": ("primary_beam", "style", "strict"),
}
"""Further ones that say how it is catalogued; label maps have none of them."""

KINDS = {"counts": "counts", "continuum": "radio images"}


def check_reading(
    path: str | Path, model: Model | ModelInfo, reading: dict[str, Any], *, labels: bool = False
) -> None:
    """Refuse options that the map has not; drop those that say nothing; make one plane a tuple.

    Parameters
    ----------
    path : str or Path
        The map.
    model : Model or ModelInfo
        Its network.
    reading : dict
        Options of reading and cataloguing; changed in place.
    labels : bool
        Whether the map is to be labelled alone.

    Raises
    ------
    PssegError
        If one is for the other kind of map, for catalogues where labels are wanted, or not known.
    """
    kind = "counts" if is_counts(model) else "continuum"
    for name in [name for name, value in reading.items() if _says_nothing(value)]:
        del reading[name]
    if isinstance(reading.get("planes"), str | Path):
        reading["planes"] = (reading["planes"],)
    known = READING[kind] if labels else READING[kind] + CATALOGUING[kind]
    for name in reading:
        if name not in known:
            raise PssegError(
                f"{path}: {_option(name)} {_what_for(name, kind)}; "
                f"with {model.name} want {', '.join(map(_option, known))}"
            )


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, Sequence) and not value)


def _what_for(name: str, kind: str) -> str:
    """Say what an option is for that does not belong to a kind of map."""
    if name in CATALOGUING[kind]:
        return "is for catalogues, not for label maps"
    others = (other for other in KINDS if name in READING[other] + CATALOGUING[other])
    return next((f"is for {KINDS[other]}" for other in others), "is not known here")


def _option(name: str) -> str:
    """Give the command's option of a keyword."""
    return f"--{name.removesuffix('s') if name == 'planes' else name.replace('_', '-')}"


def choose_model(path: str | Path, model: Model | str | Path | None) -> Model | ModelInfo:
    """Give the model that is asked for, or the one that the map's header asks for.

    Parameters
    ----------
    path : str or Path
        The map.
    model : Model, str or Path, optional
        A trained network, its name or its folder.

    Returns
    -------
    Model or ModelInfo
        The network itself only where it was given.

    Raises
    ------
    PssegError
        If there is no such network, or none was asked for and the header names no known survey.
    """
    if isinstance(model, Model):
        return model
    recognised = recognise_survey(path) if model is None else None
    if model is None and recognised is None:
        raise PssegError(f"{path}: {say_what_it_is(path, known_telescopes())}")
    found = find_model(model or str(recognised))
    why = "as asked" if recognised is None else "the survey that the header names"
    logger.info("%s: network %s, %s", path, found.name, why)
    return found


def is_counts(model: Model | ModelInfo) -> bool:
    """Tell whether a network is for maps of counts, not for radio images."""
    kind = model.survey.kind if isinstance(model, Model) else model.kind
    return kind == "counts"
