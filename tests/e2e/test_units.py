"""Every table that is written says in which unit its columns are."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyveg
from pyveg.analysis.data.columns import ANALYSIS, CALIBRATION, CAMPAIGN, ZOO_TABLES
from pyveg.analysis.folder import COLUMNS, columns_file, write_analysis
from pyveg.core import registry
from pyveg.earth.metrics import Metric, installed
from pyveg.jobs.analyses import summarise
from pyveg.jobs.resolve import resolve
from pyveg.modules.series_table import write_columns, write_table
from pyveg.sources.collections import data_collections


def _columns(data: bytes) -> dict[tuple[str, str], str]:
    """(table, column) -> unit."""
    rows = csv.DictReader(io.StringIO(data.decode()))
    return {(row.get("table", ""), row["column"]): row["unit"] for row in rows}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pyveg.Run:
    job: dict[str, Any] = {
        "output_location": str(tmp_path_factory.mktemp("units") / "job"),
        "coordinates": (27.95, 11.57),
        "region_size": 0.006,
        "date_range": ["2016-01-01", "2016-07-01"],
        "data_collections": dict(data_collections),
        "collections_to_use": ["SimulatedSentinel2", "SimulatedWeather"],
        "modules_to_use": {
            "SimulatedSentinel2": [
                "VegetationDownloader",
                "VegetationImageProcessor",
                "NetworkCentralityCalculator",
                "NDVICalculator",
            ],
            "SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"],
        },
        "runner": "serial",
    }
    report = pyveg.run_pipeline(resolve(job))
    assert report.exit_code == 0
    return pyveg.open_run(report.url)


def test_every_column_of_the_series_of_a_run(run: pyveg.Run) -> None:
    folder = (run.summary_key or "").rpartition("/")[0]
    units = _columns(run.store.read(f"{folder}/series_columns.csv"))
    table = run.series()
    assert table is not None
    assert [name for _, name in units] == list(table.columns)
    assert units["", "offset50_q25"] == "pixels"
    assert units["", "total_precipitation"] == "m per period"
    assert units["", "mean_2m_air_temperature"] == "K"
    assert units["", "ndvi_mean"] == "1"
    assert all(units["", name] for name in table.columns if name not in ("date", "collection"))


def test_tables_in_python(run: pyveg.Run) -> None:
    chips, weather = pyveg.load_results(run.url), pyveg.load_weather(run.url)
    numbers = [name for name in chips if pd.api.types.is_float_dtype(chips[name])]
    assert {*numbers} <= {*chips.attrs["units"]}
    assert chips.attrs["units"]["offset50"] == "pixels"
    assert chips.attrs["units"]["latitude"] == "degrees north"
    assert weather.attrs["units"] == {
        "total_precipitation": "m per period",
        "mean_2m_air_temperature": "K",
    }
    # Whatever the older results did not say.
    assert pyveg.load_results(run.url, swap_coordinates=True).attrs["units"]["latitude"]


def test_every_column_of_an_analysis_and_of_many(run: pyveg.Run, tmp_path: Path) -> None:
    settings = pyveg.AnalysisSettings(surrogates=19, n_threads=1)
    analysis = pyveg.analyse(run, settings=settings, spatial=False)
    store = registry.store_at(str(tmp_path / "one"))
    folder = write_analysis(analysis, store)
    units = _columns(store.read(f"{folder}/tables/{COLUMNS}"))
    for name, table in analysis.tables().items():
        assert [column for of, column in units if of == name] == list(table.columns)
    assert units["series", "total_precipitation"]
    assert units["series", "offset50"] == "pixels"
    summarise([tmp_path / "one"], tmp_path / "many")
    units = _columns((tmp_path / "many" / COLUMNS).read_bytes())
    for name in CAMPAIGN:
        table = pd.read_csv(tmp_path / "many" / f"{name}.csv")
        assert [column for of, column in units if of == name] == list(table.columns)
    assert units["sites", "rain_mm_per_year"]


@pytest.mark.parametrize("tables", [ANALYSIS, CAMPAIGN, CALIBRATION, ZOO_TABLES])
def test_files_of_columns_have_all_that_is_declared(tables: Any) -> None:
    found = pd.read_csv(io.BytesIO(columns_file(tables)), keep_default_na=False)
    assert list(found) == ["table", "column", "unit", "dtype", "meaning"]
    assert len(found) == sum(len(table.columns) for table in tables.values())
    assert (found["meaning"] != "").all()


def test_the_columns_are_those_of_the_table() -> None:
    metrics = list(installed().values())
    shown = [metric for metric in metrics if metric.in_series]
    header = write_table([], shown).decode().strip().split(",")
    assert [name for _, name in _columns(write_columns(shown))] == header


@pytest.mark.parametrize(
    ("unit", "behind"), [("pixels", ", pixels"), ("m2/m2", ", m2/m2"), ("1", ""), ("?", "")]
)
def test_units_stand_behind_labels(unit: str, behind: str) -> None:
    assert Metric("lai", unit, "leaf area", "LAI").unit_behind == behind
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2016-01-01", periods=24, freq="MS"),
            f"LAI ({unit})": np.arange(24.0),
        }
    )
    if unit == "m2/m2":
        analysis = pyveg.analyse(frame, settings=pyveg.AnalysisSettings(surrogates=19))
        assert analysis.series.label_with_unit("lai") == "LAI, whole region, m2/m2"
