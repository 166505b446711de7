"""The log of a run, drawn from its events.

`_pyveg/run.log` is written at the end of each attempt, and now and then before. What an attempt
that still goes on, or was killed, has told since then stands in its segments; both together are the
whole log. The marks that tell them apart are ordinary lines: each attempt has one where it begins
and one where it ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from pyveg.core import segments
from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import LOG_FILE
from pyveg.core.ports import Store
from pyveg.core.records import Kind, Record
from pyveg.core.segments import Segment, Writer
from pyveg.core.texts import shown

_MARK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d attempt (\d+) (begins|ends)\b")
_TOLD = {
    "cached": "were done before",
    "cancelled": "were given up",
}


def first_line(writer: Writer) -> str:
    """The line that an attempt begins with."""
    text = f"attempt {writer.epoch} begins: process {writer.pid} on host {shown(writer.host)}"
    return _stamped(writer.start, writer.offset, text)


def last_line_unsaid(writer: Writer, at: float) -> str:
    """The line of an attempt that ended without a word, as one that is killed does."""
    return _stamped(at, writer.offset, f"attempt {writer.epoch} ends: it was cut off")


def lines_of(record: Record, writer: Writer) -> list[str]:
    """What the log says of an event; nothing of the beginning of a Task."""
    if record.kind is Kind.STARTED:
        return []
    text = _text(record, writer)
    if not record.details:
        return [_stamped(record.at, writer.offset, text)]
    details = [f"    {shown(line)}" for line in record.details.splitlines()]
    return [_stamped(record.at, writer.offset, text), *details]


def _text(record: Record, writer: Writer) -> str:
    reason = f": {shown(record.text)}" if record.text else ""
    match record.kind:
        case Kind.ENDED:
            text = f"{shown(record.task)} {record.state} in {record.seconds:.2f} s{reason}"
        case Kind.RUN:
            text = f"run {shown(record.text)}: {sum(record.counts.values())} tasks"
        case Kind.MANY:
            text = f"{_many(record)}{reason}"
        case Kind.ENGINE | Kind.STEP | Kind.NOTE:
            text = shown(record.text)
        case Kind.OVER:
            text = "interrupted" if record.flag else "all tasks have ended"
        case Kind.LOST:
            text = f"{sum(record.counts.values())} events could not be written and are lost"
        case Kind.CLOSED:
            text = f"attempt {writer.epoch} ends, {record.state}{reason}"
        case _:
            text = ""
    return text


def _many(record: Record) -> str:
    each = ", ".join(f"{shown(label)} {count}" for label, count in record.counts.items())
    told = _TOLD.get(record.state, f"are {record.state}")
    return f"{sum(record.counts.values())} tasks {told} ({each})"


def _stamped(at: float, offset: int, text: str) -> str:
    return f"{_clock(int(at), offset)} {text}"


@lru_cache(maxsize=8)  # many lines are of the same second
def _clock(second: int, offset: int) -> str:
    moment = datetime.fromtimestamp(second, timezone(timedelta(minutes=offset)))
    return f"{moment:%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class _Kept:
    """What of the file stands, and of which attempts it tells the end."""

    lines: int
    """So many from the beginning; the rest is drawn anew."""
    ended: frozenset[int]


def log_so_far(
    store: Store, keys: Sequence[str] | None = None, *, all_over: bool = False
) -> Iterator[str]:
    """The log of a run line by line, however far it is, without a line break at the end.

    Parameters
    ----------
    store : Store
    keys : sequence of str, optional
        The segments that there are; else they are listed.
    all_over : bool
        Whether none of them is of an attempt that goes on.

    Yields
    ------
    str
    """
    if keys is None:
        keys = segments.segment_keys(store)
    kept = _kept(store, {segments.epoch_of(key) for key in keys})
    for number, line in enumerate(_file_lines(store)):
        if number >= kept.lines:
            break
        yield line
    rest = [key for key in keys if segments.epoch_of(key) not in kept.ended]
    drawing = Drawing()
    for part in segments.read_segments(store, rest):
        yield from drawing.lines(part)
    if all_over:
        yield from drawing.end()


def _kept(store: Store, with_events: set[int]) -> _Kept:
    """What of `run.log` need not be drawn anew: up to an attempt of which it lacks the end."""
    open_since: dict[int, int] = {}
    ended: set[int] = set()
    number = -1
    for number, line in enumerate(_file_lines(store)):
        mark = _MARK.match(line)
        if mark is None:
            continue
        epoch = int(mark[1])
        if mark[2] == "begins":
            open_since.setdefault(epoch, number)
        else:
            ended.add(epoch)
    # One whose segments somebody has removed is all that there is of it.
    cut = [line for epoch, line in open_since.items() if epoch in with_events - ended]
    keep = min(cut, default=number + 1)
    lost = {epoch for epoch in ended if open_since.get(epoch, 0) >= keep}
    return _Kept(keep, frozenset(ended - lost))


def _file_lines(store: Store) -> Iterator[str]:
    """Lines of `run.log`; what is no text in it becomes a question mark."""
    try:
        with store.open_read(LOG_FILE) as stream:
            for line in stream:
                yield line.decode("utf-8", "replace").rstrip("\r\n")
    except KeyMissingError:
        return


class Drawing:
    """Draws lines from segments as they come, in order.

    Parameters
    ----------
    after : Segment, optional
        The one before the first, which somebody else has drawn.
    """

    def __init__(self, after: Segment | None = None) -> None:
        self._writer = after.writer if after is not None else None
        self._last = 0.0
        self._closed = after is None
        for record in after.records if after is not None else ():
            self._note(record)

    def lines(self, segment: Segment) -> Iterator[str]:
        """What the log says of the events of a segment."""
        writer = segment.writer
        if self._writer is None or writer.name != self._writer.name:
            yield from self.end()
            self._writer, self._last, self._closed = writer, writer.start, False
            yield first_line(writer)
        for record in segment.records:
            self._note(record)
            yield from lines_of(record, writer)

    def end(self) -> Iterator[str]:
        """The last line of an attempt that is known to be over, where it did not say so."""
        if not self._closed and self._writer is not None:
            self._closed = True
            yield last_line_unsaid(self._writer, self._last)

    def _note(self, record: Record) -> None:
        self._last = record.at
        self._closed = self._closed or record.kind is Kind.CLOSED
