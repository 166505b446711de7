"""A lock that must be renewed, and what happens when that was not done in time."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyveg.core.clock import elapsed
from pyveg.core.errors import LockLostError, PyvegError, StoreError, StoreGoneError
from pyveg.core.ports import EPOCH_TRUSTED
from pyveg.storage.lock_owner import perhaps_lost

TAKEOVER_SECONDS = 2 * EPOCH_TRUSTED
"""How long who takes over waits, so that no Task of the former holder writes after that."""


class Losable:
    """A lock that is held until it is found lost, and those who want to know of it."""

    def __init__(self) -> None:
        self.epoch = 0
        self._lost: PyvegError | None = None
        self._listeners: list[Callable[[Exception], None]] = []
        self._guard = threading.Lock()  # of the fields; never held while a Store is asked

    @property
    def overdue(self) -> float:
        """Seconds by which its renewal is late; 0 where it is not renewed at all."""
        return 0.0

    def check(self) -> None:
        """Return at once where it is held for sure.

        Raises
        ------
        LockLostError
            If somebody else took over, or may have. It is never held again.
        StoreGoneError
            If the Store is gone, or lets this process in no more.
        """
        self.refuse_if_lost()

    def refuse_if_lost(self) -> None:
        """Raise what has been found out, without looking again."""
        if self._lost is not None:
            # A new one each time, as several threads may raise it.
            raise type(self._lost)(self._lost.wrong, self._lost.cure)

    def on_lost(self, tell: Callable[[Exception], None]) -> None:
        """Have a function called, once and from any thread, as soon as `check` would raise."""
        with self._guard:
            if self._lost is None:
                self._listeners.append(tell)
                return
        tell(self._lost)

    def _lose(self, error: PyvegError) -> None:
        with self._guard:
            self._lost = self._lost or error

    def _announce(self) -> None:
        """Tell those who asked for it, once, where it is lost."""
        with self._guard:
            error = self._lost
            if error is None:
                return
            listeners, self._listeners = self._listeners, []
        for tell in listeners:
            tell(error)


@dataclass(frozen=True)
class Taken:
    """A lock that has just been taken."""

    epoch: int
    at: float
    """When its lease began at the earliest, on the clock `elapsed`, seconds."""
    by_force: bool
    """Whether the holder before did not give it back."""


class RenewedLock(Losable, ABC):
    """The right to write, which a thread renews until it is given back.

    A process that was suspended wakes up with a lease that may have run out. It then finds out,
    before anything else, whether somebody else has had the lock: if not it goes on, with the same
    epoch, and if so the lock is lost for good. Time is counted by a clock that goes on during the
    sleep of a laptop.

    Parameters
    ----------
    url : str
        Of the Store, for messages.
    seconds : float
        How long the lease is valid if nobody renews it; it is renewed every third of that.
    margin : float
        How much earlier it counts as run out here than for others, seconds.
    """

    def __init__(self, url: str, seconds: float, margin: float) -> None:
        super().__init__()
        self._url = url
        self._seconds = seconds
        self._valid = seconds - margin
        self._patience = seconds / 3  # networks need a moment after a sleep
        self._held_until = 0.0
        self._late_since: float | None = None
        self._renewing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pyveg-lease", daemon=True)

    @abstractmethod
    def _take(self) -> Taken:
        """Take it; `RunLockedError` where someone else has it."""

    @abstractmethod
    def _renew(self, late: bool) -> None:
        """Renew it once; where it is `late`, only after it was seen that nobody else had it.

        Raises
        ------
        LockLostError
            If somebody else had it.
        StoreGoneError
            If the Store is gone for good.
        StoreError
            If it cannot be reached now.
        """

    @abstractmethod
    def _give_back(self) -> None:
        """Let others have it, unless it is theirs already; raises as `_renew` does."""

    @property
    def overdue(self) -> float:
        """Seconds by which its renewal is late, be it refused or not answered."""
        due = self._held_until - self._valid + self._seconds / 3
        return max(0.0, elapsed() - due)

    def acquire(self) -> None:
        """Take it; `RunLockedError` where someone else has it."""
        taken = self._take()
        self.epoch = taken.epoch
        self._held_until = taken.at + self._valid
        self._thread.start()
        if not taken.by_force:
            return
        try:
            time.sleep(TAKEOVER_SECONDS)
            self.check()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give it back; nothing is removed that has become somebody else's."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        if self._runs_out():
            self._try()
        if self._lost is None and not self._runs_out():
            self._attempt(self._give_back)
        self._announce()

    def check(self) -> None:
        """Return at once where it is held for sure; else find out. Raises as `Losable.check`."""
        while self._lost is None and self._runs_out():
            self._try()
            if self._lost is None and self._runs_out():
                time.sleep(min(1.0, self._seconds / 20))
        self.refuse_if_lost()

    def _keep(self) -> None:
        # Every third, so that two renewals may fail before the lease runs out.
        while not self._stop.wait(self._seconds / 3):
            self._try()
            if self._lost is not None:
                return

    def _runs_out(self) -> bool:
        return elapsed() >= self._held_until

    def _try(self) -> None:
        """Renew it once. It is held afterwards, or lost, or nobody could be reached."""
        with self._renewing:
            begin, late = elapsed(), self._runs_out()
            if self._attempt(lambda: self._renew(late)):
                self._held_until = begin + self._valid
                self._late_since = None
            elif late and self._lost is None:
                self._late_since = begin if self._late_since is None else self._late_since
        self._announce()  # after it: who is told may wait for a thread that checks the lock

    def _attempt(self, act: Callable[[], None]) -> bool:
        """Do it, unless the lock is lost; whether that succeeded."""
        if self._lost is not None:
            return False
        try:
            act()
        except (LockLostError, StoreGoneError) as error:
            self._lose(error)
        except StoreError as error:
            since = self._late_since
            if since is not None and elapsed() - since >= self._patience:
                seconds = elapsed() - self._held_until + self._valid
                self._lose(perhaps_lost(self._url, seconds, error.wrong))
        else:
            return True
        return False


@contextmanager
def held(lock: RenewedLock) -> Iterator[RenewedLock]:
    """Hold a lock that has been taken; the end says so if it was lost."""
    try:
        yield lock
    except BaseException:  # goes first
        lock.release()
        raise
    try:
        lock.check()
    finally:
        lock.release()
    lock.refuse_if_lost()
