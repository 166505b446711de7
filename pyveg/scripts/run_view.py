"""How far a run is, counted from its events: for the live view, which draws it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyveg.core.events import TaskEnded, TaskStarted
from pyveg.core.tasks import State, TaskGraph


@dataclass
class ModuleView:
    """How far one Module is."""

    label: str
    """``<sequence>/<module>``."""
    total: int
    ended: Counter[State] = field(default_factory=Counter)
    running: int = 0
    measured: int = 0
    """Tasks that were worked on here and now, and took `seconds`."""
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Tasks that have ended; work that was given up is not done."""
        return self.ended.total() - self.ended[State.CANCELLED]

    @property
    def bad(self) -> int:
        """Those of them that failed, or could not be tried because another failed."""
        return self.ended[State.FAILED] + self.ended[State.BLOCKED]

    @property
    def left(self) -> int:
        """Tasks that are still to come."""
        return self.total - self.ended.total()

    @property
    def note(self) -> str:
        """What is not told by the number of those that are done, the worst first."""
        counts = [(self.ended[state], str(state)) for state in _NOTED]
        counts.append((self.running, "running"))
        return ", ".join(f"{count} {name}" for count, name in counts if count)


_NOTED = (State.FAILED, State.BLOCKED, State.CANCELLED)


Clock = Callable[[], float]


class RunView:
    """How far a run is, and how long it may take.

    Parameters
    ----------
    graph : TaskGraph
    clock : callable
        The time in seconds.
    """

    def __init__(self, graph: TaskGraph, clock: Clock = time.monotonic) -> None:
        totals = Counter(task.step.label for task in graph)
        self.modules: Mapping[str, ModuleView] = {
            label: ModuleView(label, total) for label, total in totals.items()
        }
        self._running: set[str] = set()
        self._clock = clock
        self._begin = clock()

    def started(self, event: TaskStarted) -> None:
        """Count a Task that begins."""
        self._running.add(event.task.id)
        self.modules[event.task.step.label].running += 1

    def ended(self, event: TaskEnded) -> None:
        """Count a Task that has ended; one that was done before, or blocked, never began."""
        module = self.modules[event.task.step.label]
        module.ended[event.result.state] += 1
        if event.task.id in self._running:
            self._running.discard(event.task.id)
            module.running -= 1
        if event.result.seconds > 0 and event.result.state is not State.CACHED:
            module.measured += 1
            module.seconds += event.result.seconds

    @property
    def done(self) -> int:
        """Tasks of the run that have ended, other than those that were given up."""
        return sum(module.done for module in self.modules.values())

    @property
    def bad(self) -> int:
        """Those that failed or were blocked."""
        return sum(module.bad for module in self.modules.values())

    @property
    def total(self) -> int:
        """Tasks of the run."""
        return sum(module.total for module in self.modules.values())

    @property
    def percent(self) -> int:
        """The share that is done, in percent; 100 only where all is."""
        return 100 * self.done // self.total if self.total else 100

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._begin

    @property
    def left(self) -> float | None:
        """Seconds that it may still take; None where nothing tells yet.

        What is left of each Module takes as long as its Tasks took so far, or as those of all
        Modules where none of it has ended, with as many at once as there were.
        """
        measured = sum(module.measured for module in self.modules.values())
        busy = sum(module.seconds for module in self.modules.values())
        gone = self.gone
        if not measured or busy <= 0 or gone <= 0:
            return None
        work = 0.0
        for module in self.modules.values():
            seconds, count = (
                (module.seconds, module.measured) if module.measured else (busy, measured)
            )
            work += module.left * seconds / count
        return work * gone / busy


_MANY = 100 * 3600
"""Seconds from which a time is told in days."""


def in_hours(seconds: float) -> str:
    """A time as ``h:mm:ss``, or in days where it is many.

    Examples
    --------
    >>> in_hours(3725.4), in_hours(1e6)
    ('1:02:05', '11 d 13 h')
    """
    whole = int(seconds)
    if whole >= _MANY:
        return f"{whole // 86400} d {whole // 3600 % 24} h"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
