"""The step that results state, against what they hold: new, old and older ones."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from pyveg.analysis.data.series import Series, make_series
from pyveg.earth.periods import middle_of, split
from pyveg.earth.types import DateRange
from pyveg.runs.results import read_summary

FOLDER = ["2015-07-11", "2015-07-31", "2015-08-20", "2015-08-30", "2015-09-09"]


def _series(dates: list[str], step: str = "", **part: Any) -> Series:
    data = {day: [{"date": day, "chip": 0, "x": float(n)}] for n, day in enumerate(dates)}
    summary = {
        "V": {"type": "vegetation", "time-series-data": data, **part},
        "metadata": {"collection": "V", "time_per_point": step},
    }
    (series,) = make_series(read_summary(json.dumps(summary).encode()))
    return series


def _steps(series: Series) -> list[int]:
    return np.flatnonzero(np.isfinite(series.matrix("x")[0])).tolist()


def _days_alone(dates: list[str]) -> dict[str, list[str]]:
    return {day: [day, str(date.fromisoformat(day) + timedelta(days=1))] for day in dates}


@pytest.mark.parametrize("periods", [{}, {"periods": _days_alone(FOLDER)}], ids=["without", "with"])
def test_a_folder_that_was_recorded_as_months_is_read_by_its_dates(periods: Any) -> None:
    series = _series(FOLDER, "1m", **periods)
    assert _steps(series) == [0, 2, 4, 5, 6]
    assert series.notes[0] == (
        'the results state "1m", but their dates say 10 days: that was taken'
    )


def test_a_step_that_a_collection_states_is_taken() -> None:
    found = _series(FOLDER, "10d", periods=_days_alone(FOLDER), time_per_point="10d")
    assert _steps(found) == [0, 2, 4, 5, 6]
    assert not found.notes[0].startswith("the results state")
    months = _series(FOLDER, "1m", periods=_days_alone(FOLDER), time_per_point="1m")
    assert _steps(months) == [0, 1, 2]  # as the config asked for, told in its plan
    assert any("averaged" in note for note in months.notes)


@pytest.mark.parametrize("first", [date(2010, 1, 1), date(1984, 3, 16)])
def test_results_of_the_older_pyveg_have_names_alone(first: date) -> None:
    periods, _ = split(DateRange(first, date(2019, 1, 1)), "1m")
    dates = [str(middle_of(period)) for period in periods[:96]]
    del dates[40]
    for step in ("1m", "1month", "", "monthly"):
        series = _series(dates, step)
        assert _steps(series) == [number for number in range(96) if number != 40]
    assert 'a step of "monthly", which is none' in series.notes[0]


def test_few_values_that_share_a_month_stay_in_it() -> None:
    periods, _ = split(DateRange(date(2010, 1, 1), date(2013, 1, 1)), "1m")
    dates = [str(middle_of(period)) for period in periods]
    series = _series([*dates, "2011-05-29"], "1m")
    assert _steps(series) == list(range(36))
    assert "1 records share a step and chip with another: they were averaged" in series.notes
