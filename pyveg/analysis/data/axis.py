"""A regular time axis for dates that may be missing, doubled or out of order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.earth.cadence import lattice_of_dates
from pyveg.earth.lattice import Lattice, check_together, lattice_of_periods
from pyveg.earth.periods import Cadence, middle_of, parse_step
from pyveg.earth.types import DateRange

Periods = Mapping[date, DateRange]
"""The days that the values of a date stand for."""


@dataclass(frozen=True)
class Axis:
    """Periods that follow each other, from that of the first date to that of the last."""

    dates: pd.DatetimeIndex
    """One for each step: that of its data, or its middle day where it has none."""
    lattice: Lattice
    """The periods."""
    first: int = 0
    """Number of the first step among them."""

    def __len__(self) -> int:
        return len(self.dates)

    @cached_property
    def edges(self) -> pd.DatetimeIndex:
        """First day of each step, and the day after the last: one more than there are steps."""
        numbers = range(self.first, self.first + len(self) + 1)
        return _index(self.lattice.period(number).start for number in numbers)

    @property
    def cadence(self) -> Cadence:
        """The step."""
        return self.lattice.cadence

    @property
    def months(self) -> int:
        """Length of a step in months; 0 where it is not a number of them."""
        return self.cadence.months

    @property
    def days(self) -> float:
        """Mean length of a step, days."""
        return self.cadence.days

    @property
    def period(self) -> float:
        """Steps in a year."""
        return self.cadence.per_year

    @property
    def months_of_year(self) -> NDArray[np.int64]:
        """Month of each step, 1 to 12, for a year drawn by month; shape (steps,).

        Steps of a month have each month once a year, on whatever day they begin.
        """
        if self.months != 1:
            return self.dates.month.to_numpy(np.int64)
        # The month that they mostly lie in, by the day on which all of them begin.
        of_start = self.lattice.anchor.day <= 16
        edges = self.edges[:-1] if of_start else self.edges[1:]
        return edges.month.to_numpy(np.int64)

    @property
    def text(self) -> str:
        """The step, as people say it."""
        return self.cadence.words


def make_axis(
    dates: pd.Series, time_per_point: str = "", periods: Periods | None = None
) -> tuple[Axis, NDArray[np.int64]]:
    """Lay a regular axis over dates.

    Parameters
    ----------
    dates : Series of datetime64
        In any order, with repetitions; not empty.
    time_per_point : str
        The step (``"1m"``, ``"dekad"``); what periods or dates say where empty, and where the
        periods are no such steps.
    periods : mapping of date to DateRange, optional
        What the dates stand for. They count where they are longer than a day: an image of a day
        says nothing of how long its value holds.

    Returns
    -------
    Axis, array of int64
        And the step of each date: the one that holds the middle of its period. A step without dates
        is part of the axis.

    Raises
    ------
    DataError
        For a date that lies lifetimes away from the others.
    """
    days = [stamp.date() for stamp in pd.DatetimeIndex(dates.unique()).sort_values()]
    check_together(days)
    return _lay(dates, *_lattice(days, time_per_point, periods or {}))


def axis_on(lattice: Lattice, dates: pd.Series) -> tuple[Axis, NDArray[np.int64]]:
    """Lay an axis of given periods over dates; see `make_axis`."""
    return _lay(dates, lattice, {stamp.date(): stamp.date() for stamp in dates.unique()})


def _lay(
    dates: pd.Series, lattice: Lattice, middles: Mapping[date, date]
) -> tuple[Axis, NDArray[np.int64]]:
    numbers = {day: lattice.number(middle) for day, middle in middles.items()}
    first, last = min(numbers.values()), max(numbers.values())
    seen = {numbers[day]: day for day in sorted(middles, reverse=True)}
    steps = (
        seen.get(number) or middle_of(lattice.period(number)) for number in range(first, last + 1)
    )
    found = dates.dt.normalize().map({pd.Timestamp(day): n - first for day, n in numbers.items()})
    return Axis(_index(steps), lattice, first), found.to_numpy(np.int64)


def _index(days: Iterable[date]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.array(list(days), dtype="datetime64[ns]"))


def has_spans(dates: pd.Series, periods: Periods | None) -> bool:
    """Whether it is known what dates stand for; a single day says nothing of that."""
    return _known([stamp.date() for stamp in dates.unique()], periods or {})


def _known(days: list[date], periods: Periods) -> bool:
    spans = [periods.get(day) for day in days]
    return None not in spans and any((one.end - one.start).days > 1 for one in spans if one)


def _lattice(
    days: list[date], time_per_point: str, periods: Periods
) -> tuple[Lattice, dict[date, date]]:
    """The periods, and the day of each date that tells which of them it belongs to."""
    stated = parse_step(time_per_point) if time_per_point else None
    if not _known(days, periods):
        return lattice_of_dates(days, stated), {day: day for day in days}
    middles = {day: middle_of(periods[day]) for day in days}
    # With the periods of dates that have no value: more of them tell more.
    lattice = lattice_of_periods(periods.values(), stated)
    return lattice or lattice_of_dates(middles.values()), middles


def axis_of(cadence: Cadence, dates: pd.DatetimeIndex) -> Axis:
    """The axis with these dates, one for each step."""
    days = [stamp.date() for stamp in dates]
    lattice = lattice_of_dates(days, cadence)
    return Axis(dates, lattice, lattice.number(days[0]))


def find_steps(axis: Axis, dates: pd.Series) -> NDArray[np.int64]:
    """Step of an axis that each date lies in; may be outside of it: -1, or its length."""
    found = np.searchsorted(
        axis.edges.to_numpy(dtype="datetime64[ns]"), dates.to_numpy(dtype="datetime64[ns]"), "right"
    )
    return np.asarray(found - 1, dtype=np.int64)
