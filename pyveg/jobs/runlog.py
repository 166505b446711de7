"""The log of a run, written to its own Store."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType

from pyveg.core.errors import KeyMissingError, StoreError
from pyveg.core.events import (
    ClosingStep,
    EngineStatus,
    Event,
    RunEnded,
    RunStarted,
    TaskEnded,
    TaskStarted,
)
from pyveg.core.layout import LOG_FILE
from pyveg.core.ports import Store
from pyveg.core.report import RunReport
from pyveg.core.tasks import State


class RunLog:
    """An observer that writes plain lines to ``_pyveg/run.log`` of any Store.

    A Store replaces whole values, so lines are gathered and written every few seconds.
    """

    def __init__(self, store: Store, warnings: Iterable[str] = (), every: float = 2.0) -> None:
        self._store = store
        self._every = every
        try:
            self._text = store.read(LOG_FILE).decode()
        except KeyMissingError:
            self._text = ""
        self._new: list[str] = []
        self._written = time.monotonic()
        for warning in warnings:
            self._line(f"warning: {warning}")

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._line(f"the run ended with an error: {type(error).__name__}: {error}")
        self._write()

    def __call__(self, event: Event) -> None:
        """Note an event."""
        if isinstance(event, RunStarted):
            self._line(f"run {event.url}: {len(event.graph)} tasks")
        elif isinstance(event, TaskEnded):
            self._task_ended(event)
        elif isinstance(event, RunEnded):
            self._line("interrupted" if event.interrupted else "all tasks have ended")
        elif isinstance(event, EngineStatus | ClosingStep):
            self._line(event.text)
        elif isinstance(event, TaskStarted):
            return
        if time.monotonic() - self._written > self._every:
            self._write()

    def close_with(self, report: RunReport) -> None:
        """Note how the run ended."""
        counts = ", ".join(f"{count} {state}" for state, count in report.counts.items())
        self._line(f"{counts} in {report.seconds:.1f} s")
        for text in report.analyses:
            self._line(f"analysis of {text}")
        if report.analysis_failed:
            self._line(f"there is no analysis: {report.analysis_failed}")

    def _task_ended(self, event: TaskEnded) -> None:
        result = event.result
        if result.state is State.CACHED:
            return
        text = f"{result.task_id} {result.state} in {result.seconds:.2f} s"
        self._line(f"{text}: {result.reason}" if result.reason else text)
        if result.details:
            self._new.extend(f"    {line}" for line in result.details.splitlines())

    def _line(self, text: str) -> None:
        moment = datetime.now(tz=UTC).astimezone()
        self._new.append(f"{moment:%Y-%m-%d %H:%M:%S} {text}")

    def _write(self) -> None:
        """Write what there is; lines that the Store does not take now wait for the next time."""
        self._written = time.monotonic()
        self._text += "".join(f"{line}\n" for line in self._new)
        self._new.clear()
        # Names of files may be any bytes: what is no text is written as an escape.
        with suppress(StoreError, OSError):
            self._store.write(LOG_FILE, self._text.encode("utf-8", "backslashreplace"))
