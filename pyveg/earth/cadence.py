"""Which periods some dates stand for: what the dates of a series themselves say of its step.

The place of a value in time is that of its period. Where periods are known they are taken as they
are; where there are only dates, such as the names of images in a folder, their step is the one that
they keep to, whatever is missing between them and whatever day of a period they are named after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pyveg.earth.lattice import (
    BY_MONTH,
    MEAN_MONTH,
    MONTH,
    NEARLY_ALL,
    Lattice,
    check_together,
    last_of_month,
    of_days,
    sharing,
)
from pyveg.earth.periods import Cadence, middle_of
from pyveg.earth.types import DateRange

_OFF_MONTH = 3.0
"""Days that a date may lie off the day of the month that the others have: months are not equal."""
_LONGEST = 400
"""Steps in days that are looked for; beyond are months and years."""
_BY_CALENDAR = (*BY_MONTH, *map(Cadence.parse, ("16d-from-january", "8d-from-january")))
_USUAL = tuple(
    map(Cadence.parse, ("1y", "6m", "3m", "2m", "1m", "16d", "2w", "10d", "8d", "1w", "5d", "4d",
                        "3d", "2d", "1d"))
)  # fmt: skip
"""What irregular dates are laid on, longest first."""
_NAMINGS: tuple[Callable[[DateRange], date], ...] = (
    middle_of,
    lambda period: period.start,
    lambda period: date.fromordinal(period.end.toordinal() - 1),
)
"""Days that people name a period after: its middle, first and last one."""


def lattice_of_dates(days: Iterable[date], cadence: Cadence | None = None) -> Lattice:
    """The periods that dates stand for, where nothing but the dates is known.

    Months are those of the calendar, unless the dates are the middle days of others, or have about
    one day of the month and fewer of them share a period in others. Periods of days are put such
    that dates lie in their middles.

    Parameters
    ----------
    days : iterable of date
        In any order, with gaps and repetitions; not empty.
    cadence : Cadence, optional
        The step; what the dates say (`find_cadence`) where not given, and where it is a number of
        days that nearly is one by calendar, and the dates keep to that: "16d" of MODIS.
    """
    known = sorted(set(days))
    step = _by_names(known, cadence) if cadence else find_cadence(known)
    if step.by_calendar:
        return Lattice(step, known[0])
    return Lattice(step, _first_of_months(known, step) if step.months else _first_day(known, step))


def _by_names(days: Sequence[date], stated: Cadence) -> Cadence:
    """A number of days as it is stated, or the periods by calendar that it is about."""
    if stated.by_calendar or stated.months or len(days) < 3:
        return stated
    if np.bincount(_ordinals(days) % round(stated.days)).max() >= NEARLY_ALL * len(days):
        return stated
    found = _in_months(days) or _by_calendar(days, _in_days(days)) or stated
    return found if abs(found.days / stated.days - 1) < 0.05 else stated


def _first_of_months(days: Sequence[date], cadence: Cadence) -> date:
    first = days[0].replace(day=1)
    usual = Lattice(cadence, first)
    if len(days) == 1:
        return first
    # 31 days of the month, and each month that periods of several may begin with.
    for back in range(cadence.months):
        month = MONTH.start(-back, first)
        for day in range(1, 32):
            if day > last_of_month(month).day:
                continue
            lattice = Lattice(cadence, month.replace(day=day))
            if lattice.share(days, _named(middle_of)):
                return lattice.anchor
    # Two images of one month are two values of it; only dates about a month apart are names.
    if not sharing(days, usual) or _in_months(days) is None:
        return first
    others = [Lattice(cadence, first.replace(day=day)) for day in range(1, 29)]
    # Of equals the first: that of the calendar.
    return min(others, key=lambda lattice: sharing(days, lattice)).anchor


def _first_day(days: Sequence[date], cadence: Cadence) -> date:
    length = round(cadence.days)
    passed = _ordinals(days) - days[0].toordinal()
    ways = []
    for before in range(length):
        numbers, within = np.divmod(passed + before, length)
        sharing = len(days) - len(np.unique(numbers))
        # Half a day from the middle of an even length counts for the later day, as in names.
        ways.append((sharing, float(np.mean((within - length // 2) ** 2)), before))
    return date.fromordinal(days[0].toordinal() - min(ways)[2])


def _ordinals(days: Sequence[date]) -> NDArray[np.int64]:
    return np.array([day.toordinal() for day in days], dtype=np.int64)


def find_cadence(days: Iterable[date]) -> Cadence:
    """The step of a series by its dates.

    Parameters
    ----------
    days : iterable of date
        In any order, with gaps and repetitions.

    Returns
    -------
    Cadence
        The longest step that nearly all dates keep to: months, half-months, dekads or periods from
        January by what they are named after, else a number of days. Dates that are thinly spread
        over such a step (one picked image per month, each on a day of the satellite) or keep to
        none have the longest usual step on which nearly all of them stay apart. A month where there
        are fewer than two dates.

    Examples
    --------
    >>> find_cadence(map(date.fromisoformat, ["2015-07-11", "2015-07-31", "2015-08-10"])).text
    '10d'
    """
    known = sorted(set(days))
    if len(known) < 2:
        return MONTH
    regular = _in_days(known)
    if len(known) > 12 and round(regular.days) >= 28:  # months are not of equal length
        return regular
    return _in_months(known) or _by_calendar(known, regular) or _in_days_or_spread(known, regular)


def _in_months(days: Sequence[date]) -> Cadence | None:
    """A number of months, where nearly all dates have about one day of the month."""
    months = np.array([_month_with_part(day) for day in days])
    turns = np.exp(2j * np.pi * months)
    off = np.angle(turns * np.conj(turns.mean())) / (2 * np.pi)
    near = np.abs(off) * MEAN_MONTH <= _OFF_MONTH
    numbers = np.rint(months - off - (months - off)[0]).astype(np.int64)
    apart = len(np.unique(numbers)) >= NEARLY_ALL * len(days)
    if not apart or near.mean() < NEARLY_ALL or len(numbers[near]) < 2:
        return None
    count = int(np.gcd.reduce(np.diff(numbers[near])))
    return Cadence(count // 12, "y") if count % 12 == 0 else Cadence(count, "m")


def _month_with_part(day: date) -> float:
    return day.year * 12 + day.month - 1 + (day.day - 0.5) / last_of_month(day).day


def _by_calendar(days: Sequence[date], regular: Cadence) -> Cadence | None:
    """Periods of the calendar, where nearly all dates are the first, middle or last day of one."""
    if len(days) < 3:
        return None
    for cadence in _BY_CALENDAR:
        lattice = Lattice(cadence, days[0])
        plain = cadence.from_january and round(regular.days) % cadence.count == 0
        if plain or sharing(days, lattice):
            continue
        for naming in _NAMINGS:
            if lattice.share(days, _named(naming)):
                return cadence
    return None


def _named(naming: Callable[[DateRange], date]) -> Callable[[date, DateRange], bool]:
    """Whether a date is what people name its period after."""
    return lambda day, period: naming(period) == day


def _in_days(days: Sequence[date]) -> Cadence:
    """The largest number of days that nearly all dates are multiples of apart."""
    ordinals = _ordinals(days)
    for length in range(min(_LONGEST, int(np.diff(ordinals).max())), 1, -1):
        alike = np.bincount(ordinals % length).max()
        if alike >= NEARLY_ALL * len(days):
            apart = len(np.unique(ordinals // length))
            if apart >= NEARLY_ALL * len(days):
                return of_days(length)
    return Cadence(1, "d")


def _in_days_or_spread(days: Sequence[date], regular: Cadence) -> Cadence:
    """A step in days, if dates fill it or stay apart on no longer one."""
    if _filled(days, regular) >= 0.5:
        return regular
    passed = (days[-1] - days[0]).days
    for usual in _USUAL:
        if usual.days <= regular.days:
            break
        if passed / usual.days + 2 < NEARLY_ALL * len(days):
            continue  # fewer steps than dates
        apart = sharing(days, lattice_of_dates(days, usual)) <= (1 - NEARLY_ALL) * len(days)
        if apart and (_filled(days, usual) >= 0.6 or round(regular.days) < 3):
            return usual
    return regular


def _filled(days: Sequence[date], cadence: Cadence) -> float:
    """Share of the steps from the first date to the last that have one."""
    lattice = lattice_of_dates(days, cadence)
    numbers = {lattice.number(day) for day in days}
    return len(numbers) / (max(numbers) - min(numbers) + 1)


def told(days: Iterable[date], stated: str = "") -> str:
    """What a plan says of the step of dates that are there; empty where there is nothing to say.

    Parameters
    ----------
    days : iterable of date
    stated : str
        The `time_per_point` of the config; empty where it states none.

    Raises
    ------
    DataError
        If a date lies lifetimes away from the others; see `check_together`.
    """
    known = sorted(set(days))
    check_together(known)
    if len(known) < 2:
        return ""
    lattice = lattice_of_dates(known, Cadence.parse(stated) if stated else None)
    steps = lattice.number(known[-1]) - lattice.number(known[0]) + 1
    where = f"{len(known)} dates lie on {steps} steps of {lattice.cadence.words}"
    doubled = sharing(known, lattice)
    if not doubled:
        return f"{where}{'' if stated else ', by what the dates say'}"
    shared = f"{where}: {doubled} share a step with another, and the analysis averages them"
    return f"{shared}; the dates say {find_cadence(known).words}" if stated else shared
