"""From a date range to the periods of a series, and the Items that stand for them."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from pyveg.core.errors import ConfigError
from pyveg.core.types import Item
from pyveg.earth.types import DateRange

_STEP = re.compile(r"(\d+)([dwmy])")


def parse_step(time_per_point: str) -> tuple[int, str]:
    """``"2w"`` -> ``(2, "w")``.

    Raises
    ------
    ConfigError
        If it is not a positive whole number followed by d, w, m or y.
    """
    match = _STEP.fullmatch(time_per_point)
    if match is None or int(match[1]) == 0:
        raise ConfigError(
            f'time_per_point "{time_per_point}" is not a step in time',
            "write a whole number "
            'above zero and d, w, m or y (days, weeks, months, years), such as "1m"',
        )
    return int(match[1]), match[2]


def _add_months(day: date, months: int) -> date:
    """`months` later, on the same day of the month or on its last one."""
    years, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def add_steps(start: date, count: int, unit: str, times: int) -> date:
    """`times` steps after `start`, counted from the start so that the day of the month stays."""
    if unit in "dw":
        return start + timedelta(days=count * times * (7 if unit == "w" else 1))
    return _add_months(start, count * times * (12 if unit == "y" else 1))


def split(date_range: DateRange, time_per_point: str) -> tuple[list[DateRange], DateRange | None]:
    """Cut a date range into periods.

    Returns
    -------
    periods : list of DateRange
        Whole periods, each beginning where the one before ended.
    rest : DateRange or None
        The incomplete last period, which is dropped.
    """
    count, unit = parse_step(time_per_point)
    periods: list[DateRange] = []
    start = date_range.start
    # From the start each time and not from the last end: 31 January + 1 m + 1 m is 31 March.
    while (end := add_steps(date_range.start, count, unit, len(periods) + 1)) <= date_range.end:
        periods.append(DateRange(start, end))
        start = end
    return periods, None if start >= date_range.end else DateRange(start, date_range.end)


def item_of(period: DateRange) -> Item:
    """Item of a period, named after its middle day: start + (days // 2)."""
    middle = period.start + timedelta(days=(period.end - period.start).days // 2)
    return Item(str(middle), {"start": str(period.start), "end": str(period.end)})


def period_of(item: Item) -> DateRange:
    """The days that a dated Item stands for; one that states no period is a single day."""
    start = item.details.get("start", item.name)
    first = date.fromisoformat(start)
    end = item.details.get("end")
    return DateRange(first, date.fromisoformat(end) if end else first + timedelta(days=1))


def items(date_range: DateRange, time_per_point: str) -> list[Item]:
    """The Items of a service's series: one per whole period."""
    return [item_of(period) for period in split(date_range, time_per_point)[0]]
