"""The compute that a request cost, from the service's profile."""

from __future__ import annotations

from contextlib import suppress

UNIT = "EECU"
"""Head of the column that is summed: compute units of the service x seconds."""


def eecu_seconds(profile: str) -> float | None:
    """Sum over all rows of a profile.

    Parameters
    ----------
    profile : str
        The service's table: a line of heads, of which the first begins with ``EECU``; then lines
        of a number (or "-" for nothing), memory, count and what was computed.

    Returns
    -------
    float or None
        None where there is no such table.
    """
    head, *rows = profile.strip().splitlines() or [""]
    if not head.strip().startswith(UNIT):
        return None
    total = 0.0
    for row in rows:
        with suppress(ValueError, IndexError):
            total += float(row.split()[0])
    return total
