"""Time that goes on while the machine sleeps, and that nobody sets."""

from __future__ import annotations

import time


def elapsed() -> float:
    """Seconds since some moment in the past; for differences within one process.

    The system's clock can be set, and its monotonic one stands still while a laptop's lid is
    closed; leases run out meanwhile.
    """
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only; macOS counts sleep anyway
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)
