"""What a run tells, read back and followed while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyveg.core import segments
from pyveg.core.errors import ConfigError
from pyveg.core.layout import LOCK
from pyveg.core.ports import Store
from pyveg.core.records import Record
from pyveg.core.runlog import Drawing, lines_of, log_so_far
from pyveg.core.segments import Segment, Writer
from pyveg.runs.watch import iso, status_of

_POLL = 0.5


@dataclass(frozen=True)
class Told:
    """One event of a run, as it is read back."""

    record: Record
    writer: Writer
    """The process that wrote it."""
    place: str
    """Where it stands: what comes after it is had by giving this as `after`."""

    @property
    def attempt(self) -> int:
        """The attempt at the run that it is of."""
        return self.writer.epoch

    @property
    def lines(self) -> list[str]:
        """As it stands in the log; nothing for the beginning of a Task."""
        return lines_of(self.record, self.writer)

    def to_json(self) -> dict[str, Any]:
        """Plain data; its names are those of ``pyveg_logs --json``."""
        record = self.record
        return {
            "at": iso(datetime.fromtimestamp(record.at, UTC)),
            "attempt": self.attempt,
            "kind": str(record.kind),
            "task": record.task,
            "state": record.state,
            "seconds": record.seconds,
            "text": record.text,
            "details": record.details,
            "counts": dict(record.counts),
            "flag": record.flag,
            "usage": None if record.usage is None else record.usage.to_json(),
            "place": self.place,
        }


def events_of(store: Store, after: str = "") -> Iterator[Told]:
    """What a run has told, in order, as far as it is written.

    Parameters
    ----------
    store : Store
    after : str
        `Told.place` of the last one that is known already; all where empty.

    Yields
    ------
    Told

    Raises
    ------
    ConfigError
        If `after` is no such place.
    """
    key, line = _place(after)
    for segment in _segments_from(store, key):
        for number, record in enumerate(segment.records):
            if segment.key != key or number > line:
                yield Told(record, segment.writer, f"{segment.key}#{number}")


def _place(after: str) -> tuple[str, int]:
    """The segment and the number of an event in it."""
    if not after:
        return "", -1
    key, _, line = after.partition("#")
    if not (segments.is_segment(key) and line.isdecimal()):
        raise ConfigError(f"{after!r} is no place of an event", "give the place of one as it was")
    return key, int(line)


def _segments_from(store: Store, key: str) -> Iterator[Segment]:
    """That segment and those after it; all where there is no such key."""
    segment = segments.read_segment(store, key) if key else None
    if segment is None:
        yield from segments.read_segments(store, segments.segment_keys(store))
        return
    while segment is not None:  # one read for each look, where a listing would name all of them
        yield segment
        segment = segments.read_segment(store, segment.next_key)
    for epoch in range(segments.epoch_of(key) + 1, store.epoch(LOCK) + 1):
        yield from segments.read_segments(store, segments.segment_keys(store, epoch))


def follow_log(
    store: Store, *, poll: float = _POLL, sleep: Callable[[float], object] = time.sleep
) -> Iterator[str]:
    """The log line by line; new lines as they come, until the run has ended or died.

    Parameters
    ----------
    store : Store
    poll : float
        Seconds between two looks.
    sleep : callable
        Waits so many seconds.

    Yields
    ------
    str
    """
    keys = segments.segment_keys(store)
    yield from log_so_far(store, keys)
    last = segments.read_segment(store, keys[-1]) if keys else None
    drawing, key = Drawing(last), keys[-1] if keys else ""
    while True:
        over = not status_of(store).may_go_on  # before the last look, so that nothing is missed
        for segment in _segments_from(store, key):
            if segment.key != key:
                key = segment.key
                yield from drawing.lines(segment)
        if over:
            yield from drawing.end()
            return
        sleep(poll)
