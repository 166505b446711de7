from __future__ import annotations

import io
import json
from datetime import date
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
from pyveg.core.pipeline import Pipeline
from pyveg.core.sequence import ModuleSpec, Sequence
from pyveg.earth.chips import ChipGrid
from pyveg.earth.layout import Layout
from pyveg.earth.subject import Subject
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels import images
from pyveg.modules.centrality import NetworkCentralityCalculatorSettings
from pyveg.runs.run import Run, open_run
from pyveg.storage.memory import MemoryStore

MONTHS = 26
MEASURES, SETTINGS = "NetworkCentralityCalculator", NetworkCentralityCalculatorSettings()
IMAGES = Collection("Images", "S2", "vegetation", "folder")
QUICK = AnalysisSettings(surrogates=39)


def _ndvi(kind: str, month: int, rng: np.random.Generator) -> Any:
    noise = rng.standard_normal((100, 100))
    if kind == "stripes":
        image = np.sin(2 * np.pi * 12 * np.indices((100, 100))[0] / 100) + 0.2 * noise
    else:
        image = gaussian_filter(noise, 0.7 + month / 30 + 0.2 * rng.random())  # clumps that grow
    return (0.3 + 0.1 * image / image.std()).astype(np.float32)


PLACE = Place(1, 2)
GRID = ChipGrid(2, 2, (0.0,) * 4, (0.0,) * 4, (1.0,) * 4, (True,) * 4)


def _kept(*collections: Collection) -> bytes:
    """What a run keeps of itself."""
    dates = DateRange(date(2015, 1, 1), date(2018, 1, 1))
    sequences = tuple(
        Sequence(Subject(PLACE, dates, one).scope(one.key), (ModuleSpec(MEASURES, SETTINGS),))
        for one in collections
    )
    return json.dumps({"pipeline": Pipeline("made", sequences, "out").to_json()}).encode()


def _run(kind: str, *, months: int = MONTHS) -> tuple[Run, Series]:
    """A run of monthly images of 2 x 2 chips."""
    store = MemoryStore()
    store.write(RUN_FILE, _kept(IMAGES))
    layout = Layout(PLACE, IMAGES.key)
    rng = np.random.default_rng(0)
    rows = []
    for month in range(months):
        day = pd.Timestamp("2015-01-16") + pd.DateOffset(months=month)
        ndvi = _ndvi(kind, month, rng)
        item = f"{day:%Y-%m-%d}"
        raster = formats.Raster(ndvi, "EPSG:32633", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6))
        store.write(layout.raw(item, "NDVI"), formats.encode_geotiff(raster))
        picture = images.bwndvi(images.ndvi_grey(ndvi))
        rgb = np.full((400, 300, 3), month, np.uint8)
        store.write(layout.processed(item, "BWNDVI"), formats.encode_png(picture))
        store.write(layout.processed(item, "RGB"), formats.encode_png(rgb))
        store.write(layout.chips(item), GRID.encode())
        rows += [{"date": day, "collection": "S2", "chip": chip, "ndvi_mean": 0.3 + chip / 99}
                 for chip in range(4)]  # fmt: skip
    return open_run(store), tidy(pd.DataFrame(rows), time_per_point="1m")


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
    run, series = _run("stripes", months=5)
    one = read_snapshots(run, series, QUICK)
    two = read_snapshots(run, series, AnalysisSettings(surrogates=39, n_threads=2))
    pd.testing.assert_frame_equal(one.values, two.values)
    pd.testing.assert_frame_equal(one.tests, two.tests)
    pd.testing.assert_frame_equal(one.trends, two.trends)


def test_images_of_the_collection_that_the_run_names() -> None:
    run, series = _run("stripes", months=2)
    other = Collection("AAA", "other", "vegetation", "folder")
    run.store.write(RUN_FILE, _kept(other, IMAGES))
    run.store.write(Layout(PLACE, "AAA").processed("2015-01-16", "BWNDVI"), b"not looked at")
    assert len(read_snapshots(open_run(run.store), series, QUICK).values)


def test_no_images_is_said() -> None:
    _, series = _run("clumps", months=1)
    assert "beside the summary" in read_snapshots(None, series, QUICK).reason
    empty = MemoryStore()
    empty.write(RUN_FILE, _kept(IMAGES))
    nothing = read_snapshots(open_run(empty), series, QUICK)
    assert "no images" in nothing.reason
    assert nothing.values.empty
    assert np.isnan(nothing.periodic)


def test_pictures_without_rasters_are_said() -> None:
    run, series = _run("clumps", months=2)
    for key in [key for key in run.store.list() if key.endswith(".tif")]:
        run.store.delete(key)
    assert "no NDVI rasters" in read_snapshots(run, series, QUICK).reason
