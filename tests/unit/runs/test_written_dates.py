from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pyveg.core.errors import DataError
from pyveg.runs.delimited import Cell
from pyveg.runs.written_dates import WrittenDate, is_date, read_dates

DAYS = st.lists(st.dates(date(1900, 1, 1), date(2199, 12, 31)), min_size=1, max_size=20)
CLEAR = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y-%j",
    "%Y%j",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.000+00:00",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d %Y",
]


def _cells(*texts: str) -> list[Cell]:
    return [Cell(text, f'a.csv, line {i}, column "date"') for i, text in enumerate(texts, 2)]


@given(DAYS, st.sampled_from(CLEAR))
def test_dates_that_can_be_read_in_one_way_are_read_so(days: list[date], form: str) -> None:
    texts = [day.strftime(form) for day in days]
    assert [one.first for one in read_dates(_cells(*texts))] == days


@given(DAYS, st.sampled_from(["%d{0}%m{0}%Y", "%m{0}%d{0}%Y"]), st.sampled_from("/-"))
def test_day_and_month_are_told_by_the_column_or_refused(
    days: list[date], form: str, mark: str
) -> None:
    texts = [day.strftime(form.format(mark)) for day in days]
    other = [_swapped(day) for day in days]
    if None in other or other == days:
        assert [one.first for one in read_dates(_cells(*texts))] == days
    else:
        with pytest.raises(DataError, match="can be read in two ways") as caught:
            read_dates(_cells(*texts))
        assert caught.value.wrong.startswith("a.csv, line ")


def _swapped(day: date) -> date | None:
    try:
        return day.replace(month=day.day, day=day.month)
    except ValueError:
        return None


@given(DAYS)
def test_with_points_the_day_comes_first(days: list[date]) -> None:
    texts = [f"{day:%d.%m.%Y}" for day in days]
    assert [one.first for one in read_dates(_cells(*texts))] == days


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_an_order_that_changes_is_refused(day: date) -> None:
    assume(day.day > 12)
    with pytest.raises(DataError, match=r"has the month first, and .* the day"):
        read_dates(_cells(f"{day:%d/%m/%Y}", f"{day:%m/%d/%Y}"))


@pytest.mark.parametrize(
    ("text", "length", "days"),
    [
        ("2016-02", "month", 29),
        ("Feb 2016", "month", 29),
        ("2016 Feb", "month", 29),
        ("2016", "year", 366),
        ("2016-W01", "week", 7),
        ("2016-02-01", "day", 1),
    ],
)
def test_what_a_date_names_has_a_length(text: str, length: str, days: int) -> None:
    (one,) = read_dates(_cells(text))
    assert one.length == length
    assert one.end - one.first == timedelta(days=days)


def test_weeks_are_those_of_iso() -> None:
    assert read_dates(_cells("2016-W01")) == [WrittenDate(date(2016, 1, 4), "week")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no date"),
        ("n/a", "there is no date"),
        ("31.12.99", "no date that can be told"),
        ("01/02/03", "no date that can be told"),
        ("42370", "no date that can be told"),
        ("201601", "no date that can be told"),
        ("2016.5", "no date that can be told"),
        ("2016-13-01", "is no date: month must be in"),
        ("2016-02-30", "is no date: day"),
        ("2015-366", "2015 has no day 366"),
        ("31/31/2016", "is no date"),
        ("12 Foo 2016", "Foo is no month"),
        ("0001-01-01", "is not between 1700 and 2200"),
        ("9999-12-31", "is not between 1700 and 2200"),
        ("20160131000000", "no date that can be told"),
        ("yesterday", "no date that can be told"),
        ("2016-01-01 to 2016-02-01", "no date that can be told"),
    ],
)
def test_what_is_no_date_is_named(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_dates(_cells("2016-01-01", text))
    assert caught.value.wrong.startswith('a.csv, line 3, column "date"')
    assert caught.value.cure


def test_lengths_are_not_mixed() -> None:
    with pytest.raises(DataError, match="is a month, and '2016-01-01' above it a day"):
        read_dates(_cells("2016-01-01", "2016-02"))


def test_plain_numbers_do_not_make_a_column_of_dates() -> None:
    assert not any(is_date(text) for text in ("2016", "20160101", "0.5", "", "Mali"))
    assert all(is_date(text) for text in ("2016-01-01", "1/2/2016", "Jan 2016"))
