"""Progress of a run: live bars in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from pyveg.core.events import Event, RunEnded, RunStarted, TaskEnded
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, TaskGraph

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN = (State.SUCCEEDED, State.CACHED, State.SKIPPED, State.FAILED, State.BLOCKED)


class PlainProgress:
    """An observer that prints a line when a Module ends, when a Task fails, and now and then."""

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._last = time.monotonic()
        self._total: Counter[str] = Counter()
        self._done: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        if isinstance(event, RunStarted):
            click.echo(f"run: {event.url}")
            self._total = Counter(task.step.label for task in event.graph)
        elif isinstance(event, TaskEnded):
            self._task_ended(event)
        elif isinstance(event, RunEnded) and event.interrupted:
            click.echo("interrupted: finish it with --from_cache")

    def _task_ended(self, event: TaskEnded) -> None:
        label, result = event.task.step.label, event.result
        self._done[label] += 1
        if result.state is State.FAILED:
            click.echo(f"failed: {result.task_id}: {result.reason}")
        done, total = self._done[label], self._total[label]
        if done == total or time.monotonic() - self._last > self._every:
            self._last = time.monotonic()
            click.echo(f"{label}: {done}/{total}")


class LiveProgress:
    """An observer that keeps one bar per Module on the screen."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._failed: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Move the bars."""
        if isinstance(event, RunStarted):
            click.echo(f"run: {event.url}")
            self._begin(event.graph)
        elif isinstance(event, TaskEnded):
            self._advance(event)
        elif isinstance(event, RunEnded) and self._progress is not None:
            self._progress.stop()

    def _begin(self, graph: TaskGraph) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed
        from rich.progress import TimeRemainingColumn as Remaining

        text = TextColumn("{task.description}"), TextColumn("[red]{task.fields[failed]}")
        self._progress = Progress(
            text[0], BarColumn(), MofNCompleteColumn(), Elapsed(), Remaining(), text[1]
        )
        totals = Counter(task.step.label for task in graph)
        for label, total in totals.items():
            self._bars[label] = self._progress.add_task(label, total=total, failed="")
        self._progress.start()

    def _advance(self, event: TaskEnded) -> None:
        if self._progress is None:
            return
        label = event.task.step.label
        self._progress.advance(self._bars[label])
        if event.result.state is State.FAILED:
            self._failed[label] += 1
            self._progress.update(self._bars[label], failed=f"{self._failed[label]} failed")

    def close(self) -> None:
        """Leave the screen in order, also after an error."""
        if self._progress is not None:
            self._progress.stop()


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


def aligned(rows: list[list[str]], notes: list[tuple[str, ...]] | None = None) -> str:
    """Rows of text in columns, the first to the left, with lines of notes below each."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
        lines.extend(f"    {note}" for note in (notes[number] if notes else ()))
    return "\n".join(lines)
