"""From a date range to the periods of a series, and the Items that stand for them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pyveg.core.errors import ConfigError
from pyveg.core.types import Item
from pyveg.earth.types import DateRange

Unit = Literal["d", "w", "m", "y", "dekad", "half-month"]
DAYS_OF_YEAR = 365.25
LONGEST = 100
"""Years that a period may have."""
_JANUARY = "-from-january"
_STEP = re.compile(rf"(\d+)(?:([dwmy])|(d){_JANUARY})")
_WORDS = {"d": "day", "w": "week", "m": "month", "y": "year"}
_IN_A_MONTH: dict[str, tuple[int, ...]] = {"dekad": (1, 11, 21), "half-month": (1, 16)}
"""Days of each month on which periods of the calendar begin."""
_TWO_WAYS = {
    "decade": '"dekad" for ten days, or "10y" for ten years',
    "bimonthly": '"half-month" for two in a month, or "2m" for one in two months',
    "biweekly": '"2w" for one in two weeks, or "3d" for two in a week',
    "biannual": '"6m" for two in a year, or "2y" for one in two years',
}


@dataclass(frozen=True)
class Cadence:
    """How time is cut into periods: by a number of days, weeks, months or years, or by calendar.

    Periods by calendar begin on fixed days: dekads on the 1st, 11th and 21st, half-months on the
    1st and 16th, and those from January anew on each 1 January, where the last of a year is
    shorter. All others are counted from an anchor, the first day of one of them.

    Examples
    --------
    >>> month = Cadence.parse("1m")
    >>> str(month.start(2, anchor=date(2016, 1, 31)))
    '2016-03-31'
    >>> month.number(date(2016, 3, 15), anchor=date(2016, 1, 31))
    1
    """

    count: int
    unit: Unit
    from_january: bool = False

    @classmethod
    def parse(cls, text: str) -> Cadence:
        """Read a `time_per_point`.

        Raises
        ------
        ConfigError
            If it is no step in time, or could be two.
        """
        if text in _IN_A_MONTH:
            return cls(1, text)  # type: ignore[arg-type]
        match = _STEP.fullmatch(text)
        if match is not None and len(match[1]) < 6 and int(match[1]):
            unit: Unit = match[2] or match[3]  # type: ignore[assignment]
            made = cls(int(match[1]), unit, from_january=match[2] is None)
            if made.days <= LONGEST * DAYS_OF_YEAR and not (made.from_january and made.count > 183):
                return made
        two = _TWO_WAYS.get(text.lower().replace("-", "").strip("0123456789 s"))
        raise ConfigError(
            f'time_per_point "{text}" is not a step in time' + (": it can mean two" if two else ""),
            f"write {two}"
            if two
            else "write a whole number above zero and d, w, m or y (days, weeks, months, years), "
            'such as "1m"; or "dekad", "half-month" or "16d-from-january"',
        )

    @property
    def text(self) -> str:
        """As a `time_per_point` says it."""
        if self.unit in _IN_A_MONTH:
            return self.unit
        return f"{self.count}{self.unit}{_JANUARY if self.from_january else ''}"

    @property
    def words(self) -> str:
        """As people say it."""
        count, unit = self.count, self.unit
        if unit == "y" and not self.from_january:
            count, unit = 12 * count, "m"  # steps of months are told as months, however many
        if unit == "w":
            count, unit = 7 * count, "d"
        word = _WORDS.get(unit, unit)
        tail = ", anew from each 1 January" if self.from_january else ""
        return f"{count} {word}{'s' if count != 1 else ''}{tail}"

    @property
    def months(self) -> int:
        """Length in months; 0 where it is not a number of them."""
        return self.count * {"m": 1, "y": 12}.get(self.unit, 0)

    @property
    def per_year(self) -> float:
        """How many there are in a year."""
        if self.months:
            return 12 / self.months
        if self.unit in _IN_A_MONTH:
            return float(12 * len(_IN_A_MONTH[self.unit]))
        return float(self._in_a_year) if self.from_january else DAYS_OF_YEAR / self._days

    @property
    def days(self) -> float:
        """Mean length, days."""
        return DAYS_OF_YEAR / self.per_year

    @property
    def by_calendar(self) -> bool:
        """Whether its periods begin on fixed days, wherever a series begins."""
        return self.unit in _IN_A_MONTH or self.from_january

    @property
    def _days(self) -> int:
        return self.count * (7 if self.unit == "w" else 1)

    @property
    def _in_a_year(self) -> int:
        # Of 365 days: the day that a leap year has more belongs to its last period.
        return -(-365 // self.count)

    def start(self, number: int, anchor: date) -> date:
        """First day of a period.

        Parameters
        ----------
        number : int
            0 is the period that `anchor` is the first day of or, by calendar, lies in.
        anchor : date
        """
        if self.by_calendar:
            return self._of_calendar(self._calendar_number(anchor) + number)
        if self.months:
            return _add_months(anchor, number * self.months)
        return anchor + timedelta(days=number * self._days)

    def number(self, day: date, anchor: date) -> int:
        """Number of the period that holds a day; see `start`."""
        if self.by_calendar:
            return self._calendar_number(day) - self._calendar_number(anchor)
        if not self.months:
            return (day - anchor).days // self._days
        passed = _months(day) - _months(anchor)
        if day < _add_months(anchor, passed):
            passed -= 1
        return passed // self.months

    def _calendar_number(self, day: date) -> int:
        if self.from_january:
            of_year = (day.timetuple().tm_yday - 1) // self.count
            return day.year * self._in_a_year + min(of_year, self._in_a_year - 1)
        starts = _IN_A_MONTH[self.unit]
        return _months(day) * len(starts) + sum(day.day >= start for start in starts) - 1

    def _of_calendar(self, number: int) -> date:
        if self.from_january:
            year, of_year = divmod(number, self._in_a_year)
            return date(year, 1, 1) + timedelta(days=of_year * self.count)
        starts = _IN_A_MONTH[self.unit]
        months, of_month = divmod(number, len(starts))
        return date(months // 12, months % 12 + 1, starts[of_month])


def parse_step(time_per_point: str) -> Cadence:
    """Read a `time_per_point`: ``"2w"``, ``"dekad"``; see `Cadence.parse`."""
    return Cadence.parse(time_per_point)


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def _add_months(day: date, months: int) -> date:
    """`months` later, on the same day of the month or on its last one."""
    years, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def split(date_range: DateRange, time_per_point: str) -> tuple[list[DateRange], DateRange | None]:
    """Cut a date range into periods.

    Returns
    -------
    periods : list of DateRange
        Whole periods, each beginning where the one before ended.
    rest : DateRange or None
        The incomplete last period, which is dropped.
    """
    cadence = parse_step(time_per_point)
    anchor = _first_whole(date_range, cadence)
    periods: list[DateRange] = []
    start = anchor
    # From the start each time and not from the last end: 31 January + 1 m + 1 m is 31 March.
    while (end := cadence.start(len(periods) + 1, anchor)) <= date_range.end:
        periods.append(DateRange(start, end))
        start = end
    return periods, None if start >= date_range.end else DateRange(start, date_range.end)


def lead(date_range: DateRange, time_per_point: str) -> DateRange | None:
    """Days of a date range before its first whole period, which are dropped; by calendar only."""
    first = _first_whole(date_range, parse_step(time_per_point))
    return None if first == date_range.start else DateRange(date_range.start, first)


def _first_whole(date_range: DateRange, cadence: Cadence) -> date:
    start = cadence.start(0, date_range.start)
    return start if start == date_range.start else cadence.start(1, date_range.start)


def middle_of(period: DateRange) -> date:
    """Its middle day: start + (days // 2)."""
    return period.start + timedelta(days=(period.end - period.start).days // 2)


def item_of(period: DateRange) -> Item:
    """Item of a period, named after its middle day.

    Examples
    --------
    >>> item_of(DateRange(date(2016, 1, 1), date(2016, 2, 1))).name
    '2016-01-16'
    """
    return Item(str(middle_of(period)), {"start": str(period.start), "end": str(period.end)})


def period_of(item: Item) -> DateRange:
    """The days that a dated Item stands for; one that states no period is a single day.

    Examples
    --------
    >>> print(period_of(Item("2016-01-16")))
    2016-01-16..2016-01-17
    """
    start = item.details.get("start", item.name)
    first = date.fromisoformat(start)
    end = item.details.get("end")
    return DateRange(first, date.fromisoformat(end) if end else first + timedelta(days=1))


def items(date_range: DateRange, time_per_point: str) -> list[Item]:
    """The Items of a service's series: one per whole period."""
    return [item_of(period) for period in split(date_range, time_per_point)[0]]
