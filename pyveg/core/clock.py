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
