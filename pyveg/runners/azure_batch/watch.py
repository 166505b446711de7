"""What has changed at the service since the last look. No requests are made here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyveg.runners.azure_batch.bundles import Bundle
from pyveg.runners.azure_batch.names import Ids
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
    """The tasks of one job that have not ended.

    Each change of it costs what it changes, however many tasks the job has.
    """

    id: str
    prepares: bool = False
    """Whether each node is prepared for the job before the first of its tasks."""
    bundles: dict[str, Bundle] = field(default_factory=dict)
    """By id; those that have ended, or never will, are taken out."""
    unsent: dict[str, Bundle] = field(default_factory=dict)
    """Of them, those that the service has not taken yet."""
    in_hand: dict[str, str] = field(default_factory=dict)
    """Id of a Task that has not ended -> id of its bundle."""
    used: Ids = field(default_factory=Ids)
    """All ids that the job has ever had."""
    begun: set[str] = field(default_factory=set)
    """Ids of the bundles that are with a node now."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many tasks are in each state, as the service counted them last."""
    paused: bool = False
    """Whether somebody has disabled the job."""
    over: str = ""
    """Why it will do no more; empty while it may."""
    since: datetime | None = None
    """What has changed from then on is asked for; None asks for all."""
    completed: set[str] = field(default_factory=set)
    """Ids of all tasks that were seen to have ended."""
    _told: set[str] = field(default_factory=set)
    """Ids of the bundles that have begun once, perhaps on a node that was taken away."""
    _behind: dict[str, set[str]] = field(default_factory=dict)
    """Id of a bundle -> ids of those that wait for it."""
    _latest: datetime | None = None
    _news: float = field(default_factory=time.monotonic)

    # Which there are

    def add(self, bundles: Iterable[Bundle]) -> None:
        """Follow more tasks."""
        for bundle in bundles:
            self.bundles[bundle.id] = bundle
            self.used.add(bundle.id)
            self.in_hand.update((task.id, bundle.id) for task in bundle.tasks)
            for before in bundle.after:
                self._behind.setdefault(before, set()).add(bundle.id)

    def plan(self, bundles: Iterable[Bundle]) -> None:
        """Follow tasks that are still to be sent."""
        bundles = list(bundles)
        self.add(bundles)
        self.unsent.update((bundle.id, bundle) for bundle in bundles)

    def sent(self, bundles: Iterable[Bundle]) -> None:
        """The service has taken them, or has said which it does not take."""
        for bundle in bundles:
            self.unsent.pop(bundle.id, None)

    def drop(self, id_: str) -> Bundle | None:
        """Follow a task no more; None where it was not followed."""
        bundle = self.bundles.pop(id_, None)
        if bundle is None:
            return None
        self.unsent.pop(id_, None)
        self.begun.discard(id_)
        for task in bundle.tasks:
            if self.in_hand.get(task.id) == id_:
                del self.in_hand[task.id]
        for before in bundle.after:
            self._behind.get(before, set()).discard(id_)
        return bundle

    def drop_all(self) -> list[Bundle]:
        """Follow nothing any more; what was followed."""
        left = list(self.bundles.values())
        for each in (self.bundles, self.unsent, self.in_hand, self.begun, self._behind):
            each.clear()
        return left

    def drop_dependants(self, id_: str) -> list[Bundle]:
        """Take out all that wait for a failed task: the service would keep them for ever."""
        dropped: list[Bundle] = []
        failed = [id_]
        while failed:
            for behind in sorted(self._behind.pop(failed.pop(), ())):
                bundle = self.drop(behind)
                if bundle is not None:
                    dropped.append(bundle)
                    failed.append(behind)
        return dropped

    @property
    def ready(self) -> Bundle | None:
        """One that waits for nothing but a node; None where there is none."""
        for bundle in self.bundles.values():
            waits = bundle.id in self.begun or bundle.id in self.unsent
            if not waits and not any(before in self.bundles for before in bundle.after):
                return bundle
        return None

    @property
    def runs(self) -> bool:
        """Whether a node is busy with one of them, as far as the service has counted."""
        return bool(self.counts.get("running"))

    # What has changed

    def take(self, changes: Iterable[Change]) -> tuple[list[Bundle], list[tuple[Bundle, Change]]]:
        """What is new among changes: tasks that have begun, and tasks that have ended."""
        begun, ended = [], []
        for change in sorted(changes, key=lambda change: change.moment):
            self._note(change)
            bundle = self.bundles.get(change.id)
            if bundle is None:
                continue
            if change.state == "completed":
                self.drop(change.id)
                ended.append((bundle, change))
            elif change.state not in _BEGUN:  # its node was taken away, or could not be prepared
                self.begun.discard(change.id)
            elif change.id not in self.begun:
                self.begun.add(change.id)
                if change.id not in self._told:
                    begun.append(bundle)
                self._told.add(change.id)
        self._move_on()
        return begun, ended

    def take_back(self, bundles: Iterable[Bundle]) -> None:
        """Follow tasks again whose end could not be read; they are asked for once more."""
        self.add(bundles)
        self.since = None

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
