"""Who this process waits for just now, and for how long: for progress bars.

Whoever waits before asking a service again says so; whoever shows progress looks. ::

    with waiting.told("planetarycomputer.microsoft.com", "429", 12.0):
        time.sleep(12.0)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

LEAST = 1.0
"""Waits of fewer seconds are nobody's concern."""


@dataclass(frozen=True, eq=False)
class _Wait:
    whom: str
    why: str
    until: float
    over_by_itself: bool = False


_lock = threading.Lock()
_waits: list[_Wait] = []
_listeners: list[Callable[[str], None]] = []


@contextmanager
def told(whom: str, why: str, seconds: float) -> Iterator[None]:
    """Say that this thread waits, as long as the context lasts.

    Parameters
    ----------
    whom : str
        The service.
    why : str
        In a word or two, such as an HTTP status.
    seconds : float
        Until it is asked again.
    """
    if seconds < LEAST:
        yield
        return
    wait = _add(_Wait(whom, why, time.monotonic() + seconds))
    try:
        yield
    finally:
        with _lock:
            _waits.remove(wait)


def heard_of(whom: str, why: str, seconds: float) -> None:
    """Say that a library waits, which tells when it begins to, and not when it is done.

    Parameters
    ----------
    whom, why, seconds
        As of `told`.
    """
    if seconds >= LEAST:
        _add(_Wait(whom, why, time.monotonic() + seconds, over_by_itself=True))


def _add(wait: _Wait) -> _Wait:
    with _lock:
        _waits.append(wait)
        listeners = list(_listeners)
    text = line()
    for listener in listeners:
        with suppress(Exception):  # who shows progress is not worth a request
            listener(text)
    return wait


def line() -> str:
    """Whom this process waits for, in one line; empty where it waits for nobody.

    Several that wait for one service are one, with the time until the first asks again.
    """
    moment = time.monotonic()
    with _lock:
        _waits[:] = [wait for wait in _waits if not wait.over_by_itself or wait.until > moment]
        waits = sorted(_waits, key=lambda wait: wait.until)
    first: dict[tuple[str, str], float] = {}
    for wait in waits:
        first.setdefault((wait.whom, wait.why), wait.until)
    parts = [
        f"{whom} ({why}, again in {max(1.0, until - moment):.0f} s)"
        for (whom, why), until in first.items()
    ]
    return f"waiting for {', '.join(parts)}" if parts else ""


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Have a function told each new line, from the thread that begins to wait."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
