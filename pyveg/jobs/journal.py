"""What a run tells while it goes on, kept in its own Store: events, status and log."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from pyveg.core import stop
from pyveg.core.clock import elapsed
from pyveg.core.errors import PyvegError, RunLockedError
from pyveg.core.events import Event, RunEnded, TaskEnded
from pyveg.core.layout import STATUS_FILE
from pyveg.core.ports import Store
from pyveg.core.records import Kind, Record, kept, record_of
from pyveg.core.report import EXIT_INTERRUPTED, EXIT_WRONG, RunReport
from pyveg.core.runlog import first_line, lines_of
from pyveg.core.segments import Writer
from pyveg.core.status import Phase, Status
from pyveg.core.tally import Tally
from pyveg.core.tasks import State
from pyveg.core.texts import said
from pyveg.core.types import StopHow
from pyveg.jobs.log_writer import LogWriter
from pyveg.jobs.segment_writer import SegmentWriter

_TICK = 0.25
"""Seconds between two looks of the thread at what there is to do."""
_STATUS_PAUSE = 1.0
"""Least seconds between two writes of the status."""
_MOST_EVENTS = 50_000
"""Events that wait at most for the thread, which may be held up by a slow Store."""
_LONGEST_END = 60.0
"""Seconds that the end of a run waits for its last events to be written."""
_TOGETHER = (State.CACHED, State.CANCELLED)
"""States that Tasks come to in great numbers at once: such are told together."""


class Journal:
    """An observer that leaves in the Store of a run what happens to it.

    Events go to numbered segments, each written once; how far it is, to a small file that is
    replaced when something has changed; the log is written at the end, and whenever it has doubled.
    All that is done by a thread of its own, and nothing that fails in it harms the run.

    The thread also looks whether somebody has asked this attempt to stop (`pyveg.core.stop`).

    Parameters
    ----------
    store : Store
        Of the run; one that refuses to write when the lock of the run has been lost.
    epoch : int
        The attempt: the epoch of the lock.
    warnings : iterable of str
        What the log begins with.
    on_stop : callable, optional
        Told once of a request to stop, and who has asked, in the thread of the journal.
    clock : callable
        Gives the time in seconds since 1970 (UTC), for those who read it.
    pace : callable
        Gives seconds that nobody sets; how often something is written goes by it.
    threaded : bool
        Whether it has a thread; else nothing is written before `tick` is called.
    """

    def __init__(
        self,
        store: Store,
        *,
        epoch: int = 0,
        warnings: Iterable[str] = (),
        on_stop: Callable[[StopHow, str], object] | None = None,
        clock: Callable[[], float] = time.time,
        pace: Callable[[], float] = elapsed,
        threaded: bool = True,
    ) -> None:
        self._store = store
        self._on_stop = on_stop
        self._clock = clock
        self._pace = pace
        self._writer = Writer(epoch, round(clock(), 3))
        self._segments = SegmentWriter(store, self._writer, pace())
        self._log = LogWriter(store, epoch)
        self._log.add([first_line(self._writer)])
        self._guard = threading.Lock()
        self._tally = Tally(url=store.url)
        self._events: deque[tuple[Event | Record, float]] = deque()
        self._lost = 0
        self._told: Status | None = None
        self._status_at = self._stop_at = float("-inf")
        self._stop_pause = 1.0 if store.transfers == 1 else 2.0
        self._may_write = True
        self._wake = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._work, name="pyveg-journal", daemon=True)
        for warning in warnings:
            self._note(f"warning: {warning}")
        self._threaded = threaded

    def __enter__(self) -> Journal:
        if self._threaded:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._close_with_error(error)
        elif self._tally.phase in (Phase.STARTING, Phase.RUNNING):
            self._close(Phase.ENDED)
        self._over = True
        if self._threaded:
            self._wake.set()
            try:
                self._thread.join(_LONGEST_END)
            finally:  # who comes next writes a journal of its own
                self._may_write = False
        else:
            self._finish()

    def __call__(self, event: Event) -> None:
        """Note an event: nothing is read or written here."""
        now = self._clock()
        with self._guard:
            self._tally.note(event)
            if len(self._events) < _MOST_EVENTS:
                self._events.append((event, now))
            else:
                self._lost += 1

    def close_with(self, report: RunReport) -> None:
        """Note how the run ended."""
        counts = ", ".join(f"{count} {state}" for state, count in report.counts.items())
        self._note(f"{counts} in {report.seconds:.1f} s")
        for text in report.analyses:
            self._note(f"analysis of {text}")
        if report.analysis_failed:
            self._note(f"there is no analysis: {report.analysis_failed}")
        for text in (*report.used, *([report.limit] if report.limit else [])):
            self._note(text)
        phase = Phase.INTERRUPTED if report.interrupted else Phase.ENDED
        self._close(phase, report.limit, report.exit_code)

    def tick(self) -> None:
        """Do what is due; called by the thread."""
        now = self._pace()
        if self._may_write:
            try:
                self._write_what_is_due(now)
            except RunLockedError:  # the run is somebody else's now, and so is its journal
                self._may_write = False
        if now - self._stop_at >= self._stop_pause:
            self._stop_at = now
            self._look_for_a_stop()

    # -- what the thread does --------------------------------------------------------------------

    def _work(self) -> None:
        while not self._over:
            with suppress(Exception):  # whatever it is, it is not worth the run
                self.tick()
            self._wake.wait(_TICK)
        self._finish()

    def _write_what_is_due(self, now: float) -> None:
        self._take()
        if self._segments.due(now):
            self._segments.write(now)
        if now - self._status_at >= _STATUS_PAUSE:
            self._write_status(now)
        if self._log.due(now):
            self._log.write(now)

    def _finish(self) -> None:
        """Write the rest; the status last, so that whoever sees the end finds everything."""
        now = self._pace()
        steps: tuple[Callable[[], object], ...] = (
            self._take,
            lambda: self._segments.write(now),
            lambda: self._log.write(now, last=True),
            lambda: self._write_status(now),
        )
        for step in steps:
            if self._may_write:
                try:
                    step()
                except RunLockedError:
                    self._may_write = False
                except Exception:  # noqa: BLE001 - nor is this worth the run
                    continue
        self._log.close()

    def _take(self) -> None:
        """Draw the log of what has happened, and give it to be written."""
        now = self._now()
        with self._guard:
            count = len(self._events)
            lost, self._lost = self._lost, 0
        together: dict[tuple[str, str], Counter[str]] = {}
        records: list[Record] = []
        for _ in range(count):
            event, at = self._events.popleft()
            if isinstance(event, Record | RunEnded):
                records += _many(together, at)
                together.clear()
                records.append(event if isinstance(event, Record) else record_of(event, at))
            elif isinstance(event, TaskEnded) and event.result.state in _TOGETHER:
                why = str(event.result.state), kept(event.result.reason)
                together.setdefault(why, Counter())[event.task.step.label] += 1
            else:
                records.append(record_of(event, at))
        records += _many(together, now)
        self._segments.add(records)
        if lost:
            self._segments.lost(lost, now)
        for record in records:
            self._log.add(lines_of(record, self._writer))

    def _write_status(self, now: float) -> None:
        with self._guard:
            writer = self._writer
            status = self._tally.status(writer.epoch, writer.host, writer.pid, writer.start, 0.0)
        if status == self._told:
            return
        self._status_at = now
        data = replace(status, at=self._now()).to_bytes()
        try:
            self._store.write(STATUS_FILE, data)
        except RunLockedError:
            raise
        except (PyvegError, OSError):
            return
        self._told = status

    def _look_for_a_stop(self) -> None:
        if self._on_stop is None:
            return
        try:
            request = stop.read(self._store)
        except (PyvegError, OSError):
            return
        if request is not None and request.epoch == self._writer.epoch:
            tell, self._on_stop = self._on_stop, None
            tell(request.how, f"{request.by} asked the run to stop")

    # -- how it ends -----------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        self._put(Record(Kind.NOTE, self._now(), text=kept(text)))

    def _put(self, record: Record) -> None:
        with self._guard:
            self._events.append((record, record.at))

    def _now(self) -> float:
        return round(self._clock(), 3)

    def _close_with_error(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._close(Phase.INTERRUPTED, code=EXIT_INTERRUPTED)
            return
        text = kept(said(error))
        self._note(f"the run ended with an error: {text}")
        self._close(Phase.FAILED, text, EXIT_WRONG if isinstance(error, PyvegError) else None)

    def _close(self, phase: Phase, error: str = "", code: int | None = None) -> None:
        with self._guard:
            self._tally.phase, self._tally.error, self._tally.exit_code = phase, error, code
        self._put(Record(Kind.CLOSED, self._now(), state=str(phase), text=kept(error)))


def _many(together: dict[tuple[str, str], Counter[str]], at: float) -> list[Record]:
    """Tasks that are told of together, as records."""
    return [
        Record(Kind.MANY, round(at, 3), state=state, text=reason, counts=dict(counts))
        for (state, reason), counts in together.items()
    ]
