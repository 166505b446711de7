"""Earth Engine through the commands: the true client, a stand-in for its servers."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pyveg import formats, load_pipeline, run_pipeline
from pyveg.earth.subject import Subject
from pyveg.earth.types import Place
from pyveg.scripts.run_pipeline import main as run_command
from pyveg.sources.earth_engine import credentials, session
from pyveg.sources.earth_engine.grids import native_grid
from pyveg.sources.products import PRODUCTS
from pyveg.sources.utm import utm_grid
from pyveg.testing.earth_engine import Call, Fault, StandIn
from pyveg.testing.ee_graphs import StandInScene, write_scene

S2, ERA5 = "COPERNICUS/S2_SR_HARMONIZED", "ECMWF/ERA5_LAND/MONTHLY_AGGR"
SCORES = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
PLACE = Place(27.95, 11.57, 0.011)
VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]
FIELD = {"B2": 0.04, "B3": 0.08, "B4": 0.05, "B8": 0.35}
"""Reflectance of a green field; NDVI 0.75."""
SOIL = {"B2": 0.12, "B3": 0.18, "B4": 0.26, "B8": 0.34}
"""NDVI 0.1333."""
MONTHS = ("2021-11-01", "2021-12-01", "2022-01-01", "2022-02-01", "2022-03-01", "2022-04-01")
"""Across the change to baseline 04.00 on 2022-01-25."""


def _scene(folder: Path, day: str, grid: Any, cloudy: Any) -> list[StandInScene]:
    """The west is the field; harmonised numbers are reflectance x 10,000 whatever the baseline."""
    west = np.arange(grid.width) < grid.width // 2
    bands = {
        band: np.broadcast_to(
            np.where(west, round(1e4 * FIELD[band]), round(1e4 * SOIL[band])), grid.shape
        ).astype(np.uint16)
        for band in FIELD
    }
    score = np.ones(grid.shape, np.float32)
    bands = {band: np.where(cloudy, 9000, clear).astype(np.uint16) for band, clear in bands.items()}
    score[cloudy] = 0.1
    facts = {
        "CLOUDY_PIXEL_PERCENTAGE": 100 * float(cloudy.mean()),
        "PROCESSING_BASELINE": "04.00" if day >= "2022-01-25" else "03.01",
    }
    return [
        write_scene(folder, S2, f"s{day}", day, bands, grid, **facts),
        write_scene(folder, SCORES, f"s{day}", day, {"cs_cdf": score}, grid),
    ]


@pytest.fixture
def scenes(tmp_path: Path) -> list[StandInScene]:
    """Three scenes a month, one of them under cloud, none in February; and weather."""
    grid = utm_grid(PLACE, 10)
    rng = np.random.default_rng(5)
    made = []
    for month in (*MONTHS[:3], MONTHS[4]):
        for day in ("05", "15", "27"):
            cloudy = rng.random(grid.shape) < (0.9 if day == "15" else 0.1)
            made += _scene(tmp_path, month[:8] + day, grid, cloudy)
    native = PRODUCTS[ERA5].grid
    assert native is not None
    cells = native_grid(PLACE, native, "ERA5")
    for number, month in enumerate(MONTHS[:5]):
        bands = {
            "total_precipitation_sum": np.full(cells.shape, 0.01 * number),
            "temperature_2m": np.full(cells.shape, 300.0 + number),
        }
        made.append(write_scene(tmp_path, ERA5, month, month, bands, cells))
    return made


def _config(write_config: Any, tmp_path: Path, **changes: Any) -> Path:
    settings = {
        "coordinates": (PLACE.longitude, PLACE.latitude),
        "region_size": PLACE.region_size,
        "date_range": [MONTHS[0], MONTHS[-1]],
        "collections_to_use": ["Sentinel2", "ERA5"],
        "modules_to_use": {
            "Sentinel2": VEGETATION,
            "ERA5": ["WeatherDownloader", "WeatherImageToJSON"],
        },
        "special_config": {
            "Sentinel2": {"cache": str(tmp_path / "cache")},
            "ERA5": {"cache": str(tmp_path / "cache")},
        },
        "runner": "threads",
        **changes,
    }
    path: Path = write_config(**settings)
    return path


def test_from_a_config_to_the_summary(
    write_config: Any, tmp_path: Path, scenes: list[StandInScene]
) -> None:
    service = StandIn(scenes)
    with service.instead(fresh=True):
        result = CliRunner().invoke(
            run_command, ["--config_file", str(_config(write_config, tmp_path))]
        )
    assert result.exit_code == 0, result.output
    (run,) = write_config.runs()
    (summary,) = run.glob("gee_*_combine/results_summary.json")
    found = json.loads(summary.read_text())
    chips = found[S2]["time-series-data"]
    assert list(chips) == ["2021-11-16", "2021-12-16", "2022-01-16", "2022-02-15", "2022-03-16"]
    assert chips["2022-02-15"] is None
    assert "no scene was taken" in found["missing"][S2]["2022-02-15"]
    weather = found[ERA5]["time-series-data"]
    assert weather["2022-01-16"]["total_precipitation"] == pytest.approx(0.02, rel=1e-6)
    assert weather["2022-01-16"]["mean_2m_air_temperature"] == pytest.approx(302.0)
    truth = {"field": (0.35 - 0.05) / (0.35 + 0.05), "soil": (0.34 - 0.26) / (0.34 + 0.26)}
    columns = utm_grid(PLACE, 10).width // 2
    for day, records in chips.items():
        if records is None:
            continue
        raster = next(run.glob(f"gee_*_Sentinel2/{day}/RAW/download.NDVI.tif"))
        ndvi = formats.decode_geotiff(raster.read_bytes()).array
        np.testing.assert_allclose(_clear(ndvi[:, :columns]), truth["field"], atol=1e-3)
        np.testing.assert_allclose(_clear(ndvi[:, columns:]), truth["soil"], atol=1e-3)
        record = json.loads(next(run.glob(f"gee_*_Sentinel2/{day}/RAW/*.json")).read_text())
        assert record["n_scenes"] == 2
        assert record["n_cloudy_scenes"] == 1
        # Clear in at least one of two scenes that have 10 % cloud each.
        assert record["valid_fraction"] == pytest.approx(0.99, abs=0.005)
        assert [part["id"] for part in record["scenes"]] == [
            f"{S2}/s{day[:8]}05",
            f"{S2}/s{day[:8]}27",
        ]
    baselines = json.loads(next(run.glob("gee_*_Sentinel2/2022-01-16/RAW/*.json")).read_text())
    assert baselines["baselines"] == ["03.01", "04.00"]
    # Each date: which scenes there are, and its pixels; February has none.
    assert (service.count("value"), service.count("pixels")) == (10, 9)


def _clear(values: Any) -> Any:
    return values[np.isfinite(values)]


def test_a_second_run_asks_nothing(
    write_config: Any, tmp_path: Path, scenes: list[StandInScene]
) -> None:
    config = _config(write_config, tmp_path)
    with StandIn(scenes).instead():
        first = run_pipeline(config)
    nobody = StandIn()
    with nobody.instead(fresh=True):
        second = run_pipeline(config)
    assert nobody.calls == []
    assert first.counts == second.counts
    one, two = (
        {file.relative_to(run): file.read_bytes() for file in run.glob("gee_*/*/RAW/*")}
        for run in write_config.runs()
    )
    assert one == two


def test_many_dates_with_faults(
    write_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in ten requests is turned away once: listings by 429, pixels by 503."""
    monkeypatch.setattr(session, "draw", lambda: 0.02)
    place = Place(27.95, 11.57, 0.006)
    grid = utm_grid(place, 10)
    clear = np.zeros(grid.shape, dtype=bool)
    days = [str(date(2019, 1, 1) + timedelta(days=n)) for n in range(40)]
    scenes = [part for day in days for part in _scene(tmp_path, day, grid, clear)]
    asked: Counter[tuple[str, int]] = Counter()

    def faults(call: Call, _: int) -> Fault | None:
        number = days.index(min(re.findall(r"2019-\d\d-\d\d", str(call.body))))
        asked[call.kind, number] += 1
        first = asked[call.kind, number] == 1
        if first and (call.kind, number % 10) == ("value", 3):
            return Fault(429, "Quota exceeded for quota metric 'Concurrent requests'")
        return Fault(503) if first and (call.kind, number % 10) == ("pixels", 7) else None

    service = StandIn(scenes, faults=faults, delay=0.05)
    config = _config(
        write_config,
        tmp_path,
        region_size=place.region_size,
        date_range=["2019-01-01", "2019-02-10"],
        time_per_point="1d",
        collections_to_use=["Sentinel2"],
        modules_to_use={"Sentinel2": ["VegetationDownloader"]},
        special_config={"Sentinel2": {"cache": str(tmp_path / "cache")}},
        runner="processes",  # downloads wait in threads all the same
    )
    with service.instead():
        report = run_pipeline(config)
    assert [result.reason for result in report.results.values() if result.reason] == []
    assert report.counts["succeeded"] == 40
    assert 8 <= service.most_at_once <= 16
    for number in range(40):
        assert asked["value", number] == 1 + (number % 10 == 3)
        assert asked["pixels", number] == 1 + (number % 10 == 7)
    nobody = StandIn()
    with nobody.instead(fresh=True):
        again = run_pipeline(config)
    assert nobody.calls == []
    reasons = [result.reason for result in again.results.values() if result.reason]
    assert reasons == []
    assert again.counts["succeeded"] == 40


