from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pyveg
from pyveg.analysis.figures import series_figure, series_png
from pyveg.core.errors import DataError, NotARunError
from pyveg.runs.results import read_series, read_summary


def _chip(chip: int, **more: Any) -> dict[str, Any]:
    return {
        "offset50": -700.0 - chip,
        "feature_vec": [0.0, -1.0],
        "date": "2020-01-16",
        "latitude": 11.5,
        "longitude": 27.9 + chip / 100,
        "ndvi": 140.0,
        **more,
    }


def _summary(**more: Any) -> dict[str, Any]:
    return {
        "ERA5": {
            "type": "weather",
            "time-series-data": {
                "2020-02-15": {"mean_2m_air_temperature": 301.0, "total_precipitation": 0.02},
                "2020-01-16": {"mean_2m_air_temperature": 300.0, "total_precipitation": 0.01},
                "2020-03-16": None,
                "2020-04-16": {},
            },
        },
        "S2": {
            "type": "vegetation",
            "time-series-data": {"2020-02-15": None, "2020-01-16": [_chip(0), _chip(1)]},
        },
        "metadata": {"longitude": 27.95, "latitude": 11.57},
        "missing": {"S2": {"2020-02-15": "skipped: clouds"}},
        **more,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "results_summary.json"
    found.write_text(json.dumps(_summary()))
    return found


def test_one_row_per_date_and_chip(path: Path) -> None:
    table = pyveg.load_results(path)
    assert list(table.columns)[:4] == ["date", "collection", "latitude", "longitude"]
    assert table["longitude"].tolist() == [27.9, 27.91]
    assert table["date"].tolist() == [pd.Timestamp("2020-01-16")] * 2
    assert table["feature_vec"].tolist() == [(0.0, -1.0)] * 2


def test_weather_has_its_own_table(path: Path) -> None:
    table = pyveg.load_weather(path)
    assert list(table.columns) == [
        "date",
        "collection",
        "total_precipitation",
        "mean_2m_air_temperature",
    ]
    assert table["total_precipitation"].dropna().tolist() == [0.01, 0.02]


def test_swapped_coordinates_are_set_right(path: Path) -> None:
    table = pyveg.load_results(path, swap_coordinates=True)
    assert table["latitude"].tolist() == [27.9, 27.91]
    assert list(table.columns)[:4] == ["date", "collection", "latitude", "longitude"]


def test_a_summary_without_vegetation_or_weather(tmp_path: Path) -> None:
    found = tmp_path / "results_summary.json"
    found.write_text(json.dumps({"metadata": {}}))
    assert len(pyveg.load_results(found)) == 0
    assert len(pyveg.load_weather(found)) == 0


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b'{"S2": 3}', b'{"S2": {"type": "x"}, "a": {}}']
)
def test_what_is_no_summary_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"no results_summary\.json of pyveg"):
        read_summary(content)


def test_no_summary_at_all(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "none", tmp_path / "results_summary.json"):
        with pytest.raises(NotARunError, match=str(where)):
            pyveg.load_results(where)


METRICS = ("offset50", "ndvi_mean")
COLUMNS = (
    "date", "collection", "chips",
    *(f"{metric}{part}" for metric in METRICS for part in ("", "_q25", "_q75")),
    "total_precipitation", "mean_2m_air_temperature",
)  # fmt: skip


def _series(*rows: str) -> pd.DataFrame:
    return read_series("\n".join([",".join(COLUMNS), *rows]).encode())


def _row(date: str, collection: str = "S2", **values: float) -> str:
    known = {"date": date, "collection": collection, **values}
    return ",".join(str(known.get(name, "")) for name in COLUMNS)


def test_a_folder_of_runs_is_no_run(tmp_path: Path) -> None:
    for number in range(5):
        folder = tmp_path / f"run_{number}" / "gee_1_2_combine"
        folder.mkdir(parents=True)
        (folder / "results_summary.json").write_text(json.dumps(_summary()))
    with pytest.raises(NotARunError, match="name one of the runs in it: run_0, run_1, run_2 and 2"):
        pyveg.load_results(tmp_path)
    assert len(pyveg.load_results(tmp_path / "run_3"))


def test_gaps_break_the_line() -> None:
    dates = ["2020-01-16", "2020-02-15", "2020-03-16", "2020-07-16", "2020-08-16"]
    rows = [_row(date, offset50=-700, offset50_q25=-710, offset50_q75=-690) for date in dates]
    weather = _row("2020-01-16", "ERA5", total_precipitation=0.1, mean_2m_air_temperature=300)
    figure = series_figure(_series(*rows, weather), "here,")
    assert figure is not None
    assert len(figure.axes) == 3  # centrality, rain, and temperature on its right
    line = figure.axes[0].get_lines()[0]
    values = [float(value) for value in line.get_ydata()]  # type: ignore[union-attr]
    assert len(values) == 6
    assert math.isnan(values[3])
    assert figure.get_suptitle() == "here, 2020-01 to 2020-08"


def test_two_collections_are_told_apart() -> None:
    rows = [
        _row(date, name, ndvi_mean=0.3) for name in "ab" for date in ("2020-01-16", "2020-02-15")
    ]
    figure = series_figure(_series(*rows))
    assert figure is not None
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_one_date_alone_is_drawn_and_none_is_not() -> None:
    assert series_png(_series(_row("2020-01-16", ndvi_mean=0.3))) is not None
    assert series_png(_series()) is None


def test_real_results_of_the_older_pyveg(shared_data: Path) -> None:
    path = shared_data / "results" / "labyrinths_niger_2017_results_summary.json"
    table = pyveg.load_results(path, swap_coordinates=True)
    assert len(table) == 120
    assert table["date"].nunique() == 12
    assert table["longitude"].between(27.9, 28.0).all()
    assert table["latitude"].between(11.2, 11.4).all()
    assert table["offset50"].iloc[0] == -785.0
    weather = pyveg.load_weather(path)
    assert weather["mean_2m_air_temperature"].dropna().between(280, 320).all()


def _one_date(**changes: object) -> bytes:
    part = {"type": "vegetation", "time-series-data": {"2016-01-16": [{"ndvi_mean": 0.3}]}}
    return json.dumps({"S2": {**part, **changes}}).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[1]", "it is no dictionary"),
        (b'{"S2": 3}', '"S2" is no dictionary'),
        (b'{"S2": {}}', 'does not say its "type"'),
        (_one_date(type=[1]), 'does not say its "type"'),
        (_one_date(**{"time-series-data": []}), "has no dictionary time-series-data"),
        (_one_date(**{"time-series-data": {"2016-01-16": [3]}}), "a record of '2016-01-16'"),
        (
            _one_date(**{"time-series-data": {"2016-01-16": [{"feature_vec": [1.0, math.inf]}]}}),
            "has inf in the feature_vec of '2016-01-16'",
        ),
        (_one_date(place=[]), "has place of another type"),
        (_one_date(metrics={}), "has metrics of another type"),
        (_one_date(metrics=[{"name": "a", "unit": [], "meaning": ""}]), "unit = \\[\\]"),
        (_one_date(metrics=[{"name": "a", "label": "\x1b[2J"}]), "no text that can be shown"),
        (_one_date(metrics=[{"name": "a", "low": "x"}]), "low = 'x'"),
        (b'{"\\u001b[2J": {"type": "vegetation", "time-series-data": {}}}', "does not show"),
        (_one_date(**{"time-series-data": {"2016-01-16": [{"\x1b[2J": 1}]}}), "does not show"),
    ],
)  # fmt: skip
def test_what_is_no_summary_says_which_part_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_summary(data)
    assert str(caught.value).isprintable()
