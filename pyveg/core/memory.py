"""The memory that a Task may have: who may ask for it, and where the system keeps to it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pyveg.core.errors import OutOfMemoryError
from pyveg.core.resources import GIB

SHORT = "out_of_memory"
"""Name of the note of a Task that died for want of memory, or may have."""

_allowed: ContextVar[float] = ContextVar("memory", default=0.0)
_before: ContextVar[Any] = ContextVar("limits before", default=None)
_kept = {"by the system": False}
_alone = threading.Lock()
"""Held by the Task whose limit the process has: of two that overlap, the second would take the
limit of the first for what was there before, and leave it behind for ever."""


def allowed() -> float:
    """GiB that the Task of this thread may have, its programs included; 0 for no limit."""
    return _allowed.get()


def keep_limits() -> None:
    """Say that this process runs one Task at a time and nothing else.

    From now on the system refuses a Task more memory than it may have.
    """
    _kept["by the system"] = True


def is_short(error: BaseException) -> bool:
    """Whether that is how a Task ends for want of memory."""
    return isinstance(error, MemoryError | OutOfMemoryError)


def explained(error: BaseException) -> BaseException:
    """The same, with the limit in its reason where it is one of memory."""
    if not isinstance(error, MemoryError):
        return error
    limit = allowed()
    less = (
        f"it needs more memory than the {limit:g} GiB that it may have"
        if limit
        else ("this machine had no memory for it")
    )
    return OutOfMemoryError(
        less, 'raise memory_gb of its Module\'s "resources", or give it retry_memory_gb'
    )


@contextmanager
def limited(gib: float) -> Iterator[None]:
    """Let a Task have so much memory, 0 for any; what the process has already comes on top."""
    token = _allowed.set(gib)
    alone = bool(gib and _kept["by the system"]) and _alone.acquire(blocking=False)
    before = _limit(gib) if alone else None
    token_before = _before.set(before)
    try:
        yield
    finally:
        _allowed.reset(token)
        _before.reset(token_before)
        if before is not None:
            _set(before)
        if alone:
            _alone.release()


@contextmanager
def lifted() -> Iterator[None]:
    """Let a process be started that does not inherit the limit: it is watched by itself."""
    before = _before.get()
    if before is None:
        yield
        return
    import resource

    now = resource.getrlimit(resource.RLIMIT_DATA)
    _set(before)
    try:
        yield
    finally:
        _set(now)


def _limit(gib: float) -> Any:
    """Lower the limit of the process; what it was. None where the system has no such limit."""
    if not sys.platform.startswith("linux"):
        return None
    import resource

    data = _data_bytes()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data + int(gib * GIB)
    if not data or (before[1] != resource.RLIM_INFINITY and before[1] < wanted):
        return None
    _set((wanted, before[1]))
    return before


def _set(limits: Any) -> None:
    import resource

    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def _data_bytes() -> int:
    """What counts towards that limit now; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def of_machine() -> float:
    """GiB of this machine, or of the container that it is; 0 where that is not known."""
    sizes: list[float] = []
    with suppress(OSError, ValueError, AttributeError):
        import os

        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(sizes, default=0) / GIB
