"""The dates in a `results_summary.json`, and the periods that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyveg.core.errors import DataError
from pyveg.earth.types import DateRange
from pyveg.runs.delimited import Cell
from pyveg.runs.written_dates import read_dates


@dataclass(frozen=True)
class Dates:
    """Those of one collection."""

    days: Mapping[str, str]
    """As written -> YYYY-MM-DD, for every date with data."""
    periods: Mapping[date, DateRange]
    """What dates stand for, where the summary says so."""


def read_summary_dates(collection: str, part: Mapping[str, Any]) -> Dates:
    """Read the dates of one collection of a summary.

    Parameters
    ----------
    collection : str
        Its name, for messages.
    part : mapping
        What the summary has under that name.

    Raises
    ------
    DataError
        For a date with data that is none, can be read in two ways or is of another age; for a
        period that does not hold its date.
    """
    where = f'the results of "{collection}"'
    # Older programs listed whatever lay in a folder among the dates, such as README.txt: null.
    with_data = (
        text for text, value in part["time-series-data"].items() if value not in (None, [])
    )
    spans = part.get("periods", {})
    texts = list(dict.fromkeys([*with_data, *part.get("place", {}), *spans]))
    written = dict(zip(texts, read_dates([Cell(text, where) for text in texts]), strict=True))
    # A month or a year that is written as such is a period too.
    periods = {
        one.first: DateRange(one.first, one.end) for one in written.values() if one.length != "day"
    }
    for text, span in spans.items():
        day = written[text].first
        periods[day] = _period(f'{where}: the period of "{text}"', day, span)
    return Dates({text: str(one.first) for text, one in written.items()}, periods)


def _period(where: str, day: date, span: Any) -> DateRange:
    if isinstance(span, str) or len(span) != 2:
        raise DataError(f"{where} is {span!r}", "give its first day and the day after its last")
    start, end = read_dates([Cell(str(one), where) for one in span])
    if not start.first < end.first:
        raise DataError(
            f"{where} ends on {end.first}, and begins on {start.first}",
            "give its first day and the day after its last",
        )
    if not start.first <= day <= end.first:
        raise DataError(
            f"{where} is {start.first} to {end.first}, which does not hold it", "mend one of them"
        )
    return DateRange(start.first, end.first)
