"""Time that goes on while the machine sleeps, and that nobody sets."""

from __future__ import annotations

import time

# Linux has a clock of its own for it. On macOS CLOCK_MONOTONIC counts sleep, but time.monotonic,
# which reads another one, does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed() -> float:
    """Seconds since some moment in the past; for differences within one process.

    The system's clock can be set, and its monotonic one stands still while a laptop's lid is
    closed; leases run out meanwhile.
    """
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


_LAST = 250_000_000_000
"""Seconds since 1970 of the year 9892: within what `datetime` takes in every time zone."""


def is_time(seconds: float) -> bool:
    """Whether a number, which anyone may have written or damaged, is a time since 1970.

    Examples
    --------
    >>> is_time(1769860800.25), is_time(float("inf")), is_time(float("nan")), is_time(-1)
    (True, False, False, False)
    """
    return 0 <= seconds <= _LAST
