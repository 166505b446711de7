"""How long to wait before a request is sent again, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_WAIT, LONGEST_WAIT = 1.0, 64.0
"""Longest wait before the second try, and before any later one, seconds (our choice; the client
of the service itself starts with 2 s)."""


@dataclass(frozen=True)
class Backoff:
    """Waits that double, each drawn evenly between nothing and its longest.

    Drawn, so that clients which were turned away together do not come back together; see
    M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
    """

    total: float
    """Seconds after which a request is given up."""
    first: float = FIRST_WAIT
    longest: float = LONGEST_WAIT

    def wait(self, tries: int, waited: float, asked: float | None, draw: float) -> float | None:
        """Seconds to wait now; None to give up.

        Parameters
        ----------
        tries : int
            How often the request has been sent, at least 1.
        waited : float
            Seconds since it was sent first.
        asked : float or None
            Seconds that the service asked for (``Retry-After``); never less than these.
        draw : float
            In [0, 1).
        """
        longest = min(self.longest, self.first * 2.0 ** min(tries - 1, 30))
        seconds = longest * draw if asked is None else asked + self.first * draw
        return seconds if waited + seconds <= self.total else None


def draw() -> float:
    """In [0, 1); has no part in results."""
    return random.random()
