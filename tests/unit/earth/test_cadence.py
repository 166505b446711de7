from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyveg.core.errors import DataError
from pyveg.earth.cadence import find_cadence, lattice_of_dates, told
from pyveg.earth.lattice import check_together, lattice_of_periods
from pyveg.earth.periods import Cadence, middle_of, split
from pyveg.earth.types import DateRange

OVER_YEARS = DateRange(date(2005, 3, 4), date(2018, 1, 1))
FOLDER = ["2015-07-11", "2015-07-31", "2015-08-20", "2015-08-30", "2015-09-09"]
STEPS = [
    "1d",
    "3d",
    "1w",
    "2w",
    "5d",
    "10d",
    "16d",
    "16d-from-january",
    "8d-from-january",
    "dekad",
    "half-month",
    "1m",
    "2m",
    "3m",
    "6m",
    "1y",
    "30d",
]


def _days(texts: list[str]) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def _some(days: list[date], share: float, seed: int = 0) -> list[date]:
    return sorted(random.Random(seed).sample(days, round(share * len(days))))


def _every(days: int, count: int, start: str = "2016-01-03") -> list[date]:
    return [date.fromisoformat(start) + timedelta(days=days * k) for k in range(count)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("named_after", ["first", "middle", "last"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.3])
def test_a_step_is_found_by_its_dates(step: str, named_after: str, share: float) -> None:
    periods, _ = split(OVER_YEARS, step)
    days = {
        "first": [period.start for period in periods],
        "middle": [middle_of(period) for period in periods],
        "last": [period.end - timedelta(days=1) for period in periods],
    }[named_after]
    days = _some(days, share)
    found = find_cadence(days)
    if len(days) > 5:  # of fewer years, each second one may be all that is there
        assert found.text == step
    lattice = lattice_of_dates(days, found)
    assert len({lattice.number(day) for day in days}) == len(days)


@pytest.mark.parametrize("day", [1, 15, 16, 28, 31])
@pytest.mark.parametrize("seed", range(5))
def test_months_are_months_with_nine_of_ten_missing(day: int, seed: int) -> None:
    periods, _ = split(DateRange(date(2000, 1, day), date(2015, 1, 1)), "1m")
    assert find_cadence(_some([middle_of(period) for period in periods], 0.1, seed)).text == "1m"


@pytest.mark.parametrize("share", [0.53, 0.3, 0.1])
def test_five_days_keep_their_values(share: float) -> None:
    days = _some(_every(5, 365), share)
    assert find_cadence(days).text == "5d"
    # One scene of the next day, as where two orbits meet, changes nothing.
    days[7] += timedelta(days=1)
    assert find_cadence(days).text == "5d"


def test_days_that_are_ten_or_twenty_apart_are_not_months() -> None:
    days = _days(FOLDER)
    lattice = lattice_of_dates(days)
    assert lattice.cadence.text == "10d"
    assert [lattice.number(day) for day in days] == [0, 2, 4, 5, 6]


@pytest.mark.parametrize("seed", range(5))
def test_irregular_dates_stay_apart(seed: int) -> None:
    rng = random.Random(seed)
    days = [date(2016, 1, 1)]
    for _ in range(39):
        days.append(days[-1] + timedelta(days=rng.randint(10, 20)))
    found = find_cadence(days)
    assert 8 <= found.days <= 16
    lattice = lattice_of_dates(days, found)
    assert len({lattice.number(day) for day in days}) >= 38


def test_one_picked_image_a_month_is_monthly_and_a_year_yearly() -> None:
    rng, there = random.Random(1), _every(5, 365)
    months = [
        rng.choice([day for day in there if (day.year, day.month) == (2016 + k // 12, k % 12 + 1)])
        for k in range(36)
    ]
    assert find_cadence(months).text == "1m"
    assert find_cadence([date(y, 8, rng.randint(1, 28)) for y in range(1985, 2020)]).text == "1y"


def test_two_orbits_have_a_step_that_keeps_both() -> None:
    days = sorted(_every(5, 365) + _every(5, 365, "2016-01-05"))
    lattice = lattice_of_dates(days)
    assert lattice.cadence.text == "2d"
    assert len({lattice.number(day) for day in days}) == len(days)


def test_too_few_dates_to_tell() -> None:
    assert find_cadence([]).text == "1m"
    assert find_cadence(_days(FOLDER[:1])).text == "1m"
    assert find_cadence(_days(FOLDER[:2])).text == "20d"


@given(
    start=st.dates(date(1980, 1, 1), date(2020, 1, 1)),
    step=st.sampled_from(STEPS),
    seed=st.integers(0, 1000),
    count=st.integers(2, 60),
)
@settings(max_examples=60, deadline=None)
def test_known_periods_keep_their_places(start: date, step: str, seed: int, count: int) -> None:
    cadence = Cadence.parse(step)
    whole = DateRange(start, start + timedelta(days=round(cadence.days * (count + 2))))
    periods, _ = split(whole, step)
    kept = sorted(random.Random(seed).sample(range(len(periods)), max(1, len(periods) // 2)))
    for stated in (cadence, None):
        lattice = lattice_of_periods([periods[number] for number in kept], stated)
        assert lattice is not None
        places = [lattice.number(middle_of(periods[number])) for number in kept]
        assert [place - places[0] for place in places] == [number - kept[0] for number in kept]


def test_periods_count_where_another_step_is_stated() -> None:
    periods, _ = split(OVER_YEARS, "dekad")
    lattice = lattice_of_periods(periods, Cadence.parse("1m"))
    assert lattice is not None
    assert lattice.cadence.text == "dekad"
    odd = [DateRange(date(2016, 1, day), date(2016, 1, day + 2)) for day in (1, 4, 11, 13)]
    assert lattice_of_periods(odd) is None


def test_years_that_begin_in_different_months_are_no_step() -> None:
    starts = _days(["2001-02-28", "2003-03-31", "2005-07-31"])
    years = [DateRange(start, start.replace(year=start.year + 1)) for start in starts]
    assert lattice_of_periods(years, Cadence.parse("1y")) is None


def test_a_date_of_another_century_is_named() -> None:
    check_together(_days(FOLDER))
    check_together(_days(["1972-08-01", "2020-08-01"]))
    with pytest.raises(DataError, match="the date 1915-08-20 is 100 years away") as caught:
        check_together(_days([*FOLDER, "1915-08-20"]))
    assert "mend it" in caught.value.cure
    with pytest.raises(DataError, match="the date 2915-08-20 and 1 more is 900 years away"):
        check_together(_days([*FOLDER, "2915-08-20", "2915-08-30"]))


def test_a_plan_tells_the_step() -> None:
    assert told(_days(FOLDER)) == "5 dates lie on 7 steps of 10 days, by what the dates say"
    assert told(_days(FOLDER), "10d") == "5 dates lie on 7 steps of 10 days"
    assert told(_days(FOLDER), "1m") == (
        "5 dates lie on 3 steps of 1 month: 2 share a step with another, and the analysis averages "
        "them; the dates say 10 days"
    )
    assert told(_days(FOLDER[:1])) == ""
    with pytest.raises(DataError, match="1015-08-20"):
        told(_days([*FOLDER, "1015-08-20"]))
