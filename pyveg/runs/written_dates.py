"""Dates as people write them. What can be read in two ways is refused, never guessed."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pyveg.core.errors import DataError
from pyveg.runs.delimited import Cell

Length = Literal["day", "week", "month", "year"]
CURE = "write dates as 2016-01-31"
FIRST_YEAR, LAST_YEAR = 1700, 2200
"""Years that a series can have dates of; tables of time end in 1677 and 2262."""


@dataclass(frozen=True)
class WrittenDate:
    """A date, and how long what it names is."""

    first: date
    length: Length = "day"

    @property
    def end(self) -> date:
        """The day after its last."""
        first = self.first
        if self.length == "month":
            return first + timedelta(days=calendar.monthrange(first.year, first.month)[1])
        if self.length == "year":
            return date(first.year + 1, 1, 1)
        return first + timedelta(days=7 if self.length == "week" else 1)


_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name}
_MONTHS["sept"] = 9
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(?:Z|UTC|[+-]\d{2}:?\d{2})?)?"
_NAME = r"(?P<name>[A-Za-z]+)\.?"


def _day(match: re.Match[str]) -> WrittenDate:
    return WrittenDate(date(int(match["y"]), int(match["m"]), int(match["d"])))


def _day_of_year(match: re.Match[str]) -> WrittenDate:
    year, number = int(match["y"]), int(match["n"])
    if not 1 <= number <= 365 + calendar.isleap(year):
        raise ValueError(f"{year} has no day {number}")
    return WrittenDate(date(year, 1, 1) + timedelta(days=number - 1))


def _named_day(match: re.Match[str]) -> WrittenDate:
    return WrittenDate(date(int(match["y"]), _month(match["name"]), int(match["d"])))


def _named_month(match: re.Match[str]) -> WrittenDate:
    return WrittenDate(date(int(match["y"]), _month(match["name"]), 1), "month")


def _month(name: str) -> int:
    if name.lower() not in _MONTHS:
        raise ValueError(f"{name} is no month")
    return _MONTHS[name.lower()]


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], WrittenDate]], ...] = tuple(
    (re.compile(pattern, re.ASCII), make)
    for pattern, make in (
        (r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})" + _TIME, _day),
        (r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T\d{4,6}Z?)?", _day),
        (r"(?P<y>\d{4})-?(?P<n>\d{3})", _day_of_year),
        (
            r"(?P<y>\d{4})-?W(?P<w>\d{2})",
            lambda m: WrittenDate(date.fromisocalendar(int(m["y"]), int(m["w"]), 1), "week"),
        ),
        (
            r"(?P<y>\d{4})[-/](?P<m>\d{1,2})",
            lambda m: WrittenDate(date(int(m["y"]), int(m["m"]), 1), "month"),
        ),
        (r"(?P<y>\d{4})", lambda m: WrittenDate(date(int(m["y"]), 1, 1), "year")),
        (r"(?P<d>\d{1,2})[ .-]{0,2}" + _NAME + r"[ ,-]{0,2}(?P<y>\d{4})" + _TIME, _named_day),
        (_NAME + r" (?P<d>\d{1,2}),? (?P<y>\d{4})" + _TIME, _named_day),
        (_NAME + r"[ -]?(?P<y>\d{4})", _named_month),
        (r"(?P<y>\d{4})[ -]?" + _NAME, _named_month),
    )
)
_THREE = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + _TIME, re.ASCII)


def is_date(text: str) -> bool:
    """Whether a text is a date, in any form, also in one that can be read in two ways.

    Plain numbers, which may be dates, are not.
    """
    if text.isdecimal():
        return False
    try:
        return _THREE.fullmatch(text) is not None or _read(text) is not None
    except ValueError:
        return False


def read_dates(cells: Sequence[Cell]) -> list[WrittenDate]:
    """The dates in the cells of a column.

    Understood are ISO 8601 (2016-01-31, 20160131, 2016-031, 2016031, 2016-W05, 2016-01, 2016, with
    or without a time of day), year first with other marks, and English names of months. Days and
    months as two numbers before a year are read where the column leaves one order only; with
    points between them the day comes first unless it cannot.

    Raises
    ------
    DataError
        For what is no date, or can be read in two ways.

    Examples
    --------
    >>> [str(one.first) for one in read_dates([Cell("31/01/2016", ""), Cell("1/2/2016", "")])]
    ['2016-01-31', '2016-02-01']
    """
    order = _order(cells)
    dates = [_one(cell, order) for cell in cells]
    for cell, one in zip(cells, dates, strict=True):
        if one.length != dates[0].length:
            raise DataError(
                f"{cell.where}: {cell.text!r} is a {one.length}, and {cells[0].text!r} above it a "
                f"{dates[0].length}",
                "write all dates in one form, such as 2016-01-31",
            )
    return dates


def _read(text: str) -> WrittenDate | None:
    """A date in a form that can be read in one way only; ValueError for a day that is not."""
    for pattern, make in _FORMS:
        match = pattern.fullmatch(text)
        if match is not None:
            return make(match)
    return None


def _one(cell: Cell, order: str) -> WrittenDate:
    if cell.missing:
        raise DataError(f"{cell.where}: there is no date", "give each row a date, or remove it")
    match = _THREE.fullmatch(cell.text)
    try:
        one = _in_order(match, order) if match else _read(cell.text)
    except ValueError as error:
        raise DataError(f"{cell.where}: {cell.text!r} is no date: {error}", CURE) from None
    if one is None:
        raise DataError(f"{cell.where}: {cell.text!r} is no date that can be told", CURE)
    if not FIRST_YEAR <= one.first.year <= LAST_YEAR:
        raise DataError(
            f"{cell.where}: {cell.text!r} is not between {FIRST_YEAR} and {LAST_YEAR}", CURE
        )
    return one


def _in_order(match: re.Match[str], order: str) -> WrittenDate:
    first, second = int(match[1]), int(match[3])
    day, month = (first, second) if order == "dmy" else (second, first)
    return WrittenDate(date(int(match[4]), month, day))


def _order(cells: Sequence[Cell]) -> str:
    """Whether days stand before months, ``"dmy"``, or behind them, ``"mdy"``."""
    threes = [(cell, match) for cell in cells if (match := _THREE.fullmatch(cell.text))]
    orders = [order for order in ("dmy", "mdy") if all(_valid(m, order) for _, m in threes)]
    unequal = [(cell, match) for cell, match in threes if int(match[1]) != int(match[3])]
    if len(orders) == 1 or not unequal:
        return (orders or ["dmy"])[0]
    if orders and all(match[2] == "." for _, match in unequal):
        return "dmy"  # as everywhere where points are written; months first have strokes
    cell = unequal[0][0]
    if orders:
        raise DataError(
            f"{cell.where}: {cell.text!r} can be read in two ways, day or month first, and no "
            "other date of the column tells which",
            CURE,
        )
    bad = next(cell for cell, match in threes if not _valid(match, "dmy"))
    other = next((c for c, match in threes if not _valid(match, "mdy")), bad)
    if bad is other:
        raise DataError(f"{bad.where}: {bad.text!r} is no date", CURE)
    raise DataError(
        f"{bad.where}: {bad.text!r} has the month first, and {other.text!r} the day", CURE
    )


def _valid(match: re.Match[str], order: str) -> bool:
    try:
        _in_order(match, order)
    except ValueError:
        return False
    return True
