"""Catalogues in forms of their own: the RFC's key file and a dump of the ATNF catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from psseg.crossmatch.reference import read_reference

KEY_FILE = """\
! Catalogue of positions of compact radio sources
! ===============================================
source= '2357+080', 'J0000+6016'
         RA= 00:00:07.031143  DEC= +60:16:45.05178  RAER= 0.50    DECER= 0.85    EQUINOX= 'J2000'
         FLUX= 8.4, 0.020, -0.014  FLUXREF='rfc_2015a'
         REMARKS= "41 observations" /
source= '2357-326', 'J0000-3221'
         RA= 00:00:20.399941  DEC= -32:21:01.23361  RAER= 0.40    DECER= 0.40    EQUINOX= 'J2000'
         REMARKS= "no flux" /
source= '2358-000', 'J0001-0001'
         RA= 00:01:00.0  DEC= -00:01:00.0  RAER= 0.40    DECER= 0.40    EQUINOX= 'J2000'
         FLUX= 2.3, -0.5, -0.014  FLUXREF='rfc_2015a' /
"""

DUMP = """\
#;NAME;;PSRJ;;RAJ;;;DECJ;;;S1400;;;
;;;;;(hms);;;(dms);;;(mJy);;;
1;J0002+6216;cwp+17;J0002+6216;cwp+17;00:02:58.17;2.0e-02;cwp+17;+62:16:09.4;1.0e-01;cwp+17;*;0;*;
2;B0011+47;dth78;J0014+4746;dth78;00:14:17.75;0;hlk+04;-00:46:33;3.0e-01;hlk+04;3.0;1.0;x;
"""


def test_a_key_file_gives_positions_errors_and_fluxes(tmp_path):
    (tmp_path / "rfc.key").write_text(KEY_FILE)
    read = read_reference(tmp_path / "rfc.key")
    assert read.label == "RFC"
    assert list(read.table["Name"]) == ["J0000+6016", "J0000-3221", "J0001-0001"]
    assert read.coords.ra.deg[0] == pytest.approx(7.031143 / 240)
    assert read.coords.dec.deg[2] == pytest.approx(-1 / 60)
    np.testing.assert_allclose(
        read.ellipses.minor[0] * 3.6e6, 0.5 * np.cos(np.deg2rad(60.2792)), rtol=1e-4
    )
    np.testing.assert_array_equal(read.table["Flux"], [0.02, np.nan, np.nan])


def test_a_dump_of_pulsars_gives_positions_and_errors(tmp_path):
    (tmp_path / "psr.txt").write_text(DUMP)
    read = read_reference(tmp_path / "psr.txt")
    assert (read.label, read.source_class) == ("ATNF", "pulsar")
    assert read.coords.dec.deg[0] == pytest.approx(62.26928, abs=1e-5)
    assert read.coords.dec.deg[1] < 0
    expected = 0.3 * np.cos(np.deg2rad(62.27))
    assert read.ellipses.major[0] * 3600 == pytest.approx(expected, rel=0.01)
    assert read.ellipses.known.all()
    np.testing.assert_array_equal(read.table["S1400"], [np.nan, 3.0])
