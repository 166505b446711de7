"""Waiting for what an account, or Azure itself, does not have now: a quota, nodes."""

from __future__ import annotations

import re

from pyveg.core.errors import ConfigError
from pyveg.runners.azure_batch import advice

ASK_AGAIN = 30.0
"""Seconds between two requests for nodes that were refused."""
_QUOTAS = ("ActiveJobAndScheduleQuotaReached", "PoolQuotaReached")
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)\s*")
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_in(text: str, where: str, setting: str = "wait_for_quota") -> float:
    """Seconds of a length of time; 0 for an empty text.

    Parameters
    ----------
    text : str
        Such as ``2h``.
    where : str
        Begins the messages of errors.
    setting : str
        Which setting the text is of.

    Raises
    ------
    ConfigError
        If it is no such text.

    Examples
    --------
    >>> seconds_in("2h", "config"), seconds_in("1.5 min", "config"), seconds_in("", "config")
    (7200.0, 90.0, 0.0)
    """
    if not text.strip():
        return 0.0
    found = _LENGTH.fullmatch(text.lower())
    if found is None:
        raise ConfigError(
            f'{where}: {setting} = "{text}" is no length of time', 'write "30m" or "2h"'
        )
    return float(found[1]) * _UNITS[found[2]]


def lacks_quota(error: Exception) -> bool:
    """Whether the service refuses a pool or a job as the account has as many as it may."""
    return advice.code_of(error) in _QUOTAS
