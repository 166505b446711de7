"""The log of requests, for those who test with the emulator."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 100_000
"""Requests that are remembered, so that an emulator can run for weeks."""


class LoggedRequest(NamedTuple):
    """One request that was answered."""

    method: str
    path: str
    status: int


class RequestLog:
    """The requests that were answered, the newest last; iterate over it, or ask for counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=LONGEST)
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()

    def add(self, method: str, path: str, status: int, operation: str | None) -> None:
        """Remember a request; the operation is None where it was refused before it was known."""
        with self._lock:
            self._entries.append(LoggedRequest(method, path, status))
            self._statuses[status] += 1
            if operation is not None:
                self._counts[operation] += 1

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._entries.clear()
            self._counts.clear()
            self._statuses.clear()

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was asked for, by the names of the Python client."""
        with self._lock:
            return Counter(self._counts)

    @property
    def statuses(self) -> Counter[int]:
        """How often each HTTP status was given."""
        with self._lock:
            return Counter(self._statuses)

    def __iter__(self) -> Iterator[LoggedRequest]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)
