"""How long the lock of a process that was killed stays, where it is a lease."""

from __future__ import annotations

import os

from pyveg.core.errors import ConfigError

VARIABLE = "PYVEG_LEASE_SECONDS"
"""Environment variable: longer on bad connections, shorter where runs are taken over often."""


def lease_seconds(default: float, low: float, high: float) -> float:
    """What the environment says, or else the default.

    Parameters
    ----------
    default, low, high : float
        What the kind of lease has usually, and what it allows, seconds. A value beyond the limits
        becomes the nearest allowed one, as one variable serves all kinds.

    Raises
    ------
    ConfigError
        If the variable is no number above 0.

    Examples
    --------
    >>> lease_seconds(30, 15, 60)
    30
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(
            f"{VARIABLE} = {text!r} is no number of seconds", "set it to 30 or unset it"
        )
    return min(max(seconds, low), high)
