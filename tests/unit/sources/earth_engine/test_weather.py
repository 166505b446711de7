"""Weather: sums and means over a period, on the cells that it has, in our units."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, SkipItem
from pyveg.earth.periods import item_of
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.earth_engine.grids import native_grid
from pyveg.sources.grid import Grid
from pyveg.sources.products import PRODUCTS, NativeGrid
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.ee_graphs import StandInScene, write_scene

DAILY, MONTHLY = "ECMWF/ERA5_LAND/DAILY_AGGR", "ECMWF/ERA5_LAND/MONTHLY_AGGR"
CHIRPS = "UCSB-CHG/CHIRPS/DAILY"
RAIN, WARMTH = "total_precipitation_sum", "temperature_2m"
BANDS = {"total_precipitation": RAIN, "mean_2m_air_temperature": WARMTH}
PLACE = Place(27.95, 11.57, 0.08)
WEEK = item_of(DateRange(date(2020, 1, 1), date(2020, 1, 8)))
MONTH = item_of(DateRange(date(2020, 1, 1), date(2020, 2, 1)))


def _grid(name: str) -> Grid:
    """Cells around the place, more than it touches."""
    native = PRODUCTS[name].grid
    assert native is not None
    return native_grid(Place(27.95, 11.57, 1.0), native, name)


@pytest.fixture
def images(tmp_path: Path) -> Callable[..., list[StandInScene]]:
    """Makes one image per day; its numbers are given by the number of the day."""

    def make(
        name: str, days: int, values: dict[str, Callable[[int], Any]], start: str = "2020-01-01"
    ) -> list[StandInScene]:
        grid, found = _grid(name), []
        for number in range(days):
            day = date.fromisoformat(start) + timedelta(days=number)
            bands = {
                band: np.broadcast_to(np.asarray(value(number), np.float64), grid.shape).copy()
                for band, value in values.items()
            }
            index = day.strftime("%Y%m%d")
            found.append(
                write_scene(tmp_path, name, index, str(day), bands, grid, nodata=float("nan"))
            )
        return found

    return make


def _collection(name: str, step: str = "1w") -> Collection:
    return Collection("W", name, "weather", "earth_engine", time_per_point=step)


def _values(scene: Any) -> dict[str, Any]:
    return {name: raster.array for name, raster in scene.rasters.items()}


def test_rain_is_summed_and_temperature_averaged(images: Any, source: Any, request_of: Any) -> None:
    made = images(DAILY, 8, {RAIN: lambda day: 0.001 * day, WARMTH: lambda day: 300.0 + day})
    service = StandIn(made)
    with service.instead():
        scene = source().fetch(request_of(_collection(DAILY), place=PLACE, item=WEEK, bands=BANDS))
    found = _values(scene)
    np.testing.assert_allclose(found["total_precipitation"], 0.021, rtol=1e-6)
    np.testing.assert_allclose(found["mean_2m_air_temperature"], 303.0, rtol=1e-6)
    assert found["total_precipitation"].dtype == np.float32
    assert scene.record["n_scenes"] == 7
    assert scene.record["scenes"][0] == {"id": f"{DAILY}/20200101"}
    assert (service.count("value"), service.count("pixels")) == (1, 1)
    assert "Filter.intersects" not in str(service.bodies("pixels")[0])


def test_the_cells_are_the_collections_own(images: Any, source: Any, request_of: Any) -> None:
    """Each number arrives as it is: cells are not resampled."""
    grid = _grid(DAILY)
    pattern = np.arange(grid.width * grid.height).reshape(grid.shape) / 1000
    made = images(DAILY, 7, {RAIN: lambda day: pattern * (day == 3), WARMTH: lambda _: 300.0})
    with StandIn(made).instead():
        scene = source().fetch(request_of(_collection(DAILY), place=PLACE, item=WEEK, bands=BANDS))
    raster = scene.rasters["total_precipitation"]
    assert raster.crs == "EPSG:4326"
    assert raster.transform == (0.1, 0.0, 27.85, 0.0, -0.1, 11.65)
    assert raster.array.shape == (2, 2)
    column = round((27.85 - grid.transform[2]) / 0.1)
    row = round((grid.transform[5] - 11.65) / 0.1)
    expected = pattern[row : row + 2, column : column + 2].astype(np.float32)
    np.testing.assert_array_equal(raster.array, expected)


def test_chirps_is_in_metres(images: Any, source: Any, request_of: Any) -> None:
    made = images(CHIRPS, 31, {"precipitation": lambda day: float(day == 5) * 12.5})
    request = request_of(
        _collection(CHIRPS, "1m"),
        place=PLACE,
        item=MONTH,
        bands={"total_precipitation": "precipitation"},
    )
    with StandIn(made).instead():
        found = _values(source().fetch(request))
    np.testing.assert_allclose(found["total_precipitation"], 0.0125, rtol=1e-6)


def test_rounding_below_zero_is_no_rain(images: Any, source: Any, request_of: Any) -> None:
    """Each day is clipped, not the sum."""
    made = images(DAILY, 7, {RAIN: lambda day: -1e-6 if day else 0.002})
    request = request_of(
        _collection(DAILY), place=PLACE, item=WEEK, bands={"total_precipitation": RAIN}
    )
    with StandIn(made).instead():
        found = _values(source().fetch(request))
    np.testing.assert_allclose(found["total_precipitation"], 0.002, rtol=1e-6)


def test_a_month_of_the_monthly_collection(images: Any, source: Any, request_of: Any) -> None:
    made = images(MONTHLY, 1, {RAIN: lambda _: 0.05, WARMTH: lambda _: 301.5})
    request = request_of(_collection(MONTHLY, "1m"), place=PLACE, item=MONTH, bands=BANDS)
    with StandIn(made).instead():
        found = _values(source().fetch(request))
    np.testing.assert_allclose(found["total_precipitation"], 0.05, rtol=1e-6)
    np.testing.assert_allclose(found["mean_2m_air_temperature"], 301.5, rtol=1e-6)


def test_a_sum_over_some_of_the_days_is_no_sum(images: Any, source: Any, request_of: Any) -> None:
    request = request_of(_collection(DAILY), place=PLACE, item=WEEK, bands=BANDS)
    made = images(DAILY, 6, {RAIN: lambda _: 0.0, WARMTH: lambda _: 300.0})
    with StandIn(made).instead(), pytest.raises(SkipItem, match="6 of the 7 days"):
        source().fetch(request)


def test_the_sea_has_no_value(images: Any, source: Any, request_of: Any) -> None:
    nothing = float("nan")
    made = images(DAILY, 7, {RAIN: lambda _: nothing, WARMTH: lambda _: nothing})
    request = request_of(_collection(DAILY), place=PLACE, item=WEEK, bands=BANDS)
    with StandIn(made).instead(), pytest.raises(SkipItem, match="no value here"):
        source().fetch(request)


def test_a_coast_has_some(images: Any, source: Any, request_of: Any) -> None:
    grid = _grid(DAILY)
    column = round((27.85 - grid.transform[2]) / 0.1)
    values = np.full(grid.shape, 0.001)
    values[:, column] = np.nan
    made = images(DAILY, 7, {RAIN: lambda _: values, WARMTH: lambda _: 300.0})
    request = request_of(_collection(DAILY), place=PLACE, item=WEEK, bands=BANDS)
    with StandIn(made).instead():
        scene = source().fetch(request)
    found = _values(scene)["total_precipitation"]
    assert np.isnan(found[:, 0]).all()
    np.testing.assert_allclose(found[:, 1], 0.007, rtol=1e-6)
    assert scene.record["valid_fraction"] == 0.5


def test_months_cannot_be_cut_into_weeks(source: Any) -> None:
    dates = DateRange(date(2020, 1, 1), date(2020, 3, 1))
    with pytest.raises(ConfigError, match="one image per month"):
        source().items(_collection(MONTHLY, "1w"), PLACE, dates)
    assert len(source().items(_collection(MONTHLY, "1m"), PLACE, dates)) == 2


def test_an_unknown_band(source: Any, request_of: Any) -> None:
    request = request_of(_collection(DAILY), item=WEEK, bands={"x": "snow"})
    with pytest.raises(ConfigError, match=r'no band "snow".* it has total_precipitation_sum'):
        source().fetch(request)


@given(
    longitude=st.floats(-179, 179),
    latitude=st.floats(-55, 49),
    size=st.floats(0.001, 1),
    cell=st.sampled_from([0.05, 0.1, 0.25]),
)
def test_cells_cover_the_place_and_no_more(
    longitude: float, latitude: float, size: float, cell: float
) -> None:
    native = NativeGrid(cell, -180.0 - cell / 2, 90.0 + cell / 2, round(181 / cell), 10_000)
    grid = native_grid(Place(longitude, latitude, size), native, "test")
    a, _, west, _, e, north = grid.transform
    east, south = west + a * grid.width, north + e * grid.height
    near = 1e-6 * cell
    assert west - near <= longitude - size / 2 < west + cell + near
    assert east - cell - near < longitude + size / 2 <= east + near
    assert north - cell - near < latitude + size / 2 <= north + near
    assert south - near <= latitude - size / 2 < south + cell + near
    assert ((west - native.west) / cell) % 1 == pytest.approx(0, abs=1e-5) or (
        (west - native.west) / cell
    ) % 1 == pytest.approx(1, abs=1e-5)


def test_beyond_the_collection() -> None:
    native = PRODUCTS[CHIRPS].grid
    assert native is not None
    with pytest.raises(ConfigError, match="nothing at latitude 60: it covers -50 to 50"):
        native_grid(Place(10, 60), native, "CHIRPS")
