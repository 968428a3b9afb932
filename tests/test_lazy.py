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


def test_importing_it_imports_nothing_else():
    code = (
        "import sys, psseg\n"
        "assert psseg.__version__ and dir(psseg)\n"
        "heavy = {'tensorflow', 'keras', 'astropy', 'numpy', 'scipy', 'matplotlib', 'pyarrow'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_reading_a_catalogue_needs_neither_keras_nor_optional_packages():
    code = (
        "import sys\n"
        "from psseg import read_catalogue\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'pyarrow', 'mocpy'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
