"""Five real Sentinel-2 scenes as Earth Engine would hold them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pyveg import formats
from pyveg.earth.periods import item_of
from pyveg.earth.source import Request
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels.ndvi import ndvi
from pyveg.sources.products import CLOUD_SCORE
from pyveg.sources.utm import utm_grid
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.ee_graphs import StandInScene

L1C = "COPERNICUS/S2_HARMONIZED"
PLACE = Place(14.5578, 45.8705, 0.007)
"""Inside the scenes, whose pixels are 9.995 m and lie between those of the grid."""
BANDS = ("B2", "B3", "B4", "B8")


@pytest.fixture
def scenes(shared_data: Path, tmp_path: Path) -> list[StandInScene]:
    made = []
    for folder in sorted((shared_data / "sentinel2_slovenia").iterdir()):
        files = {band: folder / "RAW" / f"download.{band}.tif" for band in BANDS}
        raster = formats.decode_geotiff(files["B4"].read_bytes())
        score = tmp_path / f"{folder.name}.tif"
        ones = np.ones(raster.array.shape, np.float32)
        score.write_bytes(
            formats.encode_geotiff(formats.Raster(ones, raster.crs, raster.transform))
        )
        facts = {"CLOUDY_PIXEL_PERCENTAGE": 1.0}
        made.append(StandInScene(L1C, folder.name, folder.name, files, facts))
        made.append(StandInScene(CLOUD_SCORE, folder.name, folder.name, {"cs_cdf": score}))
    return made


def _sampled(files: Sequence[Path]) -> Any:
    """Median over scenes at the centres of the grid, by rasterio's own lookup."""
    grid = utm_grid(PLACE, 10)
    x = grid.transform[2] + 10 * (np.arange(grid.width) + 0.5)
    y = grid.transform[5] - 10 * (np.arange(grid.height) + 0.5)
    points = [(float(a), float(b)) for b in y for a in x]
    stack = []
    for file in files:
        with rasterio.open(file) as dataset:
            values = [value[0] for value in dataset.sample(points)]
        stack.append(np.reshape(values, grid.shape).astype(np.float64))
    return np.median(stack, axis=0)


@pytest.mark.parametrize(
    ("month", "days"),
    [(7, ("2015-07-11", "2015-07-31")), (8, ("2015-08-20", "2015-08-30")), (9, ("2015-09-09",))],
)
def test_a_month_of_real_scenes(
    shared_data: Path,
    scenes: list[StandInScene],
    source: Any,
    month: int,
    days: tuple[str, ...],
) -> None:
    item = item_of(DateRange(date(2015, month, 1), date(2015, month + 1, 1)))
    collection = Collection("S2", L1C, "vegetation", "earth_engine")
    request = Request(PLACE, collection, item, {band: band for band in BANDS})
    with StandIn(scenes).instead():
        scene = source().fetch(request)
    assert [part["id"] for part in scene.record["scenes"]] == [f"{L1C}/{day}" for day in days]
    assert scene.record["valid_fraction"] == 1
    truth, found = {}, {}
    for band in BANDS:
        home = shared_data / "sentinel2_slovenia"
        truth[band] = _sampled([home / day / "RAW" / f"download.{band}.tif" for day in days])
        found[band] = scene.rasters[band].array
        np.testing.assert_allclose(found[band], truth[band], atol=0.5 + 1e-6)
    reflectance = (truth["B8"] - truth["B4"]) / (truth["B8"] + truth["B4"])
    np.testing.assert_allclose(ndvi(found["B8"], found["B4"]), reflectance, atol=1e-3)
