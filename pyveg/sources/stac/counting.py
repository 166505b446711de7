"""Counts GDAL's requests and bytes by GDAL's own statistics of its virtual file systems.

rasterio does not pass them on. They are functions of GDAL's C interface, which are found among the
libraries that rasterio has loaded; where they cannot be, nothing is counted.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

import rasterio._env

from pyveg.core import transfers

_ENABLED = b"CPL_VSIL_NETWORK_STATS_ENABLED"
_guard = Lock()
_seen = (0, 0)
"""Requests and bytes that were counted already."""


def count() -> None:
    """Count what GDAL has asked for since this was called last. Any thread may call it."""
    global _seen
    ask = _statistics()
    if ask is None:
        return
    with _guard:
        requests, received = totals(ask())
        before, _seen = _seen, (requests, received)
    transfers.count(max(0, requests - before[0]), max(0, received - before[1]))


def totals(document: bytes | None) -> tuple[int, int]:
    """Requests and received bytes in GDAL's statistics; nothing where they are empty.

    Examples
    --------
    >>> totals(b'{"methods": {"GET": {"count": 3, "downloaded_bytes": 70}, "HEAD": {"count": 1}}}')
    (4, 70)
    >>> totals(b"{}"), totals(None)
    ((0, 0), (0, 0))
    """
    methods: dict[str, Any] = json.loads(document or b"{}").get("methods", {})
    return (
        sum(int(method.get("count", 0)) for method in methods.values()),
        sum(int(method.get("downloaded_bytes", 0)) for method in methods.values()),
    )


@cache
def _statistics() -> Callable[[], bytes | None] | None:
    """A function that gives them, which begin now; None where GDAL's functions are not found."""
    try:
        library = ctypes.CDLL(rasterio._env.__file__)
        library.CPLSetConfigOption(_ENABLED, b"YES")
        library.VSINetworkStatsReset()
        ask, free = library.VSINetworkStatsGetAsSerializedJSON, library.VSIFree
    except (OSError, AttributeError):
        return None
    ask.argtypes, ask.restype = [ctypes.c_void_p], ctypes.c_void_p
    free.argtypes, free.restype = [ctypes.c_void_p], None

    def get() -> bytes | None:
        text = ask(None)
        if not text:
            return None
        try:
            return ctypes.string_at(text)
        finally:
            free(text)

    return get
