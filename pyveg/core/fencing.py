"""Writes that happen only while the run is still one's own.

The lock of a run has an epoch, which rises whenever somebody takes it (`pyveg.core.ports.Lock`).
Each Task carries the epoch of the attempt that it belongs to. One that comes from an older attempt,
because its client was suspended or its node cut off, finds a larger epoch in the Store and writes
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock as ThreadLock
from typing import IO, Any

from pyveg.core.clock import elapsed
from pyveg.core.errors import LockLostError, StoreGoneError
from pyveg.core.layout import LOCK
from pyveg.core.ports import EPOCH_TRUSTED, Grant, Holder, Lock, Rights, Store

ADOPTION_SECONDS = 60.0
"""How long a Task waits for the attempt that took over to adopt it."""
_LOOK_AGAIN = 1.0

Check = Callable[[], None]
"""Returns where writing is allowed; raises `LockLostError` where it is not."""


class FencedStore:
    """A Store that asks before each write whether it may still write.

    Parameters
    ----------
    store : Store
    check : callable
        Raises where nothing may be written any more.
    """

    def __init__(self, store: Store, check: Check) -> None:
        self._store = store
        self._check = check
        self.shared = store.shared
        self.transfers = store.transfers
        self.url = store.url

    @property
    def address(self) -> str:
        """Where any machine finds it."""
        return self._store.address

    def spec(self) -> dict[str, Any]:
        """What opens the Store itself again."""
        return self._store.spec()

    def grant(self, rights: Rights = "all", life: Any = None) -> Grant:
        """What another process needs to open the Store."""
        return self._store.grant(rights, life)

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        return self._store.read(key)

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        self._check()
        self._store.write(key, data)

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        return self._store.size(key)

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._check()
        self._store.delete(key)

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        return self._store.list(prefix)

    def open_read(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Read a value as a stream."""
        return self._store.open_read(key)

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        """Write a value as a stream; asked again before it appears, as that can be much later."""
        self._check()
        with self._store.open_write(key) as stream:
            yield stream
            self._check()

    def lock(self, key: str) -> AbstractContextManager[Lock]:
        """Hold the only lock of that name."""
        return self._store.lock(key)

    def holder(self, key: str) -> Holder | None:
        """Who holds the lock of that name."""
        return self._store.holder(key)

    def epoch(self, key: str) -> int:
        """How often the lock of that name has been taken."""
        return self._store.epoch(key)

    def discard_partial(self) -> None:
        """Remove what interrupted writes left behind."""
        self._check()
        self._store.discard_partial()


class _Trust:
    """What this process has seen lately: until when an epoch of a Store need not be read again."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, int], float] = {}
        self._guard = ThreadLock()

    def has(self, url: str, epoch: int) -> bool:
        return elapsed() < self._until.get((url, epoch), 0.0)

    def add(self, url: str, epoch: int, asked: float) -> None:
        with self._guard:
            if len(self._until) > 64:  # runs of a long-lived worker that are over
                self._until.clear()
            self._until[url, epoch] = asked + EPOCH_TRUSTED


_trust = _Trust()


class Fence:
    """Whether a Task may write.

    Parameters
    ----------
    store : Store
        Of the run.
    epoch : int
        Of the attempt that the Task belongs to; 0 for a Task of none, which may always write.
    adopted : callable, optional
        Reads anew to which epoch the Task belongs, where another attempt can adopt it.
    """

    def __init__(self, store: Store, epoch: int, adopted: Callable[[], int] | None = None) -> None:
        self._store = store
        self._epoch = epoch
        self._adopted = adopted
        self._lost: LockLostError | None = None

    def check(self) -> None:
        """Return where the Task may write.

        Raises
        ------
        LockLostError
            If a later attempt has taken over the run, and has not adopted this Task.
        StoreGoneError
            If the run is not there any more; writing would make its place anew.
        """
        if self._lost is not None:  # for good, and nobody waits for an adoption twice
            raise self._lost
        if self._epoch == 0 or _trust.has(self._store.url, self._epoch):
            return
        asked = elapsed()  # before the answer, so that no delay of it is trusted
        now = self._store.epoch(LOCK)
        if now < self._epoch:
            raise StoreGoneError(
                f"the run in {self._store.url} is gone: its lock is not there any more",
                "look who has removed or emptied it, and start a new run",
            )
        if now > self._epoch and not self._is_adopted(now):
            self._lost = LockLostError(
                f"the run in {self._store.url} was taken over by another process (attempt {now}; "
                f"this task is of attempt {self._epoch})",
                "nothing was written; the later attempt does it",
            )
            raise self._lost
        _trust.add(self._store.url, self._epoch, asked)

    def _is_adopted(self, now: int) -> bool:
        """Wait for the later attempt, which looks through what is in hand when it begins."""
        if self._adopted is None:
            return False
        end = elapsed() + ADOPTION_SECONDS
        while (epoch := self._adopted()) < now:
            if elapsed() > end:
                return False
            time.sleep(_LOOK_AGAIN)
        self._epoch = epoch
        return True
