"""Which network a map is for, and which options of reading go with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from psseg.errors import PssegError
from psseg.network.store import Model, ModelInfo, find_model, load_model
from psseg.tiles.readers import recognise_survey

__all__ = ["check_reading", "choose_model", "is_counts", "model_for"]

logger = logging.getLogger(__name__)

READING = {
    "counts": ("exposure", "center", "width", "strict"),
    "continuum": ("planes", "beam", "frequency", "reproject", "primary_beam", "style", "strict"),
}
"""Options that only one kind of map has."""


def check_reading(path: str | Path, model: Model, reading: dict[str, Any]) -> None:
    """Refuse options of the other kind of map; drop those that say nothing.

    Parameters
    ----------
    path : str or Path
        The map.
    model : Model
        Its network.
    reading : dict
        Options of reading; changed in place.

    Raises
    ------
    PssegError
        If one is for the other kind.
    """
    kind = model.survey.kind
    for name in [name for name, value in reading.items() if value in (None, False, ())]:
        del reading[name]
    for name in reading:
        if name not in READING[kind]:
            what = "radio images" if kind == "counts" else "counts"
            raise PssegError(
                f"{path}: {_option(name)} is for {what}; "
                f"with {model.name} want {', '.join(map(_option, READING[kind]))}"
            )


def _option(name: str) -> str:
    """Give the command's option of a keyword."""
    return f"--{name.removesuffix('s') if name == 'planes' else name.replace('_', '-')}"


def model_for(path: str | Path, model: Model | str | Path | None) -> Model:
    """Load the network for a map; arguments and errors are those of `choose_model`."""
    chosen = choose_model(path, model)
    return chosen if isinstance(chosen, Model) else load_model(chosen.folder)


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
        raise PssegError(
            f"{path}: the header names no survey that psseg knows; name a network with --model"
        )
    found = find_model(model or str(recognised))
    why = "as asked" if recognised is None else "the survey that the header names"
    logger.info("%s: network %s, %s", path, found.name, why)
    return found


def is_counts(model: Model | ModelInfo) -> bool:
    """Tell whether a network is for maps of counts, not for radio images."""
    kind = model.survey.kind if isinstance(model, Model) else model.kind
    return kind == "counts"
