"""Writes the events of one attempt to its Store, in segments."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from pyveg.core.errors import PyvegError, RunLockedError
from pyveg.core.ports import Store
from pyveg.core.records import Kind, Record
from pyveg.core.segments import Writer, encoded

_FIRST_PAUSE = 1.0
_GROWTH = 1_200.0
"""After this many seconds the pause between segments has grown by a second."""
_LONGEST_PAUSE = 30.0
_LARGE = 256 * 2**10
"""Bytes that are written at once, however short the time since the last segment."""
_MOST_WAITING = 4 * 2**20
"""Bytes that wait at most for a Store that takes nothing."""
_SHORTEST_RETRY = 1.0
_LONGEST_RETRY = 30.0


class SegmentWriter:
    """Gathers records, and writes them when enough time has passed or there are many.

    A segment that the Store did not take is written again, the same bytes under the same key. What
    comes meanwhile waits, up to a bound; what comes after that is counted and lost.

    Parameters
    ----------
    store : Store
    writer : Writer
    begin : float
        When the attempt began, in the time of `due` and `write`.
    """

    def __init__(self, store: Store, writer: Writer, begin: float) -> None:
        self._store = store
        self._writer = writer
        self._number = 1
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._in_hand: bytes | None = None
        self._lost: Counter[str] = Counter()
        self._lost_at = writer.start
        self._begin = begin
        self._last = float("-inf")  # the first one at once
        self._retry = 0.0

    def add(self, records: Iterable[Record]) -> None:
        """Take records that are to be written."""
        for record in records:
            if self._size > _MOST_WAITING and record.kind is not Kind.CLOSED:
                self._lost["events"] += 1
                self._lost_at = record.at
                continue
            line = record.to_line()
            self._waiting.append(line)
            self._size += len(line) + 1

    def lost(self, count: int, at: float) -> None:
        """Count records that were lost before they came here, the last of them at that time."""
        self._lost["events"] += count
        self._lost_at = at

    def due(self, now: float) -> bool:
        """Whether something should be written now."""
        if not self._waiting and self._in_hand is None:
            return False
        pause = min(_FIRST_PAUSE + (now - self._begin) / _GROWTH, _LONGEST_PAUSE)
        if self._retry:
            return now - self._last >= self._retry
        return self._size >= _LARGE or now - self._last >= pause

    def write(self, now: float) -> bool:
        """Write all that waits; False where the Store does not take it just now.

        Raises
        ------
        LockLostError
            If nothing may be written any more.
        """
        self._last = now
        while self._waiting or self._in_hand is not None:
            if self._in_hand is None:
                self._in_hand = encoded(self._writer, self._next_lines())
            if not self._written(self._in_hand):
                self._retry = min(max(2 * self._retry, _SHORTEST_RETRY), _LONGEST_RETRY)
                return False
            self._in_hand = None
            self._number += 1
            self._retry = 0.0
        return True

    def _next_lines(self) -> list[bytes]:
        """So many lines as belong into one segment, and how many were lost after them."""
        lines: list[bytes] = []
        size = 0
        while self._waiting and (not lines or size < _LARGE):
            line = self._waiting.popleft()
            lines.append(line)
            size += len(line) + 1
        self._size -= size
        if self._lost and not self._waiting:
            record = Record(Kind.LOST, self._lost_at, counts=dict(self._lost))
            lines.append(record.to_line())
            self._lost.clear()
        return lines

    def _written(self, data: bytes) -> bool:
        try:
            self._store.write(self._writer.key(self._number), data)
        except RunLockedError:
            raise
        except (PyvegError, OSError):
            return False
        return True
