"""Which periods some dates stand for: what the dates of a series themselves say of its step.

The place of a value in time is that of its period. Where periods are known they are taken as they
are; where there are only dates, such as the names of images in a folder, their step is the one that
they keep to, whatever is missing between them and whatever day of a period they are named after.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import DataError
from pyveg.earth.periods import DAYS_OF_YEAR, Cadence, middle_of
from pyveg.earth.types import DateRange

NEARLY_ALL = 0.95
"""Share of the dates that have to keep to a step: a single odd one changes nothing."""
FARTHEST = 50.0
"""Years between two dates that follow each other from which one of them must be a mistake."""
_MONTH = Cadence(1, "m")
_MEAN_MONTH = DAYS_OF_YEAR / 12
_OFF_MONTH = 3.0
"""Days that a date may lie off the day of the month that the others have: months are not equal."""
_LONGEST = 400
"""Steps in days that are looked for; beyond are months and years."""
_BY_CALENDAR = tuple(
    map(Cadence.parse, ("half-month", "dekad", "16d-from-january", "8d-from-january"))
)
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


@dataclass(frozen=True)
class Lattice:
    """Periods that follow each other without end in both directions."""

    cadence: Cadence
    anchor: date
    """First day of one of them, number 0."""

    def number(self, day: date) -> int:
        """Number of the period that holds a day."""
        return self.cadence.number(day, self.anchor)

    def period(self, number: int) -> DateRange:
        """The days of a period."""
        start = self.cadence.start
        return DateRange(start(number, self.anchor), start(number + 1, self.anchor))

    def share(self, days: Sequence[date], agree: Callable[[date, DateRange], bool]) -> float:
        """Share of days that agree with their period; 0 as soon as it cannot be nearly all."""
        allowed = len(days) - math.ceil(NEARLY_ALL * len(days))
        wrong = 0
        for day in days:
            wrong += not agree(day, self.period(self.number(day)))
            if wrong > allowed:
                return 0.0
        return 1 - wrong / len(days)


def check_together(days: Iterable[date]) -> None:
    """Refuse a date that lies lifetimes away from the others: an axis would be made of gaps.

    Raises
    ------
    DataError
        If `FARTHEST` years or more lie between two dates that follow each other. It names those on
        the side that has fewer.
    """
    known = sorted(set(days))
    for number in range(1, len(known)):
        before, after = known[number - 1], known[number]
        years = (after - before).days / DAYS_OF_YEAR
        if years >= FARTHEST:
            odd = known[:number] if number <= len(known) - number else known[number:]
            more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
            raise DataError(
                f"the date {odd[0]}{more} is {years:.0f} years away from all others "
                f"({before} and {after} follow each other)",
                "mend it, or leave it out",
            )


def lattice_of_periods(
    periods: Iterable[DateRange], stated: Cadence | None = None
) -> Lattice | None:
    """The periods that some known ones are part of; None where they keep to no step.

    Parameters
    ----------
    periods : iterable of DateRange
        In any order, with gaps and repetitions; not empty.
    stated : Cadence, optional
        Tried first. What the periods are counts: another step is found where they are not that.
    """
    known = sorted(set(periods), key=lambda one: (one.start, one.end))
    tried = [] if stated is None else [stated]
    ends = {one.start: one.end for one in known}
    for cadence in (*tried, *_cadences_of(known)):
        lattice = Lattice(cadence, _first_start(known, cadence))
        if lattice.share(list(ends), lambda day, period: period == DateRange(day, ends[day])):
            return lattice
    return None


def _cadences_of(periods: Sequence[DateRange]) -> list[Cadence]:
    """What periods of that length may be."""
    length = Counter((one.end - one.start).days for one in periods).most_common(1)[0][0]
    found = []
    months = round(length / _MEAN_MONTH)
    if months:
        found.append(Cadence(months, "m") if months % 12 else Cadence(months // 12, "y"))
    found += [one for one in _BY_CALENDAR[:2] if abs(length - one.days) < 3]
    found.append(_of_days(length))
    if length <= 183:
        found.append(Cadence(length, "d", from_january=True))
    return found


def _of_days(length: int) -> Cadence:
    return Cadence(length // 7, "w") if length in (7, 14) else Cadence(length, "d")


def _first_start(periods: Sequence[DateRange], cadence: Cadence) -> date:
    """An anchor: the first day of the first period, or of one before it."""
    first = periods[0].start
    if not cadence.months:
        return first
    # Periods from the 31st begin on the 28th where a month is shorter, perhaps the first of them.
    day = max(one.start.day for one in periods)
    for back in range(48 // cadence.months + 1):  # to a leap year
        anchor = cadence.start(-back, first)
        if _last_of_month(anchor).day >= day:
            return anchor.replace(day=day)
    return first


def _last_of_month(day: date) -> date:
    return date.fromordinal(_MONTH.start(1, day.replace(day=1)).toordinal() - 1)


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
        month = _MONTH.start(-back, first)
        for day in range(1, 32):
            if day > _last_of_month(month).day:
                continue
            lattice = Lattice(cadence, month.replace(day=day))
            if lattice.share(days, _named(middle_of)):
                return lattice.anchor
    # Two images of one month are two values of it; only dates about a month apart are names.
    if not _sharing(days, usual) or _in_months(days) is None:
        return first
    others = [Lattice(cadence, first.replace(day=day)) for day in range(1, 29)]
    # Of equals the first: that of the calendar.
    return min(others, key=lambda lattice: _sharing(days, lattice)).anchor


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


def _sharing(days: Sequence[date], lattice: Lattice) -> int:
    """How many dates share their period with an earlier one."""
    return len(days) - len({lattice.number(day) for day in days})


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
        return _MONTH
    regular = _in_days(known)
    if len(known) > 12 and round(regular.days) >= 28:  # months are not of equal length
        return regular
    return _in_months(known) or _by_calendar(known, regular) or _in_days_or_spread(known, regular)


def _in_months(days: Sequence[date]) -> Cadence | None:
    """A number of months, where nearly all dates have about one day of the month."""
    months = np.array([_month_with_part(day) for day in days])
    turns = np.exp(2j * np.pi * months)
    off = np.angle(turns * np.conj(turns.mean())) / (2 * np.pi)
    near = np.abs(off) * _MEAN_MONTH <= _OFF_MONTH
    numbers = np.rint(months - off - (months - off)[0]).astype(np.int64)
    apart = len(np.unique(numbers)) >= NEARLY_ALL * len(days)
    if not apart or near.mean() < NEARLY_ALL or len(numbers[near]) < 2:
        return None
    count = int(np.gcd.reduce(np.diff(numbers[near])))
    return Cadence(count // 12, "y") if count % 12 == 0 else Cadence(count, "m")


def _month_with_part(day: date) -> float:
    return day.year * 12 + day.month - 1 + (day.day - 0.5) / _last_of_month(day).day


def _by_calendar(days: Sequence[date], regular: Cadence) -> Cadence | None:
    """Periods of the calendar, where nearly all dates are the first, middle or last day of one."""
    if len(days) < 3:
        return None
    for cadence in _BY_CALENDAR:
        lattice = Lattice(cadence, days[0])
        plain = cadence.from_january and round(regular.days) % cadence.count == 0
        if plain or _sharing(days, lattice):
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
                return _of_days(length)
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
        apart = _sharing(days, lattice_of_dates(days, usual)) <= (1 - NEARLY_ALL) * len(days)
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
    cadence = Cadence.parse(stated) if stated else find_cadence(known)
    lattice = lattice_of_dates(known, cadence)
    sharing = _sharing(known, lattice)
    steps = lattice.number(known[-1]) - lattice.number(known[0]) + 1
    where = f"{len(known)} dates lie on {steps} steps of {cadence.words}"
    if not sharing:
        return f"{where}{'' if stated else ', by what the dates say'}"
    shared = f"{where}: {sharing} share a step with another, and the analysis averages them"
    return f"{shared}; the dates say {find_cadence(known).words}" if stated else shared
