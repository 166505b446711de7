"""What was measured of a pool, every half minute, and what a formula may ask of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

PERIOD = 30.0
"""Seconds between two samples."""
_KEPT = 2 * 60 * 24
"""Samples of a day."""


@dataclass(frozen=True)
class Interval:
    """A length of time, in seconds."""

    seconds: float


class History:
    """Samples of all variables of a pool."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=_KEPT)

    def add(self, moment: float, values: Mapping[str, float]) -> None:
        """Keep the values of all variables at a moment, in seconds."""
        self._samples.append((moment, values))

    def of(self, variable: str, now: float) -> Variable:
        """One variable."""
        return Variable(tuple((at, values[variable]) for at, values in self._samples), now)


@dataclass(frozen=True)
class Variable:
    """The samples of one variable, oldest first, as they are seen at a moment."""

    samples: tuple[tuple[float, float], ...]
    now: float

    @property
    def newest(self) -> float | None:
        """The value of the newest sample; None where there is none."""
        return self.samples[-1][1] if self.samples else None

    def last(self, count: float) -> tuple[float, ...]:
        """The newest ones."""
        return tuple(value for _, value in self.samples[-int(count) :]) if count >= 1 else ()

    def between(self, start: Interval, end: Interval) -> tuple[float, ...]:
        """Those of a time frame; both ends are told by how long ago they were."""
        near, far = sorted((start.seconds, end.seconds))
        return tuple(value for at, value in self.samples if near <= self.now - at <= far)

    def percent(self, start: Interval, end: Interval) -> float:
        """How many of the samples that a time frame could have are there, from 0 to 100."""
        possible = math.floor(abs(start.seconds - end.seconds) / PERIOD)
        found = len(self.between(start, end))
        return min(100.0, 100.0 * found / possible) if possible else 100.0