def test_a_network_that_is_down_fails_the_imagery_and_no_more(
    write_config: Any, tmp_path: Path, scenes: list[StandInScene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three dates the others are not tried, one of which would have had no image."""
    monkeypatch.setattr(session, "draw", lambda: 0.01)

    def down(call: Call, _: int) -> Fault | None:
        if call.kind == "pixels" and "S2" in str(call.body):
            raise ConnectionError("Network is unreachable")
        return None

    service = StandIn(scenes, faults=down)
    special = {"cache": "none", "max_wait": 0.05}
    config = _config(
        write_config,
        tmp_path,
        special_config={"Sentinel2": special, "ERA5": special},
        runner="serial",
    )
    with service.instead():
        report = run_pipeline(config)
    assert report.counts["failed"] == 5
    assert report.counts["blocked"] == 15
    (reason,) = {r.reason for r in report.results.values() if r.state.value == "failed"}
    assert "cannot be reached: no way leads to it; check the network" in reason
    dates = {json.dumps(body["expression"]) for body in service.bodies("pixels")}
    assert len([body for body in dates if "S2" in body]) == 3
    (run,) = write_config.runs()
    assert len(list(run.glob("gee_*_ERA5/*/JSON/WEATHER/weather_data.json"))) == 5


def test_rain_alone(write_config: Any, tmp_path: Path) -> None:
    """CHIRPS has no temperature; the summary tells the rain."""
    name = "UCSB-CHG/CHIRPS/DAILY"
    native = PRODUCTS[name].grid
    assert native is not None
    cells = native_grid(PLACE, native, name)
    scenes = []
    for number in range(31):
        day = str(date(2020, 1, 1) + timedelta(days=number))
        bands = {"precipitation": np.full(cells.shape, float(number == 3) * 20)}
        scenes.append(write_scene(tmp_path, name, day, day, bands, cells))
    config = _config(
        write_config,
        tmp_path,
        date_range=["2020-01-01", "2020-02-01"],
        collections_to_use=["CHIRPS"],
        modules_to_use={"CHIRPS": ["WeatherDownloader", "WeatherImageToJSON"]},
        special_config={"CHIRPS": {"cache": "none"}},
    )
    with StandIn(scenes).instead():
        report = run_pipeline(config)
    assert report.exit_code == 0
    (run,) = write_config.runs()
    (summary,) = run.glob("gee_*_combine/results_summary.json")
    (record,) = json.loads(summary.read_text())[name]["time-series-data"].values()
    assert record == {"total_precipitation": pytest.approx(0.02, rel=1e-6)}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"collection_name": "COPERNICUS/S2"}, 'deprecated; use "COPERNICUS/S2_SR_HARMONIZED"'),
        ({"collection_name": "LANDSAT/LE07/C01/T1_SR"}, 'use "LANDSAT/LE07/C02/T1_L2"'),
        ({"min_date": "2010-01-01"}, ""),
    ],
)
def test_records_of_older_configs(
    write_config: Any, tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    """A retired id names its successor; a range beyond the collection's life is cut, and said."""
    config = _config(write_config, tmp_path, date_range=["2016-01-01", "2018-01-01"])
    config.write_text(
        config.read_text() + f"data_collections = dict(data_collections)\n"
        f"data_collections['Sentinel2'] = {{**data_collections['Sentinel2'], **{record!r}}}\n"
    )
    result = CliRunner().invoke(run_command, ["--config_file", str(config), "--dry_run"])
    if message:
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())
    else:
        assert result.exit_code == 0, result.output
        assert "2017-03-28" in result.output


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"runner": "processes"}, "threads"),
        ({"runner": "threads"}, "threads"),
        ({"runner": "serial"}, "local"),
        ({"runner": "processes", "special_config": {"WeatherDownloader": {"timeout": 5}}}, "local"),
        ({"special_config": {"WeatherDownloader": {"run_mode": "local"}}}, "local"),
    ],
    ids=str,
)
def test_downloads_wait_in_threads(
    write_config: Any, tmp_path: Path, changes: dict[str, Any], mode: str
) -> None:
    config = _config(write_config, tmp_path, **{"special_config": {}, **changes})
    plan = load_pipeline(config).plan()
    modes = {step.label: step.run_mode for step in plan.graph.steps}
    assert modes["ERA5/WeatherDownloader"] == mode
    assert modes["ERA5/WeatherImageToJSON"] == "local"


