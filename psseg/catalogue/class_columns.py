"""The columns that say what a source is, alike in every catalogue: class, code, probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from psseg.catalogue.column import Column
from psseg.catalogue.declared_tables import rows_of
from psseg.survey.classes import SOURCE_CLASSES

__all__ = ["CLASS_COLUMNS", "CODE_OF_CLASS", "class_values"]

CLASS_COLUMNS = (
    Column("CLASS", "U8", "", "src.class", "Most probable class: pulsar, blazar or other"),
    Column("CLASS1", "U8", "", "src.class", "4FGL code of the class: psr, bcu, empty for other"),
    *(
        Column(
            f"{prefix}_{name.upper()}",
            "f4",
            "",
            "stat.probability;src.class",
            f"{meaning} of class {name}",
        )
        for prefix, meaning in (
            ("P", "Probability, with priors,"),
            ("L", "Likelihood, without priors,"),
        )
        for name in SOURCE_CLASSES
    ),
)

CODE_OF_CLASS = {"pulsar": "psr", "blazar": "bcu", "other": ""}
"""4FGL code written for a class: lower case, as psseg identifies nothing. A blazar is of uncertain
type; each code of "other" says more than the network knows."""


def class_values(
    n_sources: int, likelihoods: ArrayLike, probabilities: ArrayLike | None = None
) -> dict[str, Any]:
    """Give the values of `CLASS_COLUMNS`.

    Parameters
    ----------
    n_sources : int
        Rows of the catalogue.
    likelihoods : array_like (n_sources, 3)
        Of the source classes, in the order of `SOURCE_CLASSES`.
    probabilities : array_like (n_sources, 3), optional
        The same with priors. The default is the likelihoods: all classes alike.

    Returns
    -------
    dict
        Arrays (n_sources,) by the columns' names.

    Raises
    ------
    PssegError
        If an array does not have a row per source.
    """
    shape = (n_sources, len(SOURCE_CLASSES))
    likelihoods = rows_of("likelihoods", likelihoods, shape)
    if probabilities is None:
        probabilities = likelihoods
    probabilities = rows_of("probabilities", probabilities, shape)
    classes = np.array(SOURCE_CLASSES)[np.argmax(probabilities, axis=1)]
    values: dict[str, Any] = {
        "CLASS": classes,
        "CLASS1": np.array([CODE_OF_CLASS[name] for name in classes], dtype="U8"),
    }
    for k, name in enumerate(SOURCE_CLASSES):
        values[f"P_{name.upper()}"] = probabilities[:, k]
        values[f"L_{name.upper()}"] = likelihoods[:, k]
    return values
