"""The columns of a catalogue of a counts map, each declared once.

Names and units are those of the Fermi-LAT catalogues where these have the same quantity. UCDs are
words of the IVOA's UCD1+ list.
"""

from __future__ import annotations

from psseg.catalogue.class_columns import CLASS_COLUMNS
from psseg.catalogue.column import Column

__all__ = ["COLUMNS", "column_names"]


def column_names() -> tuple[str, ...]:
    """Give the names of all columns in their order."""
    return tuple(column.name for column in COLUMNS)


_FLUX = "cm-2 s-1"
_FLUX_UCD = "phot.flux;em.gamma"
_INDEX_UCD = "spect.index;em.gamma"
_AXIS_UCD = "stat.error;pos;phys.angSize"

_PLACE = (
    Column(
        "Source_Name",
        "U20",
        "",
        "meta.id;meta.main",
        "PSSEG JHHMM.m+DDMM, truncated; letters tell apart sources of the same name",
    ),
    Column("RAJ2000", "f8", "deg", "pos.eq.ra;meta.main", "Right ascension (ICRS)"),
    Column("DEJ2000", "f8", "deg", "pos.eq.dec;meta.main", "Declination (ICRS)"),
    Column("GLON", "f8", "deg", "pos.galactic.lon", "Galactic longitude"),
    Column("GLAT", "f8", "deg", "pos.galactic.lat", "Galactic latitude"),
)

_ELLIPSES = tuple(
    Column(
        f"Conf_{percent}_{name}", "f4", "deg", ucd, f"{meaning} of the {percent} % error ellipse"
    )
    for percent in (68, 95)
    for name, ucd, meaning in (
        ("SemiMajor", f"{_AXIS_UCD}.smajAxis", "Semi-major axis"),
        ("SemiMinor", f"{_AXIS_UCD}.sminAxis", "Semi-minor axis"),
        ("PosAng", "pos.posAng", "Position angle, east of north (ICRS),"),
    )
)

_DETECTION = (
    Column(
        "SOURCE_PROB",
        "f4",
        "",
        "stat.probability",
        "Calibrated probability that this is a real source",
    ),
    Column(
        "Sqrt_TS",
        "f4",
        "",
        "stat.likelihood",
        "Square root of the test statistic of the fit, all bands together",
    ),
)

_FLUXES = (
    Column("Npred", "f4", "", "phot.count", "Counts in the fitted spectrum, all bands"),
    Column("FLUX1000", "f4", _FLUX, _FLUX_UCD, "Photon flux, 1-100 GeV, of the fitted spectrum"),
    Column("Unc_Flux1000", "f4", _FLUX, f"stat.error;{_FLUX_UCD}", "Error of FLUX1000"),
    Column(
        "Flux_Band", "f4", _FLUX, _FLUX_UCD, "Photon flux in each band, each fitted freely", True
    ),
    Column(
        "Unc_Flux_Band",
        "f4",
        _FLUX,
        f"stat.error;{_FLUX_UCD}",
        "Upward error of Flux_Band: half of the way to 2 sigma",
        True,
    ),
    Column(
        "Sqrt_TS_Band",
        "f4",
        "",
        "stat.likelihood",
        "Square root of the test statistic in each band",
        True,
    ),
    Column("PL_Index", "f4", "", _INDEX_UCD, "Photon index of the best power law"),
    Column("Unc_PL_Index", "f4", "", f"stat.error;{_INDEX_UCD}", "Error of PL_Index"),
    Column("LP_beta", "f4", "", _INDEX_UCD, "Curvature of the best log-parabola"),
    Column("Unc_LP_beta", "f4", "", f"stat.error;{_INDEX_UCD}", "Error of LP_beta"),
)

_REST = (
    Column("Extension", "f4", "deg", "phys.angSize", "Radius of the best disc, 0 for a point"),
    Column("N_PIXELS", "i4", "", "meta.number;instr.pixel", "Pixels of the segment"),
    Column("SEGMENT", "i4", "", "meta.id", "Number of the segment in the label map"),
    Column("Flags", "i4", "", "meta.code.qual", "Sum of flags, which the header explains"),
)

COLUMNS = (*_PLACE, *_ELLIPSES, *_DETECTION, *CLASS_COLUMNS, *_FLUXES, *_REST)
"""Every column, in order."""
