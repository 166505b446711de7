"""Progress of a run: live bars in a terminal, plain lines in a log.

Both say whom downloads in threads of this process wait for (`pyveg.core.waiting`).
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
    TaskStarted,
)
from pyveg.core.report import RunReport
from pyveg.core.secrets import redacted
from pyveg.core.tasks import State, TaskGraph
from pyveg.core.texts import shown_lines
from pyveg.scripts.edge import say
from pyveg.scripts.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

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


class LiveProgress:
    """An observer that keeps one bar per Module on the screen, and a line about other machines."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._status = ""
        self._bars: dict[str, TaskID] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._running: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Move the bars."""
        if isinstance(event, RunStarted):
            say(f"run: {event.url}")
            self._begin(event.graph)
        elif isinstance(event, TaskStarted):
            self._running.add(event.task.id)
            self._count(event.task.step.label, "running", 1)
        elif isinstance(event, TaskEnded):
            self._advance(event)
        elif isinstance(event, EngineStatus):
            self._tell(event)
        elif isinstance(event, ClosingStep):
            say(event.text)
        elif isinstance(event, RunEnded):
            self.close()

    def _begin(self, graph: TaskGraph) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed
        from rich.progress import TimeRemainingColumn as Remaining

        live = self

        # rich has no text below its bars; this one is drawn with them.
        class Bars(Progress):
            def get_renderables(self) -> Iterator[RenderableType]:
                yield self.make_tasks_table(self.tasks)
                yield from filter(None, (live._status, waiting.line()))

        text = TextColumn("{task.description}"), TextColumn("{task.fields[note]}")
        self._progress = Bars(
            text[0], BarColumn(), MofNCompleteColumn(), Elapsed(), Remaining(), text[1]
        )
        totals = Counter(task.step.label for task in graph)
        for label, total in totals.items():
            self._bars[label] = self._progress.add_task(label, total=total, note="")
            self._counts[label] = Counter()
        self._progress.start()

    def _advance(self, event: TaskEnded) -> None:
        label, state = event.task.step.label, event.result.state
        if self._progress is not None:
            self._progress.advance(self._bars[label])
        # Cached and blocked Tasks end without having started.
        if event.task.id in self._running:
            self._running.discard(event.task.id)
            self._count(label, "running", -1)
        if state in (State.FAILED, State.BLOCKED):
            self._count(label, str(state), 1)

    def _count(self, label: str, name: str, by: int) -> None:
        if self._progress is None:
            return
        counts = self._counts[label]
        counts[name] += by
        note = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        self._progress.update(self._bars[label], note=note)

    def _tell(self, event: EngineStatus) -> None:
        if event.urgent and self._progress is not None:
            text = shown_lines(redacted(event.text))
            self._progress.console.print(text, markup=False, highlight=False)
        elif event.urgent:
            say(event.text)
        else:
            self._status = shown_lines(redacted(event.text))

    def close(self) -> None:
        """Leave the screen in order, also after an error."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def suited_progress() -> PlainProgress | LiveProgress:
    """Bars where somebody looks at them, lines elsewhere."""
    return LiveProgress() if sys.stdout.isatty() else PlainProgress()


def closing_table(report: RunReport) -> str:
    """How the Tasks of each Module ended, with the first reasons."""
    shown = [*SHOWN, *([State.CANCELLED] if report.counts[State.CANCELLED] else [])]
    rows = [["module", *shown]]
    notes: list[tuple[str, ...]] = [()]
    for row in report.rows():
        rows.append([row.label, *(str(row.counts[state] or "-") for state in shown)])
        notes.append(row.reasons)
    return aligned(rows, notes)
