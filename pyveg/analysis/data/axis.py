"""A regular time axis for dates that may be missing, doubled or out of order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.earth.periods import parse_step

DAYS_OF_YEAR = 365.25


@dataclass(frozen=True)
class Axis:
    """Steps of equal length, from the first date to the last."""

    dates: pd.DatetimeIndex
    """One for each step: that of its data, or its middle where it has none."""
    months: int
    """Length of a step in calendar months; 0 where it is counted in days."""
    days: float
    """Length of a step, days (a mean one for months)."""

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def period(self) -> float:
        """Steps in a year."""
        return 12 / self.months if self.months else DAYS_OF_YEAR / self.days

    @property
    def text(self) -> str:
        """The step, as people say it."""
        count, unit = (self.months, "month") if self.months else (round(self.days, 2), "day")
        return f"{count:g} {unit}{'s' if count != 1 else ''}"


def make_axis(dates: pd.Series, time_per_point: str = "") -> tuple[Axis, NDArray[np.int64]]:
    """Lay a regular axis over dates.

    Parameters
    ----------
    dates : Series of datetime64
        In any order, with repetitions; not empty.
    time_per_point : str
        The step (``"1m"``, ``"30d"``); found from the dates where empty: the usual distance, in
        calendar months where it is one or more of them, within 3 days, and not always the same.

    Returns
    -------
    Axis, array of int64
        And the step of each date. A step without dates is part of the axis.
    """
    months, days = _step(dates, time_per_point)
    if months:
        count = dates.dt.year * 12 + dates.dt.month - 1
        number = ((count - count.min()) // months).to_numpy(np.int64)
        first = pd.Period(year=dates.min().year, month=dates.min().month, freq="M")
        middle = [
            (first + int(step) * months).start_time + pd.Timedelta(days=months * 15)
            for step in range(int(number.max()) + 1)
        ]
    else:
        passed = (dates - dates.min()) / pd.Timedelta(days=1)
        number = np.rint(passed.to_numpy(np.float64) / days).astype(np.int64)
        middle = [
            (dates.min() + pd.Timedelta(days=step * days)).normalize()
            for step in range(int(number.max()) + 1)
        ]
    index = np.array(middle, dtype="datetime64[ns]")
    first_seen = dates.groupby(number).min()
    index[first_seen.index.to_numpy()] = first_seen.to_numpy(dtype="datetime64[ns]")
    return Axis(pd.DatetimeIndex(index), months, days), number


def find_steps(axis: Axis, dates: pd.Series) -> NDArray[np.int64]:
    """Step of an axis that each date falls in; may lie outside of it.

    For months by calendar; for days the nearest step.
    """
    start = axis.dates[0]
    if axis.months:
        count = dates.dt.year * 12 + dates.dt.month - (start.year * 12 + start.month)
        return np.array(count // axis.months, dtype=np.int64)
    passed = (dates - start) / pd.Timedelta(days=1)
    return np.array(np.rint(passed.to_numpy(np.float64) / axis.days), dtype=np.int64)


def _step(dates: pd.Series, time_per_point: str) -> tuple[int, float]:
    """Months (or 0) and days of a step."""
    if time_per_point:
        count, unit = parse_step(time_per_point)
        if unit in "my":
            months = count * (12 if unit == "y" else 1)
            return months, months * DAYS_OF_YEAR / 12
        return 0, float(count * (7 if unit == "w" else 1))
    distinct = dates.drop_duplicates().sort_values()
    if len(distinct) < 2:
        return 1, DAYS_OF_YEAR / 12
    spacings = np.diff(distinct.to_numpy()) / np.timedelta64(1, "D")
    usual = float(np.median(spacings))
    even = len(spacings) >= 12 and bool(np.all(spacings % usual == 0))  # months are not
    if usual >= 28 and not even:
        months = max(1, round(usual / (DAYS_OF_YEAR / 12)))
        if abs(usual - months * DAYS_OF_YEAR / 12) <= 3:
            return months, months * DAYS_OF_YEAR / 12
    return 0, max(usual, 1.0)
