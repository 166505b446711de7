"""Rain and temperature of periods, from the daily values of a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

from pyveg.core.errors import ConfigError, DataError, ServiceError, SkipItem
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources import open_meteo
from pyveg.sources.open_meteo import OpenMeteoSettings, OpenMeteoSource
from pyveg.testing import stac_world
from pyveg.testing.scenes import assert_same_rasters
from pyveg.testing.stac_world import StacServer, StacWorld

PLACE = Place(27.95, 11.57)
BANDS = {
    "total_precipitation": "precipitation_sum",
    "mean_2m_air_temperature": "temperature_2m_mean",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StacServer]:
    with StacWorld(tmp_path / "world", PLACE).serve() as found:
        yield found


def source(server: StacServer, **settings: Any) -> OpenMeteoSource:
    given = {"url": f"{server.url}/v1/archive", "cache": "none", "retry_wait": 0.01, **settings}
    return OpenMeteoSource(OpenMeteoSettings(**given))


def fetch(one: OpenMeteoSource, step: str = "1m", bands: dict[str, str] | None = None) -> Scene:
    collection = Collection("W", "W", "weather", "open_meteo", time_per_point=step)
    item = one.items(collection, PLACE, DateRange(date(2020, 2, 1), date(2020, 4, 1)))[0]
    return one.fetch(Request(PLACE, collection, item, bands or BANDS))


def values(scene: Scene) -> dict[str, float]:
    return {name: raster.array.item() for name, raster in scene.rasters.items()}


@pytest.mark.parametrize(("step", "days"), [("1m", 29), ("1w", 7), ("1d", 1)])
def test_rain_adds_up_and_temperature_is_averaged(server: StacServer, step: str, days: int) -> None:
    found = values(fetch(source(server), step))
    ordinals = [(date(2020, 2, 1) + timedelta(days=n)).toordinal() for n in range(days)]
    rain = sum(n % 7 / 2 for n in ordinals) / 1000
    warmth = sum(20 + n % 10 / 4 for n in ordinals) / days + 273.15
    assert found["total_precipitation"] == pytest.approx(rain, rel=1e-6)
    assert found["mean_2m_air_temperature"] == pytest.approx(warmth, rel=1e-6)


def test_the_request_is_for_one_model_without_adjustment(server: StacServer) -> None:
    scene = fetch(source(server))
    ((_, path, query, _),) = server.requests
    asked = {key: value[0] for key, value in parse_qs(query).items()}
    assert path == "/v1/archive"
    assert asked == {
        "latitude": "11.57",
        "longitude": "27.95",
        "start_date": "2020-02-01",
        "end_date": "2020-02-29",
        "daily": "precipitation_sum,temperature_2m_mean",
        "models": "era5",
        "timezone": "GMT",
        "elevation": "nan",
        "cell_selection": "nearest",
    }
    assert scene.record["cell"] == [28.0, 11.5]
    raster = scene.rasters["total_precipitation"]
    assert raster.crs == "EPSG:4326"
    assert raster.transform == (0.25, 0.0, 27.875, 0.0, -0.25, 11.625)
    assert raster.array.shape == (1, 1)
    assert raster.array.dtype == np.float32


def test_a_customers_key_goes_to_other_addresses_only(
    server: StacServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(open_meteo.KEY, "my-key")
    scene = fetch(source(server))
    assert "apikey=my-key" in server.requests[0][2]
    assert "my-key" not in str(scene.record)
    monkeypatch.setattr(open_meteo, "URL", f"{server.url}/v1/archive")
    fetch(source(server))
    assert "my-key" not in server.requests[1][2]


def test_days_that_are_not_there_yet(server: StacServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def gaps(query: str) -> dict[str, Any]:
        answer = weather(query)
        if "precipitation_sum" in answer["daily"]:
            answer["daily"]["precipitation_sum"][27:] = [None, None]
        return answer

    weather = stac_world.weather
    monkeypatch.setattr(stac_world, "weather", gaps)
    with pytest.raises(SkipItem, match=r"2 of 29 days are not in .* the first is 2020-02-28"):
        fetch(source(server))
    warm = fetch(source(server), bands={"t": "temperature_2m_mean"})
    assert list(warm.rasters) == ["t"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"daily_units": {"precipitation_sum": "inch"}}, '"inch" instead of "mm"; check the url'),
        ({"daily": {}}, "in a form that is not known .* check its url"),
        ({"latitude": None}, "in a form that is not known"),
    ],
)
def test_another_answer_than_expected(
    server: StacServer, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    weather = stac_world.weather
    monkeypatch.setattr(stac_world, "weather", lambda query: {**weather(query), **change})
    with pytest.raises(DataError, match=words):
        fetch(source(server), bands={"rain": "precipitation_sum"})


def test_an_unknown_band(server: StacServer) -> None:
    with pytest.raises(ConfigError, match=r'no band "rain" in .*; it has precipitation_sum'):
        fetch(source(server), bands={"total_precipitation": "rain"})


def test_trouble_is_tried_again_and_told(server: StacServer) -> None:
    server.fault = stac_world.every(2)
    one = source(server)
    for _ in range(4):
        fetch(one)
    assert len(server.requests) == 4 + server.failed == 7
    server.fault = lambda *_: 429
    with pytest.raises(ServiceError, match=r"archive 127.0.0.1:\d+ has had too many requests"):
        fetch(source(server, retries=1))


def test_an_answer_is_kept(server: StacServer, tmp_path: Path) -> None:
    one = source(server, cache=str(tmp_path / "cache"))
    assert_same_rasters(fetch(one).rasters, fetch(one).rasters)
    assert len(server.requests) == 1


def test_an_address_must_be_one() -> None:
    with pytest.raises(
        ConfigError, match='url = "archive" is no web address; begin it with "https://"'
    ):
        OpenMeteoSource(OpenMeteoSettings(url="archive"))
