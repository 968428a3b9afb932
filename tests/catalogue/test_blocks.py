"""Processes that fit blocks side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from psseg.catalogue.blocks import fit_workers

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


def test_one_process_is_this_one():
    with fit_workers(1) as pool:
        assert pool is None
