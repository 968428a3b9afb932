"""Whether the photons of a LAT map are those that a survey is for.

In: what the header says of their class, type, release and zenith angle. Out: doubts to warn of, and
remarks. Other telescopes have no such words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from psseg.survey.survey import Survey

if TYPE_CHECKING:
    from psseg.tiles.selection import Selection

__all__ = ["event_doubts", "event_remarks"]

LAT = frozenset({"GLAST", "FERMI"})
"""Telescopes whose selections name event class, event type and zenith angle."""

ALL_TYPES = (3, 60, 960)
"""Masks of event types that hold all photons: FRONT and BACK; PSF0 to PSF3; EDISP0 to EDISP3
(the parameter evtype of the Fermitools' gtselect)."""

SAME_RESPONSE = "P8R2"
"""Release of the LAT's photons that is read as P8R3, whose response surveys have: for SOURCE, 68
and 95 % radii of the PSF agree within 0.2 % and effective areas within 1 % (P8R2_SOURCE_V6 against
P8R3_SOURCE_V3, by docs/derivations/lat_response.py). It holds more residual cosmic rays."""

OTHER_RESPONSE = re.compile("P[67]")
"""Older releases: another instrument, as far as a network can tell."""

WIDEST_ZENITH = 105.0
"""Deg; beyond, the Earth's limb shines in: the cut of 3FHL (Ajello et al. 2017, ApJS 232, 18)."""


def event_doubts(selection: Selection, survey: Survey) -> Iterator[str]:
    """Give a line on each respect in which photons are not those that a survey is for."""
    if not LAT.intersection(survey.telescopes):
        return
    classes, types = _strange_events(selection, survey)
    if classes or types:
        found = [
            f"event {what} {mask}"
            for what, masks in (("class", classes), ("type", types))
            for mask in masks
        ]
        yield (
            f"photons of {' and '.join(found)}; {survey.name} is for event class "
            f"{survey.event_class}, event type {survey.event_type}: others have another PSF or "
            "background than its network knows"
        )
    if OTHER_RESPONSE.match(selection.release):
        yield (
            f"photons of {selection.release}, not of Pass 8: they have another PSF and background "
            f"than the network for {survey.name} knows"
        )
    if (selection.event_classes or selection.event_types) and selection.zenith > WIDEST_ZENITH:
        cut = "no cut in zenith angle"
        if np.isfinite(selection.zenith):
            cut = f"zenith angles up to {selection.zenith:g} deg"
        yield f"{cut}: the Earth's limb is among the photons; select zmax=90 with gtselect"


def event_remarks(selection: Selection, survey: Survey) -> Iterator[str]:
    """Give a line on photons that differ from those of a survey, but not enough to doubt them."""
    if selection.release == SAME_RESPONSE and LAT.intersection(survey.telescopes):
        yield "photons of P8R2, taken as P8R3: PSF and effective area agree within 1 %"


def _strange_events(selection: Selection, survey: Survey) -> tuple[list[int], list[int]]:
    """List the masks of event class and event type that are not the survey's."""
    classes = [mask for mask in selection.event_classes if mask != survey.event_class]
    types = [mask for mask in selection.event_types if mask != survey.event_type]
    if _holds_all(survey.event_type):
        types = [mask for mask in types if not _holds_all(mask)]
    return classes, types


def _holds_all(event_type: int) -> bool:
    return any(event_type & every == every for every in ALL_TYPES)
