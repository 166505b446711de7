"""What goes on by itself: threads and timers, and the one lock that they share with requests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from azure_batch_emulator.host.timers import Timer, Timers

Action = Callable[[], None]


class Background:
    """The lock of an account, and the threads and timers that work under it.

    Whoever reads or changes anything in the account holds `lock`; threads that run tasks take it
    only for the moment of a change.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.closed = False
        self._timers = Timers()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Let time pass."""
        self._timers.start()

    def do(self, action: Action) -> None:
        """Do something under the lock, unless the emulator was stopped."""
        with self.lock:
            if not self.closed:
                action()

    def after(self, seconds: float, action: Action) -> Timer:
        """Do something in so many seconds, under the lock, unless the emulator was stopped."""
        return self._timers.after(seconds, lambda: self.do(action))

    def spawn(self, action: Action, name: str | None = None) -> None:
        """Do something in a thread that `stop` waits for; called under the lock."""
        self._threads = [old for old in self._threads if old.is_alive()]
        thread = threading.Thread(target=action, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Wait until all threads have ended; called without the lock, when it is `closed`."""
        self._timers.stop()
        for thread in self._threads:
            thread.join()
