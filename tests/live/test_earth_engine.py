"""The real Earth Engine, once: ``pytest --live tests/live``; needs a sign-in and a project.

It also looks at what the stand-in only assumes: rows with a missing property, cells of weather.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pyveg.earth.periods import item_of
from pyveg.earth.source import Request
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource
from pyveg.sources.utm import utm_grid

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("default"),  # those of other people's servers are no errors of ours
]

PLACE = Place(27.95, 11.57, 0.005)
JANUARY = item_of(DateRange(date(2021, 1, 1), date(2021, 2, 1)))


@pytest.fixture
def source(tmp_path: Path) -> EarthEngineSource:
    return EarthEngineSource(EarthEngineSettings(cache=str(tmp_path), workload_tag="pyveg-test"))


def test_it_answers(source: EarthEngineSource) -> None:
    assert "Earth Engine answers" in source.check()


def test_a_month_of_sentinel2(source: EarthEngineSource) -> None:
    collection = Collection("S2", "COPERNICUS/S2_SR_HARMONIZED", "vegetation", "earth_engine")
    scene = source.fetch(Request(PLACE, collection, JANUARY, {"red": "B4", "nir": "B8"}))
    red, nir = (scene.rasters[name] for name in ("red", "nir"))
    grid = utm_grid(PLACE, 10)
    assert (red.crs, red.transform, red.array.shape) == (grid.crs, grid.transform, grid.shape)
    assert scene.record["n_scenes"] > 3
    assert all(part["processing_baseline"] for part in scene.record["scenes"])
    assert scene.record["valid_fraction"] > 0.9
    valid = (red.array > 0) & (nir.array > 0)
    assert 200 < np.median(red.array[valid]) < 4000, "savanna in the dry season"
    assert np.median(nir.array[valid]) > np.median(red.array[valid])


def test_a_month_of_landsat(source: EarthEngineSource) -> None:
    collection = Collection("L8", "LANDSAT/LC08/C02/T1_L2", "vegetation", "earth_engine")
    request = Request(PLACE, collection, JANUARY, {"red": "SR_B4", "nir": "SR_B5"}, scale=30.0)
    scene = source.fetch(request)
    red = scene.rasters["red"].array
    assert 200 < np.median(red[red > 0]) < 4000


@pytest.mark.parametrize("name", ["ECMWF/ERA5_LAND/MONTHLY_AGGR", "ECMWF/ERA5_LAND/DAILY_AGGR"])
def test_a_month_of_weather(source: EarthEngineSource, name: str) -> None:
    collection = Collection("W", name, "weather", "earth_engine")
    bands = {"rain": "total_precipitation_sum", "warmth": "temperature_2m"}
    scene = source.fetch(Request(PLACE, collection, JANUARY, bands))
    rain, warmth = (scene.rasters[name].array for name in bands)
    assert 0 <= rain.mean() < 0.02, "the dry season"
    assert 290 < warmth.mean() < 310


@pytest.mark.parametrize("name", ["UCSB-CHG/CHIRPS/DAILY", "UCSB-CHC/CHIRPS/V3/DAILY_RNL"])
def test_a_month_of_rain(source: EarthEngineSource, name: str) -> None:
    collection = Collection("R", name, "weather", "earth_engine")
    august = item_of(DateRange(date(2020, 8, 1), date(2020, 9, 1)))
    scene = source.fetch(Request(PLACE, collection, august, {"rain": "precipitation"}))
    assert 0.03 < scene.rasters["rain"].array.mean() < 0.5
