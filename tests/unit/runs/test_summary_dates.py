"""Dates and periods of results: in any form that can be told, or one sentence."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from pyveg.core.errors import DataError
from pyveg.earth.types import DateRange
from pyveg.runs.results import Results, read_summary


def _read(dates: list[str], **more: Any) -> Results:
    data = {day: [{"date": day, "chip": 0, "ndvi_mean": 0.4}] for day in dates}
    part = {"type": "vegetation", "time-series-data": data, **more}
    return read_summary(json.dumps({"V": part, "metadata": {}}).encode())


def _days(results: Results) -> list[str]:
    return results.chips["date"].dt.strftime("%Y-%m-%d").tolist()


@pytest.mark.parametrize(
    "dates",
    [
        ["2005-01-15", "2005-02-15T10:00:00Z", "2005-03-15"],
        ["2005015", "2005046", "2005074"],
        ["20050115", "2005/02/15", "15 March 2005"],
        ["15/01/2005", "15/02/2005", "15/03/2005"],
        ["01/15/2005", "02/15/2005", "03/15/2005"],
    ],
    ids=["mixed ISO", "day of the year", "mixed", "day first", "month first"],
)
def test_dates_that_can_be_read_in_one_way(dates: list[str]) -> None:
    assert _days(_read(dates)) == ["2005-01-15", "2005-02-15", "2005-03-15"]


@pytest.mark.parametrize(
    ("dates", "wrong"),
    [
        (["01/02/2005", "03/04/2005"], "'01/02/2005' can be read in two ways"),
        (["15/01/2005", "01/15/2005"], "'01/15/2005' has the month first"),
        (["2005-02-30"], "'2005-02-30' is no date"),
        (["2005-01-15", "autumn"], "'autumn' is no date"),
        (["1015-01-15", "2005-01-15"], "'1015-01-15' is not between 1700 and 2200"),
        (["9015-01-15", "2005-01-15"], "'9015-01-15' is not between 1700 and 2200"),
        (["2005-01", "2005-02-15"], "'2005-02-15' is a day, and '2005-01' above it a month"),
    ],
)
def test_dates_that_cannot_are_refused_by_name(dates: list[str], wrong: str) -> None:
    with pytest.raises(DataError) as caught:
        _read(dates)
    assert caught.value.wrong.startswith('the results of "V": ')
    assert wrong in caught.value.wrong
    assert caught.value.cure


def test_months_are_periods() -> None:
    results = _read(["2005-01", "2005-02"])
    assert _days(results) == ["2005-01-01", "2005-02-01"]
    months = DateRange(date(2005, 1, 1), date(2005, 2, 1)), DateRange(date(2005, 2, 1),
                                                                      date(2005, 3, 1))  # fmt: skip
    assert list(results.periods["V"].values()) == list(months)


def test_what_is_no_date_and_has_no_data_is_passed_over() -> None:
    part = {
        "type": "vegetation",
        "time-series-data": {"README.txt": None, "2005-01-15": [{"x": 1}]},
    }
    assert _days(read_summary(json.dumps({"V": part}).encode())) == ["2005-01-15"]


def test_periods_are_read_also_of_dates_without_data() -> None:
    spans = {"2005-01-16": ["2005-01-01", "2005-02-01"], "2005-02-15": ["2005-02-01", "2005-03-01"]}
    results = _read(["2005-01-16"], periods=spans, time_per_point="1m")
    assert results.periods["V"][date(2005, 2, 15)] == DateRange(date(2005, 2, 1), date(2005, 3, 1))
    assert results.steps == {"V": "1m"}
    older = _read(["2005-01-16"])
    assert (older.periods, older.steps) == ({}, {})


@pytest.mark.parametrize(
    ("span", "wrong"),
    [
        (["2005-02-01", "2005-01-01"], "ends on 2005-01-01, and begins on 2005-02-01"),
        (["2005-03-01", "2005-04-01"], "is 2005-03-01 to 2005-04-01, which does not hold it"),
        (["2005-01-01"], "is ['2005-01-01']"),
        (["0005-01-01", "2005-02-01"], "'0005-01-01' is not between"),
        ("2005-01-01", "is '2005-01-01'"),
        (["2005-01-01", "later"], "'later' is no date"),
    ],
)
def test_a_period_that_cannot_be_is_refused(span: Any, wrong: str) -> None:
    with pytest.raises(DataError) as caught:
        _read(["2005-01-16"], periods={"2005-01-16": span})
    assert 'the results of "V": the period of "2005-01-16"' in caught.value.wrong
    assert wrong in caught.value.wrong