def test_the_project_of_the_command_line(
    write_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used where the config names none."""
    monkeypatch.setenv("EE_PROJECT", "of-the-shell")
    monkeypatch.setenv("EE_TOKEN", "t")
    config = str(_config(write_config, tmp_path))
    result = CliRunner().invoke(
        run_command, ["--config_file", config, "--project", "of-the-line", "--dry_run"]
    )
    assert result.exit_code == 0, result.output
    assert credentials.find("", "").project == "of-the-line"
    assert credentials.find("of-the-config", "").project == "of-the-config"


@pytest.mark.parametrize(
    ("special", "end"),
    [
        ({}, "2012-05-06"),
        ({"with_collections": ["LANDSAT/LE07/C02/T1_L2"], "mixed_sensors": True}, "2014-01-01"),
    ],
)
def test_datasets_that_continue_each_other(
    write_config: Any, tmp_path: Path, special: dict[str, Any], end: str
) -> None:
    config = _config(
        write_config,
        tmp_path,
        date_range=["2010-01-01", "2014-01-01"],
        collections_to_use=["Landsat5"],
        modules_to_use={"Landsat5": VEGETATION},
        special_config={"Landsat5": special},
    )
    pipeline = load_pipeline(config)
    assert str(Subject.of(pipeline.sequences[0].scope).date_range) == f"2010-01-01..{end}"
    assert any("is cut to" in warning for warning in pipeline.warnings) == (end != "2014-01-01")
    assert len(pipeline.plan().graph) > 0
