from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from pyveg import formats
from pyveg.analysis.data.series import Series, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import PICTURE_SIDE, TESTED_DATES, Snapshots, read_snapshots
from pyveg.core.layout import RUN_FILE
from pyveg.kernels import images
from pyveg.storage.memory import MemoryStore

MONTHS = 26
QUICK = AnalysisSettings(surrogates=39)


def _ndvi(kind: str, month: int, rng: np.random.Generator) -> Any:
    noise = rng.standard_normal((100, 100))
    if kind == "stripes":
        image = np.sin(2 * np.pi * 12 * np.indices((100, 100))[0] / 100) + 0.2 * noise
    else:
        image = gaussian_filter(noise, 0.7 + month / 30 + 0.2 * rng.random())  # clumps that grow
    return (0.3 + 0.1 * image / image.std()).astype(np.float32)


def _run(
    kind: str, *, months: int = MONTHS, folder: str = "gee_1_2_Images"
) -> tuple[MemoryStore, Series]:
    """A run of monthly images of 2 x 2 chips."""
    store = MemoryStore()
    rng = np.random.default_rng(0)
    rows = []
    for month in range(months):
        date = pd.Timestamp("2015-01-16") + pd.DateOffset(months=month)
        ndvi = _ndvi(kind, month, rng)
        base = f"{folder}/{date:%Y-%m-%d}"
        raster = formats.Raster(ndvi, "EPSG:32633", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6))
        store.write(f"{base}/RAW/download.NDVI.tif", formats.encode_geotiff(raster))
        picture = images.bwndvi(images.ndvi_grey(ndvi))
        name = f"{base}/PROCESSED/{date:%Y-%m-%d}_1_2"
        store.write(f"{name}_BWNDVI.png", formats.encode_png(picture))
        store.write(f"{name}_RGB.png", formats.encode_png(np.full((400, 300, 3), month, np.uint8)))
        store.write(f"{name}_chips.json", json.dumps({"usable": [True] * 4}).encode())
        rows += [{"date": date, "collection": "S2", "chip": chip, "ndvi_mean": 0.3 + chip / 99}
                 for chip in range(4)]  # fmt: skip
    return store, tidy(pd.DataFrame(rows), time_per_point="1m")


@pytest.fixture(scope="module")
def growing() -> Snapshots:
    return read_snapshots(*_run("clumps"), QUICK)


def test_growing_clumps_are_seen(growing: Snapshots) -> None:
    found = growing
    assert found.periodic == 0
    trends = found.trends.set_index("indicator")
    assert trends.loc["morans_i", "tau"] > 0.8
    assert trends.loc["morans_i", "p"] <= 0.05
    assert trends.loc["morans_i", "valid"]
    assert not trends.loc["wavelength", "valid"]
    assert len(found.values) == MONTHS * len(trends)
    assert (found.values["low"] <= found.values["high"]).sum() >= MONTHS * 4
    assert found.tests["date"].nunique() == TESTED_DATES
    assert set(found.laws["part"]) == {"first year", "last year"}
    assert found.reason == ""


def test_a_regular_pattern_allows_its_wavelength_only() -> None:
    found = read_snapshots(*_run("stripes"), QUICK)
    assert found.periodic == 1
    valid = found.trends.set_index("indicator")["valid"]
    assert valid["wavelength"]
    assert valid.sum() == 1
    waves = found.values[found.values["indicator"] == "wavelength"]
    assert waves["value"].median() == pytest.approx(100 / 12, rel=0.1)
    assert found.laws.empty
    assert "regular" in found.reason


def test_pictures_are_small(growing: Snapshots) -> None:
    pictures = growing.pictures
    assert len(pictures) == 12
    assert min(pictures) == "2015-01-16"
    with Image.open(io.BytesIO(pictures["2015-01-16"])) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) == PICTURE_SIDE


def test_threads_change_nothing() -> None:
    store, series = _run("stripes", months=5)
    one = read_snapshots(store, series, QUICK)
    two = read_snapshots(store, series, AnalysisSettings(surrogates=39, n_threads=2))
    pd.testing.assert_frame_equal(one.values, two.values)
    pd.testing.assert_frame_equal(one.tests, two.tests)
    pd.testing.assert_frame_equal(one.trends, two.trends)


def test_images_of_the_collection_that_the_run_names() -> None:
    store, series = _run("stripes", months=2)
    scope = {"sequence": "Images", "collection": {"collection_name": "S2"}}
    store.write(RUN_FILE, json.dumps({"pipeline": {"sequences": [{"scope": scope}]}}).encode())
    other = "gee_1_2_AAA/2015-01-16/PROCESSED/2015-01-16_1_2_BWNDVI.png"
    store.write(other, b"not looked at")
    assert len(read_snapshots(store, series, QUICK).values)


def test_no_images_is_said() -> None:
    _, series = _run("clumps", months=1)
    assert "beside the summary" in read_snapshots(None, series, QUICK).reason
    nothing = read_snapshots(MemoryStore(), series, QUICK)
    assert "no images" in nothing.reason
    assert nothing.values.empty
    assert np.isnan(nothing.periodic)


def test_pictures_without_rasters_are_said() -> None:
    store, series = _run("clumps", months=2)
    for key in [key for key in store.list() if key.endswith(".tif")]:
        store.delete(key)
    assert "no NDVI rasters" in read_snapshots(store, series, QUICK).reason
