"""A complete series has as many steps as periods, whatever day they begin on or are named by."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyveg.analysis.data.axis import Periods, axis_of, find_steps, make_axis
from pyveg.analysis.data.series import Series, tidy
from pyveg.core.errors import DataError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.earth.periods import Cadence, middle_of, split
from pyveg.earth.types import DateRange

STEPS = ["1d", "3d", "1w", "2w", "16d", "16d-from-january", "dekad", "half-month", "1m", "3m", "1y"]


def _periods(start: date, step: str, count: int) -> list[DateRange]:
    end = start + timedelta(days=round(Cadence.parse(step).days * (count + 2)) + 40)
    return split(DateRange(start, end), step)[0][:count]


def _red_noise(count: int, memory: float = 0.6, seed: int = 0) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).standard_normal(count)
    for number in range(1, count):
        noise[number] += memory * noise[number - 1]
    return noise


def _ar1(values: NDArray[np.float64]) -> float:
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


def _table(days: list[date], values: Any, name: str = "V", column: str = "x") -> pd.DataFrame:
    return pd.DataFrame({"date": pd.to_datetime(days), "collection": name, column: values})


def _named(periods: list[DateRange]) -> Periods:
    return {middle_of(period): period for period in periods}


def _series(periods: list[DateRange], values: Any, step: str, *, known: bool = True) -> Series:
    named = _named(periods)
    return tidy(
        _table(list(named), values),
        _table(list(named), values, "W", PRECIPITATION),
        time_per_point=step,
        periods={"V": named, "W": named} if known else None,
    )


def _is_as_given(series: Series, values: NDArray[np.float64]) -> bool:
    found, rain = series.matrix("x")[0], series.weather()
    assert rain is not None
    assert not [note for note in series.notes if "gaps" in note or "share" in note], series.notes
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(rain, values)
    assert _ar1(found) == _ar1(values)
    return True


@pytest.mark.parametrize("known", [True, False], ids=["periods", "dates alone"])
@pytest.mark.parametrize("step", ["1m", ""], ids=["stated", "found"])
@pytest.mark.parametrize("day", range(1, 32))
def test_120_months_from_each_day_of_the_month(day: int, step: str, known: bool) -> None:
    first = date(1984, 3, day)
    values = _red_noise(120)
    series = _series(_periods(first, "1m", 120), values, step, known=known)
    assert _is_as_given(series, values)
    assert series.axis is not None
    assert series.axis.period == 12


@given(
    start=st.dates(date(1982, 1, 1), date(2015, 1, 1)),
    step=st.sampled_from(STEPS),
    count=st.integers(13, 150),
    stated=st.booleans(),
    known=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_complete_series_have_no_gap_and_no_doubled_step(
    start: date, step: str, count: int, stated: bool, known: bool
) -> None:
    count = min(count, 40) if step == "1y" else count
    values = _red_noise(count)
    series = _series(_periods(start, step, count), values, step if stated else "", known=known)
    assert _is_as_given(series, values)


@given(
    start=st.dates(date(1982, 1, 1), date(2010, 1, 1)),
    step=st.sampled_from(STEPS[:-1]),
    missing=st.sets(st.integers(1, 58), max_size=40),
    known=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_what_is_missing_is_missing_and_nothing_else(
    start: date, step: str, missing: set[int], known: bool
) -> None:
    periods = _periods(start, step, 60)
    kept = [number for number in range(60) if number not in missing]
    values = _red_noise(60)
    named = _named([periods[number] for number in kept])
    series = tidy(
        _table(list(named), values[kept]),
        time_per_point=step,
        periods={"V": named} if known else None,
    )
    found = series.matrix("x")[0]
    assert np.flatnonzero(np.isnan(found)).tolist() == sorted(missing)
    np.testing.assert_array_equal(found[kept], values[kept])


def test_weeks_over_new_year() -> None:
    periods = _periods(date(2018, 12, 3), "1w", 110)
    values = _red_noise(110)
    for known in (True, False):
        assert _is_as_given(_series(periods, values, "1w", known=known), values)


def test_two_values_of_one_period_are_told_from_names_that_meet_a_month() -> None:
    # Named 31 January, 2 March, 31 March: no February in the names, and March twice.
    periods = _periods(date(2010, 1, 16), "1m", 24)
    days = [middle_of(period) for period in periods]
    assert [f"{day:%m-%d}" for day in days[:3]] == ["01-31", "03-02", "03-31"]
    days[5] = days[6] - timedelta(days=20)  # a second value of the seventh period
    spans = {day: periods[number + (number == 5)] for number, day in enumerate(days)}
    series = tidy(_table(days, np.arange(24.0)), time_per_point="1m", periods={"V": spans})
    found = series.matrix("x")[0]
    assert np.flatnonzero(np.isnan(found)).tolist() == [5]
    assert found[6] == 5.5
    assert "1 of 24 steps (1 month) have no data: they stay gaps" in series.notes
    assert any(note.startswith("1 records share a step") for note in series.notes)


def test_periods_count_and_not_a_step_that_they_contradict() -> None:
    periods = _periods(date(2010, 1, 1), "dekad", 72)
    values = _red_noise(72)
    series = _series(periods, values, "1m")
    assert _is_as_given(series, values)
    assert series.axis is not None
    assert series.axis.text == "1 dekad"
    assert series.axis.period == 36


@pytest.mark.parametrize(
    ("stated", "step"),
    [("16d", "16d-from-january"), ("8d", "8d-from-january"), ("10d", "dekad"),
     ("15d", "half-month"), ("30d", "1m")],
)  # fmt: skip
@pytest.mark.parametrize("known", [True, False])
def test_days_that_are_stated_for_periods_by_calendar(stated: str, step: str, known: bool) -> None:
    periods = _periods(date(2001, 1, 1), step, 230)
    values = _red_noise(230)
    series = _series(periods, values, stated, known=known)
    assert _is_as_given(series, values)
    assert series.axis is not None
    assert series.axis.cadence.text == step
    assert any(note.startswith(f'a step of "{stated}" is stated, but') for note in series.notes)


def test_composites_that_reach_into_the_next_year() -> None:
    # As those of MODIS: each of 16 days, also the last one, which the next year's first overlaps.
    starts = [period.start for period in _periods(date(2001, 1, 1), "16d-from-january", 230)]
    periods = [DateRange(start, start + timedelta(days=16)) for start in starts]
    values = _red_noise(230)
    series = _series(periods, values, "16d")
    assert _is_as_given(series, values)
    assert series.axis is not None
    assert series.axis.period == 23


def test_months_of_a_year_are_each_once_a_year() -> None:
    for day in (1, 15, 16, 17, 28, 31):
        periods = _periods(date(2010, 1, day), "1m", 36)
        series = _series(periods, np.zeros(36), "1m")
        assert series.axis is not None
        assert sorted(series.axis.months_of_year.tolist()) == sorted(list(range(1, 13)) * 3)


def test_a_date_of_another_century_makes_no_axis() -> None:
    days = [middle_of(period) for period in _periods(date(2010, 1, 1), "1m", 12)]
    with pytest.raises(DataError, match="the date 1910-05-16 is 100 years away"):
        tidy(_table([*days, date(1910, 5, 16)], np.zeros(13)), time_per_point="1m")


def test_steps_of_days_are_found_again() -> None:
    days = [middle_of(period) for period in _periods(date(2010, 1, 16), "1m", 12)]
    axis, steps = make_axis(pd.Series(pd.to_datetime(days)), "1m")
    assert find_steps(axis, pd.Series(axis.dates)).tolist() == steps.tolist()
    outside = pd.Series(pd.to_datetime(["2009-01-01", "2012-01-01"]))
    assert find_steps(axis, outside).tolist() == [-1, 12]
    again = axis_of(axis.cadence, axis.dates)
    assert again.edges.tolist() == axis.edges.tolist()


# -- weather -------------------------------------------------------------------------------------


def _with_weather(step: str, weather: pd.DataFrame, spans: Periods, count: int = 12) -> Series:
    named = _named(_periods(date(2010, 1, 1), step, count))
    table = _table(list(named), np.zeros(count))
    return tidy(table, weather, time_per_point=step, periods={"V": named, "W": spans})


def test_rain_of_days_is_summed_and_temperature_averaged() -> None:
    days = _periods(date(2010, 1, 1), "1d", 365)
    weather = _table([period.start for period in days], 0.002, "W", PRECIPITATION)
    weather[TEMPERATURE] = 290.0 + (weather["date"].dt.month == 2)
    series = _with_weather("1m", weather, {period.start: period for period in days})
    rain, warmth = series.weather(), series.weather(TEMPERATURE)
    assert rain is not None
    assert warmth is not None
    np.testing.assert_allclose(rain[:3], [0.062, 0.056, 0.062])
    np.testing.assert_allclose(warmth[:3], [290, 291, 290])
    assert any("weather of steps of 1 day was brought to" in note for note in series.notes)


def test_rain_of_a_month_is_shared_out_over_its_dekads() -> None:
    named = _named(_periods(date(2010, 1, 1), "1m", 4))
    weather = _table(list(named), [0.031, 0.028, 0.031, 0.030], "W", PRECIPITATION)
    rain = _with_weather("dekad", weather, named, 12).weather()
    assert rain is not None
    np.testing.assert_allclose(rain[:6], [0.010, 0.010, 0.011, 0.010, 0.010, 0.008])
    assert rain.sum() == pytest.approx(0.120)


def test_months_that_begin_on_other_days_share_by_days() -> None:
    named = _named(_periods(date(2010, 1, 1), "1m", 3))
    weather = _table(list(named), [0.031, 0.056, 0.031], "W", PRECIPITATION)
    own = _named(_periods(date(2010, 1, 16), "1m", 3))
    series = tidy(
        _table(list(own), np.zeros(3)), weather, time_per_point="1m",
        periods={"V": own, "W": named},
    )  # fmt: skip
    rain = series.weather()
    assert rain is not None
    # 16 days of January and 15 of February; 13 of February and 15 of March; half of it unknown.
    np.testing.assert_allclose(rain, [0.016 + 0.030, 0.026 + 0.015, np.nan])


def test_a_step_without_weather_for_a_quarter_of_its_days_has_none() -> None:
    days = [period for period in _periods(date(2010, 1, 1), "1d", 59) if period.start.day > 7]
    weather = _table([period.start for period in days], 0.001, "W", PRECIPITATION)
    spans = {period.start: DateRange(period.start, period.end) for period in days}
    rain = _with_weather("1m", weather, spans, 2).weather()
    assert rain is not None
    np.testing.assert_allclose(rain, [0.031, 0.028])  # 24 of 31 and 21 of 28: as the other days
    few = weather[weather["date"].dt.day > 8]
    assert _with_weather("1m", few, spans, 2).weather() is None
