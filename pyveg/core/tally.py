"""Counts of a run as it goes on; small however many Tasks it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pyveg.core.events import (
    ClosingStep,
    EngineStatus,
    Event,
    RunEnded,
    RunStarted,
    TaskEnded,
    TaskStarted,
)
from pyveg.core.records import kept
from pyveg.core.status import FIRST_FAILURES, Failure, Phase, Row, Status
from pyveg.core.tasks import State

_SHORT = 500


@dataclass
class Tally:
    """What a Status is made from. It holds the ids of running Tasks, and no others."""

    url: str = ""
    phase: Phase = Phase.STARTING
    line: str = ""
    error: str = ""
    exit_code: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    _total: Counter[str] = field(default_factory=Counter)
    _done: Counter[str] = field(default_factory=Counter)
    _failed: Counter[str] = field(default_factory=Counter)
    _running: set[str] = field(default_factory=set)

    def note(self, event: Event) -> None:
        """Count an event."""
        match event:
            case TaskEnded():
                self._ended(event)
            case TaskStarted(task=task):
                self._running.add(task.id)
            case RunStarted(graph=graph, url=url):
                self.url, self.phase = url, Phase.RUNNING
                self._total.update(task.step.label for task in graph)
            case EngineStatus(text=text) | ClosingStep(text=text):
                self.line = kept(text, _SHORT)
            case RunEnded(interrupted=interrupted):
                self._running.clear()
                self.line = "interrupted" if interrupted else "all tasks have ended"

    def _ended(self, event: TaskEnded) -> None:
        state, label = event.result.state, event.task.step.label
        self._running.discard(event.task.id)
        self.counts[str(state)] += 1
        self._done[label] += state is not State.CANCELLED
        if state is State.FAILED:
            self._failed[label] += 1
            self._keep(Failure(event.task.id, kept(event.result.reason, _SHORT)))

    def _keep(self, failure: Failure) -> None:
        """Keep the first failure of each of the first reasons."""
        known = {one.reason for one in self.failures}
        if len(known) < FIRST_FAILURES and failure.reason not in known:
            self.failures.append(failure)

    def status(self, epoch: int, host: str, pid: int, since: float, at: float) -> Status:
        """How the run is at that moment."""
        rows = tuple(
            Row(label, self._done[label], total, self._failed[label])
            for label, total in self._total.items()
        )
        return Status(
            url=self.url,
            epoch=epoch,
            host=host,
            pid=pid,
            phase=self.phase,
            since=round(since, 3),
            at=round(at, 3),
            tasks=self._total.total(),
            running=len(self._running),
            counts=dict(self.counts),
            rows=rows,
            line=self.line,
            failures=tuple(self.failures),
            exit_code=self.exit_code,
            error=self.error,
        )
