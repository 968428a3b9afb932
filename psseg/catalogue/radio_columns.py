"""The columns of a catalogue of a radio image, each declared once.

Names are those of PyBDSF and CASDA, units PyBDSF's: degrees, Jy, Jy/beam; sizes are full widths at
half maximum. UCDs are words of the IVOA's UCD1+ list.
"""

from __future__ import annotations

from psseg.catalogue.class_columns import CLASS_COLUMNS
from psseg.catalogue.column import Column

__all__ = ["COMPONENT_COLUMNS", "RADIO_COLUMNS"]

_PEAK_UCD = "phot.flux.density;stat.max;em.radio;stat.fit"
_FLUX_UCD = "phot.flux.density;em.radio;stat.fit"
_MAJOR_UCD = "phys.angSize.smajAxis;em.radio;stat.fit"
_MINOR_UCD = "phys.angSize.sminAxis;em.radio;stat.fit"
_ANGLE_UCD = "phys.angSize;pos.posAng"
_INDEX_UCD = "spect.index;em.radio"
_CIRCULAR_UCD = "phys.polarization.circular;em.radio"

_NAME = Column(
    "Source_Name",
    "U24",
    "",
    "meta.id;meta.main",
    "PSSEG JHHMMSS.s+DDMMSS, truncated; letters tell apart equal names",
)

_POSITION = (
    Column("ra", "f8", "deg", "pos.eq.ra;meta.main", "Right ascension (ICRS)"),
    Column("dec", "f8", "deg", "pos.eq.dec;meta.main", "Declination (ICRS)"),
    Column("e_ra", "f4", "deg", "stat.error;pos.eq.ra", "Error of ra, on the sky (times cos dec)"),
    Column("e_dec", "f4", "deg", "stat.error;pos.eq.dec", "Error of dec"),
)

_GALACTIC = (
    Column("GLON", "f8", "deg", "pos.galactic.lon", "Galactic longitude"),
    Column("GLAT", "f8", "deg", "pos.galactic.lat", "Galactic latitude"),
)

_FLUXES = (
    Column("peak_flux", "f4", "Jy/beam", _PEAK_UCD, "Peak flux of the (brightest) component"),
    Column("e_peak_flux", "f4", "Jy/beam", f"stat.error;{_PEAK_UCD}", "Error of peak_flux"),
    Column("int_flux", "f4", "Jy", _FLUX_UCD, "Integrated flux density"),
    Column("e_int_flux", "f4", "Jy", f"stat.error;{_FLUX_UCD}", "Error of int_flux"),
)

_SHAPE = (
    Column("maj", "f4", "deg", _MAJOR_UCD, "Major axis as seen, FWHM"),
    Column("min", "f4", "deg", _MINOR_UCD, "Minor axis as seen, FWHM"),
    Column("pa", "f4", "deg", _ANGLE_UCD, "Position angle of maj, east of north (ICRS)"),
    Column(
        "e_maj", "f4", "deg", f"stat.error;{_MAJOR_UCD}", "Error of maj; NaN: held at the beam's"
    ),
    Column(
        "e_min", "f4", "deg", f"stat.error;{_MINOR_UCD}", "Error of min; NaN: held at the beam's"
    ),
    Column("e_pa", "f4", "deg", f"stat.error;{_ANGLE_UCD}", "Error of pa, at most 90"),
    Column("dc_maj", "f4", "deg", _MAJOR_UCD, "Major axis without the beam, 0: not resolved"),
    Column("dc_min", "f4", "deg", _MINOR_UCD, "Minor axis without the beam, 0: not resolved"),
    Column("dc_pa", "f4", "deg", _ANGLE_UCD, "Position angle of dc_maj, 0 if not resolved"),
)

_NOISE = (
    Column(
        "rms_image", "f4", "Jy/beam", "stat.stdev;phot.flux.density", "Noise at the source's place"
    ),
    Column(
        "mean_image",
        "f4",
        "Jy/beam",
        "phot.flux.density;em.radio;stat.mean",
        "Background at the source",
    ),
)

_SPECTRUM = (
    Column("alpha", "f4", "", _INDEX_UCD, "Spectral index between two frequencies, S ~ nu^alpha"),
    Column("e_alpha", "f4", "", f"stat.error;{_INDEX_UCD}", "Error of alpha"),
    Column(
        "v_over_i",
        "f4",
        "",
        _CIRCULAR_UCD,
        "Circular polarisation, signed: V over I, at V's frequency if I is known at two",
    ),
    Column(
        "e_v_over_i",
        "f4",
        "",
        f"stat.error;{_CIRCULAR_UCD}",
        "Error of v_over_i, with the leakage of I that the survey file expects",
    ),
    Column("freq", "f8", "Hz", "em.freq", "Frequency of the fluxes"),
)

_DETECTION = (
    Column("SOURCE_PROB", "f4", "", "stat.probability", "Calibrated probability that it is real"),
    Column("SNR", "f4", "", "stat.snr", "peak_flux over rms_image"),
)

_REST = (
    Column("N_PIXELS", "i4", "", "meta.number;instr.pixel", "Pixels of the segment"),
    Column("N_COMPONENTS", "i4", "", "meta.number", "Gaussians fitted, 0 if none could be"),
    Column("SEGMENT", "i4", "", "meta.id", "Number of the segment in the label map"),
    Column(
        "resid_rms",
        "f4",
        "Jy/beam",
        "stat.stdev;phot.flux.density",
        "Rms in the segment after the fit",
    ),
    Column(
        "resid_mean",
        "f4",
        "Jy/beam",
        "phot.flux.density;em.radio;stat.mean",
        "Mean in the segment after the fit",
    ),
    Column("Flags", "i4", "", "meta.code.qual", "Sum of flags, which the header explains"),
)

RADIO_COLUMNS = (
    _NAME,
    *_POSITION,
    *_GALACTIC,
    *_FLUXES,
    *_SHAPE,
    *_NOISE,
    *_SPECTRUM,
    *_DETECTION,
    *CLASS_COLUMNS,
    *_REST,
)
"""Every column of the sources, in order."""

COMPONENT_COLUMNS = (
    _NAME._replace(ucd="meta.id.parent", description="Name of the source it belongs to"),
    Column("COMPONENT", "i4", "", "meta.id", "Number within the source, from 1, brightest first"),
    *(column._replace(ucd=column.ucd.removesuffix(";meta.main")) for column in _POSITION),
    *_FLUXES,
    *_SHAPE,
    *_NOISE,
    Column("SEGMENT", "i4", "", "meta.id", "Number of the segment in the label map"),
)
"""Every column of the components, in order."""
