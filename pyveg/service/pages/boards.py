"""What pages ask: the jobs of a desk as one caller sees them, or the runs at a location."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pyveg.core.errors import NotARunError
from pyveg.jobs.watching import runs_at, statuses
from pyveg.runs.run import Run
from pyveg.service import telling
from pyveg.service.desk import Desk
from pyveg.service.pages.looks import Look, look_of_job, look_of_run
from pyveg.service.records import Caller

Kind = Literal["jobs", "runs"]
PAGE = 50
"""Jobs or runs on one page of a list."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[-_]\d\d-\d\d-\d\d$")
_LISTED = 3.0
"""Seconds for which a list of runs is good."""


@dataclass(frozen=True)
class Listed:
    """A page of a list."""

    looks: list[Look]
    next: str
    """Cursor of the page after it; empty at the end."""


class Board(Protocol):
    """Jobs or runs, as whoever looks may see them. Two that are equal show the same."""

    kind: Kind

    @property
    def key(self) -> Hashable:
        """What decides what is seen."""
        ...

    @property
    def place(self) -> str:
        """Where they are, as people are told; empty where that is nobody's concern."""
        ...

    def processes(self) -> list[str]:
        """Processes that a list can be of."""
        ...

    def listed(self, asked: Mapping[str, str]) -> Listed:
        """A page of the list; `Refusal` where what is asked cannot be."""
        ...

    def look(self, one: str) -> Look:
        """How one is; an error where there is none."""
        ...

    def run(self, one: str) -> Run | None:
        """Its run; None where there is none yet, or no more."""
        ...


class JobBoard:
    """The jobs of a desk, as one caller sees them.

    Parameters
    ----------
    desk : Desk
    caller : Caller
    """

    kind: Kind = "jobs"
    place = ""

    def __init__(self, desk: Desk, caller: Caller) -> None:
        self.desk = desk
        self.caller = caller

    @property
    def key(self) -> Hashable:
        """Each caller sees its own."""
        return self.caller

    def processes(self) -> list[str]:
        """Those that the caller may use."""
        return [one.id for one in self.desk.processes(self.caller)]

    def listed(self, asked: Mapping[str, str]) -> Listed:
        """Jobs, newest first, of one state and one process where these are asked for."""
        wanted = {name: [asked[name]] if asked.get(name) else [] for name in ("state", "process")}
        page = self.desk.jobs(
            self.caller,
            states=wanted["state"],
            processes=wanted["process"],
            limit=PAGE,
            cursor=asked.get("cursor", ""),
        )
        return Listed([look_of_job(job) for job in page.jobs], page.next)

    def look(self, one: str) -> Look:
        """How a job is."""
        return look_of_job(self.desk.job(self.caller, one))

    def run(self, one: str) -> Run | None:
        """The run of a job, once it has begun."""
        return telling.run_at(self.desk.job(self.caller, one).url)


class RunBoard:
    """The runs at a location, which nobody asked this service for.

    Parameters
    ----------
    location : str
        As `pyveg_status` takes it.
    """

    kind: Kind = "runs"

    def __init__(self, location: str) -> None:
        self.place = location
        self._runs: dict[str, Run] = {}
        self._at = float("-inf")

    @property
    def key(self) -> Hashable:
        """There is one location, and all see the same."""
        return self.place

    def processes(self) -> list[str]:
        """None: runs are of no process."""
        return []

    def listed(self, asked: Mapping[str, str]) -> Listed:
        """The runs, newest first by the date in their names."""
        runs = list(self._look_around().items())
        cursor = asked.get("cursor", "")
        begin = int(cursor) if cursor.isdecimal() and len(cursor) < 9 else 0
        shown = runs[begin : begin + PAGE]
        found = statuses(run for _, run in shown)
        looks = [look_of_run(name, status) for (name, _), status in zip(shown, found, strict=True)]
        return Listed(looks, str(begin + PAGE) if begin + PAGE < len(runs) else "")

    def look(self, one: str) -> Look:
        """How a run is."""
        return look_of_run(one, self.run(one).status())

    def run(self, one: str) -> Run:
        """The run of that id.

        Raises
        ------
        NotARunError
        """
        found = self._runs.get(one) or self._look_around().get(one)
        if found is None:
            raise NotARunError(f"there is no run {one[:64]} here", "it may have been removed")
        return found

    def _look_around(self) -> dict[str, Run]:
        if time.monotonic() - self._at >= _LISTED:
            try:
                found = runs_at(self.place)
            except NotARunError:
                found = []
            found.sort(key=_newest_last, reverse=True)
            # Those that are known keep what was read of them.
            self._runs = {name: self._runs.get(name, run) for name, run in _named(found).items()}
            self._at = time.monotonic()
        return self._runs


def _newest_last(run: Run) -> tuple[str, str]:
    stamp = _STAMP.search(run.url.rstrip("/"))
    return (re.sub("[_-]", "", stamp[0]) if stamp else "", run.url)


def _named(runs: list[Run]) -> dict[str, Run]:
    """Ids that stay the same for as long as the runs are where they are."""
    return {hashlib.sha256(run.url.encode()).hexdigest()[:16]: run for run in runs}
