"""Periods that follow each other, and which of them some known ones are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from pyveg.core.errors import DataError
from pyveg.earth.periods import DAYS_OF_YEAR, Cadence
from pyveg.earth.types import DateRange

NEARLY_ALL = 0.95
"""Share of the dates that have to keep to a step: a single odd one changes nothing."""
FARTHEST = 50.0
"""Years between two dates that follow each other from which one of them must be a mistake."""
MONTH = Cadence(1, "m")
MEAN_MONTH = DAYS_OF_YEAR / 12
"""Days."""
BY_MONTH = (Cadence.parse("half-month"), Cadence.parse("dekad"))


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


def sharing(days: Sequence[date], lattice: Lattice) -> int:
    """How many dates share their period with an earlier one."""
    return len(days) - len({lattice.number(day) for day in days})


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
    months = round(length / MEAN_MONTH)
    if months:
        found.append(Cadence(months, "m") if months % 12 else Cadence(months // 12, "y"))
    found += [one for one in BY_MONTH if abs(length - one.days) < 3]
    found.append(of_days(length))
    if length <= 183:
        found.append(Cadence(length, "d", from_january=True))
    return found


def of_days(length: int) -> Cadence:
    """Periods of so many days, as people call them."""
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
        if last_of_month(anchor).day >= day:
            return anchor.replace(day=day)
    return first


def last_of_month(day: date) -> date:
    """The last day of its month."""
    return date.fromordinal(MONTH.start(1, day.replace(day=1)).toordinal() - 1)
