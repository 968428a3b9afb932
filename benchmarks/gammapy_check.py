"""Compare psseg's expected counts with gammapy's, for one source on one background.

    python gammapy_check.py sky.fits

`sky.fits` is written by `gammapy_exchange.py`: psseg's expected counts, and everything gammapy
needs to compute its own - energy edges, exposure, point-spread function, spectra. This script
needs gammapy (with regions < 0.12) and no psseg. Exit status 1 if any number is off by over 2 %.
"""

from __future__ import annotations

import sys

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from gammapy.datasets import MapDataset
from gammapy.irf import PSFMap
from gammapy.maps import Map, MapAxis, WcsGeom
from gammapy.modeling.models import (
    ConstantSpatialModel,
    PointSpatialModel,
    PowerLawSpectralModel,
    SkyModel,
)

LIMIT = 0.02
APERTURE = 1.5 * u.deg


def source_model(header: fits.Header) -> SkyModel:
    spectrum = PowerLawSpectralModel(
        index=header["INDEX"],
        amplitude=header["AMPL"] * u.Unit("cm-2 s-1 GeV-1"),
        reference=1 * u.GeV,
    )
    place = PointSpatialModel(
        lon_0=header["SRCLON"] * u.deg, lat_0=header["SRCLAT"] * u.deg, frame="galactic"
    )
    return SkyModel(spectral_model=spectrum, spatial_model=place, name="source")


def background_model(header: fits.Header) -> SkyModel:
    spectrum = PowerLawSpectralModel(
        index=header["BKGINDEX"],
        amplitude=header["BKGAMPL"] * u.Unit("cm-2 s-1 GeV-1"),
        reference=1 * u.GeV,
    )
    everywhere = ConstantSpatialModel(value=1 / u.sr)
    # psseg's background goes on beyond the tile; gammapy's would lose what the PSF carries out.
    model = SkyModel(spectral_model=spectrum, spatial_model=everywhere, name="background")
    model.apply_irf["psf"] = False
    return model


def dataset(hdus: fits.HDUList) -> MapDataset:
    edges = QTable.read(hdus["ENERGIES"])["ENERGY"]
    energy = MapAxis.from_energy_edges(edges, name="energy")
    energy_true = MapAxis.from_energy_edges(edges, name="energy_true")
    wcs = WCS(hdus["EXPECTED"].header).celestial
    shape = hdus["EXPECTED"].data.shape[1:]
    geom = WcsGeom(wcs, npix=(shape[1], shape[0]), axes=[energy])
    geom_true = WcsGeom(wcs, npix=(shape[1], shape[0]), axes=[energy_true])
    exposure = Map.from_geom(geom_true, unit="cm2 s")
    exposure.quantity = (
        np.broadcast_to(hdus["EXPOSURE"].data[:, None, None], geom_true.data_shape) * exposure.unit
    )
    return MapDataset(
        counts=Map.from_geom(geom), exposure=exposure, psf=psf_map(hdus, energy_true, wcs)
    )


def psf_map(hdus: fits.HDUList, energy_true: MapAxis, wcs: WCS) -> PSFMap:
    table = QTable.read(hdus["PSF"])
    rad = MapAxis.from_nodes(table["RAD"], name="rad", interp="lin")
    middle = SkyCoord(*wcs.wcs.crval, unit="deg", frame="galactic")
    geom = WcsGeom.create(
        skydir=middle, npix=(2, 2), binsz=20.0, frame="galactic", axes=[rad, energy_true]
    )
    densities = table["DENSITY"].T[:, :, None, None]
    psf = Map.from_geom(geom, unit="sr-1")
    psf.quantity = np.broadcast_to(densities, geom.data_shape) * densities.unit
    return PSFMap(psf)


def main(path: str) -> int:
    with fits.open(path) as hdus:
        header, ours = hdus["EXPECTED"].header, hdus["EXPECTED"].data
        ours_background = hdus["BACKGROUND"].data
        data = dataset(hdus)
    data.models = [source_model(header), background_model(header)]
    theirs = data.npred_signal(model_names=["source"]).data
    theirs_background = data.npred_signal(model_names=["background"]).data
    source = SkyCoord(header["SRCLON"], header["SRCLAT"], unit="deg", frame="galactic")
    near = data.counts.geom.to_image().get_coord().skycoord.separation(source) < APERTURE
    pairs = {
        "source, whole tile": (ours - ours_background, theirs, np.ones_like(near)),
        "source, 1.5 deg": (ours - ours_background, theirs, near),
        "background": (ours_background, theirs_background, np.ones_like(near)),
    }
    worst = 0.0
    for name, (mine, other, where) in pairs.items():
        ratio = mine[:, where].sum(axis=1) / other[:, where].sum(axis=1)
        worst = max(worst, float(np.abs(ratio - 1).max()))
        print(f"{name:20s} psseg / gammapy per band:", " ".join(f"{x:.4f}" for x in ratio))
    print(f"largest difference {100 * worst:.2f} % (limit {100 * LIMIT:.0f} %)")
    return int(not worst <= LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
