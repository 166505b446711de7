"""How many requests this process has made to services, and how many bytes went each way.

Who makes a request counts it here. A Task takes what has been counted by its end, so that the sum
over Tasks is exact; where Tasks share a process, as in threads, one may have what is another's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import add
from threading import Lock
from typing import Any

NOTE = "transfers"
"""Name of the note of a Task that has its share."""


@dataclass(frozen=True)
class Transfers:
    """Requests, and bytes of bodies.

    Examples
    --------
    >>> Transfers(2, 300) + Transfers(1, 0, 50)
    Transfers(requests=3, received=300, sent=50, storage_requests=0, storage_received=0)
    >>> Transfers.from_json({"requests": 3}).requests, Transfers.from_json("damaged").requests
    (3, 0)
    """

    requests: int = 0
    received: int = 0
    """Bytes that came from services."""
    sent: int = 0
    """Bytes that went to them."""
    storage_requests: int = 0
    """Of the requests, those to a storage account, whose owner pays for them."""
    storage_received: int = 0
    """Bytes that came from one."""

    def __add__(self, other: Transfers) -> Transfers:
        return Transfers(*map(add, vars(self).values(), vars(other).values()))

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def to_json(self) -> dict[str, int]:
        """Plain data that `from_json` reads back."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Any) -> Transfers:
        """Read what `to_json` wrote; nothing where it is damaged."""
        if not isinstance(data, Mapping):
            return cls()
        given = {spec.name: data.get(spec.name, 0) for spec in fields(cls)}
        return cls(**given) if all(isinstance(value, int) for value in given.values()) else cls()


def less(whole: Transfers, part: Transfers) -> Transfers:
    """What is left of some when others are taken away; never less than nothing.

    Examples
    --------
    >>> less(Transfers(3, 10), Transfers(1, 20)).requests
    2
    """
    pairs = zip(vars(whole).values(), vars(part).values(), strict=True)
    return Transfers(*(max(0, a - b) for a, b in pairs))


_guard = Lock()
_counted = Transfers()
_once = Transfers()


def note_once(moved: Transfers) -> None:
    """Say which of what is counted does not grow with the number of Tasks, as packages for nodes.

    Parameters
    ----------
    moved : Transfers
    """
    global _once  # noqa: PLW0603
    with _guard:
        _once += moved


def take_once() -> Transfers:
    """What was noted so since it was taken last."""
    global _once
    with _guard:
        taken, _once = _once, Transfers()
    return taken


def count(requests: int = 1, received: int = 0, sent: int = 0, *, storage: bool = False) -> None:
    """Count requests of this process. Any thread may call it.

    Parameters
    ----------
    requests : int
    received, sent : int
        Bytes.
    storage : bool
        Whether a storage account was asked.
    """
    paid = (requests, received) if storage else (0, 0)
    global _counted  # noqa: PLW0603 - the one counter of the process
    with _guard:
        _counted += Transfers(requests, received, sent, *paid)


def take() -> Transfers:
    """What was counted since it was taken last.

    Examples
    --------
    >>> before = take()
    >>> count(received=12)
    >>> take().received, bool(take())
    (12, False)
    """
    global _counted
    with _guard:
        taken, _counted = _counted, Transfers()
    return taken
