"""Progress of a run as plain lines, for a log; and which view suits whoever looks.

Both views say whom downloads in threads of this process wait for (`pyveg.core.waiting`).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pyveg.core import waiting
from pyveg.core.events import (
    ClosingStep,
    EngineStatus,
    Event,
    RunEnded,
    RunStarted,
    TaskEnded,
)
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.scripts.edge import say
from pyveg.scripts.tables import aligned

if TYPE_CHECKING:
    from pyveg.scripts.live_progress import LiveProgress

SHOWN = (State.SUCCEEDED, State.CACHED, State.SKIPPED, State.FAILED, State.BLOCKED)


class PlainProgress:
    """An observer that prints a line when a Module ends, when a Task fails, and now and then.

    A reason that was printed is only counted when other Tasks of the Module fail by it.
    """

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._last = time.monotonic()
        self._last_status = self._last_wait = float("-inf")
        self._listening = ExitStack()
        self._told: set[tuple[str, str]] = set()
        self._failed: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._done: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        if isinstance(event, RunStarted):
            say(f"run: {event.url}")
            self._total = Counter(task.step.label for task in event.graph)
            self._listening.enter_context(waiting.heard_by(self._waits))
        elif isinstance(event, TaskEnded):
            self._task_ended(event)
        elif isinstance(event, EngineStatus):
            self._status(event)
        elif isinstance(event, ClosingStep):
            say(event.text)
        elif isinstance(event, RunEnded):
            self.close()
            if event.interrupted:
                say("interrupted: finish it with --from_cache")

    def close(self) -> None:
        """Print nothing more of its own accord."""
        self._listening.close()

    def _waits(self, line: str) -> None:
        """Print now and then whom threads of this process wait for; called by those."""
        if time.monotonic() - self._last_wait > self._every:
            self._last_wait = time.monotonic()
            say(line)

    def _status(self, event: EngineStatus) -> None:
        """Print how an engine is: at once where it matters, else now and then."""
        if event.urgent or time.monotonic() - self._last_status > self._every:
            self._last_status = time.monotonic()
            say(event.text)

    def _task_ended(self, event: TaskEnded) -> None:
        label, result = event.task.step.label, event.result
        self._done[label] += 1
        if result.state is State.FAILED:
            self._failed[label] += 1
            whose = "" if result.shared else label  # what all share is told once in a run
            if (whose, result.reason) not in self._told:
                self._told.add((whose, result.reason))
                say(f"failed: {result.task_id}: {result.reason}")
        done, total = self._done[label], self._total[label]
        if done == total or time.monotonic() - self._last > self._every:
            self._last = time.monotonic()
            failed = f", {self._failed[label]} failed" if self._failed[label] else ""
            say(f"{label}: {done}/{total}{failed}")


def suited_progress() -> PlainProgress | LiveProgress:
    """Bars where somebody looks at them, lines elsewhere."""
    if not sys.stdout.isatty():
        return PlainProgress()
    from pyveg.scripts.live_progress import LiveProgress

    return LiveProgress()


def closing_table(report: RunReport, width: int | None = None) -> str:
    """How the Tasks of each Module ended, with the first reasons.

    Parameters
    ----------
    report : RunReport
    width : int, optional
        Columns of the terminal: states in which nothing ended are left out for it, and names
        shortened. None where all there is is shown.
    """
    shown = [*SHOWN, *([State.CANCELLED] if report.counts[State.CANCELLED] else [])]
    if width is not None:
        shown = [state for state in shown if state is shown[0] or report.counts[state]]
    rows = [["module", *shown]]
    notes: list[tuple[str, ...]] = [()]
    for row in report.rows():
        rows.append([row.label, *(str(row.counts[state] or "-") for state in shown)])
        notes.append(row.reasons)
    return aligned(rows, notes, width)
