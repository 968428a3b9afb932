"""One source on one background: psseg's expected counts against gammapy's, in its environment."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PYTHON = os.environ.get("PSSEG_GAMMAPY_PYTHON", "")

pytestmark = pytest.mark.skipif(
    not PYTHON,
    reason="PSSEG_GAMMAPY_PYTHON names no interpreter that has gammapy (with regions < 0.12)",
)


def test_expected_counts_agree_within_two_per_cent_in_every_band(tmp_path):
    exchange = runpy.run_path(str(BENCHMARKS / "gammapy_exchange.py"))
    exchange["write_exchange"](tmp_path / "sky.fits")
    command = [PYTHON, str(BENCHMARKS / "gammapy_check.py"), str(tmp_path / "sky.fits")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "largest difference" in checked.stdout
