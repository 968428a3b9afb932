"""Simulated skies on disk: every tile from its own stream, and nothing lost by accident."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from psseg.errors import PssegError
from psseg.sky.diffuse import DiffuseTemplates
from psseg.sky.simulation import simulate_tile
from psseg.sky.survey_sky import simulate_sky
from psseg.sky.tile_files import read_truth

OPTIONS = {"shape": (32, 32), "seed": 5, "years": 3.0}


def test_a_tile_depends_on_the_seed_and_its_number_alone(lat, tmp_path):
    few = simulate_sky(lat, tmp_path / "few", n_tiles=1, **OPTIONS)
    many = simulate_sky(lat, tmp_path / "many", n_tiles=2, **OPTIONS)
    first, again, other = (fits.getdata(files.counts) for files in (*few, *many))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_tiles_are_those_of_the_simulator(lat, tmp_path):
    center = SkyCoord(20.0, 60.0, unit="deg", frame="galactic")
    options = {"shape": (32, 40), "mix": "balanced", "center": center, "years": 12.0}
    _, second = simulate_sky(lat, tmp_path, n_tiles=2, seed=9, **options)
    simulated = simulate_tile(lat, rng=np.random.default_rng([9, 2]), **options)
    assert np.array_equal(fits.getdata(second.counts), simulated.tile.data)
    assert np.array_equal(read_truth(second.truth).class_map, simulated.class_map)


def test_files_are_numbered(lat, tmp_path):
    files = simulate_sky(lat, tmp_path / "new" / "sky", n_tiles=2, **OPTIONS)
    assert [path.counts.name for path in files] == ["sky_0001.fits", "sky_0002.fits"]
    assert all(path.exists() for tile in files for path in vars(tile).values())


def test_diffuse_emission_may_be_given(lat, tmp_path):
    level = np.arange(1.0, 9.0)[:, None, None] * 1e-5
    model = DiffuseTemplates(intensity=level * np.ones((8, 18, 36)), step=(10.0, 10.0))
    (files,) = simulate_sky(lat, tmp_path, n_tiles=1, diffuse=model, **OPTIONS)
    background = read_truth(files.truth).background
    exposure = fits.getdata(files.exposure)[::2]
    intensity = background / exposure / np.radians(0.1) ** 2
    assert np.all(intensity > 0.99 * level)
    assert np.allclose(intensity[7], level[7], rtol=0.02)  # hardly any isotropic above 50 GeV


def test_nothing_is_simulated_where_a_file_would_be_lost(lat, tmp_path, monkeypatch):
    simulate_sky(lat, tmp_path, n_tiles=1, **OPTIONS)
    monkeypatch.setattr("psseg.sky.survey_sky.simulate_tile", None)
    with pytest.raises(PssegError, match=r"sky_0001.fits: exists already; use --overwrite"):
        simulate_sky(lat, tmp_path, n_tiles=2, **OPTIONS)
    assert not (tmp_path / "sky_0002.fits").exists()


def test_files_are_replaced_when_asked(lat, tmp_path):
    (files,) = simulate_sky(lat, tmp_path, n_tiles=1, **OPTIONS)
    before = fits.getdata(files.counts)
    simulate_sky(lat, tmp_path, n_tiles=1, overwrite=True, **OPTIONS | {"seed": 6})
    assert not np.array_equal(fits.getdata(files.counts), before)


@pytest.mark.parametrize("wrong", [{"n_tiles": 0}, {"n_tiles": 1, "seed": -1}])
def test_no_tiles_and_no_seed_are_refused(lat, tmp_path, wrong):
    with pytest.raises(PssegError, match="want n_tiles of 1 or more and a seed of 0 or more"):
        simulate_sky(lat, tmp_path, **OPTIONS | wrong)
