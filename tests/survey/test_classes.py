"""Source classes and the catalogue codes that stand for them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from psseg.survey.classes import (
    CLASS_COLOURS,
    CLASS_NAMES,
    CODES,
    IGNORED,
    SOURCE_CLASSES,
    SourceClass,
    class_of_code,
)

ALL_CODES = [code for codes in CODES.values() for code in codes]


def test_pixel_values_are_the_order_of_the_names():
    assert CLASS_NAMES == ("background", "pulsar", "blazar", "other")
    assert [SourceClass[name.upper()].value for name in CLASS_NAMES] == [0, 1, 2, 3]
    assert CLASS_NAMES[1:] == SOURCE_CLASSES
    assert IGNORED not in list(SourceClass)


def test_every_source_class_has_codes_and_a_colour():
    assert set(CODES) == set(SOURCE_CLASSES) == set(CLASS_COLOURS)
    assert len(set(CLASS_COLOURS.values())) == len(SOURCE_CLASSES)


def test_no_code_stands_for_two_classes():
    assert len(set(ALL_CODES)) == len(ALL_CODES)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("PSR", SourceClass.PULSAR),
        ("msp", SourceClass.PULSAR),
        ("fsrq", SourceClass.BLAZAR),
        ("BLL", SourceClass.BLAZAR),
        ("bcu  ", SourceClass.BLAZAR),
        ("spp", SourceClass.OTHER),
        ("rdg", SourceClass.OTHER),  # γ rays of radio galaxies are not beamed at us
        ("unk", None),
        ("", None),
        ("   ", None),
        ("quasar", None),
    ],
)
def test_class_of_code(code, expected):
    assert class_of_code(code) is expected


@given(code=st.sampled_from(ALL_CODES), blanks=st.integers(0, 3), capitals=st.booleans())
def test_case_and_blanks_do_not_matter(code, blanks, capitals):
    written = (code.upper() if capitals else code) + " " * blanks
    assert class_of_code(written) is class_of_code(code)


@pytest.mark.data
def test_every_code_of_4fgl_is_known(data_folder):
    sources = fits.getdata(data_folder / "lat" / "catalogues" / "gll_psc_v35.fit.gz", 1)
    codes = {str(code).strip() for code in np.unique(sources["CLASS1"])}
    # "GC" is the Galactic centre: whatever it is, it is no truth for a class.
    assert {code for code in codes if class_of_code(code) is None} == {"", "UNK", "unk", "GC"}
