"""Things to be done later, by one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Timer:
    """One thing to be done."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Do it not."""
        self.action = None


class Timers:
    """A thread that does things when their time has come."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="batch-timers", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Do nothing more; what is being done is finished."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join()

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Do something in so many seconds."""
        timer = Timer(action)
        with self._wake:
            due = time.monotonic() + seconds
            heapq.heappush(self._heap, (due, next(self._numbers), timer))
            if self._heap[0][2] is timer:
                self._wake.notify()
        return timer

    def _run(self) -> None:
        while (timer := self._next()) is not None:
            action = timer.action
            if action is not None:
                _carefully(action)

    def _next(self) -> Timer | None:
        with self._wake:
            while not self._stopped:
                if not self._heap:
                    self._wake.wait()
                    continue
                remaining = self._heap[0][0] - time.monotonic()
                if remaining <= 0:
                    return heapq.heappop(self._heap)[2]
                self._wake.wait(remaining)
            return None


def _carefully(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:  # noqa: BLE001 - one mistake must not stop the clock
        _log.exception("an action of the emulator failed")
