"""TensorFlow keeps to itself what only the authors of networks want to know."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from small_skies import sky_wcs

from psseg.network.labelling import label
from psseg.network.quiet import start_keras
from psseg.tiles.tile import Tile


@pytest.fixture
def said():
    """Give the list of what TensorFlow logs."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_maps_of_many_shapes_raise_no_warnings(stub, random_network, said):
    start_keras()
    model = replace(stub, network=random_network(n_bands=8))
    for n_x in range(16, 16 * 9, 16):
        tile = Tile(
            data=np.zeros((8, 16, n_x)),
            wcs=sky_wcs((16, n_x)),
            bands_present=np.ones(8, bool),
            mask=np.zeros((16, n_x), bool),
        )
        label(tile, model)
    assert said == []


def test_errors_are_still_told(said):
    start_keras()
    logging.getLogger("tensorflow").error("no such device")
    assert said == ["no such device"]
