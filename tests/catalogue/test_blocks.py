"""Sources stay on the sky; processes fit blocks side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_skies import make_sky, sky_wcs
from measured_skies import measure

from psseg.catalogue import blocks
from psseg.catalogue.blocks import fit_workers
from psseg.catalogue.flags import Flag

ROOT = Path(__file__).parents[2]
ASK = """
import sys
from psseg.catalogue.blocks import fit_workers
if __name__ == "__main__":
    import colorsys
    sys.modules.update(dict.fromkeys(sys.argv[1:]))
    with fit_workers(2) as pool:
        print(pool.submit(eval, "'colorsys' in __import__('sys').modules").result())
"""
"""Tells whether a process knows what its parent has imported."""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
@pytest.mark.parametrize(("loaded", "forked"), [([], "True"), (["tensorflow"], "False")])
def test_processes_are_forked_until_tensorflow_is_loaded(loaded, forked, tmp_path):
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    done = subprocess.run(
        [sys.executable, script, *loaded], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == forked


@given(shape=st.tuples(st.integers(1, 50), st.integers(1, 50)), block=st.integers(1, 60))
def test_every_pixel_is_owned_once(shape, block):
    owners = np.zeros(shape, dtype=int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        patch.setattr(blocks, "HALO", 3)
        cuts = list(blocks._cores_and_windows(shape))
    for core, window in cuts:
        owners[core] += 1
        for own, seen, n in zip(core, window, shape, strict=True):
            assert seen == slice(max(own.start - 3, 0), min(own.stop + 3, n))
    assert np.all(owners == 1)


def test_one_process_is_this_one():
    with fit_workers(1) as pool:
        assert pool is None


@pytest.mark.parametrize("beyond", [-1.0, -2.4])
def test_a_source_that_leaves_the_sky_goes_back_to_its_segment(beyond):
    wcs = sky_wcs(96, projection="CAR", center=(0, 0))
    wcs.wcs.crpix = [1800.5, 48.5]  # the first columns of a whole sky
    x, y = [beyond, 60.0], [48.0, 48.0]
    sky = make_sky(np.random.default_rng(1), x=x, y=y, counts=[3000, 2000], wcs=wcs)
    table = measure(sky)[1]
    table.sort("X")
    failed = (table["Flags"] & Flag.FIT_FAILED) > 0
    assert failed.tolist() == [True, False]
    assert -0.5 <= table["X"][0] < 2
    assert np.isnan(table["Conf_95_SemiMajor"]).tolist() == [True, False]
    assert np.isfinite(table["RAJ2000"]).all()
