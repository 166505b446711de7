"""How long nodes stood for a run: added up from looks at how many there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

HOUR = 3600.0
LOCAL = "local"
"""The size of this machine."""


@dataclass(frozen=True)
class NodeUse:
    """How long nodes of one kind stood."""

    size: str
    """As the service names it, such as ``Standard_D2s_v5``; "local" for this machine."""
    spot: bool = False
    """Whether they are cheaper ones that may be taken away."""
    seconds: float = 0.0
    """Summed over all of them."""
    price: float | None = None
    """Of a node in an hour, where the engine was told it."""

    @property
    def kind(self) -> str:
        """Its name in a table of prices.

        Examples
        --------
        >>> NodeUse("Standard_D2s_v5", spot=True).kind
        'Standard_D2s_v5 spot'
        """
        return f"{self.size} spot" if self.spot else self.size

    @property
    def hours(self) -> float:
        """The same in hours."""
        return self.seconds / HOUR


@dataclass(frozen=True)
class Capacity:
    """What an engine will have for a run, as far as it knows before."""

    at_once: int
    """Tasks that it does at once."""
    nodes: tuple[tuple[NodeUse, int], ...] = ()
    """Kinds of nodes other than this machine, and how many of each."""


class NodeClock:
    """Adds up the seconds of nodes from looks at how many there are.

    Between two looks their number is taken to lie halfway between both, as nobody knows when it
    has changed. Any thread may call it.

    Examples
    --------
    >>> now = iter([0.0, 10.0, 30.0])
    >>> clock = NodeClock(lambda: next(now))
    >>> clock.see({"D2": 2})
    >>> clock.see({"D2": 4})
    >>> clock.seconds()
    {'D2': 110.0}
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._guard = Lock()
        self._sums: dict[str, float] = {}
        self._counts: Mapping[str, int] = {}
        self._at: float | None = None

    def see(self, counts: Mapping[str, int]) -> None:
        """There are so many nodes of each kind now; those that are not named are gone."""
        with self._guard:
            now = self._now()
            self._sums, self._counts, self._at = self._summed(now, counts), dict(counts), now

    def seconds(self) -> dict[str, float]:
        """Kind -> seconds until now, summed over its nodes."""
        with self._guard:
            return self._summed(self._now() if self._counts else 0.0, self._counts)

    def _summed(self, now: float, counts: Mapping[str, int]) -> dict[str, float]:
        sums = dict(self._sums)
        if self._at is not None:
            for kind in {*counts, *self._counts}:
                between = (counts.get(kind, 0) + self._counts.get(kind, 0)) / 2
                sums[kind] = sums.get(kind, 0.0) + between * (now - self._at)
        return sums
