"""A table of dates and values: read back equal however it was written, or refused in a sentence."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import DataError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.earth.types import DateRange
from pyveg.runs.delimited import table_of
from pyveg.runs.series_file import read_series_file, series_of, series_of_frame

VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=1, max_size=20)


def _read(text: str, name: str = "a.csv") -> list[Any]:
    return series_of(table_of(text, name), "a")


def _one(text: str) -> Any:
    (series,) = _read(text)
    return series.results


@given(
    VALUES,
    st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    st.integers(1, 40),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%Y%j"]),
    st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", ","), ("|", ".")]),
    st.permutations(["date", "value", "rain (mm)", "temperature (K)"]),
)
def test_what_is_written_is_read_back_equal(  # noqa: PLR0917 - drawn by hypothesis
    values: list[float],
    first: date,
    step: int,
    form: str,
    marks: tuple[str, str],
    order: list[str],
) -> None:
    days = [first + timedelta(days=step * i) for i in range(len(values))]
    numbers = {
        "value": values,
        "rain (mm)": [float(i % 7) for i in range(len(values))],
        "temperature (K)": [290 + value for value in values],
    }
    text = io.StringIO()
    writer = csv.writer(text, delimiter=marks[0])
    writer.writerow(order)
    for i, day in enumerate(days):
        cells = {name: f"{column[i]:.6f}" for name, column in numbers.items()}
        row = [day.strftime(form) if name == "date" else cells[name] for name in order]
        writer.writerow([cell.replace(".", marks[1]) if name != "date" else cell
                         for name, cell in zip(order, row, strict=True)])  # fmt: skip
    found = _one(text.getvalue())
    assert [stamp.date() for stamp in found.place["date"]] == days
    assert found.place["value"].tolist() == [float(f"{value:.6f}") for value in values]
    assert found.weather[PRECIPITATION].tolist() == [x / 1000 for x in numbers["rain (mm)"]]
    assert found.weather[TEMPERATURE].tolist() == pytest.approx(numbers["temperature (K)"])


@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=9),
    st.sampled_from(["dates", "text", "index", "period", "objects"]),
)
def test_a_frame_is_read_to_the_last_bit(values: list[float], kind: str) -> None:
    days = pd.date_range("2016-01-31", periods=len(values), freq="ME")
    frame = pd.DataFrame({"date": days, "lai": values})
    if kind == "text":
        frame["date"] = [f"{day:%Y-%m-%d}" for day in days]
    if kind == "objects":
        frame["date"] = pd.Series([day.date() for day in days], dtype=object)
    given: Any = frame
    if kind == "index":
        given = frame.set_index("date")["lai"]
    if kind == "period":
        given = frame.set_index(pd.PeriodIndex(days, freq="M"))[["lai"]]
    (series,) = series_of_frame(given)
    assert series.results.place["lai"].tolist() == values
    assert series.results.place["date"].is_monotonic_increasing


def test_the_frame_that_is_given_stays_as_it_was() -> None:
    frame = pd.DataFrame({"date": ["2016-02-01", "2016-01-01"], "value": [1.0, 2.0]})
    before = frame.copy(deep=True)
    (series,) = series_of_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert series.results.place["value"].tolist() == [2.0, 1.0]
    assert series_of_frame(pd.DataFrame({"date": ["2016-01-01"], "v": np.float32([1.234])}))


def test_places_are_apart_each_with_its_own_weather() -> None:
    text = "date,place,value,rain (mm)\n2016-01-01,B,1,10\n2016-01-01,A,2,20\n2016-02-01,A,3,30\n"
    a, b = _read(text)
    assert a.results.place["value"].tolist() == [2.0, 3.0]
    assert a.results.weather[PRECIPITATION].tolist() == [0.02, 0.03]
    assert b.results.place["collection"].tolist() == ["B"]
    assert b.results.weather[PRECIPITATION].tolist() == [0.01]


def test_several_columns_of_numbers_are_several_metrics() -> None:
    results = _one("date,NDVI,LAI (m2/m2),note\n2016-01-01,0.5,1.25,ok\n2016-02-01,,NA,cloud\n")
    assert list(results.metrics) == ["ndvi", "lai"]
    lai = results.metrics["lai"]
    assert (lai.unit, lai.label, lai.support) == ("m2/m2", "LAI", "place")
    assert lai.meaning == 'column "LAI (m2/m2)" of a.csv'
    assert results.place["lai"].isna().tolist() == [False, True]
    (series,) = _read("date,value,note\n2016-01-01,0.5,ok\n")
    assert series.notes == ('columns that are not used: "note"',)


def test_a_column_that_counts_rows_is_no_value() -> None:
    frame = pd.DataFrame({"date": ["2016-01-01", "2016-02-01"], "value": [0.5, 0.6]})
    assert list(_one(frame.to_csv()).metrics) == ["value"]


def test_months_are_periods_and_days_are_not() -> None:
    results = _one("month,value\n2016-01,0.5\n2016-02,0.6\n")
    assert results.periods["a"] == {
        date(2016, 1, 1): DateRange(date(2016, 1, 1), date(2016, 2, 1)),
        date(2016, 2, 1): DateRange(date(2016, 2, 1), date(2016, 3, 1)),
    }
    assert _one("date,value\n2016-01-01,0.5\n").periods == {}


@pytest.mark.parametrize(
    ("heading", "cell", "metres"),
    [
        ("rain (mm)", "86", 0.086),
        ("Rainfall [cm]", "8.6", 0.086),
        ("precip_mm", "86", 0.086),
        ("RAIN (MM)", "86", 0.086),
        ("total_precipitation", "0.086", 0.086),
        ("rain (m)", "0.086", 0.086),
        ("rain", "86", 0.086),
        ("rain", "0.086", 0.086),
    ],
)
def test_units_of_rain(heading: str, cell: str, metres: float) -> None:
    results = _one(f"date,value,{heading}\n2016-01-01,0.5,{cell}\n2016-02-01,0.5,0\n")
    assert results.weather[PRECIPITATION].tolist() == pytest.approx([metres, 0])


@pytest.mark.parametrize(
    ("heading", "cell", "kelvin"),
    [
        ("temperature (°C)", "27", 300.15),
        ("Temp [C]", "27", 300.15),
        ("temperature_c", "27", 300.15),
        ("temperature_k", "300.15", 300.15),
        ("TEMPERATURE [Kelvin]", "300.15", 300.15),
        ("temperature (K)", "300.15", 300.15),
        ("mean_2m_air_temperature", "300.15", 300.15),
        ("temperature", "300.15", 300.15),
        ("temperature", "27", 300.15),
    ],
)
def test_units_of_temperature(heading: str, cell: str, kelvin: float) -> None:
    (series,) = _read(f"date,value,{heading}\n2016-01-01,0.5,{cell}\n")
    assert series.results.weather[TEMPERATURE].tolist() == pytest.approx([kelvin])
    assert bool(series.notes) == (heading == "temperature")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,acquired,value\n2016-01-01,2016-01-02,1\n", "2 columns of dates: .*acquired"),
        ("date,when it was,value\n2016-01-01,2016-01-02,1\n", "2 columns of dates: .*when it was"),
        ("start_date,end_date,value\n2016-01-01,2016-02-01,1\n", "2 columns of dates"),
        ("date,site,station,value\n2016-01-01,A,B,1\n", "2 columns of places"),
        ("value,more\n1,2\n", "no column of dates"),
        ("date,value\n01/02/2016,1\n02/03/2016,2\n", "line 2, .*date.*can be read in two ways"),
        ("date,value\n2016-01-01,1\n2016-02-30,2\n", "line 3, column .date.*is no date"),
        ("date,value\n2016-01-01,1\n,2\n", "line 3, column .date.*there is no date"),
        ("date,value\n2016-01-01,good\n2016-02-01,bad\n", "line 2, .*value.*has no numbers"),
        ("date,value\n2016-01-01,\n", "line 2, .*value.*has no numbers"),
        ("date,note\n2016-01-01,good\n", "no column of numbers beside its dates"),
        (
            "date,value\n2016-01-01,0.5\n2016-02-01,0.6 NDVI\n",
            "line 3, column .value.*is no number",
        ),
        ("date,value\n2016-01-01,0.5\n2016-02-01,inf\n", "line 3, column .value.*is no number"),
        ("date;value\n2016-01-01;1,234\n", "line 2, column .value.*can be read in two ways"),
        ("date;value;b\n2016-01-01;0,5;0.5\n", "has another decimal mark"),
        ("date,value\n2016-01-01,0.5\n2016-02-01,-9999\n", "line 3, .*mark for a missing value"),
        ("date,ndvi\n2016-01-01,4500\n", "line 2, column .ndvi.*cannot be"),
        ("date,value\n2016-01-01,0.5\n2016-01-01,0.6\n", "line 3, .*is there already, in line 2"),
        ("date,value,Rain (inch)\n2016-01-01,0.5,1\n", "the unit inch of rain is not known"),
        ("date,value,rain (mm/day)\n2016-01-01,0.5,1\n", "the unit mm/day of rain is not known"),
        ("date,value,rain\n2016-01-01,0.5,3\n", "do not tell in which unit"),
        ("date,value,temperature\n2016-01-01,0.5,100\n", "do not tell in which unit"),
        ("date,value,temperature (K)\n2016-01-01,0.5,27\n", "temperature of 27 K cannot be"),
        ("date,value,rain (m)\n2016-01-01,0.5,86\n", "rain of 86 m cannot be"),
        ("date,value,rain (mm)\n2016-01-01,0.5,-1\n", "rain of -1 mm cannot be"),
        ("date,place,value\n2016-01-01,,1\n", "line 2, column .place.*there is no place"),
        ("date,b c,b-c\n2016-01-01,1,2\n", 'two columns of "b_c"'),
        ("date,collection,chips,ndvi_mean\n2016-01-01,S2,4,0.5\n", "that pyveg has written"),
        ("2016-01-01,0.5\n2016-02-01,0.6\n", "0.5 is no heading"),
    ],
)
def test_a_table_that_leaves_a_doubt_is_refused(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        _read(text)
    assert caught.value.wrong.startswith("a.csv")
    assert caught.value.cure


def test_a_frame_is_named_by_its_rows() -> None:
    frame = pd.DataFrame({"date": ["2016-01-01", "2016-02-01"], "value": [0.25, -9999]})
    with pytest.raises(DataError, match=r'the DataFrame, row 1, column "value": -9999\.0 looks'):
        series_of_frame(frame)


def test_refusals_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("date,value\n2016-01-01,x\n")
    with pytest.raises(DataError, match=r"mine\.csv, line 2"):
        read_series_file(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_series_file(tmp_path / "missing.csv")
    with pytest.raises(DataError, match="the DataFrame has no rows"):
        series_of_frame(pd.DataFrame({"date": [], "value": []}))
    with pytest.raises(DataError, match='two columns "a"'):
        series_of_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))
