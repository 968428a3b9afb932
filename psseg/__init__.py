"""psseg: γ-ray and radio sky maps in, classified source catalogues out.

What scripts need most is here, and is imported when it is first used:

=================== ==============================================================================
`read_catalogue`    read a catalogue of any format that psseg writes
`catalogue_map`     make a catalogue of a map and write all products, as ``psseg catalogue`` does
`label`             label every pixel of a map, as ``psseg label`` does
`load_model`        load a trained network
`evaluate`          score a network on simulated skies, as ``psseg evaluate`` does
=================== ==============================================================================

``catalogue_map`` is :func:`psseg.pipeline.catalogue` under another name: ``psseg.catalogue`` is the
package that measures sources.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psseg.catalogue.formats import read_catalogue
    from psseg.evaluation.run import evaluate
    from psseg.network.store import load_model
    from psseg.pipeline import catalogue as catalogue_map
    from psseg.pipeline import label

__all__ = ["__version__", "catalogue_map", "evaluate", "label", "load_model", "read_catalogue"]

__version__ = "0.1.0"

_PLACES = {
    "catalogue_map": ("psseg.pipeline", "catalogue"),
    "evaluate": ("psseg.evaluation.run", "evaluate"),
    "label": ("psseg.pipeline", "label"),
    "load_model": ("psseg.network.store", "load_model"),
    "read_catalogue": ("psseg.catalogue.formats", "read_catalogue"),
}


def __getattr__(name: str) -> Any:
    """Import a function when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _PLACES[name]
    return getattr(import_module(module), function)


def __dir__() -> list[str]:
    """Give the names that `__getattr__` knows too."""
    return sorted({*globals(), *_PLACES})
