"""When the Store of a run does not answer, so that it is told why nothing goes on."""

from __future__ import annotations

from collections.abc import Callable

from pyveg.core.clock import elapsed
from pyveg.core.events import EngineStatus
from pyveg.core.ports import Lock

LOOK_SECONDS = 5.0
"""Least time between two looks."""
LATE_SECONDS = 10.0
"""How late the renewal of a lock may be before that is told."""


class Silence:
    """Tells once that a Store does not answer, and once that it does again.

    The renewals of the lock show it: they come by themselves, whatever else is asked.

    Parameters
    ----------
    lock : Lock or None
        Where there is none, nothing is told.
    url : str
        Of the Store.
    tell : callable
    clock : callable
        Gives seconds that nobody sets.
    """

    def __init__(
        self,
        lock: Lock | None,
        url: str,
        tell: Callable[[EngineStatus], None],
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._lock, self._url, self._tell, self._clock = lock, url, tell, clock
        self._due = 0.0
        self._was_late = self._told = False

    def look(self) -> None:
        """See whether the lock is renewed; most calls do nothing."""
        if self._lock is None or self._clock() < self._due:
            return
        self._due = self._clock() + LOOK_SECONDS
        late = self._lock.overdue
        is_late = late > LATE_SECONDS
        # Twice in a row: who wakes up from a sleep is late, and renews it at once.
        if is_late and self._was_late and not self._told:
            self._say(f"{self._url} has not answered for {late:.0f} seconds; the run waits for it")
        elif self._told and not late:
            self._say(f"{self._url} answers again")
        self._was_late = is_late

    def _say(self, text: str) -> None:
        self._told = not self._told
        self._tell(EngineStatus(text, urgent=True))
