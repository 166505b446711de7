"""HLS of Earth Engine: Landsat and Sentinel-2 in one series, through the true client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyveg.core.errors import ConfigError
from pyveg.earth.types import Collection, Place
from pyveg.kernels.ndvi import ndvi
from pyveg.sources.collections import data_collections
from pyveg.sources.utm import utm_grid
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.ee_graphs import StandInScene, write_scene

L30, S30 = "NASA/HLS/HLSL30/v002", "NASA/HLS/HLSS30/v002"
PLACE = Place(27.95, 11.57, 0.053)
GRID = utm_grid(PLACE, 30)
BANDS = {"B4": "B4", "B5": "B5"}
BOTH = {"with_collections": (S30,)}


def _collection(name: str) -> Collection:
    return Collection("HLS", name, "vegetation", "earth_engine")


def _truth() -> tuple[Any, Any]:
    """Red and near infrared in steps of 1e-4, as the int16 of NASA has them."""
    share = np.linspace(0, 1, GRID.width) * np.linspace(0, 1, GRID.height)[:, None]
    return np.round(0.25 - 0.2 * share, 4), np.round(0.3 + 0.15 * share, 4)


def _scene(
    folder: Path, name: str, day: str, fmask: Any = 0, *, shift: float = 0.0
) -> StandInScene:
    red, nir = (values + shift for values in _truth())
    arrays = {"B4": red, "B5": nir} if name == L30 else {"B4": red, "B5": red, "B8A": nir}
    whole = {band: values.astype(np.float32) for band, values in arrays.items()}
    whole["Fmask"] = np.broadcast_to(np.asarray(fmask, np.uint8), GRID.shape).copy()
    return write_scene(folder, name, f"T35PNN_{day}", day, whole, GRID, CLOUD_COVERAGE=10.0)


def test_the_scene_is_200_pixels_wide() -> None:
    assert max(GRID.shape) == pytest.approx(200, abs=4)


def test_both_satellites_in_one_series(tmp_path: Path, source: Any, request_of: Any) -> None:
    """Band 5 of Landsat is 8A of Sentinel-2, and not its band 5, which is red edge."""
    red, nir = _truth()
    request = request_of(_collection(L30), bands=BANDS, place=PLACE, scale=30.0)
    for scenes, n in (
        ([_scene(tmp_path, L30, "2020-01-03")], {L30: 1, S30: 0}),
        ([_scene(tmp_path, S30, "2020-01-05")], {L30: 0, S30: 1}),
        (
            [
                _scene(tmp_path, L30, "2020-01-13", shift=-0.01),
                _scene(tmp_path, S30, "2020-01-15", shift=0.01),
            ],
            {L30: 1, S30: 1},
        ),
    ):
        with StandIn(scenes).instead():
            scene = source(**BOTH, cache="none").fetch(request)
        found = {name: raster.array.astype(float) for name, raster in scene.rasters.items()}
        np.testing.assert_allclose(found["B4"], 1e4 * red, atol=1)
        np.testing.assert_allclose(ndvi(found["B4"], found["B5"]), ndvi(red, nir), atol=1e-3)
        assert scene.record["collections"] == n


def test_fmask_says_what_is_clear(tmp_path: Path, source: Any, request_of: Any) -> None:
    fmask = np.full(GRID.shape, 0b11100000, np.uint8)  # water, much aerosol: clear
    for row, bit in enumerate((1, 2, 3, 4)):
        fmask[row * 10 : row * 10 + 10] |= 1 << bit
    request = request_of(_collection(L30), bands=BANDS, place=PLACE, scale=30.0)
    with StandIn([_scene(tmp_path, S30, "2020-01-05", fmask)]).instead():
        scene = source(**BOTH, cache="none").fetch(request)
        unmasked = source(**BOTH).fetch(
            request_of(_collection(L30), bands=BANDS, place=PLACE, scale=30.0, mask_cloud=False)
        )
    found = scene.rasters["B4"].array
    assert not found[:40].any()
    assert found[40:].all()
    assert scene.record["valid_fraction"] == pytest.approx(1 - 40 / GRID.height)
    assert unmasked.rasters["B4"].array.all()


def test_red_edge_has_no_match_in_landsat(tmp_path: Path, source: Any, request_of: Any) -> None:
    request = request_of(_collection(S30), bands=BANDS, place=PLACE, scale=30.0)
    with (
        StandIn([_scene(tmp_path, S30, "2020-01-05")]).instead(),
        pytest.raises(ConfigError, match='no band that matches "B5"'),
    ):
        source(with_collections=(L30,)).fetch(request)


def test_hls_is_not_joined_to_other_landsat(source: Any, request_of: Any) -> None:
    with pytest.raises(ConfigError, match="are not of one sensor and level"):
        source(with_collections=("LANDSAT/LC08/C02/T1_L2",)).fingerprint(
            request_of(_collection(L30))
        )


def test_the_record_joins_both() -> None:
    record = data_collections["HLS"]
    assert (record["collection_name"], record["with_collections"]) == (L30, [S30])
    assert (record["NIR_band"], record["scale"]) == ("B5", 30.0)
