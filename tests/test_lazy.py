"""What `psseg` itself offers, and that nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import psseg
from psseg import catalogue, pipeline

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", [name for name in psseg.__all__ if name != "__version__"])
def test_every_name_is_a_function_with_a_docstring(name):
    assert callable(getattr(psseg, name))
    assert getattr(psseg, name).__doc__
    assert name in dir(psseg)
    assert f"`{name}`" in psseg.__doc__


def test_the_verb_and_the_package_do_not_hide_each_other():
    assert psseg.catalogue_map is pipeline.catalogue
    assert psseg.catalogue is catalogue
    assert psseg.catalogue.__path__


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="module 'psseg' has no attribute 'nonsense'"):
        psseg.nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        (
            "import psseg; assert psseg.__version__ and dir(psseg)",
            "tensorflow keras astropy numpy scipy matplotlib pyarrow",
        ),
        ("from psseg import read_catalogue", "tensorflow keras matplotlib pyarrow mocpy"),
        ("import psseg.report", "tensorflow keras matplotlib"),
        (
            "import psseg.pipeline",
            "tensorflow keras photutils scipy.stats scipy.optimize pyarrow mocpy",
        ),
    ],
    ids=["psseg", "reading a catalogue", "the report", "the main job"],
)
def test_what_is_slow_to_import_waits_until_it_is_wanted(statement, heavy):
    code = (
        f"import sys\n{statement}\n"
        f"loaded = set({heavy.split()}) & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
