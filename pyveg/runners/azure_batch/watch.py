"""What has changed at the service since the last look. No requests are made here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyveg.runners.azure_batch.bundles import Bundle
from pyveg.runners.azure_batch.service import Change

MARGIN = timedelta(seconds=5)
"""A change may be listed late by so much; what was seen already is left out."""
_TICK = timedelta(microseconds=1)
SLOWEST = 30.0
_BEGUN = ("preparing", "running")


class Pace:
    """Time between two looks: a tenth of the time in which nothing has happened.

    So news is late by a tenth of the wait for it, and hours of waiting cost few requests.

    Parameters
    ----------
    least : float
        Shortest time, seconds; the longest is 30.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._news = time.monotonic()

    @property
    def seconds(self) -> float:
        """Until the next look."""
        quiet = time.monotonic() - self._news
        return max(self._least, min(SLOWEST, quiet / 10))

    def changed(self) -> None:
        """Take note of news."""
        self._news = time.monotonic()


@dataclass
class JobWatch:
    """The tasks of one job that have not ended."""

    id: str
    bundles: dict[str, Bundle] = field(default_factory=dict)
    """By id; those that have ended, or never will, are taken out."""
    used: set[str] = field(default_factory=set)
    """All ids that the job has ever had."""
    since: datetime | None = None
    """What has changed from then on is asked for; None asks for all."""
    completed: set[str] = field(default_factory=set)
    """Ids of all tasks that were seen to have ended."""
    _begun: set[str] = field(default_factory=set)
    _latest: datetime | None = None
    _news: float = field(default_factory=time.monotonic)

    def add(self, bundles: Iterable[Bundle]) -> None:
        """Follow more tasks."""
        for bundle in bundles:
            self.bundles[bundle.id] = bundle
            self.used.add(bundle.id)

    def take(self, changes: Iterable[Change]) -> tuple[list[Bundle], list[tuple[Bundle, Change]]]:
        """What is new among changes: tasks that have begun, and tasks that have ended."""
        begun, ended = [], []
        for change in sorted(changes, key=lambda change: change.moment):
            self._note(change)
            bundle = self.bundles.get(change.id)
            if bundle is None:
                continue
            if change.state == "completed":
                del self.bundles[change.id]
                ended.append((bundle, change))
            elif change.state in _BEGUN and change.id not in self._begun:
                self._begun.add(change.id)
                begun.append(bundle)
        self._move_on()
        return begun, ended

    def _note(self, change: Change) -> None:
        if change.state == "completed":
            self.completed.add(change.id)
        if self._latest is None or change.moment > self._latest:
            self._latest = change.moment
            self._news = time.monotonic()

    def _move_on(self) -> None:
        """Ask for less the next time: what may still be listed late, and then only what is new."""
        if self._latest is None:
            return
        late = time.monotonic() - self._news < MARGIN.total_seconds()
        self.since = self._latest - MARGIN if late else self._latest + _TICK

    def check(self, completed: int) -> None:
        """Ask for all tasks again where the service counts more ends than were seen."""
        if completed > len(self.completed):
            self.since = None

    def drop_dependants(self, id_: str) -> list[Bundle]:
        """Take out all that wait for a failed task: the service would keep them for ever."""
        dropped: list[Bundle] = []
        failed = {id_}
        grown = True
        while grown:
            dependants = [b for b in self.bundles.values() if failed & set(b.after)]
            for bundle in dependants:
                del self.bundles[bundle.id]
            dropped.extend(dependants)
            failed.update(bundle.id for bundle in dependants)
            grown = bool(dependants)
        return dropped
