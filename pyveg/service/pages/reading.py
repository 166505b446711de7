"""What a page reads in one run: the end of its log, results, pictures, nodes.

Each reader keeps what it found, and looks again only after a while, so that an open page costs the
Store of a run a few reads a second at most.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pyveg.core import segments
from pyveg.core.errors import PyvegError
from pyveg.core.runlog import first_line, log_so_far
from pyveg.core.secrets import redacted
from pyveg.runs.outputs import ANALYSES, REPORT, Output, outputs_of, pictures_of
from pyveg.runs.run import Run
from pyveg.service import telling

T = TypeVar("T")

TAIL = 30
"""Lines of a log that a page shows."""
LINES = 1000
"""Entries on one page of the whole log."""
_SEGMENTS = 12
"""Segments that the first look reads, from the end; they hold more lines than are shown."""
_TITLES = {
    "results_summary.json": "Everything that was measured",
    "series.csv": "Series of each metric",
    "series_columns.csv": "What the columns of the series mean",
    "series.png": "Picture of the series",
    "items.csv": "How each input ended",
    "analysis.json": "The analysis, for programs",
    REPORT: "Report",
}


class Now(Generic[T]):
    """A value that is looked up again only after a while.

    Parameters
    ----------
    look : callable
    seconds : float
        For how long a value is good.
    """

    def __init__(self, look: Callable[[], T], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._at = float("-inf")
        self._value: T

    def get(self, *, anew: bool = False) -> T:
        """The value; looked up where it is too old, or where `anew` says so."""
        if anew or time.monotonic() - self._at >= self._seconds:
            self._value = self._look()
            self._at = time.monotonic()
        return self._value


class Tail:
    """The last lines of a run's log, read on from where they were left.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._place = ""
        self._attempt = 0
        self._lines: deque[str] = deque(maxlen=TAIL)

    def lines(self) -> list[str]:
        """The lines, after another look."""
        if not self._place:
            self._begin()
        for told in self._run.events(self._place) if self._place else ():
            if told.attempt != self._attempt:
                self._attempt = told.attempt
                self._lines.append(first_line(told.writer))
            self._lines += told.lines
            self._place = told.place
        return list(self._lines)

    def _begin(self) -> None:
        """Begin some segments before the end; a run of an older version has but its log."""
        keys = segments.segment_keys(self._run.store)
        if keys:
            first = keys[-_SEGMENTS:][0]
            self._attempt = segments.epoch_of(first) if len(keys) > _SEGMENTS else 0
            self._place = f"{first}#0"
            return
        self._lines.clear()
        self._lines += map(redacted, log_so_far(self._run.store, keys))


@dataclass(frozen=True)
class Link:
    """A file that a page leads to."""

    title: str
    href: str
    type: str
    length: int


@dataclass(frozen=True)
class Shot:
    """A picture of a place on a date."""

    date: str
    href: str


def results_of(run: Run, address: str) -> list[Link]:
    """Results of a run, with tables and figures of its analyses left to their reports.

    Parameters
    ----------
    run : Run
    address : str
        Of its page.
    """
    found = outputs_of(run)
    depth = f"{ANALYSES}/-/-".count("/")
    return [_link(one, address) for one in found if one.key.count("/") <= depth]


def _link(one: Output, address: str) -> Link:
    title = _TITLES.get(one.name, one.key)
    if one.name == REPORT:
        title = f"{title} on {one.key.split('/')[-2]}"
    return Link(title, file_address(address, one.key), one.type, one.length)


def shots_of(run: Run, address: str) -> list[Shot]:
    """The last pictures of the place.

    Parameters
    ----------
    run : Run
    address : str
        Of its page.
    """
    return [Shot(one.date, file_address(address, one.key)) for one in pictures_of(run)]


def nodes_of(run: Run) -> tuple[list[dict[str, Any]], list[str]]:
    """The machines that work for a run elsewhere, and why some cannot be seen.

    Parameters
    ----------
    run : Run
    """
    try:
        nodes, reasons = telling.nodes(run.url)
    except PyvegError as error:
        nodes, reasons = [], [str(error)]
    return nodes, [redacted(reason) for reason in reasons]


def log_lines(run: Run, after: str) -> tuple[list[str], str]:
    """Part of the log, and where the next part begins; empty where there is no more yet.

    Parameters
    ----------
    run : Run
    after : str
        Where the part before ended.
    """
    page = telling.log(run.url, after, limit=LINES)
    if not page.entries and not after:  # an older version has written it, as a text alone
        return [redacted(line) for line in islice(log_so_far(run.store), LINES)], ""
    lines = [f"{one.time[:19].replace('T', ' ')} {one.message}" for one in page.entries]
    return lines, page.next if page.more else ""


def file_address(address: str, key: str) -> str:
    """Where a page gives a file of a run."""
    return f"{address}/files/{quote(key, safe='/')}"
