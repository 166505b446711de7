from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.earth import periods
from pyveg.earth.periods import item_of, period_of
from pyveg.earth.types import DateRange


def _range(start: str, end: str) -> DateRange:
    return DateRange(date.fromisoformat(start), date.fromisoformat(end))


def test_months_are_named_after_their_middle_day() -> None:
    found = periods.items(_range("2016-01-01", "2016-04-01"), "1m")
    assert [item.name for item in found] == ["2016-01-16", "2016-02-15", "2016-03-16"]
    assert found[1].details == {"start": "2016-02-01", "end": "2016-03-01"}
    assert period_of(found[1]) == _range("2016-02-01", "2016-03-01")


def test_a_week_is_named_after_its_fourth_day() -> None:
    assert periods.items(_range("2020-01-06", "2020-01-13"), "1w")[0].name == "2020-01-09"


def test_month_ends_do_not_drift() -> None:
    found, rest = periods.split(_range("2016-01-31", "2016-06-01"), "1m")
    ends = [str(period.end) for period in found]
    assert ends == ["2016-02-29", "2016-03-31", "2016-04-30", "2016-05-31"]
    assert rest == _range("2016-05-31", "2016-06-01")


def test_leap_day_years() -> None:
    found, rest = periods.split(_range("2016-02-29", "2019-02-28"), "1y")
    assert [str(period.end) for period in found] == ["2017-02-28", "2018-02-28", "2019-02-28"]
    assert rest is None


def test_an_incomplete_period_is_left_over() -> None:
    found, rest = periods.split(_range("2020-01-01", "2020-02-20"), "1m")
    assert len(found) == 1
    assert rest == _range("2020-02-01", "2020-02-20")


@pytest.mark.parametrize(
    "step", ["", "m", "0m", "1x", "1month", "-1m", "1.5m", " 1m", "101y", "99999d", f"{10**9}d"]
)
def test_what_is_no_step_is_refused(step: str) -> None:
    with pytest.raises(ConfigError, match="time_per_point"):
        periods.parse_step(step)


@pytest.mark.parametrize(
    ("step", "meant"),
    [("decade", '"dekad"'), ("Bi-monthly", '"half-month"'), ("2 decades", '"10y"'),
     ("biweekly", '"2w"'), ("184d-from-january", "whole number"), ("1w-from-january", "whole")],
)  # fmt: skip
def test_what_can_mean_two_steps_is_refused_with_both(step: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f'time_per_point "{step}"') as caught:
        periods.parse_step(step)
    assert meant in caught.value.cure


@pytest.mark.parametrize(
    ("step", "starts", "per_year", "words"),
    [
        ("dekad", "02-11 02-21 03-01 03-11 03-21", 36, "1 dekad"),
        ("half-month", "02-16 03-01 03-16", 24, "1 half-month"),
        ("16d-from-january", "02-18 03-05 03-21", 23, "16 days, anew from each 1 January"),
    ],
)
def test_periods_by_calendar(step: str, starts: str, per_year: int, words: str) -> None:
    whole = _range("2016-02-05", "2016-03-25")
    found, rest = periods.split(whole, step)
    assert [f"{period.start:%m-%d}" for period in found] == starts.split()[:-1]
    first, last = date.fromisoformat(f"2016-{starts[:5]}"), found[-1].end
    assert periods.lead(whole, step) == DateRange(whole.start, first)
    assert rest == DateRange(last, whole.end)
    cadence = periods.parse_step(step)
    assert (cadence.per_year, cadence.words, cadence.text) == (per_year, words, step)
    assert periods.lead(DateRange(first, whole.end), step) is None


def test_a_year_of_16_days_ends_with_the_year() -> None:
    found, rest = periods.split(_range("2015-01-01", "2018-01-01"), "16d-from-january")
    assert len(found) == 3 * 23
    assert rest is None
    assert [str(period.start) for period in found[22:24]] == ["2015-12-19", "2016-01-01"]


@given(
    start=st.dates(date(1980, 1, 1), date(2030, 1, 1)),
    step=st.sampled_from(
        ["dekad", "half-month", "8d-from-january", "73d-from-january", "5d", "7m"]
    ),
    number=st.integers(-400, 400),
)
def test_a_period_holds_its_days_and_no_others(start: date, step: str, number: int) -> None:
    cadence = periods.parse_step(step)
    first, end = cadence.start(number, start), cadence.start(number + 1, start)
    assert first < end
    assert cadence.number(first, start) == cadence.number(end - timedelta(days=1), start) == number
    assert cadence.number(end, start) == number + 1


@given(
    start=st.dates(date(1980, 1, 1), date(2030, 1, 1)),
    days=st.integers(0, 2000),
    count=st.integers(1, 20),
    unit=st.sampled_from("dwmy"),
)
def test_periods_follow_each_other_without_gaps(
    start: date, days: int, count: int, unit: str
) -> None:
    whole = DateRange(start, start + timedelta(days=days))
    found, rest = periods.split(whole, f"{count}{unit}")
    edges = [start, *(period.end for period in found)]
    assert [period.start for period in found] == edges[:-1]
    assert all(period.start < period.end for period in found)
    assert edges[-1] <= whole.end
    assert (rest is None) == (edges[-1] == whole.end)
    for period in found:
        middle = date.fromisoformat(item_of(period).name)
        assert period.start <= middle < period.end
