"""Hosts that could not be reached: this process does not wait for them with each request.

Many downloads run at once, and each would find out for itself, by its own time-outs, that the
network is down. The first one tells the others here; one of them at a time looks whether the host
is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pyveg.core.errors import ServiceAwayError

PROBE_AFTER = 30.0
"""Seconds until one request may try again (our choice: as long as a network takes to come back
after a laptop has slept)."""


@dataclass
class _Away:
    wrong: str
    cure: str
    probe_at: float


class Circuit:
    """Which hosts cannot be reached just now. Many threads may use it.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> circuit = Circuit(clock=lambda: 0.0)
    >>> circuit.fell("a.org", "a.org cannot be reached", "check the network")
    >>> circuit.check("a.org")
    Traceback (most recent call last):
    ...
    pyveg.core.errors.ServiceAwayError: a.org cannot be reached; check the network
    >>> circuit.answered("a.org")
    >>> circuit.check("a.org")
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._away: dict[str, _Away] = {}

    def check(self, host: str) -> None:
        """Return where the host may be asked.

        Raises
        ------
        ServiceAwayError
            If it could not be reached, and it is too early to try again, or another tries now.
        """
        with self._lock:
            away = self._away.get(host)
            if away is None:
                return
            if self._clock() >= away.probe_at:
                away.probe_at = self._clock() + PROBE_AFTER
                return
        raise ServiceAwayError(away.wrong, away.cure)

    def is_open(self, host: str) -> bool:
        """Whether it could not be reached when it was last asked."""
        with self._lock:
            return host in self._away

    def fell(self, host: str, wrong: str, cure: str) -> None:
        """Note that it could not be reached."""
        with self._lock:
            self._away[host] = _Away(wrong, cure, self._clock() + PROBE_AFTER)

    def answered(self, host: str) -> None:
        """Note that it is there, whatever it answered."""
        with self._lock:
            self._away.pop(host, None)

    def forget(self) -> None:
        """Believe again in all of them."""
        with self._lock:
            self._away.clear()


CIRCUIT = Circuit()
"""That of this process."""


def host_of(url: str) -> str:
    """The host of an address, to call a service by."""
    return urlsplit(url).netloc or url
